"""Images in a real registry, made by real tools: from the tag of an image to the commit it was built from."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commandline import Place, make_place

from lineal.app.tag_history import read_history
from lineal.core.digest import Digest
from lineal.core.image import parse
from lineal.sources.oci_attached import ATTACHED
from looking import Looker, codes, looking
from servers import warm
from servers.registry import MANIFEST, Registry, digest_of, make_layout, serving

COMMIT = "c" * 40
SOURCE = "https://github.com/acme/risk.git"
LABELS = {"org.opencontainers.image.source": SOURCE, "org.opencontainers.image.revision": COMMIT}
SECRET = "hunter2hunter2"
EMPTY = "application/vnd.oci.empty.v1+json"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serving(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(scope="module")
def layout(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An OCI layout with one image, ``v1``."""
    return make_layout(tmp_path_factory.mktemp("layout") / "image", "v1", {"train.py": "print(1)\n"}, labels=LABELS)


@pytest.fixture
def looker(tmp_path: Path) -> Iterator[Looker]:
    with looking(tmp_path / "ledger") as found:
        yield found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


def test_from_the_tag_to_the_commit_on_the_command_line(registry: Registry, layout: Path, place: Place) -> None:
    registry.push(layout, "v1", "story/train:v1")
    image = f"{registry.address}/story/train"
    digest = registry.digest("story/train", "v1")
    done = place.lineal("collect", "oci", f"{image}:v1")
    assert done.status == 0, done.err
    assert f"{image}:v1  {digest}  new" in done.out.decode()
    assert "oci.mutability_unknown" in done.err
    again = place.within("collect", "oci", f"{image}:v1", "--json").json()
    assert again["recorded"] == 0
    assert again["images"] == [
        {"image": f"{image}:v1", "ref": f"container:{image}@{digest}", "before": None, "new": False}
    ]
    for name in (f"{image}@{digest}", digest):
        assert place.within("show", name, "--json").json()["node"]["digest"] == digest
    shown = place.within("show", f"{image}:v1", "--json").json()
    assert shown["node"]["basis"] == "verified"
    detail = shown["statements"][0]["detail"]
    assert (detail["platform"], detail["entrypoint"], detail["labels"]) == ("linux/amd64", ["python"], LABELS)
    assert len(detail["layers"]) == 1
    trace = place.within("trace", f"{image}:v1", "--json").json()
    assert [(node["name"], node["version"]) for node in trace["nodes"] if node["kind"] == "code"] == [
        ("github.com/acme/risk", COMMIT)
    ]
    assert place.within("verify").status == 0


def test_a_run_in_the_image_leads_to_the_commit_that_git_knows(registry: Registry, place: Place) -> None:
    script = place.script("train.py", "print(1)\n")
    commit = place.repository()
    labels = {**LABELS, "org.opencontainers.image.revision": commit}
    built = registry.put_image("story/known", "v1", labels=labels)
    image = f"{registry.address}/story/known"
    first = place.run("python", script, env={"LINEAL_IMAGE_DIGEST": f"{image}@{built['digest']}"})
    assert first.status == 0, first.err
    assert place.within("collect", "oci", f"{image}:v1", "-q").status == 0
    trace = place.within("trace", f"{image}:v1", "--json").json()
    code = [node for node in trace["nodes"] if node["kind"] == "code"]
    assert [(node["version"], node["basis"]) for node in code] == [(commit, "observed")]
    run = first.last()["run"]
    through = place.within("trace", run if isinstance(run, str) else run["ref"], "--json").json()
    edges = {(edge["source"].partition(":")[0], edge["target"].partition(":")[0]) for edge in through["edges"]}
    assert ("code", "container") in edges


