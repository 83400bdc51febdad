"""The seccomp filter: which calls stop for the tracer. Assembled here, checked and run by the kernel."""

import struct
from typing import Final

from lineal.capture._syscalls import CALLS, CLONE_NEWNS, SKIPPED_OPENS, Machine
from lineal.capture.accesses import Op

USER_NOTIF: Final = 0x7FC00000
TRACE: Final = 0x7FF00000
ALLOW: Final = 0x7FFF0000

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_NUMBER, _ARCH, _ARGS = 0, 4, 16  # offsets in struct seccomp_data


def assemble(machine: Machine, action: int) -> bytes:
    """Return the filter (8-byte instructions) that gives `action` for the calls of `CALLS` and allows all others.

    Opens of directories and of mere paths (O_DIRECTORY, O_PATH) are allowed within the kernel; calls of a foreign ABI
    stop only where one process makes few of them.
    """
    code: list[tuple[int, int, int, int]] = [(_LOAD, 0, 0, _ARCH)]
    for audit, numbers in machine.foreign:
        if audit != machine.audit:
            code += [(_EQUAL, 0, 2 + len(numbers) + 1, audit), *_stop_at(numbers, action)]
    code += [(_EQUAL, 1, 0, machine.audit), (_RETURN, 0, 0, ALLOW), (_LOAD, 0, 0, _NUMBER)]
    for name, number in machine.numbers.items():
        code += [(_EQUAL, 0, 1 + _length(name), number), *_verdict(name, action), (_RETURN, 0, 0, action)]
    for audit, numbers in machine.foreign:
        if audit == machine.audit:
            code += [*((_EQUAL, len(numbers) - at, 0, number) for at, number in enumerate(numbers))]
            code += [(_RETURN, 0, 0, ALLOW), (_RETURN, 0, 0, action)]
    code.append((_RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _stop_at(numbers: tuple[int, ...], action: int) -> list[tuple[int, int, int, int]]:
    tests = [(_EQUAL, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
    return [(_LOAD, 0, 0, _NUMBER), *tests, (_RETURN, 0, 0, ALLOW), (_RETURN, 0, 0, action)]


def _verdict(name: str, action: int) -> list[tuple[int, int, int, int]]:
    call = CALLS[name]
    if name == "clone":
        return [(_LOAD, 0, 0, _ARGS), (_ANY_BIT, 1, 0, CLONE_NEWNS), (_RETURN, 0, 0, ALLOW)]
    if call.op is Op.OPEN and call.flags is not None and not call.indirect:
        return [(_LOAD, 0, 0, _ARGS + 8 * call.flags), (_ANY_BIT, 0, 1, SKIPPED_OPENS), (_RETURN, 0, 0, ALLOW)]
    return []


def _length(name: str) -> int:
    return len(_verdict(name, 0))
