"""Who stands behind a call that CloudFormation made: whoever changed the stack that owns the resource."""

from collections.abc import Sequence
from typing import Final

from lineal.change.effects import service_word
from lineal.change.judge_evidence import Candidate, current, is_made_up
from lineal.change.permission import Act
from lineal.change.watermark import Coverage
from lineal.core.api_event import ApiEvent
from lineal.core.timestamp import shift

_SERVICE: Final = "cloudformation"
_CALLER: Final = "cloudformation.amazonaws.com"
_ITSELF: Final = "AWSCloudFormation"  # how it calls its sessions of the role that it was given for a stack
# What sets a stack in motion, and for how long its calls may follow ("Updating stacks", CloudFormation user guide).
_MOVES: Final = frozenset(
    {"CreateStack", "UpdateStack", "ExecuteChangeSet", "DeleteStack", "RollbackStack", "ContinueUpdateRollback"}
)
FOLLOWS: Final = 3 * 3600


def is_by_cloudformation(event: ApiEvent) -> bool:
    """Return whether CloudFormation made the call for somebody.

    AWS says so itself (``invokedBy``, ``sourceIPAddress``); what callers say of themselves (``userAgent``) is no word.
    """
    if _CALLER not in (event.via, event.record.get("sourceIPAddress")):
        return False
    return service_word(event.service) != _SERVICE


def act_of(event: ApiEvent, stack_events: Sequence[Candidate], stacks: frozenset[str], coverage: Coverage) -> Act:
    """Return `event` with the event of the stack behind it, if CloudFormation made it and that is on record.

    Of the stacks that own the resource the last move before the call, by the session that made the call unless that is
    CloudFormation's own: others may have it call for them, too. Where no owner is known, the last move of any stack by
    the same session. Moves that were only claimed count where no other does, and the trail is not whole (`coverage`).
    """
    if not is_by_cloudformation(event):
        return Act(event)
    earliest = shift(event.time, -FOLLOWS)
    claimed: ApiEvent | None = None
    for each in reversed(current(stack_events)):
        move = each.event
        if not earliest < move.time <= event.time or move.name not in _MOVES or move.error:
            continue
        if is_made_up(move, coverage):
            continue
        owned = bool(stacks.intersection(move.targets))
        same = (move.principal, move.session) == (event.principal, event.session)
        if (owned and (same or event.session == _ITSELF)) or (not stacks and same):
            if not move.claimed:
                return Act(event, move)
            claimed = claimed or move
    return Act(event, claimed)