def test_an_index_is_made_of_its_platforms(registry: Registry, looker: Looker) -> None:
    name = f"{registry.address}/arch/app"
    amd = registry.put_image("arch/app", architecture="amd64")
    arm = registry.put_image("arch/app", architecture="arm64", labels={**LABELS, **_revision("d")})
    index = registry.put_index("arch/app", "v1", {"linux/amd64": amd, "linux/arm64": arm}, {**LABELS, **_revision("e")})
    done = looker.look(f"{name}:v1")
    assert codes(done) == []
    assert done.images[0].ref == f"container:{name}@{index['digest']}"
    assert len(looker.containers()) == 3
    for digest, commits in (
        (amd["digest"], {"e" * 40}),  # it says nothing itself: what the index says is of its parts
        (arm["digest"], {"d" * 40}),
        (index["digest"], {"d" * 40, "e" * 40}),
    ):
        assert _commits(looker, f"{name}@{digest}") == commits
    assert looker.facts(f"{name}@{arm['digest']}")[0].detail["platform"] == "linux/arm64"
    assert looker.look(f"{name}:v1").collected.recorded == 0
    assert looker.look(f"{name}@{arm['digest']}").collected.recorded == 0


def _revision(letter: str) -> dict[str, str]:
    return {"org.opencontainers.image.revision": letter * 40}


def _commits(looker: Looker, text: str) -> set[str]:
    views = looker.session.catalog.find(looker.sources_of(text))
    return {str(view.version) for view in views.values() if view.kind == "code"}


