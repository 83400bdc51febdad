"""Images on disk, made by umoci and skopeo: every byte is hashed, and what is not whole is not recorded."""

import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.errors import BadInput, BadRef, IntegrityError, SourceError
from looking import Looker, codes, looking
from servers.registry import Registry, digest_of, image_config, make_layout, require, serving, skopeo

COMMIT = "c" * 40
LABELS = {
    "org.opencontainers.image.source": "git@github.com:acme/risk",
    "org.opencontainers.image.revision": COMMIT,
}
NAME = "registry.example/acme/risk"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an OCI layout in ``image`` that has the images ``v1`` and ``v2``."""
    require()
    folder = tmp_path_factory.mktemp("made")
    make_layout(folder / "image", "v1", {"train.py": "print(1)\n", "more.py": "print(2)\n"}, labels=LABELS)
    make_layout(folder / "image", "v2", {"train.py": "print(2)\n"}, labels=LABELS, architecture="arm64")
    return folder


@pytest.fixture
def layout(made: Path, tmp_path: Path) -> Path:
    """A layout of the test's own."""
    return Path(shutil.copytree(made / "image", tmp_path / "image"))


@pytest.fixture
def looker(tmp_path: Path) -> Iterator[Looker]:
    with looking(tmp_path / "ledger") as found:
        yield found


def entries(layout: Path) -> dict[str, dict[str, Any]]:
    found = json.loads((layout / "index.json").read_bytes())["manifests"]
    return {each["annotations"]["org.opencontainers.image.ref.name"]: each for each in found}


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def manifest_of(layout: Path, tag: str) -> dict[str, Any]:
    return dict(json.loads(blob(layout, entries(layout)[tag]["digest"]).read_bytes()))


def test_a_layout_is_read_as_the_image_it_is_called(layout: Path, looker: Looker) -> None:
    done = looker.look(f"{NAME}:v1", layout=layout)
    digest = entries(layout)["v1"]["digest"]
    assert [(each.image, each.ref) for each in done.images] == [(f"{NAME}:v1", f"container:{NAME}@{digest}")]
    assert done.collected.gaps == ()
    detail = looker.facts(f"{NAME}@{digest}")[0].detail
    assert (detail["platform"], len(detail["layers"])) == ("linux/amd64", 2)
    views = looker.session.catalog.find(looker.sources_of(f"{NAME}@{digest}"))
    assert COMMIT in [view.version for view in views.values() if view.kind == "code"]
    assert looker.look(f"{NAME}@{digest}", layout=layout).collected.recorded == 0


def test_the_same_image_from_a_layout_and_from_a_registry(layout: Path, looker: Looker, tmp_path: Path) -> None:
    with serving(tmp_path / "registry") as registry:
        registry.push(layout, "v1", "acme/risk:v1")
        name = f"{registry.address}/acme/risk"
        looker.look(f"{name}:v1", layout=layout)
        before = len(looker.containers())
        done = looker.look(f"{name}:v1")
        assert len(looker.containers()) == before
        assert done.collected.recorded == 1  # that the registry has it under this tag


def test_an_archive_of_a_layout(made: Path, looker: Looker, tmp_path: Path) -> None:
    digest = entries(made / "image")["v1"]["digest"]
    skopeo("copy", f"oci:{made / 'image'}:v1", f"oci-archive:{tmp_path / 'v1.tar'}:v1")
    looker.look(f"{NAME}:v1", archive=tmp_path / "v1.tar")
    assert looker.containers() == [f"container:{NAME}@{digest}"]


def test_an_archive_that_docker_saved_is_known_by_its_image_id(made: Path, looker: Looker, tmp_path: Path) -> None:
    layout = made / "image"
    skopeo("copy", f"oci:{layout}:v1", f"docker-archive:{tmp_path / 'v1.tar'}:{NAME}:v1")
    done = looker.look(archive=tmp_path / "v1.tar")
    assert codes(done) == ["oci.no_manifest"]
    config = manifest_of(layout, "v1")["config"]["digest"]
    assert done.images[0].ref == f"container:{NAME}@{config}"
    assert looker.look(archive=tmp_path / "v1.tar").collected.recorded == 0
    for name in (f"{NAME}:v1", "other.example/risk:v1"):  # the registry's version is the same image
        looker.look(name, layout=layout)
    digest = entries(layout)["v1"]["digest"]
    assert f"container:{NAME}@{digest}" in looker.sources_of(f"container:{NAME}@{config}")
    looker.look("third.example/risk:v1", archive=tmp_path / "v1.tar")
    assert f"container:{NAME}@{digest}" in looker.sources_of(f"container:third.example/risk@{config}")


