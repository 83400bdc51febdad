"""Durable steps on files: temporary names, publishing by rename, folders on disk before a call returns."""

import errno
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from lineal.errors import ReadOnlyStore, StoreError, StoreFull, StoreUnavailable

SWEEP_AGE: Final = 24 * 3600
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def store_error(error: OSError, what: str, *, writing: bool) -> StoreError:
    """Return the error of the house for what the system said about `what`, a file of the store."""
    reason = f"{what}: {error.strerror or error}"
    if error.errno in _FULL:
        return StoreFull(f"no space left for {reason}")
    if writing and error.errno in _DENIED:
        return ReadOnlyStore(f"cannot write {reason}")
    return StoreUnavailable(f"cannot {'write' if writing else 'read'} {reason}")


@contextmanager
def store_errors(what: object, *, writing: bool = False) -> Iterator[None]:
    """Turn each `OSError` of the block into an error of the house that names `what`."""
    try:
        yield
    except OSError as error:
        raise store_error(error, str(what), writing=writing) from error


def create_temp(folder: Path) -> tuple[int, Path]:
    """Create an empty file in `folder` under a name nobody else has; return its descriptor and path.

    The mode is 0444 from the start: only this descriptor can write to it.
    """
    path = folder / f"{os.getpid()}-{secrets.token_hex(12)}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o444), path
    except FileNotFoundError:
        ensure_folder(folder)
        return os.open(path, flags, 0o444), path


@contextmanager
def replacing(target: Path, mode: int = 0o644) -> Iterator[int]:
    """Open a new file for writing and reading that takes the place of `target` when the block ends without an error.

    It has the permissions `mode` then, and is on disk. Raises the errors of the house for what the system says.
    """
    temp = target.parent / f".{target.name[:200]}.{secrets.token_hex(8)}"
    with store_errors(target, writing=True):
        descriptor = os.open(temp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with store_errors(target, writing=True):
            yield descriptor
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
            temp.rename(target)
    except BaseException:
        discard(temp)
        raise
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write the whole of `data` at the descriptor's place."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def discard(path: Path) -> None:
    """Remove a temporary file; a leftover is harmless, so a failure is not an error."""
    with suppress(OSError):
        path.unlink()


def sync_folder(path: Path) -> None:
    """Put the names in the folder `path` on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def ensure_folder(path: Path) -> None:
    """Create the folder `path` and those above it, each durable in its parent."""
    try:
        path.mkdir()
    except FileNotFoundError:
        ensure_folder(path.parent)
        ensure_folder(path)
        return
    except FileExistsError:
        if not path.is_dir():
            raise
        return
    sync_folder(path.parent)


def sweep(folder: Path, *, older_than: float = SWEEP_AGE) -> int:
    """Remove files in the temporary `folder` that nobody has written to for `older_than` seconds; return how many.

    They are what killed writers left. A day is far above the time that a living writer leaves its file alone.
    """
    removed = 0
    with suppress(FileNotFoundError), os.scandir(folder) as found:
        for entry in found:
            with suppress(FileNotFoundError):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime > older_than:
                    Path(entry.path).unlink()
                    removed += 1
    return removed
