"""Which event made a field what it is: by its parameters, whatever their spelling, or by what its operation does."""

import re
from typing import Any

import pytest

from lineal.change.agreement import agrees
from lineal.change.attribution import Relation, relate
from lineal.change.effects import (
    creates,
    deletes,
    effect_of,
    effects_version,
    fits,
    may_change,
    service_of,
    shows_outcome,
    updates_whole,
)
from lineal.change.judge import judge_change
from lineal.change.judge_evidence import Evidence, make_candidate
from lineal.change.watermark import read_coverage
from lineal.core.api_event import ApiEvent
from lineal.core.change import UNAPPROVED, UNEXPLAINED, Change, Edit
from lineal.core.coverage import TrailSpan
from lineal.core.resource import make_resource

ACCOUNT, REGION = "123456789012", "eu-west-1"
TIME = "2026-03-03T09:30:00.000000Z"
NONE, TOUCHES, CONTRADICTS, SETS = Relation.NONE, Relation.TOUCHES, Relation.CONTRADICTS, Relation.SETS
PIPELINE = {
    "pipeline": {
        "name": "release",
        "stages": [
            {"name": "Source", "actions": [{"name": "fetch", "configuration": {"Branch": "main"}, "runOrder": 1}]},
            {"name": "Build", "actions": []},
        ],
    }
}


def key(kind: str, name: str = "x") -> str:
    return make_resource(kind, ACCOUNT, REGION, name).key


def change(kind: str, *edits: Edit) -> Change:
    return Change(
        id="c", resource=key(kind), type=kind, account=ACCOUNT, region=REGION, kind="updated",
        since="2026-03-03T09:00:00.000000Z", until="2026-03-03T10:00:00.000000Z", before="a", after="b", edits=edits,
    )  # fmt: skip


def event(service: str, name: str, asked: dict[str, Any] | None = None, **record: Any) -> ApiEvent:
    full = service if service == "kubernetes" else f"{service}.amazonaws.com"
    return ApiEvent(
        id="e", time=TIME, service=full, name=name, account=ACCOUNT, region=REGION, principal="p",
        record={**({} if asked is None else {"requestParameters": asked}), **record},
    )  # fmt: skip


def related(kind: str, edit: Edit, service: str, name: str, asked: dict[str, Any] | None, **more: Any) -> Relation:
    return relate(event(service, name, asked), change(kind, edit), edit, more.get("after"))


def replaced(path: str, new: Any, old: Any = "old") -> Edit:
    return Edit("replace", tuple(path.split("/")), old, new)


def removed(path: str, old: Any = "old") -> Edit:
    return Edit("remove", tuple(path.split("/")), old)


def added(path: str, new: Any) -> Edit:
    return Edit("add", tuple(path.split("/")), None, new)


SAGEMAKER, BUILD, PIPES, STACKS, ECR, IAM = (
    "sagemaker", "codebuild", "codepipeline", "cloudformation", "ecr", "iam",
)  # fmt: skip
PACKAGE, PROJECT, RELEASE = "AWS::SageMaker::ModelPackage", "AWS::CodeBuild::Project", "AWS::CodePipeline::Pipeline"
ENDPOINT, STACK, REPOSITORY, ROLE = (
    "AWS::SageMaker::Endpoint", "AWS::CloudFormation::Stack", "AWS::ECR::Repository", "AWS::IAM::Role",
)  # fmt: skip
COMPONENT, FEATURES, NOTEBOOK, STUDIO, CARD, SCHEDULE, EXPERIMENT = (
    f"AWS::SageMaker::{each}"
    for each in (
        "InferenceComponent", "FeatureGroup", "NotebookInstance", "Domain", "ModelCard", "MonitoringSchedule",
        "InferenceExperiment",
    )
)  # fmt: skip
COPIES, DEPLOYED = "RuntimeConfig/DesiredCopyCount", "Specification/Container/DeployedImage"
UPDATED = {"inferenceComponentName": "x", "specification": {"modelName": "b", "container": {"image": "a:1"}}}
SCALED = {"inferenceComponentName": "x", "desiredRuntimeConfig": {"copyCount": 3}}
STUDIO_SETTINGS = {"domainId": "x", "defaultUserSettings": {"kernelGatewayAppSettings": {"customImages": []}}}
CUSTOM = "DefaultUserSettings/KernelGatewayAppSettings/CustomImages/risk,app"
POLICY = '{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":"*"}]}'


