"""The one name of a repository, however its address is spelled, and who serves it.

Scheme, user, port, a trailing ``.git`` and slashes do not matter, nor do the ways of one host to spell one repository:
``/scm/PROJ/repo`` and ``ssh://host:7999/proj/repo``, ``_git`` and ``v3``, ``codecommit::region://name``. Where the host
does not tell capitals from small letters, the name has small ones (as package URLs have it for these hosts).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from lineal.core import path
from lineal.core.forge import SMALL, forge_of, same_host
from lineal.core.redaction import clean, redact, strip_url

_BLANKS: Final = " \t\r\n\f\v"
_HELPER: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*::)+(?P<address>.*)", re.DOTALL)
_ADDRESS: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<place>[^/]*)(?P<path>.*)", re.DOTALL)
_PORT: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>[0-9]*))?")
# `host:path` and `user@host:path`: never one letter (a drive), never a slash before the colon (a path).
_SCP: Final = re.compile(r"(?P<host>\[[^]/]+\]|[^/:@\[\]]{2,}):(?!:)(?P<path>.*)", re.DOTALL)
_USER: Final = re.compile(r"[^/@:]+(?::[^/@]*)?@")
_CODECOMMIT: Final = re.compile(
    r"codecommit:(?::(?P<region>[a-z0-9-]+):)?//(?:[^@/]*@)?(?P<name>[\w.-]*[\w-][\w.-]*)/?", re.ASCII
)
_CODECOMMIT_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:codecommit:(?P<region>[a-z0-9-]+):[0-9]*:(?P<name>[\w.-]*[\w-][\w.-]*)", re.ASCII
)
_CODECOMMIT_HOST: Final = re.compile(r"git-codecommit(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_CONSOLE_HOST: Final = re.compile(
    r"(?:(?P<region>[a-z0-9-]+)\.)?console\.(?:aws\.amazon|amazonaws(?:-us-gov)?)\.(?:com|cn)"
)
_CONSOLE_REGION: Final = re.compile(r"[?&]region=(?P<region>[a-z0-9-]+)")
_VISUAL_STUDIO: Final = re.compile(r"(?P<org>[a-z0-9-]+)\.visualstudio\.com")
_AZURE_SSH: Final = ("ssh.dev.azure.com", "vs-ssh.visualstudio.com")
_GIST: Final = re.compile(rb"[0-9a-f]{20,64}")


@dataclass(frozen=True, slots=True)
class Repository:
    """Where a repository lives: `host` (empty for a folder), the segments of its path, and who serves it.

    `forge` is one of `core.forge.FORGES`, or None where the address does not say; `web` is where its web pages begin.
    """

    host: str
    path: tuple[bytes, ...]
    forge: str | None
    web: str = ""

    @property
    def name(self) -> str:
        """The one name: ``host/path``; the last segment alone of a folder."""
        if self.host:
            return path.spell(b"/".join([self.host.encode(), *self.path]))
        # A colon would make another spelling of it: that of a host.
        return path.spell(self.path[-1].replace(b":", b"-")) if self.path else "code"


def canonical_name(address: str) -> str:
    """Return the one name of the repository at `address`, such as ``github.com/acme/risk``; of a folder, its own name.

    A name is a spelling of itself. What cannot stand in a reference is escaped as in `lineal.core.path`; credentials
    are never part of a name.
    """
    return parse(address).name


def parse(address: str, forge: str | None = None) -> Repository:
    """Return the repository at `address`: a URL, ``user@host:path``, a page of the host's, a folder, a name of ours.

    `forge` says who serves it where the address alone does not.
    """
    text = clean(address).strip(_BLANKS)
    for rule in (_CODECOMMIT, _CODECOMMIT_ARN):
        if (match := rule.fullmatch(text)) is not None:
            return _codecommit(match["region"], clean(match["name"]).encode())
    if (helper := _HELPER.fullmatch(text)) is not None:
        text = helper["address"]
    text = redact(text)[0]
    scheme, place, rest = _split(text)
    # Azure escapes blanks where nobody else does: in the paths of SSH. A folder is never escaped, a name of ours is.
    is_escaped = scheme not in ("", "file", "scp") or bool(place and scheme == "") or place.endswith(_AZURE_SSH)
    is_escaped = is_escaped or (scheme == "" and not ("/" in rest and rest.startswith(("/", ".", "~"))))
    parts = _parts(rest if scheme in ("", "file") else rest.partition("?")[0].partition("#")[0], is_escaped=is_escaped)
    found = _PORT.fullmatch(place)
    host, port = (found["host"], found["port"] or "") if found is not None else (place.replace(":", "-"), "")
    host = host.lower().rstrip(".").lstrip(".~")
    host = same_host(host)
    if not host:
        return Repository("", tuple(parts[-1:]), None)
    if not parts:
        return Repository("", tuple(_without_ending([host.encode()])), None)
    if (console := _CONSOLE_HOST.fullmatch(host)) is not None and parts[:3] == [
        b"codesuite",
        b"codecommit",
        b"repositories",
    ]:
        region = _CONSOLE_REGION.search(rest)
        return _codecommit(region["region"] if region is not None else console["region"], *parts[3:4])
    return _at_host(scheme, host, port, parts, forge)


def without_credentials(address: str) -> str:
    """Return `address` as it may be recorded: passwords, tokens and the users of web addresses cut out."""
    text = clean(address).strip(_BLANKS)
    if _ADDRESS.fullmatch(text) is not None:
        return strip_url(text)[0]
    user = _USER.match(text)
    return redact(text[user.end() :] if user is not None and ":" in user[0] else text)[0]


def complete(address: str, region: str | None) -> str:
    """Return `address` with the AWS `region` that holds where ``codecommit://name`` names none."""
    if region is None or not address.startswith("codecommit://") or re.fullmatch(r"[a-z0-9-]+", region) is None:
        return address
    return f"codecommit::{region}://{address.removeprefix('codecommit://')}"


