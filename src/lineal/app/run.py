"""Run a command and record what it read, wrote and ran with."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lineal.app.naming import new_run_id
from lineal.app.run_code import Code, read_code
from lineal.app.run_files import Files, plan_inputs, read_files
from lineal.app.run_options import RunOptions
from lineal.app.run_record import Captured, observe
from lineal.app.session import Session
from lineal.capture import trace
from lineal.capture.ci import read_ci
from lineal.capture.container import read_container
from lineal.capture.environment import Environment, read_environment
from lineal.capture.file_roles import PlannedFile, classify
from lineal.capture.git import read_git
from lineal.capture.git_state import GitState
from lineal.capture.host import read_host
from lineal.capture.metrics import Metrics, read_metrics
from lineal.capture.parameters import Parameters, read_parameter_file, read_parameters
from lineal.capture.pylock import lock_text
from lineal.capture.sagemaker import SageMakerJob, read_sagemaker
from lineal.capture.variables import read_variables
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.event_type import STARTED
from lineal.core.observation import Gap, Node, Observation
from lineal.core.redaction import clean, redact, redact_argv, redact_bytes
from lineal.core.ref import parse
from lineal.errors import BadInput, BadRef
from lineal.objects.batch import Batch

RUN_VARIABLE: Final = "LINEAL_RUN"
_TAIL: Final = 64 * 1024
_MAX_NAME: Final = 256


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
        if len(tail) > 3 * _TAIL:
            del tail[: -2 * _TAIL]

    def text(self, descriptor: int) -> bytes:
        """Return the last 64 KiB printed there, with secrets cut out: of more than that, so that none is halved."""
        return redact_bytes(bytes(self.kept.get(descriptor, b"")))[0][-_TAIL:]

    def ends_line(self, descriptor: int) -> bool:
        """Return whether what was printed there, if anything, ended with a line end."""
        return self.kept.get(descriptor, bytearray()).endswith(b"\n") or not self.seen.get(descriptor)


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
    inputs: tuple[PlannedFile, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """A recorded run: its reference, the command's exit status, and the gaps."""

    ref: str
    exit_status: int
    mechanism: str
    inputs: int
    outputs: int
    gaps: tuple[Gap, ...]

    def describe(self) -> dict[str, Any]:
        """Return what ``--json`` says of it."""
        return {
            "run": self.ref,
            "exit_status": self.exit_status,
            "mechanism": self.mechanism,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "gaps": [gap.describe() for gap in self.gaps],
        }


def start(session: Session, argv: Sequence[str], options: RunOptions) -> Started:
    """Put the beginning of a run on record, before anything of it happens.

    Raises `BadInput` when there is no command or a file named for it cannot be used, and what `Session.say` raises:
    then nothing is run.
    """
    if not argv:
        raise BadInput("there is no command to run", fix="Write it after --: lineal run -- python train.py")
    cwd = Path.cwd()
    _check(options, cwd)
    name = options.name or _name(argv)
    run = new_run_id(name)
    environment = {**os.environ, RUN_VARIABLE: run}
    ref = f"run:{run}"
    now = session.clock()
    detail = {"name": name, "argv": redact_argv(argv)[0], "cwd": paths.spell(os.fsencode(cwd)), "state": "started"}
    parent = _parent()
    if parent is not None:
        detail["parent"] = parent
    session.say(
        Observation(
            type=STARTED,
            time=now,
            actor=session.actor,
            basis="observed",
            nodes=(Node(ref=ref, basis="observed", detail=detail),),
            data={"host": read_host().describe()},
            subject=(ref,),
        )
    )
    inputs = plan_inputs(options.inputs)
    return Started(run, name, tuple(argv), cwd, environment, options, read_git(cwd), inputs)