@pytest.mark.parametrize(
    ("kind", "edit", "service", "name", "asked", "expected"),
    [
        # What the parameters say.
        (
            PACKAGE,
            replaced("ModelApprovalStatus", "Approved"),
            SAGEMAKER,
            "UpdateModelPackage",
            {"modelPackageArn": "x", "modelApprovalStatus": "Approved"},
            SETS,
        ),
        (
            PACKAGE,
            replaced("ModelApprovalStatus", "Approved"),
            SAGEMAKER,
            "UpdateModelPackage",
            {"modelPackageArn": "x", "modelApprovalStatus": "Rejected"},
            CONTRADICTS,
        ),
        (
            PACKAGE,
            replaced("ModelApprovalStatus", "Approved"),
            SAGEMAKER,
            "UpdateModelPackage",
            {"modelPackageArn": "x", "approvalDescription": "fine"},
            NONE,
        ),
        (
            PROJECT,
            replaced("timeoutInMinutes", 90),
            BUILD,
            "UpdateProject",
            {"name": "x", "timeoutInMinutes": "90"},
            SETS,
        ),
        (
            PROJECT,
            replaced("timeoutInMinutes", 90),
            BUILD,
            "UpdateProject",
            {"name": "x", "timeoutInMinutes": 91},
            CONTRADICTS,
        ),
        (PROJECT, replaced("description", "x"), BUILD, "UpdateProject", {"name": "x", "timeoutInMinutes": 91}, NONE),
        (PROJECT, replaced("description", "x"), BUILD, "UpdateProject", {"name": "x"}, TOUCHES),
        (PROJECT, replaced("description", "x"), BUILD, "UpdateProject", None, TOUCHES),
        (
            PROJECT,
            replaced("environment/environmentVariables/MODE/value", "fast"),
            BUILD,
            "UpdateProject",
            {"environment": {"environmentVariables": [{"name": "A", "value": "b"}, {"name": "MODE", "value": "fast"}]}},
            SETS,
        ),
        (
            PROJECT,
            removed("environment/environmentVariables/MODE"),
            BUILD,
            "UpdateProject",
            {"environment": {"environmentVariables": [{"name": "A", "value": "b"}]}},
            SETS,
        ),
        (
            PROJECT,
            removed("environment/environmentVariables/A"),
            BUILD,
            "UpdateProject",
            {"environment": {"environmentVariables": [{"name": "A", "value": "b"}]}},
            CONTRADICTS,
        ),
        (
            PROJECT,
            replaced("environment/privilegedMode", True),
            BUILD,
            "UpdateProject",
            {"environment": {"privilegedMode": "true"}},
            SETS,
        ),
        (
            PROJECT,
            replaced("environment/privilegedMode", True),
            BUILD,
            "UpdateProject",
            {"environment": {"privilegedMode": False}},
            CONTRADICTS,
        ),
        (
            PROJECT,
            replaced("source/auth/resource", "x"),
            BUILD,
            "UpdateProject",
            {"source": {"auth": {"resource": "HIDDEN_DUE_TO_SECURITY_REASONS"}}},
            TOUCHES,
        ),
        (
            PROJECT,
            replaced("source/auth/resource", "x"),
            BUILD,
            "UpdateProject",
            {"source": {"auth": {"resource": "[redacted]"}}},
            TOUCHES,
        ),
        (
            RELEASE,
            replaced("pipeline/stages/Source/actions/fetch/configuration/Branch", "main"),
            PIPES,
            "UpdatePipeline",
            PIPELINE,
            SETS,
        ),
        (
            RELEASE,
            replaced("pipeline/stages/Source/actions/fetch/configuration/Branch", "dev"),
            PIPES,
            "UpdatePipeline",
            PIPELINE,
            CONTRADICTS,
        ),
        (RELEASE, removed("pipeline/stages/Deploy"), PIPES, "UpdatePipeline", PIPELINE, SETS),
        (
            RELEASE,
            added("pipeline/stages/Build", {"name": "Build", "actions": []}),
            PIPES,
            "UpdatePipeline",
            PIPELINE,
            SETS,
        ),
        (RELEASE, replaced("pipeline/stages/#order", ["Source", "Build"]), PIPES, "UpdatePipeline", PIPELINE, SETS),
        (
            RELEASE,
            replaced("pipeline/stages/#order", ["Build", "Source"]),
            PIPES,
            "UpdatePipeline",
            PIPELINE,
            CONTRADICTS,
        ),
        (RELEASE, replaced("pipeline/stages/#order", ["Source", "Test"]), PIPES, "UpdatePipeline", PIPELINE, TOUCHES),
        # Leaving out what something stands in says nothing of it.
        (
            PROJECT,
            removed("environment/registryCredential/credential"),
            BUILD,
            "UpdateProject",
            {"name": "x", "environment": {"type": "LINUX"}},
            NONE,
        ),
        # What a call says beside whom it is about is what it changes: a role that it gives is nobody's name.
        (
            "AWS::SageMaker::ModelCard",
            replaced("Content", "x"),
            SAGEMAKER,
            "UpdateModelCard",
            {"modelCardName": "x", "roleArn": "arn:aws:iam::1:role/r"},
            NONE,
        ),
        (
            "AWS::SageMaker::ModelCard",
            replaced("Content", "x"),
            SAGEMAKER,
            "UpdateModelCard",
            {"modelCardName": "y"},
            NONE,
        ),
        (
            "AWS::SageMaker::ModelCard",
            replaced("Content", "x"),
            SAGEMAKER,
            "UpdateModelCard",
            {"modelCardName": "HIDDEN_DUE_TO_SECURITY_REASONS", "clientRequestToken": "t"},
            TOUCHES,
        ),
        (RELEASE, replaced("pipeline/roleArn", "r2"), PIPES, "UpdatePipeline", PIPELINE, NONE),
        # Under another name, or within what stands around it.
        (
            ENDPOINT,
            replaced("ProductionVariants/all/DesiredWeight", "2.0"),
            SAGEMAKER,
            "UpdateEndpointWeightsAndCapacities",
            {"desiredWeightsAndCapacities": [{"variantName": "all", "desiredWeight": 2}]},
            SETS,
        ),
        (
            ENDPOINT,
            replaced("ProductionVariants/all/CurrentWeight", "2.0"),
            SAGEMAKER,
            "UpdateEndpointWeightsAndCapacities",
            {"desiredWeightsAndCapacities": [{"variantName": "all", "desiredWeight": 2}]},
            TOUCHES,
        ),
        (
            ENDPOINT,
            replaced("ProductionVariants/other/CurrentWeight", "2.0"),
            SAGEMAKER,
            "UpdateEndpointWeightsAndCapacities",
            {"desiredWeightsAndCapacities": [{"variantName": "all", "desiredWeight": 2}]},
            NONE,
        ),
        (
            ENDPOINT,
            replaced("ProductionVariants/all/ModelName", "m"),
            SAGEMAKER,
            "UpdateEndpointWeightsAndCapacities",
            {"desiredWeightsAndCapacities": [{"variantName": "all", "desiredWeight": 2}]},
            NONE,
        ),
        (
            STACK,
            replaced("stack/Parameters/Count/ParameterValue", "3"),
            STACKS,
            "UpdateStack",
            {"stackName": "x", "parameters": [{"parameterKey": "Count", "parameterValue": "3"}]},
            SETS,
        ),
        (
            STACK,
            replaced("stack/Parameters/Count/ParameterValue", "3"),
            STACKS,
            "UpdateStack",
            {"stackName": "x", "parameters": [{"parameterKey": "Count", "parameterValue": "4"}]},
            CONTRADICTS,
        ),
        (STACK, replaced("resources/Config/PhysicalResourceId", "y"), STACKS, "ExecuteChangeSet", {}, TOUCHES),
        (
            REPOSITORY,
            replaced("repository/imageTagMutability", "MUTABLE"),
            ECR,
            "PutImageTagMutability",
            {"repositoryName": "x", "imageTagMutability": "MUTABLE"},
            SETS,
        ),
        (REPOSITORY, replaced("imageTags/prod", "sha256:2"), ECR, "PutImage", {"imageTag": "prod"}, TOUCHES),
        (REPOSITORY, replaced("imageTags/prod", "sha256:2"), ECR, "PutImage", {"imageTag": "dev"}, NONE),
        (REPOSITORY, removed("imageTags/prod"), ECR, "BatchDeleteImage", {"imageIds": [{"imageTag": "prod"}]}, TOUCHES),
        (
            REPOSITORY,
            replaced("policy/Statement/a/Effect", "Allow"),
            ECR,
            "SetRepositoryPolicy",
            {"policyText": POLICY},
            SETS,
        ),
        (
            REPOSITORY,
            replaced("policy/Statement/a/Effect", "Deny"),
            ECR,
            "SetRepositoryPolicy",
            {"policyText": POLICY},
            CONTRADICTS,
        ),
        (
            ROLE,
            added("InlinePolicies/more/Statement/a/Action", "*"),
            IAM,
            "PutRolePolicy",
            {"policyName": "more"},
            TOUCHES,
        ),
        (ROLE, added("InlinePolicies/more", {"Version": "1"}), IAM, "PutRolePolicy", {"policyName": "more"}, TOUCHES),
        (ROLE, added("InlinePolicies/more", {"Version": "1"}), IAM, "PutRolePolicy", {"policyName": "other"}, NONE),
        (
            ROLE,
            replaced("Role/AssumeRolePolicyDocument/Statement/a/Effect", "Allow"),
            IAM,
            "UpdateAssumeRolePolicy",
            {"policyDocument": POLICY.replace("{", "%7B").replace('"', "%22")},
            SETS,
        ),
        (
            ROLE,
            replaced("Role/MaxSessionDuration", 7200),
            IAM,
            "UpdateRole",
            {"roleName": "x", "maxSessionDuration": 7200},
            SETS,
        ),
        # Tags.
        (
            ENDPOINT,
            added("tags/team", "risk"),
            SAGEMAKER,
            "AddTags",
            {"tags": [{"key": "team", "value": "risk"}]},
            SETS,
        ),
        (
            ENDPOINT,
            added("tags", {"team": "risk"}),
            SAGEMAKER,
            "AddTags",
            {"tags": [{"key": "team", "value": "risk"}]},
            SETS,
        ),
        (
            ENDPOINT,
            added("tags/team", "risk"),
            SAGEMAKER,
            "AddTags",
            {"tags": [{"key": "team", "value": "x"}]},
            CONTRADICTS,
        ),
        (ENDPOINT, added("tags/team", "risk"), SAGEMAKER, "AddTags", {"tags": [{"key": "other", "value": "x"}]}, NONE),
        (ENDPOINT, removed("tags/team"), SAGEMAKER, "AddTags", {"tags": [{"key": "other", "value": "x"}]}, NONE),
        (ENDPOINT, removed("tags/team"), SAGEMAKER, "DeleteTags", {"tagKeys": ["team"]}, SETS),
        (ENDPOINT, removed("tags/team"), SAGEMAKER, "DeleteTags", {"tagKeys": ["other"]}, NONE),
        (ENDPOINT, added("tags/team", "risk"), SAGEMAKER, "DeleteTags", {"tagKeys": ["team"]}, CONTRADICTS),
        (RELEASE, added("tags/team", "risk"), PIPES, "TagResource", {"tags": [{"key": "team", "value": "risk"}]}, SETS),
        (PROJECT, removed("tags/team"), BUILD, "UpdateProject", {"tags": []}, SETS),
        (ROLE, replaced("tags/team", "risk"), IAM, "TagRole", {"tags": [{"key": "team", "value": "risk"}]}, SETS),
        # Operations that nobody described here.
        (ENDPOINT, replaced("NewField", "x"), SAGEMAKER, "TuneEndpoint", {"endpointName": "x", "newField": "x"}, SETS),
        (ENDPOINT, replaced("NewField", "x"), SAGEMAKER, "TuneEndpoint", {"endpointName": "x"}, NONE),
        (ENDPOINT, replaced("NewField", "x"), SAGEMAKER, "TuneEndpoint", None, NONE),
        (
            "AWS::SageMaker::ModelCard",
            replaced("Content", "x"),
            SAGEMAKER,
            "UpdateModelCard",
            {"modelCardName": "x"},
            TOUCHES,
        ),
        (
            "AWS::SageMaker::ModelCard",
            replaced("Content", "x"),
            SAGEMAKER,
            "UpdateModelCard",
            {"modelCardName": "x", "modelCardStatus": "Approved"},
            NONE,
        ),
        ("AWS::SageMaker::ModelCard", replaced("Content", "x"), SAGEMAKER, "UpdateModelCardExport", {}, NONE),
        (
            "AWS::Lambda::Function",
            replaced("Timeout", 9),
            "lambda",
            "UpdateFunctionConfiguration20150331v2",
            {"functionName": "x", "timeout": 9},
            SETS,
        ),
    ],
)
def test_relation(kind: str, edit: Edit, service: str, name: str, asked: Any, expected: Relation) -> None:
    assert related(kind, edit, service, name, asked) is expected


