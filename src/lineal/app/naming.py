"""How recorded things get their names: numbers of versions, names of files, identifiers of runs."""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from lineal.app.session import Session
from lineal.catalog.reader import Catalog
from lineal.core import path, ref
from lineal.core.digest import Digest
from lineal.errors import BadRef
from lineal.ledger.home import NAME as HOME_NAME

_MAX_NAME: Final = 1800
_MAX_END: Final = 400


def parse_artifact(text: str, *kinds: str) -> ref.ArtifactRef:
    """Return the artifact that `text` names, which must be of one of `kinds`; raise `BadRef` otherwise."""
    named = ref.parse(text)
    if isinstance(named, ref.ArtifactRef) and named.kind in kinds:
        return named
    wanted = " or ".join(f"{kind}:NAME" for kind in kinds)
    raise BadRef(f"{text!r} does not name what is wanted here: {wanted}", fix=f"Write {wanted}, without a version.")


def next_number(catalog: Catalog, artifact: ref.ArtifactRef) -> int:
    """Return the first number that no recorded version of `artifact` has."""
    labels = [view.version or "" for view in catalog.of_artifact(artifact.kind, artifact.name)]
    return max((int(label) for label in labels if label.isdecimal()), default=0) + 1


def version_ref(artifact: ref.ArtifactRef, digest: Digest) -> str:
    """Return the canonical reference of the version of `artifact` with this content."""
    return f"{artifact}@{digest}"


def file_ref(session: Session, file: bytes, digest: Digest) -> str:
    """Return the canonical reference of a file version: named from the ledger's folder if it lies below it.

    Files of a ledger that is not a folder of the project (PostgreSQL) have their absolute names.
    """
    home = session.ledger.home.root
    workspace = os.fsencode(home.parent)
    absolute = os.path.normpath(os.path.join(os.fsencode(Path.cwd()), file))
    inside = home.name == HOME_NAME and absolute.startswith(workspace + b"/")
    return f"file:{spell_name(absolute[len(workspace) + 1 :] if inside else absolute)}@{digest}"


def spell_name(raw: bytes) -> str:
    """Return a path as the name of a recorded thing: its spelling; of a very long one its hash and its end."""
    name = path.spell(raw)
    if len(name.encode()) <= _MAX_NAME:
        return name
    end = raw[-_MAX_END:].decode("utf-8", "ignore").encode()
    return path.spell(b"~%s~%s" % (hashlib.sha256(raw).hexdigest()[:32].encode(), end))


def new_run_id(label: str) -> str:
    """Return an identifier that no other run has, beginning with `label` where its characters allow."""
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in label)
    return f"{plain.strip('-._')[:60] or 'run'}-{secrets.token_hex(6)}"
