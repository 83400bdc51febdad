"""Put on record what lives elsewhere: a version by the identity that another system gave it."""

import re
from dataclasses import dataclass
from typing import Final

from lineal.app.naming import parse_artifact, version_ref
from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core.claim import claimed_code
from lineal.core.digest import Digest
from lineal.core.observation import Node, Observation
from lineal.core.redaction import strip_url
from lineal.core.ref import ArtifactRef
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
    node = (_commit if kind == "code" else _content)(artifact, identity, place)
    known = node.ref in session.catalog.find([node.ref])
    session.say(
        Observation(
            type=f"{kind}.claimed/1",
            time=session.clock(),
            actor=session.actor,
            basis="claimed",
            nodes=(node,),
            data={"os_user": os_user},
            subject=(node.ref,),
        )
    )
    return Added(session.catalog.resolve(node.ref), not known)


def _commit(artifact: ArtifactRef, commit: str, repository: str | None) -> Node:
    if _COMMIT.fullmatch(commit) is None:
        raise BadInput(
            f"not a git commit in full: {commit!r}", fix="`git rev-parse HEAD` prints 40 hexadecimal digits."
        )
    return claimed_code(artifact.name, commit, repository)


def _content(artifact: ArtifactRef, identity: str, place: str | None) -> Node:
    image, at, text = identity.rpartition("@")
    digest = Digest.parse(text)
    return Node(
        ref=version_ref(artifact, digest),
        basis="claimed",
        digest=digest,
        detail={name: value for name, value in (("image", image), ("uri", place)) if value},
        aliases=tuple(dict.fromkeys(each for each in (identity if at else None, place) if each)),
    )