def test_what_is_called_nothing_must_be_named(layout: Path, looker: Looker) -> None:
    with pytest.raises(BadInput, match="does not say what its image is called"):
        looker.look(layout=layout)
    with pytest.raises(BadInput, match="0 images called"):
        looker.look(f"{NAME}:v7", layout=layout)
    assert looker.containers() == []


def test_all_that_have_a_full_name(layout: Path, looker: Looker) -> None:
    index = json.loads((layout / "index.json").read_bytes())
    for each in index["manifests"]:
        tag = each["annotations"]["org.opencontainers.image.ref.name"]
        each["annotations"]["io.containerd.image.name"] = f"{NAME}:{tag}"
    (layout / "index.json").write_text(json.dumps(index))
    assert sorted(each.image for each in looker.look(layout=layout).images) == [f"{NAME}:v1", f"{NAME}:v2"]


@pytest.mark.parametrize("part", ["manifest", "config", "layer"])
@pytest.mark.parametrize("how", ["changed", "cut", "missing"])
def test_what_is_not_whole_is_not_recorded(layout: Path, looker: Looker, part: str, how: str) -> None:
    entry, manifest = entries(layout)["v1"], manifest_of(layout, "v1")
    named = {"manifest": entry, "config": manifest["config"], "layer": manifest["layers"][1]}[part]
    file = blob(layout, named["digest"])
    data = file.read_bytes()
    if how == "missing":
        file.unlink()
    else:
        file.write_bytes(data[:-1] if how == "cut" else bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(SourceError if how == "missing" else IntegrityError):
        looker.look(f"{NAME}:v1", layout=layout)
    assert looker.containers() == []
    assert looker.run_gaps()[0][0] == ("oci.incomplete" if how == "missing" else "oci.digest_mismatch")
    looker.look(f"{NAME}:v2", layout=layout)
    assert len(looker.containers()) == 1


def test_a_layer_that_may_not_be_given_away_need_not_be_there(layout: Path, looker: Looker) -> None:
    manifest = manifest_of(layout, "v1")
    missing = {
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "digest": digest_of(b"w"),
        "size": 1,
    }
    data = json.dumps({**manifest, "layers": [missing, *manifest["layers"]]}).encode()
    blob(layout, digest_of(data)).write_bytes(data)
    index = {"schemaVersion": 2, "manifests": [{**entries(layout)["v1"], "digest": digest_of(data), "size": len(data)}]}
    (layout / "index.json").write_text(json.dumps(index))
    looker.look(f"{NAME}:v1", layout=layout)
    assert looker.containers() == [f"container:{NAME}@{digest_of(data)}"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("oci-layout", None),
        ("oci-layout", '{"imageLayoutVersion": "2.0.0"}'),
        ("oci-layout", "{"),
        ("index.json", None),
        ("index.json", "{}"),
        ("index.json", "[]"),
        ("index.json", '{"schemaVersion": 2, "manifests": [{"digest": "sha256:../../../etc/passwd"}]}'),
        ("index.json", "<html>"),
    ],
)
def test_what_is_no_layout_is_said_so(layout: Path, looker: Looker, file: str, text: str | None) -> None:
    (layout / file).unlink()
    if text is not None:
        (layout / file).write_text(text)
    with pytest.raises(BadInput):
        looker.look(f"{NAME}:v1", layout=layout)


