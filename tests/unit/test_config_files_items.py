"""Files as configuration items: objects of Kubernetes, charts, states of Terraform, documents; what is hidden."""

import json
from typing import Any

import pytest

from lineal.core import canonical
from lineal.core.api_event import ApiEvent
from lineal.core.config_item import ConfigItem
from lineal.core.redaction import MARK
from lineal.core.resource import make_resource
from lineal.sources.config_files import FoundFile, kind_of_file
from lineal.sources.config_files_items import Options, Reading, read_files
from lineal.sources.kubernetes_audit import read_audit

AT = "2026-03-01T00:00:00.000000Z"
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "scorer", "namespace": "prod", "labels": {"team": "risk"}},
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {
                "serviceAccountName": "scorer",
                "containers": [
                    {
                        "name": "main",
                        "image": "registry/risk:1.2",
                        "args": ["--token", "abcdefgh1"],
                        "env": [
                            {"name": "DB_PASSWORD", "value": "hunter22"},
                            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}},
                        ],
                        "envFrom": [{"configMapRef": {"name": "settings"}}],
                    }
                ],
                "volumes": [{"name": "v", "secret": {"secretName": "tls"}}],
            }
        },
    },
}


def _read(files: dict[str, str | bytes | dict[str, Any]], **how: Any) -> Reading:
    found = []
    for name, said in files.items():
        text = json.dumps(said) if isinstance(said, dict) else said
        data = text if isinstance(text, bytes) else text.encode()
        path = name.encode()
        found.append(FoundFile(path=path, kind=kind_of_file(path), data=data, digest="sha256:00", size=len(data)))
    return read_files(found, Options(root="acme/deploy", cluster="prod-eu", **how), AT)


def _one(reading: Reading) -> ConfigItem:
    assert not reading.gaps, reading.gaps
    (item,) = reading.items.values()
    return item


def test_an_object_has_the_key_that_its_cluster_namespace_and_kind_give() -> None:
    item = _one(_read({"a.yaml": DEPLOYMENT}))
    assert item.resource == make_resource("Kubernetes::apps/Deployment", "prod-eu", "prod", "scorer")
    assert (item.source, item.shape, item.tags) == ("files", "kubernetes", {"team": "risk"})
    assert item.extra["path"] == "a.yaml"
    pointers = {(each.type, each.key.rpartition("/")[2], each.name) for each in item.relationships}
    assert pointers == {
        ("Image", "risk:1.2", "runs"),
        ("Kubernetes::core/ServiceAccount", "scorer", "acts as"),
        ("Kubernetes::core/Secret", "keys", "reads"),
        ("Kubernetes::core/Secret", "tls", "reads"),
        ("Kubernetes::core/ConfigMap", "settings", "reads"),
    }


def test_no_secret_of_a_manifest_is_recorded() -> None:
    applied = {"apiVersion": "v1", "kind": "Secret", "data": {"p": "c2VjcmV0LWxhc3Q="}}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "s",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(applied), "kept": "yes"},
        },
        "type": "Opaque",
        "data": {"p": "c2VjcmV0LWRhdGE=", "empty": ""},
        "stringData": {"url": "plain-secret-words"},
    }
    listed = {"apiVersion": "v1", "kind": "List", "items": [secret, DEPLOYMENT]}
    reading = _read({"a.json": listed})
    assert not reading.gaps
    text = canonical.encode([each.describe() for each in reading.items.values()]).decode()
    for leaked in ("c2VjcmV0", "plain-secret-words", "hunter22", "abcdefgh1"):
        assert leaked not in text
    item = next(each for each in reading.items.values() if each.resource.type == "Kubernetes::core/Secret")
    assert item.configuration["data"] == {"p": MARK, "empty": ""}
    assert item.configuration["stringData"] == {"url": MARK}
    assert item.configuration["metadata"]["annotations"] == {"kept": "yes"}
    assert item.resource.region == "default"


