"""Nested documents as one level of dotted names: ``model.layers.0.units``."""

import json
import tomllib
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final

import yaml

from lineal.core import canonical
from lineal.core.redaction import clean
from lineal.errors import BadInput

LARGEST: Final = 1 << 20
MOST: Final = 10_000
DEEPEST: Final = 32

Scalar = str | int | float | bool | date | datetime | time | None


def read_document(file: Path) -> object:
    """Return the value that a YAML, JSON or TOML `file` spells, by its name; nothing in it is executed.

    Raises `BadInput` for a file that is missing, unreadable, over `LARGEST` bytes, or not what its name says.
    """
    try:
        with open(file, "rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise BadInput(f"{clean(str(file))} cannot be read: {error.strerror or error}") from error
    if len(data) > LARGEST:
        raise BadInput(f"{clean(str(file))} is larger than {LARGEST} bytes")
    try:
        text = data.decode("utf-8-sig")
        match file.suffix.lower():
            case ".json":
                return json.loads(text)
            case ".toml":
                return tomllib.loads(text)
            case ".yaml" | ".yml":
                return _load_yaml(text)
            case other:
                raise BadInput(
                    f"{clean(str(file))} has the ending {other!r}",
                    fix="Give a file that ends in .yaml, .yml, .json or .toml.",
                )
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        first = " ".join(clean(str(error)).split())[:300] or type(error).__name__
        raise BadInput(f"{clean(str(file))} is not valid {file.suffix[1:].upper()}: {first}") from error


def _load_yaml(text: str) -> object:
    """Load YAML safely: its C loader recurses, so that nesting is measured first, on the flat stream of events."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST} levels")
    return yaml.load(text, Loader=loader)  # noqa: S506  # both loaders are safe ones


def flatten(value: object) -> Iterator[tuple[str, Scalar | list[Scalar]]]:
    """Yield each value of a nested document with its dotted name; a list of plain values is one value.

    Raises `BadInput` for nesting deeper than `DEEPEST` or more than `MOST` values: aliases in YAML can make a small
    file a very large document.
    """
    for count, pair in enumerate(_walk(value, "", 0)):
        if count >= MOST:
            raise BadInput(f"more than {MOST} values in one document")
        yield pair


def spell_scalar(value: Scalar) -> str:
    """Return a plain value as text: ``0.1``, ``true``, ``null``, ``2026-03-03``."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float):
        return canonical.decimal(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, int) and value.bit_length() > 4096:
        return hex(value)
    return clean(str(value))


def _walk(value: object, name: str, depth: int) -> Iterator[tuple[str, Scalar | list[Scalar]]]:
    if depth > DEEPEST:
        raise BadInput(f"nested deeper than {DEEPEST} levels")
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _walk(each, _below(name, key), depth + 1)
    elif isinstance(value, list | tuple | set) and not _is_plain(value):
        for place, each in enumerate(value):
            yield from _walk(each, _below(name, place), depth + 1)
    elif isinstance(value, list | tuple | set):
        if len(value) > MOST:
            raise BadInput(f"more than {MOST} values in one list")
        yield name, sorted(value, key=str) if isinstance(value, set) else list(value)
    elif isinstance(value, dict):
        yield name, "{}"
    elif isinstance(value, bytes):
        yield name, clean(value)
    else:
        yield name, _plain(value)


def _below(name: str, key: object) -> str:
    text = spell_scalar(_plain(key))
    return f"{name}.{text}" if name else text


def _plain(value: object) -> Scalar:
    if value is None or isinstance(value, str | int | float | date | datetime | time):
        return value
    return str(value)


def _is_plain(values: Any) -> bool:
    return not any(isinstance(each, dict | list | tuple | set) for each in values)
