"""What a damaged change index says is not believed, column by column: each of them is under the seal."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lineal.core.digest import Digest
from lineal.datasets import manifest
from lineal.datasets.block import KEY, is_settled
from lineal.datasets.index import ChangeIndex
from lineal.datasets.index_rows import Basis
from lineal.datasets.snapshot import snapshot
from lineal.objects.store import ObjectStore


@pytest.mark.parametrize("column", ["digests", "keys", "names", "size", "files", "device", "packs"])
def test_a_row_with_other_words_than_were_sealed_is_read_again(tmp_path: Path, column: str) -> None:
    data, store, index = tmp_path / "d", ObjectStore(tmp_path / "objects"), tmp_path / "changes.db"
    data.mkdir()
    (data / "a").write_bytes(b"one")
    true = snapshot(data, store, index=index).digest
    with closing(sqlite3.connect(index)) as connection, connection:
        ((value,),) = connection.execute(f"SELECT {column} FROM block").fetchall()
        if isinstance(value, bytes):
            value = value[:-1] + bytes([value[-1] ^ 1]) if value else b"\0" * 4
        else:
            value = int(value) + 1
        connection.execute(f"UPDATE block SET {column} = ?", (str(value) if column == "device" else value,))
        # Nothing to take as it is: the rows have to say it all.
        connection.execute("UPDATE root SET digest = NULL, seal = NULL")
    found = snapshot(data, store, index=index)
    assert (found.digest, found.files, found.bytes) == (true, 1, 3)
    listed = manifest.entries(manifest.load(found.digest, store), store)
    assert [each.digest for each in listed] == [Digest.of(b"one")]


def test_two_who_write_at_once_do_not_say_what_the_rows_add_up_to(tmp_path: Path) -> None:
    file, root = tmp_path / "changes.db", b"/data"
    first, second = ChangeIndex(file, root), ChangeIndex(file, root)
    second.write([])
    first.write([], basis=Basis(Digest.of(b"of rows that are not there any more"), 1, 1))
    first.close()
    second.close()
    with closing(ChangeIndex(file, root)) as found:
        assert found.basis is None


SECOND = 1_000_000_000
NOW = 1_760_000_000 * SECOND + 500_000_000


@pytest.mark.parametrize(
    ("ctime", "is_sure"),
    [
        (NOW - 1, False),
        (NOW - 10_000_000, False),  # within a tick of the clock of most file systems
        (NOW - 30_000_000, True),
        (NOW - 500_000_000, False),  # whole seconds: it may count nothing smaller
        (NOW - 1_500_000_000, False),
        (NOW - 2_500_000_000, True),
        (NOW + 1, False),  # has yet to come: says nothing
        (NOW + 5 * SECOND, False),
    ],
)
def test_a_file_is_known_only_once_a_later_write_would_be_seen(ctime: int, is_sure: bool) -> None:
    assert is_settled(KEY.pack(7, 1, 1, ctime, 0o100644), NOW) is is_sure
