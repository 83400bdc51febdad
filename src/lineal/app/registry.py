"""What the registry knows of a model version: who made it, who registered it, whether it is approved."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from lineal.app.session import Session
from lineal.catalog.graph import NOW, Moment
from lineal.catalog.reader import Catalog, Fact, NodeView
from lineal.core import ref
from lineal.errors import BadRef, Refused

REGISTERED: Final = "model.registered/1"
APPROVED: Final = "model.approved/1"
REJECTED: Final = "model.rejected/1"
_LIKENESS: Final = frozenset({"same_as", "derived_from"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The decision that stands on a model version at a moment; `entry` is its place in the log."""

    approved: bool
    by: str
    time: str
    meaning: str
    reason: str
    os_user: str | None
    entry: int

    @property
    def decision(self) -> str:
        """``approved`` or ``rejected``."""
        return "approved" if self.approved else "rejected"


def approval_of(catalog: Catalog, view: NodeView, moment: Moment = NOW) -> Approval | None:
    """Return the last decision on a model version, as of `moment`; None where nobody has decided."""
    last = last_decision(catalog.facts([view.id], moment))
    if last is None:
        return None
    return Approval(
        approved=last.type == APPROVED,
        by=last.actor,
        time=last.time,
        meaning=str(last.detail.get("meaning", "")),
        reason=str(last.detail.get("reason", "")),
        os_user=last.detail.get("os_user"),
        entry=last.idx,
    )


def last_decision(facts: Iterable[Fact]) -> Fact | None:
    """Return the decision among `facts` that the ledger took last: a clock that went back undoes no rejection."""
    return max((fact for fact in facts if fact.type in {APPROVED, REJECTED}), key=lambda fact: fact.idx, default=None)


def person(name: str) -> str:
    """Return the spelling of an actor's name that all spellings of it have: without case, width and outer blanks."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def stated(catalog: Catalog, view: NodeView) -> dict[str, Any]:
    """Return what all statements about a thing say together; the latest wins."""
    return {name: value for fact in catalog.facts([view.id]) for name, value in fact.detail.items()}


def runs_behind(catalog: Catalog, view: NodeView) -> list[NodeView]:
    """Return the runs that generated a version, or the files with its content, oldest first."""
    closure = catalog.closure(view.id, up=True, depth=2)
    alike = {source for source, target, kind in closure.edges if target == view.id and kind in _LIKENESS} | {view.id}
    runs = {source for source, target, kind in closure.edges if kind == "generated" and target in alike}
    return sorted(catalog.views(runs).values(), key=lambda run: (run.time or "", run.id))


def makers(catalog: Catalog, view: NodeView) -> dict[str, str]:
    """Return everyone who had a hand in a model version, by the one spelling of their names, with what they did.

    Whoever registered the same bytes under another name had one, too.
    """
    found: dict[str, str] = {}
    for run in runs_behind(catalog, view):
        for fact in catalog.facts([run.id]):
            found.setdefault(person(fact.actor), f"ran {run.ref}, which made it")
    for fact in catalog.facts([view.id]):
        if fact.type == REGISTERED:
            found.setdefault(person(fact.actor), "registered it")
    alike = {} if view.digest is None else {each.id: each for each in catalog.with_digests([view.digest])[view.digest]}
    for fact in catalog.facts(alike):
        if fact.type == REGISTERED:
            found.setdefault(person(fact.actor), f"registered the same bytes as {alike[fact.node].ref}")
    return found


def registered_model(session: Session, text: str) -> NodeView:
    """Return the registered model version that `text` names, with its version said.

    Raises `BadRef` for a model without a version, `Refused` for any other kind and for what nobody registered.
    """
    catalog = session.catalog
    view = catalog.resolve(text)
    if view.kind != "model":
        raise Refused(
            f"{view.ref} is not a model: only registered model versions are approved and deployed",
            fix="Name a model version such as model:risk@1; `lineal ls model` lists them.",
        )
    if isinstance(ref.parse(text), ref.ArtifactRef):
        raise BadRef(f"{text} names no version, and a decision is about one", fix=f"Write {view.ref} if you mean it.")
    if view.version is None:
        raise Refused(f"{view.ref} is on record, but nobody registered it", fix="`lineal register` gives it a version.")
    return view
