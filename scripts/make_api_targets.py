"""Make `src/lineal/sources/api_targets.json`: of which resources each call of AWS is about.

Most of it is derived from botocore's service models: a member ``endpointName`` of any call of SageMaker names an
endpoint, since there is CreateEndpoint; ``name`` of DeletePipeline names a pipeline. What the models do not say stands
in `api_targets.yaml` beside this script. Run it after an upgrade of botocore: ``python scripts/make_api_targets.py``;
`tests/unit/test_api_targets.py` then holds it against the models.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

import botocore
import botocore.session
import yaml

_HERE: Final = Path(__file__).resolve().parent
BY_HAND: Final = _HERE / "api_targets.yaml"
OUTPUT: Final = _HERE.parent / "src" / "lineal" / "sources" / "api_targets.json"

# The name of a service in events (before .amazonaws.com): its name in botocore, and in types of resources.
SERVICES: Final[dict[str, tuple[str, str]]] = {
    "application-autoscaling": ("application-autoscaling", "ApplicationAutoScaling"),
    "cloudformation": ("cloudformation", "CloudFormation"),
    "cloudtrail": ("cloudtrail", "CloudTrail"),
    "codebuild": ("codebuild", "CodeBuild"),
    "codecommit": ("codecommit", "CodeCommit"),
    "codepipeline": ("codepipeline", "CodePipeline"),
    "config": ("config", "Config"),
    "ecr": ("ecr", "ECR"),
    "events": ("events", "Events"),
    "iam": ("iam", "IAM"),
    "kms": ("kms", "KMS"),
    "lambda": ("lambda", "Lambda"),
    "s3": ("s3", "S3"),
    "sagemaker": ("sagemaker", "SageMaker"),
    "states": ("stepfunctions", "StepFunctions"),
}
READING: Final = re.compile(
    r"(Get|List|Describe|Search|Query|Lookup|BatchGet|BatchDescribe|BatchCheck|Check|Test|Validate|Estimate|Detect|Render"
    r"|Select|Preview|Evaluate|Head|Simulate|Generate|PollFor)(?![a-z])"
)
_MAKING: Final = ("Create", "Delete", "Register", "Deregister")
_VERB: Final = re.compile(
    r"(Create|Delete|Update|Put|Start|Stop|Register|Deregister|Enable|Disable|Describe|Activate|Deactivate|Send|Retry)"
    r"(?=[A-Z])"
)
_NO_NOUNS: Final = frozenset({"Tags", "Association", "Stage", "Version", "Permission", "ResourcePolicy", "Job", "File"})


def lower_first(name: str) -> str:
    """Return a member as CloudTrail spells it."""
    return name[:1].lower() + name[1:]


def changing(model: Any) -> list[str]:
    """Return the operations of a service model that change something."""
    return [name for name in model.operation_names if READING.match(name) is None]


def load_model(service: str) -> Any:
    """Return botocore's model of the service that events call `service`."""
    return botocore.session.get_session().get_service_model(SERVICES[service][0])


def derive(service: str, by_hand: dict[str, Any]) -> dict[str, Any]:
    """Return the table of one service: members that name a resource in any call, and what else its calls name."""
    space = SERVICES[service][1]
    model = load_model(service)
    nouns = _nouns(model)
    spelled = {noun.lower(): noun for noun in nouns}
    ambiguous = set((by_hand.get("ambiguous") or {}).get(service) or ())
    members = {name: _type(space, kind) for name, kind in (by_hand["members"].get(service) or {}).items()}
    operations: dict[str, list[list[str]]] = {}
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        inputs = dict(shape.members) if shape is not None else {}
        found: dict[str, str] = {}
        for member, its in inputs.items():
            name, noun = lower_first(member), spelled.get(member.removesuffix("Name").lower())
            if its.type_name == "string" and noun and member.endswith("Name") and name not in ambiguous:
                members.setdefault(name, f"AWS::{space}::{noun}")
        own = _VERB.sub("", operation, count=1)
        if own in nouns or any(own.startswith(each) for each in nouns):
            found = _own(own if own in nouns else _longest(own, nouns), inputs, members, ambiguous)
        for kind, template in found.items():
            operations.setdefault(operation, []).append([f"AWS::{space}::{kind}", template])
    for operation, rules in (by_hand["operations"].get(service) or {}).items():
        for kind, template in rules.items():
            rule, known = [_type(space, kind), template], operations.setdefault(operation, [])
            if rule not in known and members.get(template) != rule[0]:
                known.append(rule)
    named = {operation: rules for operation, rules in sorted(operations.items()) if rules}
    return {"members": dict(sorted(members.items())), "operations": named}


def _own(noun: str, inputs: dict[str, Any], members: dict[str, str], ambiguous: set[str]) -> dict[str, str]:
    """Return how a call names what it is called after: ``name``, a part of its noun, or inside a structure."""
    for member, its in inputs.items():
        name = lower_first(member)
        bare = member.removesuffix("Name")
        is_free = its.type_name == "string" and name not in members and (name not in ambiguous or name == "name")
        if is_free and (name in ("name", "id") or (bare not in (member, noun) and noun.endswith(bare))):
            return {noun: name}
        if its.type_name == "structure" and member.lower() == noun.lower():
            inner = next((each for each in its.members if each.lower() in ("name", f"{noun.lower()}name")), None)
            if inner is not None:
                return {noun: f"{name}.{lower_first(inner)}"}
    return {}


def _longest(own: str, nouns: set[str]) -> str:
    return max((each for each in nouns if own.startswith(each)), key=len)


def _nouns(model: Any) -> set[str]:
    """Return what a service makes and removes: the nouns of its Create… and Delete… operations."""
    if model.service_name == "s3":
        return set()  # all of it is about a bucket
    found = {name.removeprefix(verb) for name in model.operation_names for verb in _MAKING if name.startswith(verb)}
    return {each for each in found if each and each not in _NO_NOUNS and not each.startswith(("Presigned", "Batch"))}


def _type(space: str, kind: str) -> str:
    return kind if "::" in kind else f"AWS::{space}::{kind}"


def make() -> dict[str, Any]:
    """Return the whole table."""
    by_hand = yaml.safe_load(BY_HAND.read_text(encoding="utf-8"))
    return {
        "botocore": botocore.__version__,
        "nothing": {service: sorted(each) for service, each in (by_hand["nothing"] or {}).items() if each},
        "services": {service: derive(service, by_hand) for service in SERVICES},
    }


def spell(table: dict[str, Any]) -> str:
    """Return `table` as the text of the file: one line for each call, so that differences can be read."""
    lines = ["{", f'"botocore": {json.dumps(table["botocore"])},', f'"nothing": {json.dumps(table["nothing"])},']
    lines.append('"services": {')
    blocks = []
    for service, each in table["services"].items():
        rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(rules)}" for name, rules in each["operations"].items())
        named = ",\n".join(f"  {json.dumps(name)}: {json.dumps(kind)}" for name, kind in each["members"].items())
        parts = (f"{{\n{part}\n}}" if part else "{}" for part in (named, rows))
        blocks.append('{}: {{"members": {}, "operations": {}}}'.format(json.dumps(service), *parts))
    return "\n".join(lines) + "\n" + ",\n".join(blocks) + "\n}}\n"


def main() -> None:
    """Write the file and say what it covers."""
    table = make()
    OUTPUT.write_text(spell(table), encoding="utf-8")
    for service in SERVICES:
        each = table["services"][service]
        print(f"{service}: {len(each['members'])} members, {len(each['operations'])} calls of their own")


if __name__ == "__main__":
    main()
