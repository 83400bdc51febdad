"""The history of a resource as changes: what each configuration item says that the one before it did not, and between
which moments that happened.

A change happened after `since` and by `until`. `until` is when the new state was seen; `since` is when the old one was
there for certain: when it was seen, or when a complete look passed that would have seen anything else. What a resource
says of itself (when it was made, when it was changed last) narrows nothing down: it is a claim.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lineal.change.difference import diff
from lineal.change.semantic import digest_of, strip
from lineal.core.change import Change, Edit
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look

CREATED, UPDATED, DELETED = "created", "updated", "deleted"
_FIRST: Final = "api"  # the words of the service itself
_ORDER: Final = (DELETED, CREATED, UPDATED)


def list_changes(items: Sequence[ConfigItem], looks: Sequence[Look]) -> list[Change]:
    """Return the changes that `items`, all of one resource, tell of, in the order in which they were seen.

    `looks` are those that may bear on it; others are passed over. Items are compared with items of their own shape.
    The first of a shape is no change, but where things began, unless a look says that there was nothing before. A
    resource that was deleted and made anew between two looks is two changes. Where two shapes tell of the same edits
    in windows that overlap, that is one change, in the narrower window.
    """
    shapes: dict[str, list[ConfigItem]] = {}
    for item in sorted(items, key=lambda each: each.time):
        shapes.setdefault(item.shape, []).append(item)
    found: list[Change] = []
    for shape in sorted(shapes, key=lambda each: (each != _FIRST, each)):
        held = shapes[shape]
        found = _join(found, list(_list_of_shape(held, _relevant(held, looks))))
    return sorted(found, key=lambda each: (each.until, _ORDER.index(each.kind), each.id))


@dataclass(frozen=True, slots=True)
class _Looks:
    """Complete looks at the type of a resource where it is, in the order of their end."""

    looks: tuple[Look, ...]

    def last_before(self, moment: str, *, gone: bool = False) -> Look | None:
        """Return the last look that had ended before `moment`.

        What is `gone` was found so by a look that may have ended when it was written down: the last one does not count
        then, unless another had begun by that moment and not ended.
        """
        ended = [each for each in self.looks if each.ended < moment]
        if gone and ended and not any(each.began <= moment <= each.ended for each in self.looks):
            ended.pop()
        return max(ended, key=lambda each: each.began, default=None)

    def during(self, moment: str) -> Look | None:
        """Return the first look that was under way at `moment`."""
        return min(
            (each for each in self.looks if each.began <= moment <= each.ended),
            key=lambda each: each.began,
            default=None,
        )


def _relevant(items: Sequence[ConfigItem], looks: Sequence[Look]) -> _Looks:
    of = items[0].resource
    sources = {each.source for each in items}
    return _Looks(
        tuple(
            sorted(
                (
                    each
                    for each in looks
                    if each.complete
                    and each.source in sources
                    and each.type in (of.type, "*")
                    and (each.account, each.region) == (of.account, of.region)
                ),
                key=lambda each: each.ended,
            )
        )
    )


def _list_of_shape(items: Sequence[ConfigItem], looks: _Looks) -> Iterable[Change]:
    last: ConfigItem | None = None  # the last that says what was there, or that it was gone
    for item in items:
        if item.status == "unrecorded":
            continue
        if item.status == "deleted":
            if last is not None and last.status == "ok":
                yield _make(DELETED, last, item, _since(last, looks, item.time, gone=True))
            last = item
        elif last is None:
            began = _began_empty(item, looks)
            if began is not None:
                yield _make(CREATED, None, item, began)
            last = item
        else:
            yield from _compare(last, item, looks)
            last = item


def _compare(last: ConfigItem, item: ConfigItem, looks: _Looks) -> Iterable[Change]:
    since = _since(last, looks, item.time)
    if last.status == "deleted":
        yield _make(CREATED, None, item, since)
    elif last.created is not None and item.created is not None and last.created != item.created:
        yield _make(DELETED, last, None, since, until=item.time)
        yield _make(CREATED, None, item, since)
    elif _semantic(last) != _semantic(item):
        edits = diff(strip(last), strip(item), item.resource.type)
        if edits:  # none, if only the table of types has changed between the two
            yield _make(UPDATED, last, item, since, edits=edits)


def _since(last: ConfigItem, looks: _Looks, moment: str, *, gone: bool = False) -> str:
    look = looks.last_before(moment, gone=gone)
    return last.time if look is None else max(last.time, look.began)


def _began_empty(item: ConfigItem, looks: _Looks) -> str | None:
    """Return the moment up to which nothing was there before the first item, None if nobody had looked."""
    before = looks.last_before(item.time)
    if before is not None:
        return before.began
    # It was made while the first look was under way.
    first = looks.during(item.time)
    return first.began if first is not None and item.created is not None and item.created > first.began else None


def _semantic(item: ConfigItem) -> str:
    return item.semantic or digest_of(item)


def _make(
    kind: str,
    before: ConfigItem | None,
    after: ConfigItem | None,
    since: str | None,
    *,
    until: str | None = None,
    edits: tuple[Edit, ...] = (),
) -> Change:
    item = after or before
    assert item is not None  # noqa: S101  # one of them is always there
    moment = until or item.time
    state = _semantic(after) if after is not None and after.status == "ok" else ""
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
        before=None if before is None else before.digest(),
        after=None if after is None else after.digest(),
        edits=edits,
    )


def _join(found: list[Change], others: list[Change]) -> list[Change]:
    """Return the changes of both, those that are told in other words once."""
    joined = list(found)
    for other in others:
        at = next((n for n, each in enumerate(joined) if n < len(found) and _is_told_by(each, other)), None)
        if at is None:
            joined.append(other)
        else:
            one = joined[at]
            bounds = [each.since for each in (one, other) if each.since is not None]
            joined[at] = replace(one, since=max(bounds, default=None), until=min(one.until, other.until))
    return joined


def _is_told_by(one: Change, other: Change) -> bool:
    if one.kind != other.kind or not _overlap(one, other):
        return False
    return sorted(map(_fold, one.edits)) == sorted(map(_fold, other.edits))


def _overlap(one: Change, other: Change) -> bool:
    return (one.since or "") < other.until and (other.since or "") < one.until


def _fold(edit: Edit) -> tuple[str, str, str]:
    """Return an edit so that the words of another record of it, which differ in capitals, give the same."""
    return edit.op, "\0".join(edit.path).casefold(), repr((edit.old, edit.new)).casefold()
