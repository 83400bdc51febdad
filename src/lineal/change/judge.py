"""The verdict on a change: every field joined to the event that made it and the approval that allowed it.

The same evidence gives the same judgement, in whatever order it is given.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from typing import Final

from lineal.change.attribution import Relation, relate
from lineal.change.effects import creates, deletes, effects_version, may_change
from lineal.change.judge_chain import act_of, is_by_cloudformation
from lineal.change.judge_evidence import (
    Candidate,
    Evidence,
    begins,
    digest_of_approval,
    digest_of_inputs,
    in_time,
)
from lineal.change.judge_managed import is_managed
from lineal.change.judge_unasked import find_unasked
from lineal.change.judge_words import Made, say_why
from lineal.change.permission import Act, Target, find_permission
from lineal.change.semantic import RULES
from lineal.core.api_event import ApiEvent
from lineal.core.change import (
    APPROVED,
    MANAGED,
    NOT_OBSERVABLE,
    PENDING,
    UNAPPROVED,
    UNEXPLAINED,
    Change,
    ChangeApproval,
    Edit,
    FieldJudgement,
    Judgement,
    Path,
)
from lineal.core.timestamp import shift

WORST_FIRST: Final = (UNEXPLAINED, NOT_OBSERVABLE, PENDING, UNAPPROVED, MANAGED, APPROVED)
_OPEN: Final = frozenset({"tags", "imageTags", "InlinePolicies"})  # tables whose entries come and go one by one
_MOST_NOTES: Final = 10


def rules_version() -> str:
    """Return the version of everything that a verdict depends on beside the evidence."""
    return f"{RULES} {effects_version()}"


def judge_change(change: Change, evidence: Evidence) -> Judgement:
    """Return what is to be concluded of `change`.

    A field is explained by an event that asked for its new value, else by one that is known to change such fields, and
    approved by an approval that allows that event. What no event explains is ``UNEXPLAINED`` where the trail is whole,
    ``NOT_OBSERVABLE`` where it is not. Nothing is concluded (``PENDING``) before the trail has reached beyond `until`
    and `settle` seconds have passed. The verdict of the change is the worst of its fields.
    """
    waiting = _why_pending(change, evidence)
    if waiting:
        return _pending(change, waiting)
    candidates = in_time(change, evidence)
    made = _whole(change, evidence, candidates) if change.kind != "updated" else _fields(change, evidence, candidates)
    verdict = worst(each.field.verdict for each in made)
    notes = list(dict.fromkeys(note for each in made for note in each.notes))
    if verdict == UNEXPLAINED and not evidence.coverage.proves(begins(change, evidence), change.until):
        notes.append("nobody vouches that the trail's files are all there: no digests were validated")
    acts = list({act.events: act for each in made for act in each.acts}.values())
    return Judgement(
        about=change.id,
        subject="change",
        resource=change.resource,
        verdict=verdict,
        why=say_why(change, evidence, verdict, made),
        since=change.since,
        until=change.until,
        fields=tuple(each.field for each in made),
        events=tuple(dict.fromkeys(event for act in acts for event in act.events)),
        approvals=tuple(dict.fromkeys(each.field.approval for each in made if each.field.approval)),
        principals=tuple(dict.fromkeys(act.describe() for act in acts)),
        inputs=_inputs(change, evidence, candidates),
        rules=rules_version(),
        notes=tuple(notes[:_MOST_NOTES]),
    )


def worst(verdicts: Iterable[str]) -> str:
    """Return the worst of some verdicts: what nobody explained comes first, what was approved last."""
    return min(verdicts, key=WORST_FIRST.index, default=UNEXPLAINED)


def _why_pending(change: Change, evidence: Evidence) -> str:
    if evidence.now < shift(change.until, evidence.settle):
        return "events may still arrive: they are given some time to settle"
    if evidence.coverage.watermark and not evidence.coverage.reaches(change.until):
        return "the trail has not been collected up to this change yet"
    return ""


def _pending(change: Change, why: str) -> Judgement:
    paths = [edit.path for edit in change.edits] if change.kind == "updated" else [()]
    return Judgement(
        about=change.id,
        subject="change",
        resource=change.resource,
        verdict=PENDING,
        why=why,
        since=change.since,
        until=change.until,
        fields=tuple(FieldJudgement(path=path, verdict=PENDING) for path in paths),
        inputs=digest_of_inputs({"change": _describe(change), "waiting": why}),
        rules=rules_version(),
    )


def _fields(change: Change, evidence: Evidence, candidates: list[tuple[Candidate, bool]]) -> list[Made]:
    usual = [each for each, odd in candidates if not odd]
    # An odd one counts only if it asked for one of these very values: it was carried out in this change, then.
    odd = [
        each
        for each, is_odd in candidates
        if is_odd and any(_relation(each, change, edit, evidence) is Relation.SETS for edit in change.edits)
    ]
    every = [each for each, _ in candidates if each in usual or each in odd]
    made = []
    for edit in change.edits:
        parts = []
        for part in _parts(edit):
            found = _explain(change, part, evidence, usual)
            if not found and odd:
                found = _explain(change, part, evidence, every)
            judged = _judge(change, edit.path, found, evidence)
            parts.append(judged if found else _judge_unasked(change, part, evidence, judged))
        made.append(_join(parts))
    return made


def _parts(edit: Edit) -> list[Edit]:
    """Return an edit of all entries of an open table one by one: each may have come or gone by a call of its own."""
    held = edit.new if edit.op == "add" else edit.old
    if (
        len(edit.path) != 1
        or edit.path[0] not in _OPEN
        or edit.op == "replace"
        or not isinstance(held, dict)
        or not held
    ):
        return [edit]
    if edit.op == "add":
        return [Edit("add", (*edit.path, name), None, value) for name, value in sorted(held.items())]
    return [Edit("remove", (*edit.path, name), value) for name, value in sorted(held.items())]


def _join(made: list[Made]) -> Made:
    """Return what was concluded of the parts of a field as one: the worst of it."""
    if len(made) == 1:
        return made[0]
    worst_part = min(made, key=lambda each: WORST_FIRST.index(each.field.verdict))
    notes = tuple(dict.fromkeys(note for each in made for note in each.notes))
    return replace(worst_part, acts=tuple(act for each in made for act in each.acts), notes=notes)


def _explain(change: Change, edit: Edit, evidence: Evidence, candidates: list[Candidate]) -> list[Candidate]:
    """Return the events (newest first given) that made a field what it is.

    That is the first that asked for the value that it ended with, if none after it asked for another one: whoever asks
    for what is there already changes nothing. Where none asked for it, all that can have changed it since another value
    was asked for: which of them it was, nobody can tell. What asked for another value in the second of the look may
    have come after it: a trail tells whole seconds.
    """
    certain = shift(change.until, -1)
    setting: Candidate | None = None
    touching: list[Candidate] = []
    for time, together in groupby(candidates, key=lambda each: each.event.time):
        at_once = [(each, _relation(each, change, edit, evidence)) for each in together]
        sets = [each for each, relation in at_once if relation is Relation.SETS]
        setting = sets[-1] if sets else setting
        if setting is None:
            touching += [each for each, relation in at_once if relation is Relation.TOUCHES]
        if not sets and time <= certain and any(relation is Relation.CONTRADICTS for _, relation in at_once):
            break
    return [setting] if setting is not None else touching


def _relation(candidate: Candidate, change: Change, edit: Edit, evidence: Evidence) -> Relation:
    if evidence.spent and (candidate.event.id, edit.path) in evidence.spent:
        return Relation.NONE
    return relate(candidate.event, change, edit, evidence.after)


def _whole(change: Change, evidence: Evidence, candidates: list[tuple[Candidate, bool]]) -> list[Made]:
    """Judge a creation or deletion: by the call that did it, and of a creation by every change before it was seen."""
    does = creates if change.kind == "created" else deletes
    able = [(each, odd) for each, odd in candidates if does(each.event, change.type, change.resource)]
    doing = [each for each, odd in able if not odd] or [each for each, _ in able]
    made = [_judge(change, (), doing[:1], evidence)]
    for each, odd in candidates if doing and change.kind == "created" else ():
        later = not odd and each.event.time >= doing[0].event.time and each is not doing[0]
        if later and may_change(each.event, change.type, change.resource):
            found = _judge(change, (), [each], evidence)
            made += [found] if found.field.verdict == UNAPPROVED else []
    return made


def _judge(change: Change, path: Path, found: list[Candidate], evidence: Evidence) -> Made:
    """Return the verdict on one field: the worst that the events in question give."""
    if not found:
        return Made(FieldJudgement(path=path, verdict=_verdict_without_event(change, evidence)))
    judged = [_judge_act(change, path, each, evidence) for each in found]
    if len(judged) == 1:
        return judged[0]
    made = min(judged, key=lambda each: WORST_FIRST.index(each.field.verdict))
    acts = tuple(act for each in judged for act in each.acts)
    note = f"{len(found)} calls can have changed it; the worst of them counts"
    return replace(made, acts=acts, notes=(*made.notes, note))


def _judge_unasked(change: Change, edit: Edit, evidence: Evidence, made: Made) -> Made:
    """Return `made`, or that the service does such a thing without a call, where nothing but that explains it."""
    by = find_unasked(change.type, edit, evidence.after) if made.field.verdict == UNEXPLAINED else None
    if by is None:
        return made
    return Made(replace(made.field, verdict=MANAGED), notes=(f"the service does so without a call ({by.source})",))


def _judge_act(change: Change, path: Path, found: Candidate, evidence: Evidence) -> Made:
    act = _act_of(found.event, evidence)
    event = found.event.id
    if act.behind is None and is_managed(change.type, path, found.event):
        return Made(FieldJudgement(path=path, verdict=MANAGED, event=event), (act,))
    notes = []
    if act.behind is None and is_by_cloudformation(found.event):
        notes.append("CloudFormation made the call; the event of the stack behind it is not on record")
    approval, told = _permission(change, path, act, evidence)
    if approval is None:
        return Made(FieldJudgement(path=path, verdict=UNAPPROVED, event=event), (act,), "", (*notes, *told))
    said = FieldJudgement(path=path, verdict=APPROVED, event=event, approval=approval.id)
    return Made(said, (act,), approval.ticket or approval.id, (*notes, *told))


def _permission(
    change: Change, path: Path, act: Act, evidence: Evidence
) -> tuple[ChangeApproval | None, tuple[str, ...]]:
    asked = (act.event.id, path if any(each.fields for each in evidence.approvals) else ("",))
    if asked not in evidence.known:
        stacks = act.behind.targets if act.behind is not None else ()
        targets = (
            Target(change.resource, change.type, path),
            *(Target(each, "AWS::CloudFormation::Stack", None) for each in stacks),
        )
        first_decided = sorted(evidence.approvals, key=lambda each: (each.decided, each.id))
        evidence.known[asked] = find_permission(first_decided, act, targets)
    found: tuple[ChangeApproval | None, tuple[str, ...]] = evidence.known[asked]
    return found


def _act_of(event: ApiEvent, evidence: Evidence) -> Act:
    found: Act | None = evidence.known.get((event.id, None))
    if found is None:
        found = evidence.known[event.id, None] = act_of(event, evidence.stack_events, evidence.stacks)
    return found


def _verdict_without_event(change: Change, evidence: Evidence) -> str:
    began = begins(change, evidence)
    whole = bool(began) and evidence.coverage.covers(began, change.until)
    return UNEXPLAINED if whole else NOT_OBSERVABLE


def _inputs(change: Change, evidence: Evidence, candidates: list[tuple[Candidate, bool]]) -> str:
    used = {each.event.id: each.digest for each, _ in candidates}
    for each, _ in candidates:
        act = _act_of(each.event, evidence)
        if act.behind is not None:
            used |= {one.event.id: one.digest for one in evidence.stack_events if one.event.id == act.behind.id}
    began = begins(change, evidence)
    coverage = evidence.coverage
    return digest_of_inputs(
        {
            "change": _describe(change),
            "events": [[event, used[event]] for event in sorted(used)],
            "approvals": sorted(digest_of_approval(each) for each in evidence.approvals),
            "covered": [list(each) for each in coverage.clip(began, change.until)],
            "trail": bool(coverage.watermark),
            "spent": sorted([event, *path] for event, path in evidence.spent if event in used),
            "skew": evidence.skew,
        }
    )


def _describe(change: Change) -> list[str | None]:
    return [change.id, change.resource, change.kind, change.since, change.until, change.before, change.after]
