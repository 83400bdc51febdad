"""The documents of `--json`, against the page that describes them."""

import contextlib
import hashlib
import io
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lineal.cli.main import run
from servers.cloud_people import role
from servers.cloud_trail import CloudTrail, trail_server
from servers.moto import ACCOUNT, REGION

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "json.md").read_text("utf-8")
NODE = ["ref", "kind", "name", "version", "digest", "time", "actor", "basis"]
_OPEN = {
    "detail",
    "metrics",
    "configuration",
    "tags",
    "extra",
    "failed",
}  # what stands below is not of the wire: the words of those who recorded it


def _told(command: str) -> list[set[str]]:
    """Return the sets of fields that the table gives for `command`: one for each way to call it."""
    row = re.search(rf"^\| `{command}` \| (.*) \|$", PAGE, re.MULTILINE)
    assert row is not None, command
    return [set(re.findall(r"`(\w+)`", part)) for part in row[1].split(";")]


def _keys(value: Any) -> set[str]:
    if isinstance(value, list):
        return {key for item in value for key in _keys(item)}
    if not isinstance(value, dict):
        return set()
    return set(value) | {key for name, item in value.items() if name not in _OPEN for key in _keys(item)}


def _write_layout(folder: Path) -> None:
    """Write an image without layers as an OCI layout."""

    def put(data: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (folder / "blobs" / "sha256" / digest).write_bytes(data)
        return {
            "mediaType": f"application/vnd.oci.image.{kind}.v1+json",
            "digest": f"sha256:{digest}",
            "size": len(data),
        }

    (folder / "blobs" / "sha256").mkdir(parents=True)
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    media = "application/vnd.oci.image.manifest.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": media,
        "config": put(json.dumps(config).encode(), "config"),
        "layers": [],
    }
    named = put(json.dumps(manifest).encode(), "manifest") | {"annotations": {"org.opencontainers.image.ref.name": "1"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _collect(say: Callable[..., None], work: Path) -> None:
    """Let every source be collected: a repository with a file of DVC in it, an image on disk, AWS as moto plays it."""
    (work / "table.csv.dvc").write_text("outs:\n- {md5: 0cc175b9c0f1b6a831c399e269772661, size: 1, path: table.csv}\n")
    (work / ".dvc").mkdir()
    (work / ".dvc" / "config").write_text("")
    for words in (("init",), ("add", "*.py", "*.dvc", ".dvc"), ("commit", "-m", "all")):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        subprocess.run(["git", *identity, *words], cwd=work, check=True, capture_output=True)
    _write_layout(work / "image")
    say("collect", "git", ".", "--verify", "--json")
    say("collect", "dvc", ".", "--json")
    say("collect", "oci", "registry.example/a/b:1", "--layout", str(work / "image"), "--json")
    say("collect", "sagemaker", "--json")


def _explain(say: Callable[..., None], work: Path, aws: CloudTrail) -> None:
    """Let a change be made, seen, allowed and explained: AWS, its trail, files of configuration."""
    operator = role(f"arn:aws:iam::{ACCOUNT}:role/deployer", "ci-7")
    bucket = {"Bucket": "trail", "CreateBucketConfiguration": {"LocationConstraint": REGION}}
    aws.client("s3", operator).create_bucket(**bucket)
    trail, sagemaker = aws.client("cloudtrail", operator), aws.client("sagemaker", operator)
    trail.create_trail(Name="main", S3BucketName="trail")
    trail.start_logging(Name="main")
    say("collect", "aws", "--json")
    container = {"Image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/risk:1"}
    role_arn = f"arn:aws:iam::{ACCOUNT}:role/serving"
    sagemaker.create_model(ModelName="m", PrimaryContainer=container, ExecutionRoleArn=role_arn)
    variant = {"VariantName": "all", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(EndpointConfigName="risk-1", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="risk", EndpointConfigName="risk-1")
    say("collect", "aws", "--json")
    sagemaker.create_endpoint_config(EndpointConfigName="risk-2", ProductionVariants=[variant])
    sagemaker.update_endpoint(EndpointName="risk", EndpointConfigName="risk-2")
    aws.advance(hours=2)
    say("collect", "aws", "--json")
    say("collect", "cloudtrail", "s3://trail", "--json")
    window = ("--reason", "release 1", "--to", "2100-01-01", "--as", "bo@bank.example")
    say("approve", "change", "*endpoint/risk", "--ticket", "CHG-1", *window, "--json", name="approve change")
    manifests = work / "manifests"
    manifests.mkdir()
    (manifests / "app.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: risk}\n")
    say("collect", "files", str(manifests), "--json")
    call = aws.events("CreateEndpoint")[0]
    event = {"detail-type": "AWS API Call via CloudTrail", "source": "aws.sagemaker", "detail": call}
    (work / "event.json").write_text(json.dumps(event))
    say("collect", "eventbridge", "event.json", "--json")
    audit = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "a1",
        "stage": "ResponseComplete", "verb": "delete", "user": {"username": "eve"},
        "requestReceivedTimestamp": "2026-03-01T00:00:00.000000Z",
        "objectRef": {"resource": "deployments", "apiGroup": "apps", "namespace": "default", "name": "risk"},
    }  # fmt: skip
    (work / "audit.log").write_text(json.dumps(audit) + "\n")
    say("collect", "kubernetes-audit", "audit.log", "--cluster", "default", "--json")
    item = {
        "version": "1.3", "accountId": ACCOUNT, "awsRegion": REGION, "resourceType": "AWS::SNS::Topic",
        "resourceId": "t", "configurationItemCaptureTime": "2026-03-01T00:00:00.000Z",
        "configurationItemStatus": "OK", "configuration": "{}",
    }  # fmt: skip
    (work / "config.json").write_text(json.dumps({"fileVersion": "1.0", "configurationItems": [item]}))
    say("collect", "aws-config", "config.json", "--json")
    say("explain", "--settle", "0s", "--json")
    say("timeline", "AWS::SageMaker::Endpoint/risk", "--json")
    say("show", "--at", "now", "--json", name="show estate")
    say("show", f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/risk", "--json", name="show resource")
    say("diff", "--at", "1h ago", "--at", "now", "--json", name="diff estate")
    say("check", "--json", name="check rules")
    say("watch", "--once", f"files:{manifests}", "--json", name="watch")


@pytest.fixture(scope="module")
def aws() -> Iterator[CloudTrail]:
    """AWS with a synthetic trail around it, for the sources that ask it."""
    with trail_server(datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)) as running:
        yield running


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory, aws: CloudTrail) -> dict[str, Any]:
    """Return what every command printed, by a name for each way to call it."""
    work = tmp_path_factory.mktemp("json") / "scorer"
    shutil.copytree(DOCS / "howto" / "first-model", work)
    found: dict[str, Any] = {}

    def say(*words: str, name: str | None = None) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(work)
            patch.setenv("LINEAL_ACTOR", "ana@bank.example")
            patch.delenv("LINEAL_LEDGER", raising=False)
            for variable, value in (aws.moto.environment() | {"HOME": str(work), "AWS_MAX_ATTEMPTS": "1"}).items():
                patch.setenv(variable, value)
            if words[0] in {"run", "deploy"}:
                command = [sys.executable, "-m", "lineal", *words]
                printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900).stdout
            else:
                with contextlib.redirect_stdout(io.StringIO()) as sink:
                    status = run(list(words))
                printed = sink.getvalue()
                assert status == {"error": 2, "check rules": 1}.get(name or "", 0), (words, printed)
        lines = printed.strip().splitlines()
        known = " ".join(words[:2]) if words[0] == "collect" else words[0]
        found[name or known] = json.loads(lines[-1] if words[0] == "run" else printed)

    server = [sys.executable, "serve.py", "{model}", "{port}"]
    say("init", "--json")
    say("snapshot", "dataset:raw", "data/raw.csv", "--json")
    say("run", "--json", "--", sys.executable, "prepare.py")
    say("run", "--json", "--", sys.executable, "train.py")
    say("add", "container", "scorer", f"example.com/scorer@sha256:{'ab' * 32}", "--json")
    say("register", "model:scorer", "model.json", "--json")
    say("approve", "model:scorer@1", "--as", "bo@bank.example", "--reason", "measured", "--json")
    say("deploy", "endpoint:scorer", "model:scorer@1", "--json", "--probe", "probes.json", "--", *server)
    try:
        say("check", "endpoint:scorer", "--json")
        say("check", "--json", name="check all")
        for command in ("show", "trace"):
            say(command, "endpoint:scorer", "--json")
    finally:
        say("retire", "endpoint:scorer", "--reason", "over", "--json")
    (work / "params.json").write_text('{"rate": 0.5, "seed": 7, "steps": 90}')
    say("run", "--json", "--", sys.executable, "train.py")
    say("register", "model:scorer", "model.json", "--json", name="register again")
    say("diff", "model:scorer@1", "model:scorer@2", "--json")
    say("impact", "dataset:raw", "--json")
    say("tag", "model:scorer@1", "stage=gold", "--json")
    say("restore", "dataset:raw", str(work / "again"), "--json")
    _collect(say, work)
    _explain(say, work, aws)
    say("ls", "--json")
    say("log", "model:scorer@1", "--json")
    with sqlite3.connect(work / ".lineal" / "ledger.db") as database:
        rows = database.execute("SELECT entry.bytes, body.bytes FROM entry JOIN body USING (idx)").fetchall()
    database.close()
    found["ledger"] = [(json.loads(entry), json.loads(body)) for entry, body in rows]
    say("erase", "1", "--reason", "asked for", "--yes", "--json")
    say("verify", "--json")
    say("rebuild", "--json")
    say("show", "model:nothing", "--json", name="error")
    return found


