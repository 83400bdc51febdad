"""The numbers of a metrics file, as decimal text by dotted name."""

import json
import os
import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

from lineal.core import canonical
from lineal.core.redaction import clean
from lineal.errors import BadInput
from lineal.sources.dvc_text import DEEPEST, load_yaml

LARGEST: Final = 1 << 20
MOST: Final = 2000
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,400}")
_DECIMAL: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.?(?:inf|nan|Infinity|NaN)")


class _Number(str):
    """A number as it was written, told from text that looks like one."""

    __slots__ = ()


def read_numbers(data: bytes, path: bytes) -> dict[str, str]:
    """Return the numbers of the JSON, YAML or TOML file `path`; raise `BadInput` if it is none of these."""
    name = clean(path)
    ending = os.path.splitext(path)[1].lower()
    if len(data) > LARGEST:
        raise BadInput(f"{name} is larger than {LARGEST >> 20} MiB")
    try:
        if ending == b".json":
            value = json.loads(data.decode("utf-8-sig"), parse_float=_Number, parse_int=_Number, parse_constant=_Number)
        elif ending in (b".yaml", b".yml"):
            value = load_yaml(data, name)
        elif ending == b".toml":
            value = tomllib.loads(data.decode("utf-8-sig"), parse_float=_Number)
        else:
            raise BadInput(f"{name} is neither JSON, YAML nor TOML: its numbers are not read")
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{name} is not valid {ending[1:].decode().upper()}: {clean(str(error))[:200]}") from error
    found: dict[str, str] = {}
    for key, text in _walk(value, "", 0, any_text=ending in (b".yaml", b".yml")):
        found[key] = text
        if len(found) > MOST:
            raise BadInput(f"{name} has more than {MOST} numbers")
    return found


def _walk(value: Any, name: str, depth: int, *, any_text: bool) -> Iterator[tuple[str, str]]:
    if depth > DEEPEST:
        raise BadInput(f"{name} is nested deeper than {DEEPEST} levels")
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _walk(each, f"{name}.{clean(key)}" if name else clean(key), depth + 1, any_text=any_text)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _walk(each, f"{name}.{place}" if name else str(place), depth + 1, any_text=any_text)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield name, str(value)
    elif isinstance(value, _Number) or (any_text and isinstance(value, str)):
        if _INTEGER.fullmatch(value):
            yield name, str(int(value))
        elif _DECIMAL.fullmatch(value):
            yield name, canonical.decimal(float(value.replace(".inf", "inf").replace(".nan", "nan")))