def test_what_the_server_adds_is_kept_beside_the_configuration() -> None:
    live = {
        **DEPLOYMENT,
        "metadata": {
            **DEPLOYMENT["metadata"], "uid": "u-1", "resourceVersion": "77", "managedFields": [{"manager": "kubectl"}],
            "creationTimestamp": "2026-01-02T03:04:05Z",
        },
        "status": {"readyReplicas": 2},
    }  # fmt: skip
    plain, served = _one(_read({"a.yaml": DEPLOYMENT})), _one(_read({"a.yaml": live}))
    assert served.configuration == plain.configuration
    assert served.created == "2026-01-02T03:04:05.000000Z"
    assert set(served.extra["server"]) == {"uid", "resourceVersion", "creationTimestamp", "managedFields", "status"}


def test_kinds_without_a_namespace_are_known_or_defined_in_the_root() -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gates.acme.io"},
        "spec": {"group": "acme.io", "scope": "Cluster", "names": {"kind": "Gate", "plural": "gates"}},
    }
    gate = {"apiVersion": "acme.io/v1", "kind": "Gate", "metadata": {"name": "g"}}
    other = {"apiVersion": "acme.io/v1", "kind": "Door", "metadata": {"name": "d"}}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}}
    reading = _read(
        {"z.yaml": definition, "a.yaml": "---\n".join(json.dumps(each) + "\n" for each in (gate, other, role))}
    )
    regions = {each.resource.name: each.resource.region for each in reading.items.values()}
    assert regions == {"gates.acme.io": "", "g": "", "d": "default", "r": ""}
    assert {each.resource.region for each in _read({"a.yaml": other}, namespace="ml").items.values()} == {"ml"}


def test_lists_of_one_kind_leave_kind_and_version_away() -> None:
    items = [{"metadata": {"name": name}} for name in ("a", "b")]
    reading = _read({"l.yaml": {"apiVersion": "v1", "kind": "ConfigMapList", "items": items}})
    assert [each.resource.type for each in reading.items.values()] == ["Kubernetes::core/ConfigMap"] * 2


def test_one_thing_in_two_files_is_recorded_from_neither() -> None:
    patch = {**DEPLOYMENT, "spec": {"replicas": 5}}
    reading = _read({"base.yaml": DEPLOYMENT, "overlay.yaml": patch, "third.yaml": patch})
    assert not reading.items
    (gap,) = reading.gaps
    assert gap.code == "files.twice"
    assert "3 times (base.yaml, overlay.yaml, third.yaml)" in gap.explanation
    assert reading.doubtful == {gap.about}
    assert len(reading.doubtful) == 1
    assert not reading.is_complete


def test_a_broken_file_is_a_gap_and_not_read() -> None:
    bad = {
        "a.yaml": "a: [",
        "b.json": "{",
        "c.toml": "=",
        "d.ini": "x",
        "e.yaml": b"\xff\xfe\x00",
        "f.env": "what",
        "g.yaml": json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "x-"}}),
        "h.yaml": json.dumps(DEPLOYMENT) + "\n---\n{just: a document}\n",
    }
    reading = _read(dict(bad))
    assert {gap.code for gap in reading.gaps} == {"files.malformed", "files.no_object"}
    assert reading.unread == {name.encode() for name in bad}
    assert [each.resource.name for each in reading.items.values()] == ["scorer"]


def test_charts_have_metadata_values_and_templates_that_are_not_rendered() -> None:
    chart = "apiVersion: v2\nname: scorer\nversion: 1.2.3\ndependencies: [{name: redis, version: 17.0.1}]\n"
    values = "image: {registry: r, repository: acme/scorer, tag: 1.2}\nadmin: {password: hunter22}\nreplicas: 2\n"
    template = "apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Release.Name }}}\n"
    reading = _read(
        {
            "c/Chart.yaml": chart,
            "c/values.yaml": values,
            "c/templates/p.yaml": template,
            "c/values-prod.yaml": "replicas: 4\n",
        }
    )
    assert [gap.code for gap in reading.gaps] == ["files.templates"]
    assert reading.is_complete
    held = {each.resource.name: each for each in reading.items.values()}
    assert {name: each.resource.type for name, each in held.items()} == {
        "c/Chart.yaml": "Helm::Chart",
        "c/values.yaml": "Helm::Values",
        "c/values-prod.yaml": "Helm::Values",
        "c/templates/p.yaml": "File::bytes",
    }
    assert held["c/Chart.yaml"].relationships[0].key == "redis@17.0.1"
    assert held["c/values.yaml"].relationships[0].key == "r/acme/scorer:1.2"
    assert held["c/values.yaml"].configuration["admin"] == {"password": MARK}


