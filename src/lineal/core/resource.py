"""Resources: things outside that have a configuration, each with one key whatever name a record calls it by.

A resource of AWS is known by its ARN; where a record has a name alone, the ARN is put together from type, account,
region and name. What an ARN says beyond that (the path of a role, the identifier of a stack, a revision) is left out of
the key, since API events leave it out as well.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lineal.errors import BadInput

MAX_KEY: Final = 2048
_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>[0-9]{12}|aws|)"
    r":(?P<rest>\S.*)"
)
# What stands in an ARN after the account, by type (Service Authorization Reference, "Resource types"). `{}` is the
# name.
_ARNS: Final[dict[str, tuple[str, str]]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": ("application-autoscaling", "scalable-target/{}"),
    "AWS::CloudFormation::Stack": ("cloudformation", "stack/{}"),
    "AWS::CloudTrail::Trail": ("cloudtrail", "trail/{}"),
    "AWS::CodeBuild::Project": ("codebuild", "project/{}"),
    "AWS::CodeCommit::Repository": ("codecommit", "{}"),
    "AWS::CodePipeline::Pipeline": ("codepipeline", "{}"),
    "AWS::Config::ConfigurationRecorder": ("config", "configuration-recorder/{}"),
    "AWS::ECR::Image": ("ecr", "image/{}"),
    "AWS::ECR::Repository": ("ecr", "repository/{}"),
    "AWS::Events::EventBus": ("events", "event-bus/{}"),
    "AWS::Events::Rule": ("events", "rule/{}"),
    "AWS::IAM::Group": ("iam", "group/{}"),
    "AWS::IAM::InstanceProfile": ("iam", "instance-profile/{}"),
    "AWS::IAM::Policy": ("iam", "policy/{}"),
    "AWS::IAM::Role": ("iam", "role/{}"),
    "AWS::IAM::User": ("iam", "user/{}"),
    "AWS::KMS::Alias": ("kms", "alias/{}"),
    "AWS::KMS::Key": ("kms", "key/{}"),
    "AWS::Lambda::Function": ("lambda", "function:{}"),
    "AWS::S3::Bucket": ("s3", "{}"),
    "AWS::SageMaker::Algorithm": ("sagemaker", "algorithm/{}"),
    "AWS::SageMaker::App": ("sagemaker", "app/{}"),
    "AWS::SageMaker::AppImageConfig": ("sagemaker", "app-image-config/{}"),
    "AWS::SageMaker::AutoMLJob": ("sagemaker", "automl-job/{}"),
    "AWS::SageMaker::CodeRepository": ("sagemaker", "code-repository/{}"),
    "AWS::SageMaker::CompilationJob": ("sagemaker", "compilation-job/{}"),
    "AWS::SageMaker::DataQualityJobDefinition": ("sagemaker", "data-quality-job-definition/{}"),
    "AWS::SageMaker::Domain": ("sagemaker", "domain/{}"),
    "AWS::SageMaker::Endpoint": ("sagemaker", "endpoint/{}"),
    "AWS::SageMaker::EndpointConfig": ("sagemaker", "endpoint-config/{}"),
    "AWS::SageMaker::Experiment": ("sagemaker", "experiment/{}"),
    "AWS::SageMaker::FeatureGroup": ("sagemaker", "feature-group/{}"),
    "AWS::SageMaker::HyperParameterTuningJob": ("sagemaker", "hyper-parameter-tuning-job/{}"),
    "AWS::SageMaker::Image": ("sagemaker", "image/{}"),
    "AWS::SageMaker::InferenceComponent": ("sagemaker", "inference-component/{}"),
    "AWS::SageMaker::InferenceExperiment": ("sagemaker", "inference-experiment/{}"),
    "AWS::SageMaker::InferenceRecommendationsJob": ("sagemaker", "inference-recommendations-job/{}"),
    "AWS::SageMaker::LabelingJob": ("sagemaker", "labeling-job/{}"),
    "AWS::SageMaker::MlflowTrackingServer": ("sagemaker", "mlflow-tracking-server/{}"),
    "AWS::SageMaker::Model": ("sagemaker", "model/{}"),
    "AWS::SageMaker::ModelBiasJobDefinition": ("sagemaker", "model-bias-job-definition/{}"),
    "AWS::SageMaker::ModelCard": ("sagemaker", "model-card/{}"),
    "AWS::SageMaker::ModelExplainabilityJobDefinition": ("sagemaker", "model-explainability-job-definition/{}"),
    "AWS::SageMaker::ModelPackage": ("sagemaker", "model-package/{}"),
    "AWS::SageMaker::ModelPackageGroup": ("sagemaker", "model-package-group/{}"),
    "AWS::SageMaker::ModelQualityJobDefinition": ("sagemaker", "model-quality-job-definition/{}"),
    "AWS::SageMaker::MonitoringSchedule": ("sagemaker", "monitoring-schedule/{}"),
    "AWS::SageMaker::NotebookInstance": ("sagemaker", "notebook-instance/{}"),
    "AWS::SageMaker::NotebookInstanceLifecycleConfig": (
        "sagemaker",
        "notebook-instance-lifecycle-config/{}",
    ),
    "AWS::SageMaker::OptimizationJob": ("sagemaker", "optimization-job/{}"),
    "AWS::SageMaker::Pipeline": ("sagemaker", "pipeline/{}"),
    "AWS::SageMaker::ProcessingJob": ("sagemaker", "processing-job/{}"),
    "AWS::SageMaker::Project": ("sagemaker", "project/{}"),
    "AWS::SageMaker::Space": ("sagemaker", "space/{}"),
    "AWS::SageMaker::StudioLifecycleConfig": ("sagemaker", "studio-lifecycle-config/{}"),
    "AWS::SageMaker::TrainingJob": ("sagemaker", "training-job/{}"),
    "AWS::SageMaker::TransformJob": ("sagemaker", "transform-job/{}"),
    "AWS::SageMaker::Trial": ("sagemaker", "experiment-trial/{}"),
    "AWS::SageMaker::TrialComponent": ("sagemaker", "experiment-trial-component/{}"),
    "AWS::SageMaker::UserProfile": ("sagemaker", "user-profile/{}"),
    "AWS::StepFunctions::Activity": ("states", "activity:{}"),
    "AWS::StepFunctions::StateMachine": ("states", "stateMachine:{}"),
}
_WITH_PATHS: Final = frozenset({"AWS::IAM::Group", "AWS::IAM::InstanceProfile", "AWS::IAM::Role", "AWS::IAM::User"})
_GLOBAL: Final = frozenset({"iam", "s3"})
_NO_ACCOUNT: Final = frozenset({"s3"})
# Services that put names into small letters in some ARNs, and not in others.
_CASELESS: Final = frozenset({"sagemaker"})
_TYPES: Final = sorted(
    ((service, rest.removesuffix("{}"), kind) for kind, (service, rest) in _ARNS.items()),
    key=lambda each: -len(each[1]),
)


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing with a configuration: its `type`, where it is, the `name` people use, and its one `key`.

    Types are those of AWS Config and CloudFormation (``AWS::SageMaker::Endpoint``), also for what those do not record;
    outside AWS ``Kubernetes::apps/Deployment``, ``Terraform::aws_iam_role``, ``File::yaml``. `account` and `region` are
    empty where there is none; for Kubernetes the account is the cluster, and the region its namespace.
    """

    type: str
    account: str
    region: str
    name: str
    key: str


