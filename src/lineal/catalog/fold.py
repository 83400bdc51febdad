"""The pure fold: one entry of the ledger becomes rows of the catalog.

Rows depend on nothing but the entry itself, so the same events make the same rows in whatever order they came.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core import canonical, ref
from lineal.errors import IntegrityError, LinealError

_STATED: Final = ("idx", "time", "taken")


@dataclass(slots=True)
class Rows:
    """The rows that entries give, with nodes named by reference where the tables have a number."""

    refs: dict[str, None] = field(default_factory=dict)
    facts: list[dict[str, Any]] = field(default_factory=list)
    edges: list[dict[str, Any]] = field(default_factory=list)
    aliases: list[dict[str, Any]] = field(default_factory=list)
    members: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)


def fold(rows: Rows, idx: int, statement: dict[str, Any], taken: str, body: bytes | None) -> None:
    """Add to `rows` what entry `idx` says; `body` is None when it was erased: the statement alone is kept then.

    Raises `IntegrityError` for a body that no writer of ours could have made.
    """
    stated = {"idx": idx, "time": statement["time"], "taken": taken}
    document: dict[str, Any] = {}
    if body is not None:
        try:
            document = canonical.parse(body)  # type: ignore[assignment]
            if b"\\u0000" in body:
                document = _without_nul(document)
            _fold_body(rows, stated, statement, document)
        except (LinealError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise IntegrityError(f"the body of entry {idx} is not one that Lineal writes: {error!r}") from error
    rows.events.append(
        {
            **stated,
            "id": statement["id"],
            "type": statement["type"],
            "producer": statement["producer"],
            "seq": statement["seq"],
            "said": statement["said"],
            "basis": statement["basis"],
            "actor": document.get("actor"),
            "erased": body is None,
        }
    )


def _without_nul(value: Any) -> Any:
    """Return `value` with U+FFFD for every NUL in its texts: PostgreSQL keeps no NUL, and every catalog is the same."""
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    return value


def _fold_body(rows: Rows, stated: dict[str, Any], statement: dict[str, Any], document: dict[str, Any]) -> None:
    for item in document["nodes"]:
        named = item["ref"]
        rows.refs.setdefault(named)
        rows.facts.append(
            {
                **stated,
                "node": named,
                "type": statement["type"],
                "event": f"{statement['producer']}/{statement['id']}",
                "actor": document["actor"],
                "basis": item["basis"],
                "version": item.get("version"),
                "digest": item.get("digest"),
                "detail": canonical.encode(item.get("detail", {})).decode(),
            }
        )
        rows.aliases.extend({**stated, "alias": alias, "node": named} for alias in item.get("aliases", ()))
        rows.members.extend(
            {**stated, "digest": digest, "node": named, "path": path} for digest, path in item.get("members", ())
        )
    for source, target, kind in document["edges"]:
        rows.refs.setdefault(source)
        rows.refs.setdefault(target)
        rows.edges.append({**stated, "source": source, "target": target, "type": kind, "basis": statement["basis"]})
    rows.gaps.extend(
        {**stated, "n": n, "code": gap["code"], "explanation": gap["explanation"], "about": gap.get("about")}
        for n, gap in enumerate(document["gaps"])
    )


def describe_ref(text: str) -> dict[str, Any]:
    """Return kind, name and digest of the node with the canonical reference `text`."""
    named = ref.parse_node(text)
    if isinstance(named, ref.RunRef):
        return {"ref": text, "kind": "run", "name": named.id, "digest": None}
    digest = named.version if named.version.startswith("sha256:") else None
    return {"ref": text, "kind": named.kind, "name": named.name, "digest": digest}
