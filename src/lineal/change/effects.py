"""What API operations do to resources: the table of effects.yaml, and what their names say of themselves."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

from lineal.core.api_event import ApiEvent
from lineal.core.change import Path
from lineal.core.digest import Digest

ENGINE: Final = "explain/2"
"""The version of the engine that judges: it changes whenever the same evidence may give another verdict."""

# Lambda and CloudFront write the version of their API into the name: UpdateFunctionConfiguration20150331v2.
_VERSION: Final = re.compile(r"\d{4}_?\d{2}_?\d{2}(v\d+)?$")
_VERB: Final = re.compile(
    r"(Create|Delete|Update|Put|Set|Modify|Register|Deregister|Import|Remove|Add|Attach|Detach|Batch[A-Z][a-z]+)(.+)"
)
_COMES: Final = frozenset({"Create", "Register", "Import"})
_GOES: Final = frozenset({"Delete", "Deregister", "BatchDelete"})
LONGEST: Final = 3600
"""So long may the service take to carry out any operation of the table, in seconds."""
_CHANGING: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})  # verbs of Kubernetes
_PARTS: Final = frozenset({"", "scale", "ephemeralcontainers", "resize"})  # of an object, that are configuration
_KUBERNETES: Final = "Kubernetes::"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one operation does, as effects.yaml has it; see there."""

    creates: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    touches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    removes: Mapping[str, str] = field(default_factory=dict)
    holds: Mapping[str, str] = field(default_factory=dict)
    lasts: int = 0
    adds: bool = False
    uses: bool = False


_NOTHING: Final = Effect()


@dataclass(frozen=True, slots=True)
class _Table:
    operations: Mapping[tuple[str, str], Effect]
    roots: Mapping[str, tuple[str, ...]]
    digest: str


@cache
def _table() -> _Table:
    import yaml

    text = resources.files("lineal.change").joinpath("effects.yaml").read_bytes()
    document: dict[str, dict[str, Any]] = yaml.safe_load(text)
    roots = {kind: tuple(names) for kind, names in document.pop("roots").items()}
    operations = {(service, name): _read(told) for service, named in document.items() for name, told in named.items()}
    return _Table(operations, roots, str(Digest.of(text)))


def _read(told: dict[str, Any]) -> Effect:
    lists = {name: tuple(told.get(name, ())) for name in ("creates", "deletes")}
    touches = {kind: tuple(patterns) for kind, patterns in told.get("touches", {}).items()}
    rest = {name: value for name, value in told.items() if name not in {*lists, "touches"}}
    return Effect(creates=lists["creates"], deletes=lists["deletes"], touches=touches, **rest)


@cache
def effects_version() -> str:
    """Return the version of these rules: that of the engine and the digest of the table."""
    return f"{ENGINE} effects@{_table().digest.removeprefix('sha256:')[:12]}"


@cache
def shows_outcome(kind: str) -> bool:
    """Return whether the configuration of a type shows whether some operation was carried out (see ``holds``)."""
    return any(each.holds and kind in each.touches for each in _table().operations.values())


@lru_cache(maxsize=4096)
def effect_of(service: str, name: str) -> Effect:
    """Return what the operation `name` of a `service` (its eventSource) does, as far as the table has it."""
    operations, bare = _table().operations, _VERSION.sub("", name)
    found = operations.get((service_word(service), bare)) or operations.get(("*", bare))
    return _NOTHING if found is None else found


def roots_of(kind: str) -> tuple[str, ...]:
    """Return the keys that stand around the fields of a type in its configuration and not in requests."""
    return _table().roots.get(kind, ())


@lru_cache(maxsize=4096)
def service_word(service: str) -> str:
    """Return the first word of an eventSource, by which a service is known: ``sagemaker``."""
    word = service.partition(".")[0].lower()
    return "application-autoscaling" if word == "autoscaling" else word


@lru_cache(maxsize=65536)
def service_of(kind: str, key: str) -> str:
    """Return the word of the service that a resource belongs to, by its type and key."""
    if kind.startswith(_KUBERNETES):
        return "kubernetes"
    return key.split(":", 3)[2] if key.startswith("arn:") else ""


def creates(event: ApiEvent, kind: str, key: str) -> bool:
    """Return whether `event` may have brought the resource into being."""
    if kind.startswith(_KUBERNETES):
        return verb_of(event) in {"create", "update", "patch"}  # a patch that is applied creates as well
    return kind in effect_of(event.service, event.name).creates or (
        _acts_on(event, kind, key) and _verb(event.name) in _COMES
    )


def deletes(event: ApiEvent, kind: str, key: str) -> bool:
    """Return whether `event` may have taken the resource away."""
    if kind.startswith(_KUBERNETES):
        return verb_of(event) in {"delete", "deletecollection"}
    return kind in effect_of(event.service, event.name).deletes or (
        _acts_on(event, kind, key) and _verb(event.name) in _GOES
    )


def updates_whole(event: ApiEvent, kind: str, key: str) -> bool:
    """Return whether `event` is the call that updates resources of this type: ``Update`` or ``Put`` and its noun."""
    if kind.startswith(_KUBERNETES):
        return verb_of(event) in {"update", "patch"}
    verb, noun = _words(event.name)
    if verb not in {"Update", "Put"} or noun != _noun(kind):
        return False
    return service_word(event.service) == service_of(kind, key)


