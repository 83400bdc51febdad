"""The warm process that starts commands for tests: each is one of its own, and finds what a fresh start would find."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from commandline import LINEAL, PYTHON, Place, make_place

from servers import warm

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="there is no warm process on this system")

# What a program that `lineal run` starts inherits from it, and what can be seen of its parent.
PROBE = r"""
import json, os, resource, sys
status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines())
parent = dict(line.split(":\t", 1) for line in open(f"/proc/{os.getppid()}/status").read().splitlines())
fds = sorted(os.listdir(f"/proc/{os.getppid()}/fd"), key=int)
mask = os.umask(0)
limits = [resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT")]
own = {k: v for k, v in os.environ.items() if k not in ("LINEAL_RUN", "LINEAL_TRACER", "_")}
print(json.dumps({
    "environment": own, "mask": mask, "cwd": os.getcwd(), "limits": limits, "argv": [repr(a) for a in sys.argv],
    "signals": [status[k] for k in ("SigBlk", "SigIgn", "SigCgt")], "parent": [parent[k] for k in ("SigBlk", "SigIgn",
    "SigCgt", "Threads", "Uid", "Gid", "Groups", "NoNewPrivs")], "terminals": [os.isatty(n) for n in range(3)],
    "fds": fds, "read": sys.stdin.read(), "nice": os.nice(0), "streams": os.path.samestat(os.fstat(0), os.fstat(1)),
}))
"""


def _words(place: Place, env: dict[str, str] | None = None) -> list[str]:
    found = place.warm(env)
    assert "-IS" in found
    return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


@pytest.mark.parametrize(
    "variables", [{}, {"LC_ALL": "C", "TZ": "Asia/Tokyo"}, {"LANG": "", "ODD": "\udcff\n="}, {"PYTHONUNBUFFERED": "1"}],
    ids=["plain", "c", "coerced", "unbuffered"],
)  # fmt: skip
def test_a_command_inherits_and_passes_on_what_the_real_one_does(place: Place, variables: dict[str, str]) -> None:
    (place.folder / "probe.py").write_text(PROBE)
    command = ("run", "-q", "--trace", "none", "--", PYTHON, "probe.py", b"\xff\xfe", "")
    told: list[dict[str, Any]] = []
    for words in (LINEAL, _words(place, variables)):
        done = place.do(*words, *command, given=b"g" * 100_000, env=variables, umask=0o027)
        assert done.status == 0, done.err
        told.append(done.json())
    assert told[0] == told[1]
    assert told[0]["mask"] == 0o027
    assert len(told[0]["read"]) == 100_000


def test_it_is_forked_from_the_warm_process_and_ends_with_the_status_of_its_own(place: Place) -> None:
    program = "import os, sys; print(open(f'/proc/{os.getppid()}/cmdline').read()); sys.exit(7)"
    done = place.lineal("run", "-q", "--", PYTHON, "-c", program)
    assert done.status == 7
    assert b"warm_program.py" in done.out
    assert place.do(*LINEAL, "run", "-q", "--", PYTHON, "-c", program).out != done.out


def test_nothing_of_one_command_is_left_for_the_next(place: Place) -> None:
    assert place.lineal("--ledger", "elsewhere", "ls", env={"LINEAL_DEBUG": "1"}).status == 2
    assert place.lineal("ls").status == 0
    environment = json.loads(
        place.lineal("run", "-q", "--", PYTHON, "-c", "import json, os; print(json.dumps(dict(os.environ)))").out
    )
    assert "LINEAL_DEBUG" not in environment
    assert "LINEAL_LEDGER" not in environment


@pytest.mark.parametrize(
    "arguments",
    [("--version",), ("ls", "--json"), ("show", "model:none"), ("show", b"\xff"), ("no-such",), (), ("log", "-n", "x"),
     ("show", "model:none", "--json"), ("trace", "--help")],
    ids=str,
)  # fmt: skip
def test_it_prints_what_the_real_one_prints(place: Place, arguments: tuple[str | bytes, ...]) -> None:
    assert place.do(*_words(place), *arguments) == place.do(*LINEAL, *arguments)


def test_whose_output_nobody_reads_ends_as_the_real_one_does(place: Place) -> None:
    line = "{} log --help | true; echo ${{PIPESTATUS[0]}}; {} ls >/dev/full; echo $?; {} ls <&- >&-; echo $?"
    told = [place.do("bash", "-c", line.format(*[" ".join(words)] * 3)) for words in (LINEAL, _words(place))]
    assert told[0].out.split()[1:] == told[1].out.split()[1:]
    assert told[0].err == told[1].err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signals_reach_the_command(place: Place, number: signal.Signals) -> None:
    waiting = "import os, time; print(os.getppid(), os.getpid(), flush=True); time.sleep(600)"
    words = ("run", "--trace", "none", "-q", "--", PYTHON, "-c", waiting)
    ended = []
    for start in (LINEAL, _words(place)):
        process = place.start(*start, *words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        pid, program = map(int, process.stdout.readline().split())
        handle = os.pidfd_open(pid)
        try:
            process.send_signal(number)
            ended.append(process.wait(timeout=900))
            assert select.select([handle], [], [], 60)[0], "the command goes on"
        finally:
            if number == signal.SIGKILL:  # the program lives on, as it should
                os.kill(program, signal.SIGKILL)
            os.close(handle)
            process.stdout.close()
    assert ended[0] == ended[1]


def test_who_has_other_variables_than_were_read_at_the_import_gets_the_real_program(place: Place) -> None:
    program = "import os; print(open(f'/proc/{os.getppid()}/cmdline').read())"
    at = warm.warm(place.environment())
    for more in ({"TYPER_USE_RICH": "0"}, {"https_proxy": "http://127.0.0.1:9"}, {"PYTHONUTF8": "1"}):
        done = place.do(*warm.words(at), "run", "-q", "--", PYTHON, "-c", program, env=more)
        assert done.status == 0
        assert b"warm_program.py" not in done.out
        assert b"-m\0lineal\0run" in done.out


def test_it_ends_with_the_process_that_started_it(place: Place) -> None:
    tests = Path(__file__).resolve().parents[1]
    program = (
        f"import os, sys; sys.path.insert(0, {str(tests)!r}); from servers import warm; at = warm.warm(os.environ);"
        "import subprocess; subprocess.run([*warm.words(at), '--version'], check=True); print(at, flush=True);"
        "sys.stdin.read(1); os.kill(os.getpid(), 9)"
    )
    process = place.start(sys.executable, "-c", program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"lineal ")
    at = process.stdout.readline().decode().strip()
    assert Path(at).exists()
    process.communicate(b"x", timeout=900)
    assert process.returncode == -signal.SIGKILL
    began = time.monotonic()
    while Path(at).parent.exists():
        assert time.monotonic() < began + 60
        time.sleep(0.05)
