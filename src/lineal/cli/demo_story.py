"""The story that the demo tells: two cycles of a model's life, then the questions."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from lineal.cli.demo_shell import Shell, python_word
from lineal.cli.demo_stage import FIRST_ROWS, Table, make_project
from lineal.errors import DemoFailed, IntegrityError, Refused

MAKER: Final = "ana@demo.example"
CHECKER: Final = "bo@demo.example"


def tell(shell: Shell, table: Table) -> str:
    """Make the project and live both cycles; return a moment before the second deployment."""
    shell.say("[bold]1. A project in git, real data, plain scripts: no Lineal import in any of them[/]")
    table.write_probes(Path("probes.json"))
    make_project(shell)
    rows = table.write(Path("data/raw.csv"), FIRST_ROWS)
    shell.console.print(f"prepare.py train.py serve.py params.yaml · data/raw.csv: the first {rows} tumours")
    shell.lineal("init")
    _live(shell, 1)
    at = _moment_after_now()

    shell.say("[bold]4. A second cycle: more data, another commit, and one edit that nobody committed[/]")
    shell.console.print(f"data/raw.csv: now {table.write(Path('data/raw.csv'))} tumours")
    _change_code(shell)
    _wait_for(at)
    _live(shell, 2)
    return at


def _live(shell: Shell, version: int) -> None:
    maker = ("--as", MAKER)
    model = f"model:tumours@{version}"
    python = python_word()
    server = ("--probe", "probes.json", "--", python, "serve.py", "{model}", "{port}")
    shell.lineal("snapshot", "dataset:tumours", "data/raw.csv", *maker)
    shell.lineal("run", "--name", "prepare", *maker, "--", python, "prepare.py")
    shell.lineal("run", "--name", "train", *maker, "--", python, "train.py")
    if version == 1:
        shell.say("[bold]2. Registered; nobody approves a model of their own, and nothing unapproved is deployed[/]")
    shell.lineal(
        "register",
        "model:tumours",
        "model.joblib",
        "--intended-use",
        "triage, not diagnosis",
        "--risk-tier",
        "high",
        *maker,
    )
    if version == 1:
        shell.lineal("approve", model, "--reason", "looks good to me", *maker, expect=Refused.exit_status)
        shell.lineal("deploy", "endpoint:scorer", model, *maker, *server, expect=Refused.exit_status)
    shell.lineal("approve", model, "--reason", "recall on the test set is what the plan asks for", "--as", CHECKER)
    if version == 1:
        shell.say("[bold]3. Deployed: a real HTTP server, given its model by digest, asked which one it loaded[/]")
    shell.lineal("deploy", "endpoint:scorer", model, *maker, *server)


def _change_code(shell: Shell) -> None:
    params = Path("params.yaml")
    params.write_text(params.read_text(encoding="utf-8").replace("C: 1.0", "C: 0.1"), encoding="utf-8")
    shell.git("commit", "--all", "--message", "Regularise more", shown=True)
    train = Path("train.py")
    code = train.read_text(encoding="utf-8")
    train.write_text(code.replace("max_iter=params", 'class_weight="balanced", max_iter=params'), encoding="utf-8")
    shell.git("diff", "--unified=0", "train.py", shown=True)


def ask(shell: Shell, at: str, *, again: bool = False) -> None:
    """Put the questions, each with the command that asks it; nothing is recorded.

    When they are put `again`, somebody may have gone on with the ledger: then only its proofs must hold.
    """
    good = None if again else 0
    shell.say("[bold]5. What made what serves now? Through to commit, dataset, environment, parameters, approval[/]")
    shell.lineal("trace", "endpoint:scorer", expect=good)
    shell.say("[bold]6. Is everything there that must be? The card of both phases and the deployment[/]")
    shell.lineal("check", "endpoint:scorer", expect=None)  # a row that this machine cannot fill is an answer, too
    shell.say("[bold]7. What is different between the two models?[/]")
    shell.lineal("diff", "model:tumours@1", "model:tumours@2", expect=good)
    shell.say("[bold]8. The first dataset is recalled: what does it touch?[/]")
    shell.lineal("impact", "dataset:tumours@1", expect=good)
    shell.say("[bold]9. What served before the second deployment, and what had made it?[/]")
    shell.lineal("trace", "endpoint:scorer", "--at", at, expect=good)
    shell.say("[bold]10. Is it all unaltered? Proofs, signatures, and every stored byte[/]")
    shell.lineal("verify")
    shell.say("[bold]11. Somebody changes one byte of a copy of the ledger: who approved the model[/]")
    with _tampered_copy(Path(".lineal")) as copy:
        shell.lineal("verify", "--ledger", str(copy), expect=IntegrityError.exit_status)


@contextmanager
def _tampered_copy(ledger: Path) -> Iterator[Path]:
    """Give a copy of `ledger` in whose database the name of one actor has another first letter."""
    with tempfile.TemporaryDirectory(prefix="lineal-demo-") as scratch:
        copy = Path(scratch) / ledger.name
        shutil.copytree(ledger, copy, ignore=shutil.ignore_patterns("serving", "catalog.db*"))
        database = copy / "ledger.db"
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        content = bytearray(database.read_bytes())
        place = content.find(f'"actor":"{CHECKER}"'.encode())
        if place < 0:
            raise DemoFailed("the copy of the database does not name the approver where it is expected")
        content[place + len('"actor":"')] ^= 0x01
        database.write_bytes(content)
        yield copy


def _moment_after_now() -> str:
    """Return the next full second, as a person types it."""
    return (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _wait_for(at: str) -> None:
    """Wait until `at` is past: at most a second."""
    import time

    time.sleep(max(0.0, (datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds()))
