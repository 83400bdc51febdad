"""The commands that read, as a stranger types them: every answer parses, every error is a message with a fix."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commandline import LINEAL, Place, make_place

import lineal
from lineal.cli import main
from lineal.core.edge import Edge
from lineal.core.observation import Node, Observation

Ask = Callable[..., tuple[int, str, str]]

HOSTILE = "a[/b]\u202e\x9bm[red]"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A ledger with a run, datasets and a cycle; tests that change it work on a copy."""
    place = make_place(tmp_path_factory.mktemp("commands"))
    work = place.folder
    (work / "d").mkdir()
    (work / "d" / "a.csv").write_text("1\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        with lineal.open(actor="o'[/] brien") as client:
            client.snapshot("dataset:d", "d")
            (work / "d" / "a.csv").write_text("2\n")
            client.snapshot("dataset:d", "d")
            client.snapshot(f"dataset:{HOSTILE}", "d")
            with client.run("train", "training") as run:
                run.use("dataset:d@1")
                run.parameters(lr=0.1, note="\x1b]0;owned\x07")
                run.metrics(auc=0.9)
                (work / "m.bin").write_bytes(b"m")
                run.generate("m.bin")
            ends = [client.resolve("dataset:d@1").canonical, client.resolve("dataset:d@2").canonical]
            client.record([derived(*ends), derived(*reversed(ends))])
    return place


def derived(source: str, target: str) -> Observation:
    return Observation(
        type="test.derived/1",
        time="2026-01-01T00:00:00.000000Z",
        actor="tester",
        basis="claimed",
        edges=(Edge(source, target, "derived_from"),),
    )


@pytest.fixture
def place(original: Place, tmp_path: Path) -> Place:
    shutil.copytree(original.folder, tmp_path / "work", symlinks=True)
    (tmp_path / "home").mkdir()
    return Place(tmp_path / "work", tmp_path / "home")


@pytest.fixture
def ask(place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Ask]:
    """Type a command in `place`, without a process of its own."""
    monkeypatch.chdir(place.folder)
    monkeypatch.delenv("LINEAL_LEDGER", raising=False)
    monkeypatch.setenv("LINEAL_ACTOR", "tester")
    before = os.environ.copy()

    def type_in(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main.run(list(arguments))
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert "bug of Lineal" not in said.err
        return status, said.out, said.err

    yield type_in
    os.environ.clear()
    os.environ.update(before)


READS = (
    ("ls",), ("ls", "dataset"), ("ls", "run"), ("ls", "dataset:d"), ("show", "dataset:d"), ("show", "dataset:d@1"),
    ("log",), ("log", "-n", "1"), ("log", "dataset:d"), ("log", "--prove"), ("trace", "dataset:d"),
    ("trace", "file:m.bin"), ("impact", "dataset:d@1"), ("trace", "dataset:d", "--depth", "0"),
    ("trace", "file:m.bin", "--kind", "run", "--kind", "dataset"), ("verify",), ("verify", "file:m.bin"),
    ("rebuild",), ("log", "-n", "9" * 30), ("trace", "dataset:d", "--depth", "9" * 18), ("show", f"dataset:{HOSTILE}"),
)  # fmt: skip


@pytest.mark.parametrize("command", READS, ids=" ".join)
def test_every_answer_is_one_document_or_plain_text(ask: Ask, command: tuple[str, ...]) -> None:
    status, out, _ = ask(*command, "--json")
    assert status == 0
    json.loads(out)
    status, out, _ = ask(*command)
    assert status == 0
    assert out
    assert all(char.isprintable() or char == "\n" for char in out), "no colour off a terminal, and nothing hostile"


ERRORS: tuple[tuple[tuple[str, ...], int, str], ...] = (
    (("show", "model:none"), 2, "usage.unknown_ref"),
    (("show", "dataset:../../x"), 2, "usage.unknown_ref"),
    (("show", "dataset:%2f"), 2, "usage.bad_ref"),
    (("show", "dataset:%"), 2, "usage.bad_ref"),
    (("show", "dataset:a\nb"), 2, "usage.bad_ref"),
    (("show", "dataset:a\x1b[31m"), 2, "usage.bad_ref"),
    (("show", "a b"), 2, "usage.bad_ref"),
    (("show", ""), 2, "usage.bad_ref"),
    (("show", "\udcff\udcfe"), 2, "usage.bad_ref"),
    (("show", "dataset:\udcff"), 2, "usage.bad_ref"),
    (("show", "dataset:" + "n" * 10_000), 2, "usage.bad_ref"),
    (("show", "dataset:d@99"), 2, "usage.unknown_ref"),
    (("show", "dataset:d@sha256:00000000"), 2, "usage.unknown_ref"),
    (("show", "run:nobody"), 2, "usage.unknown_ref"),
    (("show", "run:../x"), 2, "usage.bad_ref"),
    (("show", "sha256:"), 2, "usage.unknown_ref"),
    (("ls", "nothing"), 2, "usage.bad_ref"),
    (("ls", "dataset:d@1"), 2, "usage.bad_ref"),
    (("ls", ""), 2, "usage.bad_ref"),
    (("ls", "dataset:"), 2, "usage.bad_ref"),
    (("trace", "dataset:d", "--at", "tomorrow"), 2, "usage.bad_time"),
    (("trace", "dataset:d", "--known", "2026-13-01"), 2, "usage.bad_time"),
    (("trace", "dataset:d", "--at", "9" * 5000 + "s ago"), 2, "usage.bad_time"),
    (("trace", "dataset:d", "--kind", "modle"), 2, "usage.bad_ref"),
    (("trace", "dataset:d", "--format", "svg"), 2, "usage"),
    (("trace", "dataset:d", "--depth", "-1"), 2, "usage"),
    (("log", "--limit", "0"), 2, "usage"),
    (("log", "--limit", "x"), 2, "usage"),
    (("show",), 2, "usage"),
    (("no-such-command",), 2, "usage"),
    (("ls", "--no-such-option"), 2, "usage"),
    (("verify", "model:none"), 2, "usage.unknown_ref"),
    (("snapshot", "dataset:x", "missing"), 2, "usage.bad_input"),
    (("snapshot", "dataset:x", "/dev/null"), 2, "usage.bad_input"),
    (("snapshot", "dataset:x", ".lineal"), 2, "usage.bad_input"),
    (("snapshot", "dataset:x", ".lineal/keys/../keys/log.skey"), 2, "usage.bad_input"),
    (("snapshot", "dataset:x@1", "d"), 2, "usage.bad_ref"),
    (("snapshot", "model:x", "d"), 2, "usage.bad_ref"),
    (("init",), 2, "usage.already_exists"),
    (("init", "other", "--origin", "two words"), 2, "usage.bad_input"),
    (("ls", "--ledger", "nowhere"), 2, "usage.not_a_ledger"),
    (("ls", "--ledger", "ftp://host/x"), 2, "usage"),
)


@pytest.mark.parametrize(("command", "status", "code"), ERRORS)
def test_every_error_is_a_message_with_a_fix(ask: Ask, command: tuple[str, ...], status: int, code: str) -> None:
    found, out, err = ask(*command, "--json")
    assert (found, json.loads(out)["error"]["code"]) == (status, code)
    assert set(json.loads(out)["error"]) == {"code", "message", "fix"}
    found, out, err = ask(*command)
    assert (found, out) == (status, "")
    assert len(err.splitlines()) >= 2
    assert all(char.isprintable() or char == "\n" for char in err.encode(errors="backslashreplace").decode())


def test_two_things_of_one_prefix_are_ambiguous(ask: Ask) -> None:
    status, out, _ = ask("show", "train", "--json")
    assert status == 2
    digests = [node["digest"] for node in json.loads(ask("ls", "dataset:d", "--json")[1])["nodes"]]
    assert len(digests) == 2
    assert json.loads(ask("show", digests[0][:14], "--json")[1])["node"]["digest"] == digests[0]
    status, out, _ = ask("show", digests[1], "--json")
    assert json.loads(out)["error"]["code"] == "usage.ambiguous_ref", "two datasets have this content"


# Ledgers that are none, or were damaged


def damage(place: Place, what: str) -> None:
    home = place.folder / ".lineal"
    if what == "newer":
        (home / "format").write_text("lineal-ledger/2\n")
    elif what == "garbage mark":
        (home / "format").write_text("hello")
    elif what == "no mark":
        (home / "format").unlink()
    elif what == "garbage ledger":
        for file in home.glob("ledger.db*"):
            file.unlink()
        (home / "ledger.db").write_bytes(os.urandom(30_000))
    elif what == "no ledger":
        (home / "ledger.db").unlink()
    elif what == "garbage key":
        (home / "log.vkey").write_text("x")


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("newer", 2, "usage.newer_format"),
        ("garbage mark", 2, "usage.not_a_ledger"),
        ("no mark", 2, "usage.not_a_ledger"),
        ("garbage ledger", 10, "integrity.inconsistent_store"),
        ("no ledger", 2, "usage.not_a_ledger"),
        ("garbage key", 10, "integrity.inconsistent_store"),
    ],
)
def test_what_is_no_ledger_is_said_so_and_left_alone(ask: Ask, place: Place, what: str, status: int, code: str) -> None:
    damage(place, what)
    before = {file: file.read_bytes() for file in (place.folder / ".lineal").rglob("*") if file.is_file()}
    for command in (("ls",), ("snapshot", "dataset:e", "d"), ("run", "--", "touch", "ran")):
        found, out, _ = ask(*command[:1], "--json", *command[1:])
        assert (found, json.loads(out)["error"]["code"]) == (status, code), command
    assert not (place.folder / "ran").exists()
    after = {file: file.read_bytes() for file in before if file.exists()}
    assert after == before


