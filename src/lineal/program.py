"""Other programs, run side by side within a time and a size: git, nvidia-smi, the interpreter of the run."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MISSING: Final = "missing"
REFUSED: Final = "refused"
TIMED_OUT: Final = "timed out"
TOO_LONG: Final = "too long"

_CHUNK: Final = 1 << 16
_ERROR_LIMIT: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program answered. `status` is None when it did not end by itself; `failure` then says why.

    `failure` is one of `MISSING`, `REFUSED` (it could not be started), `TIMED_OUT`, `TOO_LONG`, or None.
    """

    status: int | None
    stdout: bytes
    stderr: bytes
    failure: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the program ended with status 0."""
        return self.status == 0

    @property
    def complaint(self) -> str:
        """One line that says why the program gave no answer."""
        if self.failure is not None:
            return self.failure
        lines = self.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
        return lines[0][:300] if lines else f"exit status {self.status}"


@dataclass(slots=True)
class _Running:
    process: subprocess.Popen[bytes]
    limit: int
    out: list[bytes] = field(default_factory=list)
    err: list[bytes] = field(default_factory=list)
    taken: int = 0
    failure: str | None = None

    def stop(self, failure: str) -> None:
        """Kill the program with whatever it started."""
        self.failure = self.failure or failure
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self.process.kill()


def run_programs(
    commands: Sequence[Sequence[str | bytes]],
    *,
    cwd: str | bytes | Path,
    env: Mapping[str, str],
    timeout: float,
    limit: int = 16 << 20,
) -> list[Outcome]:
    """Run all `commands` at once in `cwd` with `env`; return their outcomes in the same order.

    A program is killed, with its whole process group, when `timeout` seconds have passed since the start or when it
    has written more than `limit` bytes. Standard input is empty. Nothing is raised for a program that fails.
    """
    deadline = time.monotonic() + timeout
    started = [_start(command, cwd, env, limit) for command in commands]
    running = [each for each in started if isinstance(each, _Running)]
    try:
        _drain(running, deadline)
    finally:
        for each in running:
            _finish(each, deadline)
    return [each if isinstance(each, Outcome) else _outcome(each) for each in started]


def run_program(
    command: Sequence[str | bytes],
    *,
    cwd: str | bytes | Path,
    env: Mapping[str, str],
    timeout: float,
    limit: int = 16 << 20,
) -> Outcome:
    """Run one command as `run_programs` does."""
    return run_programs([command], cwd=cwd, env=env, timeout=timeout, limit=limit)[0]


def _start(
    command: Sequence[str | bytes], cwd: str | bytes | Path, env: Mapping[str, str], limit: int
) -> _Running | Outcome:
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError:
        return Outcome(None, b"", b"", MISSING)
    except (OSError, ValueError) as error:
        return Outcome(None, b"", str(error).encode("utf-8", "backslashreplace"), REFUSED)
    return _Running(process, limit)


def _drain(running: Sequence[_Running], deadline: float) -> None:
    """Read what the programs write until all have closed their outputs, or were stopped."""
    with selectors.DefaultSelector() as selector:
        for each in running:
            for stream in (each.process.stdout, each.process.stderr):
                if stream is not None:
                    selector.register(stream, selectors.EVENT_READ, (each, stream is each.process.stdout))
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                for key in list(selector.get_map().values()):
                    key.data[0].stop(TIMED_OUT)
                return
            for key, _ in selector.select(left):
                each, is_output = key.data
                data = os.read(key.fd, _CHUNK)
                if not data or each.failure is not None:
                    selector.unregister(key.fileobj)
                    continue
                if is_output:
                    each.taken += len(data)
                    each.out.append(data)
                    if each.taken > each.limit:
                        each.stop(TOO_LONG)
                elif sum(map(len, each.err)) < _ERROR_LIMIT:
                    each.err.append(data)


def _finish(each: _Running, deadline: float) -> None:
    process = each.process
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        each.stop(TIMED_OUT)
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _outcome(each: _Running) -> Outcome:
    stderr = b"".join(each.err)[:_ERROR_LIMIT]
    if each.failure is not None:
        return Outcome(None, b"", stderr, each.failure)
    return Outcome(each.process.returncode, b"".join(each.out), stderr)
