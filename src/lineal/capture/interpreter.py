"""The Python interpreter that a command runs in, if it does, and what is installed in it."""

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lineal.core import path
from lineal.core.redaction import clean, strip_url
from lineal.program import Outcome

_PYTHON: Final = re.compile(rb"(?:python|pypy|graalpy)\d*(?:\.\d+)*[a-z]{0,2}")
_LONG_SHEBANG: Final = re.compile(rb"#!/bin/sh\n'''exec' \"?([^\"\n]+?)\"? \"\$0\"")
_SEPARATORS: Final = re.compile(r"[-_.]+")
# Variables that would make the probe talk, wait or write.
_NOISY: Final = frozenset({"PYTHONINSPECT", "PYTHONVERBOSE", "PYTHONPROFILEIMPORTTIME", "PYTHONDUMPREFS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python interpreter: its version, its build (``sys.version``), and the folders it imports from."""

    implementation: str
    version: str
    build: str
    executable: str
    prefix: str
    base_prefix: str
    path: tuple[str, ...]

    @property
    def prefixes(self) -> tuple[bytes, ...]:
        """The folders that belong to the interpreter rather than to the project."""
        return tuple(dict.fromkeys(os.fsencode(each) for each in (self.prefix, self.base_prefix) if each))

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document, paths spelled."""
        return {
            "implementation": self.implementation,
            "version": self.version,
            "build": clean(self.build),
            "executable": path.spell(os.fsencode(self.executable)),
            "prefix": path.spell(os.fsencode(self.prefix)),
            "base_prefix": path.spell(os.fsencode(self.base_prefix)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One installed distribution. `record` is the SHA-256 (hex) of its normalised RECORD, None where it has none.

    Two environments with equal `record` hold the same files of the package, whichever installer put them there.
    `direct_url` is what PEP 610 says of one that came from no index, credentials cut out.
    """

    name: str
    version: str
    record: str | None = None
    direct_url: Mapping[str, Any] | None = None

    @property
    def is_editable(self) -> bool:
        """Whether the package is a link to a working tree, so that `record` says nothing of its code."""
        info = (self.direct_url or {}).get("dir_info")
        return isinstance(info, dict) and info.get("editable") is True

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document."""
        found: dict[str, Any] = {"name": self.name, "version": self.version}
        if self.record is not None:
            found["record"] = f"sha256:{self.record}"
        if self.direct_url is not None:
            found["direct_url"] = dict(self.direct_url)
        return found

    def identity(self) -> dict[str, Any]:
        """Return what makes it this package and no other, on any host."""
        found: dict[str, Any] = {"name": self.name, "version": self.version}
        if self.record is not None:
            found["record"] = f"sha256:{self.record}"
        vcs = (self.direct_url or {}).get("vcs_info")
        if isinstance(vcs, dict) and "commit_id" in vcs:
            found["commit"] = str(vcs["commit_id"])
        return found


def find_interpreter(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], executed: Iterable[bytes] = ()
) -> str | None:
    """Return the Python that the command `argv` runs in, or None if it is not known to be a Python program.

    That is ``argv[0]`` when it is a Python, the interpreter of its ``#!`` line when it is a script for one, else the
    first Python among the files `executed` by the run (``uv run``, a shell script).
    """
    program = _locate(argv[0], cwd, env) if argv else None
    if program is not None:
        if _PYTHON.fullmatch(os.path.basename(os.fsencode(program))):
            return program
        named = _read_shebang(program)
        if named is not None:
            found = _locate(named, cwd, env)
            if found is not None and _PYTHON.fullmatch(os.path.basename(os.fsencode(found))):
                return found
    for each in executed:
        if _PYTHON.fullmatch(os.path.basename(each)) and os.access(each, os.X_OK):
            return os.fsdecode(each)
    return None


def probe_command(interpreter: str) -> list[str]:
    """Return the command that makes `interpreter` describe itself; read its answer by `read_probe`."""
    return [interpreter, "-c", Path(__file__).with_name("_probe.py").read_text("utf-8")]


def probe_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for the probe: those of the run, so that it sees what the run sees, and writes nothing."""
    kept = {key: value for key, value in env.items() if key not in _NOISY}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}


def read_probe(outcome: Outcome) -> tuple[Interpreter, tuple[Package, ...], tuple[str, ...]] | None:
    """Return the interpreter, its packages and its conda packages; None when the answer is none."""
    lines = outcome.stdout.strip().splitlines()
    try:
        # The last line: what the user's own start-up files print comes before.
        said = json.loads(lines[-1]) if outcome.ok and lines else None
        if said is None:
            return None
        interpreter = Interpreter(
            implementation=said["implementation"],
            version=said["version"],
            build=said["build"],
            executable=said["executable"],
            prefix=said["prefix"],
            base_prefix=said["base_prefix"],
            path=tuple(said["path"]),
        )
        packages = tuple(_read_package(each) for each in said["packages"])
        return interpreter, packages, tuple(clean(each) for each in said["conda"])
    except (ValueError, KeyError, TypeError):
        return None


def normal_name(name: str) -> str:
    """Return the name of a package as PEP 503 compares it."""
    return _SEPARATORS.sub("-", clean(name)).lower()


def _read_package(said: Mapping[str, Any]) -> Package:
    return Package(
        name=normal_name(said["name"]),
        version=clean(said["version"]),
        record=said["record"],
        direct_url=_read_direct_url(said.get("direct_url")),
    )


def _read_direct_url(said: object) -> dict[str, Any] | None:
    """Keep the fields of PEP 610 that are text or flags, addresses without credentials."""
    if not isinstance(said, dict) or not isinstance(said.get("url"), str):
        return None
    found: dict[str, Any] = {"url": strip_url(said["url"])[0]}
    for part in ("vcs_info", "archive_info", "dir_info"):
        info = said.get(part)
        if isinstance(info, dict):
            found[part] = {
                clean(str(key)): clean(value) if isinstance(value, str) else value
                for key, value in info.items()
                if isinstance(value, str | bool)
            }
            hashes = info.get("hashes")
            if isinstance(hashes, dict):
                found[part]["hashes"] = {clean(str(key)): clean(str(value)) for key, value in hashes.items()}
    if isinstance(said.get("subdirectory"), str):
        found["subdirectory"] = clean(said["subdirectory"])
    return found


def _locate(program: str, cwd: Path, env: Mapping[str, str]) -> str | None:
    if "/" in program:
        found = os.path.join(cwd, program)
        return found if os.access(found, os.X_OK) else None
    return shutil.which(program, path=env.get("PATH", os.defpath))


def _read_shebang(program: str) -> str | None:
    """Return the program that the kernel, or ``env``, would run the script with."""
    try:
        with open(program, "rb") as file:
            head = file.read(4096)
    except OSError:
        return None
    long = _LONG_SHEBANG.match(head)
    if long is not None:
        return os.fsdecode(long[1])
    if not head.startswith(b"#!"):
        return None
    words = head[2:].partition(b"\n")[0].split()
    if words and os.path.basename(words[0]) == b"env":
        words = [word for word in words[1:] if not word.startswith(b"-") and b"=" not in word]
    return os.fsdecode(words[0]) if words else None
