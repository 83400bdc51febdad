"""What the tests of tracing share: running a Python text under a mechanism, and finding what is left of it."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lineal.capture.trace import Access, Outcome, run

SOURCE = Path(__file__).parents[2] / "src"
KERNEL = ["seccomp-notify", "ptrace", "ptrace-every-call"]
MARK = "LINEAL_TEST_MARK"

TRACER = r"""
import os, sys
sys.path.insert(0, {source!r})
from lineal.capture.trace import run
outcome = run(sys.argv[2:], mechanism=sys.argv[1], tee=(lambda fd, chunk: None) if os.environ.get("TEE") else None)
report = [f"access {{os.fsdecode(a.path)}} {{a.read}} {{a.written}}" for a in outcome.trace.accesses]
report += [f"gap {{code}} {{text}}" for code, text in outcome.trace.gaps]
report += [f"mechanism {{outcome.trace.mechanism}}", ""]
try:
    os.write(1, "\n".join(report).encode("utf-8", "replace"))
except BrokenPipeError:
    pass
os._exit(outcome.exit_status)
"""


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def traced(argv: list[str], cwd: Path, mechanism: str, **options: object) -> Outcome:
    """Run `argv` in `cwd`, or skip the test where this machine will not have the mechanism."""
    with pytest.MonkeyPatch.context() as patch:
        if mechanism == "ptrace-every-call":  # as within another run, whose filter would hide calls from ours
            patch.setenv("LINEAL_TRACER", "seccomp-notify")
        wanted = "ptrace" if mechanism == "ptrace-every-call" else mechanism
        for module in ("trace", "_ptrace"):  # what ends just after the program may take its time on a busy machine
            patch.setattr(f"lineal.capture.{module}.GRACE", 60.0)
        outcome = run(argv, cwd=os.fsencode(cwd), mechanism=wanted, **options)  # type: ignore[arg-type]
    if outcome.trace.mechanism != wanted:
        pytest.skip(f"{wanted} is not to be had here: {dict(outcome.trace.gaps).get('capture.fallback')}")
    return outcome


def below(outcome: Outcome, folder: Path) -> dict[bytes, Access]:
    """The accesses below `folder`, by name relative to it."""
    prefix = os.fsencode(folder) + b"/"
    return {a.path.removeprefix(prefix): a for a in outcome.trace.accesses if a.path.startswith(prefix)}


def may(act: str) -> bool:
    """Whether this user, here, may do `act` (a Python statement): root in a container may not do all."""
    return subprocess.run([sys.executable, "-c", f"import os; {act}"], capture_output=True, check=False).returncode == 0


def gaps(outcome: Outcome) -> set[str]:
    return {code for code, _ in outcome.trace.gaps}


def marked(mark: str) -> set[int]:
    """The live processes that carry `mark` in their environment."""
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if f"{MARK}={mark}".encode() in Path("/proc", entry, "environ").read_bytes():
                    found.add(int(entry))
            except OSError:
                continue
    return found


@contextmanager
def tracer(argv: list[str], cwd: Path, mechanism: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a process that traces `argv`; at the end nothing that it started is left."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [sys.executable, "-c", TRACER.format(source=str(SOURCE)), mechanism, *argv],
        cwd=cwd,
        env={**os.environ, MARK: mark, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process, mark
    finally:
        for pid in marked(mark):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.communicate()
