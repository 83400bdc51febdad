"""Mutants of a ledger: whatever is changed in it is found by opening or verifying it, or changed nothing it says.

A mutant is *caught* when the verifier has a failing finding, *refused* when opening finds it (an `IntegrityError`),
*unreadable* when it is no ledger of this format any more (another error of ours), *harmless* when all it says reads as
before, and *missed* otherwise.
"""

import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kit import LOG, Speaker, failures, make_home, open_at
from lineal.core import canonical
from lineal.core.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from lineal.core.event import Event, encode_entry, statement_digest
from lineal.core.merkle import Frontier, leaf_hash
from lineal.core.tile import decode_bundle, encode_bundle
from lineal.errors import InconsistentStore, IntegrityError, LinealError
from lineal.ledger.erase import erase_bodies
from lineal.ledger.home import Home
from lineal.ledger.keys import SigningKey, load_key
from lineal.ledger.verify import audit_files, audit_log, verify_ledger
from lineal.ledger.verify_files import TileCheck

TABLES = {
    "ledger": ("name", "value"),
    "entry": ("idx", "producer", "id", "seq", "statement", "leaf", "bytes"),
    "body": ("idx", "salt", "bytes"),
    "claim": ("name", "idx"),
    "head": ("id", "size", "root", "frontier", "taken"),
    "checkpoint": ("size", "note", "frontier"),
}


def _row_of(table: str) -> str:
    """Return the column that tells the rows of `table` apart: `claim` has no other than its names."""
    return "name" if table == "claim" else "rowid"