def is_address(text: str) -> bool:
    """Return whether `text` names a repository on another machine, or by a URL, rather than a folder here."""
    bare = clean(text).strip(_BLANKS)
    return _split(bare)[0] != "" or _CODECOMMIT.fullmatch(bare) is not None


def scheme_of(address: str) -> str:
    """Return how git reaches `address`: ``https``, ``ssh``, ``file``, ``codecommit`` …; ``ext`` of ``ext::…``."""
    bare = clean(address).strip(_BLANKS)
    if _HELPER.fullmatch(bare) is not None:
        return bare.partition("::")[0].lower()
    scheme = _split(bare)[0]
    return "ssh" if scheme in ("scp", "git+ssh", "ssh+git") else scheme


def _split(text: str) -> tuple[str, str, str]:
    """Return scheme, place (host and port) and path; the scheme is empty, or ``scp``, where none is written."""
    address = _ADDRESS.fullmatch(text)
    if address is not None and address["scheme"].lower() != "file":
        place, rest = address["place"].partition("?")[0].partition("#")[0], address["path"]
        place = place.rpartition("@")[2]
        if _PORT.fullmatch(place) is None and "@" in rest:  # a password with a slash in it
            place, slash, rest = rest.rpartition("@")[2].partition("/")
            rest = slash + rest
        return address["scheme"].lower(), place, rest
    if address is not None:
        return "file", "", address["path"]
    user = _USER.match(text)
    bare = text[user.end() :] if user is not None else text
    if (scp := _SCP.fullmatch(bare)) is not None:
        return "scp", scp["host"], scp["path"]
    if user is not None or not bare.startswith(("/", ".", "~")):
        place, slash, rest = bare.partition("/")
        if slash:
            return "", clean(unquote_to_bytes(place)).replace("/", "-"), rest
    return "", "", bare


def _parts(rest: str, *, is_escaped: bool) -> list[bytes]:
    raw = rest.encode("utf-8", "surrogatepass")
    if is_escaped:
        raw = unquote_to_bytes(raw)
    parts: list[bytes] = []
    for part in raw.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(part)
    return _without_ending(parts)


def _without_ending(parts: Sequence[bytes]) -> list[bytes]:
    found = list(parts)
    while found and found[-1].endswith(b".git"):
        last = found.pop().removesuffix(b".git")
        if last not in (b"", b".", b".."):
            found.append(last)
    return found


def _before_pages(parts: list[bytes]) -> list[bytes]:
    """Return the path of a repository without that of a page in it: GitLab divides the two by ``-``."""
    return parts[: parts.index(b"-", 2)] if b"-" in parts[2:-1] else parts