def test_without_its_signing_key_a_ledger_is_read_only(ask: Ask, place: Place) -> None:
    shutil.rmtree(place.folder / ".lineal" / "keys")
    assert ask("ls")[0] == ask("verify")[0] == 0
    assert ask("snapshot", "dataset:e", "d")[0] == 11


def test_deleted_objects_are_found_and_named(ask: Ask, place: Place) -> None:
    shutil.rmtree(place.folder / ".lineal" / "objects")
    assert ask("ls")[0] == 0
    status, out, _ = ask("verify", "--json")
    assert status == 10
    assert {finding["code"] for finding in json.loads(out)["findings"]} == {"objects.missing"}
    assert ask("verify", "dataset:d@1")[0] == 10


@pytest.mark.parametrize("content", [b"", b"garbage" * 5000, None])
def test_a_catalog_that_is_lost_is_made_anew(ask: Ask, place: Place, content: bytes | None) -> None:
    listed = ask("ls", "--json")[1]
    for file in (place.folder / ".lineal").glob("catalog.db*"):
        file.unlink()
    if content is not None:
        (place.folder / ".lineal" / "catalog.db").write_bytes(content)
    if content:
        status, _, err = ask("ls")
        assert status == 10
        assert "lineal rebuild" in err
        status, out, _ = ask("rebuild", "--json")
        assert (status, json.loads(out)["same"], json.loads(out)["before"]) == (0, False, None)
    assert ask("ls", "--json")[1] == listed
    assert json.loads(ask("rebuild", "--json")[1])["same"] is True


