"""What was concluded of each field, and why, in words: the sentence that a judgement gives to people."""

from typing import Final, NamedTuple

from lineal.change.judge_evidence import Evidence, begins
from lineal.change.permission import Act
from lineal.core.change import APPROVED, MANAGED, UNAPPROVED, UNEXPLAINED, Change, FieldJudgement

_MOST_NAMED: Final = 3


class Made(NamedTuple):
    """What was concluded of one field, with the act that made it and what is odd about it."""

    field: FieldJudgement
    acts: tuple[Act, ...] = ()
    ticket: str = ""
    notes: tuple[str, ...] = ()


def say_why(change: Change, evidence: Evidence, verdict: str, made: list[Made]) -> str:
    """Return in a sentence why `change` has this `verdict`, given what was concluded of its fields."""
    chosen = [each for each in made if each.field.verdict == verdict]
    several = {id(act): act for each in chosen for act in each.acts}.values()  # most fields of a change share one
    acts = list(dict.fromkeys(f"{act.event.name} by {act.describe()}" for act in several))
    told = "; ".join(acts[:_MOST_NAMED]) + (f"; and {len(acts) - _MOST_NAMED} more" if len(acts) > _MOST_NAMED else "")
    of = f"{len(chosen)} of {len(made)} fields: " if len(chosen) < len(made) else ""
    if verdict == APPROVED:
        tickets = list(dict.fromkeys(each.ticket for each in chosen))
        return f"{told}, allowed by {', '.join(tickets[:_MOST_NAMED])}"
    if verdict == UNAPPROVED:
        return f"{of}{told}, and no approval allows it"
    if verdict == MANAGED:
        told = told or "no call"
        return f"{of}{told}: the service itself, in fields that it manages"
    if verdict == UNEXPLAINED:
        return f"{of}the trail is whole, and no event explains it"
    return of + _why_not_observable(change, evidence)


def _why_not_observable(change: Change, evidence: Evidence) -> str:
    if not evidence.coverage.watermark:
        return "no event explains it, and no trail of this account and region was ever collected"
    if change.since is None:
        return "no event explains it, and nothing is known from before"
    holes = evidence.coverage.holes(begins(change, evidence), change.until)
    told = "; ".join(
        f"{each.since} to {each.until}" + (f" ({each.why})" if each.why else "") for each in holes[:_MOST_NAMED]
    )
    return f"no event explains it, and the trail has holes: {told}"
