"""A warm process that starts writers for the crash tests: they are real processes, without the cost of starting Python.

Reads one JSON order a line from its input, and answers each with one JSON line.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sqlalchemy.engine.default import DefaultDialect

from kit import Speaker, make_home, open_at
from lineal.core.event import Event
from lineal.errors import LinealError
from lineal.ledger import commit, log, log_files, publish, spool
from lineal.ledger.erase import erase_bodies
from lineal.ledger.home import Home

MOMENT = "2026-03-03T14:05:00.000000Z"

# Each function that stands for a numbered step of the commit and publishing protocols, or makes something durable.
STEPS: list[tuple[Any, str]] = [
    (DefaultDialect, "do_begin"),
    (DefaultDialect, "do_commit"),
    (commit, "_sort_out"),
    (commit, "_insert"),
    (spool.Spool, "waiting"),
    (spool.Spool, "settle"),
    (publish, "sign_checkpoint"),
    (publish.Publisher, "_write_tiles"),
    (log_files.LogFiles, "write_tile"),
    (log_files.LogFiles, "write_checkpoint"),
    (log_files.LogFiles, "remove_partials"),
    (log, "_lay_out"),
    (log, "_create_tables"),
    (os, "fsync"),
    (os, "mkdir"),
    (os, "rename"),
    (os, "replace"),
    (os, "unlink"),
]


def groups() -> list[list[Event]]:
    """Return what the scenario says, the same in every process: events, a group over a tile's edge, an erasure."""
    speaker = Speaker("scenario", moment=MOMENT)
    said = [[event] for event in speaker.many(3)] + [speaker.many(258)]
    return [*said, [speaker.says(type="body.erased/1", data={"entries": [2], "reason": "asked to"})]]


def scenario(root: Path, acknowledge: Callable[[str], None]) -> None:
    """Make a ledger, say everything, publish twice and erase; call `acknowledge` after each success."""
    home = make_home(root)
    *said, (erasure,) = groups()
    ledger = open_at(home)
    for number, group in enumerate(said):
        for receipt, event in zip(ledger.append(group), group, strict=True):
            acknowledge(f"entry {receipt.idx} {event.id}")
        if number == 1:
            checkpoint = ledger.publish()
            assert checkpoint is not None
            acknowledge(f"checkpoint {checkpoint.size} {checkpoint.root.hex()}")
    acknowledge(f"entry {erase_bodies(ledger, erasure).idx} {erasure.id}")
    acknowledge("erased 2 -")
    ledger.close()


def _count_steps(killed_at: int) -> list[str]:
    """Make every step put its name into the list returned, before and after; the process dies at `killed_at` names."""
    steps: list[str] = []

    def step(name: str) -> None:
        steps.append(name)
        if len(steps) == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            step(f"before {name}")
            found = real(*arguments, **named)
            step(f"after {name}")
            return found

        return call

    for owner, name in STEPS:
        setattr(owner, name, counted(name, getattr(owner, name)))
    return steps


def _run_scenario(order: dict[str, Any]) -> None:
    acknowledged = os.open(order["acknowledged"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    steps = _count_steps(order["killed_at"])
    scenario(Path(order["home"]), lambda line: _write(acknowledged, line))
    Path(order["steps"]).write_text("\n".join(steps))


def _run_writer(order: dict[str, Any]) -> None:
    acknowledged = os.open(order["acknowledged"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    speaker = Speaker(order["producer"])
    ledger = open_at(Home(Path(order["home"])))
    for number in range(order["events"]):
        event = speaker.says(data={"n": number}, claims=[f"{speaker.producer}-{number}"] if number % 7 == 0 else [])
        _write(acknowledged, f"entry {ledger.append([event])[0].idx} {event.id}")
        if number % 67 == 66:
            checkpoint = ledger.publish()
            assert checkpoint is not None
            _write(acknowledged, f"checkpoint {checkpoint.size} {checkpoint.root.hex()}")
    ledger.close()
    _write(acknowledged, f"done {order['events']} -")


def _write(descriptor: int, line: str) -> None:
    os.write(descriptor, line.encode() + b"\n")  # in the kernel when it returns: a killed process loses nothing of it


RUNS = {"scenario": _run_scenario, "writer": _run_writer}


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if order["run"] == "wait":
            _, status = os.waitpid(order["pid"], 0)
            print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            try:
                RUNS[order["run"]](order)
            except LinealError as error:
                print(f"{order}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                os._exit(7)
            except BaseException as error:
                print(f"{order}: {error!r}", file=sys.stderr, flush=True)
                os._exit(8)
            os._exit(0)
        print(json.dumps(pid), flush=True)


if __name__ == "__main__":
    main()