def _tell(home: Home, count: int, parts: int) -> None:
    """Make a ledger of `count` entries by three producers, with every kind of row, and a checkpoint for each part."""
    make_home(home.root)
    speakers = [Speaker(f"p{number}") for number in range(3)]
    with open_at(home) as ledger:
        for part in range(parts):
            for number in range(part * count // parts, (part + 1) * count // parts):
                claims = [f"model:m@{number}"] if number % 4 == 0 else []
                ledger.append([speakers[number % 3].says(claims=claims, data={"n": number})])
            if part == 1:
                said = {"entries": [3, 5], "reason": "asked to"}
                erase_bodies(ledger, speakers[0].says(type="body.erased/1", data=said))
            ledger.publish()
        assert not failures(ledger)


def _says(home: Home) -> dict[str, Any]:
    """Return everything that a ledger says to its readers.

    Earlier checkpoints are not part of it: each follows from the entries, and one that somebody kept can be shown to
    be consistent with the log whether its row is there or not.
    """
    with open_at(home, read_only=True) as ledger:
        head = ledger.reader.head()
        with ledger.database.reading() as connection:
            rows = {
                table: sorted(map(repr, connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {table}")))
                for table, columns in TABLES.items()
                if table != "checkpoint"
            }
        return {
            "key": str(ledger.key),
            "entries": list(ledger.reader.entries()),
            "head": head,
            "signed": ledger.reader.signed()[-1],
            "published": ledger.files.read_checkpoint(),
            "audit": audit_files(ledger.home.log_folder, ledger.key),
            "rows": rows,
        }


@dataclass
class Bench:
    """A sound ledger, and the copy of it that is tampered with."""

    sound: Home
    copy: Home
    says: dict[str, Any]

    def restore(self) -> None:
        shutil.rmtree(self.copy.root, ignore_errors=True)
        shutil.copytree(self.sound.root, self.copy.root)

    def verdict(self) -> str:
        """Return what becomes of the copy as it stands: caught, refused, unreadable, harmless or missed."""
        try:
            with open_at(self.copy, read_only=True) as ledger:
                if failures(ledger):
                    return "caught"
        except IntegrityError:
            return "refused"
        except LinealError:
            return "unreadable"
        return "harmless" if _says(self.copy) == self.says else "missed"

    def sql(self, *statements: tuple[str, tuple[Any, ...]] | str) -> None:
        connection = sqlite3.connect(self.copy.ledger_file)
        with connection:
            for statement in statements:
                text, values = (statement, ()) if isinstance(statement, str) else statement
                connection.execute(text, values)
        connection.close()

    def rows(self, table: str) -> list[Any]:
        connection = sqlite3.connect(self.sound.ledger_file)
        found = [row[0] for row in connection.execute(f"SELECT {_row_of(table)} FROM {table} ORDER BY 1")]
        connection.close()
        return found


def _bench(folder: Path, count: int, parts: int) -> Bench:
    sound = Home(folder / "sound")
    _tell(sound, count, parts)
    bench = Bench(sound, Home(folder / "copy"), _says(sound))
    bench.restore()
    assert bench.verdict() == "harmless"
    return bench


@pytest.fixture(scope="module")
def _large(memory_root: Path) -> Bench:
    return _bench(memory_root / "large", 300, 12)


@pytest.fixture(scope="module")
def _small(memory_root: Path) -> Bench:
    return _bench(memory_root / "small", 24, 3)


@pytest.fixture
def large(_large: Bench) -> Bench:
    """A ledger with full and partial tiles at two levels."""
    _large.restore()
    return _large


@pytest.fixture
def small(_small: Bench) -> Bench:
    """A ledger that is quick to judge."""
    _small.restore()
    return _small


def _changed(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield other values in the place of `value`, one for each class of change."""
    if isinstance(value, int):
        yield from (
            ("one more", value + 1),
            ("negative", -value - 1),
            ("huge", 2**62),
            ("text", "x"),
            ("real", value + 0.5),
        )
    elif isinstance(value, str):
        at = len(value) // 2
        yield from (("a letter", value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]), ("longer", value + "x"))
        yield from (("empty", ""), ("bytes", value.encode()))
    else:
        at = len(value) // 2
        yield from (("a bit", value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]), ("shorter", value[:-1]))
        yield from (("empty", b""), ("longer", value + b"\0"), ("text", "x"), ("huge", bytes(70_000)))


def _ends(items: list[Any]) -> list[Any]:
    return sorted({items[0], items[len(items) // 2], items[-1]})


@pytest.mark.parametrize("table", TABLES)
def test_a_changed_value_of_any_column_is_caught(small: Bench, table: str) -> None:
    verdicts: Counter[str] = Counter()
    missed = []
    for rowid in _ends(small.rows(table)):
        for column in TABLES[table]:
            connection = sqlite3.connect(small.sound.ledger_file)
            (value,) = connection.execute(
                f"SELECT {column} FROM {table} WHERE {_row_of(table)} = ?", (rowid,)
            ).fetchone()
            connection.close()
            for change, other in _changed(value):
                shutil.copyfile(small.sound.ledger_file, small.copy.ledger_file)
                try:
                    small.sql((f"UPDATE {table} SET {column} = ? WHERE {_row_of(table)} = ?", (other, rowid)))
                except sqlite3.IntegrityError:
                    continue  # the schema forbids it
                verdict = small.verdict()
                verdicts[verdict] += 1
                if verdict not in {"caught", "refused"} and not (table == "ledger" and verdict == "unreadable"):
                    missed.append((table, column, rowid, change, verdict))
    print(f"{table}: {verdicts.total()} changed values, {dict(verdicts)}")
    assert not missed
    assert verdicts.total() >= 9


@pytest.mark.parametrize("table", TABLES)
def test_a_row_removed_or_added_is_caught(small: Bench, table: str) -> None:
    harmless = []
    for rowid in small.rows(table):
        shutil.copyfile(small.sound.ledger_file, small.copy.ledger_file)
        small.sql((f"DELETE FROM {table} WHERE {_row_of(table)} = ?", (rowid,)))
        verdict = small.verdict()
        assert verdict != "missed", (table, rowid)
        if verdict == "harmless":
            harmless.append(rowid)
    # Each but the last checkpoint follows from the entries: see `_says`.
    assert harmless == (small.rows(table)[:-1] if table == "checkpoint" else [])
    first, *rest = TABLES[table]
    for other in ("-1", "999", "'another'"):
        shutil.copyfile(small.sound.ledger_file, small.copy.ledger_file)
        columns = {name: name for name in rest} | ({"seq": "999", "id": "'another'"} if table == "entry" else {})
        copied = ", ".join(columns[name] for name in rest)
        try:
            small.sql(f"INSERT INTO {table} SELECT {other}, {copied} FROM {table} LIMIT 1")
        except sqlite3.IntegrityError:
            continue
        assert small.verdict() in {"caught", "refused"}, (table, first, other)


@pytest.mark.parametrize("table", ["entry", "body", "claim", "checkpoint", "ledger"])
def test_rows_that_change_places_are_caught(small: Bench, table: str) -> None:
    one, *_, two = small.rows(table)
    for column in TABLES[table]:
        shutil.copyfile(small.sound.ledger_file, small.copy.ledger_file)
        connection = sqlite3.connect(small.copy.ledger_file)
        query = f"SELECT {column} FROM {table} WHERE {_row_of(table)} = ?"
        values = [connection.execute(query, (rowid,)).fetchone()[0] for rowid in (one, two)]
        connection.close()
        update = f"UPDATE {table} SET {column} = ? WHERE {_row_of(table)} = ?"
        aside = 777_777 if isinstance(values[0], int) else b"aside"
        try:
            small.sql((update, (aside, one)), (update, (values[0], two)), (update, (values[1], one)))
        except sqlite3.IntegrityError:
            continue  # the schema forbids it
        assert small.verdict() in {"caught", "refused"} | ({"unreadable"} if table == "ledger" else set()), column


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER quiet AFTER INSERT ON entry BEGIN DELETE FROM body WHERE idx = new.idx; END",
        "CREATE VIEW entries AS SELECT * FROM entry",
        "CREATE TABLE extra (x)",
        "DROP INDEX claim_idx",
        "DROP TABLE claim",
        "DROP TABLE checkpoint",
        "DROP TABLE head",
        "DELETE FROM head",
        "DELETE FROM checkpoint",
        "DELETE FROM ledger",
        "DELETE FROM body",
        "ALTER TABLE body ADD COLUMN note TEXT",
        "ALTER TABLE entry RENAME TO entries",
    ],
)
def test_another_schema_and_empty_tables_are_caught(small: Bench, statement: str) -> None:
    small.sql(statement)
    assert small.verdict() in {"caught", "refused", "unreadable"}


def _flip(file: Path, at: int, bit: int = 1) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= bit
    file.write_bytes(data)


def test_every_flipped_bit_of_the_published_checkpoint_is_refused(small: Bench) -> None:
    file = small.copy.log_folder / "checkpoint"
    sound = file.read_bytes()
    for at in range(len(sound)):
        file.write_bytes(sound)
        _flip(file, at, 1 << at % 8)
        with pytest.raises(IntegrityError):
            open_at(small.copy, read_only=True)


def test_every_flipped_bit_of_the_keys_and_the_mark_is_refused(small: Bench) -> None:
    harmless = 0
    for file in (small.copy.public_key_file, small.copy.format_file):
        sound = file.read_bytes()
        for at in range(len(sound)):
            file.write_bytes(sound)
            _flip(file, at, 1 << at % 8)
            verdict = small.verdict()
            harmless += verdict == "harmless"
            assert verdict in {"refused", "unreadable", "harmless"}, (file, at)
        file.write_bytes(sound)
    assert harmless <= 1  # the newline after the key
    file = small.copy.private_key_file
    sound = file.read_bytes()
    for at in range(0, len(sound), 3):
        file.write_bytes(sound)
        _flip(file, at)
        with pytest.raises(LinealError) as refused:
            open_at(small.copy)
        assert sound.decode().strip() not in str(refused.value)


def test_changed_tiles_and_bundles_are_caught(large: Bench) -> None:
    chance = random.Random(11)
    files = sorted(path for path in (large.copy.log_folder / "tile").rglob("*") if path.is_file())
    assert len(files) >= 6  # full and partial ones, at two levels
    mutants = 0
    for file in files:
        sound = file.read_bytes()
        for at in {0, 1, len(sound) - 1, *(chance.randrange(len(sound)) for _ in range(5))}:
            _flip(file, at, 1 << chance.randrange(8))
            assert large.verdict() == "caught", (file, at)
            file.write_bytes(sound)
            mutants += 1
        for data in (b"", sound[:-1], sound + b"\0", sound[:-32], sound[32:] + sound[:32]):
            file.write_bytes(data)
            assert large.verdict() == ("harmless" if data == sound else "caught"), file
            mutants += 1
        file.unlink()
        # A partial tile of an earlier size may be gone: nobody is pointed to it.
        expected = {"caught"} if file.name == "000" or _is_last(file, large) else {"harmless"}
        assert large.verdict() in expected, file
        file.write_bytes(sound)
    print(f"tiles and bundles: {mutants} changed files, all caught")
    assert mutants >= 60


def _is_last(file: Path, bench: Bench) -> bool:
    size = bench.says["audit"].entries
    covered = size // 256 if file.parent.parent.name == "1" else size
    return int(file.name) == covered % 256


def test_files_that_a_log_has_not_are_caught(large: Bench) -> None:
    tile = large.copy.log_folder / "tile"
    full = (tile / "0" / "000").read_bytes()
    for path in (
        "0/002",
        "0/001.p/200",
        "1/000.p/9",
        "2/000.p/1",
        "entries/x001/000",
        "0/1",
        "0/000.p/256",
        "9/junk",
        "x",
    ):
        file = tile / path
        made = [parent for parent in file.parents if not parent.exists()]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(full)
        assert large.verdict() == "caught", path
        file.unlink()
        for folder in made:
            folder.rmdir()
    elsewhere = large.copy.root / "elsewhere"
    (tile / "0").rename(elsewhere)
    (tile / "0").symlink_to(elsewhere)
    assert large.verdict() == "caught"
    (tile / "0").unlink()
    elsewhere.rename(tile / "0")
    (large.copy.log_folder / ".checkpoint.77.tmp").write_bytes(b"half a checkp")
    (tile / "0" / ".000.77.tmp").write_bytes(b"half a tile")
    (large.copy.log_folder / "readme").write_text("by hand")
    with open_at(large.copy, read_only=True) as ledger:
        found = [(item.code, item.failed) for item in verify_ledger(ledger) if item.code != "body.erased"]
    assert sorted(found) == [("file.leftover", False), ("file.leftover", False), ("file.stray", False)]


def _codes(bench: Bench) -> dict[str, bool]:
    with open_at(bench.copy, read_only=True) as ledger:
        return {item.code: item.failed for item in verify_ledger(ledger) if item.code != "body.erased"}


@pytest.mark.parametrize(
    ("before", "after", "codes"),
    [
        ((), ("remove 0/000",), ["tile.missing"]),
        ((), ("remove entries/000",), ["tile.missing"]),
        ((), ("remove 0/001.p/46",), ["tile.missing"]),
        ((), ("remove 0/001.p/46", "full 0/001"), []),
        ((), ("remove 0/001.p/46", "wrong 0/001"), ["tile.changed"]),
        (("remove 0/001.p/46",), (), ["tile.missing"]),
        (("remove 0/001.p/46",), ("full 0/001",), []),
        (("remove 0/001.p/46",), ("wrong 0/001",), ["tile.changed"]),
        (("remove entries/001.p/46",), ("wrong entries/001",), ["tile.changed"]),
        (("remove 0/001.p/46",), ("folder 0/001",), ["tile.changed"]),
        (("remove 0/000",), ("folder 0/000",), ["tile.changed"]),
        ((), ("remove 0/000", "folder 0/000"), ["tile.changed"]),
    ],
)
def test_what_a_publisher_does_meanwhile_is_told_from_tampering(
    large: Bench, before: tuple[str, ...], after: tuple[str, ...], codes: list[str]
) -> None:
    """A publisher writes a full tile, then removes its partial ones: between the listing and the reading, perhaps."""
    tile = large.copy.log_folder / "tile"

    def act(step: str) -> None:
        verb, name = step.split()
        file = tile / name
        if verb == "remove":
            file.unlink()
        elif verb == "folder":
            file.mkdir()
        else:
            partial = (large.sound.log_folder / "tile" / f"{name}.p" / "46").read_bytes()
            file.write_bytes((partial if verb == "full" else partial[:-1] + b"?") + bytes(210 * 32))

    for step in before:
        act(step)
    with open_at(large.copy, read_only=True) as ledger:
        data = [entry.data for entry in ledger.reader.entries()]
        check = TileCheck(ledger.files, len(data))
        for step in after:
            act(step)
        found = [*check.take(data, [leaf_hash(entry) for entry in data]), *check.finish(lambda: len(data))]
    assert [item.code for item in found] == codes


def test_a_missing_checkpoint_is_caught(small: Bench) -> None:
    (small.copy.log_folder / "checkpoint").unlink()
    assert small.verdict() == "caught"


def test_a_database_or_log_of_another_time_is_refused(small: Bench, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(small.copy.root, old)
    with open_at(small.copy) as ledger:
        ledger.append(Speaker("later").many(3))
    new = small.copy.ledger_file.read_bytes()
    small.copy.ledger_file.write_bytes((old / "ledger.db").read_bytes())
    with pytest.raises(InconsistentStore, match="restored from an older state"):
        open_at(small.copy)
    small.copy.ledger_file.write_bytes(new)
    note = (small.copy.log_folder / "checkpoint").read_bytes()
    (small.copy.log_folder / "checkpoint").write_bytes((old / "log" / "checkpoint").read_bytes())
    assert _codes(small) == {"log.unpublished": False}  # as a publisher that died would leave it
    shutil.rmtree(small.copy.log_folder)
    shutil.copytree(old / "log", small.copy.log_folder)
    assert _codes(small) == {"log.unpublished": False}
    (small.copy.log_folder / "checkpoint").write_bytes(note)
    assert small.verdict() == "caught"


def test_the_checkpoint_of_another_log_or_key_is_refused(small: Bench, tmp_path: Path) -> None:
    file = small.copy.log_folder / "checkpoint"
    checkpoint = open_checkpoint(file.read_bytes(), load_key(small.copy.private_key_file).verifying_key)
    other = make_home(tmp_path / "other")
    twin = SigningKey.generate(LOG)
    for note in (
        (other.log_folder / "checkpoint").read_bytes(),
        sign_checkpoint(checkpoint, twin),
        sign_checkpoint(
            Checkpoint(origin="else", size=checkpoint.size, root=checkpoint.root), SigningKey.generate("else")
        ),
    ):
        file.write_bytes(note)
        with pytest.raises(IntegrityError):
            open_at(small.copy)
    small.restore()
    note = sign_checkpoint(checkpoint, twin)
    small.sql(("UPDATE checkpoint SET note = ? WHERE size = ?", (note.decode(), checkpoint.size)))
    file.write_bytes(note)
    small.copy.public_key_file.write_text(f"{twin.verifying_key}\n")
    with pytest.raises(InconsistentStore):
        open_at(small.copy)
    small.sql(("UPDATE ledger SET value = ? WHERE name = 'vkey'", (str(twin.verifying_key),)))
    with open_at(small.copy, read_only=True) as ledger:  # its own earlier checkpoints and entry 0 speak against it
        codes = {item.code for item in failures(ledger)}
    assert codes == {"checkpoint.signature", "ledger.created"}


def _forge(home: Home, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Rewrite the whole history in the database, every derived value with it, as its administrator could."""
    connection = sqlite3.connect(home.ledger_file)
    statements = []
    for (data,) in connection.execute("SELECT bytes FROM entry ORDER BY idx").fetchall():
        statements.append(canonical.decode(data))
    change(statements)
    frontier = Frontier()
    with connection:
        connection.execute("DELETE FROM entry")
        for idx, statement in enumerate(statements):
            taken = statement.pop("taken")
            data = encode_entry(statement, taken)
            digest = bytes.fromhex(statement_digest(statement))
            columns = (idx, statement["producer"], statement["id"], statement["seq"], digest, leaf_hash(data), data)
            connection.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", columns)
            frontier = frontier.extend([leaf_hash(data)])
        values = (frontier.size, frontier.root(), frontier.encode(), taken)
        connection.execute("UPDATE head SET size = ?, root = ?, frontier = ?, taken = ?", values)
    connection.close()


def _swap(statements: list[dict[str, Any]]) -> None:
    statements[4], statements[7] = statements[7], statements[4]
    statements[4]["taken"], statements[7]["taken"] = statements[7]["taken"], statements[4]["taken"]


def _invent(statements: list[dict[str, Any]]) -> None:
    statements.insert(
        9, {**statements[8], "id": "invented", "producer": "nobody", "seq": 0, "prev": None, "claims": []}
    )


def _rewrite(statements: list[dict[str, Any]]) -> None:
    statements[6]["basis"] = "verified"


def _break_origin(statements: list[dict[str, Any]]) -> None:
    statements[-1]["log"] = "another"


def _break_time(statements: list[dict[str, Any]]) -> None:
    statements[-1]["taken"] = "2001-01-01T00:00:00.000000Z"


def _claim_twice(statements: list[dict[str, Any]]) -> None:
    statements[-1]["claims"] = ["name", "name"]


def _spoil(statements: list[dict[str, Any]]) -> None:
    statements[-1]["basis"] = "guessed"


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (_break_origin, {"entry.origin"}),
        (_break_time, {"entry.time", "head.taken"}),
        (_claim_twice, {"claim.twice"}),
        (_spoil, {"entry.malformed", "claim.extra"}),
    ],
)
def test_what_a_faulty_writer_signed_is_found(
    tmp_path: Path, change: Callable[[list[dict[str, Any]]], None], codes: set[str]
) -> None:
    """The signature holds: it says that the log is this one, and not that its entries are good."""
    home = make_home(tmp_path / ".lineal")
    with open_at(home) as ledger:
        ledger.append([Speaker().says(claims=["name"])])
        ledger._unpublished = 0
    _forge(home, change)
    with open_at(home) as ledger:
        ledger.publish()
        assert audit_files(home.log_folder, ledger.key).entries == 2
        assert {item.code for item in failures(ledger)} >= codes


@pytest.mark.parametrize("entries", ["all", ["1"], [99], [-1], [True], None])
def test_an_erasure_that_names_no_entry_is_found(home: Home, entries: object) -> None:
    with open_at(home) as ledger:
        ledger.append([Speaker().says(type="body.erased/1", data={"entries": entries, "reason": "r"})])
        assert [item.code for item in failures(ledger)] == ["erasure.malformed"]


@pytest.mark.parametrize("change", [_swap, _invent, _rewrite, lambda items: items.pop(12), lambda items: items.pop()])
def test_a_history_rewritten_whole_does_not_fit_the_signature(
    small: Bench, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    _forge(small.copy, change)
    assert small.verdict() in {"caught", "refused"}


def test_what_is_not_signed_yet_could_be_rewritten_and_is_told(small: Bench) -> None:
    """The limit of a signed log, shown: between two checkpoints the administrator is believed."""
    with open_at(small.copy) as ledger:
        ledger.append(Speaker("tail").many(2))
        ledger._unpublished = 0  # as if the process died before it published
    _forge(small.copy, lambda statements: statements[-1].update(basis="verified"))
    with open_at(small.copy, read_only=True) as ledger:
        found = {(item.code, item.failed) for item in verify_ledger(ledger)}
    assert ("log.unsigned", False) in found
    assert not any(failed for _, failed in found)


def test_flipped_bytes_anywhere_in_the_database_file_are_caught_or_harmless(small: Bench) -> None:
    """Every page of the raw file is sampled, its header more than the rest."""
    sound = small.sound.ledger_file.read_bytes()
    chance = random.Random(13)
    page = int.from_bytes(sound[16:18], "big")
    places = {chance.randrange(100) for _ in range(25)}
    for start in range(0, len(sound), page):
        places |= {start + chance.randrange(16) for _ in range(2)}
        places |= {start + chance.randrange(page) for _ in range(8)}
    while len(places) < 400:
        places.add(chance.randrange(len(sound)))
    verdicts: Counter[str] = Counter()
    for at in sorted(places):
        for leftover in ("ledger.db-wal", "ledger.db-shm"):
            (small.copy.root / leftover).unlink(missing_ok=True)
        small.copy.ledger_file.write_bytes(sound)
        _flip(small.copy.ledger_file, at, 1 << chance.randrange(8))
        verdict = small.verdict()
        assert verdict != "missed", at
        verdicts[verdict] += 1
    print(f"database file: {verdicts.total()} flipped bits, {dict(verdicts)}")
    assert verdicts.total() >= 400
    assert verdicts.total() - verdicts["harmless"] > 100


OPENED_THEN: list[tuple[str, set[str]]] = [
    ("DELETE FROM head", {"head.rows"}),
    ("UPDATE head SET root = zeroblob(32)", {"head.root"}),
    ("UPDATE head SET frontier = zeroblob(8)", {"head.root"}),
    ("UPDATE head SET size = size + 1", {"head.root"}),
    ("UPDATE head SET taken = '2001-01-01T00:00:00.000000Z'", {"head.taken"}),
    ("DROP TABLE claim", {"ledger.unreadable", "database.schema"}),
    ("DROP TABLE entry", {"ledger.unreadable", "database.schema"}),
    ("CREATE TABLE other (x)", {"database.schema"}),
    ("UPDATE ledger SET value = '2' WHERE name = 'format'", {"ledger.property"}),
    ("UPDATE ledger SET value = '2001' WHERE name = 'created'", {"ledger.property"}),
    ("DELETE FROM ledger WHERE name = 'created'", {"ledger.property"}),
    ("INSERT INTO ledger VALUES ('more', 'x')", {"ledger.property"}),
    ("UPDATE entry SET producer = 'p9' WHERE idx = 4", {"entry.column"}),
    ("UPDATE entry SET leaf = zeroblob(32) WHERE idx = 4", {"entry.column"}),
    ("UPDATE entry SET seq = 'x' WHERE idx = 25", {"entry.column", "ledger.unreadable"}),
    ("UPDATE entry SET statement = 'x' WHERE idx = 25", {"entry.column", "ledger.unreadable"}),
    (
        "UPDATE entry SET bytes = 'x' WHERE idx = 25",
        {"entry.malformed", "head.root", "checkpoint.root", "tile.changed"},
    ),
    # The schema takes no index that is not a number; a table made anew does, and is found out by that too.
    (
        (
            "ALTER TABLE entry RENAME TO kept; CREATE TABLE entry AS SELECT * FROM kept; "
            "UPDATE entry SET idx = 'x' WHERE idx = 25"
        ),
        {"database.schema", "entry.index", "head.root", "checkpoint.beyond"},
    ),
    ("UPDATE entry SET idx = -1 WHERE idx = 25", {"entry.missing"}),
    ("DELETE FROM body WHERE idx = 4", {"body.missing"}),
    ("DELETE FROM body WHERE idx = 0", {"body.missing", "ledger.created"}),
    ("INSERT INTO body VALUES (3, zeroblob(32), x'7b7d')", {"body.kept", "body.changed"}),
    ("INSERT INTO body VALUES (-1, zeroblob(32), x'7b7d')", {"body.extra"}),
    ("INSERT INTO body VALUES (99, zeroblob(32), x'7b7d')", {"body.extra"}),
    (
        (
            "ALTER TABLE body RENAME TO kept; CREATE TABLE body AS SELECT * FROM kept; "
            "INSERT INTO body VALUES (4.5, zeroblob(32), x'7b7d')"
        ),
        {"database.schema", "body.extra"},
    ),
    ("UPDATE body SET salt = 'x' WHERE idx = 4", {"body.changed"}),
    ("DELETE FROM claim WHERE idx = 1", {"claim.missing"}),
    ("INSERT INTO claim VALUES ('mine', 4)", {"claim.extra"}),
    ("INSERT INTO claim VALUES ('mine', 99)", {"claim.extra"}),
    ("INSERT INTO claim VALUES ('mine', -1)", {"claim.extra"}),
    ("UPDATE checkpoint SET note = x'00' WHERE size = 9", {"checkpoint.signature"}),
    ("UPDATE checkpoint SET size = 10 WHERE size = 9", {"checkpoint.size"}),
    ("UPDATE checkpoint SET size = 99 WHERE size = 26", {"checkpoint.size", "checkpoint.published"}),
    ("UPDATE checkpoint SET frontier = zeroblob(8) WHERE size = 9", {"checkpoint.frontier"}),
    ("UPDATE checkpoint SET note = note || '— who AAAAAAAA' || char(10) WHERE size = 9", {"checkpoint.signature"}),
    ("DELETE FROM checkpoint WHERE size = 26", {"checkpoint.published"}),
    ("DELETE FROM entry WHERE idx = 25", {"head.root", "checkpoint.beyond", "body.extra"}),
]


@pytest.mark.parametrize(("statement", "codes"), OPENED_THEN)
def test_each_break_has_its_finding(small: Bench, statement: str, codes: set[str]) -> None:
    """The ledger is open while it is tampered with, so that opening does not find it first."""
    with open_at(small.copy, read_only=True) as ledger:
        small.sql(*statement.split("; "))
        found = {item.code for item in failures(ledger)}
    assert codes <= found, found


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (lambda home: shutil.rmtree(home.log_folder), {"checkpoint.missing", "ledger.unreadable"}),
        (lambda home: home.public_key_file.write_text("no key"), {"ledger.unreadable"}),
        (lambda home: home.format_file.write_text("lineal-ledger/9\n"), {"ledger.unreadable"}),
        (lambda home: home.public_key_file.write_text(f"{SigningKey.generate(LOG).verifying_key}\n"), {"ledger.key"}),
        (lambda home: (home.log_folder / "checkpoint").write_text("no"), {"checkpoint.signature"}),
        (lambda home: home.ledger_file.write_bytes(b"x" * 4096), {"ledger.unreadable"}),
    ],
)
def test_each_break_of_a_file_has_its_finding(small: Bench, change: Callable[[Home], object], codes: set[str]) -> None:
    with open_at(small.copy, read_only=True) as ledger:
        change(small.copy)
        found = {item.code for item in failures(ledger)}
    assert codes <= found, found


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM entry WHERE idx = 25",
        "DELETE FROM entry WHERE idx = 20",
        "DELETE FROM entry WHERE idx = 0",
        "UPDATE entry SET idx = -1 WHERE idx = 7",
        "UPDATE entry SET bytes = 'x' WHERE idx = 7",
        "UPDATE entry SET bytes = bytes || x'20' WHERE idx = 7",
        "UPDATE entry SET bytes = bytes || x'20' WHERE idx = 27",
        "DELETE FROM entry WHERE idx = 27",
        "INSERT INTO entry SELECT 28, 'who', 'x', 0, statement, leaf, bytes FROM entry WHERE idx = 27",
        "UPDATE head SET size = 27",
        "UPDATE checkpoint SET size = 25 WHERE size = 26",
        "UPDATE checkpoint SET size = -1",
        "UPDATE checkpoint SET size = 99 WHERE size = 26",
        "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 9) WHERE size = 26",
    ],
)
def test_the_fast_audit_refuses_what_was_signed_and_changed(small: Bench, statement: str) -> None:
    with open_at(small.copy) as ledger:
        ledger.append(Speaker("tail").many(2))
        assert audit_log(ledger).signed == 26
        try:
            small.sql(statement)
        except sqlite3.IntegrityError:
            small.sql("DELETE FROM checkpoint WHERE size <> 26", statement)
        with pytest.raises(IntegrityError):
            audit_log(ledger)
        ledger._unpublished = 0


