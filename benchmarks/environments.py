"""One virtual environment per peer under `.venvs`, made from its pinned requirements when they change."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent
PYTHON: Final = "3.11"  # the newest that ml-metadata 1.17.1 has a wheel for


class RefusedEnvironmentError(Exception):
    """A peer's environment cannot be made here; the message is the installer's own last line."""


def prepare(peer: str) -> Path:
    """The Python of `peer`'s environment, made or remade if its requirements file has changed.

    Uses uv from PATH, else `python -m uv`, else venv and pip. Raises RefusedEnvironmentError.
    """
    requirements = ROOT / f"requirements-{peer}.txt"
    folder = ROOT / ".venvs" / peer
    python = folder / "bin" / "python"
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(requirements.read_bytes() + _own_dependencies(peer)).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    print(f"preparing {folder.relative_to(ROOT.parent)} …", file=sys.stderr)
    uv = _find_uv()
    if uv:
        _run([*uv, "venv", "--quiet", "--python", PYTHON, str(folder)])
        # uv leaves compiling to the first import, which a read-only or PYTHONDONTWRITEBYTECODE start repeats
        _run([*uv, "pip", "install", "-q", "--compile-bytecode", "-p", str(python), "-r", str(requirements)])
    else:
        _run([_find_python(), "-m", "venv", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)])
    stamp.write_text(wanted)
    return python


def clean_environment() -> dict[str, str]:
    """Our environment without PYTHON* variables: one that stops bytecode caching made MLflow start 2x slower."""
    return {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}


def _own_dependencies(peer: str) -> bytes:
    return (ROOT.parent / "pyproject.toml").read_bytes() if peer == "lineal" else b""


def _find_uv() -> list[str]:
    if found := shutil.which("uv"):
        return [found]
    return [sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else []


def _find_python() -> str:
    if found := shutil.which(f"python{PYTHON}"):
        return found
    if sys.version_info[:2] == tuple(int(part) for part in PYTHON.split(".")):
        return sys.executable
    raise RefusedEnvironmentError(f"needs Python {PYTHON}; neither uv nor python{PYTHON} is on PATH")


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, cwd=ROOT.parent, env=clean_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise RefusedEnvironmentError(lines[-1] if lines else f"{command[0]} ended with {done.returncode}")
