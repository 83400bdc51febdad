"""What people wrote beside their data and stages in DVC, fit for the record: without secrets, and not without end."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lineal.core import canonical
from lineal.core.redaction import MARK, clean, is_secret_name, redact, redact_value
from lineal.errors import NotCanonical

LONGEST: Final = 4096
MOST: Final = 2000
_LARGEST_NOTES: Final = 64 << 10


def tell_notes(notes: Mapping[str, Any]) -> dict[str, Any]:
    """Return annotations (description, labels, meta) redacted; those that are too large by their size alone."""
    found: dict[str, Any] = {}
    for name, value in notes.items():
        try:
            told = _redact(name, value)
            size = len(canonical.encode({"notes": {"each": told}}))
        except (NotCanonical, RecursionError):
            size = _LARGEST_NOTES + 1
        found[clean(name)] = told if size <= _LARGEST_NOTES else "[too large to record]"
    return found


def _redact(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return redact_value(name, clean(value))[0]
    if isinstance(value, dict):
        return {clean(key): _redact(key, each) for key, each in value.items()}
    if isinstance(value, list):
        return [_redact(name, each) for each in value]
    return value


def tell_commands(commands: tuple[str, ...]) -> list[str]:
    """Return the lines that a stage runs as the arguments of the shell that runs them, redacted."""
    return ["sh", "-ec", "\n".join(redact(clean(line))[0] for line in commands)]


def tell_parameters(params: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return ``{dotted name: {"value": text or texts, "origin": file}}``, sorted, redacted, none without end."""
    found: dict[str, dict[str, Any]] = {}
    for file, values in params.items():
        for name, value in _flatten(values, ""):
            key = name if name not in found else f"{clean(file)}:{name}"
            found[key] = {"value": value, "origin": clean(file)}
            if len(found) >= MOST:
                break
    return {name: found[name] for name in sorted(found)}


def _flatten(value: Any, name: str) -> Iterator[tuple[str, str | list[str]]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _flatten(each, f"{name}.{clean(key)}" if name else clean(key))
    elif isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        for place, each in enumerate(value):
            yield from _flatten(each, f"{name}.{place}" if name else str(place))
    elif isinstance(value, list):
        yield name, [_spell(name, each) for each in value[:MOST]]
    else:
        yield name, _spell(name, value)


def _spell(name: str, value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "{}"
    return MARK if is_secret_name(name) and value else redact_value(name, clean(value))[0][:LONGEST]