def may_change(event: ApiEvent, kind: str, key: str) -> bool:
    """Return whether `event`, which names the resource, may change its configuration.

    Not a call of another service that only mentions it, nor one of its own that works with it (starts a pipeline) or
    is about something else (creates an endpoint from this configuration). Any other call of its service may.
    """
    effect = effect_of(event.service, event.name)
    if effect.removes or patterns_of(effect, kind) or kind in effect.creates or kind in effect.deletes:
        return not effect.uses
    if effect.uses or service_word(event.service) != service_of(kind, key):
        return False
    if kind.startswith(_KUBERNETES):
        return verb_of(event) in _CHANGING
    return not _is_of_another(event.name, kind)


def verb_of(event: ApiEvent) -> str:
    """Return the verb of a call to Kubernetes (``patch deployments/scale``), '' of one that is no change of an object.

    What is done inside (``create pods/exec``) or said of its state (``update pods/status``) is none.
    """
    verb, _, about = event.name.partition(" ")
    return verb if about.partition("/")[2] in _PARTS else ""


def patterns_of(effect: Effect, kind: str) -> tuple[str, ...]:
    """Return the fields of resources of a type that an operation touches, as patterns."""
    return effect.touches.get(kind) or effect.touches.get("*", ())


def _acts_on(event: ApiEvent, kind: str, key: str) -> bool:
    noun, own = _words(event.name)[1], _noun(kind)
    return noun != "" and noun in {own, own + "s"} and service_word(event.service) == service_of(kind, key)


@lru_cache(maxsize=4096)
def _words(name: str) -> tuple[str, str]:
    """Return the verb and the noun of an operation, without its version; both are '' where it has no such words."""
    match = _VERB.fullmatch(_VERSION.sub("", name))
    return ("", "") if match is None else (match[1], match[2])


@lru_cache(maxsize=4096)
def _verb(name: str) -> str:
    match = _VERB.fullmatch(name)
    return "" if match is None else match[1]


def _noun(kind: str) -> str:
    return kind.rpartition("::")[2]


@lru_cache(maxsize=4096)
def _is_of_another(name: str, kind: str) -> bool:
    """Return whether an operation's noun is that of another type of the same service, which fits it better."""
    match = _VERB.fullmatch(_VERSION.sub("", name))
    if match is None:
        return not any(word in name for word in (_noun(kind), "Tag"))
    noun, own = match[2], _noun(kind)
    if noun.startswith(own):
        others = [each for each in _nouns_beside(kind) if noun.startswith(each)]
        return any(len(each) > len(own) for each in others)
    return any(noun.startswith(each) for each in _nouns_beside(kind))


# Types that calls of one service name together: the call is about the first, and only mentions the others.
_NOUNS: Final = {
    "AWS::SageMaker": tuple(
        "Action Algorithm App Artifact AutoMLJob Cluster CodeRepository CompilationJob Context "  # noqa: SIM905
        "DataQualityJobDefinition DeviceFleet Domain EdgeDeploymentPlan EdgePackagingJob Endpoint EndpointConfig "
        "Experiment FeatureGroup FlowDefinition Hub HyperParameterTuningJob Image ImageVersion InferenceComponent "
        "InferenceExperiment InferenceRecommendationsJob LabelingJob MlflowTrackingServer Model "
        "ModelBiasJobDefinition ModelCard ModelCardExportJob ModelExplainabilityJobDefinition ModelPackage "
        "ModelPackageGroup ModelQualityJobDefinition MonitoringSchedule NotebookInstance OptimizationJob Pipeline "
        "PipelineExecution ProcessingJob Project Space StudioLifecycleConfig TrainingJob TransformJob Trial "
        "TrialComponent UserProfile Workforce Workteam".split()
    ),
    "AWS::CodeBuild": ("Build", "Fleet", "Project", "ReportGroup", "Report", "SourceCredentials"),
    "AWS::CodePipeline": ("CustomActionType", "Pipeline", "Webhook"),
    "AWS::CloudFormation": ("ChangeSet", "Stack", "StackInstances", "StackSet", "Type"),
    "AWS::ECR": ("Image", "Repository", "RepositoryCreationTemplate", "PullThroughCacheRule"),
    "AWS::IAM": ("Group", "InstanceProfile", "Policy", "Role", "User"),
    "AWS::S3": ("Bucket", "Object"),
}


def _nouns_beside(kind: str) -> tuple[str, ...]:
    own = _noun(kind)
    return tuple(each for each in _NOUNS.get(kind.rpartition("::")[0], ()) if each != own)


def fits(pattern: str, path: Path, parameters: Mapping[str, Any]) -> bool:
    """Return whether a pattern of `touches` fits the path of a field, given the parameters of the call."""
    words, condition = _split(pattern)
    if condition and condition not in parameters:
        return False
    return _fits(tuple(_fill(words, parameters)) if "{" in pattern else words, path)


@lru_cache(maxsize=4096)
def _split(pattern: str) -> tuple[tuple[str, ...], str]:
    """Return the words of a pattern, and the parameter without which it does not hold ('' where it always does)."""
    words, _, condition = pattern.partition(" if ")
    return tuple(words.split(".")), condition


def _fill(words: tuple[str, ...], parameters: Mapping[str, Any]) -> Iterator[str]:
    for word in words:
        if word.startswith("{"):
            value = parameters.get(word[1:-1])
            yield "=" + value if isinstance(value, str) else "*"  # not said (or hidden): any
        else:
            yield word


def _fits(words: tuple[str, ...], path: Path) -> bool:
    if not words:
        return not path
    first, rest = words[0], words[1:]
    if first == "**":
        return not rest or any(_fits(rest, path[at:]) for at in range(len(path) + 1))
    if not path:
        return rest == () and first == "*"
    if first.startswith("="):
        return first[1:] == path[0] and _fits(rest, path[1:])
    return fnmatchcase(path[0], first) and _fits(rest, path[1:])
