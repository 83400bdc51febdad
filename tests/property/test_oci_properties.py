"""Whatever a registry sends is refused, or becomes a statement that can be recorded; nothing else happens."""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lineal.core.digest import Digest
from lineal.core.image import parse
from lineal.core.observation import Gap
from lineal.errors import DigestMismatch
from lineal.sources.oci import Looker, Seen
from lineal.sources.oci_http import NotThere, Unseen
from lineal.sources.oci_manifest import CONFIGS, OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest, read_manifest

NOW = "2026-11-25T12:00:00.000000Z"
IMAGE = parse("registry.example/app:v1")
# Text as JSON can carry it: NUL, lone surrogates, controls.
text = st.text(st.characters(blacklist_categories=()), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=12
)
texts = st.lists(text | anything, max_size=4) | anything
pairs = st.dictionaries(text, text | anything, max_size=4) | anything
configs = st.fixed_dictionaries(
    {},
    optional={
        "created": text
        | st.sampled_from(["2026-01-01T00:00:00.5Z", "9999-12-31T23:59:59-14:00", "2999-01-01T00:00:00Z"]),
        "architecture": text | anything,
        "os": text | anything,
        "config": st.fixed_dictionaries(
            {}, optional={"Env": texts, "Labels": pairs, "Entrypoint": texts, "Cmd": texts, "ExposedPorts": pairs}
        )
        | anything,
        "rootfs": anything,
        "history": st.lists(
            st.fixed_dictionaries({}, optional={"created_by": text, "comment": text}) | anything, max_size=3
        )
        | anything,
    },
)


class Shelf:
    """Manifests and blobs by digest."""

    def __init__(self, blobs: Mapping[str, bytes]) -> None:
        self.blobs = blobs

    def _find(self, digest: str) -> bytes:
        if digest not in self.blobs:
            raise NotThere(Gap("oci.not_there", digest))
        return self.blobs[digest]

    def manifest(self, reference: str, expected: Descriptor | None = None) -> Manifest:
        data = self._find(reference)
        return read_manifest(data if expected is None else expected.check(data, "shelf"), "shelf", OCI_MANIFEST)

    def blob(self, descriptor: Descriptor, limit: int) -> bytes:
        return descriptor.check(self._find(descriptor.digest), "shelf")

    def check_layers(self, manifest: Manifest) -> None:
        """Nothing to check."""


def spell(document: Any) -> bytes:
    return json.dumps(document).encode()


def describe(data: bytes, kind: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": kind, "digest": str(Digest.of(data)), "size": len(data), **more}


def look(shelf: Shelf, manifest: Manifest) -> list[Seen | Gap]:
    looker = Looker(actor="tester", now=NOW, kept=lambda _digest: None)
    return list(looker.observe(shelf, IMAGE, manifest))


@given(configs | anything, pairs, text)
def test_any_configuration_can_be_recorded_or_is_refused(config: Any, annotations: Any, artifact: str) -> None:
    blob = spell(config)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact,
        "config": describe(blob, CONFIGS[0]),
        "layers": [],
        "annotations": annotations,
    }
    manifest = read_manifest(spell(document), "here")
    try:
        found = look(Shelf({str(Digest.of(blob)): blob}), manifest)
    except Unseen:
        assert not isinstance(config, dict)
        return
    seen = [each for each in found if isinstance(each, Seen)]
    assert len(seen) == 1
    assert seen[0].observation.time <= NOW
    seen[0].observation.body()
    named = set(seen[0].node.detail.get("objects", {}).values())
    assert {str(Digest.of(data)) for data in seen[0].objects} == named


@given(st.binary(max_size=40) | anything.map(spell) | st.dictionaries(
    st.sampled_from(["schemaVersion", "mediaType", "manifests", "layers", "config", "subject", "fsLayers"]),
    st.sampled_from([2, 1, OCI_INDEX, OCI_MANIFEST, [], {}, [{}], None]) | anything,
).map(spell), st.sampled_from(["", OCI_INDEX, OCI_MANIFEST, "text/html", "application/json"]))  # fmt: skip
def test_any_bytes_are_a_manifest_or_are_refused(data: bytes, declared: str) -> None:
    try:
        manifest = read_manifest(data, "here", declared)
        found = look(Shelf({}), manifest)
    except Unseen as error:
        error.gap.explanation.encode()
        return
    for each in found:
        if isinstance(each, Seen):
            each.observation.body()


@given(st.integers(0, 6), st.booleans())
def test_indexes_in_indexes_are_read_once_and_to_some_depth(depth: int, honest: bool) -> None:
    config = spell({})
    inner = spell({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": describe(config, CONFIGS[0]), "layers": []})
    blobs = {str(Digest.of(config)): config, str(Digest.of(inner)): inner}
    kind = OCI_MANIFEST
    for level in range(depth):
        part = describe(inner, kind)
        if not honest and level == 0:
            blobs[part["digest"]] = inner + b" "
        inner = spell(
            {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [part, part], "annotations": {"n": str(level)}}
        )
        blobs[str(Digest.of(inner))] = inner
        kind = OCI_INDEX
    shelf = Shelf(blobs)
    shelf.manifest = lambda reference, expected=None: read_manifest(  # type: ignore[method-assign]
        expected.check(blobs[reference], "shelf") if expected else blobs[reference], "shelf"
    )
    try:
        found = look(shelf, read_manifest(inner, "here"))
    except DigestMismatch:
        assert not honest
        assert 0 < depth <= 3
        return
    assert honest or depth in (0, 4, 5, 6)
    assert [each.code for each in found if isinstance(each, Gap)] in ([], ["oci.not_read"] * 2)
    assert isinstance(found[-1], Seen)
    assert found[-1].node.digest == Digest.of(inner)
