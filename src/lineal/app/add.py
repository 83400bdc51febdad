"""Put on record what lives elsewhere: a version by the identity that another system gave it."""

import re
from dataclasses import dataclass
from typing import Any, Final

from lineal.app.naming import parse_artifact, version_ref
from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.core.observation import Node, Observation
from lineal.core.redaction import strip_url
from lineal.errors import BadInput

KINDS: Final = ("code", "container", "environment", "model", "dataset", "file")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Added:
    """A version on record by what somebody said of it, and whether it was new."""

    version: NodeView
    new: bool


def add(session: Session, kind: str, name: str, identity: str, *, where: str | None, os_user: str) -> Added:
    """Record a version that lives elsewhere, as claimed: nobody here has seen its bytes.

    `identity` is a git commit in full for ``code``; ``sha256:…``, alone or after ``IMAGE@``, for everything else.
    `where` is an address to find it by. Raises `BadInput` and `BadRef`.
    """
    if kind not in KINDS:
        raise BadInput(f"cannot add a thing of the kind {kind!r}", fix=f"One of {', '.join(KINDS)}.")
    artifact = parse_artifact(f"{kind}:{name}", kind)
    place = None if where is None else strip_url(where)[0]
    digest, label, aliases, detail = _code(identity, place) if kind == "code" else _content(identity, place)
    target = version_ref(artifact, digest)
    known = target in session.catalog.find([target])
    session.say(
        Observation(
            type=f"{kind}.claimed/1",
            time=session.clock(),
            actor=session.actor,
            basis="claimed",
            nodes=(Node(ref=target, basis="claimed", version=label, digest=digest, detail=detail, aliases=aliases),),
            data={"os_user": os_user},
            subject=(target,),
        )
    )
    return Added(session.catalog.resolve(target), not known)


_Said = tuple[Digest, str | None, tuple[str, ...], dict[str, Any]]


def _code(commit: str, repository: str | None) -> _Said:
    """A commit is no SHA-256 of bytes that we have: the identity is that of the statement which commit, where."""
    if _COMMIT.fullmatch(commit) is None:
        raise BadInput(
            f"not a git commit in full: {commit!r}", fix="`git rev-parse HEAD` prints 40 hexadecimal digits."
        )
    document = {"commit": commit, "repository": repository}
    aliases = (commit,) if repository is None else (commit, f"{repository}@{commit}")
    return Digest.of(canonical.encode(document)), commit, aliases, document


def _content(identity: str, place: str | None) -> _Said:
    image, at, text = identity.rpartition("@")
    digest = Digest.parse(text)
    aliases = tuple(dict.fromkeys(each for each in (identity if at else None, place) if each))
    detail = {name: value for name, value in (("image", image), ("uri", place)) if value}
    return digest, None, aliases, detail
