"""What each file was to a run: input, output, source, part of the environment, or temporary."""

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from lineal.capture.accesses import Access, Stat
from lineal.capture.git_state import GitState
from lineal.core.observation import Gap

Role = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file to be hashed after the run. `before` is its state just before it was first opened (None: not there)."""

    path: bytes
    role: Role
    before: Stat | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The files of a run by what they were to it, each list in the order of its paths.

    `files` are the inputs and outputs, to be hashed singly; a file that was read first and then written is in it twice.
    `source` is code that was read; `untracked_source` the part of it that git does not track, relative to the
    repository (absolute without one), as `walk_source` takes it. `environment` belongs to the interpreter and the
    system, which are recorded as a whole.
    """

    files: tuple[PlannedFile, ...] = ()
    source: tuple[bytes, ...] = ()
    untracked_source: tuple[bytes, ...] = ()
    environment: tuple[bytes, ...] = ()
    temporary: tuple[bytes, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def inputs(self) -> tuple[PlannedFile, ...]:
        """The files that were read before anything in the run wrote them."""
        return tuple(each for each in self.files if each.role == "input")

    @property
    def outputs(self) -> tuple[PlannedFile, ...]:
        """The files that the run wrote and left behind."""
        return tuple(each for each in self.files if each.role == "output")


# Of the system: read as part of running anything at all. A workspace or data folder below one of them wins over it.
_SYSTEM: Final = (
    b"/bin", b"/boot", b"/etc", b"/lib", b"/lib32", b"/lib64", b"/libx32", b"/nix/store", b"/opt/conda",
    b"/opt/homebrew", b"/opt/intel", b"/opt/nvidia", b"/opt/rocm", b"/run", b"/sbin", b"/snap", b"/usr",
    b"/var/cache", b"/var/lib/dpkg", b"/System", b"/Library",
)  # fmt: skip
_NEVER: Final = (b"/proc", b"/sys", b"/dev")
_HOME_CACHES: Final = (
    b"/.cache/pip/", b"/.cache/uv/", b"/.cache/matplotlib/", b"/.cache/fontconfig/", b"/.cache/pypoetry/",
    b"/.config/", b"/.local/share/uv/", b"/.pyenv/", b"/.asdf/", b"/.local/share/mise/",
    b"/.ipython/", b"/.jupyter/", b"/.nv/", b"/.triton/cache/",
)  # fmt: skip
_PACKAGES: Final = frozenset({b"site-packages", b"dist-packages"})
_IGNORED: Final = frozenset({b"__pycache__", b".git", b".lineal", b".ipynb_checkpoints"})
CODE: Final = frozenset(
    b".py .pyi .pyx .pxd .ipynb .r .rmd .jl .sh .bash .zsh .sql .js .ts .c .h .cc .cpp .hpp .cu .cuh .go .rs .java "
    b".scala .kt .pl .lua .m .f90 .proto .toml .yaml .yml .cfg .ini .lock .mk .cmake .jinja .j2".split()
)
_CODE_NAMES: Final = frozenset({b"Makefile", b"Dockerfile", b"Snakefile", b"MLproject", b"pyvenv.cfg", b"Pipfile"})


def classify(
    accesses: Iterable[Access],
    *,
    workspace: Path,
    git: GitState | None = None,
    interpreter_prefixes: Sequence[bytes] = (),
    data: Sequence[bytes] = (b"/opt/ml",),
    ignore: Sequence[bytes] = (),
) -> Plan:
    """Decide what each accessed file was to the run.

    `workspace` is the folder of the project (git's toplevel, else the working directory); `interpreter_prefixes` are
    folders of the environment, `data` folders that never are, `ignore` folders and files that do not count. Of two
    that hold a file, the deeper one decides. Bytecode, git's own files and ledgers are always ignored.
    """
    folders = _Folders(workspace, git, interpreter_prefixes, data)
    ignored = tuple(each.rstrip(b"/") for each in ignore)
    tracked = {each.path for each in git.tracked} if git is not None else set()
    files: list[PlannedFile] = []
    source: list[bytes] = []
    extra: list[bytes] = []
    environment: list[bytes] = []
    temporary: list[bytes] = []
    altered = 0
    for access in sorted(accesses, key=lambda each: each.path):
        name = access.path
        if _is_ignored(name, ignored) or not (access.read or access.written or access.executed):
            continue
        belongs = folders.of(name)
        if belongs == "packages" or (belongs == "system" and not access.written):
            environment.append(name)
            altered += access.written and not access.removed
        elif access.written and access.first == "write":
            if access.removed:
                temporary.append(name)
            else:
                files.append(PlannedFile(name, "output", access.before))
        elif access.written:
            files.append(PlannedFile(name, "input", access.before))
            if not access.removed:
                files.append(PlannedFile(name, "output", access.before))
        elif access.removed and access.before is None:
            temporary.append(name)
        elif belongs == "workspace" and _is_code(name, access):
            source.append(name)
            relative = folders.relative(name)
            if relative is None or relative not in tracked:
                extra.append(name if relative is None else relative)
        else:
            files.append(PlannedFile(name, "input", access.before))
    return Plan(
        files=tuple(files),
        source=tuple(source),
        untracked_source=tuple(extra),
        environment=tuple(environment),
        temporary=tuple(temporary),
        gaps=_altered(altered),
    )


class _Folders:
    """Which of the known folders a path lies in, links resolved: the deepest decides."""

    def __init__(self, workspace: Path, git: GitState | None, prefixes: Sequence[bytes], data: Sequence[bytes]) -> None:
        toplevel = git.toplevel if git is not None else None
        self._toplevel = None if toplevel is None else _resolve(os.fsencode(toplevel))
        self._known = {
            b"": "data",
            **dict.fromkeys(_SYSTEM, "system"),
            **dict.fromkeys(map(_resolve, data), "data"),
            **{folder: "packages" for folder in map(_resolve, prefixes) if folder not in (b"", b"/usr")},
            _resolve(os.fsencode(workspace)): "workspace",
        }
        if self._toplevel is not None:
            self._known[self._toplevel] = "workspace"
        self._answers: dict[bytes, tuple[bytes, str]] = {}

    def of(self, name: bytes) -> str:
        """Return ``workspace``, ``packages``, ``system`` or ``data``."""
        return self._look(name)[1]

    def relative(self, name: bytes) -> bytes | None:
        """Return `name` relative to the repository, None outside of it."""
        folder = self._look(name)[0]
        if self._toplevel is None or not (folder + b"/").startswith(self._toplevel + b"/"):
            return None
        return os.path.join(folder, os.path.basename(name))[len(self._toplevel) + 1 :]

    def _look(self, name: bytes) -> tuple[bytes, str]:
        folder = os.path.dirname(name)
        answer = self._answers.get(folder)
        if answer is None:
            resolved = _resolve(folder)
            answer = self._answers[folder] = (resolved, self._decide(resolved))
        return answer

    def _decide(self, folder: bytes) -> str:
        parts = folder.split(b"/")
        depth = next(n for n in range(len(parts), 0, -1) if b"/".join(parts[:n]) in self._known)
        found = self._known[b"/".join(parts[:depth])]
        if not _PACKAGES.isdisjoint(parts[depth:]):
            return "packages"
        if found == "data" and any(cache in folder + b"/" for cache in _HOME_CACHES):
            return "system"
        return found


def _resolve(folder: bytes) -> bytes:
    """Return the real path of `folder`, without a slash at its end (the root is empty)."""
    return os.path.realpath(folder).rstrip(b"/")


def _is_ignored(name: bytes, ignored: tuple[bytes, ...]) -> bool:
    if name.startswith(tuple(each + b"/" for each in _NEVER)) or name.endswith((b".pyc", b".pyo")):
        return True
    if any(name == each or name.startswith(each + b"/") for each in ignored):
        return True
    return not _IGNORED.isdisjoint(name.split(b"/"))


def _is_code(name: bytes, access: Access) -> bool:
    """Whether a file that was only read is code rather than data: executed, or called as code is."""
    if access.executed:
        return True
    if access.before is not None and not stat.S_ISREG(access.before.mode):
        return False
    last = os.path.basename(name)
    return last in _CODE_NAMES or b"." + last.rpartition(b".")[2].lower() in CODE


def _altered(count: int) -> tuple[Gap, ...]:
    if not count:
        return ()
    return (
        Gap(
            "files.environment_altered",
            f"the run wrote {count} files among the packages of its interpreter: the environment recorded is the one "
            "it had when it was read",
        ),
    )
