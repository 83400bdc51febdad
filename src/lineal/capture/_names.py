"""Paths and peer addresses as a traced program spells them, brought to one form."""

import os
import socket
import struct

from lineal.core import path as paths


def tidy(path: bytes) -> bytes:
    """Return an absolute path without ``.``, ``//`` and ``..``; what stands before ``..`` is followed if a symlink."""
    if b"/." not in path and b"//" not in path and not path.endswith(b"/"):
        return path
    head = b""
    if b"/../" in path or path.endswith(b"/.."):
        cut = path.rindex(b"/..") + 3
        head, path = os.path.realpath(path[:cut]).rstrip(b"/"), path[cut:]
    rest = b"".join(b"/" + part for part in path.split(b"/") if part not in (b"", b"."))
    return head + rest or b"/"


def peer_name(raw: bytes) -> str:
    """Return a socket address (struct sockaddr) as ``host:port``, ``[host]:port``, ``unix:PATH`` or ``unix:@NAME``.

    Nothing is returned for other families, and for port 0, with which the resolver only asks for a route.
    """
    if len(raw) < 3:
        return ""
    family = struct.unpack_from("=H", raw)[0]
    if family == socket.AF_UNIX:
        if raw[2]:
            return "unix:" + paths.spell(raw[2:].split(b"\0", 1)[0])
        return "unix:@" + paths.spell(raw[3:])
    wide = family == socket.AF_INET6
    if not (wide and len(raw) >= 24) and not (family == socket.AF_INET and len(raw) >= 8):
        return ""
    port = struct.unpack_from(">H", raw, 2)[0]
    host = socket.inet_ntop(family, raw[8:24] if wide else raw[4:8])
    return (f"[{host}]:{port}" if wide else f"{host}:{port}") if port else ""