COMMANDS = re.findall(r"^\| `([\w -]+)` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "demo"])
def test_a_document_has_the_fields_told(command: str, documents: dict[str, Any]) -> None:
    assert set(documents[command]) == _told(command)[0]


@pytest.mark.parametrize(
    ("command", "way", "name"), [("show", 1, "show resource"), ("show", 2, "show estate"), ("diff", 1, "diff estate")]
)
def test_every_way_to_ask_has_the_fields_told(command: str, way: int, name: str, documents: dict[str, Any]) -> None:
    assert set(documents[name]) == _told(command)[way]


def test_the_cards_of_everything_have_the_fields_told(documents: dict[str, Any]) -> None:
    assert set(documents["check all"]) == _told("check")[1]
    assert set(documents["check all"]["cards"][0]) == _told("check")[0]


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "demo"])
def test_every_field_within_is_told(command: str, documents: dict[str, Any]) -> None:
    told = set(re.findall(r"`(\w+)`", PAGE)) | set(re.findall(r'"(\w+)":', PAGE))
    assert _keys(documents[command]) - told == set()


def test_what_rules_say_is_told(documents: dict[str, Any]) -> None:
    told = set(re.findall(r"`(\w+)`", PAGE))
    assert documents["check rules"]["rules"]["conclusions"]
    assert _keys(documents["check rules"]["rules"]) - told == set()