@pytest.mark.parametrize(
    ("kind", "edit", "service", "name", "asked", "expected"),
    [
        (ROLE, replaced("AttachedPolicies/arn:aws:iam::1:policy/p/DefaultVersionId", "v2"), IAM, "CreatePolicyVersion",
         {"policyArn": "arn:aws:iam::1:policy/p"}, TOUCHES),
        (ROLE, replaced("AttachedPolicies/arn:aws:iam::1:policy/p/DefaultVersionId", "v2"), IAM, "CreatePolicyVersion",
         {"policyArn": "arn:aws:iam::1:policy/q"}, NONE),
        (ROLE, removed("AttachedPolicies/arn:aws:iam::1:policy/p"), IAM, "DetachRolePolicy",
         {"policyArn": "arn:aws:iam::1:policy/p"}, TOUCHES),
        ("AWS::CloudTrail::Trail", replaced("IsLogging", False), "cloudtrail", "StopLogging", {"name": "x"}, TOUCHES),
        ("AWS::CloudTrail::Trail", replaced("IsLogging", False), "cloudtrail", "UpdateTrail", {"y": 1}, NONE),
        ("AWS::Config::ConfigurationRecorder", replaced("recording", False), "config", "StopConfigurationRecorder",
         {"configurationRecorderName": "x"}, TOUCHES),
        ("AWS::ApplicationAutoScaling::ScalableTarget", replaced("MaxCapacity", 9), "autoscaling",
         "RegisterScalableTarget", {"maxCapacity": 9}, SETS),
        ("AWS::ApplicationAutoScaling::ScalableTarget", replaced("ScalingPolicies/p/PolicyType", "x"), "autoscaling",
         "PutScalingPolicy", {"policyName": "p"}, TOUCHES),
    ],
)  # fmt: skip
def test_what_is_changed_from_beside_and_what_is_switched(
    kind: str, edit: Edit, service: str, name: str, asked: Any, expected: Relation
) -> None:
    text = "/".join(edit.path)
    if "arn:" in text:  # the ARN of a policy is one key
        head, policy, *rest = re.split(r"/(arn:[^/]+/[^/]+)/?", text)
        edit = Edit(edit.op, tuple(each for each in (head, policy, *rest) if each), edit.old, edit.new)
    assert related(kind, edit, service, name, asked) is expected
    assert may_change(event(service, name, asked), kind, key(kind))


