"""The published log as plain files: `checkpoint` and `tile/…`, in the layout of C2SP tlog-tiles."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineal.core.merkle import HASH_SIZE
from lineal.core.tile import Tile, tile_path
from lineal.errors import InconsistentStore
from lineal.ledger.disk import sync_folder, telling


class LogFiles:
    """A folder of tiles, entry bundles and the latest checkpoint.

    Tiles never change once written: writing one that exists with other bytes is an `InconsistentStore`. The checkpoint
    is replaced atomically. Every write is durable when it returns.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Hold the right to publish: one publisher at a time on this folder."""
        with telling(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # also for a child forked meanwhile, which has the descriptor too
            os.close(descriptor)

    def read_checkpoint(self) -> bytes | None:
        """Return the bytes of the published checkpoint, None if there is none yet."""
        return self._read(self.folder / "checkpoint")

    def read_tile(self, path: str) -> bytes | None:
        """Return the bytes of the tile or bundle at `path` (``tile/0/000``), None if it is not there."""
        return self._read(self.folder / path)

    def read_hashes(self, tile: Tile) -> bytes:
        """Return the bytes of `tile`, from the full tile if that has taken its place; raise `InconsistentStore`."""
        path = tile_path(tile.level, tile.index, tile.width)
        data = self.read_tile(path)
        if data is None:  # the full tile is written before its partial ones are removed
            data = (self.read_tile(tile_path(tile.level, tile.index)) or b"")[: tile.width * HASH_SIZE]
        if not data:
            raise InconsistentStore(f"the published {path} is missing")
        return data

    def _read(self, file: Path) -> bytes | None:
        with telling(file):
            try:
                return file.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def write_tile(self, path: str, data: bytes) -> None:
        """Write a tile or bundle once; raise `InconsistentStore` if it stands there with other bytes."""
        file = self.folder / path
        found = self.read_tile(path)
        if found is not None:
            if found != data:
                raise InconsistentStore(f"the published {path} has other bytes than the log gives")
            return
        self._replace(file, data)

    def write_checkpoint(self, note: bytes) -> None:
        """Replace the published checkpoint."""
        self._replace(self.folder / "checkpoint", note)

    def remove_partials(self, full: str) -> None:
        """Remove the partial tiles that the full tile at `full` has made superfluous."""
        folder = self.folder / f"{full}.p"
        with telling(folder):
            if folder.is_dir():
                for file in folder.iterdir():
                    file.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def tiles(self) -> Iterator[str]:
        """Yield the path of every file under ``tile``, and of every link to a folder, which no publisher makes."""
        root = self.folder / "tile"
        for folder, folders, names in os.walk(root):
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            for name in (*names, *links):
                yield (Path(folder) / name).relative_to(self.folder).as_posix()

    def _replace(self, file: Path, data: bytes) -> None:
        with telling(file):
            made = _make_folders(file.parent, self.folder)
            staged = file.with_name(f".{file.name}.{os.getpid()}.tmp")
            try:
                with staged.open("wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                staged.replace(file)
            except BaseException:
                staged.unlink(missing_ok=True)
                raise
            for folder in (file.parent, *made):
                sync_folder(folder)


def _make_folders(folder: Path, top: Path) -> list[Path]:
    """Make `folder` and those above it up to `top`; return the folders that got a new entry."""
    if folder.is_dir():
        return []
    made = [] if folder == top else _make_folders(folder.parent, top)
    folder.mkdir(exist_ok=True)
    return [*made, folder.parent]
