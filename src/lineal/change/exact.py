"""Equality as JSON has it: Python takes true for 1, and 1.0 for 1.

A document is frozen once: what Python takes for something else stands in it as an object that is equal to nothing else.
From then on any two of its parts are compared by one ``==``, however much is in them; what is told of it is thawed.
"""

from dataclasses import dataclass, field
from marshal import dumps
from typing import Any, Final

from lineal.change.kinds import Kind


@dataclass(slots=True)
class Named:
    """A list of objects, and its `members` by the values of their fields `by`; `free` says that their order is free."""

    elements: list[Any]
    by: tuple[str, ...]
    members: dict[str, Any]
    free: bool


@dataclass(slots=True)
class Frozen:
    """What is kept of documents of one `kind` that are frozen to be compared with each other.

    `names` are those of their lists whose members have names, by the `id` of the list; `parts` what was frozen, by what
    it was made of: what two documents have in common is one object. `holds` says that something may have to be thawed.
    """

    kind: Kind
    names: dict[int, Named] = field(default_factory=dict)
    parts: dict[tuple[int, bool, bytes], Any] = field(default_factory=dict)
    holds: bool = False


class Held:
    """A value that Python may take for one of another type: equal to the same value of the same type alone."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is Held and type(self.value) is type(other.value) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


TRUE: Final = Held(True)
FALSE: Final = Held(False)


def hold(value: Any) -> Held:
    """Return what stands for `value`, which is neither text nor a whole number nor null, in a frozen document."""
    return TRUE if value is True else FALSE if value is False else Held(value)


def freeze(value: Any) -> Any:
    """Return a document, or a part of one, frozen; `value` stays as it is, and may be part of what is returned."""
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    if kind is dict:
        return {name: freeze(each) for name, each in value.items()}
    return [freeze(each) for each in value] if kind is list else hold(value)


def thaw(value: Any) -> Any:
    """Return what `value`, a part of a frozen document, stands for."""
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    if kind is dict:
        return {name: thaw(each) for name, each in value.items()}
    if kind is list:
        return [thaw(each) for each in value]
    return value.value if kind is Held else value


def same(one: Any, other: Any) -> bool:
    """Return whether two documents are the same to the last value, as JSON has it."""
    if type(one) is not type(other) or one != other:
        return False
    return type(one) not in (dict, list) or are_alike([one], [other])


def are_alike(one: list[Any], other: list[Any]) -> bool:
    """Return whether two lists that Python takes for equal are the same to the last value."""
    return _write_alike(one, other) or _alike_lists(one, other)


def _write_alike(one: Any, other: Any) -> bool:
    """Return whether two documents that Python takes for equal are certainly the same.

    What marshal writes tells true from 1, many times faster than a walk does. It never says that documents are the
    same that are not; of the same it may say that they are not, by how many places refer to one text.
    """
    try:
        return dumps(one) == dumps(other)
    except ValueError:
        return False


def _alike_objects(one: dict[str, Any], other: dict[str, Any]) -> bool:
    for name, a in one.items():
        kind = type(a)
        if kind is str:
            continue
        b = other[name]
        if kind is dict:
            if not _alike_objects(a, b):
                return False
        elif kind is not type(b) or (kind is list and not _alike_lists(a, b)):
            return False
    return True


def _alike_lists(one: list[Any], other: list[Any]) -> bool:
    for a, b in zip(one, other, strict=True):
        kind = type(a)
        if kind is dict:
            if not _alike_objects(a, b):
                return False
        elif kind is not type(b) or (kind is list and not _alike_lists(a, b)):
            return False
    return True
