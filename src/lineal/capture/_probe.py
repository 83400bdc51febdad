"""Run inside the interpreter of the traced program (3.6 or newer): what it is, and what is installed in it.

Standard library only, no import of ours; prints one line of JSON. Reading the metadata files directly is several times
faster than ``importlib.metadata`` and works where that does not exist.
"""

import sys

sys.path[:] = [entry for entry in sys.path if entry]  # the working directory must not shadow what follows

import contextlib  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402

INSTALLER_FILES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")


def read(*parts: str) -> "bytes | None":
    """Return the bytes of a file, or None."""
    try:
        with open(os.path.join(*parts), "rb") as file:
            return file.read()
    except OSError:
        return None


def record_digest(record: bytes) -> str:
    """Return the digest of what a package consists of, the same whichever installer put it there."""
    kept = []
    for line in record.splitlines():
        path = line.rpartition(b",")[0].rpartition(b",")[0].strip(b'"').decode("utf-8", "replace")
        folder, _, name = path.rpartition("/")
        outside = path.startswith("/") or ".." in path.split("/")
        written = folder.endswith(".dist-info") and name in INSTALLER_FILES
        if path and not outside and not written and not name.endswith(".pyc"):
            kept.append(line.strip() + b"\n")
    return hashlib.sha256(b"".join(sorted(kept))).hexdigest()


def headers(metadata: bytes) -> "dict[str, str]":
    """Return the header fields of a METADATA file (the first of each name)."""
    found: dict[str, str] = {}
    for line in metadata.decode("utf-8", "replace").splitlines():
        if not line.strip():
            break
        name, colon, value = line.partition(":")
        if colon and name == name.strip():
            found.setdefault(name.lower(), value.strip())
    return found


def distribution(folder: str) -> "dict[str, object] | None":
    """Return what one ``.dist-info`` or ``.egg-info`` says, or None when it says nothing."""
    metadata = read(folder, "METADATA") or read(folder, "PKG-INFO") or read(folder)
    fields = headers(metadata) if metadata else {}
    if not fields.get("name"):
        return None
    record = read(folder, "RECORD")
    direct_url = read(folder, "direct_url.json")
    found: dict[str, object] = {
        "name": fields["name"],
        "version": fields.get("version", ""),
        "record": record_digest(record) if record else None,
    }
    if direct_url:
        with contextlib.suppress(ValueError):
            found["direct_url"] = json.loads(direct_url.decode("utf-8"))
    return found


def packages() -> "list[dict[str, object]]":
    """Return the distributions on ``sys.path``; of two with one name, the one that would be imported."""
    found: dict[str, dict[str, object]] = {}
    for entry in sys.path:
        try:
            names = sorted(os.listdir(entry))  # noqa: PTH208
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                each = distribution(os.path.join(entry, name))
                if each is not None:
                    key = str(each["name"]).replace("_", "-").replace(".", "-").lower()
                    found.setdefault(key, each)
    return [found[key] for key in sorted(found)]


def conda() -> "list[str]":
    """Return ``name-version-build`` of every conda package of this prefix."""
    try:
        names = os.listdir(os.path.join(sys.prefix, "conda-meta"))  # noqa: PTH208
    except OSError:
        return []
    return sorted(name[:-5] for name in names if name.endswith(".json"))


print(
    json.dumps(
        {
            "implementation": sys.implementation.name,
            "version": ".".join(str(part) for part in sys.version_info[:3]),
            "build": sys.version,
            "executable": sys.executable,
            "prefix": sys.prefix,
            "base_prefix": sys.base_prefix,
            "path": sys.path,
            "packages": packages(),
            "conda": conda(),
        }
    )
)
