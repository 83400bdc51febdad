"""What every benchmark here measures with: clocks, the disk's own speed, the machine, and medians."""

from __future__ import annotations

import datetime
import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Clock:
    """Wall and CPU seconds (user and system; this process, its threads and its ended children) while running."""

    def __init__(self) -> None:
        self.wall = 0.0
        self.cpu = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), _cpu_seconds()
        try:
            yield
        finally:
            self.wall += time.perf_counter() - wall
            self.cpu += _cpu_seconds() - cpu


def _cpu_seconds() -> float:
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


@dataclass(frozen=True, slots=True)
class ProcessCost:
    """Seconds of one process with the descendants that were waited for, and its exit status.

    No peak memory: Linux carries ru_maxrss across exec, so a small program would be charged this harness's own.
    """

    wall: float
    cpu: float
    status: int


def run_process(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> ProcessCost:
    """Run `command` in `folder` to its end, its output discarded."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    return ProcessCost(wall, used.ru_utime + used.ru_stime, process.returncode)


def folder_bytes(folder: Path) -> int:
    """The sum of the sizes of all files under `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def sync_milliseconds(folder: Path, times: int = 40) -> float:
    """The median time of appending 4 KiB to a file in `folder` and fdatasync, so that a busy disk shows."""
    path = folder / "sync-probe"
    taken: list[float] = []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            start = time.perf_counter()
            file.write(b"\0" * 4096)
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - start)
    path.unlink()
    return round(statistics.median(taken) * 1000, 3)


def load() -> float:
    """The load average of the last minute: other work on the machine, ours included."""
    return round(os.getloadavg()[0], 2)


def machine(folder: Path) -> dict[str, Any]:
    """What a reader needs to judge the figures; names no host."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": platform.python_version(),
        "file_system": _file_system(folder),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """The type of the file system that holds `folder`, from /proc/self/mounts; `unknown` elsewhere."""
    mounts = Path("/proc/self/mounts")
    best, kind = "", "unknown"
    if mounts.exists():
        for line in mounts.read_text().splitlines():
            _, place, name, *_ = line.split()
            if folder.resolve().is_relative_to(place) and len(place) >= len(best):
                best, kind = place, name
    return kind


def spread(values: Iterable[float]) -> dict[str, float]:
    """Median, least and greatest of `values`, which are at least one."""
    held = sorted(values)
    return {"median": statistics.median(held), "min": held[0], "max": held[-1]}
