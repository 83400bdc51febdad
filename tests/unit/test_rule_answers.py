"""What the graph answers to rules: of images, tags and training data, from statements as the commands record them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle import Team, team_in
from lineal.app.check_rules import check_rules
from lineal.app.image_origin import STATED
from lineal.app.rule_lineage import LedgerLineage
from lineal.app.rule_sets import load_rules
from lineal.catalog.graph import NOW, Moment
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT
from lineal.core.digest import Digest
from lineal.core.observation import Node
from lineal.core.resource import make_resource
from lineal.sources.oci_tags import TAGGED, UNTAGGED
from rule_world import ACCOUNT, REGION, World, day, item, states

NAME = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/scorer"
MODEL = make_resource("AWS::SageMaker::Model", ACCOUNT, REGION, "scorer").key


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with team_in(tmp_path) as found:
        yield found


def container(content: bytes, **more: Any) -> Node:
    digest = Digest.of(content)
    return Node(ref=f"container:{NAME}@{digest}", basis="observed", digest=digest, **more)


def lineage(team: Team, moment: Moment = NOW) -> LedgerLineage:
    return LedgerLineage(team.session, moment)


def test_an_image_that_a_run_built_is_known_by_digest_and_by_tag(team: Team) -> None:
    image = container(b"one", aliases=(f"{NAME}:1",))
    team.run("build", [team.code({"Dockerfile": b"FROM scratch"})], [image])
    for uri in (f"{NAME}@{image.digest}", f"{NAME}:1"):
        found = lineage(team).image(uri)
        assert found is not None
        assert (found.digest, found.run, found.claimed) == (str(image.digest), "run:build-1", False)
        assert found.code is not None
        assert found.code.startswith("code:risk@")
    assert lineage(team).image(f"{NAME}:2") is None
    assert lineage(team).image("not an image") is None
    assert lineage(team, Moment(time=day(1))).image(f"{NAME}@{image.digest}") is None


def test_what_only_an_image_says_of_itself_is_a_claim(team: Team) -> None:
    image, code = container(b"one"), team.code({"Dockerfile": b"FROM scratch"})
    team.say("container.observed/1", [image])
    seen = lineage(team).image(f"{NAME}@{image.digest}")
    assert seen is not None
    assert (seen.code, seen.run) == (None, None)
    team.say(STATED, [image, code], [(code.ref, image.ref, "derived_from")], basis="claimed")
    found = lineage(team).image(f"{NAME}@{image.digest}")
    assert found is not None
    assert found.code is not None
    assert (found.run, found.claimed) == (None, True)


def test_the_commit_of_the_image_that_one_begins_with_is_not_its_own(team: Team) -> None:
    base, top, own = container(b"base"), container(b"top"), container(b"own")
    team.run("base", [team.code({"Dockerfile": b"FROM scratch"})], [base])
    team.run("build", [base], [top])
    found = lineage(team).image(f"{NAME}@{top.digest}")
    assert found is not None
    assert (found.code, found.run) == (None, "run:build-1")
    code = team.code({"Dockerfile": b"FROM base"})
    team.run("build", [base, code], [own])
    found = lineage(team).image(f"{NAME}@{own.digest}")
    assert found is not None
    assert found.code == code.ref


def test_the_history_of_a_tag(team: Team) -> None:
    one, two = container(b"one", detail={"tag": "1"}), container(b"two", detail={"tag": "1"})
    for kind, node in ((TAGGED, one), (TAGGED, two), (UNTAGGED, two)):
        team.say(kind, [node])
    assert [digest for _, digest in lineage(team).tag(NAME, "1")] == [str(one.digest), str(two.digest), None]
    assert lineage(team).tag(NAME, "2") == []
    assert lineage(team).tag("Not An Image", "1") == []


def bucket_version(team: Team, content: bytes, number: int, uri: str = "s3://data/raw/") -> Node:
    pins = str(Digest.of(b"pins of " + content))
    detail = {"origin": "bucket", "uri": uri, "objects": {"pins": pins}, "stored": "manifest"}
    digest = Digest.of(content)
    node = Node(ref=f"dataset:raw@{digest}", basis="observed", version=str(number), digest=digest, detail=detail)
    team.say("dataset.snapshotted/1", [node])
    return node


def trained(team: Team, data: Node) -> None:
    file = team.file("model.pkl", b"model")
    team.run("train", [data, team.code({"train.py": b"x"})], [file], metrics={"auc": "0.9"})
    model = Node(ref=f"model:risk@{file.digest}", basis="observed", digest=file.digest, aliases=(MODEL,))
    team.say("sagemaker.model_created/1", [model], [(file.ref, model.ref, "same_as")])


def test_training_data_is_followed_to_where_it_lies(team: Team) -> None:
    assert lineage(team).training_data(MODEL) is None
    data = bucket_version(team, b"one", 1)
    trained(team, data)
    (found,) = lineage(team).training_data(MODEL) or []
    assert (found.ref, found.place, found.changed, found.seen) == ("dataset:raw@1", "s3://data/raw/", None, None)
    bucket_version(team, b"elsewhere", 2, "s3://data/other/")
    assert [each.changed for each in lineage(team).training_data(MODEL) or []] == [None]
    team.say("dataset.snapshotted/1", [data])
    (found,) = lineage(team).training_data(MODEL) or []
    assert found.seen is not None
    other = bucket_version(team, b"two", 3)
    (found,) = lineage(team).training_data(MODEL) or []
    assert found.changed is not None
    assert f"s3://data/raw/ held {other.digest}" in found.changed


def test_rules_about_origin_are_asked_of_the_whole(team: Team) -> None:
    world = World(team.folder, team.session)
    image = container(b"one")
    team.run("build", [team.code({"Dockerfile": b"FROM scratch"})], [image])
    trained(team, bucket_version(team, b"one", 1))
    variants = [{"VariantName": "main", "ModelName": "scorer"}]
    parts = {"Image": f"{NAME}@{image.digest}"}
    world.see(
        item("AWS::SageMaker::Endpoint", "prod", {"EndpointConfigName": "prod-1"}),
        item("AWS::SageMaker::EndpointConfig", "prod-1", {"ProductionVariants": variants}),
        item("AWS::SageMaker::Model", "scorer", {"ModelName": "scorer", "PrimaryContainer": parts}),
    )
    found = states(check_rules(team.session, load_rules(["lineal"])).conclusions)
    assert found["IMAGE_FROM_RECORDED_PIPELINE", "scorer"] == COMPLIANT
    assert found["TAG_NOT_MOVED_AFTER_DEPLOYMENT", "scorer"] == COMPLIANT
    assert found["TRAINING_DATA_UNCHANGED", "scorer"] == INSUFFICIENT
    assert found["ENDPOINT_MODEL_APPROVED", "prod"] == NON_COMPLIANT
    bucket_version(team, b"two", 2)
    found = states(check_rules(team.session, load_rules(["lineal"])).conclusions)
    assert found["TRAINING_DATA_UNCHANGED", "scorer"] == NON_COMPLIANT
    assert check_rules(team.session, load_rules(["lineal"])).recorded == 0
