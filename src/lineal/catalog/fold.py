"""The pure fold: one entry of the ledger becomes rows of the catalog.

Rows depend on nothing but the entry itself, so the same events make the same rows in whatever order they came.
"""

from dataclasses import dataclass, field
from typing import Any

from lineal.catalog.fold_configuration import CONFIGURED, fold_configuration
from lineal.core import canonical, ref
from lineal.errors import IntegrityError, LinealError, Malformed

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
    configuration: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)


def fold(rows: Rows, idx: int, statement: dict[str, Any], taken: str, body: bytes | None) -> None:
    """Add to `rows` what entry `idx` says; `body` is None when it was erased: the statement alone is kept then.

    Raises `IntegrityError` for a body that no writer of ours could have made.
    """
    actor = None
    if body is not None:
        try:
            # Escapes are rare in what Lineal writes, and hide what no column can hold: NUL and lone surrogates.
            document = _without_nul(canonical.decode(body)) if b"\\u" in body else canonical.parse(body)
            actor = _fold_body(rows, idx, statement, taken, _object(document))
        except LinealError as error:
            raise IntegrityError(f"the body of entry {idx} is not one that Lineal writes: {error.message}") from error
    said = statement
    told = (said["id"], said["type"], said["producer"], said["seq"], said["time"], said["said"], taken, said["basis"])
    rows.events[(idx,)] = (*told, actor, body is None)


def _without_nul(value: Any) -> Any:
    """Return `value` with U+FFFD for every NUL in its texts: PostgreSQL keeps no NUL, and every catalog is the same."""
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    return value


def _fold_body(rows: Rows, idx: int, statement: dict[str, Any], taken: str, document: dict[str, Any]) -> str:
    """Add the rows of an entry's body and return its actor; raise `LinealError` branches for any other document."""
    time, basis, actor = statement["time"], statement["basis"], _text(document.get("actor"))
    when = (time, taken)
    told = (statement["type"], time, taken, f"{statement['producer']}/{statement['id']}", actor)
    for item in map(_object, _list(document.get("nodes"))):
        named = _name(rows, _text(item.get("ref")))
        detail = canonical.encode(item["detail"]).decode() if "detail" in item else "{}"
        version, digest = _text_or_none(item.get("version")), _text_or_none(item.get("digest"))
        stated = (*told, _text(item.get("basis")), version, digest, detail)
        rows.facts.setdefault((named, idx), stated)  # of what an entry says twice, the first holds
        for alias in filter(_can_be_key, map(_text, _list(item.get("aliases", [])))):
            rows.aliases[alias, named, idx] = when
        for member in _list(item.get("members", [])):
            digest, path = _texts(member, 2)
            if _can_be_key(path):
                rows.members[digest, named, path, idx] = when
    for edge in _list(document.get("edges")):
        source, target, kind = _texts(edge, 3)
        rows.edges[_name(rows, source), _name(rows, target), kind, idx] = (*when, basis)
    for n, gap in enumerate(map(_object, _list(document.get("gaps")))):
        about = _text_or_none(gap.get("about"))
        rows.gaps[idx, n] = (_text(gap.get("code")), _text(gap.get("explanation")), about, *when)
    if statement["type"] in CONFIGURED:
        fold_configuration(rows.configuration, idx, statement["type"], time, taken, _object(document.get("data", {})))
    return actor


def _can_be_key(text: str) -> bool:
    """Return whether every database can index `text`: a key of PostgreSQL has at most some 2,700 bytes."""
    return len(text) * 4 <= ref.MAX_NODE or len(text.encode()) <= ref.MAX_NODE


def _text(value: object) -> str:
    if type(value) is not str:
        raise Malformed(f"not text: {value!r}")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _texts(value: object, count: int) -> list[str]:
    found = [_text(item) for item in _list(value)]
    if len(found) != count:
        raise Malformed(f"not {count} texts: {value!r}")
    return found


def _list(value: object) -> list[Any]:
    if type(value) is not list:
        raise Malformed(f"not a list: {value!r}")
    return value


def _object(value: object) -> dict[str, Any]:
    if type(value) is not dict:
        raise Malformed(f"not an object: {value!r}")
    return value


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
