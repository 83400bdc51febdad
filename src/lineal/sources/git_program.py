"""The git program at work for us: told nothing by the repository it reads, and never asking anybody anything.

No hook, filter, alias, external diff, replacement or graft of a repository has a say. What the user has set for all
repositories holds where a host is spoken to: credentials, proxies, certificates, keys.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lineal.core.redaction import clean, redact
from lineal.core.repository import scheme_of, without_credentials
from lineal.errors import BadInput, SourceError
from lineal.program import MISSING, TIMED_OUT, TOO_LONG, Outcome, run_program

TIMEOUT: Final = 600.0
LARGEST_ANSWER: Final = 1 << 30

_NOTHING: Final = "nothing"
_KEPT: Final = frozenset(
    {
        "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_EXEC_PATH", "GIT_SSH", "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY",
        "GIT_SSL_NO_VERIFY", "GIT_PROXY_SSL_CAINFO", "GIT_PROXY_COMMAND",
    }
)  # fmt: skip
_SAFE: Final = (
    "git", "--no-pager", "--no-replace-objects", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false",
    "-c", "core.commitGraph=false", "-c", "core.quotepath=off", "-c", "color.ui=false",
    "-c", "protocol.ext.allow=never",
    "-c", "submodule.recurse=false", "-c", "fetch.recurseSubmodules=false", "-c", "transfer.bundleURI=false",
    "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "log.showSignature=false", "-c", "http.lowSpeedLimit=1",
    "-c", "http.lowSpeedTime=60", "-c", "core.alternateRefsCommand=", "-c", "fetch.writeCommitGraph=false",
)  # fmt: skip
# What the address of each scheme may lead to: a host cannot send us to a file, nor to a program.
_PROTOCOLS: Final = {
    "https": "https", "http": "http:https", "ssh": "ssh", "git": "git", "file": "file", "": "file",
    "codecommit": "codecommit:https",
}  # fmt: skip
_DENIED: Final = (
    "authentication failed", "could not read username", "could not read password", "permission denied", "error: 401",
    "error: 403", "access denied", "terminal prompts disabled", "host key verification failed",
)  # fmt: skip
_SSH_SAYS: Final = (
    "ssh:",
    "host key",
    "fatal: '",
    "error:",
    "remote:",
    "connection",
    "kex_exchange",
    "no such identity",
)
_ABSENT: Final = ("not found", "does not exist", "does not appear to be a git repository", "error: 404", "no such")
_AWAY: Final = (
    "could not resolve", "connection refused", "connection timed out", "failed to connect", "unable to connect",
    "network is unreachable", "no route to host", "operation too slow", "couldn't connect",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Git:
    """One repository, bare or not, by its git folder; `format` is its hash: ``sha1`` or ``sha256``."""

    folder: Path
    format: str = "sha1"
    is_shallow: bool = False
    alternates: tuple[Path, ...] = ()
    timeout: float = TIMEOUT
    env: Mapping[str, str] = field(default_factory=dict)

    def command(self, *words: str, before: Sequence[str] = ()) -> list[str]:
        """Return the command that runs git on the repository, with the options `before` its `words`."""
        return [*_SAFE, *before, f"--git-dir={self.folder}", *words]

    def environment(self) -> dict[str, str]:
        """Return the environment of a command that speaks to no host."""
        found = {**environment(_NOTHING), **self.env}
        if self.alternates:
            found["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = os.pathsep.join(map(str, self.alternates))
        return found

    def try_to(self, *words: str, before: Sequence[str] = ()) -> Outcome:
        """Run git and return how it ended."""
        command = self.command(*words, before=before)
        return run_program(command, cwd=self.folder, env=self.environment(), timeout=self.timeout, limit=LARGEST_ANSWER)

    def run_in(self, folder: Path, *words: str) -> Outcome:
        """Run git where it finds the repository by itself, in `folder`: for what a working tree has of its own."""
        return run_program([*_SAFE, *words], cwd=folder, env=self.environment(), timeout=self.timeout)

    def ask(self, *words: str) -> bytes:
        """Run git and return what it printed; raise `SourceError` if it failed."""
        done = self.try_to(*words)
        if not done.ok:
            raise SourceError(f"git {words[0]} failed in {self.folder}: {complaint(done)}")
        return done.stdout

    def open_batch(self) -> "subprocess.Popen[bytes]":
        """Start the program that gives out objects by their names; raise `SourceError` where it cannot be started."""
        try:
            return subprocess.Popen(
                self.command("cat-file", "--batch"),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise SourceError(f"the git program cannot be started: {error.strerror}") from error


def environment(allowed: str) -> dict[str, str]:
    """Return the environment for git: its own variables only where they say how the user reaches hosts.

    `allowed` are the protocols that it may speak, divided by colons.
    """
    found = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _KEPT}
    found.pop("SSH_ASKPASS", None)
    found.update(
        LC_ALL="C",
        GIT_ALLOW_PROTOCOL=allowed,
        GIT_TERMINAL_PROMPT="0",
        GIT_OPTIONAL_LOCKS="0",
        GIT_NO_LAZY_FETCH="1",
        GIT_NO_REPLACE_OBJECTS="1",
        GIT_GRAFT_FILE=os.devnull,
        SSH_ASKPASS_REQUIRE="never",
    )
    return found


def open_folder(folder: Path, timeout: float = TIMEOUT) -> Git:
    """Return the repository that `folder` lies in: a working tree, a linked one, a bare repository.

    Raises `BadInput` where there is none, `SourceError` where git refuses or fails.
    """
    words = (
        "rev-parse",
        "--path-format=absolute",
        "--git-common-dir",
        "--is-shallow-repository",
        "--show-object-format",
    )
    done = run_program([*_SAFE, *words], cwd=folder, env=environment(_NOTHING), timeout=timeout)
    lines = done.stdout.rsplit(b"\n", 3)
    if not done.ok or len(lines) != 4:
        said = complaint(done)
        if "dubious ownership" in said:
            raise SourceError(
                f"{folder} belongs to another user, so git refuses to read it",
                fix=f"git config --global --add safe.directory {folder}",
            )
        if "not a git repository" in said:
            raise BadInput(f"{folder} is not in a git repository", fix="Name a folder of a repository, or its URL.")
        raise SourceError(f"git cannot read {folder}: {said}")
    return Git(Path(os.fsdecode(lines[0])), lines[2].decode(), is_shallow=lines[1] == b"true", timeout=timeout)


def speak(url: str, words: Sequence[str], *, cwd: Path, timeout: float, limit: int = LARGEST_ANSWER) -> Outcome:
    """Run git with `words` to speak to the host of `url`, which they name without its credentials.

    Raises `BadInput` for an address that names a program, or none of the protocols that git speaks.
    """
    protocols = _PROTOCOLS.get(scheme_of(url))
    if protocols is None or url.startswith("-"):
        raise BadInput(
            f"not an address that code is fetched from: {without_credentials(url)!r}",
            fix="Write https://…, ssh://…, user@host:path, git://…, file://… or codecommit::region://name.",
        )
    found = environment(protocols)
    if (plain := without_credentials(url)) != url:
        # Arguments can be seen by every user of the machine, the environment cannot.
        found.update(GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0=f"url.{url}.insteadOf", GIT_CONFIG_VALUE_0=plain)
    return run_program([*_SAFE, *words], cwd=cwd, env=found, timeout=timeout, limit=limit)


def remote_error(url: str, done: Outcome, what: str) -> SourceError:
    """Return the error for a host that did not do `what`: it refused, has no such repository, is away, or failed."""
    said = complaint(done)
    lower = done.stderr.decode("utf-8", "replace").lower()
    where = without_credentials(url)
    if done.failure == TIMED_OUT:
        return SourceError(f"{where} did not answer in time; {what}")
    if "remote-codecommit" in lower:
        fix = "pip install git-remote-codecommit, or use the repository's https:// address."
        return SourceError(
            f"git cannot speak to {where}: the program git-remote-codecommit is missing; {what}", fix=fix
        )
    if any(each in lower for each in _DENIED):
        fix = "Give git credentials of the host (a credential helper, a key); docs/sources/git.md says which."
        return SourceError(f"{where} refused access: {said}; {what}", fix=fix)
    if any(each in lower for each in _AWAY):
        return SourceError(f"{where} cannot be reached: {said}; {what}")
    if any(each in lower for each in _ABSENT):
        return SourceError(f"{where} is not there, or not for you: {said}; {what}")
    return SourceError(f"{where} did not answer as a git host: {said}; {what}")


def complaint(done: Outcome) -> str:
    """Return one line, without secrets, that says why git failed."""
    reasons = {MISSING: "the git program is not installed", TIMED_OUT: "it did not end in time", TOO_LONG: "too long"}
    if done.failure is not None:
        return reasons.get(done.failure, clean(done.stderr)[:300])
    lines = [clean(line) for line in done.stderr.splitlines() if line.strip()]
    if any(line.startswith("fatal: Could not read from remote") for line in lines):  # what ssh said stands above it
        lines = [line for line in lines if line.lower().startswith(_SSH_SAYS) or "denied" in line] or lines
    telling = [line for start in ("fatal:", "error:", "ERROR:", "remote:") for line in lines if line.startswith(start)]
    shown = (telling or lines or [f"exit status {done.status}"])[0]
    return redact(shown)[0][:300]