def test_a_folder_that_is_gone_is_said_so(ask: Ask, place: Place) -> None:
    (place.folder / "brief").mkdir()
    os.chdir(place.folder / "brief")
    (place.folder / "brief").rmdir()
    for command in (("ls",), ("run", "true"), ("init",)):
        assert ask(*command)[0] in {2, 11}


# Streams


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("{} ls >&-", 0),
        ("{} ls 2>&-", 0),
        ("{} nothing 2>&-", 2),
        ("{} ls > /dev/full", 11),
        ("{} ls --json > /dev/full", 11),
        ("{} log --json | true; exit ${{PIPESTATUS[0]}}", 141),
        ("{} show nothing --json | true; exit ${{PIPESTATUS[0]}}", 141),
    ],
)
def test_an_output_that_takes_nothing_is_no_traceback(place: Place, line: str, status: int) -> None:
    done = place.do("bash", "-c", "sleep 0; " + line.format(" ".join(LINEAL)))
    assert "Traceback" not in done.err
    assert done.status == status or (status == 141 and done.status in {0, 2})  # the reader may still have been there


_NO_ITEMS = '{"fileVersion": "1.0", "configurationItems": []}'
_RECORDS = '{"Records": []}'


# The first tour on docs/howto/first-model.md is typed with the real program as well; these are not on it.
@pytest.mark.parametrize(
    "line",
    ["add container c r.example/c@sha256:" + "a" * 64, "tag dataset:d@1 stage=gold", "restore dataset:d@1 again",
     "rebuild", "timeline dataset:d", "explain", "check --list-rules", "erase 3 --reason r --yes", "collect files d",
     "collect git .", "collect dvc .", "collect aws-config none.json", "collect cloudtrail trail.json",
     "approve change x --ticket C-1 --reason r --to 2100-01-01 --principal a --as b@c.example", "show --at now"],
    ids=lambda line: " ".join(line.split()[:2]),
)  # fmt: skip
def test_a_command_that_has_imported_nothing_before_has_all_it_needs(place: Place, line: str) -> None:
    """Most tests let commands come from a process that has imported everything."""
    (place.folder / "none.json").write_text(_NO_ITEMS)
    (place.folder / "trail.json").write_text(_RECORDS)
    if line.startswith(("collect git", "collect dvc")):
        (place.folder / ".dvc").mkdir()
        place.repository()
    done = place.do(*LINEAL, *line.split())
    assert done.status == 0, done.err


