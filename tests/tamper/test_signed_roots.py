"""Nothing is signed, started or passed by the fast audit whose bytes do not give the signed root."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from kit import Speaker, make_home, open_at
from lineal.core.checkpoint import open_checkpoint, sign_checkpoint
from lineal.core.merkle import Frontier, leaf_hash
from lineal.errors import InconsistentStore, StoreError, StoreUnavailable
from lineal.ledger import writer
from lineal.ledger.home import Home
from lineal.ledger.keys import load_key
from lineal.ledger.verify import audit_log


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / ".lineal")


def _rewrite(home: Home, *, fit: bool) -> None:
    """Change the last entry; with `fit`, its leaf and the head too, so that the database agrees with itself."""
    with closing(sqlite3.connect(home.ledger_file)) as database, database:
        entries = [row[0] for row in database.execute("SELECT bytes FROM entry ORDER BY idx")]
        last = len(entries) - 1
        entries[last] = entries[last].replace(b'"seq":0', b'"seq":1')
        database.execute("UPDATE entry SET bytes = ? WHERE idx = ?", (entries[last], last))
        if fit:
            frontier = Frontier().extend(map(leaf_hash, entries))
            database.execute("UPDATE entry SET leaf = ? WHERE idx = ?", (leaf_hash(entries[last]), last))
            database.execute("UPDATE head SET root = ?, frontier = ?", (frontier.root(), frontier.encode()))


def test_what_changed_after_it_was_committed_is_not_signed(home: Home) -> None:
    ledger = open_at(home)
    ledger.append([Speaker("p").says()])
    _rewrite(home, fit=False)
    with pytest.raises(InconsistentStore, match="nothing was signed"):
        ledger.publish()
    with closing(sqlite3.connect(home.ledger_file)) as database:
        assert database.execute("SELECT size FROM checkpoint").fetchall() == [(1,)]
    ledger.database.close()


def test_the_fast_audit_holds_the_entries_against_the_signature_and_not_only_the_head(home: Home) -> None:
    with open_at(home) as ledger:
        ledger.append([Speaker("p").says()])
        ledger.publish()
        assert audit_log(ledger).signed == 2
        _rewrite(home, fit=True)
        with pytest.raises(InconsistentStore, match="do not give the signed root"):
            audit_log(ledger)


def test_two_checkpoints_of_one_size_are_refused_at_the_start(home: Home) -> None:
    signer = load_key(home.private_key_file)
    file = home.log_folder / "checkpoint"
    other = replace(open_checkpoint(file.read_bytes(), signer.verifying_key), root=leaf_hash(b"another history"))
    file.write_bytes(sign_checkpoint(other, signer))
    with pytest.raises(InconsistentStore, match="is not the one in the database"):
        open_at(home)


@pytest.mark.parametrize(("error", "goes_on"), [(StoreError("fsync failed"), False), (StoreUnavailable("busy"), True)])
def test_after_a_commit_of_unknown_outcome_nothing_more_is_written(
    home: Home, monkeypatch: pytest.MonkeyPatch, error: StoreError, goes_on: bool
) -> None:
    def fails(*_: object) -> None:
        raise error

    speaker, real = Speaker("p"), writer.commit_batch
    with open_at(home) as ledger:
        monkeypatch.setattr(writer, "commit_batch", fails)
        event = speaker.says()
        with pytest.raises(StoreError):
            ledger.append([event])
        monkeypatch.setattr(writer, "commit_batch", real)
        if goes_on:
            assert ledger.append([event])[0].new
        else:
            with pytest.raises(StoreUnavailable, match="open the ledger again"):
                ledger.append([event])
