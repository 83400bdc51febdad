"""Run a command and record what it read, wrote and ran with."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lineal.app.naming import new_run_id
from lineal.app.run_code import Code, read_code
from lineal.app.run_files import Files, read_files
from lineal.app.run_options import RunOptions
from lineal.app.run_record import Captured, observe
from lineal.app.session import Session
from lineal.capture import trace
from lineal.capture.ci import read_ci
from lineal.capture.container import read_container
from lineal.capture.environment import Environment, read_environment
from lineal.capture.file_roles import classify
from lineal.capture.git import read_git
from lineal.capture.git_state import GitState
from lineal.capture.host import read_host
from lineal.capture.metrics import read_metrics
from lineal.capture.parameters import read_parameter_file, read_parameters
from lineal.capture.pylock import lock_text
from lineal.capture.redaction import redact_argv, redact_bytes
from lineal.capture.sagemaker import read_sagemaker
from lineal.capture.variables import read_variables
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.observation import Gap, Node, Observation
from lineal.errors import BadInput
from lineal.objects.batch import Batch

RUN_VARIABLE: Final = "LINEAL_RUN"
_TAIL: Final = 64 * 1024


@dataclass(slots=True)
class Tails:
    """The last part of what a program printed, by descriptor, and how much there was."""

    kept: dict[int, bytearray] = field(default_factory=dict)
    seen: dict[int, int] = field(default_factory=dict)

    def take(self, descriptor: int, chunk: bytes) -> None:
        """Keep `chunk` and forget what is now too far back."""
        tail = self.kept.setdefault(descriptor, bytearray())
        self.seen[descriptor] = self.seen.get(descriptor, 0) + len(chunk)
        tail += chunk
        if len(tail) > 2 * _TAIL:
            del tail[:-_TAIL]

    def text(self, descriptor: int) -> bytes:
        """Return the last 64 KiB printed there, with secrets cut out."""
        return redact_bytes(bytes(self.kept.get(descriptor, b""))[-_TAIL:])[0]


@dataclass(frozen=True, slots=True)
class Started:
    """A run that is on record as begun, and what was read before its command began."""

    id: str
    name: str
    argv: tuple[str, ...]
    cwd: Path
    environment: dict[str, str]
    options: RunOptions
    state: GitState | None


@dataclass(frozen=True, slots=True)
class Finished:
    """A recorded run: its reference, the command's exit status, and the gaps."""

    ref: str
    exit_status: int
    mechanism: str
    inputs: int
    outputs: int
    gaps: tuple[Gap, ...]


def start(session: Session, argv: Sequence[str], options: RunOptions) -> Started:
    """Put the beginning of a run on record, before anything of it happens.

    Raises `BadInput` when there is no command or a file named for it cannot be used, and what `Session.say` raises:
    then nothing is run.
    """
    if not argv:
        raise BadInput("there is no command to run", fix="Write it after --: lineal run -- python train.py")
    cwd = Path.cwd()
    for given in (*options.inputs,):
        if not given.exists():
            raise BadInput(f"the input {given} is not there; nothing was run")
    if options.parameters is not None:
        read_parameter_file(cwd / options.parameters)  # a file named by hand must be readable before hours of work
    name = options.name or _name(argv)
    run = new_run_id(name)
    environment = {**os.environ, RUN_VARIABLE: run}
    ref = f"run:{run}"
    now = session.clock()
    detail = {"name": name, "argv": _spelled(argv), "cwd": paths.spell(os.fsencode(cwd)), "state": "started"}
    parent = os.environ.get(RUN_VARIABLE)
    if parent:
        detail["parent"] = f"run:{parent}"
    session.say(
        Observation(
            type="run.started/1",
            time=now,
            actor=session.actor,
            basis="observed",
            nodes=(Node(ref=ref, basis="observed", detail=detail),),
            data={"host": read_host().describe()},
            subject=(ref,),
        )
    )
    return Started(run, name, tuple(argv), cwd, environment, options, read_git(cwd))


