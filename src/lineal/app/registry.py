"""What the registry knows of a model version: who made it, who registered it, whether it is approved."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from lineal.app.session import Session
from lineal.catalog import project
from lineal.catalog.graph import NOW, Moment
from lineal.catalog.reader import Catalog, Fact, NodeView
from lineal.core import ref
from lineal.core.event import decode_entry
from lineal.core.event_type import APPROVED, REGISTERED, REJECTED
from lineal.errors import BadRef, InconsistentStore, Refused

_LIKENESS: Final = frozenset({"same_as", "derived_from"})
_ON_MODELS: Final = b'"type":"model.'
_MEND: Final = "Run `lineal verify`, then `lineal rebuild`."


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
    runs = {run.id: run for run, _ in generations(catalog, view)}
    return sorted(runs.values(), key=lambda run: (run.time or "", run.id))


def generations(catalog: Catalog, view: NodeView) -> list[tuple[NodeView, NodeView]]:
    """Return each run that generated a version, or files with its content, with the thing that it generated."""
    closure = catalog.closure(view.id, up=True, depth=2)
    alike = {source for source, target, kind in closure.edges if target == view.id and kind in _LIKENESS} | {view.id}
    pairs = {(source, target) for source, target, kind in closure.edges if kind == "generated" and target in alike}
    views = catalog.views({node for pair in pairs for node in pair})
    return [(views[run], views[made]) for run, made in sorted(pairs)]


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
    alike = _alike(catalog, view)
    for fact in catalog.facts(alike):
        if fact.type == REGISTERED:
            found.setdefault(person(fact.actor), f"registered the same bytes as {alike[fact.node].ref}")
    return found


def _alike(catalog: Catalog, view: NodeView) -> dict[int, NodeView]:
    """Return everything that has the content of `view`, itself too."""
    same = [] if view.digest is None else catalog.with_digests([view.digest]).get(view.digest, [])
    return {each.id: each for each in (view, *same)}


def hold_against_log(session: Session, model: NodeView, runs: Iterable[NodeView] = ()) -> str | None:
    """Return the type of the last decision on `model` in the log itself, once the catalog is seen to agree with it.

    The catalog is a copy that anybody who can write the file can change. Each entry that it names as speaking of this
    content, or of `runs`, must say the same, and it must know every registration of and decision on this content that
    the log has. A decision whose body was erased is still one. Raises `InconsistentStore` where they disagree, other
    `IntegrityError` branches for entries that do not hold.
    """
    reader = session.ledger.reader
    size = reader.size()  # before the catalog follows: what others say from now on is not yet in it
    catalog = session.catalog
    models = {node: view for node, view in _alike(catalog, model).items() if view.kind == "model"}
    known = {fact.idx for fact in catalog.facts([*models, *(run.id for run in runs)])}
    end = reader.size()
    for idx in sorted(known):
        if not 0 <= idx < end or not project.holds(session.catalog_database, reader.entry(idx)):
            raise InconsistentStore(f"the catalog has other things of entry {idx} than the log says", fix=_MEND)
    last: str | None = None
    for idx, kind, subject in _statements_on_models(session, size):
        if kind not in {REGISTERED, APPROVED, REJECTED} or not any(
            each.endswith(f"@{model.digest}") for each in subject
        ):
            continue
        if idx not in known and reader.entry(idx).body is not None:
            raise InconsistentStore(f"the catalog lacks entry {idx} ({kind}), which is about {model.ref}", fix=_MEND)
        if kind != REGISTERED and model.canonical in subject:
            last = kind
    return last


def _statements_on_models(session: Session, size: int) -> Iterator[tuple[int, str, list[str]]]:
    """Yield index, type and subject of each of the first `size` entries whose type is about models."""
    count = 0
    for idx, data in session.ledger.reader.bytes_between(0, size):
        count += 1
        if _ON_MODELS in data:
            statement, _ = decode_entry(data)
            yield idx, statement["type"], statement["subject"]
    if count != size:
        raise InconsistentStore(f"{size - count} entries of the log are missing from the database")


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
