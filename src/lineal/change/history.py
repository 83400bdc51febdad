"""The history of a resource as changes: what each configuration item says that the one before it did not, and between
which moments that happened.

A change happened after `since` and by `until`. `until` is when the new state was seen; `since` is when the old one was
there for certain: when it was seen, or when a complete look passed that would have seen anything else. What a resource
says of itself (when it was made, when it was changed last) is a claim: it never makes a window narrower, but it may
make it wider, where it says that a look saw too little.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lineal.change.difference import diff_frozen
from lineal.change.exact import Frozen
from lineal.change.kinds import kind_of
from lineal.change.semantic import digest_of, freeze
from lineal.core.change import Change, Edit
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look

CREATED, UPDATED, DELETED = "created", "updated", "deleted"

_OWN: Final = "api"  # the words of the service itself
_ORDER: Final = (DELETED, CREATED, UPDATED)


def list_changes(items: Sequence[ConfigItem], looks: Sequence[Look]) -> list[Change]:
    """Return the changes that `items`, all of one resource, tell of, in the order in which they were seen.

    `looks` are those that may bear on it; others are passed over. Items are compared with items of their own shape, of
    several at one moment the last counts. The first of a shape is no change, but where its history begins, unless a
    look says that nothing was there before. What was deleted and made anew between two looks is two changes. Edits of
    an ``updated`` change are those of `strip`; what came or went has none. Where two shapes tell of the same edits in
    windows that overlap, that is one change, in what both windows have in common.
    """
    shapes: dict[str, dict[str, ConfigItem]] = {}
    for item in sorted(items, key=lambda each: each.time):
        shapes.setdefault(item.shape, {})[item.time] = item
    found: list[Change] = []
    for shape in sorted(shapes, key=lambda each: (each != _OWN, each)):
        held = list(shapes[shape].values())
        frozen = Frozen(kind_of(held[0].resource.type))
        found = _join(found, _list_of_shape([_Seen(each, frozen) for each in held], _relevant(held, looks)))
    return sorted(found, key=lambda each: (each.until, _ORDER.index(each.kind), each.id))


class _Seen:
    """An item, and what follows from it, computed once: it is what came after one, and what was before the next."""

    __slots__ = ("_digest", "_document", "_frozen", "_semantic", "item", "time")

    def __init__(self, item: ConfigItem, frozen: Frozen) -> None:
        self.item = item
        self.time = item.time
        self._frozen = frozen
        self._digest = ""
        self._semantic = item.semantic or ""
        self._document: dict[str, Any] | None = None

    @property
    def digest(self) -> str:
        self._digest = self._digest or self.item.digest()
        return self._digest

    @property
    def semantic(self) -> str:
        self._semantic = self._semantic or digest_of(self.item)
        return self._semantic

    def edits_since(self, last: "_Seen") -> tuple[Edit, ...]:
        """Return how what counts in the item differs from what did in the `last` one."""
        return diff_frozen(last._freeze(), self._freeze(), self._frozen)

    def _freeze(self) -> dict[str, Any]:
        if self._document is None:
            self._document = freeze(self.item, self._frozen)
        return self._document


@dataclass(frozen=True, slots=True)
class _Looks:
    """Complete looks at the type of a resource where it is, by the sources of its items, in the order of `began`."""

    looks: tuple[Look, ...]
    began: tuple[str, ...]

    def last(self, before: str, claimed: str | None, blind: dict[str, str]) -> Look | None:
        """Return the last look that had ended before the moment `before`.

        It must have begun before the moment `claimed`, if there is one: what says that it was there, or was changed,
        by then, and was not seen so, was not seen rightly (it was under way, or the answer was old). Of a source that
        was `blind` from a moment on, later looks do not count.
        """
        for at in range(bisect_left(self.began, before) - 1, -1, -1):
            look = self.looks[at]
            if (
                look.ended < before
                and (claimed is None or look.began < claimed)
                and look.ended < blind.get(look.source, "~")
            ):
                return look
        return None

    def during(self, moment: str, source: str) -> Look | None:
        """Return the first look of `source` that was under way at `moment`."""
        return next((each for each in self.looks if each.source == source and each.began <= moment <= each.ended), None)

    def missed(self, item: ConfigItem) -> str:
        """Return the moment from which on the look that found what `item` says is gone may have seen it missing.

        That look was under way when the deletion was written down, or had ended by then and was the last. A record
        that no look made says the moment itself.
        """
        look = self.during(item.time, item.source)
        if look is None:
            mine = [each for each in self.looks if each.source == item.source and each.ended < item.time]
            look = mine[-1] if mine else None
        return item.time if look is None else look.began


def _relevant(items: Sequence[ConfigItem], looks: Sequence[Look]) -> _Looks:
    of = items[0].resource
    sources = {each.source for each in items}
    found = [
        each
        for each in looks
        if each.complete
        and each.source in sources
        and each.type in (of.type, "*")
        and each.account == of.account
        and each.region == of.region
    ]
    found.sort(key=lambda each: each.began)
    return _Looks(tuple(found), tuple(each.began for each in found))


def _list_of_shape(items: Sequence[_Seen], looks: _Looks) -> list[Change]:
    found: list[Change] = []
    there: _Seen | None = None  # the last that says what was there
    gone: _Seen | None = None  # since when it is gone, if it is
    blind: dict[str, str] = {}
    for seen in items:
        item = seen.item
        if item.status == "unrecorded":
            blind.setdefault(item.source, item.time)
            continue
        if item.status == "deleted":
            if gone is None:
                look = looks.last(looks.missed(item), None, blind)
                found.append(_make(DELETED, there, seen, None if there is None else _later(there.time, look)))
                gone = seen
        else:
            if there is not None and gone is not None and _was_there(there.item, item):
                found = [each for each in found if (each.kind, each.until) != (DELETED, gone.time)]
                gone = None
            if gone is not None:
                since = looks.missed(gone.item)
                look = looks.last(item.time, _after(item.created, since), blind)
                found.append(_make(CREATED, None, seen, _later(since, look)))
            elif there is not None:
                found += _compare(there, seen, looks, blind)
            elif (empty := _began_empty(item, looks)) is not None:
                found.append(_make(CREATED, None, seen, empty))
            there, gone = seen, None
        blind = {}
    return found


def _compare(last: _Seen, seen: _Seen, looks: _Looks, blind: dict[str, str]) -> Iterator[Change]:
    item = seen.item
    if last.item.created is not None and item.created is not None and last.item.created != item.created:
        since = _later(last.time, looks.last(item.time, _after(item.created, last.time), blind))
        yield _make(DELETED, last, None, since, until=item.time)
        yield _make(CREATED, None, seen, since)
    elif last.semantic != seen.semantic:
        edits = seen.edits_since(last)
        if edits:  # none, if only the table of types has changed between the two
            look = looks.last(item.time, _after(item.modified, last.time), blind)
            yield _make(UPDATED, last, seen, _later(last.time, look), edits=edits)


def _was_there(before: ConfigItem, item: ConfigItem) -> bool:
    """Return whether what was said to be gone is the very thing that was there before: it cannot have been gone."""
    return item.shape == _OWN and before.created is not None and before.created == item.created


def _after(claimed: str | None, moment: str) -> str | None:
    """Return what a resource says of itself if that is later than `moment`: else it does not speak of this change."""
    return claimed if claimed is not None and claimed > moment else None


def _later(moment: str, look: Look | None) -> str:
    return moment if look is None else max(moment, look.began)


def _began_empty(item: ConfigItem, looks: _Looks) -> str | None:
    """Return the moment at which nothing was there before the first item, None if nobody had looked."""
    before = looks.last(item.time, item.created, {})
    if before is not None:
        return before.began
    # It may have been made while the first look was under way.
    first = looks.during(item.time, item.source)
    return first.began if first is not None and item.created is not None and item.created > first.began else None


def _make(
    kind: str,
    before: _Seen | None,
    after: _Seen | None,
    since: str | None,
    *,
    until: str | None = None,
    edits: tuple[Edit, ...] = (),
) -> Change:
    seen = after or before
    assert seen is not None  # noqa: S101  # one of them is always there
    item = seen.item
    moment = until or item.time
    state = after.semantic if after is not None and after.item.status == "ok" else ""
    of = item.resource
    # What came before is no part of it: an item that is found later, between the two, leaves the change its name.
    words = "\n".join((of.key, item.shape, kind, state, moment))
    return Change(
        id=f"change-{hashlib.sha256(words.encode()).hexdigest()[:24]}",
        resource=of.key,
        type=of.type,
        account=of.account,
        region=of.region,
        kind=kind,
        since=since,
        until=moment,
        before=None if before is None else before.digest,
        after=None if after is None else after.digest,
        edits=edits,
    )


def _join(found: Sequence[Change], others: Iterable[Change]) -> list[Change]:
    """Return the changes of both shapes, those that both tell of once, under the name that `found` gives them."""
    joined = list(found)
    left = set(range(len(joined)))
    for other in others:
        at = next((n for n in sorted(left) if _is_told_by(joined[n], other)), None)
        if at is None:
            joined.append(other)
        else:
            left.remove(at)
            one = joined[at]
            since = max((each.since for each in (one, other) if each.since is not None), default=None)
            joined[at] = replace(one, since=since, until=min(one.until, other.until))
    return joined


def _is_told_by(one: Change, other: Change) -> bool:
    """Return whether two changes are one in other words: then what was before both, and after both, is the same."""
    if one.kind != other.kind or (one.since or "") >= other.until or (other.since or "") >= one.until:
        return False
    return sorted(map(_fold, one.edits)) == sorted(map(_fold, other.edits))


def _fold(edit: Edit) -> tuple[str, str, str]:
    """Return an edit so that another record of it, whose words differ in capitals alone, gives the same."""
    return edit.op, "\0".join(edit.path).casefold(), repr((edit.old, edit.new))
