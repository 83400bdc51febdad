"""The pure fold: one entry of the ledger becomes rows of the catalog.

Rows depend on nothing but the entry itself, so the same events make the same rows in whatever order they came.
"""

from dataclasses import dataclass, field
from typing import Any

from lineal.core import canonical, ref
from lineal.errors import IntegrityError, LinealError

Table = dict[tuple[Any, ...], tuple[Any, ...]]
"""Rows of one table in the order of its columns: the primary key, and the rest."""


@dataclass(slots=True)
class Rows:
    """The rows that entries give, with nodes named by reference where the tables have a number."""

    refs: dict[str, None] = field(default_factory=dict)
    facts: Table = field(default_factory=dict)
    edges: Table = field(default_factory=dict)
    aliases: Table = field(default_factory=dict)
    members: Table = field(default_factory=dict)
    gaps: Table = field(default_factory=dict)
    events: Table = field(default_factory=dict)


def fold(rows: Rows, idx: int, statement: dict[str, Any], taken: str, body: bytes | None) -> None:
    """Add to `rows` what entry `idx` says; `body` is None when it was erased: the statement alone is kept then.

    Raises `IntegrityError` for a body that no writer of ours could have made.
    """
    document: dict[str, Any] = {}
    if body is not None:
        try:
            document = canonical.parse(body)  # type: ignore[assignment]
            if b"\\u0000" in body:
                document = _without_nul(document)
            _fold_body(rows, idx, statement, taken, document)
        except (LinealError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise IntegrityError(f"the body of entry {idx} is not one that Lineal writes: {error!r}") from error
    said = statement
    told = (said["id"], said["type"], said["producer"], said["seq"], said["time"], said["said"], taken, said["basis"])
    rows.events[(idx,)] = (*told, document.get("actor"), body is None)


def _without_nul(value: Any) -> Any:
    """Return `value` with U+FFFD for every NUL in its texts: PostgreSQL keeps no NUL, and every catalog is the same."""
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    return value


def _fold_body(rows: Rows, idx: int, statement: dict[str, Any], taken: str, document: dict[str, Any]) -> None:
    time, basis, actor = statement["time"], statement["basis"], _text(document["actor"])
    when = (time, taken)
    told = (statement["type"], time, taken, f"{statement['producer']}/{statement['id']}", actor)
    for item in document["nodes"]:
        named = _name(rows, item["ref"])
        detail = canonical.encode(item["detail"]).decode() if "detail" in item else "{}"
        version, digest = _text_or_none(item.get("version")), _text_or_none(item.get("digest"))
        stated = (*told, _text(item["basis"]), version, digest, detail)
        rows.facts.setdefault((named, idx), stated)  # of what an entry says twice, the first holds
        for alias in filter(_can_be_key, item.get("aliases", ())):
            rows.aliases[alias, named, idx] = when
        for digest, path in item.get("members", ()):
            if _can_be_key(path):
                rows.members[_text(digest), named, path, idx] = when
    for source, target, kind in document["edges"]:
        rows.edges[_name(rows, source), _name(rows, target), _text(kind), idx] = (*when, basis)
    for n, gap in enumerate(document["gaps"]):
        about = _text_or_none(gap.get("about"))
        rows.gaps[idx, n] = (_text(gap["code"]), _text(gap["explanation"]), about, *when)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"not text: {value!r}")
    return value


def _can_be_key(value: Any) -> bool:
    """Return whether every database can index `value`: a key of PostgreSQL has at most some 2,700 bytes."""
    return len(_text(value)) * 4 <= ref.MAX_NODE or len(value.encode()) <= ref.MAX_NODE


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _name(rows: Rows, text: str) -> str:
    if text not in rows.refs:
        ref.parse_node(text)
        rows.refs[text] = None
    return text


def describe_ref(text: str) -> tuple[str, str, str, str | None]:
    """Return reference, kind, name and digest of the node with the canonical reference `text`."""
    named = ref.parse_node(text)
    if isinstance(named, ref.RunRef):
        return text, "run", named.id, None
    return text, named.kind, named.name, named.version if named.version.startswith("sha256:") else None