def write_tar(file: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(file, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file


def saved(config: bytes, layers: list[bytes], **more: Any) -> dict[str, bytes]:
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    listed = {"Config": f"{digest_of(config)[7:]}.json", "RepoTags": [f"{NAME}:v1"], "Layers": names, **more}
    files = dict(zip(names, layers, strict=True))
    return {"manifest.json": json.dumps([listed]).encode(), f"{digest_of(config)[7:]}.json": config, **files}


def config_of(*layers: bytes) -> bytes:
    rootfs = {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]}
    return json.dumps({**image_config(), "rootfs": rootfs}).encode()


def test_a_saved_image_by_hand(looker: Looker, tmp_path: Path) -> None:
    config = config_of(b"one", b"two")
    looker.look(archive=write_tar(tmp_path / "a.tar", saved(config, [b"one", b"two"])))
    assert looker.containers() == [f"container:{NAME}@{digest_of(config)}"]


@pytest.mark.parametrize(
    ("config", "layers", "more", "kind"),
    [
        (config_of(b"one"), [b"other"], {}, IntegrityError),
        (config_of(b"one"), [b"one", b"two"], {}, BadInput),
        (config_of(b"one"), [b"one"], {"Layers": ["../../../etc/passwd"]}, BadInput),
        (config_of(b"one"), [b"one"], {"Config": "../../../etc/passwd"}, BadInput),
        (config_of(b"one"), [b"one"], {"Config": "0/layer.tar"}, BadInput),
        (b"[]", [], {}, BadInput),
        (b"{}" + b" " * (8 << 20), [], {}, BadInput),
        (b'{"rootfs": {"diff_ids": []}}', [], {"Config": "a" * 64 + ".json"}, BadInput),
        (config_of(), [], {"RepoTags": None}, BadInput),
        (config_of(), [], {"RepoTags": ["NOT/an/image"]}, BadRef),
    ],
)  # fmt: skip
def test_a_saved_image_that_is_not_what_it_says(
    looker: Looker, tmp_path: Path, config: bytes, layers: list[bytes], more: dict[str, Any], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        looker.look(archive=write_tar(tmp_path / "a.tar", saved(config, layers, **more)))
    assert looker.containers() == []


@pytest.mark.parametrize("data", [b"", b"no tar", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_archive(looker: Looker, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(BadInput):
        looker.look(f"{NAME}:v1", archive=tmp_path / "a.tar")
    with pytest.raises(BadInput):
        looker.look(f"{NAME}:v1", archive=tmp_path / "absent.tar")


def test_half_an_archive(made: Path, looker: Looker, tmp_path: Path) -> None:
    skopeo("copy", f"oci:{made / 'image'}:v1", f"oci-archive:{tmp_path / 'v1.tar'}:v1")
    whole = (tmp_path / "v1.tar").read_bytes()
    for size in (700, len(whole) // 2, len(whole) - 3000):
        (tmp_path / "half.tar").write_bytes(whole[:size])
        with pytest.raises((BadInput, SourceError, IntegrityError)):
            looker.look(f"{NAME}:v1", archive=tmp_path / "half.tar")
    assert looker.containers() == []


def test_what_does_not_go_together(layout: Path, looker: Looker, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        looker.look(f"{NAME}:v1", layout=layout, archive=tmp_path / "a.tar")
    with pytest.raises(BadInput):
        looker.look(f"{NAME}:v1", layout=layout, all_tags=True)
    with pytest.raises(BadInput):
        looker.look()


def test_a_registry_is_not_asked_for_a_layout(layout: Path, looker: Looker, registry: Registry) -> None:
    registry.push(layout, "v2", "acme/risk:v1")
    looker.look(f"{registry.address}/acme/risk:v1", layout=layout)
    assert looker.containers() == [f"container:{registry.address}/acme/risk@{entries(layout)['v1']['digest']}"]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with serving(tmp_path / "registry") as found:
        yield found


def test_a_saved_configuration_under_another_digest(looker: Looker, tmp_path: Path) -> None:
    files = saved(config_of(), [], Config="a" * 64 + ".json")
    files["a" * 64 + ".json"] = config_of()
    with pytest.raises(IntegrityError):
        looker.look(archive=write_tar(tmp_path / "a.tar", files))
    assert looker.containers() == []


def test_links_in_an_archive_that_lead_to_each_other_lead_nowhere(looker: Looker, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "image.tar", "w") as tar:
        for name, target in (
            ("index.json", "oci-layout"),
            ("oci-layout", "index.json"),
            ("manifest.json", "index.json"),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    with pytest.raises(BadInput):
        looker.look(f"{NAME}:v1", archive=tmp_path / "image.tar")
