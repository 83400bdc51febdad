"""The one name of a repository, however its address is spelled."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from lineal.core import path
from lineal.core.redaction import clean

_ADDRESS: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<place>[^/]*)/*(?P<path>.*)", re.DOTALL)
# `host:path` and `user@host:path`: never one letter (a drive), never a slash before the colon (a path).
_SCP: Final = re.compile(r"(?:[^/@:]+@)?(?P<host>\[[^]/]+\]|[^/:@\[\]]{2,}):(?!:)/*(?P<path>.+)", re.DOTALL)
_CODECOMMIT: Final = re.compile(r"codecommit:(?::(?P<region>[a-z0-9-]+):)?//(?:[^@/]*@)?(?P<name>[^/]+)")
_PORT: Final = re.compile(r"(?P<host>.+?)(?::\d*)?")


def canonical_name(remote_url: str) -> str:
    """Return ``host/path`` of a remote address, such as ``github.com/acme/risk``; the folder name of a local one.

    Scheme, user, port, a trailing ``.git`` and slashes do not matter: HTTPS, SSH and scp-like spellings of one
    repository give one name. The host is in lower case, the path as written; what cannot stand in a reference is
    escaped as in `lineal.core.path`.
    """
    text = clean(remote_url).strip()
    codecommit = _CODECOMMIT.fullmatch(text)
    if codecommit is not None:
        host = f"git-codecommit.{codecommit['region']}.amazonaws.com" if codecommit["region"] else "codecommit"
        return path.spell(f"{host}/v1/repos/{codecommit['name']}".encode())
    address = _ADDRESS.fullmatch(text)
    if address is not None and address["scheme"].lower() != "file":
        host = address["place"].rpartition("@")[2]
        rest = unquote_to_bytes(address["path"].partition("?")[0].partition("#")[0])
    elif address is None and (scp := _SCP.fullmatch(text)) is not None:
        host, rest = scp["host"], scp["path"].encode()
    else:
        host, rest = "", (address["path"] if address is not None else text).encode()
    parts = [part for part in rest.split(b"/") if part not in (b"", b".")]
    if parts and parts[-1] != b".git":
        parts[-1] = parts[-1].removesuffix(b".git")
    elif parts:
        parts.pop()
    if not host:
        return path.spell(parts[-1]) if parts else "code"
    port = _PORT.fullmatch(host)
    return path.spell(b"/".join([(port["host"] if port else host).lower().encode(), *parts]))
