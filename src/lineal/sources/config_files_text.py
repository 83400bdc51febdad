"""The text of configuration files as plain values: JSON, TOML, INI, properties and environment files.

What says a key twice is refused: which of the two holds depends on who reads it. Decimals stay the text that was
written. Sources: RFC 8259 (JSON), TOML 1.0, Python's configparser (INI), java.util.Properties, and the files that
Docker's ``--env-file`` and dotenv read.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from lineal.core.redaction import clean
from lineal.errors import BadInput
from lineal.sources.config_files_yaml import DEEPEST, read_yaml

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ENV: Final = re.compile(r"(?:export\s+)?(?P<name>[^\s=#'\"][^\s=]*)\s*=\s*(?P<value>.*)", re.DOTALL)
_KEY_END: Final = re.compile(r"(?<!\\)(?:\\\\)*[=:\s]")
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def decode(data: bytes) -> str:
    """Return the text of `data`: UTF-8, or what a byte order mark says; raise `BadInput` for anything else."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except ValueError as error:
        raise BadInput(f"not text in {encoding.upper().removesuffix('-SIG')}") from error
    if "\0" in text:
        raise BadInput("not text: it holds a NUL byte")
    return text


def read_document(kind: str, text: str) -> list[Any]:
    """Return the documents in `text`, of the `kind` in `KINDS`; raise `BadInput` with the line if it is none."""
    return _READERS[kind](text)


def read_json(text: str) -> list[Any]:
    """Return the one JSON document in `text`, as a list; raise `BadInput`."""
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise BadInput(f"line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not JSON: {clean(str(error))[:200]}") from error
    check_depth(found)
    return [found]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            break
        seen.add(name)
    raise BadInput(f"the key {clean(name)[:80]!r} stands twice in one object")


def _read_toml(text: str) -> list[Any]:
    import tomllib

    try:
        found = tomllib.loads(text, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not TOML: {clean(str(error))[:200]}") from error
    check_depth(found)
    return [found]


def _read_ini(text: str) -> list[Any]:
    import configparser

    # A section that nobody writes takes the place of the default one, so that DEFAULT is one like all.
    parser = configparser.RawConfigParser(default_section="\0", allow_no_value=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(text)
    except (configparser.Error, ValueError) as error:
        # Not in its own words: they hold the line, and that may be a secret.
        raise BadInput(f"line {_line_of(error)}: not an INI file ({type(error).__name__})") from error
    return [{section: dict(parser.items(section)) for section in parser.sections()}]


def _line_of(error: Exception) -> int:
    line = getattr(error, "lineno", None)
    several = getattr(error, "errors", None)
    return int(line or (several[0][0] if several else 1))


def _read_env(text: str) -> list[Any]:
    found: dict[str, str] = {}
    for number, line in _logical(text, comments="#"):
        match = _ENV.fullmatch(line)
        if match is None:
            raise BadInput(f"line {number}: not NAME=VALUE")
        value = match["value"].rstrip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        _set(found, match["name"], value, number)
    return [found]


def _read_properties(text: str) -> list[Any]:
    found: dict[str, str] = {}
    for number, line in _logical(text, comments="#!", joined=True):
        match = _KEY_END.search(line)
        key = line if match is None else line[: match.end() - 1]
        rest = "" if match is None else line[match.end() - 1 :].lstrip(" \t\f")
        if rest[:1] in ("=", ":"):
            rest = rest[1:].lstrip(" \t\f")
        _set(found, _unescape(key), _unescape(rest), number)
    return [found]


def _logical(text: str, *, comments: str, joined: bool = False) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, with their numbers; `joined`: a backslash at the end takes the next one."""
    first, held = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip(" \t\f") if not joined else line.lstrip(" \t\f")
        if not held and (not bare or bare[0] in comments):
            continue
        first = number if not held else first
        if joined and (len(bare) - len(bare.rstrip("\\"))) % 2:
            held += bare[:-1]
            continue
        yield first, held + bare
        held = ""
    if held:
        yield first, held


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        said = match[1]
        return chr(int(said[1:], 16)) if len(said) == 5 else _ESCAPES.get(said, said)

    return _ESCAPE.sub(one, text)


def _set(found: dict[str, str], name: str, value: str, number: int) -> None:
    if name in found:
        raise BadInput(f"line {number}: {clean(name)[:80]!r} stands there twice")
    found[name] = value


def check_depth(value: object) -> None:
    """Raise `BadInput` if `value` has more than `DEEPEST` levels of lists and tables."""
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting:
        held, depth = waiting.pop()
        if isinstance(held, dict | list):
            if depth >= DEEPEST:
                raise BadInput(f"nested deeper than {DEEPEST} levels")
            waiting += [(each, depth + 1) for each in (held.values() if isinstance(held, dict) else held)]


_READERS: Final[dict[str, Callable[[str], list[Any]]]] = {
    "yaml": read_yaml,
    "json": read_json,
    "toml": _read_toml,
    "ini": _read_ini,
    "env": _read_env,
    "properties": _read_properties,
}
KINDS: Final = tuple(_READERS)
"""What text can be read as."""
