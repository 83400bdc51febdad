"""Configuration files of a folder: what lies there, read within limits; what could not be read is a gap.

Nothing outside of the folder is read: a link that leads out of it is recorded as the link that it is. Folders of tools
that keep no configuration of their own (``.git``) are left out.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lineal.core.observation import Gap
from lineal.core.path import spell

LARGEST: Final = 10 << 20
"""As many bytes of a file are read as a document; a larger one is a gap."""

LARGEST_STATE: Final = 64 << 20
"""The same for the state of Terraform, which holds a whole estate."""

LARGEST_HASHED: Final = 1 << 30
"""Files that are no documents are hashed up to this size."""

_NOT_WALKED: Final = frozenset(
    {b".git", b".hg", b".svn", b".lineal", b".terraform", b"__pycache__", b"node_modules", b".venv"}
)
_STEP: Final = 1 << 20
_DOCUMENTS: Final = {
    b".yaml": "yaml",
    b".yml": "yaml",
    b".json": "json",
    b".toml": "toml",
    b".ini": "ini",
    b".cfg": "ini",
    b".env": "env",
    b".properties": "properties",
    b".tfstate": "json",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """One file below a root: its `path` from there, `kind` of document (empty for none), and its `data` if it is one.

    Of a file that is no document `digest` and `size` are known; of a link that is not followed, its `target`.
    """

    path: bytes
    kind: str = ""
    data: bytes = b""
    digest: str = ""
    size: int = 0
    target: bytes | None = None

    @property
    def name(self) -> str:
        """The path as text on one line."""
        return spell(self.path)


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that is there, or may be, and was not read: nothing of it may be said to be gone.

    With `path` empty, that holds of everything below the root.
    """

    path: bytes
    gap: Gap


def kind_of_file(path: bytes) -> str:
    """Return what kind of document a file of this name is (``yaml``, ``json`` …); empty for any other file."""
    last = os.path.basename(path).lower()
    if last == b".env" or last.startswith(b".env."):
        return "env"
    return _DOCUMENTS.get(os.path.splitext(last)[1], "")


def read_root(root: Path) -> Iterator[FoundFile | Unread]:
    """Yield the files below the folder `root`, or the one file that it is; of each folder in the order of names."""
    base = os.fsencode(root)
    try:
        facts = os.stat(base)
    except OSError as error:
        yield Unread(b"", _gap(error, spell(base)))
        return
    if stat.S_ISDIR(facts.st_mode):
        yield from _walk(os.path.realpath(base))
    else:
        yield _read(os.path.realpath(base), os.path.basename(base))


def _walk(root: bytes) -> Iterator[FoundFile | Unread]:
    waiting = [(root, b"")]
    while waiting:
        folder, prefix = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield Unread(prefix, _gap(error, spell(prefix) or spell(root)))
            continue
        below = []
        for entry in entries:
            path = prefix + entry.name
            try:
                if entry.is_symlink():
                    yield _follow(root, entry.path, path)
                elif not entry.is_dir(follow_symlinks=False):
                    yield _read(entry.path, path)
                elif entry.name not in _NOT_WALKED:
                    below.append((entry.path, path + b"/"))
            except OSError as error:
                yield Unread(path, _gap(error, spell(path)))
        waiting += reversed(below)


def _follow(root: bytes, file: bytes, path: bytes) -> FoundFile | Unread:
    """Return the file that a link leads to, if that is one within the root; else the link itself."""
    target = os.readlink(file)
    real = os.path.realpath(file)
    inside = real.startswith(root.rstrip(b"/") + b"/")
    if inside and os.path.isfile(real) and not set(real[len(root) :].split(b"/")) & _NOT_WALKED:
        return _read(real, path)
    return FoundFile(path=path, target=target)


def _read(file: bytes, path: bytes) -> FoundFile | Unread:
    kind = kind_of_file(path)
    limit = LARGEST_HASHED if not kind else LARGEST_STATE if path.endswith(b".tfstate") else LARGEST
    name = spell(path)
    try:
        # Not blocking: a pipe in the place of a file would wait for ever.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        return Unread(path, _gap(error, name))
    with os.fdopen(descriptor, "rb") as stream:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return Unread(path, Gap("files.not_a_file", "a pipe, socket or device is not read", name))
        if before.st_size > limit:
            return Unread(path, Gap("files.too_large", f"the file has {before.st_size} bytes; {limit} are read", name))
        try:
            data = stream.read(limit + 1) if kind else b""
            digest, size = ("", len(data)) if kind else _hash(stream)
        except OSError as error:
            return Unread(path, _gap(error, name))
        after = os.fstat(descriptor)
    if size > limit or size != after.st_size or _times(before) != _times(after):
        return Unread(path, Gap("files.changed", "the file was written to while it was read", name))
    return FoundFile(path=path, kind=kind, data=data, digest=digest, size=size)


def _times(facts: os.stat_result) -> tuple[int, int, int]:
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size


def _hash(stream: object) -> tuple[str, int]:
    found, size = hashlib.sha256(), 0
    while chunk := stream.read(_STEP):  # type: ignore[attr-defined]
        found.update(chunk)
        size += len(chunk)
    return f"sha256:{found.hexdigest()}", size


def _gap(error: OSError, name: str) -> Gap:
    if isinstance(error, PermissionError):
        return Gap("files.denied", "this user may not read it", name)
    return Gap("files.unreadable", f"it cannot be read: {error.strerror or type(error).__name__}", name)
