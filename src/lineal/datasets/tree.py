"""Moving through a folder tree by open folders: no path is ever followed twice, no link is followed at all."""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lineal.errors import BadInput, ObjectChanged
from lineal.objects.copying import Signature, settled, signature

LEFT_OUT: Final = frozenset({b".lineal", b".git"})
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW


class Cursor:
    """An open folder somewhere below an open root.

    It holds one descriptor however deep it stands, so that neither the length of a path nor the number of open
    files limits the depth. Going up, it checks that the folder above is the one it came from.
    """

    def __init__(self, root: int) -> None:
        """Take over the descriptor `root`: `close` closes it."""
        self.descriptor = root
        self._trail: list[tuple[bytes, int, int]] = []

    @property
    def names(self) -> tuple[bytes, ...]:
        """The names of the folders from the root to here."""
        return tuple(name for name, _, _ in self._trail)

    def path_of(self, name: bytes) -> bytes:
        """Return the path of `name` in this folder, relative to the root."""
        return b"/".join((*self.names, name))

    def enter(self, name: bytes) -> None:
        """Go down into the folder `name`; raise `OSError` if it is missing, a link, or not a folder."""
        below = os.open(name, _FOLDER_FLAGS, dir_fd=self.descriptor)
        here = os.fstat(self.descriptor)
        os.close(self.descriptor)
        self.descriptor = below
        self._trail.append((name, here.st_dev, here.st_ino))

    def leave(self) -> None:
        """Go up one folder; raise `ObjectChanged` if this one was moved elsewhere meanwhile."""
        name, device, inode = self._trail.pop()
        above = os.open(b"..", _FOLDER_FLAGS, dir_fd=self.descriptor)
        os.close(self.descriptor)
        self.descriptor = above
        found = os.fstat(above)
        if (found.st_dev, found.st_ino) != (device, inode):
            raise ObjectChanged(f"the folder {os.fsdecode(name)!r} was moved while it was being read")

    def close(self) -> None:
        """Close the folder."""
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class Found:
    """Something met on a walk: its path relative to the root, its name in the cursor's folder, and what it is:
    ``file``, ``link``, ``special``, or ``left_out``.
    """

    path: bytes
    name: bytes
    what: str


@dataclass(slots=True)
class _Level:
    waiting: list[tuple[bytes, str]]
    before: Signature


def walk(cursor: Cursor) -> Iterator[Found]:
    """Yield everything below the cursor that is not a folder, sorted by the bytes of its path.

    While a thing is handled, the cursor stands in its folder. Raises `BadInput` for a folder that cannot be read,
    `ObjectChanged` if a folder's names changed during the walk.
    """
    levels = [_read_level(cursor)]
    prefix = b""
    while levels:
        level = levels[-1]
        if level.waiting:
            name, what = level.waiting.pop()
            if what == "folder":
                enter(cursor, name)
                levels.append(_read_level(cursor))
                prefix += name + b"/"
            else:
                yield Found(prefix + name, name, what)
            continue
        check_folder(cursor, level.before)
        levels.pop()
        if levels:
            prefix = prefix[: -len(cursor.names[-1]) - 1]
            cursor.leave()


def _read_level(cursor: Cursor) -> _Level:
    before = signature(settled(cursor.descriptor))
    try:
        with os.scandir(cursor.descriptor) as listing:
            found = [(os.fsencode(entry.name), _classify(entry)) for entry in listing]
    except OSError as error:
        raise read_error(cursor, error) from error
    # A folder's name sorts as its files' paths will: with the slash that follows it.
    found.sort(key=lambda item: item[0] + b"/" if item[1] == "folder" else item[0], reverse=True)
    return _Level(found, before)


def _classify(entry: os.DirEntry[str]) -> str:
    if os.fsencode(entry.name) in LEFT_OUT:
        return "left_out"
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "special"


def enter(cursor: Cursor, name: bytes) -> None:
    """Let `cursor` go down into the folder `name`; raise `BadInput` if it may not be read, `ObjectChanged` if it is no
    longer there.
    """
    try:
        cursor.enter(name)
    except OSError as error:
        shown = os.fsdecode(cursor.path_of(name))
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
            raise ObjectChanged(f"the folder {shown!r} was removed or replaced while it was being read") from error
        raise BadInput(f"cannot read the folder {shown!r}: {error.strerror}") from error


def check_folder(cursor: Cursor, before: Signature) -> None:
    """Raise `ObjectChanged` if the folder where `cursor` stands is no longer as it was `before`."""
    if signature(os.fstat(cursor.descriptor)) != before:
        raise ObjectChanged(f"the folder {_shown(cursor)!r} changed while it was being read")


def read_error(cursor: Cursor, error: OSError) -> BadInput:
    """Return the error of the house for what the system said about the folder where `cursor` stands."""
    return BadInput(f"cannot read the folder {_shown(cursor)!r}: {error.strerror}")


def _shown(cursor: Cursor) -> str:
    return os.fsdecode(b"/".join(cursor.names)) or "."
