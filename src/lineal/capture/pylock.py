"""An environment as the text of a ``pylock.toml`` (PEP 751)."""

import re
from typing import Any, Final

from lineal.capture.environment import Environment
from lineal.capture.interpreter import Package

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")


def lock_text(environment: Environment) -> str:
    """Return the packages of `environment` in the shape of PEP 751, the same text for the same packages.

    An installed package does not know the wheel it came from, so there are no wheel hashes: the digest of its
    normalised RECORD stands in ``[packages.tool.lineal]``. What came from no index has the ``vcs``, ``directory`` or
    ``archive`` table of PEP 751.
    """
    lines = ['lock-version = "1.0"', 'created-by = "lineal"']
    if environment.interpreter is not None:
        lines.append(f"requires-python = {_value('==' + environment.interpreter.version)}")
    for package in environment.packages:
        lines += ["", "[[packages]]", f"name = {_value(package.name)}", f"version = {_value(package.version)}"]
        source = _source(package)
        if source is not None:
            lines.append(f"{source[0]} = {_value(source[1])}")
        if package.record is not None:
            lines += ["", "[packages.tool.lineal]", f"record = {_value('sha256:' + package.record)}"]
    return "\n".join(lines) + "\n"


def _source(package: Package) -> tuple[str, dict[str, Any]] | None:
    """Return the PEP 751 table for a PEP 610 address."""
    said = package.direct_url
    if said is None:
        return None
    below = {"subdirectory": said["subdirectory"]} if "subdirectory" in said else {}
    url = str(said["url"])
    if "vcs_info" in said:
        vcs = said["vcs_info"]
        found = {"type": vcs.get("vcs", "git"), "url": url, "commit-id": vcs.get("commit_id", "")}
        if "requested_revision" in vcs:
            found["requested-revision"] = vcs["requested_revision"]
        return "vcs", {**found, **below}
    if "dir_info" in said:
        return "directory", {"path": url.removeprefix("file://"), "editable": package.is_editable, **below}
    hashes = said.get("archive_info", {}).get("hashes", {})
    return "archive", {"url": url, "hashes": hashes, **below}


def _value(value: Any) -> str:
    """Return `value` (text, flag or table of these) as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(str(key))} = {_value(each)}" for key, each in sorted(value.items()))
        return f"{{{inner}}}" if inner else "{}"
    return _quoted(str(value))


def _key(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda match: f"\\u{ord(match[0]):04X}", escaped) + '"'
