"""The real DVC, versions 2 and 3, each in an environment of its own, and projects that it makes.

The environments lie in `.venv/dvc2` and `.venv/dvc3`; they are made once, from the lock files in `requirements/`.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_KEPT = ("PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
_START = 1_760_000_000


def dvc_program(version: int) -> Path:
    """Return the program of DVC 2 or 3; skip the test where its environment cannot be made."""
    home = ROOT / ".venv" / f"dvc{version}"
    locked = ROOT / "requirements" / f"dvc{version}.txt"
    wanted = hashlib.sha256(locked.read_bytes()).hexdigest()
    home.parent.mkdir(exist_ok=True)
    with open(home.parent / f"dvc{version}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = home / "stamp"
        if not stamp.is_file() or stamp.read_text() != wanted:
            _install(home, locked, version)
            stamp.write_text(wanted)
    return home / "bin" / "dvc"


def _install(home: Path, locked: Path, version: int) -> None:
    uv = [sys.executable, "-m", "uv", "--system-certs"]
    python = home / "bin" / "python"
    for command in (
        [*uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(home)],
        [*uv, "pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(locked)],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"DVC {version} cannot be installed: {done.stderr.strip()[-500:]}")


@dataclass
class Project:
    """A git repository that uses DVC. Commits are an hour apart, the first at a fixed moment."""

    folder: Path
    home: Path
    version: int
    variables: Mapping[str, str] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        found = {name: os.environ[name] for name in _KEPT if name in os.environ}
        moment = f"{_START + 3600 * len(self.commits)} +0000"
        found.update(
            HOME=str(self.home),
            GIT_CONFIG_NOSYSTEM="1",
            GIT_AUTHOR_NAME="T",
            GIT_AUTHOR_EMAIL="t@example.org",
            GIT_COMMITTER_NAME="T",
            GIT_COMMITTER_EMAIL="t@example.org",
            GIT_AUTHOR_DATE=moment,
            GIT_COMMITTER_DATE=moment,
            DVC_NO_ANALYTICS="1",
            DVC_SITE_CACHE_DIR=str(self.home / "site"),
            AWS_EC2_METADATA_DISABLED="true",
        )
        return {**found, **self.variables}

    def run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.environment(), capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def dvc(self, *arguments: str, version: int | None = None) -> str:
        return self.run(str(dvc_program(version or self.version)), *arguments)

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments).strip()

    def write(self, name: str, data: bytes | str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        self.commits.append(self.git("rev-parse", "HEAD"))
        return self.commits[-1]


def make_project(root: Path, name: str, version: int, variables: Mapping[str, str] | None = None) -> Project:
    """Make an empty project ``name`` below `root`, with a HOME beside it."""
    project = Project(root / name, root / "home", version, variables or {})
    project.folder.mkdir(parents=True)
    project.home.mkdir(exist_ok=True)
    project.git("init", "-q", "-b", "main")
    project.dvc("init", "-q")
    return project