def test_requests_of_kubernetes_are_the_objects_they_send() -> None:
    kind = "Kubernetes::apps/Deployment"
    edit = replaced("spec/replicas", 3)
    of = Change(
        id="c", resource="k", type=kind, account="cluster", region="prod", kind="updated", since=None, until=TIME,
        before=None, after=None, edits=(edit,),
    )  # fmt: skip
    assert relate(event("kubernetes", "patch deployments/status"), of, edit) is NONE
    for sent, expected in (
        ({"spec": {"replicas": 3}}, SETS),
        ({"spec": {"replicas": 2}}, CONTRADICTS),
        (None, TOUCHES),
    ):
        made = event("kubernetes", "patch deployments/scale", None, **({} if sent is None else {"requestObject": sent}))
        assert relate(made, of, edit) is expected
    assert relate(event("kubernetes", "delete deployments"), of, edit) is NONE
    assert creates(event("kubernetes", "create deployments"), kind, "k")
    assert deletes(event("kubernetes", "delete deployments"), kind, "k")
    inside = event("kubernetes", "create pods/exec")
    assert not creates(inside, "Kubernetes::Pod", "k")
    assert not may_change(inside, "Kubernetes::Pod", "k")
    assert may_change(event("kubernetes", "frob", None), "Kubernetes::Pod", "k") is False


