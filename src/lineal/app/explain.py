"""Explain every change: which API event made it, which approval allowed it, or that nobody can say."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from lineal.app.explain_court import Court, judge_all
from lineal.app.explain_evidence import Looks, read_passing, read_stacks
from lineal.app.explain_record import Recorder, withdraw
from lineal.app.explain_sums import Place, Sums
from lineal.app.explain_work import Grounds
from lineal.app.session import Session
from lineal.change.judge_events import judge_approval
from lineal.change.judge_evidence import SETTLE, SKEW
from lineal.change.permission import Approvals, is_about
from lineal.change.watermark import Coverage, Trail
from lineal.core.change import Change, ChangeApproval, Judgement
from lineal.core.resource import read_arn

_STEP: Final = 200

Progress = Callable[[int, int], None]


@dataclass(slots=True, kw_only=True)
class Explained:
    """What was concluded, how many judgements of it are new on record, and what it was concluded from.

    `changes` are the changes judged, by their identifiers; `resources` and `events` say how many were looked at,
    `failed` how many further events about them did not succeed, and so changed nothing. `trail` says of each account
    and region with resources how far its trail is known, `tickets` what people call the approvals.
    """

    judgements: list[Judgement] = field(default_factory=list)
    recorded: int = 0
    changes: dict[str, Change] = field(default_factory=dict)
    resources: int = 0
    events: int = 0
    failed: int = 0
    trail: dict[Place, Coverage] = field(default_factory=dict)
    tickets: dict[str, str] = field(default_factory=dict)


def explain(
    session: Session,
    *,
    resources: Sequence[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    now: str | None = None,
    settle_seconds: int = SETTLE,
    skew_seconds: int = SKEW,
    record: bool = True,
    on_progress: Progress | None = None,
) -> Explained:
    """Judge every change on record of `resources` (keys; None: of all), and every event and approval without a change.

    `since` and `until` (moments) leave out what ended before or after. Nothing is concluded of what is younger than
    `settle_seconds`, counted from `now`; clocks may differ by `skew_seconds`. With `record`, judgements that differ
    from the last ones on record of the same things go on record, some at a time; the earlier ones stay. `on_progress`
    gets the numbers of changes judged and judgements recorded. Raises `StoreError` branches.
    """
    configuration = session.configuration
    database = configuration.database
    looks = Looks(configuration.looks())
    grounds = Grounds(
        now=now or session.clock(),
        settle=settle_seconds,
        skew=skew_seconds,
        trail=Trail(configuration.trail()),
        stacks=read_stacks(database),
        approvals=Approvals(configuration.approvals()),
    )
    keys = configuration.watched() if resources is None else sorted(set(resources))
    recorder = Recorder(session, resources, enabled=record)
    sums = Sums(grounds)
    tickets = {each.id: each.ticket for each in grounds.approvals.given if each.ticket}
    found = Explained(trail=sums.places, tickets=tickets)
    progress = on_progress or (lambda _done, _recorded: None)

    def keep(judgement: Judgement) -> bool:
        if not (since or "") < judgement.until or (until is not None and judgement.until > until):
            return False
        found.judgements.append(judgement)
        recorder.take(judgement)
        return True

    for outcome in judge_all(Court(database, looks, grounds), keys):
        found.resources += 1
        found.events += outcome.events
        found.failed += outcome.failed
        sums.add(outcome, watched=True)
        for change, judgement in zip(outcome.changes, outcome.judgements, strict=True):
            if keep(judgement):
                found.changes[change.id] = change
        if found.resources % _STEP == 0:
            progress(len(found.changes), recorder.recorded)
    for passing in read_passing(database, looks, resources):
        found.events += len(passing.events)
        sums.add(grounds.judge_passing(passing), watched=False)
    for judgement in (*sums.judge_events(), *_unused(sums, recorder, resources)):
        keep(judgement)
    if since is None and until is None:
        for last in list(recorder.outdated()):
            withdrawn = withdraw(last, _explained_by(sums, last), used=last.about in sums.used)
            if withdrawn is not None:
                recorder.take(withdrawn)
    found.judgements.sort(key=lambda each: (each.until, each.subject, each.about))
    found.recorded = recorder.finish()
    progress(len(found.changes), found.recorded)
    return found


def _explained_by(sums: Sums, last: Judgement) -> Judgement | None:
    return next((sums.effective[each] for each in (last.about, *last.events) if each in sums.effective), None)


def _unused(sums: Sums, recorder: Recorder, resources: Sequence[str] | None) -> Iterator[Judgement]:
    """Yield the approvals whose time has passed without anybody doing what they allowed."""
    used = sums.used | recorder.used_before()
    wanted = None if resources is None else set(resources)
    for approval in sorted(sums.grounds.approvals.given, key=lambda each: (each.not_after, each.id)):
        if approval.id in used:
            continue
        if wanted is not None and not any(is_about(approval, of.key, of.type) for of, _ in sums.watched):
            continue
        found = [
            judge_approval(approval, each, sums.grounds.now, sums.grounds.settle) for each in _coverages(sums, approval)
        ]
        if found and all(each is not None for each in found) and found[0] is not None:
            yield found[0]


def _coverages(sums: Sums, approval: ChangeApproval) -> list[Coverage]:
    """Return what is known of the trail wherever the resources of an approval are: those named, else those watched."""
    found: dict[Place, Coverage] = {}
    for name in approval.resources:
        of = read_arn(name)
        if of is not None and not any(each in name for each in "*?"):
            found[of.account, of.region] = sums.grounds.trail.of(of.account, of.region, name)
    for of, coverage in sums.watched if not found else ():
        if is_about(approval, of.key, of.type):
            found[of.account, of.region] = coverage
    places = found.values() or sums.places.values()
    # Where no trail was ever collected, none of what it allows could have been seen.
    return [each for each in places if each.watermark]
