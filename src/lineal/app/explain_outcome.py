"""Outcomes as one process sends them to another: JSON, field by field, without names."""

import json
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from lineal.app.explain_work import Outcome
from lineal.core.change import Change, Edit, FieldJudgement, Judgement
from lineal.core.resource import Resource


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


_RESOURCE, _CHANGE, _EDIT = _names(Resource), _names(Change), _names(Edit)
_FIELD, _JUDGEMENT = _names(FieldJudgement), _names(Judgement)
_resource, _change, _edit = attrgetter(*_RESOURCE), attrgetter(*_CHANGE), attrgetter(*_EDIT)
_field, _judgement = attrgetter(*_FIELD), attrgetter(*_JUDGEMENT)
_EDITS, _FIELDS = _CHANGE.index("edits"), _JUDGEMENT.index("fields")
_LISTS = tuple(_JUDGEMENT.index(name) for name in ("events", "approvals", "principals", "notes"))


def spell(outcomes: Sequence[Outcome]) -> bytes:
    """Return outcomes as bytes."""
    return json.dumps([_pack(each) for each in outcomes], separators=(",", ":")).encode()


def read(sent: bytes) -> list[Outcome]:
    """Return the outcomes that `spell` gave."""
    return [_unpack(each) for each in json.loads(sent)]


def _pack(outcome: Outcome) -> list[Any]:
    return [
        _resource(outcome.resource),
        outcome.events,
        outcome.failed,
        [_pack_change(each) for each in outcome.changes],
        [_pack_judgement(each) for each in outcome.judgements],
        outcome.effective,
        {root: _pack_judgement(each) for root, each in outcome.idle.items()},
        sorted(outcome.used),
    ]


def _unpack(packed: list[Any]) -> Outcome:
    resource, events, failed, changes, judgements, effective, idle, used = packed
    return Outcome(
        Resource(*resource),
        events,
        failed,
        [_unpack_change(each) for each in changes],
        [_unpack_judgement(each) for each in judgements],
        effective,
        {root: _unpack_judgement(each) for root, each in idle.items()},
        set(used),
    )


def _pack_change(change: Change) -> list[Any]:
    found = list(_change(change))
    found[_EDITS] = [_edit(each) for each in change.edits]
    return found


def _unpack_change(packed: list[Any]) -> Change:
    packed[_EDITS] = tuple(Edit(op, tuple(path), *more) for op, path, *more in packed[_EDITS])
    return Change(**dict(zip(_CHANGE, packed, strict=True)))


def _pack_judgement(judgement: Judgement) -> list[Any]:
    found = list(_judgement(judgement))
    found[_FIELDS] = [_field(each) for each in judgement.fields]
    return found


def _unpack_judgement(packed: list[Any]) -> Judgement:
    for place in _LISTS:
        packed[place] = tuple(packed[place])
    packed[_FIELDS] = tuple(
        FieldJudgement(path=tuple(path), **dict(zip(_FIELD[1:], more, strict=True))) for path, *more in packed[_FIELDS]
    )
    return Judgement(**dict(zip(_JUDGEMENT, packed, strict=True)))
