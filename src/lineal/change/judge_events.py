"""The verdicts on what left no trace: events that changed nothing, and approvals that nobody used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lineal.change.effects import effect_of
from lineal.change.judge import rules_version
from lineal.change.judge_evidence import SETTLE, SKEW, Candidate, digest_of_approval, digest_of_inputs
from lineal.change.permission import Act, Target, find_permission
from lineal.change.watermark import Coverage
from lineal.core.change import (
    NOT_DONE,
    PENDING,
    WITHOUT_EFFECT,
    ChangeApproval,
    Judgement,
)
from lineal.core.timestamp import shift

_MOST_NAMED: Final = 5
_NOTHING: Final = "no change that was seen is its doing: rolled back, overwritten, or it changed nothing"
_MADE_UP: Final = "it was only claimed, and the trail, which is whole there, does not have it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """How a resource was watched: first and last seen (moments at which a look at it began), and what trail it has."""

    resource: str
    type: str
    first: str
    last: str
    coverage: Coverage
    now: str
    skew: int = SKEW
    settle: int = SETTLE


def judge_event(candidate: Candidate, watched: Watched, approvals: Sequence[ChangeApproval] = ()) -> Judgement | None:
    """Return what is to be concluded of a mutating event that explains no change of the resource it is about.

    One of `approvals` that allowed it has been used by it: what was allowed was tried.

    ``EVENT_WITHOUT_EFFECT`` once a look after it, and after the time that the operation may take, saw nothing new;
    ``PENDING`` before that. None where that cannot be asked: nothing was seen before it, or its time is not covered by
    the trail, so that other events may explain what became of it.
    """
    event, coverage = candidate.event, watched.coverage
    if event.time <= watched.first or not coverage.watermark:
        return None
    done = shift(event.time, max(watched.skew, effect_of(event.service, event.name).lasts))
    waiting = ""
    if watched.now < shift(event.time, watched.settle) or not coverage.reaches(event.time):
        waiting = "other events may still arrive: the trail is given some time to settle"
    elif watched.last < done:
        waiting = "nobody has looked at the resource since it can have had its effect"
    elif not coverage.covers(event.time, event.time):
        return None
    act = Act(event)
    given = () if event.claimed else approvals  # nobody tried what was only claimed
    allowed, notes = find_permission(given, act, (Target(watched.resource, watched.type, None),))
    verdict = PENDING if waiting else WITHOUT_EFFECT
    without = _MADE_UP if event.claimed else _NOTHING
    return Judgement(
        about=event.amends or event.id,
        subject="event",
        resource=watched.resource,
        verdict=verdict,
        why=f"{event.name} by {act.describe()}: " + (waiting or without),
        since=event.time,
        until=event.time,
        events=(event.id,),
        approvals=() if allowed is None else (allowed.id,),
        principals=(act.describe(),),
        inputs=digest_of_inputs(
            {
                "event": candidate.digest,
                "resource": watched.resource,
                "waiting": waiting,
                "approvals": sorted(digest_of_approval(each) for each in approvals),
            }
        ),
        rules=rules_version(),
        notes=notes[:_MOST_NAMED],
    )


def judge_approval(approval: ChangeApproval, coverage: Coverage, now: str, settle: int = SETTLE) -> Judgement | None:
    """Return that nobody did what `approval` allows; None as long as somebody may, or the trail may still say so.

    Nor is anything due under one that was withdrawn before its end. `coverage` is that of the trail where the
    approval's resources are. To be asked of approvals that no judgement used.
    """
    if approval.withdrawn and approval.withdrawn <= approval.not_after:
        return None
    if now <= shift(approval.not_after, settle) or not coverage.reaches(approval.not_after):
        return None
    if not coverage.covers(approval.not_before, approval.not_after):
        return None
    name = approval.ticket or approval.id
    named = ", ".join(approval.resources[:_MOST_NAMED]) or ", ".join(approval.types[:_MOST_NAMED]) or "any resource"
    return Judgement(
        about=approval.id,
        subject="approval",
        resource=approval.resources[0] if len(approval.resources) == 1 else "",
        verdict=NOT_DONE,
        why=f"{name} allowed changes of {named} until {approval.not_after}, and no change on record is one of them",
        since=approval.not_before,
        until=approval.not_after,
        approvals=(approval.id,),
        inputs=digest_of_inputs({"approval": digest_of_approval(approval)}),
        rules=rules_version(),
    )
