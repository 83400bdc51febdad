"""What stands for a program that a warm process begins: ``python -IS warm_client.py SOCKET PROGRAM ARGUMENT…``.

It hands over everything that a process has of whoever started it, passes signals on, and ends as the program does.
Whatever the warm process does not take, this process becomes itself. It imports only what is built in, for it is
started hundreds of times.
"""

import _signal
import _socket
import marshal
import posix
import sys

DECLINED = 1 << 20
_PASSED_ON = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM)


def _variables() -> dict[bytes, bytes]:
    """Return the variables that this process was given: Python changes some."""
    descriptor = posix.open("/proc/self/environ", posix.O_RDONLY | posix.O_CLOEXEC)
    found = b"".join(iter(lambda: posix.read(descriptor, 1 << 16), b""))
    posix.close(descriptor)
    return dict(each.split(b"=", 1) for each in found.split(b"\0") if b"=" in each)


def _ask(at: str, request: bytes) -> int:
    """Return the exit status (negative: the signal) of what `request` asks for, or `DECLINED`."""
    answered = b""
    try:
        for each in (0, 1, 2):
            posix.fstat(each)  # one that is closed cannot be passed
        folder = posix.open(".", posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        line.connect(at)
        for number in _PASSED_ON:
            if _signal.getsignal(number) != _signal.SIG_IGN:
                _signal.signal(number, lambda which, _frame: line.send(bytes([which])) and None)
        passed = b"".join(each.to_bytes(4, sys.byteorder) for each in (folder, 0, 1, 2))
        line.sendmsg([len(request).to_bytes(8, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, passed)])
        line.sendall(request)
        while len(answered) < 4:
            more = line.recv(4 - len(answered))
            if not more:
                break
            answered += more
    except OSError:
        pass
    return int.from_bytes(answered, "big", signed=True) if len(answered) == 4 else DECLINED


def main() -> None:
    """Let the warm process run the program, or run it here."""
    at, program, *typed = sys.argv[1:]
    arguments = [each.encode("utf-8", "surrogateescape") for each in typed]
    variables = _variables()
    mask = posix.umask(0)
    posix.umask(mask)
    ignored = [number for number in _PASSED_ON if _signal.getsignal(number) == _signal.SIG_IGN]
    status = _ask(at, marshal.dumps((program, arguments, variables, mask, ignored)))
    if status == DECLINED:
        for number in _PASSED_ON:
            if number not in ignored:
                _signal.signal(number, _signal.SIG_DFL)
        begun = ["-P", "-m", "lineal"] if program == "lineal" else [program]
        posix.execve(sys.executable, [sys.executable, *begun, *arguments], variables)
    if status < 0:
        if -status not in (_signal.SIGKILL, _signal.SIGSTOP):
            _signal.signal(-status, _signal.SIG_DFL)
        posix.kill(posix.getpid(), -status)
    posix._exit(status)


main()
