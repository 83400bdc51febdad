"""One contract for every way to trace: what a Python program did to files, seen alike."""

import os
import socket
import sys
from pathlib import Path

import pytest
from trace_probe import KERNEL, below, gaps, python, traced

from lineal.capture.trace import run
from lineal.errors import BadInput

EVERY = [*KERNEL, "audit-hook"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tracing system calls is Linux's")


@pytest.fixture(params=EVERY)
def mechanism(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=KERNEL)
def kernel(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_reads_and_writes_are_told_apart(tmp_path: Path, mechanism: str) -> None:
    (tmp_path / "in.csv").write_text("1,2\n")
    (tmp_path / "log").write_text("old")
    outcome = traced(
        python(
            "open('out','w').write(open('in.csv').read())\n"
            "open('log','a').write('new')\n"
            "open('in.csv').close(); open('out').read()\n"
            "try: open('absent')\nexcept OSError: pass\n"
            "try: open('no/such/folder', 'w')\nexcept OSError: pass\n"
        ),
        tmp_path,
        mechanism,
    )
    seen = below(outcome, tmp_path)
    assert outcome.exit_status == 0
    assert set(seen) == {b"in.csv", b"out", b"log"}
    data = seen[b"in.csv"]
    assert (data.read, data.written, data.first, data.removed) == (True, False, "read", False)
    assert data.before is not None
    state = (tmp_path / "in.csv").stat()
    assert (data.before.ino, data.before.size, data.before.mtime_ns, data.before.ctime_ns, data.before.mode) == (
        state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_mode,
    )  # fmt: skip
    out = seen[b"out"]
    assert (out.read, out.written, out.first, out.before) == (True, True, "write", None)
    assert seen[b"log"].written
    assert seen[b"log"].before is not None
    assert seen[b"log"].before.size == 3


def test_a_file_read_first_and_then_written_keeps_its_first_state(tmp_path: Path, mechanism: str) -> None:
    (tmp_path / "state").write_text("before")
    outcome = traced(
        python("t = open('state').read()\nopen('state', 'w').write(t * 2)\nopen('state', 'a').write('!')"),
        tmp_path,
        mechanism,
    )
    state = below(outcome, tmp_path)[b"state"]
    assert (state.read, state.written, state.first) == (True, True, "read")
    assert state.before is not None
    assert state.before.size == 6


def test_a_file_renamed_into_place_is_written_and_the_temporary_one_forgotten(tmp_path: Path, mechanism: str) -> None:
    (tmp_path / "model").write_text("first")
    outcome = traced(
        python(
            "import os\n"
            "open('model.tmp', 'w').write('second'); os.replace('model.tmp', 'model')\n"
            "os.mkdir('parts.tmp'); open('parts.tmp/a', 'w').close(); os.rename('parts.tmp', 'parts')\n"
            "try: os.rename('absent', 'model')\nexcept OSError: pass\n"
        ),
        tmp_path,
        mechanism,
    )
    seen = below(outcome, tmp_path)
    assert set(seen) == {b"model", b"parts/a"}
    assert seen[b"model"].written
    assert seen[b"model"].before is not None
    assert seen[b"model"].before.size == 5
    assert seen[b"parts/a"].written


def test_what_is_moved_away_or_removed_is_gone(tmp_path: Path, mechanism: str) -> None:
    for name in ("moved", "removed", "kept"):
        (tmp_path / name).write_text(name)
    outcome = traced(
        python(
            "import os\nos.rename('moved', 'here')\nos.remove('removed')\n"
            "open('scratch', 'w').close(); os.remove('scratch')\n"
            "os.remove('kept'); open('kept', 'w').close()\n"
        ),
        tmp_path,
        mechanism,
    )
    seen = below(outcome, tmp_path)
    assert {name for name, access in seen.items() if access.removed} == {b"moved", b"removed", b"scratch"}
    assert seen[b"here"].written
    assert not seen[b"here"].removed
    assert not seen[b"removed"].read
    assert seen[b"kept"].written


def test_links_and_truncation_are_writes(tmp_path: Path, mechanism: str) -> None:
    (tmp_path / "data").write_text("12345")
    (tmp_path / "long").write_text("12345")
    outcome = traced(
        python("import os\nos.link('data', 'hard')\nos.symlink('data', 'soft')\nos.truncate('long', 2)"),
        tmp_path,
        mechanism,
    )
    seen = below(outcome, tmp_path)
    assert {name for name, access in seen.items() if access.written} == {b"hard", b"soft", b"long"}
    assert seen[b"data"].read


def test_names_relative_to_a_moved_directory_and_in_any_bytes(tmp_path: Path, mechanism: str) -> None:
    odd = b"caf\xe9 \n\xff"
    (tmp_path / "sub").mkdir()
    (tmp_path / "elsewhere").mkdir()
    Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), b"sub", odd))).write_text("x")
    (tmp_path / "sub" / "via").symlink_to(tmp_path / "elsewhere")
    outcome = traced(
        python(
            "import os\nos.chdir('sub')\n"
            f"open({odd!r}).read()\n"
            "open('../up', 'w').close(); open('./via/../beside', 'w').close()\n"
            "open('.//here', 'w').close(); open('a..b', 'w').close()\n"
        ),
        tmp_path,
        mechanism,
    )
    assert set(below(outcome, tmp_path)) == {b"sub/" + odd, b"up", b"beside", b"sub/here", b"sub/a..b"}


