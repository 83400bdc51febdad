"""What differs between two things, as values: named changes in sections, and the steps that led to each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, Final

from lineal.core import canonical

SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One name that differs: its text on either side, None where it is not there; `delta` for numbers, new - old."""

    name: str
    old: str | None
    new: str | None
    delta: str | None = None

    @property
    def kind(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        return "added" if self.old is None else "removed" if self.new is None else "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The changes of one kind, how many there are (`changes` may hold the first only), and how much is the same.

    `note` says why a comparison could not be made, or not to the end.
    """

    name: str
    changes: tuple[Change, ...]
    added: int
    removed: int
    changed: int
    same: int | None
    note: str | None = None

    @property
    def differs(self) -> bool:
        """Whether anything differs."""
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two things, or a step that led to each (`a` or `b` is None where the other has no such step)."""

    name: str
    a: str | None
    b: str | None
    sections: tuple[Section, ...]
    steps: tuple["Comparison", ...] = ()

    @property
    def differs(self) -> bool:
        """Whether anything differs, here or in a step."""
        own = (self.a is None) != (self.b is None) or any(section.differs for section in self.sections)
        return own or any(step.differs for step in self.steps)


def compare(name: str, old: Mapping[str, Any], new: Mapping[str, Any], *, numbers: bool = False) -> Section:
    """Return the section of the names in `old` and `new` whose values differ; with `numbers`, by how much."""
    changes = [
        Change(
            name=key,
            old=_text(old[key]) if key in old else None,
            new=_text(new[key]) if key in new else None,
            delta=_delta(old[key], new[key]) if numbers and key in old and key in new else None,
        )
        for key in sorted({*old, *new})
        if key not in old or key not in new or old[key] != new[key]
    ]
    same = len({*old, *new}) - len(changes)
    return gather(name, changes, same=same, limit=None)


def gather(name: str, changes: Iterable[Change], *, same: int | None, limit: int | None = SHOWN) -> Section:
    """Return the section of all `changes`, of which it counts every one and holds the first `limit`."""
    shown: list[Change] = []
    count = {"added": 0, "removed": 0, "changed": 0}
    for change in changes:
        count[change.kind] += 1
        if limit is None or len(shown) < limit:
            shown.append(change)
    return Section(
        name=name,
        changes=tuple(shown),
        added=count["added"],
        removed=count["removed"],
        changed=count["changed"],
        same=same,
    )


def untold(name: str, why: str) -> Section:
    """Return the section of what could not be compared."""
    return Section(name=name, changes=(), added=0, removed=0, changed=0, same=None, note=why)


def flatten(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of a document by dotted name; lists are leaves."""
    found: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            found.update(flatten(value, f"{prefix}{name}."))
        elif value is not None:
            found[f"{prefix}{name}"] = value
    return found


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    return value if isinstance(value, str) else canonical.encode(value).decode()


def _delta(old: Any, new: Any) -> str | None:
    """Return new - old of two decimal texts with its sign; None if they are not finite numbers."""
    try:
        with localcontext(prec=60):
            found = Decimal(str(new)) - Decimal(str(old))
    except ArithmeticError:  # not numbers at all, or too far apart
        return None
    if not found.is_finite() or abs(found.adjusted()) > 40:
        return None
    return f"{found:+f}"
