"""The folder of a ledger: where its files stand, and whether a folder is one."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lineal.errors import NewerFormat, NotALedger, ReadOnlyStore, StoreError
from lineal.ledger.tables import FORMAT

NAME: Final = ".lineal"
_FORMAT_LINE: Final = re.compile(r"lineal-ledger/([1-9][0-9]{0,8})\n")


@dataclass(frozen=True, slots=True)
class Home:
    """The folder `root` of a ledger, usually ``.lineal``, and the places in it."""

    root: Path

    @property
    def format_file(self) -> Path:
        """The file whose one line says that this is a ledger, and of which format."""
        return self.root / "format"

    @property
    def ledger_file(self) -> Path:
        """The SQLite database of the ledger."""
        return self.root / "ledger.db"

    @property
    def catalog_file(self) -> Path:
        """The SQLite database of the catalog, which can be deleted at any time."""
        return self.root / "catalog.db"

    @property
    def log_folder(self) -> Path:
        """The published log: checkpoint and tiles."""
        return self.root / "log"

    @property
    def public_key_file(self) -> Path:
        """The log's verifying key, to hand out."""
        return self.root / "log.vkey"

    @property
    def private_key_file(self) -> Path:
        """The log's signing key: whoever has it can sign checkpoints."""
        return self.root / "keys" / "log.skey"

    @property
    def objects_folder(self) -> Path:
        """The content-addressed store."""
        return self.root / "objects"

    @property
    def change_index(self) -> Path:
        """What was read of which files, so that they are not read again; can be deleted at any time."""
        return self.root / "cache" / "changes.db"

    @property
    def spool_folder(self) -> Path:
        """Where processes leave batches for each other, and the lock of the writers."""
        return self.root / "spool"

    def check(self) -> None:
        """Raise `NotALedger` if this is none, `NewerFormat` if a newer Lineal wrote it."""
        try:
            line = self.format_file.read_bytes()[:64].decode("ascii", "replace")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotALedger(f"no ledger in {self.root}") from error
        except PermissionError as error:
            raise ReadOnlyStore(f"no permission to read the ledger in {self.root}") from error
        except OSError as error:
            raise StoreError(f"cannot read {self.format_file}: {error.strerror}") from error
        match = _FORMAT_LINE.fullmatch(line)
        if match is None:
            raise NotALedger(f"{self.format_file} is not the mark of a ledger")
        if int(match[1]) > FORMAT:
            raise NewerFormat(f"the ledger in {self.root} has format {match[1]}; this Lineal reads format {FORMAT}")

    def write_format(self) -> None:
        """Mark the folder as a ledger of the present format."""
        self.format_file.write_text(f"lineal-ledger/{FORMAT}\n", encoding="ascii")


def find_home(start: Path) -> Home:
    """Return the ledger in `start` or the nearest folder above that has one; raise `NotALedger`."""
    here = start.absolute()
    for folder in (here, *here.parents):
        if (folder / NAME / "format").is_file():
            return Home(folder / NAME)
    raise NotALedger(f"no ledger in {here} or any folder above")