ENDPOINT = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/Scorer"


def _state(**more: Any) -> dict[str, Any]:
    return {
        "version": 4,
        "terraform_version": "1.9.0",
        "serial": 7,
        "lineage": "l-1",
        "outputs": {},
        "resources": [],
        **more,
    }


def _resource(kind: str, attributes: dict[str, Any], marked: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    instance = {
        "schema_version": 0,
        "attributes": attributes,
        "sensitive_attributes": marked or [],
        "private": "cHJpdmF0ZQ==",
    }
    return {"mode": "managed", "type": kind, "name": "main", "provider": "p", "instances": [{**instance, **more}]}


def test_a_state_is_one_item_for_each_instance_joined_with_what_it_declares() -> None:
    endpoint = _resource("aws_sagemaker_endpoint", {"arn": ENDPOINT, "name": "Scorer", "tags": {"team": "risk"}})
    endpoint["module"] = "module.serving"
    endpoint["instances"][0].update(
        index_key="blue", dependencies=["module.serving.aws_sagemaker_model.main", "data.aws_region.x"]
    )
    data = {**_resource("aws_region", {"id": "eu-west-1"}), "mode": "data"}
    item = _one(_read({"p/terraform.tfstate": _state(resources=[endpoint, data])}))
    address = 'module.serving.aws_sagemaker_endpoint.main["blue"]'
    name = f"p/terraform.tfstate#{address}"
    assert item.resource == make_resource("Terraform::aws_sagemaker_endpoint", "acme/deploy", "", name)
    assert (item.shape, item.tags) == ("terraform", {"team": "risk"})
    assert (item.extra["lineage"], item.extra["serial"], item.extra["address"]) == ("l-1", 7, address)
    pointers = {(each.type, each.key, each.name) for each in item.relationships}
    assert ("AWS::SageMaker::Endpoint", ENDPOINT.lower(), "declares") in pointers
    assert [kind for kind, _, word in pointers if word == "depends on"] == ["Terraform::aws_sagemaker_model"]
    assert "cHJpdmF0ZQ" not in str(item.describe())


def _get(name: str) -> dict[str, Any]:
    return {"type": "get_attr", "value": name}


def _at(value: object, kind: str) -> dict[str, Any]:
    return {"type": "index", "value": {"value": value, "type": kind}}


@pytest.mark.parametrize(
    ("kind", "attributes", "marked", "kept"),
    [
        (
            "aws_x",
            {"conf": [{"key": "s3cret", "host": "h"}], "n": 1},
            [[_get("conf"), _at(0, "number"), _get("key")]],
            {"conf": [{"key": MARK, "host": "h"}], "n": 1},
        ),
        ("aws_x", {"m": {"a": "s3cret"}}, [[_get("m"), _at("a", "string")]], {"m": {"a": MARK}}),
        ("aws_x", {"a": "x"}, [[_get("gone"), _at(0, "number")]], {"a": "x"}),
        ("aws_x", {"a": "s3cret", "b": "x"}, [[{"type": "splat"}]], {"a": MARK, "b": MARK}),
        ("aws_x", {"a": "s3cret", "b": "x"}, ["odd"], {"a": MARK, "b": MARK}),
        ("aws_x", {"set": ["s3cret", "x"]}, [[_get("set"), _at("s3cret", "string")]], {"set": [MARK, MARK]}),
        ("random_password", {"result": "s3cret", "length": 6}, [], {"result": MARK, "length": 6}),
        ("github_actions_secret", {"plaintext_value": "s3cret", "id": "x"}, [], {"plaintext_value": MARK, "id": "x"}),
        ("local_sensitive_file", {"content": "s3cret", "id": "x"}, [], {"content": MARK, "id": "x"}),
        ("kubernetes_secret", {"data": {"a": "s3cret"}, "id": "n/s"}, [], {"data": {"a": MARK}, "id": "n/s"}),
        ("aws_db_instance", {"password": "s3cret", "username": "u"}, [], {"password": MARK, "username": "u"}),
    ],
)
def test_what_a_state_marks_or_is_known_to_hide_is_cut(
    kind: str, attributes: dict[str, Any], marked: list[Any], kept: dict[str, Any]
) -> None:
    item = _one(_read({"a.tfstate": _state(resources=[_resource(kind, attributes, marked)])}))
    assert item.configuration == kept
    assert "s3cret" not in str(item.describe())


def test_outputs_are_one_item_and_sensitive_ones_are_cut() -> None:
    outputs = {"url": {"value": "https://x", "type": "string"}, "key": {"value": "s3cret", "sensitive": True}}
    item = _one(_read({"a.tfstate": _state(outputs=outputs)}))
    assert item.resource.type == "Terraform::Outputs"
    assert item.configuration == {"url": "https://x", "key": MARK}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"version": 3, "serial": 1, "lineage": "x", "modules": []}, "version 3; 4 is read"),
        ({"serial": 1, "lineage": "x", "encrypted_data": "AAAA"}, "encrypted"),
        (_state(resources={}), "no list of resources"),
    ],
)
def test_other_states_are_refused_clearly(state: dict[str, Any], said: str) -> None:
    reading = _read({"a.tfstate": state})
    assert not reading.items
    assert said in reading.gaps[0].explanation
    assert reading.unread == {b"a.tfstate"}