def make_resource(kind: str, account: str, region: str, name: str, *, partition: str = "aws") -> Resource:
    """Return the resource of the type `kind` called `name`; raise `BadInput` for a name that cannot be one.

    Types whose ARN is not known here get the key ``TYPE/ACCOUNT/REGION/NAME``.
    """
    if not name or not name.isprintable():
        raise BadInput(f"not the name of a resource: {name[:100]!r}")
    if not (kind.isprintable() and account.isprintable() and region.isprintable()):
        raise BadInput(f"not where a resource is: {kind[:100]!r}, {account[:100]!r}, {region[:100]!r}")
    if kind in _ARNS:
        service, rest = _ARNS[kind]
        held = "" if service in _GLOBAL else region
        owner = "" if service in _NO_ACCOUNT else account
        bare = _bare(kind, name)
        key = f"arn:{partition}:{service}:{held}:{owner}:{rest.format(bare)}"
        check_keys(key)
        return Resource(kind, account, held, bare, _spell(service, key))
    key = f"{kind}/{account}/{region}/{name}"
    check_keys(key)
    return Resource(kind, account, region, name, key)


@lru_cache(maxsize=65536)
def read_arn(text: str) -> Resource | None:
    """Return the resource that an ARN names, None if `text` is no ARN; one of an unknown type is ``SERVICE/KIND``."""
    match = _ARN.fullmatch(text) if len(text) <= MAX_KEY else None
    if match is None or not text.isprintable():
        return None
    service, rest = match["service"], match["rest"]
    # "cloudformation" and the like: the type whose words begin the rest; what has no words of its own comes last.
    for owner, words, kind in _TYPES:
        if owner == service and rest.startswith(words) and len(rest) > len(words):
            name = rest[len(words) :]
            if words or ("/" not in name and ":" not in name) or service == "s3":
                return make_resource(kind, match["account"], match["region"], name, partition=match["partition"])
    word = re.split(r"[/:]", rest, maxsplit=1)
    kind = f"{service}/{word[0]}" if len(word) > 1 else service
    return Resource(kind, match["account"], match["region"], word[-1], _spell(service, text))


def check_keys(*texts: str) -> None:
    """Raise `BadInput` for a text that not every database can index: over `MAX_KEY` bytes."""
    for text in texts:
        if len(text) * 4 > MAX_KEY and len(text.encode("utf-8", "surrogatepass")) > MAX_KEY:
            raise BadInput(f"a name of {len(text):,} characters is too long: {text[:60]!r}…")


def key_of(text: str) -> str:
    """Return the key of what `text` names: of an ARN its one spelling, of anything else `text` itself."""
    found = read_arn(text)
    return text if found is None else found.key


def _bare(kind: str, name: str) -> str:
    """Return a name without what only ARNs add to it."""
    if kind in _WITH_PATHS:
        return name.rpartition("/")[2]
    if kind == "AWS::S3::Bucket":
        return name.partition("/")[0]
    if kind == "AWS::CloudFormation::Stack":
        return name.partition("/")[0]
    if kind == "AWS::Lambda::Function":
        return name.partition(":")[0]
    return name


def _spell(service: str, key: str) -> str:
    return key.lower() if service in _CASELESS else key
