"""Snapshots of many small files and of one large one, beside DVC and the bare cost of reading, hashing and writing.

Whole commands, each in a process of its own: `lineal snapshot` and `lineal restore` beside `dvc add`, `dvc status` and
`dvc checkout`. Every step is checked before it counts: the number of files in the manifest, the bytes that came back.
The large manifest is made and compared in one process of Lineal's environment, without files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import ROOT, RefusedEnvironmentError, clean_environment, prepare
from benchmarks.measure import load, machine
from benchmarks.results import merge, read
from benchmarks.table import render

STEPS: Final = ("first", "unchanged", "one changed", "restore")
SIZE: Final = 4096
_POLL: Final = 0.02


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds, the greatest memory seen of the process (MiB), its exit status."""

    wall: float
    cpu: float
    peak: float
    status: int


@dataclass(slots=True)
class Tool:
    """One way: its rows by step, how each step is run in a folder that holds ``data``, what is wrong with it."""

    name: str
    commands: dict[str, Sequence[str]]
    prepare: Callable[[Path], None] = lambda _folder: None
    refused: str | None = None
    environment: dict[str, str] = field(default_factory=dict)


def run_watched(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Cost:
    """Run `command` to its end and watch its memory: the high-water mark of its own address space."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        peak = 0.0
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, _high_water(process.pid))
            time.sleep(_POLL if time.perf_counter() - start > 1 else 0.002)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            print(said.read().decode(errors="replace")[-2000:], file=sys.stderr)
    return Cost(wall, used.ru_utime + used.ru_stime, peak, process.returncode)


def _high_water(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmHWM")), 0.0)


def make_many(folder: Path, files: int) -> None:
    """`files` of 4 KiB that nobody can compress or share, a hundred in a folder."""
    for start in range(0, files, 100):
        below = folder / f"{start // 100:05d}"
        below.mkdir(parents=True)
        data = os.urandom(SIZE * 100)
        for number in range(min(100, files - start)):
            (below / f"{number:02d}.bin").write_bytes(data[number * SIZE : (number + 1) * SIZE])


def make_large(folder: Path, gib: int) -> None:
    """One file of `gib` GiB."""
    folder.mkdir(parents=True)
    with (folder / "large.bin").open("wb") as file:
        for _ in range(gib * 16):
            file.write(os.urandom(64 << 20))


def change_one(folder: Path) -> None:
    """Other bytes of the same size at the start of the first file; of a large file that means all of it is read."""
    first = min(path for path in folder.rglob("*") if path.is_file())
    with first.open("r+b") as file:
        file.write(os.urandom(64))


def fingerprint(folder: Path) -> str:
    """The digest of all names and bytes below `folder`."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            found.update(str(path.relative_to(folder)).encode() + hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def lineal_tools(scratch: Path) -> list[Tool]:
    """Lineal with the bytes stored, and with their digests only."""
    try:
        program = str(prepare("lineal").parent / "lineal")
    except RefusedEnvironmentError as error:
        return [Tool("lineal snapshot", {}, refused=str(error))]

    def begin(folder: Path) -> None:
        subprocess.run(
            [program, "init"], cwd=folder, env={**clean_environment(), "HOME": str(scratch)}, check=True, **_QUIET
        )

    take = [program, "snapshot", "dataset:d", "data"]
    steps = {"first": take, "unchanged": take, "one changed": take}
    stored = {**steps, "restore": [program, "restore", "dataset:d@2", "data"]}
    digests = {step: [*command, "--reference"] for step, command in steps.items()}
    return [Tool("lineal snapshot", stored, begin), Tool("lineal snapshot --reference", digests, begin)]


def dvc_tool(scratch: Path) -> Tool:
    """DVC in a git repository, as it is by default; what it keeps of files outside is in `scratch`."""
    try:
        program = str(prepare("dvc").parent / "dvc")
    except RefusedEnvironmentError as error:
        return Tool("dvc", {}, refused=str(error))
    environment = {"DVC_SITE_CACHE_DIR": str(scratch / "dvc-site"), "DVC_NO_ANALYTICS": "1"}

    def begin(folder: Path) -> None:
        shutil.rmtree(scratch / "dvc-site", ignore_errors=True)
        every = {**clean_environment(), "HOME": str(scratch), **environment}
        for words in (["git", "init", "-q"], [program, "init", "-q"], [program, "config", "core.analytics", "false"]):
            subprocess.run(words, cwd=folder, env=every, check=True, **_QUIET)

    add = [program, "add", "-q", "data"]
    commands = {"first": add, "unchanged": [program, "status", "-q"], "one changed": add}
    return Tool("dvc", {**commands, "restore": [program, "checkout", "-q"]}, begin, environment=environment)


def bare_tools() -> list[Tool]:
    """What cannot be done without: every file read and hashed once, and written to one file that is synced."""
    python = [sys.executable, "-m", "benchmarks.programs.bare_snapshot"]
    return [
        Tool("bare: read, SHA-256, write, fsync", {"first": [*python, "data", "stored"]}),
        Tool("bare: read, SHA-256", {"first": [*python, "data"]}),
    ]


_QUIET: Final[dict[str, Any]] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def measure_case(title: str, make: Callable[[Path], None], scratch: Path, repeats: int) -> list[dict[str, Any]]:
    """The rows of one set of files: tools alternate within every repeat, each in a new folder with the same data."""
    data = scratch / "origin"
    make(data)
    tools = [*lineal_tools(scratch), dvc_tool(scratch), *bare_tools()]
    rows = {
        (tool.name, step): {"data": title, "tool": tool.name, "step": step, "samples": []}
        for step in STEPS
        for tool in tools
        if tool.refused or step in tool.commands
    }
    for repeat in range(repeats):
        for tool in tools[repeat % len(tools) :] + tools[: repeat % len(tools)]:
            _run_tool(tool, data, scratch / "work", scratch, rows)
    shutil.rmtree(data)
    return list(rows.values())


def _run_tool(tool: Tool, data: Path, folder: Path, scratch: Path, rows: dict[tuple[str, str], dict[str, Any]]) -> None:
    if tool.refused:
        for (name, _), row in rows.items():
            if name == tool.name:
                row["refused"] = tool.refused
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copytree(data, folder / "data")
    environment = {**clean_environment(), "HOME": str(scratch), "PYTHONPATH": str(ROOT.parent), **tool.environment}
    tool.prepare(folder)
    os.sync()
    time.sleep(2.1)  # a file written a moment ago is read with more care
    wanted = ""
    for step in STEPS:
        if step not in tool.commands:
            continue
        if step == "one changed":
            change_one(folder / "data")
            time.sleep(2.1)
        if step == "restore":
            wanted = fingerprint(folder / "data")
            shutil.rmtree(folder / "data")
            os.sync()
        cost = run_watched(tool.commands[step], folder, environment)
        row = rows[tool.name, step]
        if cost.status:
            row["refused"] = f"ended with {cost.status}"
        elif step == "restore" and fingerprint(folder / "data") != wanted:
            row["refused"] = "other bytes came back"
        row["samples"].append({"wall": cost.wall, "cpu": cost.cpu, "peak": cost.peak, "load": load()})
    shutil.rmtree(folder)


def measure_manifest(entries: int, folder: Path) -> dict[str, Any]:
    """A manifest of so many entries: made, made again with one changed, compared; in Lineal's environment."""
    row: dict[str, Any] = {"name": f"{entries:,} entries", "samples": []}
    try:
        python = prepare("lineal")
    except RefusedEnvironmentError as error:
        return row | {"refused": str(error)}
    with tempfile.TemporaryDirectory(dir=folder, prefix="manifest-") as scratch:
        command = [str(python), "-m", "benchmarks.programs.large_manifest", scratch, str(entries)]
        done = subprocess.run(
            command, cwd=ROOT.parent, env=clean_environment(), capture_output=True, text=True, check=False
        )
    if done.returncode:
        return row | {"refused": done.stderr.strip().splitlines()[-1]}
    return row | {"samples": [json.loads(done.stdout)]}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.snapshot", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--gib", type=int, default=4)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("many", "large", "manifest"), help="replace only these rows in --json")
    parser.add_argument("--folder", type=Path, default=ROOT / ".data")
    parser.add_argument("--json", type=Path, help="merge the result into this file")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    held = read(given.json).get("snapshot", {}) if given.json and given.only else {}
    manifest = held.get("manifest", {"name": "manifest", "samples": []})
    many, large = f"{given.files:,} files of 4 KiB", f"one file of {given.gib} GiB"
    rows = [row for row in held.get("rows", []) if row["data"] != {"many": many, "large": large}.get(given.only or "")]
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="snapshot-") as place:
        scratch = Path(place)
        if given.only in (None, "many"):
            rows += measure_case(many, lambda folder: make_many(folder, given.files), scratch, given.repeats)
        if given.only in (None, "large"):
            rows += measure_case(large, lambda folder: make_large(folder, given.gib), scratch, given.repeats)
        if given.only in (None, "manifest"):
            manifest = measure_manifest(given.entries, scratch)
    settings = {"repeats": given.repeats, "load": load()}
    result = {"settings": settings, "rows": rows, "manifest": manifest, "machine": machine(given.folder)}
    print(render("snapshot", result))
    if given.json:
        merge(given.json, "snapshot", result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