def test_damaged_instances_are_gaps_and_the_rest_is_read() -> None:
    good = _resource("aws_a", {"x": 1})
    bad = {"mode": "managed", "type": "aws_b", "name": "n", "instances": [None, {"attributes": []}]}
    reading = _read({"a.tfstate": _state(resources=[good, bad, {"mode": "managed"}])})
    assert [each.resource.type for each in reading.items.values()] == ["Terraform::aws_a"]
    assert [gap.code for gap in reading.gaps] == ["files.damaged_state"] * 3


def test_plain_files_are_documents_or_bytes_without_secrets() -> None:
    reading = _read(
        {
            "a.toml": "x = 1\n",
            "b.json": "[1, 2]",
            "c.env": "MODE=fast\nPGPASS=hunter22\nURL=postgres://u:hunter22@db/x\nAPI_KEY=abc\n",
            "d.txt": b"\x00\x01",
            "haproxy.cfg": "global\n  daemon\n",
            "empty.yaml": "",
        }
    )
    assert not reading.gaps
    held = {each.resource.name: each for each in reading.items.values()}
    assert held["a.toml"].configuration == {"x": 1}
    assert held["b.json"].configuration == {"documents": [[1, 2]]}
    assert held["c.env"].configuration["MODE"] == "fast"
    assert "hunter22" not in str(held["c.env"].configuration)
    assert held["c.env"].configuration["API_KEY"] == MARK
    assert held["d.txt"].resource.type == held["haproxy.cfg"].resource.type == "File::bytes"
    assert held["haproxy.cfg"].configuration["digest"].startswith("sha256:")
    assert held["empty.yaml"].configuration == {"documents": []}


def test_a_file_taken_for_something_is_that_or_a_gap() -> None:
    for taken in ("kubernetes", "helm", "terraform"):
        reading = _read({"a.yaml": "just: words\n"}, taken=taken)
        assert bool(reading.gaps) == (taken != "helm")
    item = _one(_read({"a.yaml": DEPLOYMENT}, taken="file"))
    assert item.resource.type == "File::yaml"


