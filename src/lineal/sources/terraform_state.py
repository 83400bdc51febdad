"""State of Terraform and OpenTofu, version 4, as configuration items: one for each instance of a managed resource.

What the state marks as sensitive is cut before anything else is done with it, by its paths; so is what resources are
known to keep in the clear (`_HIDDEN`). Source: Terraform's internal/states/statefile, version4.go.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lineal.core.config_item import ConfigItem, Relationship
from lineal.core.observation import Gap
from lineal.core.plain import plain
from lineal.core.redaction import MARK
from lineal.core.resource import Resource, key_of, make_resource, read_arn
from lineal.errors import BadInput

VERSION: Final = 4
# Secrets that no name and no mark of the state gives away: type of the resource -> attributes.
_HIDDEN: Final[Mapping[str, frozenset[str]]] = {
    "aws_iam_access_key": frozenset({"ses_smtp_password_v4", "secret"}),
    "aws_iam_user_login_profile": frozenset({"encrypted_password"}),
    "aws_secretsmanager_secret_version": frozenset({"secret_string", "secret_binary"}),
    "aws_ssm_parameter": frozenset({"value", "value_wo", "insecure_value"}),
    "azurerm_key_vault_secret": frozenset({"value"}),
    "github_actions_environment_secret": frozenset({"plaintext_value", "value"}),
    "github_actions_organization_secret": frozenset({"plaintext_value", "value"}),
    "github_actions_secret": frozenset({"plaintext_value", "value"}),
    "github_codespaces_secret": frozenset({"plaintext_value", "value"}),
    "github_dependabot_secret": frozenset({"plaintext_value", "value"}),
    "gitlab_group_variable": frozenset({"value"}),
    "gitlab_project_variable": frozenset({"value"}),
    "google_secret_manager_secret_version": frozenset({"secret_data"}),
    "google_service_account_key": frozenset({"private_key"}),
    "kubernetes_secret": frozenset({"data", "binary_data"}),
    "kubernetes_secret_v1": frozenset({"data", "binary_data"}),
    "local_sensitive_file": frozenset({"content", "content_base64"}),
    "random_bytes": frozenset({"base64", "hex"}),
    "random_password": frozenset({"result", "bcrypt_hash"}),
    "tfe_variable": frozenset({"value"}),
    "tls_private_key": frozenset({"private_key_pem", "private_key_openssh", "private_key_pem_pkcs8"}),
    "vault_generic_secret": frozenset({"data", "data_json"}),
    "vault_kv_secret_v2": frozenset({"data", "data_json"}),
}
_INDEXED: Final = re.compile(r"\[(?:[0-9]+|\"(?:[^\"\\]|\\.)*\")\]$")
_KEPT: Final = ("status", "schema_version", "create_before_destroy", "deposed", "identity")


def is_state(document: object) -> bool:
    """Return whether a JSON document is the state of Terraform or OpenTofu, of whatever version, encrypted or not."""
    if not isinstance(document, dict):
        return False
    encrypted = "encrypted_data" in document and "lineage" in document
    return encrypted or ("version" in document and "lineage" in document and "serial" in document)


def is_plan(document: object) -> bool:
    """Return whether a JSON document is what ``terraform show -json`` writes, of a state or a plan."""
    return (
        isinstance(document, dict)
        and isinstance(document.get("format_version"), str)
        and bool(document.keys() & {"values", "planned_values", "prior_state", "resource_changes"})
    )


def read_state(document: object, root: str, name: str, at: str) -> Iterator[ConfigItem | Gap]:
    """Yield an item for each managed resource and one for the outputs, in the state called `name` below `root`.

    Raises `BadInput` for a state that is encrypted, of another version, or not built as one.
    """
    if not is_state(document):
        raise BadInput("not the state of Terraform: it has no version, lineage and serial")
    state: Mapping[str, Any] = document  # type: ignore[assignment]
    if "encrypted_data" in state:
        raise BadInput("the state is encrypted; `tofu state pull` gives it in the clear")
    if state["version"] != VERSION:
        raise BadInput(
            f"the state has the version {str(state['version'])[:20]}; {VERSION} is read: "
            "`terraform apply -refresh-only` with Terraform 0.12 or later writes that"
        )
    resources = state.get("resources")
    if not isinstance(resources, list) or not all(isinstance(each, dict) for each in resources):
        raise BadInput("the state has no list of resources")
    extra = {key: plain(state[key]) for key in ("lineage", "serial", "terraform_version") if key in state}
    yield from _outputs(state.get("outputs"), root, name, at, extra)
    for resource in resources:
        if resource.get("mode", "managed") == "managed":
            yield from _instances(resource, root, name, at, extra)


def _outputs(outputs: Any, root: str, name: str, at: str, extra: dict[str, Any]) -> Iterator[ConfigItem]:
    if not isinstance(outputs, dict) or not outputs:
        return
    said = {
        key: MARK if not isinstance(each, dict) or each.get("sensitive") else plain(each.get("value"), str(key))
        for key, each in outputs.items()
    }
    yield ConfigItem(
        resource=make_resource("Terraform::Outputs", root, "", name),
        time=at,
        source="files",
        shape="terraform",
        configuration=plain(said),
        extra=extra,
    )


def _instances(
    resource: Mapping[str, Any], root: str, name: str, at: str, extra: dict[str, Any]
) -> Iterator[ConfigItem | Gap]:
    kind, instances = resource.get("type"), resource.get("instances")
    if not isinstance(kind, str) or not isinstance(resource.get("name"), str) or not isinstance(instances, list):
        yield Gap("files.damaged_state", "a resource of the state has no type, name or instances", name)
        return
    for instance in instances:
        if not isinstance(instance, dict):
            yield Gap("files.damaged_state", f"an instance of {kind[:80]} in the state is none", name)
            continue
        try:
            yield _item(resource, instance, (root, name, at), extra)
        except BadInput as error:
            yield Gap("files.damaged_state", error.message, name)


def _item(
    resource: Mapping[str, Any], instance: Mapping[str, Any], where: tuple[str, str, str], extra: dict[str, Any]
) -> ConfigItem:
    root, name, at = where
    kind, address = str(resource["type"]), _address(resource, instance)
    attributes = instance.get("attributes")
    if attributes is None:
        attributes = instance.get("attributes_flat")
    if not isinstance(attributes, dict):
        raise BadInput(f"the attributes of {address[:200]} in the state are no table")
    held = _cut(attributes, instance.get("sensitive_attributes"), _HIDDEN.get(kind, frozenset()))
    shown = plain(held)
    tags = shown.get("tags")
    kept = {key: plain(instance[key]) for key in _KEPT if instance.get(key) not in (None, {}, [])}
    return ConfigItem(
        resource=_resource(kind, root, name, address),
        time=at,
        source="files",
        shape="terraform",
        configuration=shown,
        tags={key: str(value) for key, value in tags.items()} if isinstance(tags, dict) else {},
        relationships=tuple(dict.fromkeys(_relationships(attributes, instance, root, name))),
        extra={**extra, "address": str(plain(address)), "provider": plain(resource.get("provider")), **kept},
    )


def _resource(kind: str, root: str, name: str, address: str) -> Resource:
    return make_resource(f"Terraform::{kind}", root, "", f"{name}#{address}")


def _address(resource: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    """Return the address that people write: ``module.serving.aws_sagemaker_endpoint.main["blue"]``."""
    module = f"{resource['module']}." if resource.get("module") else ""
    index = instance.get("index_key")
    ending = "" if index is None else f"[{json.dumps(index)}]"
    deposed = f" (deposed {instance['deposed']})" if instance.get("deposed") else ""
    return f"{module}{resource['type']}.{resource['name']}{ending}{deposed}"


def _cut(attributes: Mapping[str, Any], marked: Any, hidden: frozenset[str]) -> dict[str, Any]:
    """Return the attributes without what is marked as sensitive; a mark that cannot be followed cuts all of it."""
    held: dict[str, Any] = json.loads(json.dumps(attributes))
    for name in hidden:
        if held.get(name) not in (None, ""):
            held[name] = dict.fromkeys(held[name], MARK) if isinstance(held[name], dict) else MARK
    for path in marked if isinstance(marked, list) else []:
        steps: list[str | int | None] = [_step(each) for each in path] if isinstance(path, list) else [None]
        if not steps or None in steps:
            return dict.fromkeys(held, MARK)
        _cut_path(held, steps)
    return held


def _step(step: Any) -> str | int | None:
    """Return the name or index that one step of a path of Terraform says; None for another kind of step."""
    value = step.get("value") if isinstance(step, dict) else None
    if isinstance(value, dict):  # an index: {"value": 0, "type": "number"}
        value = value.get("value")
    if isinstance(value, str) and value.isdigit() and isinstance(step.get("value"), dict):
        kind = step["value"].get("type")
        return int(value) if kind == "number" else value
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None


def _cut_path(held: Any, steps: list[str | int | None]) -> None:
    for place, step in enumerate(steps):
        last = place == len(steps) - 1
        if isinstance(held, dict) and isinstance(step, str) and step in held:
            if last:
                held[step] = MARK if held[step] is not None else None
            held = held[step]
        elif isinstance(held, list) and isinstance(step, int) and 0 <= step < len(held):
            if last:
                held[step] = MARK
            held = held[step]
        elif isinstance(held, list):  # a set: which of its elements is meant cannot be told by a place
            held[:] = [MARK] * len(held)
            return
        else:
            return  # the attribute is not there


def _relationships(
    attributes: Mapping[str, Any], instance: Mapping[str, Any], root: str, name: str
) -> Iterator[Relationship]:
    """Yield the resource of AWS that an instance stands for, and the addresses in the same state it depends on."""
    for field in ("arn", "id"):
        value = attributes.get(field)
        found = read_arn(value) if isinstance(value, str) else None
        if found is not None:
            yield Relationship(found.type, key_of(str(value)), "declares")
            break
    needs = instance.get("dependencies")
    for each in needs if isinstance(needs, list) else []:
        bare = _INDEXED.sub("", str(each))
        kind = next((part for part in reversed(bare.split(".")[:-1]) if part), "")
        if kind and ".data." not in f".{bare}" and bare.isprintable():
            yield Relationship(f"Terraform::{kind}", _resource(kind, root, name, bare).key, "depends on")
