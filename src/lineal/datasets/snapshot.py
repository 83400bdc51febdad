"""A snapshot: the content of a folder or file, stored and named by the digest of its manifest."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lineal.core.digest import Digest
from lineal.datasets.ahead import Ahead
from lineal.datasets.index import ChangeIndex, discard_index
from lineal.datasets.index_rows import StaleIndexError
from lineal.datasets.memory import Memory
from lineal.datasets.reading import FileReader
from lineal.datasets.survey import Survey
from lineal.datasets.text import ChangedText, Text, WholeText
from lineal.datasets.tree import Cursor
from lineal.errors import BadInput
from lineal.objects.copying import open_source
from lineal.objects.store import ObjectStore

ENGINES: Final = ("dask", "ray", "spark")
"""The engines whose workers can read the files."""

_INDEX_TRIES: Final = 2

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A dataset version as taken: its digest, the number of files and their bytes.

    `gaps` are (code, explanation) of what was left out or cannot be kept.
    """

    digest: Digest
    files: int
    bytes: int
    gaps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """Who reads the files: the workers of an `engine` of `ENGINES`, or `jobs` processes of this machine."""

    engine: str | None = None
    jobs: int | None = None


@dataclass(frozen=True, slots=True)
class _How:
    keep: bool
    paranoid: bool
    ahead: Ahead | None
    spread: Spread | None
    tell: Progress


def snapshot(
    path: Path,
    store: ObjectStore,
    *,
    keep: bool = True,
    index: Path | None = None,
    ahead: Ahead | None = None,
    paranoid: bool = False,
    spread: Spread | None = None,
    on_total: Progress | None = None,
    on_progress: Progress | None = None,
) -> Snapshot:
    """Record the folder or file at `path` as a dataset version in `store`.

    With `keep` false only the manifest is stored, not the files. With `index`, the file of a change index, what has the
    same status as the last time is not read again, unless `paranoid`, and what was read is remembered there, even if
    this snapshot fails or is killed. `ahead` lists the folders meanwhile; `spread` lets others read the
    files, which only goes without `keep`. `on_total` gets files and bytes as they
    were the last time, `on_progress` those so far.

    Symbolic links below `path` are recorded, never followed; empty folders are not recorded; ``.git`` and ``.lineal``
    are left out. All of it is on disk when the call returns; on any error, no version exists. Raises `BadInput` for
    what is missing or unreadable, `ObjectChanged` for what is being written to, and the store's errors.
    """
    how = _How(keep, paranoid, ahead, spread, on_progress or (lambda _files, _bytes: None))
    for _ in range(_INDEX_TRIES):
        known = None if index is None else _open_index(index, path)
        if index is None or known is None:
            break
        if on_total is not None and known.last[0]:
            on_total(*known.last)
        try:
            return _take(path, store, known, how)
        except StaleIndexError as error:
            known.close()
            if not error.is_damaged:
                break
            discard_index(index)
        finally:
            known.close()
    return _take(path, store, None, how)


def _open_index(file: Path, path: Path) -> ChangeIndex | None:
    root = os.path.realpath(os.fsencode(path))
    for _ in range(2):
        try:
            return ChangeIndex(file, root)
        except StaleIndexError as error:
            if not error.is_damaged:
                break
            discard_index(file)
    return None


def _take(path: Path, store: ObjectStore, index: ChangeIndex | None, how: _How) -> Snapshot:
    prefix = os.fspath(path)
    with store.batch() as batch:
        memory = Memory(index, store, batch, keep=how.keep)
        reader = FileReader(prefix, batch if how.keep else None) if how.spread is None else _spread(path, how.spread)
        basis = memory.basis()
        text: Text = WholeText(batch.put_bytes) if basis is None else ChangedText(basis, store, batch.put_bytes)
        survey = Survey(memory, reader, text, ahead=how.ahead, paranoid=how.paranoid, on_progress=how.tell)
        try:
            _survey(survey, path, prefix)
        finally:
            reader.close()
        manifest = text.finish()
        if (manifest.count, manifest.size) != (survey.files, survey.bytes):
            raise StaleIndexError("what was known does not add up")
        memory.finish(manifest)
    return Snapshot(manifest.digest, manifest.count, manifest.size, tuple(survey.gaps))


def _spread(path: Path, spread: Spread) -> FileReader:
    from lineal.datasets.spread import SpreadReader

    return SpreadReader(os.fspath(path), os.path.abspath(os.fsencode(path)), spread.engine, spread.jobs)


def _survey(survey: Survey, path: Path, prefix: str) -> None:
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if is_folder else -1
    except OSError as error:
        raise BadInput(f"cannot read {prefix!r}: {error.strerror}") from error
    if not is_folder:
        survey.take_file(open_source(path, prefix), os.fsencode(path.absolute().name))
        return
    cursor = Cursor(descriptor)
    try:
        survey.take_folder(cursor)
    finally:
        cursor.close()
