"""Programs that do everything at once, or go on when they should not: nothing is lost, nothing is in the way."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from trace_probe import KERNEL, SOURCE, TRACER, below, gaps, marked, may, python, traced, tracer

from kit import until
from lineal.capture.trace import run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tracing system calls is Linux's")


@pytest.fixture(params=KERNEL)
def kernel(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=KERNEL[:2])
def quick(request: pytest.FixtureRequest) -> str:
    """The mechanisms that are not slow at every call."""
    return str(request.param)


def test_a_storm_of_threads_and_signals_loses_nothing(tmp_path: Path, quick: str) -> None:
    (tmp_path / "d").mkdir()
    outcome = traced(
        python(
            "import signal, threading\n"
            "hits = [0]\n"
            "signal.signal(signal.SIGALRM, lambda *_: hits.__setitem__(0, hits[0] + 1))\n"
            "signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)\n"
            "def work(k):\n"
            "    for i in range(300): open(f'd/{k}-{i}', 'w').close(); open(f'd/{k}-{i}').close()\n"
            "ts = [threading.Thread(target=work, args=(k,)) for k in range(8)]\n"
            "[t.start() for t in ts]; [t.join() for t in ts]\n"
            "while hits[0] <= 10: open('d/0-0').close()\n"
            "signal.setitimer(signal.ITIMER_REAL, 0)\n"
        ),
        tmp_path,
        quick,
    )
    seen = below(outcome, tmp_path)
    assert outcome.exit_status == 0
    assert set(seen) == {b"d/%d-%d" % (k, i) for k in range(8) for i in range(300)}
    assert all(access.read and access.written and access.first == "write" for access in seen.values())
    assert outcome.trace.complete


def test_many_forks_and_renames_lose_nothing(tmp_path: Path, quick: str) -> None:
    (tmp_path / "d").mkdir()
    outcome = traced(
        python(
            "import os\n"
            "for i in range(200):\n"
            "    if os.fork() == 0:\n"
            "        open(f'd/{i}.tmp', 'w').close(); os.rename(f'd/{i}.tmp', f'd/{i}'); os._exit(0)\n"
            "    if i % 8 == 7: [os.wait() for _ in range(8)]\n"
        ),
        tmp_path,
        quick,
    )
    assert outcome.exit_status == 0
    assert set(below(outcome, tmp_path)) == {b"d/%d" % i for i in range(200)}
    assert outcome.trace.complete


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler here")
def test_static_and_foreign_programs(tmp_path: Path, kernel: str) -> None:
    source = tmp_path / "reader.c"
    source.write_text(
        "#include <fcntl.h>\n#include <stdio.h>\n#include <unistd.h>\n#include <sys/syscall.h>\n"
        'int main(int n, char **a) { char b[9]; int f = open("data", O_RDONLY);\n'
        "  if (read(f, b, 4) != 4) return 1;\n"
        "  if (n > 1) syscall(SYS_io_uring_setup, 1, 0);\n"
        "#ifdef __x86_64__\n"
        '  if (n > 2) { int r; __asm__ volatile("int $0x80" : "=a"(r) : "0"(5), "b"(0), "c"(0), "d"(0)); }\n'
        "#endif\n"
        "  return 0; }\n"
    )
    built = subprocess.run(["gcc", "-static", "-o", tmp_path / "reader", source], check=False, capture_output=True)
    if built.returncode != 0:
        pytest.skip("no static C library here")
    (tmp_path / "data").write_text("data")
    outcome = traced(["./reader"], tmp_path, kernel)
    assert outcome.exit_status == 0
    assert below(outcome, tmp_path)[b"data"].read
    assert outcome.trace.complete
    outcome = traced(["./reader", "uring"], tmp_path, kernel)
    assert outcome.exit_status == 0
    assert "capture.io_uring" in gaps(outcome)
    assert not outcome.trace.complete
    if os.uname().machine == "x86_64":
        assert "capture.foreign_abi" in gaps(traced(["./reader", "uring", "32"], tmp_path, kernel))


def test_how_programs_end_is_told_as_a_shell_does(
    tmp_path: Path, kernel: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plain").write_text("echo ran by sh\n")
    assert traced(["no-such-program"], tmp_path, kernel).exit_status == 127
    assert traced(["./absent"], tmp_path, kernel).exit_status == 127
    assert traced(["./plain"], tmp_path, kernel).exit_status == 126
    assert traced([str(tmp_path)], tmp_path, kernel).exit_status == 126
    said = capfd.readouterr().err.splitlines()
    assert said == [
        "lineal: no-such-program: command not found",
        "lineal: ./absent: No such file or directory",
        "lineal: ./plain: Permission denied",
        f"lineal: {tmp_path}: Permission denied",
    ]
    (tmp_path / "plain").chmod(0o755)
    assert traced(["./plain"], tmp_path, kernel).exit_status == 0
    assert capfd.readouterr().out == "ran by sh\n"
    killed = traced(["sh", "-c", "kill -SEGV $$"], tmp_path, kernel)
    assert (killed.exit_status, killed.signal) == (139, signal.SIGSEGV)
    ended = traced(["sh", "-c", "exit 7"], tmp_path, kernel)
    assert (ended.exit_status, ended.signal) == (7, None)
    assert ended.started <= ended.ended
    assert ended.peak_memory_bytes > 0


def test_a_child_that_stops_is_waited_for(tmp_path: Path, kernel: str) -> None:
    go_on = "(until [ -e after ]; do sleep 0.1; kill -CONT $$; done) &"  # more than once: the first may come too early
    outcome = traced(["sh", "-c", f"{go_on} kill -STOP $$; echo x > after; wait"], tmp_path, kernel)
    assert outcome.exit_status == 0
    assert below(outcome, tmp_path)[b"after"].written


def test_output_passes_through_and_is_copied(tmp_path: Path, kernel: str, capfd: pytest.CaptureFixture[str]) -> None:
    copies: dict[int, bytes] = {1: b"", 2: b""}

    def tee(fd: int, chunk: bytes) -> None:
        copies[fd] += chunk

    text = "import sys\nsys.stdout.write('o' * 300000 + '\\n'); sys.stdout.flush(); sys.stderr.write('e\\n')"
    outcome = traced(python(text), tmp_path, kernel, tee=tee)
    passed = capfd.readouterr()
    assert outcome.exit_status == 0
    assert copies == {1: b"o" * 300000 + b"\n", 2: b"e\n"}
    assert (passed.out, passed.err) == ("o" * 300000 + "\n", "e\n")


def test_a_listener_that_fails_changes_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def tee(fd: int, chunk: bytes) -> None:
        raise RuntimeError("of ours")

    outcome = run(["sh", "-c", "echo one; sleep 0.05; echo two"], cwd=os.fsencode(tmp_path), tee=tee)
    assert outcome.exit_status == 0
    assert capfd.readouterr().out == "one\ntwo\n"


def test_a_terminal_stays_a_terminal(tmp_path: Path) -> None:
    program = (
        "import os, sys; print(os.isatty(1), os.get_terminal_size(1).columns, os.isatty(2)); os.isatty(2) or exit(4)"
    )
    copied = tmp_path / "copied"
    text = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r})\n"
        "from lineal.capture.trace import run\n"
        f"kept = open({str(copied)!r}, 'wb')\n"
        f"sys.exit(run([sys.executable, '-c', {program!r}], tee=lambda fd, c: kept.write(c)).exit_status)\n"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import os, fcntl, struct, termios\n"
                 "fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 97, 0, 0))\n" + text])  # fmt: skip
    said = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        said += part
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, said
    assert said == b"True 97 True\r\n"
    assert copied.read_bytes() == b"True 97 True\n"


def test_a_reader_that_goes_away_ends_the_program_as_it_would(tmp_path: Path) -> None:
    with tracer(["yes"], tmp_path, "seccomp-notify", TEE="1") as (process, mark):
        assert process.stdout is not None
        process.stdout.read(4)
        process.stdout.close()
        assert process.wait(900) == 128 + signal.SIGPIPE
        until(lambda: not marked(mark), "nothing is left")


@pytest.mark.parametrize("tee", ["", "1"])
def test_the_program_survives_the_death_of_its_tracer(tmp_path: Path, quick: str, tee: str) -> None:
    text = (
        "import os, time\nopen('started', 'w').close()\n"
        "gone = False\n"
        "while not gone:\n"
        "    gone = os.path.exists('go')\n"
        "    time.sleep(0.01); open('started').close(); print('x' * 5000)\n"
        "open('t', 'w').write('all'); os.rename('t', 'done')\n"
    )
    with tracer(python(text), tmp_path, quick, TEE=tee) as (process, mark):
        until((tmp_path / "started").exists, "the program runs")
        process.kill()
        (tmp_path / "go").touch()
        assert process.stdout is not None
        assert "xxx" in process.stdout.read()  # to its end: whoever passed the output on has closed it
        until((tmp_path / "done").exists, "the program reaches its end")
        assert (tmp_path / "done").read_text() == "all"
        until(lambda: not marked(mark), "the guardian ends by itself")


def test_the_call_that_was_being_looked_at_is_answered_too(tmp_path: Path) -> None:
    """The tracer is killed between receiving a call and answering it; no further call would wake the guardian."""
    text = TRACER.format(source=str(SOURCE)).replace(
        "outcome =",
        "from lineal.capture import _tracee\n"
        "import time\n"
        "def hang(*_):\n"
        "    open('hanging', 'w').close(); time.sleep(600)\n"
        "_tracee.Tracee.read = hang\n"
        "outcome =",
    )
    import trace_probe

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace_probe, "TRACER", text.replace("{", "{{").replace("}", "}}"))
        with tracer(["sh", "-c", "echo x > done"], tmp_path, "seccomp-notify") as (process, mark):
            until((tmp_path / "hanging").exists, "the tracer looks at the first call")
            process.kill()
            until((tmp_path / "done").exists, "the program goes on")
            until(lambda: not marked(mark), "the guardian ends by itself")


def test_a_fault_of_ours_leaves_the_program_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lineal.capture import _tracee

    def fail(*_: object) -> None:
        raise RuntimeError("of ours")

    monkeypatch.setattr(_tracee.Tracee, "read", fail)
    outcome = traced(python("open('a', 'w').close(); open('b', 'w').close(); exit(5)"), tmp_path, "seccomp-notify")
    assert outcome.exit_status == 5
    assert (tmp_path / "b").exists()
    assert "capture.tracer_lost" in gaps(outcome)
    assert not outcome.trace.complete


@pytest.mark.parametrize("tee", ["", "1"])
def test_a_daemon_left_behind_is_served_and_nothing_of_ours_outlives_it(tmp_path: Path, quick: str, tee: str) -> None:
    text = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    while not os.path.exists('go'): time.sleep(0.01)\n"
        "    open('t', 'w').write('late'); os.rename('t', 'late'); print('from the daemon', flush=True); os._exit(0)\n"
        "open('early', 'w').close()\n"
    )
    with tracer(python(text), tmp_path, quick, TEE=tee) as (process, mark):
        assert process.wait(900) == 0  # returned, although the daemon lives
        assert marked(mark)
        (tmp_path / "go").touch()
        assert process.stdout is not None
        said = process.stdout.read()
        assert "capture.left_running" in said
        assert "early" in said
        assert "from the daemon" in said
        until((tmp_path / "late").exists, "the daemon does its work")
        until(lambda: not marked(mark), "the guardian ends by itself")


def test_a_run_within_a_run_sees_its_own_and_leaves_the_outer_one_whole(tmp_path: Path, quick: str) -> None:
    (tmp_path / "data").write_text("x")
    inner = [sys.executable, "-c", TRACER.format(source=str(SOURCE)), "auto", *python("open('data'); open('o', 'w')")]
    outcome = traced(["sh", "-c", '"$@" > said', "sh", *inner], tmp_path, quick)
    said = (tmp_path / "said").read_text()
    assert outcome.exit_status == 0
    assert outcome.trace.complete
    assert {b"data", b"o", b"said"} <= set(below(outcome, tmp_path))
    assert "capture.fallback" in said
    assert f"access {tmp_path}/data True False" in said
    assert ("mechanism ptrace" if quick == "seccomp-notify" else "mechanism audit-hook") in said


def test_signals_to_us_reach_the_program_once(tmp_path: Path, quick: str) -> None:
    text = (
        "import signal, time\ngot = []\n"
        "def note(n, f): got.append(n)\n"
        "for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(n, note)\n"
        "open('ready', 'w').close()\n"
        "while len(got) < 3: time.sleep(0.01)\n"
        "time.sleep(0.1); print(got); exit(9)\n"
    )
    with tracer(python(text), tmp_path, quick) as (process, _):
        until((tmp_path / "ready").exists, "the program runs")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process.send_signal(number)
        assert process.wait(900) == 9
        assert process.stdout is not None
        said = process.stdout.readline()
        assert sorted(eval(said)) == [1, 2, 15]


def test_a_key_press_is_not_delivered_twice(tmp_path: Path) -> None:
    text = (
        "import signal, time\ngot = []\nsignal.signal(signal.SIGINT, lambda n, f: got.append(n))\n"
        "open('ready', 'w').close()\n"
        "while not got: time.sleep(0.01)\n"
        "time.sleep(0.2); open('got', 'w').write(str(len(got)))\n"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execv(
            sys.executable,
            [sys.executable, "-c", TRACER.format(source=str(SOURCE)), "seccomp-notify", *python(text)],
        )
    until((tmp_path / "ready").exists, "the program runs")
    os.write(terminal, b"\x03")
    until((tmp_path / "got").exists, "the program has the signal")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert (tmp_path / "got").read_text() == "1"


def test_two_runs_at_once_in_threads_do_not_mix(tmp_path: Path, quick: str) -> None:
    found: dict[str, set[bytes]] = {}

    def one(name: str) -> None:
        (tmp_path / name).mkdir()
        outcome = run(
            python("for i in range(50): open(str(i), 'w').close()"), cwd=os.fsencode(tmp_path / name), mechanism=quick
        )
        found[name] = set(below(outcome, tmp_path))

    threads = [threading.Thread(target=one, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("a", "b"):
        assert found[name] == {f"{name}/{i}".encode() for i in range(50)}


@pytest.mark.skipif(not may("os.setgroups([]); os.setuid(65534)"), reason="we cannot become another user here")
def test_an_ordinary_user_is_traced_alike(tmp_path: Path, quick: str) -> None:
    home = Path("/tmp") / f"lineal-nobody-{os.getpid()}-{quick}"
    home.mkdir(mode=0o755)
    try:
        (home / "secret").write_text("root only")
        (home / "secret").chmod(0o600)
        (home / "open").write_text("all")
        os.chown(home, 65534, 65534)
        become = (  # once all is imported: others may not be able to read the interpreter's own files
            "import ctypes, lineal.capture._notify, lineal.capture._ptrace, lineal.capture._tracee\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # dumpable, as a process that was this user's from its start\n"
            "outcome ="
        )
        program = TRACER.format(source=str(SOURCE)).replace("outcome =", become, 1)
        argv = ["sh", "-c", "cat open > made; cat secret; test ! -s secret2"]
        done = subprocess.run(
            [sys.executable, "-c", program, quick, *argv], cwd=home, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert f"mechanism {quick}" in done.stdout
        assert f"access {home}/open True False" in done.stdout
        assert f"access {home}/made False True" in done.stdout
        assert "secret" not in done.stdout
        assert "capture.no_new_privs" in done.stdout
    finally:
        shutil.rmtree(home)


def test_a_named_pipe_is_a_gap_not_a_file(tmp_path: Path, kernel: str) -> None:
    os.mkfifo(tmp_path / "train_0")
    outcome = traced(["sh", "-c", "cat train_0 > copy & echo x > train_0; wait"], tmp_path, kernel)
    assert set(below(outcome, tmp_path)) == {b"copy"}
    assert "train_0" in dict(outcome.trace.gaps)["capture.stream"]


@pytest.mark.skipif(not may("os.chroot('/')"), reason="we cannot change the root here")
def test_another_root_is_seen_from_ours(tmp_path: Path, kernel: str) -> None:
    (tmp_path / "jail").mkdir()
    outcome = traced(
        python("import os\nos.chroot('jail'); os.chdir('/'); open('/made', 'w').close(); open('also', 'w').close()"),
        tmp_path,
        kernel,
    )
    assert outcome.exit_status == 0
    assert set(below(outcome, tmp_path)) == {b"jail/made", b"jail/also"}
    assert outcome.trace.complete


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_mounts_of_its_own_are_told_from_ours(tmp_path: Path, kernel: str) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "file").write_text("ours")
    can = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", tmp_path / "hidden"], check=False)
    if can.returncode != 0:
        pytest.skip("mounts cannot be made here")
    outcome = traced(["unshare", "-m", "sh", "-c", "cat absent; echo x > shared"], tmp_path, kernel)
    assert set(below(outcome, tmp_path)) == {b"shared"}
    assert outcome.trace.complete
    outcome = traced(
        ["unshare", "-m", "sh", "-c", "mount -t tmpfs none hidden; echo theirs > hidden/file; cp hidden/file shared"],
        tmp_path,
        kernel,
    )
    assert outcome.exit_status == 0
    assert set(below(outcome, tmp_path)) == {b"shared"}  # the file of that name that we see is another
    assert "hidden/file" in dict(outcome.trace.gaps)["capture.foreign_mounts"]
    assert not outcome.trace.complete