@pytest.mark.parametrize(
    ("asked", "seen", "expected"),
    [
        (1, "1", True),
        ("1.0", 1, True),
        ("0.10", "0.1", True),
        ("1.0", "2.0", False),
        (True, "true", True),
        ("false", False, True),
        (True, 1, False),
        (True, False, False),
        (None, "", True),
        ("x", "X", False),
        ("a", ["a"], False),
        ([1, "b"], ["b", "1"], True),
        (["a"], ["a", "b"], False),
        (["a", "a"], ["a", "b"], False),
        ({"instanceType": "m"}, {"InstanceType": "m", "Added": 1}, True),
        ({"instanceType": "m", "left": 1}, {"InstanceType": "n"}, False),
        ({"a": 1}, {"b": 1}, False),
        ({}, {"b": 1}, True),
        ('{"a": [1]}', {"A": ["1"]}, True),
        ({"a": 1}, '{"a": 2}', False),
        ("%7B%22a%22%3A1%7D", {"a": 1}, True),
        ("{broken", {"a": 1}, False),
        ("runner", f"arn:aws:iam::{ACCOUNT}:role/runner", True),
        ("unner", f"arn:aws:iam::{ACCOUNT}:role/runner", False),
        (f"arn:aws:iam::{ACCOUNT}:role/a", f"arn:aws:iam::{ACCOUNT}:role/b", False),
        ([{"key": "a", "value": "1"}], {"a": 1}, True),
        ([{"name": "a"}], {"a": 1}, False),
        ("9" * 50, "9" * 50, True),
        ("nan", "nan", True),
        ("1e5", "100000", True),
    ],
)
def test_values_agree_whatever_their_spelling(asked: Any, seen: Any, expected: bool) -> None:
    assert agrees(asked, seen) is expected


