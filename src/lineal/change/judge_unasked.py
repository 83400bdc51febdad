"""What services do to their resources without any call: no trail can tell of it, the table of types does.

It counts only where the trail is whole and no event explains the field; everybody else's call is told by its event.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from lineal.change.kinds import Manager, kind_of, managers_of, split_path
from lineal.core.change import Edit, Path

_NAME: Final = "Name"


@lru_cache(maxsize=1024)
def acts_alone(kind: str) -> bool:
    """Return whether the service does anything to resources of a type without a call."""
    return any(each.unasked is not None for each in kind_of(kind).managers)


def find_unasked(kind: str, edit: Edit, after: Mapping[str, Any] | None) -> Manager | None:
    """Return what the table says of an edit that the service makes without a call, None where it makes none such.

    `after` is the configuration in which the change ended; what rests on that is not so where it is not at hand.
    """
    for each in managers_of(kind, edit.path):
        if each.unasked is not None and any(_is_so(each.unasked, path, edit, after) for path in each.paths):
            return each
    return None


def _is_so(said: Mapping[str, Any], pattern: Path, edit: Edit, after: Mapping[str, Any] | None) -> bool:
    keys = [have for have, want in zip(edit.path, pattern, strict=False) if want == "*"]
    if said.get("gone") and edit.op != "remove":
        return False
    if "values" in said and edit.new not in said["values"]:
        return False
    for path, values in said.get("when", {}).items():
        if _value(after, path, keys) not in values:
            return False
    bounds = [_value(after, path, keys) for path in said.get("within", ())]
    return not bounds or _lies(edit.new, *bounds)


def _lies(value: Any, least: Any, most: Any) -> bool:
    numbers = [each for each in (least, value, most) if isinstance(each, int) and not isinstance(each, bool)]
    return len(numbers) == 3 and numbers == sorted(numbers)


def _value(value: Any, dotted: str, keys: Iterable[str]) -> Any:
    """Return what stands at a path whose `*` are `keys`; None where there is nothing."""
    left = iter(keys)
    for name in split_path(dotted):
        key = next(left, "") if name == "*" else name
        if isinstance(value, list):  # the element that is called so: VariantName
            named = (each for each in value if isinstance(each, Mapping))
            value = next(
                (each for each in named if key in [held for n, held in each.items() if n.endswith(_NAME)]), None
            )
        else:
            value = value.get(key) if isinstance(value, Mapping) else None
    return value
