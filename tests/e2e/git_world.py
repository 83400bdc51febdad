"""Real repositories, a host that serves them, and a ledger that collects from them."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lineal.app.collect_git import CollectedCode, Wanted, collect_git
from lineal.app.session import Session
from lineal.core.digest import Digest
from lineal.datasets import manifest
from lineal.datasets.manifest import Entry
from lineal.wiring import Settings, create, open_session
from servers.git_http import GitHost, git_host

GIT = pytest.mark.skipif(shutil.which("git") is None, reason="the git program is not installed")
MOMENT = 1_760_000_000


def lonely(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Let git know nothing of whoever runs the tests."""
    home.mkdir(exist_ok=True)
    for name in list(os.environ):
        if name.startswith(("GIT_", "AWS_", "SSH_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GNUPGHOME", str(home / "gnupg"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")


def git(folder: Path, *words: str, env: Mapping[str, str] | None = None) -> str:
    """Run the real git in `folder` and return what it printed."""
    command = ["git", "-c", "protocol.file.allow=always", "-C", str(folder), *words]
    done = subprocess.run(command, check=True, capture_output=True, env={**os.environ, **(env or {})})
    return done.stdout.decode("utf-8", "surrogateescape").strip()


@dataclass
class World:
    """A folder with repositories, the host that serves those in ``host``, a ledger."""

    root: Path
    session: Session
    host: GitHost

    def repository(self, name: str = "risk", *, hash_name: str = "sha1") -> Path:
        """Make a repository with two commits, an executable and a link; tag ``v1.0`` is the first commit."""
        folder = self.root / name
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main", f"--object-format={hash_name}")
        (folder / "src").mkdir()
        (folder / "src" / "train.py").write_text("print('one')\n")
        (folder / "src.md").write_text("sorted before src/ by a folder's own name\n")
        (folder / "run.sh").write_text("#!/bin/sh\n")
        (folder / "run.sh").chmod(0o755)
        (folder / "link").symlink_to("src/train.py")
        self.commit(folder, "first", 0)
        git(folder, "tag", "v1.0")
        (folder / "src" / "train.py").write_text("print('two')\n")
        self.commit(folder, "second", 1)
        return folder

    def commit(self, folder: Path, message: str, number: int = 9, *options: str) -> str:
        """Commit everything in `folder`, at a moment that `number` gives, and return the commit."""
        when = f"{MOMENT + number} +0000"
        git(folder, "add", "-A")
        dates = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        git(folder, "commit", "-q", "--allow-empty", *options, "-m", message, env=dates)
        return git(folder, "rev-parse", "HEAD")

    def publish(self, folder: Path) -> str:
        """Put a bare copy of the repository at the host, make it the origin, and return its address."""
        bare = self.host.root / f"{folder.name}.git"
        git(self.root, "clone", "-q", "--bare", str(folder), str(bare))
        url = self.host.url(folder.name)
        git(folder, "remote", "add", "origin", url)
        return url

    def push(self, folder: Path, *refs: str) -> None:
        """Force branches and tags upon the published copy."""
        git(folder, "push", "-q", "--force", str(self.host.root / f"{folder.name}.git"), *refs)

    def collect(self, place: Path | str, **wanted: Any) -> CollectedCode:
        """Collect from `place`."""
        return collect_git(self.session, str(place), Wanted(**wanted))

    def entries(self, digest: str | None) -> list[Entry]:
        """Return the entries of a version that is kept."""
        assert digest is not None
        return list(manifest.entries(manifest.load(Digest.parse(digest), self.session.objects), self.session.objects))


def codes(found: CollectedCode) -> list[str]:
    """Return the codes of the gaps of a collection, sorted."""
    return sorted({gap.code for gap in found.done.gaps})


@contextmanager
def make_world(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Make an empty world below `root`."""
    lonely(monkeypatch, root / "home")
    (root / "host").mkdir()
    settings = Settings(ledger=str(root / "ledger" / ".lineal"), actor="tester")
    create(settings, root / "ledger", None)
    with open_session(settings) as session, git_host(root / "host") as host:
        yield World(root, session, host)
