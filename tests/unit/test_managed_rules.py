"""Managed rules under AWS's identifiers: each is seen to hold, to be broken, and not to know."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.app.rule_sets import managed_rules
from lineal.change.rule import Rule, give_parameters
from lineal.change.rule_evaluation import decide, describe_for_rules, evaluate
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT, NOT_APPLICABLE, STATES
from lineal.core.config_item import ConfigItem
from rule_world import ACCOUNT, REGION, item

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd"
KMS = {"KmsKeyId": KEY}
SM = "AWS::SageMaker::"
BUILD = "AWS::CodeBuild::Project"
PIPE = "AWS::CodePipeline::Pipeline"
VARIANT = {"VariantName": "main", "ModelName": "scorer", "InitialInstanceCount": 2, "InstanceType": "ml.m5.large"}
PROJECT = {
    "name": "build",
    "source": {"type": "CODECOMMIT"},
    "artifacts": {"type": "S3", "encryptionDisabled": False},
    "environment": {"privilegedMode": False, "environmentVariables": [{"name": "MODE", "value": "fast"}]},
    "logsConfig": {"cloudWatchLogs": {"status": "ENABLED", "groupName": "builds"}, "s3Logs": {"status": "DISABLED"}},
}
REPOSITORY = {
    "repository": {
        "repositoryName": "scorer",
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": KEY},
    },
    "lifecyclePolicy": {"rules": [{"rulePriority": 1}]},
    "imageTags": {},
}
TRAIL = {"Name": "main", "KmsKeyId": KEY, "LogFileValidationEnabled": True, "CloudWatchLogsLogGroupArn": "arn:x"}
NOTEBOOK = {
    "NotebookInstanceName": "lab",
    "SubnetId": "subnet-1",
    "KmsKeyId": KEY,
    "RootAccess": "Disabled",
    "DirectInternetAccess": "Disabled",
    "PlatformIdentifier": "notebook-al2-v2",
}
MODEL = {
    "ModelName": "scorer",
    "PrimaryContainer": {"Image": "x", "ImageConfig": {"RepositoryAccessMode": "Vpc"}},
    "VpcConfig": {"Subnets": ["subnet-1"]},
    "EnableNetworkIsolation": True,
}
GROUP = {
    "deploymentGroupName": "g",
    "autoRollbackConfiguration": {"enabled": True},
    "alarmConfiguration": {"enabled": True},
}


def _stage(name: str, *regions: str | None) -> dict[str, Any]:
    actions = [{"name": f"a{n}", "actionTypeId": {"category": "Deploy"}, "region": r} for n, r in enumerate(regions)]
    return {"name": name, "actions": [{k: v for k, v in each.items() if v is not None} for each in actions]}


def _pipeline(*stages: dict[str, Any]) -> dict[str, Any]:
    source = {"name": "Source", "actions": [{"name": "s", "actionTypeId": {"category": "Source"}}]}
    return {"pipeline": {"name": "release", "stages": [source, *stages]}, "metadata": {}}


# rule -> type, what complies, how it is broken (path, value; None takes it away), what it cannot do without
SAMPLES: dict[str, tuple[str, dict[str, Any], list[tuple[str, Any]], str]] = {
    "SAGEMAKER_ENDPOINT_CONFIGURATION_KMS_KEY_CONFIGURED": (
        SM + "EndpointConfig", {"KmsKeyId": KEY, "ProductionVariants": [VARIANT]},
        [("KmsKeyId", None), ("KmsKeyId", "")], "ProductionVariants"),
    "SAGEMAKER_ENDPOINT_CONFIG_PROD_INSTANCE_COUNT": (
        SM + "EndpointConfig", {"ProductionVariants": [VARIANT, {"ServerlessConfig": {"MaxConcurrency": 1}}]},
        [("ProductionVariants.0.InitialInstanceCount", 1)], "ProductionVariants.0.InitialInstanceCount"),
    "SAGEMAKER_MODEL_IN_VPC": (SM + "Model", MODEL, [("VpcConfig", None), ("VpcConfig.Subnets", [])], "ModelName"),
    "SAGEMAKER_MODEL_ISOLATION_ENABLED": (
        SM + "Model", MODEL, [("EnableNetworkIsolation", False), ("EnableNetworkIsolation", None)], "ModelName"),
    "SAGEMAKER_MODEL_PRIVATE_REGISTRY_REQUIRED": (
        SM + "Model", MODEL,
        [("PrimaryContainer.ImageConfig", None), ("PrimaryContainer.ImageConfig.RepositoryAccessMode", "Platform")],
        "ModelName"),
    "SAGEMAKER_MODEL_MULTICONTAINER_PRIVATE_REGISTRY": (
        SM + "Model",
        {"ModelName": "m", "Containers": [{"ImageConfig": {"RepositoryAccessMode": "Vpc"}}] * 2},
        [("Containers.1", {"Image": "x"})], "ModelName"),
    "SAGEMAKER_DOMAIN_IN_VPC": (
        SM + "Domain", {"DomainId": "d", "AppNetworkAccessType": "VpcOnly"},
        [("AppNetworkAccessType", "PublicInternetOnly")], "AppNetworkAccessType"),
    "SAGEMAKER_DOMAIN_TAGGED": (SM + "Domain", {"DomainId": "d"}, [("tags", {}), ("tags", {"aws:x": "1"})], "DomainId"),
    "SAGEMAKER_FEATURE_GROUP_TAGGED": (
        SM + "FeatureGroup", {"FeatureGroupName": "f"}, [("tags", {})], "FeatureGroupName"),
    "SAGEMAKER_FEATUREGROUP_ONLINE_STORE_ENCRYPTION": (
        SM + "FeatureGroup",
        {"FeatureGroupName": "f", "OnlineStoreConfig": {"EnableOnlineStore": True, "SecurityConfig": KMS}},
        [("OnlineStoreConfig.SecurityConfig", None)], "FeatureGroupName"),
    "SAGEMAKER_IMAGE_DESCRIPTION": (
        SM + "Image", {"ImageName": "i", "Description": "what it is"}, [("Description", None), ("Description", "")],
        "ImageName"),
    "SAGEMAKER_IMAGE_TAGGED": (SM + "Image", {"ImageName": "i"}, [("tags", {})], "ImageName"),
    "SAGEMAKER_APP_IMAGE_CONFIG_TAGGED": (
        SM + "AppImageConfig", {"AppImageConfigName": "i"}, [("tags", {})], "AppImageConfigName"),
    "SAGEMAKER_NOTEBOOK_INSTANCE_INSIDE_VPC": (
        SM + "NotebookInstance", NOTEBOOK, [("SubnetId", None)], "NotebookInstanceName"),
    "SAGEMAKER_NOTEBOOK_INSTANCE_KMS_KEY_CONFIGURED": (
        SM + "NotebookInstance", NOTEBOOK, [("KmsKeyId", None)], "NotebookInstanceName"),
    "SAGEMAKER_NOTEBOOK_INSTANCE_PLATFORM_VERSION": (
        SM + "NotebookInstance", NOTEBOOK, [("PlatformIdentifier", "notebook-al1-v1")], "PlatformIdentifier"),
    "SAGEMAKER_NOTEBOOK_INSTANCE_ROOT_ACCESS_CHECK": (
        SM + "NotebookInstance", NOTEBOOK, [("RootAccess", "Enabled")], "RootAccess"),
    "SAGEMAKER_NOTEBOOK_NO_DIRECT_INTERNET_ACCESS": (
        SM + "NotebookInstance", NOTEBOOK, [("DirectInternetAccess", "Enabled")], "DirectInternetAccess"),
    "SAGEMAKER_DATA_QUALITY_JOB_ISOLATION": (
        SM + "DataQualityJobDefinition", {"JobDefinitionName": "j", "NetworkConfig": {"EnableNetworkIsolation": True}},
        [("NetworkConfig", None)], "JobDefinitionName"),
    "SAGEMAKER_MODEL_QUALITY_JOB_DEFINITION_ISOLATION": (
        SM + "ModelQualityJobDefinition", {"JobDefinitionName": "j", "NetworkConfig": {"EnableNetworkIsolation": True}},
        [("NetworkConfig.EnableNetworkIsolation", False)], "JobDefinitionName"),
    "CODEBUILD_PROJECT_ARTIFACT_ENCRYPTION": (
        BUILD, PROJECT,
        [("artifacts.encryptionDisabled", True), ("secondaryArtifacts", [{"encryptionDisabled": True}])], "artifacts"),
    "CODEBUILD_PROJECT_ENVIRONMENT_PRIVILEGED_CHECK": (
        BUILD, PROJECT, [("environment.privilegedMode", True)], "environment"),
    "CODEBUILD_PROJECT_ENVVAR_AWSCRED_CHECK": (
        BUILD, PROJECT,
        [("environment.environmentVariables.0", {"name": "AWS_ACCESS_KEY_ID", "value": "[redacted]"}),
         ("environment.environmentVariables.0", {"name": "AWS_SECRET_ACCESS_KEY", "value": "x", "type": "PLAINTEXT"})],
        "environment"),
    "CODEBUILD_PROJECT_LOGGING_ENABLED": (
        BUILD, PROJECT, [("logsConfig.cloudWatchLogs.status", "DISABLED")], "environment"),
    "CODEBUILD_PROJECT_S3_LOGS_ENCRYPTED": (
        BUILD, {**PROJECT, "logsConfig": {"s3Logs": {"status": "ENABLED", "location": "logs/builds"}}},
        [("logsConfig.s3Logs.encryptionDisabled", True)], "environment"),
    "CODEBUILD_PROJECT_SOURCE_REPO_URL_CHECK": (
        BUILD, {"source": {"type": "BITBUCKET", "location": "https://bitbucket.org/a/b", "auth": {"type": "OAUTH"}}},
        [("source.location", "https://[redacted]@bitbucket.org/a/b")], "source.auth"),
    "CODEPIPELINE_DEPLOYMENT_COUNT_CHECK": (
        PIPE, _pipeline(_stage("Canary", None), _stage("All", None, None, None)),
        [("pipeline.stages.1", _stage("Canary", None, None))], "pipeline.stages"),
    "CODEPIPELINE_REGION_FANOUT_CHECK": (
        PIPE, _pipeline(_stage("One", None), _stage("Three", "a", "b", "c"), _stage("Twelve", *"abcdefghijkl")),
        [("pipeline.stages.1", _stage("One", "a", "b")), ("pipeline.stages.2", _stage("Three", "a", "b", "c", "d")),
         ("pipeline.stages.3", _stage("Twelve", *"abcdefghijklm"))], "pipeline.stages"),
    "CODEDEPLOY_AUTO_ROLLBACK_MONITOR_ENABLED": (
        "AWS::CodeDeploy::DeploymentGroup", GROUP,
        [("autoRollbackConfiguration", None), ("alarmConfiguration.enabled", False)], "deploymentGroupName"),
    "CODEDEPLOY_LAMBDA_ALLATONCE_TRAFFIC_SHIFT_DISABLED": (
        "AWS::CodeDeploy::DeploymentGroup",
        {"computePlatform": "Lambda", "deploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes"},
        [("deploymentConfigName", "CodeDeployDefault.LambdaAllAtOnce")], "deploymentConfigName"),
    "CLOUDFORMATION_STACK_NOTIFICATION_CHECK": (
        "AWS::CloudFormation::Stack", {"stack": {"StackName": "s", "NotificationARNs": ["arn:aws:sns:x:1:t"]}},
        [("stack.NotificationARNs", [])], "stack.NotificationARNs"),
    "ECR_PRIVATE_IMAGE_SCANNING_ENABLED": (
        "AWS::ECR::Repository", REPOSITORY,
        [("repository.imageScanningConfiguration.scanOnPush", False), ("repository.imageScanningConfiguration", None)],
        "repository.repositoryName"),
    "ECR_PRIVATE_LIFECYCLE_POLICY_CONFIGURED": (
        "AWS::ECR::Repository", REPOSITORY, [("lifecyclePolicy", None)], "repository.repositoryName"),
    "ECR_PRIVATE_TAG_IMMUTABILITY_ENABLED": (
        "AWS::ECR::Repository", REPOSITORY, [("repository.imageTagMutability", "MUTABLE")],
        "repository.repositoryName"),
    "ECR_REPOSITORY_TAGGED": ("AWS::ECR::Repository", REPOSITORY, [("tags", {})], "repository.repositoryName"),
    "ECR_REPOSITORY_CMK_ENCRYPTION_ENABLED": (
        "AWS::ECR::Repository", REPOSITORY,
        [("repository.encryptionConfiguration", {"encryptionType": "AES256"}),
         ("repository.encryptionConfiguration.kmsKey", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/ecr")],
        "repository.repositoryName"),
    "CLOUD_TRAIL_ENCRYPTION_ENABLED": ("AWS::CloudTrail::Trail", TRAIL, [("KmsKeyId", None)], "Name"),
    "CLOUD_TRAIL_LOG_FILE_VALIDATION_ENABLED": (
        "AWS::CloudTrail::Trail", TRAIL, [("LogFileValidationEnabled", False)], "Name"),
    "CLOUD_TRAIL_CLOUD_WATCH_LOGS_ENABLED": (
        "AWS::CloudTrail::Trail", TRAIL, [("CloudWatchLogsLogGroupArn", None)], "Name"),
}  # fmt: skip
_YAML = sorted(name for name, rule in managed_rules().items() if isinstance(rule, Rule))


def _change(document: Any, path: str, value: Any) -> Any:
    changed = copy.deepcopy(document)
    at = changed
    *before, last = path.split(".")
    for key in before:
        at = at[int(key)] if isinstance(at, list) else at.setdefault(key, {})
    if isinstance(at, list):
        at[int(last)] = value
    elif value is None:
        at.pop(last, None)
    else:
        at[last] = value
    return changed


def _rule(name: str, **parameters: Any) -> Rule:
    rule = managed_rules()[name]
    assert isinstance(rule, Rule)
    if not parameters:
        return rule
    from dataclasses import replace

    return replace(rule, parameters=give_parameters(rule.id, rule.parameters, parameters))


def _item(kind: str, configuration: dict[str, Any], tags: dict[str, str] | None = None) -> ConfigItem:
    return item(kind, "scorer", configuration, tags={"team": "risk"} if tags is None else tags)


def _mutants() -> Iterator[Any]:
    for name, (_, _, broken, _) in SAMPLES.items():
        for path, value in broken:
            yield pytest.param(name, path, value, id=f"{name}-{path}-{json.dumps(value)[:30]}")


def test_every_managed_rule_has_a_sample() -> None:
    assert sorted(SAMPLES) == _YAML
    assert len(_YAML) >= 39


@pytest.mark.parametrize("name", SAMPLES)
def test_what_complies_complies(name: str) -> None:
    kind, good, _, _ = SAMPLES[name]
    found = evaluate(_rule(name), _item(kind, good))
    assert found.state == COMPLIANT, found.explanation
    assert (found.rule, found.type, found.remedy) == (name, kind, "")


@pytest.mark.parametrize(("name", "path", "value"), list(_mutants()))
def test_what_is_broken_is_found(name: str, path: str, value: Any) -> None:
    kind, good, _, _ = SAMPLES[name]
    broken = _item(kind, good, value) if path == "tags" else _item(kind, _change(good, path, value))
    found = evaluate(_rule(name), broken)
    assert found.state == NON_COMPLIANT, found.explanation
    assert found.explanation.startswith(_rule(name).message)
    assert found.remedy


@pytest.mark.parametrize("name", SAMPLES)
def test_what_lacks_what_is_asked_about_is_not_known(name: str) -> None:
    kind, good, _, needed = SAMPLES[name]
    found = evaluate(_rule(name), _item(kind, _change(good, needed, None)))
    assert found.state == INSUFFICIENT, found.explanation
    assert found.explanation


@pytest.mark.parametrize("name", SAMPLES)
def test_a_resource_of_which_nothing_is_known_never_complies(name: str) -> None:
    kind = SAMPLES[name][0]
    assert evaluate(_rule(name), _item(kind, {})).state in {INSUFFICIENT, NOT_APPLICABLE}


@pytest.mark.parametrize(
    ("name", "parameters", "state"),
    [
        ("SAGEMAKER_ENDPOINT_CONFIGURATION_KMS_KEY_CONFIGURED", {"kmsKeyArns": KEY}, COMPLIANT),
        ("SAGEMAKER_ENDPOINT_CONFIGURATION_KMS_KEY_CONFIGURED", {"kmsKeyArns": "arn:x:key/other"}, NON_COMPLIANT),
        ("SAGEMAKER_NOTEBOOK_INSTANCE_INSIDE_VPC", {"SubnetIds": "subnet-0, subnet-1"}, COMPLIANT),
        ("SAGEMAKER_NOTEBOOK_INSTANCE_INSIDE_VPC", {"SubnetIds": "subnet-0"}, NON_COMPLIANT),
        ("SAGEMAKER_NOTEBOOK_INSTANCE_PLATFORM_VERSION", {"supportedPlatformIdentifierVersions": "x"}, NON_COMPLIANT),
        ("SAGEMAKER_DOMAIN_TAGGED", {"requiredKeyTags": "team"}, COMPLIANT),
        ("SAGEMAKER_DOMAIN_TAGGED", {"requiredKeyTags": "team,owner"}, NON_COMPLIANT),
        ("CODEBUILD_PROJECT_LOGGING_ENABLED", {"cloudWatchGroupNames": "builds"}, COMPLIANT),
        ("CODEBUILD_PROJECT_LOGGING_ENABLED", {"cloudWatchGroupNames": "other"}, NON_COMPLIANT),
        ("CODEBUILD_PROJECT_ENVIRONMENT_PRIVILEGED_CHECK", {"exemptedProjects": "scorer"}, NOT_APPLICABLE),
        ("CODEPIPELINE_DEPLOYMENT_COUNT_CHECK", {"deploymentLimit": "2"}, NON_COMPLIANT),
        ("CODEPIPELINE_DEPLOYMENT_COUNT_CHECK", {"deploymentLimit": "3"}, COMPLIANT),
        ("CODEPIPELINE_REGION_FANOUT_CHECK", {"regionFanoutFactor": "2"}, NON_COMPLIANT),
        ("CLOUDFORMATION_STACK_NOTIFICATION_CHECK", {"snsTopic1": "arn:aws:sns:x:1:t"}, COMPLIANT),
        ("CLOUDFORMATION_STACK_NOTIFICATION_CHECK", {"snsTopic2": "arn:aws:sns:x:1:other"}, NON_COMPLIANT),
        ("ECR_REPOSITORY_CMK_ENCRYPTION_ENABLED", {"kmsKeyArns": "1234abcd"}, COMPLIANT),
        ("ECR_REPOSITORY_CMK_ENCRYPTION_ENABLED", {"kmsKeyArns": "9999"}, NON_COMPLIANT),
    ],
)  # fmt: skip
def test_the_parameters_of_aws_count(name: str, parameters: dict[str, str], state: str) -> None:
    kind, good, _, _ = SAMPLES[name]
    found = evaluate(_rule(name, **parameters), _item(kind, good))
    assert found.state == state, found.explanation


def test_an_alias_of_a_key_may_be_any_key() -> None:
    name = "SAGEMAKER_ENDPOINT_CONFIGURATION_KMS_KEY_CONFIGURED"
    kind, good, _, _ = SAMPLES[name]
    named = _item(kind, {**good, "KmsKeyId": "alias/mine"})
    assert evaluate(_rule(name), named).state == COMPLIANT
    assert evaluate(_rule(name, kmsKeyArns=KEY), named).state == INSUFFICIENT


def test_the_words_of_aws_config_are_understood_as_well() -> None:
    repository = {
        "RepositoryName": "r",
        "ImageTagMutability": "MUTABLE",
        "ImageScanningConfiguration": {"ScanOnPush": True},
    }
    held = item("AWS::ECR::Repository", "r", repository, shape="config", source="aws-config")
    assert evaluate(_rule("ECR_PRIVATE_TAG_IMMUTABILITY_ENABLED"), held).state == NON_COMPLIANT
    assert evaluate(_rule("ECR_PRIVATE_IMAGE_SCANNING_ENABLED"), held).state == COMPLIANT


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_no_configuration_however_odd_stops_a_rule(name: str, data: st.DataObject) -> None:
    kind, good, broken, needed = SAMPLES[name]
    paths = [path for path, _ in broken if path != "tags"] + [needed, needed.partition(".")[0]]
    path = data.draw(st.sampled_from(paths))
    odd = _item(kind, _change(good, path, data.draw(_JSON)))
    found = evaluate(_rule(name), odd)
    assert found.state in STATES
    assert found.explanation
    values = {key: each.value for key, each in _rule(name).parameters.items()}
    assert decide(_rule(name), describe_for_rules(odd, values)) == found.state
