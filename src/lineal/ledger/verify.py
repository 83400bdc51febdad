"""The verifier: everything a ledger holds, against its bytes, its signatures and itself.

It trusts the log's verifying key and nothing else. Everything is read in one state of the database, beside writers and
publishers at work; what they add meanwhile is not looked at.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import sqlalchemy as sa

from lineal.core.checkpoint import open_checkpoint
from lineal.core.finding import Finding
from lineal.core.note import parse_note
from lineal.errors import LinealError
from lineal.ledger import tables
from lineal.ledger.audit import AuditResult, audit_files, audit_log
from lineal.ledger.database import translating
from lineal.ledger.log import Ledger, read_public_key
from lineal.ledger.proof import EntryProof, PrefixProof, check_proof, prove_entry, prove_prefix
from lineal.ledger.reader import read_head
from lineal.ledger.verify_entries import Walk, walk_entries
from lineal.ledger.verify_files import TileCheck, check_folder
from lineal.ledger.verify_producers import check_producers
from lineal.ledger.verify_schema import check_schema

__all__ = [
    "AuditResult",
    "EntryProof",
    "PrefixProof",
    "Progress",
    "audit_files",
    "audit_log",
    "check_proof",
    "prove_entry",
    "prove_prefix",
    "verify_ledger",
]

Progress = Callable[[int, int], None]
"""Is told how many entries are verified, and how many there are."""

_PROPERTIES: Final = sa.text("SELECT name, value FROM ledger")
_HEAD: Final = sa.text("SELECT id, size, root, frontier, taken FROM head")
_CHECKPOINTS: Final = sa.text("SELECT size, note, frontier FROM checkpoint ORDER BY size")


def verify_ledger(ledger: Ledger, on_progress: Progress | None = None) -> Iterator[Finding]:
    """Yield every finding about `ledger`: none that `failed` means that all of it holds.

    Never raises for what it finds: what cannot be read is a finding too.
    """
    try:
        # Before the state of the database is fixed: the row of a published checkpoint is older than its file.
        published = ledger.files.read_checkpoint()
        with ledger.database.reading() as connection:
            yield from _Verification(ledger, connection, published, on_progress).run()
    except LinealError as error:
        yield _fault("ledger.unreadable", "the ledger", f"it cannot be read on: {error.message}")


class _Verification:
    """One verification: what its stages learn from each other."""

    def __init__(
        self, ledger: Ledger, connection: sa.Connection, published: bytes | None, on_progress: Progress | None
    ) -> None:
        self.ledger = ledger
        self.connection = connection
        self.published = published
        self.properties: dict[Any, Any] = {}
        self.signed: list[tuple[Any, Any, Any]] = []
        self.on_progress = on_progress or (lambda _done, _total: None)
        self.walk = Walk(ledger.origin, set(), lambda _data, _leaves: iter(()), lambda _done: None)

    def run(self) -> Iterator[Finding]:
        """Yield the findings of every stage; a stage that cannot go on ends with a finding, and the next begins."""
        stages = (
            ("the schema", self._schema),
            ("the properties", self._properties),
            ("the entries", self._entries),
            ("the head", self._head),
            ("the checkpoints", self._checkpoints),
            ("the published checkpoint", self._published),
            ("the producers", lambda: check_producers(self.connection)),
            ("the published files", lambda: check_folder(self.ledger.files)),
        )
        for about, stage in stages:
            try:
                with translating():
                    yield from stage()
            except LinealError as error:
                yield _fault("ledger.unreadable", about, f"cannot be read on: {error.message}")
            except Exception as error:  # noqa: BLE001 - whatever damage makes of a value, it is a finding
                yield _fault("ledger.unreadable", about, f"cannot be read on: {error!r}")

    def _schema(self) -> Iterator[Finding]:
        if self.ledger.database.is_sqlite:
            yield from check_schema(self.connection)

    def _properties(self) -> Iterator[Finding]:
        self.ledger.home.check()
        key = read_public_key(self.ledger.home)
        if key != self.ledger.key:
            yield _fault(
                "ledger.key", str(self.ledger.home.public_key_file), "it is not the key the ledger was opened with"
            )
        self.properties = {row[0]: row[1] for row in self.connection.execute(_PROPERTIES)}
        wanted = {"format": str(tables.FORMAT), "origin": self.ledger.origin, "vkey": str(self.ledger.key)}
        for name in sorted({*wanted, "created", *map(str, self.properties)}):
            found = self.properties.get(name)
            if name not in wanted and name != "created":
                yield _fault("ledger.property", name, "not a property of a ledger")
            elif found is None or found != wanted.get(name, found):
                yield _fault(
                    "ledger.property", name, f"it is {found!r}, and should be {wanted.get(name, 'a moment')!r}"
                )

    def _entries(self) -> Iterator[Finding]:
        self.signed = [tuple(row) for row in self.connection.execute(_CHECKPOINTS)]
        total = self.connection.scalar(sa.text("SELECT count(*) FROM entry")) or 0
        published = 0
        if self.published is not None:
            try:
                published = open_checkpoint(self.published, self.ledger.key).size
            except LinealError:
                published = total  # what is wrong with it is told later; the tiles are compared all the same
        check = TileCheck(self.ledger.files, published)
        self.walk.marks = {size for size, _, _ in self.signed if type(size) is int}
        self.walk.take = check.take
        self.walk.on_progress = lambda done: self.on_progress(done, total)
        yield from walk_entries(self.connection, self.walk)
        yield from check.finish(self._size_now)
        yield from self._first_entry()

    def _size_now(self) -> int:
        try:
            with self.ledger.database.reading() as connection:
                return read_head(connection).size
        except LinealError:
            return self.walk.frontier.size

    def _first_entry(self) -> Iterator[Finding]:
        created, wanted = self.walk.created or {}, {"origin": self.ledger.origin, "vkey": str(self.ledger.key)}
        if {name: created.get(name) for name in wanted} != wanted or created.get("format") != tables.FORMAT:
            yield _fault("ledger.created", "entry 0", "it does not commit the log to its name, key and format")
        elif self.walk.first != self.properties.get("created"):
            yield _fault("ledger.property", "created", "it is not the moment at which entry 0 was said")

    def _head(self) -> Iterator[Finding]:
        rows = self.connection.execute(_HEAD).all()
        if len(rows) != 1 or rows[0][0] != 1:
            yield _fault("head.rows", "the head", f"{len(rows)} rows, where there is one")
            return
        _, size, root, frontier, taken = rows[0]
        walk = self.walk
        if not walk.whole:
            yield _fault("head.root", "the head", "the stored entries give no root, since some are missing")
        elif (size, frontier) != (walk.frontier.size, walk.frontier.encode()):
            yield _fault("head.root", "the head", f"it is not that of the {walk.frontier.size} entries stored")
        elif root != walk.frontier.root():
            yield _fault("head.root", "the head", "its root is not the one that the entries give")
        if taken != walk.taken:
            yield _fault("head.taken", "the head", "it is not the moment at which the last entry was taken")

    def _checkpoints(self) -> Iterator[Finding]:
        for size, note, frontier in self.signed:
            about = f"checkpoint {size}"
            try:
                data = note.encode() if isinstance(note, str) else b""
                checkpoint = open_checkpoint(data, self.ledger.key)
                signatures = parse_note(data)[1]
            except (LinealError, UnicodeEncodeError) as error:
                yield _fault("checkpoint.signature", about, str(error))
                continue
            if len(signatures) != 1:
                yield _fault("checkpoint.signature", about, "it has signatures besides the log's own")
            given = self.walk.at.get(size)
            if checkpoint.size != size:
                yield _fault("checkpoint.size", about, f"its note is of {checkpoint.size} entries")
            elif given is None:
                yield _fault("checkpoint.beyond", about, "that many entries were signed and are not stored")
            elif checkpoint.root != given.root():
                yield _fault("checkpoint.root", about, "the stored entries do not give the signed root")
            elif frontier != given.encode():
                yield _fault("checkpoint.frontier", about, "its compact range is not the one that the entries give")
        last = self.signed[-1][0] if self.signed else 0
        unsigned = self.walk.frontier.size - last if isinstance(last, int) else 0
        if unsigned > 0:
            explanation = (
                f"the last {unsigned} entries are not signed yet: whoever can write the database can change them"
            )
            yield Finding(code="log.unsigned", about=f"entries from {last}", explanation=explanation, failed=False)

    def _published(self) -> Iterator[Finding]:
        about = "the published checkpoint"
        if self.published is None:
            yield _fault("checkpoint.missing", about, "the file is not there")
            return
        try:
            size = open_checkpoint(self.published, self.ledger.key).size
        except LinealError as error:
            yield _fault("checkpoint.signature", about, error.message)
            return
        notes = {row[0]: row[1] for row in self.signed}
        if notes.get(size) != self.published.decode("utf-8", "replace"):
            yield _fault("checkpoint.published", about, f"the database has no such checkpoint of {size} entries")
        elif size < max(notes):
            explanation = f"it is of {size} entries, {max(notes)} are signed: the next publication replaces it"
            yield Finding(code="log.unpublished", about=about, explanation=explanation, failed=False)


def _fault(code: str, about: str, explanation: str) -> Finding:
    return Finding(code=code, about=about, explanation=explanation)