@pytest.mark.parametrize(
    ("service", "name", "kind", "comes", "goes", "may"),
    [
        (SAGEMAKER, "CreateEndpoint", ENDPOINT, True, False, True),
        (SAGEMAKER, "CreateEndpoint", "AWS::SageMaker::EndpointConfig", False, False, False),
        (SAGEMAKER, "CreateEndpointConfig", ENDPOINT, False, False, False),
        (SAGEMAKER, "CreateEndpointConfig", "AWS::SageMaker::EndpointConfig", True, False, True),
        (SAGEMAKER, "DeleteEndpoint", ENDPOINT, False, True, True),
        (SAGEMAKER, "UpdateEndpoint", ENDPOINT, False, False, True),
        (SAGEMAKER, "UpdateEndpoint", "AWS::SageMaker::EndpointConfig", False, False, False),
        (SAGEMAKER, "CreateModelPackage", PACKAGE, True, False, True),
        (SAGEMAKER, "CreateModelPackage", "AWS::SageMaker::ModelPackageGroup", False, False, False),
        (SAGEMAKER, "CreateTrainingJob", ROLE, False, False, False),
        (SAGEMAKER, "StartPipelineExecution", "AWS::SageMaker::Pipeline", False, False, False),
        (SAGEMAKER, "FrobnicateEndpoint", ENDPOINT, False, False, True),
        (SAGEMAKER, "AddTags", ENDPOINT, False, False, True),
        (SAGEMAKER, "DeleteTags", ENDPOINT, False, False, True),
        ("autoscaling", "RegisterScalableTarget", ENDPOINT, False, False, False),
        (PIPES, "StartPipelineExecution", RELEASE, False, False, False),
        (PIPES, "PutApprovalResult", RELEASE, False, False, False),
        (BUILD, "StartBuild", PROJECT, False, False, False),
        (BUILD, "CreateProject", PROJECT, True, False, True),
        (STACKS, "ExecuteChangeSet", STACK, True, False, True),
        (STACKS, "DeleteStack", STACK, False, True, True),
        (ECR, "PutImage", "AWS::ECR::Image", True, False, True),
        (ECR, "BatchDeleteImage", "AWS::ECR::Image", False, True, True),
        (ECR, "InitiateLayerUpload", REPOSITORY, False, False, False),
        (IAM, "CreateServiceLinkedRole", ROLE, True, False, True),
        (IAM, "PassRole", ROLE, False, False, False),
        (IAM, "AttachRolePolicy", ROLE, False, False, True),
    ],
)
def test_what_an_operation_does_to_a_type(
    service: str, name: str, kind: str, comes: bool, goes: bool, may: bool
) -> None:
    made = event(service, name, {})
    assert (creates(made, kind, key(kind)), deletes(made, kind, key(kind)), may_change(made, kind, key(kind))) == (
        comes, goes, may,
    )  # fmt: skip


