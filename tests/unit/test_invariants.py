"""Invariants of the house that no other test would miss at once."""

import ast
from pathlib import Path

import pytest

import lineal
from lineal.ledger.database import Database

SOURCE = Path(lineal.__file__).parent
FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle"}
ALLOWED = {
    # What spreads the hashing over a cluster hands work to its own workers; nothing that is recorded is loaded there.
    ("spread.py", "joblib"): {"Parallel", "delayed", "parallel_config", "register_parallel_backend"},
    # Documents are written so, compared or found again, and forgotten: nothing is ever read back.
    ("exact.py", "marshal"): {"dumps"},
    ("semantic.py", "marshal"): {"dumps"},
}


@pytest.mark.parametrize(
    "file",
    [file for file in sorted(SOURCE.rglob("*.py")) if "demo-project" not in file.parts],
    ids=lambda file: file.stem,
)
def test_nothing_recorded_is_ever_unpickled_or_executed(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not {alias.name.partition(".")[0] for alias in node.names} & FORBIDDEN
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").partition(".")[0]
            names = {alias.name for alias in node.names}
            assert module not in FORBIDDEN or names <= ALLOWED.get((file.name, module), set())
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec"}


def test_the_ledger_syncs_every_commit_and_says_so_to_sqlite(tmp_path: Path) -> None:
    database = Database.sqlite(tmp_path / "ledger.db", create=True)
    with database.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.close()