def _at_host(scheme: str, host: str, port: str, parts: list[bytes], forge: str | None) -> Repository:
    codecommit = _CODECOMMIT_HOST.fullmatch(host)
    if codecommit is not None and parts[:2] == [b"v1", b"repos"] and len(parts) > 2:
        return _codecommit(codecommit["region"], parts[2])
    if host == "codecommit" and parts[:2] == [b"v1", b"repos"] and len(parts) > 2:
        return _codecommit(None, parts[2])
    if forge_of(host) in ("gitlab", "bitbucket-server", None):
        parts = _before_pages(parts)
    known = forge or forge_of(host) or _forge_of_path(scheme, host, port, parts)
    if known in SMALL:
        parts = _without_ending([part.lower() for part in parts])
    web = f"{scheme if scheme == 'http' else 'https'}://{host}"
    if port and scheme in ("http", "https"):
        web += f":{port}"
    if known == "azure":
        host, parts, own = _azure(host, parts)
        ended = parts if not own else _before_pages(_bitbucket_server(parts)[1])
        return Repository(host, tuple(_without_ending(ended)), known, web if own else "https://dev.azure.com")
    context: list[bytes] = []
    if known == "bitbucket-server":
        context, parts = _bitbucket_server(parts)
    elif known == "gist":
        ids = [part for part in parts if _GIST.fullmatch(part)]
        known, parts = None, ids[:1] or parts
    elif known in ("github", "bitbucket", "gitea", "sourcehut"):
        parts = parts[:2]
    return Repository(
        host, tuple(_without_ending(parts)), known, "/".join([web, *(path.spell(part) for part in context)])
    )


def _forge_of_path(scheme: str, host: str, port: str, parts: list[bytes]) -> str | None:
    """Return who serves a repository by how its address is built: some hosts have addresses like nobody else's."""
    if _VISUAL_STUDIO.fullmatch(host) is not None or b"_git" in (part.lower() for part in parts[:-1]):
        return "azure"
    if (scheme == "ssh" and port == "7999") or _bitbucket_server(parts)[1] != parts:
        return "bitbucket-server"
    return None


def _bitbucket_server(parts: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return the context path of a Bitbucket Data Center and ``[project, repository]``: SSH has no context path."""
    if len(parts) >= 3 and parts[-3] == b"scm":
        return parts[:-3], parts[-2:]
    for place, part in enumerate(parts):
        if part in (b"projects", b"users") and parts[place + 2 : place + 3] == [b"repos"] and len(parts) > place + 3:
            owner = parts[place + 1] if part == b"projects" else b"~" + parts[place + 1].lstrip(b"~")
            return parts[:place], [owner, parts[place + 3]]
    return [], parts


def _azure(host: str, parts: list[bytes]) -> tuple[str, list[bytes], bool]:
    """Return host, ``[organisation, project, repository]`` and whether it is a server of one's own.

    A repository that is called as its project may be spelled without it.
    """
    studio = _VISUAL_STUDIO.fullmatch(host)
    if studio is None and host != "dev.azure.com":
        at = parts.index(b"_git") if b"_git" in parts else len(parts)
        return host, [part for part in parts[: at + 2] if part != b"_git"], True
    if parts[:1] == [b"v3"]:
        return "dev.azure.com", parts[1:4], False
    ways = (b"_git", b"_ssh")
    before = [part for part in parts if part not in (b"defaultcollection", b"_full", b"_optimized")]
    org = [] if studio is None else [studio["org"].encode()]
    at = next((place for place, part in enumerate(before) if part in ways), -1)
    if at < 0:
        return "dev.azure.com", [*org, *before][:3], False
    owner, name = [*org, *before[:at]], before[at + 1 : at + 2]
    return "dev.azure.com", [*(owner if len(owner) > 1 else [*owner, *name]), *name], False


def _codecommit(region: str | None, *name: bytes) -> Repository:
    ending = ".cn" if (region or "").startswith("cn-") else ""
    host = f"git-codecommit.{region}.amazonaws.com{ending}" if region else "codecommit"
    return Repository(host, (b"v1", b"repos", *_without_ending(name)), "codecommit")
