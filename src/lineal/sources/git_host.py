"""Where the parts of a commit that are not in its repository come from: submodules, files of Git LFS."""

import os
import posixpath
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lineal.core.observation import Gap
from lineal.core.repository import is_address, parse, scheme_of, without_credentials
from lineal.errors import BadInput, SourceError
from lineal.sources import git_lfs
from lineal.sources.git_objects import ID
from lineal.sources.git_program import Git, open_folder
from lineal.sources.git_remote import fetch_commit, holds, make_scratch
from lineal.sources.git_tree import Module, TreeEntry

_HTTP: Final = ("http", "https")
_RELATIVE: Final = re.compile(r"\.\.?(?:/.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHost:
    """Looks for them beside the repository (`worktree` is its working tree, if any), then at its host `url`.

    A submodule is fetched from another host, or a folder, only `elsewhere`: the repository itself says which, and it
    is not for the repository to say what we connect to.
    """

    scratch: Path
    url: str | None = None
    worktree: Path | None = None
    elsewhere: bool = False
    timeout: float = 600.0

    def submodule(self, parent: Git, module: Module | None, entry: TreeEntry) -> Git | Gap:
        """Return a repository that has the commit of the submodule `entry`, or a gap."""
        if ID.fullmatch(entry.id) is None:
            return Gap("git.submodule", "the submodule names no commit")
        for folder in self._beside(parent, module, entry):
            try:
                found = open_folder(folder)
            except (BadInput, SourceError):
                continue
            # Git looks for a repository in the folders above, too: that would be the parent again.
            if found.folder != parent.folder and holds(found, entry.id):
                return found
        if module is None or module.url is None:
            return Gap(
                "git.submodule", ".gitmodules does not say where the submodule comes from: only its commit is known"
            )
        address = self._address(module.url)
        if isinstance(address, Gap):
            return address
        try:
            scratch = make_scratch(self.scratch / f"module-{secrets.token_hex(6)}", parent.format, self.timeout)
            if fetch_commit(scratch, address, entry.id):
                return scratch
        except (SourceError, BadInput) as error:
            return Gap("git.submodule", f"the submodule is recorded by its commit alone: {error.message}")
        where = without_credentials(address)
        return Gap("git.submodule", f"the submodule is recorded by its commit alone: {where} does not have {entry.id}")

    def lfs(self, git: Git, pointer: git_lfs.Pointer) -> Path | Gap:
        """Return a file that holds the content of `pointer`, or a gap; whether it does is for the caller to check."""
        if (file := git_lfs.local_file(git.folder, pointer)) is not None:
            return file
        if self.url is None or scheme_of(self.url) not in _HTTP:
            return Gap("git.lfs", "the content of a file of Git LFS is not here: its pointer is kept")
        target = self.scratch / f"lfs-{pointer.oid}"
        try:
            git_lfs.download(self.url, pointer, target, min(self.timeout, 60.0))
        except SourceError as error:
            return Gap("git.lfs", f"the content of a file of Git LFS was not had, its pointer is kept: {error.message}")
        if target.stat().st_size != pointer.size:
            return Gap("git.lfs", "the LFS server gave another content than the pointer names: its pointer is kept")
        return target

    def _beside(self, parent: Git, module: Module | None, entry: TreeEntry) -> list[Path]:
        found = []
        if module is not None and not {"..", ""} & set(module.name.split("/")) and "\0" not in module.name:
            found.append(parent.folder / "modules" / module.name)
        if self.worktree is not None:
            folder = self.worktree / os.fsdecode(entry.path)
            if os.path.lexists(folder / ".git"):
                found.append(folder)
        return [folder for folder in found if folder.is_dir()]

    def _address(self, said: str) -> str | Gap:
        """Return where the submodule is fetched from; a gap for what the repository has no business to name."""
        relative = _RELATIVE.fullmatch(said) is not None
        if relative and self.url is None:
            return Gap("git.submodule", "the submodule is named from its parent's host, and none is known")
        address = _join(self.url or "", said) if relative else said
        if not is_address(address) and not self.elsewhere:
            return Gap("git.submodule", f"the submodule is in a folder, {without_credentials(said)}: not fetched")
        mine = parse(self.url).host if self.url is not None else None
        same = mine is not None and mine != "" and parse(address).host == mine
        if not (self.elsewhere or same or (relative and self.url is not None)):
            return Gap(
                "git.submodule_elsewhere",
                f"the submodule is at another host, {without_credentials(address)}: --submodules fetches it there",
            )
        return address


def _join(base: str, relative: str) -> str:
    """Return the address that `relative` (``../lib.git``) names from the repository at `base`, as git joins them."""
    start = base.index("://") + 3 if "://" in base else 0
    divider = base.find("/" if start else ":", start)
    if divider < 0:
        return base
    head, tail = base[: divider + 1], base[divider + 1 :]
    joined = posixpath.normpath(posixpath.join("/", tail, relative)).lstrip("/")
    return head + joined
