"""Reading ``watch.yaml``: strict, so that a misspelled word is an error and not a source that nobody watches."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lineal.app.watch_plan import EVERY, NEEDED, OPTIONS, SETTLE, Plan, WatchedSource, check_names
from lineal.change.rule_yaml import read_yaml
from lineal.core.timestamp import read_length
from lineal.errors import BadInput, TooLarge

_MOST_BYTES: Final = 1 << 20
_TOP: Final = ("every", "settle", "rules", "notify", "sources")
_OWN: Final = ("source", "name", "every")
_MOST_SHOWN: Final = 100


def read_config(file: Path) -> Plan:
    """Return the plan that a file describes; raise `BadInput` for what it cannot say, `TooLarge` over 1 MiB.

    Paths in it are as they would be on the command line: from the present folder.
    """
    document = _load(file)
    where = str(file)
    _known(document, _TOP, where)
    every = read_length(document["every"], f"{where}: every") if "every" in document else EVERY
    settle = read_length(document["settle"], f"{where}: settle") if "settle" in document else SETTLE
    sources = document.get("sources")
    if not isinstance(sources, list) or not sources:
        raise BadInput(f"{where} names no sources", fix="Write sources: and a list of `- source: files` and the like.")
    found = [_source(each, every, f"{where}: source {number}") for number, each in enumerate(sources, 1)]
    return Plan(
        sources=check_names(_number(found)),
        rules=tuple(_texts(document.get("rules", []), f"{where}: rules")),
        notify=tuple(_texts(document.get("notify", []), f"{where}: notify", secret=True)),
        settle=settle,
    )


def _load(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(f"cannot read {file}: {error.strerror}") from error
    if len(raw) > _MOST_BYTES:
        raise TooLarge(f"{file} is over 1 MiB", fix="It says what to watch, not what is seen.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: not UTF-8 text: {error.reason}") from error
    document = read_yaml(text, str(file)).value
    if not isinstance(document, dict):
        raise BadInput(f"{file} is not a list of settings", fix="Write sources: and what to watch.")
    return document


def _source(said: object, every: int, where: str) -> WatchedSource:
    if not isinstance(said, dict) or not isinstance(said.get("source"), str):
        raise BadInput(f"{where} does not say which source it is", fix=f"Write source: {' | '.join(OPTIONS)}.")
    kind = said["source"]
    if kind not in OPTIONS:
        raise BadInput(f"{where}: no such source: {kind!r}", fix=f"One of {', '.join(OPTIONS)}.")
    _known(said, (*_OWN, *OPTIONS[kind]), f"{where} ({kind})")
    options = {
        name: _option(said[name], of, f"{where} ({kind}): {name}") for name, of in OPTIONS[kind].items() if name in said
    }
    if kind in NEEDED and not options.get(NEEDED[kind]):
        raise BadInput(f"{where} ({kind}) lacks {NEEDED[kind]}")
    if kind == "cloudtrail" and bool(options.get("place")) == bool(options.get("lookup")):
        raise BadInput(f"{where} (cloudtrail) needs one of place and lookup", fix="place: s3://…, or lookup: true.")
    name = said.get("name", kind)
    if not isinstance(name, str) or not name or not name.isprintable():
        raise BadInput(f"{where} ({kind}): not a name: {name!r}")
    own = read_length(said["every"], f"{where} ({kind}): every") if "every" in said else every
    return WatchedSource(kind=kind, name=name, options=options, every=own)


def _option(value: object, of: type, where: str) -> Any:
    if of is list:
        found = _texts(value, where)
        if not found:
            raise BadInput(f"{where} is empty")
        return found
    if type(value) is not of or value == "":
        raise BadInput(f"{where} is not {'true or false' if of is bool else 'text'}: {str(value)[:_MOST_SHOWN]!r}")
    return value


def _texts(value: object, where: str, *, secret: bool = False) -> list[str]:
    """Return a text, or a list of texts, as a list; what may hold a password is not shown."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
        shown = "" if secret else f": {str(value)[:_MOST_SHOWN]!r}"
        raise BadInput(f"{where} is not a list of texts{shown}", fix="Put numbers and the like into quotes.")
    return found


def _known(said: Mapping[Any, Any], names: tuple[str, ...], where: str) -> None:
    for name in said:
        if name not in names:
            raise BadInput(f"{where}: no such setting: {str(name)[:_MOST_SHOWN]!r}", fix=f"One of {', '.join(names)}.")


def _number(sources: list[WatchedSource]) -> tuple[WatchedSource, ...]:
    """Return the sources with a number after the name of those that nobody named apart."""
    found: list[WatchedSource] = []
    for source in sources:
        like = sum(each.kind == source.kind and each.name == source.name == each.kind for each in sources)
        place = sum(each.kind == source.kind and each.name.startswith(source.kind) for each in found) + 1
        found.append(replace(source, name=f"{source.name}-{place}") if like > 1 else source)
    return tuple(found)