def test_the_audit_of_files_alone_refuses_each_that_is_missing_or_changed(large: Bench) -> None:
    key = load_key(large.copy.private_key_file).verifying_key
    assert audit_files(large.copy.log_folder, key).entries == 302
    read = 0
    for file in sorted(path for path in large.copy.log_folder.rglob("*") if path.is_file()):
        sound = file.read_bytes()
        needed = file.name in {"checkpoint", "000"} or (file.parent.name.endswith(".p") and _is_last(file, large))
        read += needed
        for data in (None, sound[:-1] + b"?", sound[:-1], sound + b"?", b""):
            if data is None:
                file.unlink()
            else:
                file.write_bytes(data)
            if needed:
                with pytest.raises(IntegrityError):
                    audit_files(large.copy.log_folder, key)
            else:
                audit_files(large.copy.log_folder, key)
            file.write_bytes(sound)
    assert read == 6


def test_files_rewritten_to_fit_each_other_do_not_fit_the_signature(large: Bench) -> None:
    tile = large.copy.log_folder / "tile"
    entries = decode_bundle((tile / "entries" / "001.p" / "46").read_bytes())
    entries[-1] = entries[-1].replace(b"tester", b"nobody").replace(b"claimed", b"checked")
    (tile / "entries" / "001.p" / "46").write_bytes(encode_bundle(entries))
    (tile / "0" / "001.p" / "46").write_bytes(b"".join(map(leaf_hash, entries)))
    with pytest.raises(InconsistentStore, match="signed root"):
        audit_files(large.copy.log_folder, load_key(large.copy.private_key_file).verifying_key)
    assert large.verdict() == "caught"


