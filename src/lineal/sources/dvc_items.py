"""What DVC speaks of: hashes, files of a folder, outputs and dependencies, stages."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True, slots=True)
class Oid:
    """A hash as DVC names content by: the MD5 of a file or, `is_dir`, of the list of a folder's files.

    `is_dos2unix` is how DVC hashed before 3.0: text with the line ends of Windows as if it had those of Unix.
    """

    md5: str
    is_dir: bool
    is_dos2unix: bool

    def __str__(self) -> str:
        return f"{self.md5}.dir" if self.is_dir else self.md5


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One file of a folder: path within it, and what is said to identify its content.

    `version` and `etag` are those of the object that the remote called `remote` keeps under the file's own name.
    """

    path: bytes
    md5: str | None = None
    size: int | None = None
    etag: str | None = None
    version: str | None = None
    remote: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Another repository that a file was imported from: address, what was asked for, the commit that this was."""

    url: str
    rev: str | None
    commit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An output or dependency: path as written, and what identifies the content it had.

    `files` are listed where a remote keeps versions, or the source of an import does; `listed` is that of a single
    file; `is_dos2unix` how their MD5s were made. `notes` are what people said of it: type, description, labels, meta.
    """

    path: str
    oid: Oid | None = None
    size: int | None = None
    count: int | None = None
    is_executable: bool = False
    is_dos2unix: bool = False
    listed: Listed | None = None
    files: tuple[Listed, ...] | None = None
    origin: Origin | None = None
    remote: str | None = None
    is_cached: bool = True
    is_metric: bool = False
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_foreign(self) -> bool:
        """Whether it lies outside: an address, or an absolute path."""
        return _URL.match(self.path) is not None or self.path.startswith("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A command that was run, with what went in and came out: the entry of a lock file, or a ``.dvc`` file.

    Without `commands` it is what ``dvc add`` and ``dvc import`` write. `wdir` is where its paths begin, None for the
    folder of the file; a lock file does not say it.
    """

    name: str
    commands: tuple[str, ...] = ()
    deps: tuple[Item, ...] = ()
    outs: tuple[Item, ...] = ()
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    wdir: str | None = None
    is_frozen: bool = False
    notes: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