def execute(started: Started, tails: Tails) -> trace.Outcome:
    """Run the command to its end, as it would run without us, and return how it ended and what it did to files."""
    workspace = started.state.toplevel if started.state is not None and started.state.toplevel else started.cwd
    return trace.run(
        list(started.argv),
        env=started.environment,
        mechanism=started.options.mechanism,
        tee=tails.take,
        workspace=os.fsencode(workspace),
    )


def finish(session: Session, started: Started, outcome: trace.Outcome, tails: Tails) -> Finished:
    """Hash, keep and record what the run did; return what stands on record.

    Raises `StoreError` branches when it could not be recorded; the run is then on record as started only.
    """
    captured, files, code = _capture(session, started, outcome, tails)
    observation = observe(session, started, outcome, captured, files, code)
    session.say(observation)
    return Finished(
        ref=f"run:{started.id}",
        exit_status=outcome.exit_status,
        mechanism=outcome.trace.mechanism,
        inputs=len(files.inputs),
        outputs=len(files.outputs),
        gaps=observation.gaps,
    )


def _capture(session: Session, started: Started, outcome: trace.Outcome, tails: Tails) -> tuple[Captured, Files, Code]:
    accesses = outcome.trace.accesses
    executed = [each.path for each in accesses if each.executed]
    environment = read_environment(started.argv, cwd=started.cwd, env=started.environment, executed=executed)
    state = started.state
    workspace = state.toplevel if state is not None and state.toplevel else started.cwd
    plan = classify(
        accesses,
        workspace=workspace,
        git=state,
        interpreter_prefixes=environment.prefixes,
        ignore=(os.fsencode(session.ledger.home.root), *_own_logs()),
    )
    read = {each.path for each in accesses if each.read}
    written = {each.path for each in accesses if each.written}
    gaps: list[Gap] = [Gap(code, explanation) for code, explanation in outcome.trace.gaps]
    sagemaker = read_sagemaker(started.environment)
    with session.objects.batch() as batch:
        files = read_files(session, batch, plan, started.options)
        code = read_code(batch, state, started.cwd, plan)
        captured = Captured(
            environment=environment,
            parameters=read_parameters(
                started.argv,
                cwd=started.cwd,
                file=started.options.parameters,
                read=read,
                sagemaker=None if sagemaker is None else sagemaker.hyperparameters,
            ),
            metrics=read_metrics(started.cwd, file=_metrics_file(started, gaps), written=written),
            variables=read_variables(started.environment, extra=started.options.variables),
            container=read_container(started.environment),
            ci=read_ci(started.environment),
            sagemaker=sagemaker,
            printed={
                name: (batch.put_bytes(text), tails.seen.get(descriptor, 0))
                for descriptor, name in ((1, "stdout"), (2, "stderr"))
                if (text := tails.text(descriptor))
            },
            objects=_keep(batch, environment, files),
            gaps=(*gaps, *plan.gaps, *environment.gaps),
        )
    return captured, files, code


def _own_logs() -> list[bytes]:
    """Return the file that our standard error goes to: a log of whoever called us, not an output of the command."""
    try:
        target = os.readlink(b"/proc/self/fd/2")
    except OSError:
        return []
    return [target] if target.startswith(b"/") else []


def _keep(batch: Batch, environment: Environment, files: Files) -> dict[str, Digest]:
    found = {"files": batch.put_bytes(files.table())}
    if environment.interpreter is not None:
        found["pylock"] = batch.put_bytes(lock_text(environment).encode())
    return found


def _metrics_file(started: Started, gaps: list[Gap]) -> Path | None:
    """Return the metrics file named by hand if the command left it; a gap otherwise: the run itself must be kept."""
    named = started.options.metrics
    if named is None or (started.cwd / named).is_file():
        return named
    gaps.append(Gap("metrics.missing", f"the command did not leave the metrics file {named}"))
    return None


def _spelled(argv: Sequence[str]) -> list[str]:
    cut, _ = redact_argv([each.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for each in argv])
    return cut


def _name(argv: Sequence[str]) -> str:
    """Return what a run is called when nobody says: the script, or else the program."""
    for word in argv:
        if word.endswith((".py", ".sh", ".R", ".jl")):
            return Path(word).stem
    return Path(argv[0]).stem or "run"
