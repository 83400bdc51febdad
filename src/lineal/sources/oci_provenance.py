"""Provenance that is attached to an image: which commit of which repository it was built from.

Statements of in-toto (0.1 and 1) with a predicate of SLSA provenance (0.2 and 1), as BuildKit and GitHub write them,
plain, in an envelope (DSSE 1.0) or in a bundle of Sigstore. Signatures are not verified: it is what somebody said.
"""

import base64
import binascii
import json
from typing import Any, Final

from lineal.core.digest import Digest
from lineal.core.redaction import clean, strip_url
from lineal.sources.oci import Stated

_PREDICATES: Final = ("https://slsa.dev/provenance/v0.2", "https://slsa.dev/provenance/v1")
_BUILDKIT: Final = ("https://mobyproject.org/buildkit@v1#metadata", "buildkit_metadata")
BY: Final = "provenance that is attached"


def read_provenance(data: bytes, subject: Digest) -> Stated | None:
    """Return what the provenance `data` says of the image `subject`; None if it is none, or not about it."""
    statement = _statement(data)
    predicate = _dict(statement.get("predicate"))
    about = [_dict(_dict(each).get("digest")).get("sha256") for each in _list(statement.get("subject"))]
    if statement.get("predicateType") not in _PREDICATES or subject.hex not in about:
        return None
    for source, revision in _named(predicate):
        if isinstance(source, str) and isinstance(revision, str) and revision:
            plain = clean(source).removeprefix("git+").partition("#")[0]
            return Stated(source=strip_url(_without_branch(plain))[0] or None, revision=clean(revision)[:200], by=BY)
    return None


def _named(predicate: dict[str, Any]) -> list[tuple[object, object]]:
    """Return address and commit wherever builders put them, the most certain first."""
    details = (_dict(predicate.get("metadata")), _dict(_dict(predicate.get("runDetails")).get("metadata")))
    definition = _dict(predicate.get("buildDefinition"))
    found: list[tuple[object, object]] = []
    for metadata in details:
        for name in _BUILDKIT:
            seen = _dict(_dict(metadata.get(name)).get("vcs"))
            found.append((seen.get("source"), seen.get("revision")))
    parameters = _dict(definition.get("externalParameters"))
    configs = (_dict(predicate.get("invocation")).get("configSource"), parameters.get("configSource"))
    found += [(_dict(each).get("uri"), _dict(_dict(each).get("digest")).get("sha1")) for each in configs]
    materials = _list(definition.get("resolvedDependencies"))
    found += [(_dict(each).get("uri"), _dict(_dict(each).get("digest")).get("gitCommit")) for each in materials]
    return found


def _without_branch(address: str) -> str:
    """Return ``https://HOST/PATH`` of ``https://HOST/PATH@refs/heads/main``."""
    place, at, branch = address.rpartition("@refs/")
    return place if at and branch else address


def _statement(data: bytes) -> dict[str, Any]:
    document = _read(data)
    envelope = _dict(document.get("dsseEnvelope")) or document
    payload = envelope.get("payload")
    if not isinstance(payload, str):
        return document
    try:
        return _read(base64.b64decode(payload, validate=True))
    except (binascii.Error, ValueError):
        return {}


def _read(data: bytes) -> dict[str, Any]:
    try:
        return _dict(json.loads(data))
    except (ValueError, RecursionError):
        return {}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
