"""The fold of statements about configuration: items, API events, coverage, approvals, judgements, conclusions."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lineal.catalog import tables
from lineal.core import canonical
from lineal.core.api_event import RECORDED
from lineal.core.change import ALLOWED, JUDGED
from lineal.core.conclusion import CONCLUDED
from lineal.core.config_item import OBSERVED
from lineal.core.resource import check_keys
from lineal.errors import Malformed

COLLECTED: Final = "collection.finished/1"
Rows = dict[str, list[tuple[Any, ...]]]
Place = tuple[int, int]


def fold_configuration(rows: Rows, idx: int, kind: str, time: str, taken: str, data: Mapping[str, Any]) -> None:
    """Add to `rows`, by name of the table, what the `data` of entry `idx` say; raise `Malformed` for other data."""
    try:
        for name, fold_one in CONFIGURED[kind].items():
            for n, document in enumerate(data.get(name, ())):
                fold_one(rows, (idx, n), document, time, taken)
    except (KeyError, TypeError, AttributeError) as error:
        raise Malformed(f"the data of a {kind} are not those of one: {error}") from error


def _add(rows: Rows, table: Any, values: tuple[Any, ...]) -> None:
    rows.setdefault(table.name, []).append(values)


def _texts(document: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    found = tuple(document[name] for name in names)
    if any(type(each) is not str for each in found):
        raise Malformed(f"not text in one of the fields {', '.join(names)}")
    check_keys(*found)
    return found


def _spell(document: Mapping[str, Any]) -> str:
    return canonical.encode(document).decode()


def _item(rows: Rows, at: Place, document: Mapping[str, Any], _time: str, taken: str) -> None:
    named = _texts(document, "resource", "type", "account", "region", "name")
    when, status, source, shape = _texts(document, "time", "status", "source", "shape")
    semantic = document.get("semantic")
    values = (*at, *named, when, taken, status, source, shape, semantic, _spell(document))
    _add(rows, tables.config, values)


def _event(rows: Rows, at: Place, document: Mapping[str, Any], _time: str, taken: str) -> None:
    identity, when = _texts(document, "id", "time")
    told = _texts(document, "service", "name", "account", "region")
    flags = (bool(document.get("error")), bool(document.get("read_only")))
    principal, amends = str(document.get("principal", "")), str(document.get("amends", ""))
    check_keys(principal, amends)
    claimed = bool(document.get("claimed"))
    _add(rows, tables.api, (*at, identity, when, taken, *told, principal, *flags, amends, claimed, _spell(document)))
    for target in dict.fromkeys(document.get("targets", ())):
        check_keys(str(target))
        _add(rows, tables.api_target, (str(target), when, *at))


def _look(rows: Rows, at: Place, document: Mapping[str, Any], _time: str, taken: str) -> None:
    told = _texts(document, "source", "account", "region", "type", "began", "ended")
    _add(rows, tables.look, (*at, *told, bool(document["complete"]), taken))


def _span(rows: Rows, at: Place, document: Mapping[str, Any], _time: str, taken: str) -> None:
    told = _texts(document, "account", "region", "since", "until", "proof")
    _add(rows, tables.trail, (*at, *told, bool(document["missing"]), *_texts(document, "why"), taken))


def _approval(rows: Rows, at: Place, document: Mapping[str, Any], time: str, taken: str) -> None:
    told = _texts(document, "id", "not_before", "not_after")
    _add(rows, tables.approval, (*at, *told, time, taken, _spell(document)))


def _judgement(rows: Rows, at: Place, document: Mapping[str, Any], _time: str, taken: str) -> None:
    told = _texts(document, "about", "resource", "verdict", "until")
    _add(rows, tables.judgement, (*at, *told, taken, _spell(document)))


def _conclusion(rows: Rows, at: Place, document: Mapping[str, Any], time: str, taken: str) -> None:
    told = _texts(document, "rule", "resource", "state")
    _add(rows, tables.conclusion, (*at, *told, time, taken, _spell(document)))


_Fold = Callable[[Rows, Place, Mapping[str, Any], str, str], None]
CONFIGURED: Final[dict[str, dict[str, _Fold]]] = {
    OBSERVED: {"items": _item},
    RECORDED: {"events": _event},
    COLLECTED: {"looks": _look, "trail": _span},
    ALLOWED: {"approvals": _approval},
    JUDGED: {"judgements": _judgement},
    CONCLUDED: {"conclusions": _conclusion},
}