def test_the_table_is_read_whole_and_has_a_version() -> None:
    assert effects_version().startswith("explain/2 effects@")
    assert effect_of("sagemaker.amazonaws.com", "UpdateEndpoint").holds == {"endpointConfigName": "EndpointConfigName"}
    assert effect_of("sagemaker.amazonaws.com", "TagResource").adds  # as every service spells it
    assert effect_of("nobody.amazonaws.com", "Nothing").touches == {}
    assert shows_outcome(ENDPOINT)
    assert not shows_outcome(PROJECT)
    assert service_of(ENDPOINT, key(ENDPOINT)) == "sagemaker"
    assert updates_whole(event(BUILD, "UpdateProject"), PROJECT, key(PROJECT))
    assert not updates_whole(event(PIPES, "UpdateProject"), PROJECT, key(PROJECT))


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("a", "a", True),
        ("a", "a/b", False),
        ("a.*", "a/b", True),
        ("a.*", "a/b/c", False),
        ("a.**", "a", True),
        ("a.**", "a/b/c", True),
        ("**", "a/b", True),
        ("a.**.d", "a/b/c/d", True),
        ("a.b*", "a/bcd", True),
        ("a.{name}", "a/x", True),
        ("a.{name}", "a/y", False),
        ("a.{other}", "a/y", True),
        ("a if name", "a", True),
        ("a if other", "a", False),
    ],
)
def test_patterns_of_fields(pattern: str, path: str, expected: bool) -> None:
    assert fits(pattern, tuple(path.split("/")), {"name": "x"}) is expected


def test_tags_that_came_by_two_calls_are_both_explained_and_the_worst_counts() -> None:
    edit = added("tags", {"a": "1", "b": "2"})
    spans = [
        TrailSpan(
            account=ACCOUNT,
            region=REGION,
            since="2026-01-01T00:00:00.000000Z",
            until="2026-04-01T00:00:00.000000Z",
            proof="api",
        )
    ]
    calls = [
        make_candidate(ApiEvent(
            id=name, time=TIME, service="sagemaker.amazonaws.com", name="AddTags", account=ACCOUNT, region=REGION,
            record={"requestParameters": {"tags": [{"key": name, "value": value}]}},
        ))
        for name, value in (("a", "1"), ("b", "2"))
    ]  # fmt: skip
    both = Evidence(events=calls, approvals=(), coverage=read_coverage(spans), now="2026-03-04T00:00:00.000000Z")
    made = judge_change(change(ENDPOINT, edit), both)
    assert (made.verdict, set(made.events)) == (UNAPPROVED, {"a", "b"})
    one = Evidence(events=calls[:1], approvals=(), coverage=both.coverage, now=both.now)
    assert judge_change(change(ENDPOINT, edit), one).verdict == UNEXPLAINED


def test_hostile_parameters_relate_to_nothing_and_break_nothing() -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = {"a": [deep]}
    for asked in ({"a": deep}, {"timeoutInMinutes": [[["9"]]]}, {"": None}, {"name": {"name": {"name": []}}}):
        assert related(PROJECT, replaced("timeoutInMinutes", 90), BUILD, "UpdateProject", asked) is not SETS
    strange = ApiEvent(
        id="e",
        time=TIME,
        service="",
        name="",
        account="",
        region="",
        record={"requestParameters": ["x"], "requestObject": 7},
    )
    assert relate(strange, change(PROJECT, replaced("a", 1)), replaced("a", 1)) is NONE


