"""The verdict on a change: every field joined to the event that made it and the approval that allowed it.

The same evidence gives the same judgement, in whatever order it is given.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from itertools import chain, groupby
from typing import Final

from lineal.change.attribution import Relation, relate
from lineal.change.effects import creates, deletes, effects_version, may_change
from lineal.change.judge_evidence import Candidate, Evidence, digest_of_approval, digest_of_inputs
from lineal.change.judge_hearing import Hearing
from lineal.change.judge_managed import is_managed
from lineal.change.judge_unasked import find_unasked
from lineal.change.judge_words import Made, say_why
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
    Edit,
    FieldJudgement,
    Judgement,
    Path,
)
from lineal.core.timestamp import shift

WORST_FIRST: Final = (UNEXPLAINED, NOT_OBSERVABLE, PENDING, UNAPPROVED, MANAGED, APPROVED)
_OPEN: Final = frozenset({"tags", "imageTags", "InlinePolicies"})  # tables whose entries come and go one by one
_MOST_NOTES: Final = 10
_CAN: Final = (Relation.SETS, Relation.TOUCHES)
_RANK: Final = {verdict: at for at, verdict in enumerate(WORST_FIRST)}


@cache
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
    hearing = Hearing(change, evidence)
    made = _fields(hearing) if change.kind == "updated" else _whole(hearing)
    fields = [each.field for each in made]
    verdict = worst([each.verdict for each in fields])
    notes = list(dict.fromkeys([note for each in made for note in each.notes]))
    if verdict == UNEXPLAINED and not evidence.coverage.proves(hearing.began, change.until):
        notes.append("nobody vouches that the trail's files are all there: no digests were validated")
    acts = {act.events: act for each in made for act in each.acts}
    return Judgement(
        about=change.id,
        subject="change",
        resource=change.resource,
        verdict=verdict,
        why=say_why(change, evidence, verdict, made),
        since=change.since,
        until=change.until,
        fields=tuple(fields),
        events=tuple(dict.fromkeys(chain.from_iterable(acts))),
        approvals=tuple(dict.fromkeys([each.approval for each in fields if each.approval])),
        principals=tuple(dict.fromkeys([act.describe() for act in acts.values()])),
        inputs=_inputs(hearing),
        rules=rules_version(),
        notes=tuple(notes[:_MOST_NOTES]),
    )


def worst(verdicts: Iterable[str]) -> str:
    """Return the worst of some verdicts: what nobody explained comes first, what was approved last."""
    return min(verdicts, key=_RANK.__getitem__, default=UNEXPLAINED)


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


def _fields(hearing: Hearing) -> list[Made]:
    change, trials = hearing.change, _trials(hearing)
    made = []
    for edit in change.edits:
        parts = [_judge_field(hearing, part, edit.path, trials) for part in parts_of(edit)]
        made.append(parts[0] if len(parts) == 1 else _join(parts))
    return made


def _trials(hearing: Hearing) -> list[list[Candidate]]:
    """Return the candidates in question for fields: those to be tried first, then those where these explain nothing."""
    change, candidates = hearing.change, hearing.candidates
    usual = [each for each, odd in candidates if not odd]
    every = usual
    if len(usual) < len(candidates):
        # An odd one counts only if it asked for one of these very values: it was carried out in this change, then.
        every = [
            each
            for each, odd in candidates
            if not odd or any(_relation(hearing, each, edit) is Relation.SETS for edit in change.edits)
        ]
    trials = [usual] if len(every) == len(usual) else [usual, every]
    if any(each.event.claimed for each in every):
        # What is only claimed takes no call that is on record its part, neither by its value nor by another one.
        trials = [*([each for each in some if not each.event.claimed] for some in trials), *trials]
    return trials


def _judge_field(hearing: Hearing, edit: Edit, path: Path, trials: list[list[Candidate]]) -> Made:
    found: list[Candidate] = []
    for candidates in trials:
        found = _explain(hearing, edit, candidates)
        if found:
            break
    judged = _judge(hearing, path, found)
    return judged if found else _judge_unasked(hearing, edit, judged)


def parts_of(edit: Edit) -> list[Edit]:
    """Return an edit of all entries of an open table one by one: each may have come or gone by a call of its own."""
    if len(edit.path) != 1 or edit.path[0] not in _OPEN or edit.op == "replace":
        return [edit]
    held = edit.new if edit.op == "add" else edit.old
    if not isinstance(held, dict) or not held:
        return [edit]
    if edit.op == "add":
        return [Edit("add", (*edit.path, name), None, value) for name, value in sorted(held.items())]
    return [Edit("remove", (*edit.path, name), value) for name, value in sorted(held.items())]


def _join(made: list[Made]) -> Made:
    """Return what was concluded of the parts of a field as one: the worst of it."""
    worst_part = min(made, key=_rank)
    notes = tuple(dict.fromkeys(note for each in made for note in each.notes))
    return worst_part._replace(acts=tuple(act for each in made for act in each.acts), notes=notes)


def _explain(hearing: Hearing, edit: Edit, candidates: list[Candidate]) -> list[Candidate]:
    """Return the events (newest first given) that made a field what it is.

    That is the first that asked for the value that it ended with, if none after it asked for another one: whoever asks
    for what is there already changes nothing. Where none asked for it, all that can have changed it since another value
    was asked for: which of them it was, nobody can tell. What asked for another value in the second of the look may
    have come after it: a trail tells whole seconds.
    """
    if len(candidates) == 1:
        return candidates if _relation(hearing, candidates[0], edit) in _CAN else []
    setting: Candidate | None = None
    touching: list[Candidate] = []
    for time, together in groupby(candidates, key=_time):
        at_once = [(each, _relation(hearing, each, edit)) for each in together]
        sets = [each for each, relation in at_once if relation is Relation.SETS]
        setting = sets[-1] if sets else setting
        if setting is None:
            touching += [each for each, relation in at_once if relation is Relation.TOUCHES]
        if not sets and time <= hearing.certain and any(relation is Relation.CONTRADICTS for _, relation in at_once):
            break
    return [setting] if setting is not None else touching


def _time(candidate: Candidate) -> str:
    return candidate.event.time


def _relation(hearing: Hearing, candidate: Candidate, edit: Edit) -> Relation:
    evidence = hearing.evidence
    if evidence.spent and (candidate.event.id, edit.path) in evidence.spent:
        return Relation.NONE
    return relate(candidate.event, hearing.change, edit, evidence.after)


def _did_before(hearing: Hearing, candidate: Candidate, odd: bool) -> bool:
    """Return whether an event from before this change made the resource come, or go, before: it does so once."""
    if not odd and candidate.event.time > (hearing.change.since or ""):
        return False
    return (candidate.event.id, ()) in hearing.evidence.spent


def _whole(hearing: Hearing) -> list[Made]:
    """Judge a creation or deletion: by the call that did it, and of a creation by every change before it was seen."""
    change, candidates = hearing.change, hearing.candidates
    does = creates if change.kind == "created" else deletes
    able = [
        (each, odd)
        for each, odd in candidates
        if does(each.event, change.type, change.resource) and not _did_before(hearing, each, odd)
    ]
    able = [(each, odd) for each, odd in able if not each.event.claimed] or able
    doing = [each for each, odd in able if not odd] or [each for each, _ in able]
    made = [_judge(hearing, (), doing[:1])]
    for each, odd in candidates if doing and change.kind == "created" else ():
        later = not odd and each.event.time >= doing[0].event.time and each is not doing[0]
        later = later and each.event.claimed <= doing[0].event.claimed
        if later and may_change(each.event, change.type, change.resource):
            found = _judge(hearing, (), [each])
            made += [found] if found.field.verdict == UNAPPROVED else []
    return made


def _judge(hearing: Hearing, path: Path, found: list[Candidate]) -> Made:
    """Return the verdict on one field: the worst that the events in question give."""
    if not found:
        return Made(FieldJudgement(path=path, verdict=_verdict_without_event(hearing)))
    if len(found) == 1:
        return _judge_act(hearing, path, found[0].event)
    judged = [_judge_act(hearing, path, each.event) for each in found]
    made = min(judged, key=_rank)
    acts = tuple(act for each in judged for act in each.acts)
    note = f"{len(found)} calls can have changed it; the worst of them counts"
    return made._replace(acts=acts, notes=(*made.notes, note))


def _rank(made: Made) -> int:
    return _RANK[made.field.verdict]


def _judge_act(hearing: Hearing, path: Path, event: ApiEvent) -> Made:
    act = hearing.act_of(event)
    if act.behind is None and is_managed(hearing.change.type, path, event):
        return Made(FieldJudgement(path=path, verdict=MANAGED, event=event.id), (act,), "", hearing.doubts(act))
    approval, notes = hearing.permission(path, act)
    if approval is None:
        return Made(FieldJudgement(path=path, verdict=UNAPPROVED, event=event.id), (act,), "", notes)
    said = FieldJudgement(path=path, verdict=APPROVED, event=event.id, approval=approval.id)
    return Made(said, (act,), approval.ticket or approval.id, notes)


def _judge_unasked(hearing: Hearing, edit: Edit, made: Made) -> Made:
    """Return `made`, or that the service does such a thing without a call, where nothing but that explains it."""
    if made.field.verdict != UNEXPLAINED:
        return made
    by = find_unasked(hearing.change.type, edit, hearing.evidence.after)
    if by is None:
        return made
    return Made(replace(made.field, verdict=MANAGED), notes=(f"the service does so without a call ({by.source})",))


def _verdict_without_event(hearing: Hearing) -> str:
    whole = bool(hearing.began) and hearing.evidence.coverage.covers(hearing.began, hearing.change.until)
    return UNEXPLAINED if whole else NOT_OBSERVABLE


def _inputs(hearing: Hearing) -> str:
    change, evidence = hearing.change, hearing.evidence
    used = {each.event.id: each.digest for each, _ in hearing.candidates}
    for each, _ in hearing.candidates if evidence.stack_events else ():
        act = hearing.act_of(each.event)
        if act.behind is not None:
            used |= {one.event.id: one.digest for one in evidence.stack_events if one.event.id == act.behind.id}
    coverage = evidence.coverage
    return digest_of_inputs(
        {
            "change": _describe(change),
            "events": [[event, used[event]] for event in sorted(used)],
            "approvals": sorted(map(digest_of_approval, evidence.approvals)),
            "covered": [list(each) for each in coverage.clip(hearing.began, change.until)],
            "trail": bool(coverage.watermark),
            "spent": sorted([[event, *path] for event, path in evidence.spent if event in used]) if used else [],
            "skew": evidence.skew,
        }
    )


def _describe(change: Change) -> list[str | None]:
    return [change.id, change.resource, change.kind, change.since, change.until, change.before, change.after]
