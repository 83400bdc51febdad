"""DVC's configuration, as far as it says where bytes are: the cache and the remotes.

A remote's section may hold keys and passwords in clear. They serve to reach it, and are in nothing that is recorded or
printed: `Remote.describe` gives addresses alone.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lineal.core.redaction import clean, strip_url
from lineal.errors import BadInput

LARGEST: Final = 1 << 20
_SECTION: Final = re.compile(r"""\[\s*(?P<quote>['"]?)(?P<name>.*?)(?P=quote)\s*\]\s*(?:#.*)?""")
_REMOTE: Final = re.compile(r"""remote\s+["'](?P<name>.+)["']""")
_QUOTED: Final = re.compile(r"""(?P<quote>['"])(?P<value>.*?)(?P=quote)\s*(?:#.*)?""")
_URL: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.*)", re.DOTALL)
_PATHS: Final = ("url", "credentialpath", "configpath")
_MOST_HOPS: Final = 8

Sections = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Remote:
    """A place that has copies of the cache: name, address, and the options to reach it, which are never shown."""

    name: str
    url: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def scheme(self) -> str:
        """The kind of the place: ``s3``, ``https``, …; empty for a folder of this machine."""
        match = _URL.fullmatch(self.url)
        return match["scheme"].lower() if match else ""

    def describe(self) -> dict[str, Any]:
        """Return the addresses as a plain document, without credentials."""
        found = {"url": strip_url(self.url)[0]}
        found.update({key: strip_url(self.options[key])[0] for key in ("endpointurl", "region") if key in self.options})
        return found


@dataclass(frozen=True, slots=True)
class Config:
    """Where the bytes of one DVC project are: the folder of its cache, its remotes, the one that it uses."""

    cache: Path
    remotes: Mapping[str, Remote] = field(default_factory=dict)
    default: str | None = None

    def remote(self, name: str | None = None) -> Remote | None:
        """Return the remote of this name, or the one used without a name; None if there is none."""
        wanted = name.lower() if name is not None else self.default
        return self.remotes.get(wanted) if wanted is not None else None

    def expand(self, url: str) -> str | None:
        """Return an address without ``remote://NAME/…``; None if there is no such remote."""
        match = _URL.fullmatch(url)
        if match is None or match["scheme"].lower() != "remote":
            return url
        name, _, rest = match["rest"].partition("/")
        base = self.remotes.get(name.lower())
        return None if base is None else f"{base.url.rstrip('/')}/{rest}" if rest else base.url


def user_files(home: Path) -> tuple[Path, ...]:
    """Return where the system's and the user's own configuration lie, the weaker first."""
    config = os.environ.get("XDG_CONFIG_HOME") or str(home / ".config")
    system = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")[0]
    return Path(system, "dvc", "config"), Path(config, "dvc", "config")


def read_config(root: Path, committed: bytes | None, more: Iterable[tuple[Path, bool]] = ()) -> Config:
    """Return the configuration of the project in `root`: its ``.dvc/config``, and the files of `more`.

    `committed` stands for a ``.dvc/config`` that is not there. Each of `more` is a file, and whether it is stronger
    than the project's own. Raises `BadInput` for a file that cannot be read as one.
    """
    own = root / ".dvc" / "config"
    layers: list[tuple[Path, bytes | None]] = [(file, _read(file)) for file, is_stronger in more if not is_stronger]
    data = _read(own)
    layers.append((own, data if data is not None else committed))
    layers += [(file, _read(file)) for file, is_stronger in more if is_stronger]
    merged: dict[str, dict[str, str]] = {}
    for file, text in layers:
        for section, values in parse(text or b"", clean(str(file))).items():
            merged.setdefault(section, {}).update(_resolve(file.parent, section, values))
    return _config(root, merged)


def _read(file: Path) -> bytes | None:
    try:
        with open(file, "rb") as stream:
            data = stream.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadInput(f"cannot read {clean(str(file))!r}: {error.strerror}") from error
    if len(data) > LARGEST:
        raise BadInput(f"{clean(str(file))!r} is larger than {LARGEST >> 20} MiB")
    return data


def _resolve(folder: Path, section: str, values: Mapping[str, str]) -> dict[str, str]:
    """Return `values` with paths made absolute: they are relative to the folder of the file that says them."""
    found = dict(values)
    keys = ("dir",) if section == "cache" else _PATHS if _REMOTE.fullmatch(section) else ()
    for key in keys:
        if key in found and not _URL.match(found[key]):
            found[key] = os.path.abspath(os.path.join(folder, _expand(found[key])))
    return found


def _expand(path: str) -> str:
    try:
        return str(Path(path).expanduser())
    except RuntimeError:  # there is no such user
        return path


def _config(root: Path, merged: Sections) -> Config:
    said = {match["name"].lower(): values for name, values in merged.items() if (match := _REMOTE.fullmatch(name))}
    remotes: dict[str, Remote] = {}
    for name in said:
        options, hops = dict(said[name]), 0
        while (match := _URL.fullmatch(options.get("url", ""))) and match["scheme"].lower() == "remote":
            base, _, rest = match["rest"].partition("/")
            hops += 1
            above = said.get(base.lower())
            if above is None or "url" not in above or hops > _MOST_HOPS:
                options.pop("url")
                break
            options = {**above, **options, "url": f"{above['url'].rstrip('/')}/{rest}" if rest else above["url"]}
        if options.get("url"):
            remotes[name] = Remote(name, options["url"], options)
    default = merged.get("core", {}).get("remote")
    cache = merged.get("cache", {}).get("dir") or str(root / ".dvc" / "cache")
    return Config(Path(cache), remotes, default.lower() if default else None)


def parse(data: bytes, name: str) -> dict[str, dict[str, str]]:
    """Return the sections of an INI file as DVC writes it, keys in lower case; raise `BadInput` for other text."""
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadInput(f"{name} is not UTF-8") from error
    found: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        match = _SECTION.fullmatch(line)
        if match is not None:
            section = found.setdefault(match["name"].strip(), {})
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise BadInput(f"{name} has a line that is neither a section nor a setting: line {number}")
        section[key.strip().strip("\"'").lower()] = _value(value.strip())
    return found


def _value(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        return quoted["value"]
    return re.split(r"\s#", text, maxsplit=1)[0].strip()
