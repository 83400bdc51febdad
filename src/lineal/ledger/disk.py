"""The files of a ledger on disk: folders made durable, and what the system refuses told in our words."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lineal.errors import ReadOnlyStore, StoreError, StoreFull, StoreUnavailable

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def sync_folder(folder: Path) -> None:
    """Put the names in `folder` on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def telling(path: Path, consequence: str = "") -> Iterator[None]:
    """Turn each `OSError` of the block into a `StoreError` branch that names `path` and ends with `consequence`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull(f"no space left for {path}{consequence}") from error
        if error.errno == errno.EROFS:
            raise ReadOnlyStore(f"{path} is on a read-only file system{consequence}") from error
        if isinstance(error, PermissionError):
            raise ReadOnlyStore(f"no permission to use {path}{consequence}") from error
        if isinstance(error, FileNotFoundError):
            raise StoreUnavailable(f"{path} is not there{consequence}") from error
        raise StoreError(f"cannot use {path}: {error.strerror}{consequence}") from error
