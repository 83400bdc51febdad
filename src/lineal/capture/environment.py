"""What a program ran in: interpreter, packages, operating system, processor, memory, GPUs, thread settings."""

import csv
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lineal.capture.host import Hardware, System, read_hardware, read_system
from lineal.capture.interpreter import (
    Interpreter,
    Package,
    find_interpreter,
    probe_command,
    probe_environment,
    read_probe,
)
from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.core.observation import Gap
from lineal.core.redaction import clean
from lineal.program import Outcome, run_program

PROBE_TIMEOUT: Final = 30.0
GPU_TIMEOUT: Final = 5.0
# Variables that decide how many threads compute, and so in which order numbers are added.
THREAD_VARIABLES: Final = (
    "BLIS_NUM_THREADS", "GOTO_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "MKL_DYNAMIC", "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS", "NUMEXPR_MAX_THREADS", "NUMEXPR_NUM_THREADS", "OMP_DYNAMIC", "OMP_NUM_THREADS",
    "OMP_PROC_BIND", "OMP_SCHEDULE", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU as its driver names it; `memory` in MiB as the driver prints it."""

    model: str
    uuid: str
    driver: str
    memory: str

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document."""
        return {"model": self.model, "uuid": self.uuid, "driver": self.driver, "memory_mib": self.memory}


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Everything around a program but its code and data. `interpreter` is None for what is not a Python program."""

    interpreter: Interpreter | None
    packages: tuple[Package, ...]
    conda: tuple[str, ...]
    system: System
    hardware: Hardware
    gpus: tuple[Gpu, ...]
    threads: Mapping[str, str] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()

    @property
    def identity(self) -> dict[str, Any]:
        """What makes two environments the same: interpreter, packages, system and architecture; nothing of the host."""
        interpreter = self.interpreter
        return {
            "interpreter": None
            if interpreter is None
            else {
                "implementation": interpreter.implementation,
                "version": interpreter.version,
                "build": clean(interpreter.build),
            },
            "packages": [each.identity() for each in self.packages],
            "conda": list(self.conda),
            "system": self.system.identity(),
        }

    @property
    def digest(self) -> Digest:
        """The SHA-256 of the canonical bytes of `identity`: the version of the environment artifact."""
        return Digest.of(canonical.encode(self.identity))

    @property
    def prefixes(self) -> tuple[bytes, ...]:
        """The folders that belong to the interpreter, for `lineal.capture.file_roles.classify`."""
        return () if self.interpreter is None else self.interpreter.prefixes

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document, packages and all."""
        return {
            "interpreter": None if self.interpreter is None else self.interpreter.describe(),
            "packages": [each.describe() for each in self.packages],
            "conda": list(self.conda),
            "system": self.system.describe(),
            "hardware": self.hardware.describe(),
            "gpus": [each.describe() for each in self.gpus],
            "threads": dict(self.threads),
        }


def read_environment(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    executed: Iterable[bytes] = (),
) -> Environment:
    """Return the environment that the command `argv` runs in, with the folder and variables it runs with.

    The interpreter is asked in a process of its own, with the variables of the run, so that it sees the packages that
    the run sees; `executed` are the programs that the trace saw, for commands that start Python themselves. Raises
    nothing: what is not known is a gap.
    """
    gaps: list[Gap] = []
    interpreter, packages, conda = _ask_interpreter(argv, cwd, env, executed, gaps)
    hardware, hardware_gaps = read_hardware()
    gaps += hardware_gaps
    return Environment(
        interpreter=interpreter,
        packages=packages,
        conda=conda,
        system=read_system(),
        hardware=hardware,
        gpus=read_gpus(env, gaps),
        threads={name: clean(env[name]) for name in THREAD_VARIABLES if name in env},
        gaps=tuple(gaps),
    )


def read_gpus(env: Mapping[str, str], gaps: list[Gap]) -> tuple[Gpu, ...]:
    """Return the GPUs that ``nvidia-smi`` lists; what stands against it is appended to `gaps`."""
    program = shutil.which("nvidia-smi", path=env.get("PATH", os.defpath))
    if program is None:
        if Path("/proc/driver/nvidia/version").exists():
            gaps.append(Gap("environment.gpu", "there is an NVIDIA driver but no nvidia-smi to ask for the GPUs"))
        return ()
    query = "--query-gpu=name,uuid,driver_version,memory.total"
    outcome = run_program(
        [program, query, "--format=csv,noheader,nounits"], cwd="/", env=env, timeout=GPU_TIMEOUT, limit=1 << 20
    )
    if not outcome.ok:
        gaps.append(Gap("environment.gpu", f"nvidia-smi gave no answer: {clean(outcome.complaint)}"))
        return ()
    rows = csv.reader(clean(outcome.stdout).splitlines(), skipinitialspace=True)
    return tuple(Gpu(model=row[0], uuid=row[1], driver=row[2], memory=row[3].strip()) for row in rows if len(row) == 4)


def _ask_interpreter(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], executed: Iterable[bytes], gaps: list[Gap]
) -> tuple[Interpreter | None, tuple[Package, ...], tuple[str, ...]]:
    program = find_interpreter(argv, cwd=cwd, env=env, executed=executed)
    if program is None:
        gaps.append(
            Gap(
                "environment.interpreter",
                "the command is no Python program that Lineal knows: its packages are not recorded",
            )
        )
        return None, (), ()
    outcome = run_program(probe_command(program), cwd=cwd, env=probe_environment(env), timeout=PROBE_TIMEOUT)
    answer = read_probe(outcome)
    if answer is None:
        gaps.append(_silent(program, outcome))
        return None, (), ()
    without = [each.name for each in answer[1] if each.record is None]
    editable = [each.name for each in answer[1] if each.is_editable]
    if without:
        gaps.append(Gap("environment.no_record", "packages without a RECORD are known by version only", _some(without)))
    if editable:
        gaps.append(
            Gap(
                "environment.editable",
                "editable packages are links to working trees: their code is recorded only where the run read it",
                _some(editable),
            )
        )
    return answer


def _silent(program: str, outcome: Outcome) -> Gap:
    reason = "its answer was not understood" if outcome.ok else clean(outcome.complaint)
    return Gap("environment.interpreter", f"the interpreter did not describe itself: {reason}", clean(program))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
