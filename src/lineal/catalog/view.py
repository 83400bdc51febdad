"""What the catalog has of one thing: every statement about it, and the one view that they give together."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from lineal.catalog import tables
from lineal.catalog.graph import NOW, Moment
from lineal.ledger.database import chunks

TAGGED: Final = "tag.set/1"
_ADDED: Final = ("stored", "objects")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One artifact version, run or endpoint revision, as first recorded up to the moment asked about.

    `ref` is what people type; `canonical` names it for ever. `detail` is what the first statement says of it, with what
    later ones put into the store; of a run, what the latest says.
    """

    id: int
    ref: str
    canonical: str
    kind: str
    name: str
    version: str | None
    digest: str | None
    time: str | None
    taken: str | None
    actor: str | None
    basis: str | None
    type: str | None
    idx: int | None
    detail: dict[str, Any]

    @property
    def age(self) -> tuple[int, str, int]:
        """Where it stands among the versions of its artifact: by number, then by time."""
        number = int(self.version) if self.version is not None and self.version.isdecimal() else 0
        return number, self.time or "", self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What one entry says of one node."""

    node: int
    idx: int
    type: str
    time: str
    taken: str
    actor: str
    basis: str
    version: str | None
    digest: str | None
    detail: dict[str, Any]


def read_views(connection: sa.Connection, ids: Iterable[int], moment: Moment = NOW) -> dict[int, NodeView]:
    """Return the views of the nodes numbered `ids`, as recorded up to `moment`; in no particular order."""
    numbers = sorted(set(ids))
    facts: dict[int, list[Fact]] = {}
    for fact in read_facts(connection, numbers, moment):
        facts.setdefault(fact.node, []).append(fact)
    found: dict[int, NodeView] = {}
    for part in chunks(numbers):
        for row in connection.execute(sa.select(tables.node).where(tables.node.c.id.in_(part))):
            found[row.id] = _view(row, facts.get(row.id, []))
    return found


def _view(row: Any, facts: Sequence[Fact]) -> NodeView:
    fact = facts[0] if facts else None
    version = next((each.version for each in facts if each.version is not None), None)
    numbered = version is not None and version.isdecimal()
    return NodeView(
        id=row.id,
        ref=f"{row.kind}:{row.name}@{version}" if numbered else row.ref,
        canonical=row.ref,
        kind=row.kind,
        name=row.name,
        version=version,
        digest=row.digest or (fact.digest if fact else None),
        time=fact.time if fact else None,
        taken=fact.taken if fact else None,
        actor=fact.actor if fact else None,
        basis=fact.basis if fact else None,
        type=fact.type if fact else None,
        idx=fact.idx if fact else None,
        detail=_detail(row.kind, facts),
    )


def _detail(kind: str, facts: Sequence[Fact]) -> dict[str, Any]:
    found: dict[str, Any] = dict(facts[0].detail) if facts else {}
    for later in facts[1:]:
        if kind == "run":
            found.update(later.detail)
        else:
            found.update({key: later.detail[key] for key in _ADDED if key in later.detail and key not in found})
            if found.get("stored") == "manifest" and later.detail.get("stored") == "dataset":
                found["stored"] = "dataset"  # only the digests were kept at first, the bytes since
    return found


def read_facts(connection: sa.Connection, ids: Sequence[int], moment: Moment, *, tags: bool = False) -> list[Fact]:
    """Return what is said of the nodes numbered `ids` up to `moment`, oldest first.

    What tags them says nothing of how they came to be, nor who made them: it is left out, unless with `tags`.
    """
    fact = tables.fact.c
    found: list[tuple[str, str, Fact]] = []
    for part in chunks(ids):
        query = sa.select(tables.fact).where(fact.node.in_(part), fact.time <= moment.time, fact.taken <= moment.known)
        if not tags:
            query = query.where(fact.type != TAGGED)
        for row in connection.execute(query):
            values = row._asdict()
            event = values.pop("event")
            values["detail"] = json.loads(values["detail"])
            found.append((row.time, event, Fact(**values)))
    # The order of valid time, and of the producers' own names where times are equal: the same in whatever order the
    # entries came.
    found.sort(key=lambda item: item[:2])
    return [item[2] for item in found]