def test_a_thing_too_large_for_the_ledger_is_a_gap() -> None:
    reading = _read({"a.json": {"x": "y" * (9 << 20)}})
    assert [gap.code for gap in reading.gaps] == ["files.too_large"]
    assert reading.unread == {b"a.json"}


@pytest.mark.parametrize(
    ("version", "kind", "namespace", "reference"),
    [
        ("apps/v1", "Deployment", "prod", {"apiGroup": "apps", "resource": "deployments", "namespace": "prod"}),
        ("v1", "ConfigMap", "prod", {"resource": "configmaps", "namespace": "prod"}),
        ("serving.kserve.io/v1beta1", "InferenceService", "prod", {
            "apiGroup": "serving.kserve.io", "resource": "inferenceservices", "namespace": "prod"}),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", None, {
            "apiGroup": "rbac.authorization.k8s.io", "resource": "clusterroles"}),
        ("acme.io/v1", "Strategy", "prod", {"apiGroup": "acme.io", "resource": "strategies", "namespace": "prod"}),
    ],
)  # fmt: skip
def test_a_manifest_and_an_audit_log_mean_one_object(
    version: str, kind: str, namespace: str | None, reference: dict[str, str]
) -> None:
    metadata = {"name": "x", **({"namespace": namespace} if namespace else {})}
    item = _one(_read({"a.json": {"apiVersion": version, "kind": kind, "metadata": metadata}}))
    event = read_audit(
        {
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a-1", "stage": "ResponseComplete",
            "verb": "patch", "user": {"username": "ana"}, "objectRef": {**reference, "name": "x"},
            "requestReceivedTimestamp": "2026-03-01T00:00:00.000000Z", "stageTimestamp": "2026-03-01T00:00:00.000000Z",
            "responseStatus": {"code": 200},
        },
        "prod-eu",
    )  # fmt: skip
    assert isinstance(event, ApiEvent)
    assert event.targets == (item.resource.key,)


def test_plain_documents_do_not_hold_the_secrets_of_other_kinds() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "hunter22"}}
    docker = {"auths": {"ghcr.io": {"auth": "aHVudGVyMjI="}}}
    reading = _read({"s.yaml": {"kind": "List", "items": [secret]}, "config.json": docker}, taken="file")
    text = str([each.describe() for each in reading.items.values()])
    assert len(reading.items) == 2
    assert "hunter22" not in text
    assert "aHVudGVyMjI" not in text
    state = _state(resources=[_resource("t", {"a": "hunter22"}, [[_get("a")]])])
    shown = {"format_version": "1.0", "values": {"root_module": {"resources": [{"values": {"a": "hunter22"}}]}}}
    for taken in ("file", ""):
        held = _read({"plan.json": shown, **({"t.tfstate": state} if taken else {})}, taken=taken)
        assert not held.items
        assert {gap.code for gap in held.gaps} == {"files.malformed"}
        assert "hunter22" not in str(held.gaps)


def test_gaps_do_not_repeat_what_they_could_not_read() -> None:
    bad = {
        "a.ini": "password=hunter22\n",
        "b.ini": "[a]\nhunter22 hunter22 = \n [",
        "c.env": "hunter22\n",
        "d.yaml": "a: b: hunter22",
    }
    bad |= {"e.json": '{"a": hunter22}', "f.toml": "hunter22", "g.properties": "a=hunter22\na=hunter22\n"}
    reading = _read(dict(bad))
    assert len(reading.gaps) >= 6
    assert "hunter22" not in str(reading.gaps)


@pytest.mark.parametrize(
    "change", [{"kind": "Po\0d"}, {"apiVersion": "v\n1"}, {"namespace": "a\0"}, {"namespace": "n" * 300}]
)
def test_words_that_no_cluster_and_no_database_knows_are_refused(change: dict[str, str]) -> None:
    metadata = {"name": "x", "namespace": change.pop("namespace", "n")}
    reading = _read({"a.json": {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, **change}})
    assert not reading.items
    assert [gap.code for gap in reading.gaps] == ["files.malformed"]
