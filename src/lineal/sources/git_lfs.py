"""Git LFS: files that a commit names by their SHA-256 and size, and keeps elsewhere.

Formats: the pointer and the batch API of git-lfs (docs/spec.md, docs/api/batch.md).
"""

import base64
import json
import re
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from lineal.core.redaction import clean, redact
from lineal.core.repository import scheme_of, without_credentials
from lineal.errors import SourceError
from lineal.sources.git_http import open_http

LARGEST_POINTER: Final = 1023
_POINTER: Final = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:[a-z0-9.-]+ [^\n]*\n)*?"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>[0-9]{1,18})\n"
)
_TYPE: Final = "application/vnd.git-lfs+json"
_LARGEST_ANSWER: Final = 1 << 20
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer says of the file it stands for: its SHA-256 in hex, its size in bytes."""

    oid: str
    size: int


def read_pointer(data: bytes) -> Pointer | None:
    """Return what `data` says if it is an LFS pointer, else None."""
    match = _POINTER.fullmatch(data) if len(data) <= LARGEST_POINTER else None
    return None if match is None else Pointer(match["oid"].decode(), int(match["size"]))


def local_file(git_folder: Path, pointer: Pointer) -> Path | None:
    """Return the file where git-lfs keeps the content in a repository, None if it is not there."""
    file = git_folder / "lfs" / "objects" / pointer.oid[:2] / pointer.oid[2:4] / pointer.oid
    return file if file.is_file() and not file.is_symlink() else None


def download(url: str, pointer: Pointer, target: Path, timeout: float) -> None:
    """Write the content of `pointer`, had from the LFS server of the repository at `url` (HTTP only), to `target`.

    Raises `SourceError` if it cannot be had, or is longer than the pointer says; the digest is for the caller to check.
    """
    if scheme_of(url) not in ("http", "https"):
        raise SourceError(f"files of Git LFS are fetched over HTTP only, not from {without_credentials(url)}")
    base, authorization = _server(url)
    wanted = {"operation": "download", "transfers": ["basic"], "objects": [{"oid": pointer.oid, "size": pointer.size}]}
    try:
        headers = {"Accept": _TYPE, "Content-Type": _TYPE}
        with open_http(
            f"{base}/info/lfs/objects/batch",
            headers,
            secrets=authorization,
            data=json.dumps(wanted).encode(),
            timeout=timeout,
        ) as said:
            action = json.loads(said.read(_LARGEST_ANSWER))["objects"][0]["actions"]["download"]
        more = {str(key): str(value) for key, value in (action.get("header") or {}).items()}
        with open_http(str(action["href"]), more, timeout=timeout) as stream, open(target, "wb") as file:
            left = pointer.size + 1
            while left and (piece := stream.read(min(left, _PIECE))):
                file.write(piece)
                left -= len(piece)
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, HTTPException) as error:
        explanation = redact(clean(str(error)))[0][:200] or type(error).__name__
        raise SourceError(f"the LFS server of {without_credentials(url)} did not give it: {explanation}") from error


def _server(url: str) -> tuple[str, dict[str, str]]:
    """Return where the LFS server of `url` is, and the credentials that `url` itself holds, as a header."""
    plain = without_credentials(url).rstrip("/")
    parts = urlsplit(url)
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    known = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if parts.username else {}
    return plain if plain.endswith(".git") else f"{plain}.git", known