def test_an_index_that_hides_rows_is_found(small: Bench) -> None:
    connection = sqlite3.connect(small.copy.ledger_file)
    (sound,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'claim_idx'").fetchone()
    connection.execute("DROP INDEX claim_idx")
    connection.execute("CREATE INDEX claim_idx ON claim (idx) WHERE name = 'none'")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'claim_idx'", (sound,))
    connection.commit()
    connection.close()
    assert _codes(small)["database.damaged"]


def test_a_gap_that_is_too_wide_to_count_does_not_stop_the_verifier(small: Bench) -> None:
    small.sql("UPDATE entry SET idx = 4611686018427387904 WHERE idx = 20")
    with open_at(small.copy, read_only=True) as ledger:
        codes = [item.code for item in failures(ledger)]
    assert "entry.missing" in codes
    assert "head.root" in codes


def test_what_is_said_is_what_was_asked_to_be_said(small: Bench) -> None:
    """The judge is judged: a change that reads differently and breaks nothing checked would be called missed."""
    small.says["entries"] = small.says["entries"][:-1]
    assert small.verdict() == "missed"
    small.says = _says(small.sound)


def test_an_entry_of_an_event_type_nobody_knows_is_no_fault(small: Bench) -> None:
    with open_at(small.copy) as ledger:
        event: Event = Speaker("future").says(type="not.yet_known/7")
        ledger.append([event])
        assert not failures(ledger)