@pytest.mark.parametrize("command", ["trace", "impact"])
def test_lineage_is_exactly_as_told(command: str, documents: dict[str, Any]) -> None:
    document = documents[command]
    assert list(document) == ["root", "at", "nodes", "edges", "gaps"]
    assert document["nodes"][0]["ref"] == document["root"]
    assert all(list(node) == NODE for node in document["nodes"])
    assert document["edges"]
    assert all(list(edge) == ["source", "target", "type"] for edge in document["edges"])
    known = {node["ref"] for node in document["nodes"]}
    assert all({edge["source"], edge["target"]} <= known for edge in document["edges"])
    assert all(list(gap) == ["code", "explanation", "about"] for gap in document["gaps"])


def test_the_format_tells_every_field_of_entries_and_bodies(documents: dict[str, Any]) -> None:
    page = (DOCS / "format.md").read_text("utf-8")
    told = set(re.findall(r'[`"](\w+)[`"]', page))
    for entry, body in documents["ledger"]:
        kind = re.sub(r"^(file|container)(?=\.claimed)|^dataset(?=\.tracked)", "KIND", entry["type"])
        row = re.search(rf"^\| `{re.escape(kind)}` \|.*$", page, re.MULTILINE)
        assert row is not None, kind
        assert set(entry) | set(entry["payload"]) | set(body) <= told
        for node in body["nodes"]:
            assert set(node) | set(node.get("detail", {})) <= told | {"gaps"}, (kind, node["ref"])


def test_an_error_is_as_told(documents: dict[str, Any]) -> None:
    assert list(documents["error"]) == ["error"]
    assert set(documents["error"]["error"]) == {"code", "message", "fix"}
    assert documents["error"]["error"]["code"] == "usage.unknown_ref"
