"""Approve or reject a model version: by somebody else than those who made it."""

from dataclasses import dataclass
from typing import Any, Final

from lineal.app.naming import new_run_id
from lineal.app.registry import (
    Approval,
    approval_of,
    hold_against_log,
    makers,
    person,
    registered_model,
    runs_behind,
)
from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.event_type import APPROVED, REGISTERED, REJECTED
from lineal.core.observation import Gap, Node, Observation
from lineal.core.redaction import redact
from lineal.errors import BadInput, Refused

MEANING: Final = "approved for production use"
REJECTION: Final = "not to be used in production"


@dataclass(frozen=True, slots=True)
class Decided:
    """A recorded decision on a model version; `run` is the act of deciding."""

    model: NodeView
    approval: Approval
    run: str
    gaps: tuple[Gap, ...]


def approve(
    session: Session, text: str, *, reason: str, os_user: str, meaning: str | None = None, reject: bool = False
) -> Decided:
    """Record that the session's actor approves (or rejects) the model version `text`, and why.

    Four eyes: whoever registered the version, or ran a run that made it, is refused; the attempt goes on record as
    such, not as a decision. Raises `Refused`, `BadRef`, `UnknownRef`, `BadInput` for a reason left empty, and
    `InconsistentStore` where the catalog disagrees with the log about who made, registered or decided on it.
    """
    model = registered_model(session, text)
    if not reason.strip():
        raise BadInput("a decision needs a reason", fix="Say it with --reason.")
    decision: dict[str, Any] = {
        "decision": "rejected" if reject else "approved",
        "meaning": redact(meaning or (REJECTION if reject else MEANING))[0],
        "reason": redact(reason)[0],
        "by": session.actor,
        "os_user": os_user,
    }
    hold_against_log(session, model, runs_behind(session.catalog, model))
    hand = makers(session.catalog, model).get(person(session.actor))
    if hand is not None:
        _refuse(session, model, decision, hand)
    run = f"run:{new_run_id(f'approval-{model.name}')}"
    gaps = tuple(_same_user(session, model, os_user))
    session.say(
        Observation(
            type=REJECTED if reject else APPROVED,
            time=session.clock(),
            actor=session.actor,
            basis="claimed",
            nodes=(
                _node(model, decision),
                Node(
                    ref=run,
                    basis="claimed",
                    detail={"activity": "approval", "name": f"approval of {model.ref}", **decision},
                ),
            ),
            edges=() if reject else (Edge(run, model.canonical, "approved"),),
            gaps=gaps,
            data={"os_user": os_user},
            subject=(model.canonical, model.ref, run),
        )
    )
    made = approval_of(session.catalog, model)
    assert made is not None  # noqa: S101  # it was recorded just now, and nothing is ever deleted
    return Decided(model, made, run, gaps)


def _node(model: NodeView, detail: dict[str, Any]) -> Node:
    return Node(ref=model.canonical, basis="claimed", digest=Digest.parse(model.digest or ""), detail=detail)


def _refuse(session: Session, model: NodeView, decision: dict[str, Any], hand: str) -> None:
    """Put the attempt on record and raise `Refused`."""
    session.say(
        Observation(
            type="approval.refused/1",
            time=session.clock(),
            actor=session.actor,
            basis="observed",
            nodes=(_node(model, {"attempt": decision, "refused": f"{session.actor} {hand}"}),),
            data={"os_user": decision["os_user"]},
            subject=(model.canonical, model.ref),
        )
    )
    raise Refused(
        f"{session.actor} cannot decide on {model.ref}: the same person {hand}",
        fix="Ask a second person: lineal approve --as SOMEBODY_ELSE. The attempt is on record; no decision is.",
    )


def _same_user(session: Session, model: NodeView, os_user: str) -> list[Gap]:
    """Names are claimed: say so where one account of the operating system spoke under two of them."""
    catalog = session.catalog
    before = {
        fact.actor
        for fact in catalog.facts([model.id])
        if fact.type == REGISTERED and fact.detail.get("os_user") == os_user
    }
    others = sorted(before - {session.actor})
    if not others:
        return []
    explanation = f"{session.actor} and {others[0]}, who registered it, both used the account {os_user}"
    return [Gap("registry.one_account", explanation, model.canonical)]