def test_an_output_that_speaks_ascii_only_gets_all_the_same(place: Place) -> None:
    env = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    ref = f"dataset:{HOSTILE}"
    assert place.do(*LINEAL, "show", ref, "--json", env=env).json()["node"]["name"] == HOSTILE
    plain = place.do(*LINEAL, "ls", env=env)
    assert (plain.status, rb"\u202e" in plain.out) == (0, True)


def test_a_terminal_gets_colours_and_never_what_is_recorded_raw(place: Place) -> None:
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    (run,) = (node["ref"] for node in place.lineal("ls", "run", "--json").json()["nodes"])
    process = place.start(*LINEAL, "show", run, stdout=follower, env={"TERM": "xterm-256color"})
    os.close(follower)
    seen = b""
    try:
        while chunk := os.read(leader, 65536):
            seen += chunk
    except OSError:
        pass
    os.close(leader)
    assert process.wait(900) == 0
    assert b"\x1b[1m" in seen
    assert b"\x1b]0;" not in seen
    assert rb"\x1b]0;owned" in seen


# As of a moment; shapes


def test_a_lineage_as_of_a_moment(ask: Ask) -> None:
    _, out, _ = ask("trace", "dataset:d@2", "--at", "2026-06-01", "--json")
    assert json.loads(out)["error"]["code"] == "usage.unknown_ref", "it had not happened by then"
    now = json.loads(ask("trace", "dataset:d@2", "--at", "now", "--json")[1])
    assert {node["ref"] for node in now["nodes"]} == {"dataset:d@1", "dataset:d@2"}
    known = json.loads(ask("trace", "dataset:d@2", "--known", "2001-01-01", "--json")[1])
    assert known["error"]["code"] == "usage.unknown_ref", "the ledger did not know it by then"


def test_the_change_of_an_answer_lies_between_two_moments(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.folder)
    from lineal.catalog.graph import Moment

    with lineal.open(actor="t") as client:
        model, run, early, late = "model:m@sha256:" + "0" * 64, "run:r-1", "2020-01-01", "2021-01-01"
        for edge, day in (
            (Edge(run, model, "generated"), early),
            (Edge(client.resolve("dataset:d").canonical, run, "used"), late),
        ):
            from lineal.core.digest import Digest

            nodes = (Node(ref=model, basis="claimed", digest=Digest(bytes(32))), Node(ref=run, basis="claimed"))
            client.record(
                [
                    Observation(
                        type="t.said/1",
                        time=f"{day}T00:00:00.000000Z",
                        actor="t",
                        basis="claimed",
                        nodes=nodes,
                        edges=(edge,),
                    )
                ]
            )
        before = client.trace("model:m", Moment(time="2020-06-01T00:00:00.000000Z"))
        after = client.trace("model:m", Moment(time="2021-06-01T00:00:00.000000Z"))
        unborn = client.trace("model:m", Moment(time="2021-06-01T00:00:00.000000Z"), kinds=["run"])
        last_taken = client.session.catalog.events(limit=1)[0]["taken"]
        known = client.trace("model:m", Moment(known=client.session.catalog.events()[1]["taken"]))
    assert [view.ref for view in before.nodes] == [model, run]
    assert {view.kind for view in unborn.nodes} == {"model", "run"}
    assert len(after.nodes) >= 3
    assert [view.ref for view in known.nodes] == [model, run]
    assert last_taken