def test_connections_are_listed(tmp_path: Path, mechanism: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = f"import socket\nfor _ in range(3): socket.create_connection(('127.0.0.1', {port}), 10).close()"
        outcome = traced(python(text), tmp_path, mechanism)
    assert outcome.exit_status == 0
    assert outcome.trace.connections == (f"127.0.0.1:{port}",)


def test_files_relative_to_an_open_directory(tmp_path: Path, kernel: str) -> None:
    (tmp_path / "folder").mkdir()
    outcome = traced(
        python(
            "import os\nd = os.open('folder', os.O_RDONLY)\n"
            "f = os.open('new', os.O_CREAT | os.O_WRONLY, dir_fd=d); os.write(f, b'x')\n"
            "os.rename('new', 'newer', src_dir_fd=d, dst_dir_fd=d)\nos.listdir(d)\n"
            "os.rmdir('folder/absent') if os.path.exists('folder/absent') else None\n"
        ),
        tmp_path,
        kernel,
    )
    assert outcome.exit_status == 0
    assert set(below(outcome, tmp_path)) == {b"folder/newer"}


def test_the_interpreters_of_what_is_executed_are_listed(tmp_path: Path, kernel: str) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n: > made\n")
    script.chmod(0o755)
    outcome = traced(["./script"], tmp_path, kernel)
    seen = {access.path: access for access in outcome.trace.accesses}
    assert seen[os.fsencode(script)].executed
    assert seen[b"/bin/sh"].executed
    assert any(b"/ld-" in path and access.executed for path, access in seen.items())
    assert below(outcome, tmp_path)[b"made"].written


def test_native_programs_and_a_cleared_environment_hide_nothing(tmp_path: Path, kernel: str) -> None:
    (tmp_path / "data").write_text("secret")
    outcome = traced(
        python(
            "import subprocess\n"
            "subprocess.run(['cat', 'data'], env={}, stdout=subprocess.DEVNULL, check=True)\n"
            "subprocess.run(['cp', 'data', 'copy'], check=True)\n"
            "subprocess.run(['mv', 'copy', 'moved'], check=True)\n"
            "import os\n"
            "if os.fork() == 0:\n    open('forked', 'w').close(); os._exit(0)\nos.wait()\n"
        ),
        tmp_path,
        kernel,
    )
    seen = below(outcome, tmp_path)
    assert outcome.exit_status == 0
    assert outcome.trace.complete
    assert set(seen) == {b"data", b"moved", b"forked"}
    assert seen[b"data"].read
    assert not seen[b"data"].written


def test_mapped_files_and_databases(tmp_path: Path, kernel: str) -> None:
    (tmp_path / "array").write_bytes(bytes(8192))
    outcome = traced(
        python(
            "import mmap, sqlite3\n"
            "with open('array', 'r+b') as f, mmap.mmap(f.fileno(), 0) as m: m[0] = 1\n"
            "d = sqlite3.connect('db'); d.execute('create table t (x)'); d.commit(); d.close()\n"
        ),
        tmp_path,
        kernel,
    )
    seen = below(outcome, tmp_path)
    assert (seen[b"array"].read, seen[b"array"].written, seen[b"array"].first) == (True, True, "read")
    assert seen[b"db"].written
    assert seen[b"db-journal"].removed


def test_inherited_descriptors_are_accesses(tmp_path: Path, kernel: str) -> None:
    (tmp_path / "input").write_text("from outside")
    inner = ["cat"]
    text = (
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parents[2] / 'src')!r})\n"
        "from lineal.capture.trace import run\n"
        f"o = run({inner!r}, mechanism={kernel.removesuffix('-every-call')!r})\n"
        "for a in o.trace.accesses: print(a.path.decode(), a.read, a.written, file=sys.stderr)\n"
    )
    import subprocess

    with open(tmp_path / "input", "rb") as stdin, open(tmp_path / "output", "wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-c", text], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, check=True
        )
    said = done.stderr.decode().splitlines()
    assert f"{tmp_path}/input True False" in said
    assert f"{tmp_path}/output False True" in said
    assert (tmp_path / "output").read_text() == "from outside"


def test_the_hook_says_what_it_cannot_see_and_the_scan_finds_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "gone").write_text("x")
    (tmp_path / "changed").write_text("x")
    (tmp_path / "left").write_text("x")
    outcome = traced(
        ["sh", "-c", "rm gone; echo y > changed; echo z > made"],
        tmp_path,
        "audit-hook",
        workspace=os.fsencode(tmp_path),
    )
    seen = below(outcome, tmp_path)
    assert set(seen) == {b"gone", b"changed", b"made"}
    assert seen[b"gone"].removed
    assert seen[b"changed"].written
    assert seen[b"changed"].before is not None
    assert seen[b"made"].before is None
    assert not outcome.trace.complete
    assert "capture.python_only" in gaps(outcome)


def test_the_hook_gives_way_to_the_users_own_site_customisation(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.mine = 'kept'\n")
    outcome = traced(
        [sys.executable, "-c", "open('out', 'w').write(mine)"],
        tmp_path,
        "audit-hook",
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert outcome.exit_status == 0
    assert (tmp_path / "out").read_text() == "kept"
    assert below(outcome, tmp_path)[b"out"].written


def test_without_tracing_the_program_still_runs(tmp_path: Path) -> None:
    outcome = traced(["sh", "-c", "echo x > made; exit 3"], tmp_path, "none")
    assert outcome.exit_status == 3
    assert outcome.trace.accesses == ()
    assert gaps(outcome) == {"capture.not_traced"}
    assert not outcome.trace.complete


def test_an_unusable_request_runs_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no program"):
        run([])
    with pytest.raises(BadInput, match="not a directory"):
        run(["true"], cwd=os.fsencode(tmp_path / "absent"))
    with pytest.raises(BadInput, match="no such way"):
        run(["true"], mechanism="magic")


def test_the_environment_may_name_the_mechanism(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAL_TRACE", "none")
    assert run(["true"], cwd=os.fsencode(tmp_path)).trace.mechanism == "none"
