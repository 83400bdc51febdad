"""The machine a program ran on, and who ran it."""

import hashlib
import os
import platform
import pwd
import shlex
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lineal.core.observation import Gap
from lineal.core.redaction import clean

_RELEASES: Final = (Path("/etc/os-release"), Path("/usr/lib/os-release"))


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """An operating system: `id` and `version` as os-release names them, its kernel, C library and architecture."""

    id: str
    version: str
    name: str
    kernel: str
    libc: str
    machine: str

    def identity(self) -> dict[str, Any]:
        """Return what a container image fixes: everything but the kernel, which is the host's."""
        return {"id": self.id, "version": self.version, "libc": self.libc, "machine": self.machine}

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document."""
        return {**self.identity(), "name": self.name, "kernel": self.kernel}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """A processor and memory: `cpus` are those this process may use, `flags` the SHA-256 of its sorted features.

    `memory` is in bytes, of the machine; None where it is not known.
    """

    cpu: str
    flags: str | None
    cpus: int
    memory: int | None

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document."""
        return {"cpu": self.cpu, "flags": self.flags, "cpus": self.cpus, "memory": self.memory}


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Where, and by whom. `user` is the account of the process, by name where it has one."""

    hostname: str
    user: str
    uid: int

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document."""
        return {"hostname": self.hostname, "user": self.user, "uid": self.uid}


def read_host() -> Host:
    """Return this machine's name and the account that this process runs as."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return Host(hostname=clean(socket.gethostname()), user=clean(user), uid=uid)


def read_system() -> System:
    """Return the operating system as os-release, the kernel and the C library name it."""
    release = read_os_release()
    kernel = os.uname()
    return System(
        id=release.get("ID", kernel.sysname.lower()),
        version=release.get("VERSION_ID", "" if release else kernel.release),
        name=release.get("PRETTY_NAME", kernel.sysname),
        kernel=f"{kernel.sysname} {kernel.release}",
        libc=_read_libc(),
        machine=kernel.machine,
    )


def read_os_release(places: tuple[Path, ...] = _RELEASES) -> dict[str, str]:
    """Return the fields of the first os-release file there is; empty without one."""
    for place in places:
        try:
            text = clean(place.read_bytes())
        except OSError:
            continue
        found = {}
        for line in text.splitlines():
            name, equals, value = line.partition("=")
            if equals and not name.startswith("#"):
                try:
                    found[name.strip()] = " ".join(shlex.split(value))
                except ValueError:
                    found[name.strip()] = value
        return found
    return {}


def read_hardware() -> tuple[Hardware, list[Gap]]:
    """Return the processor and memory that this process may use, and what could not be told of them."""
    gaps: list[Gap] = []
    model, flags = _read_cpu()
    if flags is None:
        gaps.append(Gap("host.cpu", "the features of the processor are not known on this system"))
    memory = _read_memory()
    if memory is None:
        gaps.append(Gap("host.memory", "the size of the memory is not known on this system"))
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return Hardware(cpu=model, flags=flags, cpus=usable, memory=memory), gaps


def _read_cpu() -> tuple[str, str | None]:
    """Read the first processor of /proc/cpuinfo; `Features` is what ARM calls its flags."""
    try:
        with open("/proc/cpuinfo", "rb") as file:
            first = clean(file.read(1 << 16)).partition("\n\n")[0]
    except OSError:
        return clean(platform.processor() or platform.machine()), None
    fields = {}
    for line in first.splitlines():
        name, _, value = line.partition(":")
        fields[name.strip()] = value.strip()
    flags = fields.get("flags", fields.get("Features"))
    model = fields.get("model name") or " ".join(
        fields[name] for name in ("CPU implementer", "CPU part") if name in fields
    )
    digest = None if flags is None else hashlib.sha256(" ".join(sorted(flags.split())).encode()).hexdigest()
    return model or platform.machine(), None if digest is None else f"sha256:{digest}"


def _read_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _read_libc() -> str:
    try:
        found = os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        found = None
    if found:
        return found
    return "musl" if any(Path("/lib").glob("ld-musl-*")) else ""