def _check(options: RunOptions, cwd: Path) -> None:
    """Raise `BadInput` for whatever can be known to be wrong before hours of work."""
    for given in options.inputs:
        if not given.exists():
            raise BadInput(f"the input {clean(os.fspath(given))} is not there; nothing was run")
    if options.parameters is not None:
        read_parameter_file(cwd / options.parameters)
    for mechanism in (options.mechanism, os.environ.get("LINEAL_TRACE") or "auto"):
        if mechanism not in trace.MECHANISMS:
            raise BadInput(
                f"no such way to trace: {mechanism!r}; nothing was run", fix=f"One of {', '.join(trace.MECHANISMS)}."
            )
    for word in (options.name or "", options.activity or ""):
        if not word.isprintable() or len(word) > _MAX_NAME:
            raise BadInput(f"a name holds control characters or is over {_MAX_NAME} characters long; nothing was run")


def _parent() -> str | None:
    """Return the run that this one was started by, if the environment names one in earnest."""
    try:
        found = parse(f"run:{os.environ.get(RUN_VARIABLE, '')}")
    except BadRef:
        return None
    return str(found)


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
        ignore=(os.fsencode(session.ledger.home.root), *_own_logs(workspace)),
    )
    read = {each.path for each in accesses if each.read}
    written = {each.path for each in accesses if each.written}
    gaps: list[Gap] = [Gap(code, explanation) for code, explanation in outcome.trace.gaps]
    sagemaker = read_sagemaker(started.environment)
    with session.objects.batch() as batch:
        files = read_files(session, batch, plan, started.options, started.inputs)
        code = read_code(batch, state, started.cwd, plan)
        captured = Captured(
            environment=environment,
            parameters=_parameters(started, read, sagemaker, gaps),
            metrics=_metrics(started, written, gaps),
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


def _own_logs(workspace: Path) -> list[bytes]:
    """Return the files that our outputs go to and that are logs of whoever called us, not outputs of the command.

    That is standard error, and standard output when it leads out of the workspace.
    """
    found: list[bytes] = []
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            target = os.readlink(b"/proc/self/fd/%d" % descriptor)
            if target.startswith(b"/") and (descriptor == 2 or not target.startswith(os.fsencode(workspace) + b"/")):
                found.append(target)
    return found


def _keep(batch: Batch, environment: Environment, files: Files) -> dict[str, Digest]:
    found = {"files": batch.put_bytes(files.table())}
    if environment.interpreter is not None:
        found["pylock"] = batch.put_bytes(lock_text(environment).encode())
    return found


def _parameters(started: Started, read: set[bytes], sagemaker: SageMakerJob | None, gaps: list[Gap]) -> Parameters:
    """Return the hyper-parameters; a file named by hand that the command has spoiled is a gap: the run must be kept."""

    def find(file: Path | None) -> Parameters:
        values = None if sagemaker is None else sagemaker.hyperparameters
        return read_parameters(started.argv, cwd=started.cwd, file=file, read=read, sagemaker=values)

    try:
        return find(started.options.parameters)
    except BadInput as error:
        gaps.append(Gap("parameters.file", error.message))
        return find(None)


def _metrics(started: Started, written: set[bytes], gaps: list[Gap]) -> Metrics:
    """Return the metrics; a file named by hand that the command did not leave, or not well, is a gap."""
    named = started.options.metrics
    if named is not None and not (started.cwd / named).is_file():
        gaps.append(Gap("metrics.missing", f"the command did not leave the metrics file {clean(os.fspath(named))}"))
        named = None
    try:
        return read_metrics(started.cwd, file=named, written=written)
    except BadInput as error:
        gaps.append(Gap("metrics.file", error.message))
        return Metrics(values={})


def _name(argv: Sequence[str]) -> str:
    """Return what a run is called when nobody says: the script, or else the program."""
    script = next((word for word in argv if word.endswith((".py", ".sh", ".R", ".jl"))), argv[0])
    return redact(clean(Path(script).stem))[0][:_MAX_NAME] or "run"
