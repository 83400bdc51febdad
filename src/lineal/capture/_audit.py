"""The last resort, and all there is on macOS: Python's own audit events, and a look at the workspace before and after.

Nothing native is seen, nor a Python started with ``-I`` or a cleared environment (PEP 578 events come from the
interpreter itself). What was written in the workspace is found by comparing two scans.
"""

# Paths are bytes throughout: pathlib refuses names that are not UTF-8.
# ruff: noqa: PTH108

import os
import tempfile
from collections.abc import Iterator
from typing import Final

from lineal.capture._gaps import Gaps, Seen
from lineal.capture._guardian import Guardian
from lineal.capture._names import tidy
from lineal.capture.accesses import IGNORED, Event, Fold, Op, inherited, pack_fields, pack_stat

_HOOK: Final = os.path.join(os.path.dirname(os.fsencode(__file__)), b"_hook")
_FIELDS: Final = 6
_SKIPPED: Final = (b".git", b".lineal")
_OPS: Final = {
    b"open": Op.OPEN,
    b"exec": Op.EXEC,
    b"rename": Op.RENAME,
    b"link": Op.LINK,
    b"symlink": Op.SYMLINK,
    b"unlink": Op.UNLINK,
    b"truncate": Op.TRUNCATE,
}


class Audit:
    """The log of one run's audit events, and the scan of its workspace."""

    patient = False

    def __init__(self, env: dict[bytes, bytes], workspace: bytes | None) -> None:
        """Put the hook into the environment `env` of the program; `workspace` is the folder to scan, if any."""
        handle, name = tempfile.mkstemp(prefix="lineal-audit-")
        os.close(handle)
        self._log = os.fsencode(name)
        env[b"LINEAL_AUDIT_LOG"] = self._log
        env[b"PYTHONPATH"] = b":".join(part for part in (_HOOK, env.get(b"PYTHONPATH", b"")) if part)
        self._workspace = None if workspace is None else os.path.abspath(workspace)
        self._before = dict(_scan(self._workspace))
        self._fold = Fold()
        for event in inherited():
            self._fold.apply(event)

    def guarded(self, guardian: Guardian) -> None:
        """The hook needs no guardian."""

    def sources(self) -> dict[int, int]:
        """There is nothing to poll."""
        return {}

    def ready(self, fd: int) -> bool:
        """There is nothing to handle."""
        return False

    def finish(self) -> Seen:
        """Return what the log and the scans show."""
        with open(self._log, "rb") as log:
            fields = log.read().split(b"\0")
        os.unlink(self._log)
        connections = set()
        for at in range(0, len(fields) - _FIELDS, _FIELDS):
            kind, flags, path, before, target, target_before = fields[at : at + _FIELDS]
            if kind == b"connect":
                connections.add(os.fsdecode(path))
            elif kind in _OPS and path.startswith(b"/") and not path.startswith(IGNORED):
                event = Event(
                    0,
                    _OPS[kind],
                    tidy(path),
                    int(flags),
                    _state(before),
                    target and tidy(target),
                    _state(target_before),
                )
                self._fold.apply(event)
        after = dict(_scan(self._workspace))
        for path in self._before.keys() | after.keys():
            if self._before.get(path) != after.get(path):
                self._fold.change(path, self._before.get(path), removed=path not in after)
        gaps = Gaps()
        gaps.note("capture.python_only")
        if self._workspace is None:
            gaps.note("capture.no_scan")
        return Seen(self._fold.finish(), tuple(sorted(connections)), gaps)


def _state(text: bytes) -> bytes | None:
    return pack_fields(*map(int, text.split())) if text else None


def _scan(folder: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    """Yield the regular files below `folder` with their packed states; symbolic links are not followed."""
    if folder is None:
        return
    waiting = [folder]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED:
                    waiting.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                try:
                    yield entry.path, pack_stat(entry.stat(follow_symlinks=False))
                except OSError:
                    continue