def test_pictures_of_a_cycle_are_whole(ask: Ask) -> None:
    document = json.loads(ask("trace", "dataset:d@2", "--json")[1])
    assert {(edge["source"], edge["target"]) for edge in document["edges"]} == {
        ("dataset:d@1", "dataset:d@2"),
        ("dataset:d@2", "dataset:d@1"),
    }
    dot = ask("trace", "dataset:d@2", "--format", "dot")[1]
    assert dot.startswith("digraph lineage {")
    assert dot.rstrip().endswith("}")
    assert dot.count("->") == 2
    mermaid = ask("impact", f"dataset:{HOSTILE}", "--format", "mermaid")[1]
    assert mermaid.splitlines()[0] == "flowchart LR"
    assert all(line.count('"') in {0, 2} for line in mermaid.splitlines())
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tsvg"], input=dot.encode(), check=True, stdout=subprocess.DEVNULL)
    assert ask("trace", "dataset:d@2")[1].count("derived_from") == 2


def test_gaps_are_those_of_the_things_shown(ask: Ask, place: Place) -> None:
    with lineal.open(str(place.folder), actor="t") as client:
        for name in ("one", "two"):
            with client.run(name) as run:
                run.use("dataset:d@1")
    gaps = json.loads(ask("show", "dataset:d@1", "--json")[1])["gaps"]
    assert gaps == []


def test_help_names_every_command_and_option(ask: Ask) -> None:
    status, out, _ = ask("--help")
    assert status == 0
    for command in ("init", "run", "snapshot", "ls", "show", "log", "trace", "impact", "verify", "rebuild"):
        assert command in out
        assert ask(command, "--help")[0] == 0
    assert ask("--version") == (0, f"lineal {lineal.__version__}\n", "")


def test_an_ordinary_user_meets_the_same_commands(place: Place, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("this is an ordinary user: every other test is this one")
    interpreter = Path("/usr/bin/python3")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    source = str(Path(lineal.__file__).parent.parent)
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{source}:{packages}", "HOME": str(tmp_path), "LINEAL_ACTOR": "n"}
    lowered: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
    if not interpreter.exists():
        pytest.skip("no interpreter that everybody can read")
    probe = subprocess.run(
        [interpreter, "-c", "import lineal.wiring"], env=env, capture_output=True, cwd="/", **lowered
    )
    if probe.returncode != 0:
        pytest.skip("the packages cannot be read or used by an ordinary user here")
    own = tmp_path / "own"
    own.mkdir()
    os.chown(own, 65534, 65534)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.stat().st_uid == os.getuid() and folder != Path("/tmp"):
            folder.chmod(0o755)

    def type_in(*arguments: str, cwd: Path = own) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [interpreter, "-m", "lineal", *arguments], env=env, capture_output=True, cwd=cwd, **lowered
        )

    assert type_in("init", "-q").returncode == 0
    done = type_in("run", "--json", "--", "sh", "-c", "echo 1 > out.csv; exit 3")
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["outputs"] == 1
    assert type_in("verify").returncode == 0
    refused = type_in("run", "--", "touch", "ran", cwd=place.folder)
    assert refused.returncode == 11
    assert b"Traceback" not in refused.stderr
    assert type_in("ls", cwd=place.folder).returncode in {0, 11}


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw.csv").write_text("a\n")
    assert main.run(["init"]) == 0
    assert main.run(["snapshot", "dataset:transactions", "raw.csv"]) == 0
    capsys.readouterr()
    assert main.run(["trace", "dataset:transaction@latest"]) == 2
    assert "Did you mean dataset:transactions?" in capsys.readouterr().err
    assert main.run(["trace", "dataset:transactions@7"]) == 2
    assert "The latest recorded: dataset:transactions@1." in capsys.readouterr().err
