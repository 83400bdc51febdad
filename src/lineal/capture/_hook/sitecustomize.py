"""Put first on PYTHONPATH of a traced program: logs what its Python code opens, then gives way to the real module.

It must never disturb the program: every failure is silent, nothing is imported that Python has not loaded itself, and
the log is opened anew for each line, since a descriptor kept open could be closed and reused by the program. No
annotations: any Python that the program uses must be able to read it.
"""

# mypy: ignore-errors

import os
import sys


def _install():
    log = os.environb.get(b"LINEAL_AUDIT_LOG", b"")
    if not log:
        return
    file_open, file_write, file_close, file_stat = os.open, os.write, os.close, os.stat
    fsencode, readlink, getcwd, join = os.fsencode, os.readlink, os.getcwdb, os.path.join
    append = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
    both = os.O_RDWR | os.O_CREAT
    logged = set()

    def name(path, folder=-1):
        if path is None or isinstance(path, int):
            return b""
        raw = fsencode(path)
        if raw.startswith(b"/") or not raw:
            return raw
        return join(readlink(b"/proc/self/fd/%d" % folder) if folder >= 0 else getcwd(), raw)

    def state(path):
        try:
            s = file_stat(path)
        except (OSError, ValueError):
            return b""
        return b"%d %d %d %d %d %d" % (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_mode)

    def write(kind, path, flags=0, target=b""):
        if not path or path == log or path.startswith((b"/proc/", b"/dev/", b"/sys/")):
            return
        if kind == b"open":
            if (path, flags) in logged:
                return
            logged.add((path, flags))
        before = state(path) if kind != b"connect" else b""
        line = (kind, b"%d" % flags, path, before, target, state(target) if target else b"", b"")
        fd = file_open(log, append)
        try:
            file_write(fd, b"\0".join(line))
        finally:
            file_close(fd)

    def peer(address):
        if isinstance(address, tuple) and len(address) >= 2:
            return ("[%s]:%s" if ":" in address[0] else "%s:%s") % address[:2]
        return ""

    def note(event, args):
        if event == "open":
            write(b"open", name(args[0]), args[2] or 0)
        elif event == "import" and args[1]:
            write(b"open", name(args[1]))
        elif event == "ctypes.dlopen" and args[0] and "/" in str(args[0]):
            write(b"open", name(args[0]))
        elif event == "sqlite3.connect" and not str(args[0]).startswith((":memory:", "file:")):
            write(b"open", name(args[0]), both)
        elif event in ("os.exec", "os.posix_spawn", "subprocess.Popen") and args[0] and "/" in str(args[0]):
            write(b"exec", name(args[0]))
        elif event == "os.rename":
            write(b"rename", name(args[0], args[2]), 0, name(args[1], args[3]))
        elif event == "os.link":
            write(b"link", name(args[0], args[2]), 0, name(args[1], args[3]))
        elif event == "os.symlink":
            write(b"symlink", name(args[1], args[2]))
        elif event == "os.remove":
            write(b"unlink", name(args[0], args[1]))
        elif event == "os.truncate":
            write(b"truncate", name(args[0]))
        elif event == "socket.connect":
            write(b"connect", fsencode(peer(args[1])))

    known = {
        "open", "import", "ctypes.dlopen", "sqlite3.connect", "os.exec", "os.posix_spawn", "subprocess.Popen",
        "os.rename", "os.link", "os.symlink", "os.remove", "os.truncate", "socket.connect",
    }  # fmt: skip

    def hook(event, args):
        if event in known:
            try:  # noqa: SIM105 - contextlib may not be loaded
                note(event, args)
            except Exception:  # noqa: BLE001, S110 - the program must not notice
                pass

    sys.addaudithook(hook)


def _give_way():
    here = os.path.dirname(__file__)
    sys.path[:] = [entry for entry in sys.path if entry != here]
    ours = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
        sys.modules["sitecustomize"] = ours  # the import under way expects to find it


try:  # noqa: SIM105
    _install()
except Exception:  # noqa: BLE001, S110 - the program must not notice
    pass
_give_way()
