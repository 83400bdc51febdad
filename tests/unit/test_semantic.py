"""What counts in a configuration item, and the digest of it."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from lineal.change import semantic
from lineal.change.difference import diff
from lineal.change.semantic import RULES, digest_of, strip, with_semantic
from lineal.core import canonical
from lineal.core.config_item import ConfigItem, Relationship
from lineal.core.plain import plain
from lineal.core.resource import make_resource
from lineal.errors import NotCanonical

MOMENT = "2026-11-02T10:00:00.000000Z"
ENDPOINT = "AWS::SageMaker::Endpoint"


def item(configuration: dict[str, Any], kind: str = ENDPOINT, **more: Any) -> ConfigItem:
    resource = make_resource(kind, "123456789012", "eu-west-1", "scorer")
    return ConfigItem(
        resource=resource, time=MOMENT, source="aws", shape="api", configuration=plain(configuration), **more
    )


def endpoint(**more: Any) -> dict[str, Any]:
    return {
        "EndpointName": "scorer",
        "EndpointConfigName": "scorer-7",
        "EndpointStatus": "InService",
        "CreationTime": "2026-01-01T00:00:00.000000Z",
        "LastModifiedTime": "2026-01-01T00:00:00.000000Z",
        "ProductionVariants": [
            {
                "VariantName": "blue",
                "CurrentWeight": 1.0,
                "DesiredWeight": 1.0,
                "CurrentInstanceCount": 2,
                "DesiredInstanceCount": 2,
                "DeployedImages": [{"SpecifiedImage": "a:1", "ResolvedImage": "a@sha256:1", "ResolutionTime": "x"}],
            },
            {"VariantName": "green", "CurrentWeight": 0.0, "DesiredWeight": 0.0},
        ],
        **more,
    }


def test_states_moments_and_counters_that_follow_do_not_count() -> None:
    later = endpoint(
        EndpointStatus="Failed", FailureReason="no capacity", LastModifiedTime="2026-02-01T00:00:00.000000Z",
        PendingDeploymentSummary={"EndpointConfigName": "scorer-8"},
    )  # fmt: skip
    later["ProductionVariants"][0] |= {
        "CurrentInstanceCount": 7,
        "CurrentWeight": 0.5,
        "VariantStatus": [{"Status": "x"}],
    }
    later["ProductionVariants"][0]["DeployedImages"][0]["ResolutionTime"] = "y"
    assert digest_of(item(later)) == digest_of(item(endpoint()))
    assert "EndpointStatus" not in strip(item(later))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(EndpointConfigName="scorer-8"),
        lambda body: body["ProductionVariants"][0].update(DesiredInstanceCount=3),
        lambda body: body["ProductionVariants"][1].update(DesiredWeight=0.1),
        lambda body: body["ProductionVariants"][0]["DeployedImages"][0].update(ResolvedImage="a@sha256:2"),
        lambda body: body["ProductionVariants"].pop(),
        lambda body: body.update(NewField=None),
    ],
)
def test_what_somebody_asked_for_counts(change: Any) -> None:
    body = endpoint()
    change(body)
    assert digest_of(item(body)) != digest_of(item(endpoint()))


def test_an_approval_counts_and_the_state_of_its_package_does_not() -> None:
    kind = "AWS::SageMaker::ModelPackage"
    one = item({"ModelApprovalStatus": "PendingManualApproval", "ModelPackageStatus": "InProgress"}, kind)
    two = item({"ModelApprovalStatus": "PendingManualApproval", "ModelPackageStatus": "Completed"}, kind)
    three = item({"ModelApprovalStatus": "Approved", "ModelPackageStatus": "Completed"}, kind)
    assert digest_of(one) == digest_of(two) != digest_of(three)


def test_the_order_of_variants_says_nothing_and_that_of_containers_everything() -> None:
    body = endpoint()
    body["ProductionVariants"].reverse()
    assert digest_of(item(body)) == digest_of(item(endpoint()))
    containers = [{"ContainerHostname": "scale"}, {"ContainerHostname": "score"}]
    kind = "AWS::SageMaker::Model"
    one, two = ({"Containers": held} for held in (containers, containers[::-1]))
    assert digest_of(item(one, kind)) != digest_of(item(two, kind))


def test_tags_count_and_where_they_came_from_the_configuration_only_once() -> None:
    assert strip(item({"a": 1}, tags={"owner": "risk"})) == {"a": 1, "tags": {"owner": "risk"}}
    assert strip(item({"a": 1})) == {"a": 1}
    # A configuration that has tags of its own loses none of them.
    assert strip(item({"tags": ["x"]}, tags={"k": "v"})) == {"tags": ["x"], "#tags": {"k": "v"}}
    labels = {"metadata": {"labels": {"app": "scorer"}}}
    assert strip(item(labels, "Kubernetes::apps/Deployment", tags={"app": "scorer"})) == labels
    assert strip(item({"x": 1}, "Kubernetes::apps/Deployment", tags={"app": "scorer"}))["tags"] == {"app": "scorer"}


def test_nothing_but_configuration_and_tags_counts() -> None:
    plainly = item(endpoint())
    more = replace(
        plainly, time="2026-11-03T10:00:00.000000Z", source="aws-config", state="Failed", modified=MOMENT,
        relationships=(Relationship("S3", "s3://b/k", "data"),), extra={"x": 1},
    )  # fmt: skip
    assert digest_of(plainly) == digest_of(more)


@pytest.mark.parametrize(
    "spell", [json.dumps, lambda value: json.dumps(value, indent=2), lambda value: quote(json.dumps(value))]
)
def test_documents_in_texts_are_compared_as_documents(spell: Any) -> None:
    kind = "AWS::IAM::Role"
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "A", "Action": ["s3:Get*", "s3:List*"], "Effect": "Allow"}],
    }
    turned = {
        "Statement": [{"Effect": "Allow", "Action": ["s3:List*", "s3:Get*"], "Sid": "A"}],
        "Version": "2012-10-17",
    }
    one, two = item({"InlinePolicies": {"data": policy}}, kind), item({"InlinePolicies": {"data": spell(turned)}}, kind)
    assert digest_of(one) == digest_of(two)
    turned["Statement"][0]["Action"].append("s3:*")  # type: ignore[index]
    wider = item({"InlinePolicies": {"data": spell(turned)}}, kind)
    (edit,) = diff(strip(one), strip(wider), kind)
    assert edit.path == ("InlinePolicies", "data", "Statement", "A", "Action", "s3:*")


@pytest.mark.parametrize(
    "text",
    [
        "", "no document", "{", "[1,", '{"a": 1, "a": 2}', "[" * 500 + "]" * 500, "[" * 100_000, '["\\ud800"]', "%7Bno",
        '{"a":' * 25 + "1" + "}" * 25, "12", "null", '"text"',
    ],
)  # fmt: skip
def test_texts_that_hold_no_document_stay_texts(text: str) -> None:
    held = ConfigItem(
        resource=make_resource("AWS::IAM::Role", "1", "", "r"), time=MOMENT, source="aws", shape="api",
        configuration={"assumeRolePolicyDocument": text},
    )  # fmt: skip
    assert strip(held) == {"assumeRolePolicyDocument": text}
    assert digest_of(held).startswith("sha256:")


def test_numbers_in_texts_become_canonical() -> None:
    text = '{"a": 1.50, "b": 1e400, "c": 9007199254740993, "d": -3, "e": NaN, "f": 123456789012345678901234567890}'
    found = strip(item({"PipelineDefinition": text}, "AWS::SageMaker::Pipeline"))["PipelineDefinition"]
    assert found == {
        "a": "1.5", "b": "inf", "c": "9007199254740993", "d": -3, "e": "NaN", "f": "123456789012345678901234567890",
    }  # fmt: skip
    canonical.encode(found)


def test_the_item_is_left_as_it_is() -> None:
    body = plain(endpoint())
    kept = json.dumps(body)
    held = replace(item({}), configuration=body)
    with_semantic(held)
    strip(held)["ProductionVariants"][0]["VariantName"] = "changed"
    assert json.dumps(body) == kept


def test_only_what_is_there_has_a_semantic_digest() -> None:
    held = with_semantic(item(endpoint()))
    assert held.semantic == digest_of(held)
    for status in ("deleted", "unrecorded"):
        assert with_semantic(replace(held, status=status, configuration={})).semantic is None


def test_what_has_no_canonical_spelling_is_refused() -> None:
    with pytest.raises(NotCanonical):
        digest_of(replace(item({}), configuration={"a": 1.5}))


def test_rules_are_those_of_the_table() -> None:
    from hashlib import sha256
    from importlib import resources

    table = resources.files("lineal.change").joinpath("types.yaml").read_bytes()
    assert sha256(table).hexdigest()[:16] in RULES
    assert semantic.TAGS == "tags"


def test_policies_whose_principals_come_back_in_another_order_are_the_same() -> None:
    def role(*principals: str) -> ConfigItem:
        document = {"Statement": [{"Principal": {"AWS": list(principals)}, "Action": "sts:AssumeRole"}]}
        return item({"Role": {"AssumeRolePolicyDocument": document}}, "AWS::IAM::Role")

    assert digest_of(role("a", "b")) == digest_of(role("b", "a")) != digest_of(role("a", "b", "c"))
