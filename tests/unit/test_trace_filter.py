"""The seccomp filter, run by an interpreter of our own: which calls it stops, and which it lets pass."""

import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.capture import _bpf
from lineal.capture._syscalls import CALLS, MACHINES

X86_64, AARCH64 = MACHINES["x86_64"], MACHINES["aarch64"]
MAXIMUM = 4096  # BPF_MAXINSNS


def verdict(code: bytes, audit: int, number: int, args: tuple[int, ...] = ()) -> int:
    """Run a classic BPF program over struct seccomp_data, as the kernel does."""
    data = struct.pack("=IIQ6Q", number, audit, 0, *(*args, *(0,) * (6 - len(args))))
    program = list(struct.iter_unpack("=HBBI", code))
    at = accumulator = 0
    while True:
        operation, if_true, if_false, value = program[at]
        at += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x15:
            at += if_true if accumulator == value else if_false
        elif operation == 0x45:
            at += if_true if accumulator & value else if_false
        elif operation == 0x06:
            return int(value)
        else:
            raise AssertionError(f"unknown instruction {operation:#x}")


@pytest.fixture(params=[X86_64, AARCH64], ids=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest) -> object:
    return request.param


@pytest.mark.parametrize("action", [_bpf.USER_NOTIF, _bpf.TRACE])
def test_every_call_of_interest_stops(machine, action) -> None:  # type: ignore[no-untyped-def]
    code = _bpf.assemble(machine, action)
    assert len(code) // 8 <= MAXIMUM
    for name, number in machine.numbers.items():
        args = (0x20000,) if name == "clone" else ()
        assert verdict(code, machine.audit, number, args) == action, name


def test_all_else_passes(machine) -> None:  # type: ignore[no-untyped-def]
    code = _bpf.assemble(machine, _bpf.TRACE)
    for number in set(range(600)) - set(machine.numbers.values()):
        assert verdict(code, machine.audit, number) == _bpf.ALLOW
    assert verdict(code, machine.audit, machine.numbers["clone"], (0x11,)) == _bpf.ALLOW
    assert verdict(code, 0x12345678, machine.numbers["openat"]) == _bpf.ALLOW


def test_opens_of_directories_and_mere_paths_pass(machine) -> None:  # type: ignore[no-untyped-def]
    code = _bpf.assemble(machine, _bpf.TRACE)
    for flag in (os.O_DIRECTORY, os.O_PATH):
        assert verdict(code, machine.audit, machine.numbers["openat"], (0, 0, flag | os.O_CLOEXEC)) == _bpf.ALLOW
        assert verdict(code, machine.audit, machine.numbers["openat2"], (0, 0, flag)) == _bpf.TRACE  # a pointer
    if "open" in machine.numbers:
        assert verdict(code, machine.audit, machine.numbers["open"], (0, os.O_DIRECTORY)) == _bpf.ALLOW


def test_foreign_interfaces_stop_where_they_open(machine) -> None:  # type: ignore[no-untyped-def]
    code = _bpf.assemble(machine, _bpf.TRACE)
    for audit, numbers in machine.foreign:
        for number in numbers:
            assert verdict(code, audit, number) == _bpf.TRACE
        if audit != machine.audit:
            assert verdict(code, audit, 3) == _bpf.ALLOW  # read


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.tuples(*[st.integers(0, 2**64 - 1)] * 6))
def test_it_always_comes_to_one_of_two_verdicts(audit: int, number: int, args: tuple[int, ...]) -> None:
    for machine in (X86_64, AARCH64):
        code = _bpf.assemble(machine, _bpf.TRACE)
        assert verdict(code, audit, number, args) in (_bpf.TRACE, _bpf.ALLOW)


def test_no_number_is_used_twice_and_every_call_is_known(machine) -> None:  # type: ignore[no-untyped-def]
    assert len(set(machine.numbers.values())) == len(machine.numbers)
    assert machine.numbers.keys() <= CALLS.keys()
