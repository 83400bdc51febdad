"""One watcher for each ledger, on SQLite by a file and on PostgreSQL by the database, so that hosts are told apart."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from places import Place

from lineal.app.session import Session
from lineal.app.watch_lock import only_watcher
from lineal.catalog import project
from lineal.cli.main import run
from lineal.errors import Refused
from lineal.ledger.log import Ledger
from lineal.objects.store import ObjectStore


@contextmanager
def session(place: Place, actor: str) -> Iterator[Session]:
    catalog = place.connect_catalog()
    project.prepare(catalog)
    opened = Session(place.open(), catalog, ObjectStore(place.home.objects_folder), actor)
    with opened:
        yield opened


def test_a_second_is_refused_and_told_who_is_the_first(place: Place, ledger: Ledger) -> None:
    with session(place, "ana@bank.example") as first, session(place, "bob") as second:
        with only_watcher(first) as held:
            held.check()
            with pytest.raises(Refused) as refused, only_watcher(second):
                pass
            assert re.search(r"ana@bank\.example.*since 20\d\d-", refused.value.message)
            with pytest.raises(Refused), only_watcher(first):
                pass
        with only_watcher(second):
            pass


def test_it_is_let_go_of_when_the_watcher_fails(place: Place, ledger: Ledger) -> None:
    with session(place, "ana") as first, session(place, "bob") as second:
        with pytest.raises(ZeroDivisionError), only_watcher(first):
            raise ZeroDivisionError
        with only_watcher(second):
            pass


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_connection_that_was_cut_is_noticed(place: Place, ledger: Ledger) -> None:
    assert place.server is not None
    cut = "SELECT pg_terminate_backend(pid, 120000) FROM pg_stat_activity WHERE application_name LIKE 'lineal watch%'"
    with ExitStack() as stack:
        first, second = (stack.enter_context(session(place, name)) for name in ("ana", "bob"))
        with only_watcher(first) as held:
            assert place.server.run(cut) == [(True,)]
            held.check()  # nobody else has come: it is taken again
            with pytest.raises(Refused, match="ana"), only_watcher(second):
                pass
            place.server.run(cut)
            with only_watcher(second), pytest.raises(Refused, match="bob"):
                held.check()
            held.check()


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_names_of_every_script_and_length_are_no_matter(place: Place, ledger: Ledger) -> None:
    odd = "名" * 100 + "'; DROP"
    with session(place, odd) as first, session(place, "b") as second, only_watcher(first):
        with pytest.raises(Refused, match=r"ledger: \?+ from") as refused, only_watcher(second):
            pass
        assert len(refused.value.message) < 200


def test_two_watchers_by_the_command_line(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "project"
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "app.yaml").write_text("a: 1\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LINEAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LINEAL_LEDGER", place.server.url(place.name) if place.server else str(folder))
    monkeypatch.setenv("LINEAL_ACTOR", "ana")
    assert run(["init", "-q"]) == 0
    command = [sys.executable, "-P", "-m", "lineal", "watch", "files:conf", "--every", "1h", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as first:
        try:
            assert first.stdout is not None
            done = json.loads(first.stdout.readline())
            assert (done["sources"][0]["recorded"], done["failed"]) == (1, {})
            capfd.readouterr()
            assert run(["watch", "files:conf", "--once", "--json"]) == Refused.exit_status
            assert "ana" in json.loads(capfd.readouterr().out)["error"]["message"]
            first.send_signal(signal.SIGTERM)
            assert first.wait(900) == 0
        finally:
            first.kill()
    assert run(["watch", "files:conf", "--once", "--json"]) == 0
    assert run(["verify", "-q"]) == 0
