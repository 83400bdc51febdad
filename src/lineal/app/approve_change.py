"""Approve a change before it is made: who may change what, by which calls, and when; or read that from tickets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from lineal.app.batches import cut_batches
from lineal.app.change_ticket import MOST_BYTES, Tickets, read_tickets
from lineal.app.session import Session
from lineal.change.permission import is_wide, spell_pattern, spellings
from lineal.core import canonical, timestamp
from lineal.core.change import ALLOWED, ChangeApproval
from lineal.core.digest import Digest
from lineal.core.observation import Observation
from lineal.core.redaction import redact
from lineal.core.timestamp import shift
from lineal.errors import BadInput, Refused

_MOST: Final = 500
_LONGEST: Final = 1024
_SLOW: Final = 60  # seconds that may pass from saying "now" to recording it
_REFUSED: Final = frozenset({"rejected", "denied", "declined", "refused", "not approved", "disapproved"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is to be allowed: patterns (``*`` and ``?``); an empty tuple allows any, but not of resources and types."""

    resources: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Allowed:
    """The approvals that were given, those of them that are new on record, and what is odd about them.

    `passed` is how many tickets of a file were not approved ones.
    """

    approvals: tuple[ChangeApproval, ...]
    new: tuple[ChangeApproval, ...]
    notes: tuple[str, ...] = ()
    passed: int = 0


def approve_change(
    session: Session,
    scope: Scope,
    *,
    ticket: str,
    reason: str,
    not_before: str,
    not_after: str,
    requester: str = "",
    retroactive: bool = False,
    os_user: str = "",
) -> Allowed:
    """Record that the session's actor allows changes within `scope` from `not_before` to `not_after` (moments).

    What was done before this decision is not allowed by it, unless it is `retroactive`. Raises `Refused` for who
    approves their own request, `BadInput` for a scope without resources and types, a window that is none or is over, a
    ticket or reason left empty.
    """
    now = session.clock()
    _check(scope, ticket, reason, not_before, not_after)
    if requester and spellings(requester) & spellings(session.actor):
        raise Refused(
            f"{session.actor} cannot approve what they asked for themselves; nothing was recorded",
            fix="Ask a second person: lineal approve change … --as SOMEBODY_ELSE.",
        )
    if not_after <= now and not retroactive:
        raise BadInput(
            f"the window is over: it ended at {not_after}, and what was done before a decision is not allowed by it",
            fix="Give a window that is still open, or say with --retroactive that the past is meant.",
        )
    approval = ChangeApproval(
        id="",
        ticket=ticket.strip(),
        resources=tuple(map(spell_pattern, scope.resources)),
        types=scope.types,
        fields=scope.fields,
        actions=scope.actions,
        principals=scope.principals,
        not_before=timestamp.check(not_before),
        not_after=timestamp.check(not_after),
        decided=now,
        approver=session.actor,
        requester=requester.strip(),
        reason=redact(reason.strip())[0],
        retroactive=retroactive,
    )
    name = "approval-" + Digest.of(canonical.encode(approval.describe())).hex[:24]
    approval = replace(approval, id=name)
    notes = tuple(_odd(session, approval, now))
    _say(session, [approval], {"os_user": os_user} if os_user else {})
    return Allowed((approval,), (approval,), notes)


def import_approvals(session: Session, file: Path, *, ignore: Sequence[str] = (), os_user: str = "") -> Allowed:
    """Record the approvals in an export of tickets (`file`, CSV or JSON) that are not on record yet.

    The file is kept as an object; its digest stands in each approval. One that says something else than the ticket of
    the same identifier on record is a new word on it: the last holds. An approval on record whose ticket is not an
    approved one any more is withdrawn: from now on, or, where the ticket was refused, as if it had never been given. A
    ticket that is no identifier on record means all that were imported of it.
    Raises `BadInput` if any row cannot be taken; nothing is recorded then.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(f"cannot read {file}: {error.strerror}") from error
    tickets = read_tickets(data, file.name, ignore=ignore)
    held = session.configuration.approvals()
    known = {each.id: replace(each, digest="") for each in held}
    told = tuple(each for each in tickets.approvals if known.get(each.id) != replace(each, digest=""))
    now = session.clock()
    denied = _find_denied(held, tickets)
    back = tuple(
        replace(known[name], withdrawn=_as_of(known[name], status, now), digest=tickets.digest)
        for name, status in denied.items()
        if _as_of(known[name], status, now) <= known[name].not_after  # when it is over, nothing is left to take back
        and _as_of(known[name], status, now) < (known[name].withdrawn or "~")
    )
    new = (*told, *back)
    if new:
        session.objects.put_bytes(data)
        origin = {"file": file.name, "digest": tickets.digest}
        _say(session, new, {"origin": origin, **({"os_user": os_user} if os_user else {})})
    changed = sum(each.id in known for each in told)
    notes = [f"{changed} of them are known by their identifier and say something else now: the last holds"][:changed]
    notes += [f"{each.id} is {denied[each.id]}: withdrawn as of {each.withdrawn}" for each in back]
    return Allowed(tickets.approvals, new, tuple(notes), tickets.passed)


def _find_denied(held: Sequence[ChangeApproval], tickets: Tickets) -> dict[str, str]:
    """Return the approvals on record, by identifier, that `tickets` deny, with what they say their status is."""
    names = {each.id for each in held}
    given = {each.id for each in tickets.approvals}
    found: dict[str, str] = {}
    for each in held:
        imported = each.digest and each.ticket not in names and each.id not in given
        status = tickets.denied.get(each.id, tickets.denied.get(each.ticket) if imported else None)
        if status is not None:
            found[each.id] = status
    return found


def _as_of(held: ChangeApproval, status: str, now: str) -> str:
    """Return from which moment on an approval holds no more whose ticket says `status`: it ended, or never was."""
    return held.not_before if status in _REFUSED else now


def _check(scope: Scope, ticket: str, reason: str, not_before: str, not_after: str) -> None:
    if not scope.resources and not scope.types:
        raise BadInput("no resource is named", fix="Name resources or patterns of them ('*' for all), or --type.")
    for name, text in (("ticket", ticket), ("reason", reason)):
        if not text.strip():
            raise BadInput(f"an approval needs a {name}", fix=f"Say it with --{name}.")
    words = (*scope.resources, *scope.types, *scope.fields, *scope.actions, *scope.principals, ticket)
    for each in words:
        if not each.strip() or len(each) > _LONGEST or not each.isprintable():
            raise BadInput(f"empty, too long, or with control characters: {each[:60]!r}")
    if not_after <= not_before:
        raise BadInput(f"the window ends at {not_after}, before it begins at {not_before}")


def _odd(session: Session, approval: ChangeApproval, now: str) -> Iterator[str]:
    if approval.not_before < shift(now, -_SLOW) and not approval.retroactive:
        yield f"what was done before now ({now}) is not allowed by it: --retroactive would say so"
    for name in approval.resources:
        if not is_wide(name) and not session.configuration.resources_named(name):
            yield f"no resource on record is called {name}"
    for name in approval.fields:
        if "/" in name or name.startswith("."):
            yield f"fields are paths with dots: {name} may fit none"


def _say(session: Session, approvals: Sequence[ChangeApproval], data: dict[str, Any]) -> None:
    observations = [
        Observation(
            type=ALLOWED,
            time=session.clock(),
            actor=session.actor,
            basis="claimed",
            data={"approvals": batch, **data},
        )
        for batch in cut_batches((each.describe() for each in approvals), _MOST)
    ]
    session.say_all(observations)