@pytest.mark.parametrize(
    ("kind", "edit", "name", "asked", "expected"),
    [
        (COMPONENT, replaced(COPIES, 3), "UpdateInferenceComponentRuntimeConfig", SCALED, SETS),
        (COMPONENT, replaced(COPIES, 4), "UpdateInferenceComponentRuntimeConfig", SCALED, CONTRADICTS),
        (COMPONENT, replaced("VariantName", "b"), "UpdateInferenceComponentRuntimeConfig", SCALED, NONE),
        (COMPONENT, replaced(COPIES, 3), "UpdateInferenceComponent", {"runtimeConfig": {"copyCount": 3}}, SETS),
        (COMPONENT, replaced(COPIES, 3), "UpdateInferenceComponent", UPDATED, NONE),
        (COMPONENT, replaced("Specification/ModelName", "b"), "UpdateInferenceComponent", UPDATED, SETS),
        (COMPONENT, replaced("Specification/ModelName", "c"), "UpdateInferenceComponent", UPDATED, CONTRADICTS),
        (COMPONENT, replaced(f"{DEPLOYED}/SpecifiedImage", "a:1"), "UpdateInferenceComponent", UPDATED, SETS),
        (COMPONENT, replaced(f"{DEPLOYED}/ResolvedImage", "a@sha256:1"), "UpdateInferenceComponent", UPDATED, TOUCHES),
        (COMPONENT, replaced(f"{DEPLOYED}/ResolvedImage", "a"), "UpdateInferenceComponent", {"runtimeConfig": 1}, NONE),
        (COMPONENT, replaced("Specification/ModelName", "b"), "UpdateInferenceComponent", {}, TOUCHES),
        (COMPONENT, replaced("EndpointName", "b"), "DeleteInferenceComponent", {"inferenceComponentName": "x"}, NONE),
        (SCHEDULE, replaced("MonitoringScheduleStatus", "Stopped"), "StopMonitoringSchedule", {}, TOUCHES),
        (SCHEDULE, replaced("MonitoringScheduleStatus", "Stopped"), "UpdateMonitoringAlert", {}, NONE),
        (
            SCHEDULE, replaced("MonitoringScheduleConfig/ScheduleConfig/ScheduleExpression", "NOW"),
            "UpdateMonitoringSchedule",
            {"monitoringScheduleConfig": {"scheduleConfig": {"scheduleExpression": "NOW"}}}, SETS,
        ),
        (
            FEATURES, added("FeatureDefinitions/age", {"FeatureName": "age"}), "UpdateFeatureGroup",
            {"featureGroupName": "x", "featureAdditions": [{"featureName": "age"}]}, SETS,
        ),
        (
            FEATURES, added("FeatureDefinitions/name", {"FeatureName": "name"}), "UpdateFeatureGroup",
            {"featureGroupName": "x", "featureAdditions": [{"featureName": "age"}]}, NONE,
        ),
        (
            FEATURES, removed("FeatureDefinitions/age"), "UpdateFeatureGroup",
            {"featureGroupName": "x", "featureAdditions": [{"featureName": "name"}]}, NONE,
        ),
        (
            NOTEBOOK, replaced("NotebookInstanceLifecycleConfigName", "b"), "UpdateNotebookInstance",
            {"notebookInstanceName": "x", "lifecycleConfigName": "b"}, SETS,
        ),
        (
            NOTEBOOK, removed("NotebookInstanceLifecycleConfigName"), "UpdateNotebookInstance",
            {"notebookInstanceName": "x", "disassociateLifecycleConfig": True}, TOUCHES,
        ),
        (
            NOTEBOOK, removed("NotebookInstanceLifecycleConfigName"), "UpdateNotebookInstance",
            {"notebookInstanceName": "x", "rootAccess": "Disabled"}, NONE,
        ),
        (
            STUDIO, replaced("DomainSettings/DockerSettings/EnableDockerAccess", "ENABLED"), "UpdateDomain",
            {"domainId": "x", "domainSettingsForUpdate": {"dockerSettings": {"enableDockerAccess": "ENABLED"}}}, SETS,
        ),
        (STUDIO, added(CUSTOM, {"ImageName": "risk"}), "UpdateDomain", STUDIO_SETTINGS, TOUCHES),
        (STUDIO, added(CUSTOM, {"ImageName": "risk"}), "UpdateDomain", {"subnetIds": ["a"]}, NONE),
        # What a card says the trail does not show.
        (
            CARD, replaced("Content/model_overview/model_name", "b"), "UpdateModelCard",
            {"modelCardName": "x", "modelCardStatus": "Approved", "content": "HIDDEN_DUE_TO_SECURITY_REASONS"}, TOUCHES,
        ),
        (
            CARD, replaced("Content/model_overview/model_name", "b"), "UpdateModelCard",
            {"modelCardName": "x", "modelCardStatus": "Approved"}, NONE,
        ),
        (
            EXPERIMENT, replaced("Schedule/EndTime", "2026-03-03T21:00:00.000000Z"), "UpdateInferenceExperiment",
            {"name": "x", "schedule": {"endTime": "Mar 3, 2026, 9:00:00 PM"}}, SETS,
        ),
        (
            EXPERIMENT, replaced("Schedule/EndTime", "2026-03-03T21:00:00.500000Z"), "UpdateInferenceExperiment",
            {"name": "x", "schedule": {"endTime": "2026-03-03T21:00:00.5Z"}}, SETS,
        ),
        (
            EXPERIMENT, replaced("Schedule/EndTime", "2026-03-03T21:00:00.500000Z"), "UpdateInferenceExperiment",
            {"name": "x", "schedule": {"endTime": "2026-03-03T21:00:00.7Z"}}, CONTRADICTS,
        ),
        (
            EXPERIMENT, replaced("Status", "Cancelled"), "StopInferenceExperiment",
            {"name": "x", "desiredState": "Cancelled"}, SETS,
        ),
    ],
)  # fmt: skip
def test_what_calls_about_what_serves_and_watches_have_to_do_with_fields(
    kind: str, edit: Edit, name: str, asked: Any, expected: Relation
) -> None:
    assert related(kind, edit, SAGEMAKER, name, asked) is expected