def test_an_image_in_the_format_of_docker(registry: Registry, layout: Path, looker: Looker) -> None:
    registry.push(layout, "v1", "docker/app:v1", "--format=v2s2")
    name = f"{registry.address}/docker/app"
    assert codes(looker.look(f"{name}:v1")) == []
    detail = looker.facts(f"{name}:v1")[0].detail
    assert detail["media_type"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert _commits(looker, f"{name}:v1") == {COMMIT}


def test_what_is_kept_is_what_the_registry_has(registry: Registry, looker: Looker) -> None:
    built = registry.put_image("kept/app", "v1")
    looker.look(f"{registry.address}/kept/app:v1")
    detail = looker.facts(f"{registry.address}/kept/app:v1")[0].detail
    kept = {role: looker.session.objects.read(Digest.parse(text)) for role, text in detail["objects"].items()}
    assert digest_of(kept["manifest"]) == built["digest"]
    assert json.loads(kept["manifest"])["config"]["digest"] == digest_of(kept["config"])
    held = looker.session.catalog.holders([digest_of(kept["config"])])
    assert [(view.name, path) for view, path in held[digest_of(kept["config"])]] == [
        (f"{registry.address}/kept/app", "config")
    ]


def test_no_secret_of_an_image_enters_the_ledger(registry: Registry, looker: Looker, tmp_path: Path) -> None:
    registry.put_image(
        "secret/app",
        "v1",
        env=[f"DB_PASSWORD={SECRET}", f"OPAQUE={SECRET}1", "PATH=/usr/bin"],
        labels={"deploy.token": SECRET, "source": f"https://bo:{SECRET}@git.example/x"},
        history=[{"created_by": f"ARG API_KEY={SECRET}"}],
    )
    done = looker.look(f"{registry.address}/secret/app:v1")
    assert codes(done) == ["oci.config_not_kept"]
    detail = looker.facts(f"{registry.address}/secret/app:v1")[0].detail
    assert (detail["environment"], detail["environment_omitted"]) == ({"PATH": "/usr/bin"}, 2)
    assert list(detail["objects"]) == ["manifest"]
    looker.session.close()
    for file in (tmp_path / "ledger" / ".lineal").rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file


def test_a_sweep_of_a_real_repository_and_a_real_deletion(registry: Registry, looker: Looker) -> None:
    name = f"{registry.address}/many/app"
    for number in range(12):
        registry.put_image("many/app", f"v{number}", labels={"n": str(number)})
    done = looker.look(name, all_tags=True)
    assert (len(done.images), codes(done)) == (12, [])
    assert looker.look(name, all_tags=True).collected.recorded == 0
    gone = registry.digest("many/app", "v3")
    registry.delete("many/app", gone)
    registry.put_image("many/app", "v4", labels={"n": "another"})
    done = looker.look(name, all_tags=True)
    assert sorted(finding.code for finding in done.findings) == ["container.tag_moved", "container.tag_removed"]
    assert "v3" not in read_history(looker.session, parse(name)).standing()
    assert f"container:{name}@{gone}" in looker.containers()


def test_a_tag_that_is_a_commit_leads_to_code_on_record(registry: Registry, looker: Looker) -> None:
    name = f"{registry.address}/codebuild/app"
    registry.put_image("codebuild/app", "v1")
    registry.put_manifest(
        "codebuild/app", COMMIT, json.loads(registry.send("GET", "/v2/codebuild/app/manifests/v1", Accept=MANIFEST)[2])
    )
    assert codes(looker.look(name, all_tags=True)) == ["oci.no_repository"]
    other = registry.put_image("codebuild/other", "v1", labels=LABELS)
    looker.look(f"{registry.address}/codebuild/other:v1")  # now the commit is known
    assert other["digest"]
    assert codes(looker.look(name, all_tags=True)) == []
    assert _commits(looker, f"{name}:v1") == {COMMIT}
    assert looker.look(name, all_tags=True).collected.recorded == 0


@pytest.mark.parametrize("revision", ["v1.2.3", "abc1234", "C" * 40])
def test_a_revision_that_is_no_commit_is_a_gap(registry: Registry, looker: Looker, revision: str) -> None:
    registry.put_image("odd/app", "v1", labels={**LABELS, "org.opencontainers.image.revision": revision})
    assert codes(looker.look(f"{registry.address}/odd/app:v1")) == ["oci.no_commit"]


def test_the_same_image_under_a_name_that_a_run_gave_it(registry: Registry, place: Place) -> None:
    built = registry.put_image("same/app", "v1", labels=LABELS)
    name = f"{registry.address}/same/app"
    added = place.within("add", "container", "train", f"train@{built['digest']}")
    assert added.status == 0, added.err
    assert place.within("collect", "oci", f"{name}:v1", "-q").status == 0
    trace = place.within("trace", "container:train", "--json").json()
    assert COMMIT in [node["version"] for node in trace["nodes"]]
    assert place.within("collect", "oci", f"{name}:v1", "--json").json()["recorded"] == 0


def _artifact(
    registry: Registry, repository: str, reference: str | None, subject: dict[str, Any] | None, data: bytes, kind: str
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": kind,
        "config": {"mediaType": EMPTY, **registry.put_blob(repository, b"{}")},
        "layers": [{"mediaType": kind, **registry.put_blob(repository, data)}],
    }
    if subject is not None:
        document["subject"] = subject
    return registry.put_manifest(repository, reference or digest_of(json.dumps(document).encode()), document)


def test_signatures_attestations_and_lists_of_contents(registry: Registry, looker: Looker) -> None:
    name = f"{registry.address}/signed/app"
    image = registry.put_image("signed/app", "v1")
    tag = image["digest"].replace(":", "-")
    bom = _artifact(
        registry, "signed/app", None, image, b'{"bomFormat": "CycloneDX"}', "application/vnd.cyclonedx+json"
    )
    registry.put_manifest(
        "signed/app",
        tag,
        {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [bom]},
    )
    signature = _artifact(
        registry, "signed/app", f"{tag}.sig", None, b"signed", "application/vnd.dev.cosign.simplesigning.v1+json"
    )
    large = _artifact(registry, "signed/app", f"{tag}.sbom", None, b"x" * (1 << 20) + b"x", "text/spdx+json")
    assert codes(looker.look(f"{name}:v1")) == []
    fact = next(fact for fact in looker.facts(f"{name}:v1") if fact.type == ATTACHED)
    rows = {row["digest"]: row for row in fact.detail["attached"]}
    assert {(digest, row["via"]) for digest, row in rows.items()} == {
        (bom["digest"], "fallback tag"),
        (signature["digest"], "cosign sig"),
        (large["digest"], "cosign sbom"),
    }
    assert rows[bom["digest"]]["artifact_type"] == "application/vnd.cyclonedx+json"
    assert "kept" not in rows[large["digest"]]["blobs"][0]
    kept = [looker.session.objects.read(Digest.parse(text)) for text in fact.detail["objects"].values()]
    assert b'{"bomFormat": "CycloneDX"}' in kept
    assert len(kept) == 5
    assert looker.look(f"{name}:v1").collected.recorded == 0
    done = looker.look(name, all_tags=True)
    assert (done.collected.recorded, [image.image for image in done.images]) == (0, [f"{name}:v1"])


def test_a_plain_manifest_under_the_fallback_tag(registry: Registry, looker: Looker) -> None:
    image = registry.put_image("plain/app", "v1")
    tag = image["digest"].replace(":", "-")
    bom = _artifact(registry, "plain/app", tag, image, b"{}", "application/spdx+json")
    looker.look(f"{registry.address}/plain/app:v1")
    fact = next(fact for fact in looker.facts(f"{registry.address}/plain/app:v1") if fact.type == ATTACHED)
    assert [row["digest"] for row in fact.detail["attached"]] == [bom["digest"]]


def test_attestations_of_buildkit_in_the_index_are_no_platforms(registry: Registry, looker: Looker) -> None:
    name = f"{registry.address}/buildkit/app"
    image = registry.put_image("buildkit/app")
    statement = _artifact(registry, "buildkit/app", None, None, b'{"_type": "x"}', "application/vnd.in-toto+json")
    statement |= {
        "annotations": {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": image["digest"],
        }
    }
    registry.put_index("buildkit/app", "v1", {"linux/amd64": image, "unknown/unknown": statement})
    assert codes(looker.look(f"{name}:v1")) == []
    assert len(looker.containers()) == 2
    fact = next(fact for fact in looker.facts(f"{name}@{image['digest']}") if fact.type == ATTACHED)
    assert [(row["digest"], row["via"]) for row in fact.detail["attached"]] == [(statement["digest"], "index")]


def test_the_page_about_it_does_what_it_says(registry: Registry, tmp_path: Path) -> None:
    place = Place(tmp_path / "work", tmp_path / "home")
    for folder in (place.folder, place.home):
        folder.mkdir()
    page = (Path(__file__).resolve().parents[2] / "docs" / "sources" / "oci.md").read_text("utf-8")
    lines = "".join(re.findall(r"^```console oci\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)).splitlines()
    bin_folder = warm.make_command(tmp_path / "bin", warm.warm(place.environment()))
    printed = ""
    commands = 0
    for line in lines:
        text = line.replace("localhost:5000", registry.address)
        if text.startswith("$ "):
            done = place.do("sh", "-c", text[2:], env={"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"})
            assert done.status == 0, done.err
            printed = " ".join((done.out.decode() + done.err).split())
            commands += 1
        else:
            pattern = re.escape(" ".join(text.split()))
            for shown, real in (
                (r"\d{4}\\-\d\d\\-\d\d\\ \d\d:\d\d:\d\dZ", r"[\\dTZ:. -]+"),
                (r"\b(?!8f1c2b7a5e4d)[0-9a-f]{12}\b", "[0-9a-f]+"),
                ("…", ".*"),
            ):
                pattern = re.sub(shown, real, pattern)
            assert re.search(pattern, printed), f"{text}\n\n{printed}"
    assert commands == 11


def test_the_provenance_of_buildkit_leads_to_the_commit(registry: Registry, looker: Looker) -> None:
    name = f"{registry.address}/provenance/app"
    image = registry.put_image("provenance/app")
    vcs = {"vcs": {"source": SOURCE, "revision": "b" * 40}}
    said = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"digest": {"sha256": image["digest"][7:]}}],
        "predicate": {"metadata": {"https://mobyproject.org/buildkit@v1#metadata": vcs}},
    }
    data = json.dumps(said).encode()
    statement = _artifact(registry, "provenance/app", None, None, data, "application/vnd.in-toto+json")
    statement |= {
        "annotations": {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": image["digest"],
        }
    }
    registry.put_index("provenance/app", "v1", {"linux/amd64": image, "unknown/unknown": statement})
    assert codes(looker.look(f"{name}:v1")) == []
    assert _commits(looker, f"{name}:v1") == {"b" * 40}
    assert looker.look(f"{name}:v1").collected.recorded == 0


def test_a_tag_that_is_a_commit_with_a_label_that_is_a_repository(registry: Registry, looker: Looker) -> None:
    name = f"{registry.address}/pipeline/app"
    commit = "9" * 40
    image = registry.put_image("pipeline/app", commit, labels={"org.opencontainers.image.source": SOURCE})
    assert codes(looker.look(name, all_tags=True)) == []
    assert _commits(looker, f"{name}@{image['digest']}") == {commit}
    views = looker.session.catalog.find(looker.sources_of(f"{name}@{image['digest']}"))
    assert {view.name for view in views.values() if view.kind == "code"} == {"github.com/acme/risk"}
    assert looker.look(name, all_tags=True).collected.recorded == 0
