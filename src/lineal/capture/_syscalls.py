"""The system calls that name files: their numbers on each machine, and where their arguments stand.

Numbers: ``arch/x86/entry/syscalls/syscall_64.tbl`` and ``include/uapi/asm-generic/unistd.h`` of Linux.
"""

import os
import platform
from dataclasses import dataclass
from typing import Final

from lineal.capture.accesses import Op


@dataclass(frozen=True, slots=True)
class Call:
    """Where a call keeps what matters; each number is an argument's index, None where it has no such argument.

    `at` and `path` name the file, `target_at` and `target` its second name, `flags` its flags; `indirect` flags stand
    in memory; `fixed` flags are implied. `gap` is the code of what the call hides from us.
    """

    op: Op
    path: int = 0
    at: int | None = None
    flags: int | None = None
    target: int | None = None
    target_at: int | None = None
    indirect: bool = False
    fixed: int = 0
    gap: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine's calls: name to number, its audit number (linux/audit.h), and foreign ABIs that it also runs."""

    audit: int
    numbers: dict[str, int]
    foreign: tuple[tuple[int, tuple[int, ...]], ...]
    seccomp: int


CALLS: Final = {
    "open": Call(Op.OPEN, 0, flags=1),
    "openat": Call(Op.OPEN, 1, at=0, flags=2),
    "openat2": Call(Op.OPEN, 1, at=0, flags=2, indirect=True),
    "creat": Call(Op.OPEN, 0, fixed=os.O_CREAT | os.O_WRONLY | os.O_TRUNC),
    "execve": Call(Op.EXEC, 0),
    "execveat": Call(Op.EXEC, 1, at=0, flags=4),
    "rename": Call(Op.RENAME, 0, target=1),
    "renameat": Call(Op.RENAME, 1, at=0, target=3, target_at=2),
    "renameat2": Call(Op.RENAME, 1, at=0, target=3, target_at=2, flags=4),
    "link": Call(Op.LINK, 0, target=1),
    "linkat": Call(Op.LINK, 1, at=0, target=3, target_at=2, flags=4),
    "symlink": Call(Op.SYMLINK, 1),
    "symlinkat": Call(Op.SYMLINK, 2, at=1),
    "unlink": Call(Op.UNLINK, 0),
    "unlinkat": Call(Op.UNLINK, 1, at=0, flags=2),
    "truncate": Call(Op.TRUNCATE, 0),
    "connect": Call(Op.CONNECT, 1, flags=2),
    "io_uring_setup": Call(Op.NOTE, gap="capture.io_uring"),
    "open_by_handle_at": Call(Op.NOTE, gap="capture.by_handle"),
    "unshare": Call(Op.NOTE),
    "setns": Call(Op.NOTE),
    "chroot": Call(Op.NOTE),
    "pivot_root": Call(Op.NOTE),
    "clone": Call(Op.NOTE),
}

FOREIGN: Final = Call(Op.NOTE, gap="capture.foreign_abi")
SKIPPED_OPENS: Final = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)
CLONE_NEWNS: Final = 0x20000
_X32: Final = 0x40000000

_X86_64: Final = Machine(
    audit=0xC000003E,
    numbers={
        "open": 2, "openat": 257, "openat2": 437, "creat": 85, "execve": 59, "execveat": 322, "rename": 82,
        "renameat": 264, "renameat2": 316, "link": 86, "linkat": 265, "symlink": 88, "symlinkat": 266, "unlink": 87,
        "unlinkat": 263, "truncate": 76, "connect": 42, "io_uring_setup": 425, "open_by_handle_at": 304,
        "unshare": 272, "setns": 308, "chroot": 161, "pivot_root": 155, "clone": 56,
    },
    foreign=((0x40000003, (5, 8, 11, 295)), (0xC000003E, (_X32 + 2, _X32 + 257, _X32 + 520))),
    seccomp=317,
)  # fmt: skip

_AARCH64: Final = Machine(
    audit=0xC00000B7,
    numbers={
        "openat": 56, "openat2": 437, "execve": 221, "execveat": 281, "renameat": 38, "renameat2": 276, "linkat": 37,
        "symlinkat": 36, "unlinkat": 35, "truncate": 45, "connect": 203, "io_uring_setup": 425,
        "open_by_handle_at": 265, "unshare": 97, "setns": 268, "chroot": 51, "pivot_root": 41, "clone": 220,
    },
    foreign=((0x40000028, (5, 8, 11, 322)),),
    seccomp=277,
)  # fmt: skip

MACHINES: Final = {"x86_64": _X86_64, "aarch64": _AARCH64}


def machine() -> Machine | None:
    """Return the tables of this machine, or None where tracing system calls is not supported."""
    return MACHINES.get(platform.machine()) if platform.system() == "Linux" else None
