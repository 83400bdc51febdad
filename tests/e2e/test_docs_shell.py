"""The shell examples of the documentation: each can be typed, and those of change control do what they say."""

import json
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import typer.core
from commandline import PYTHON, Done, Place, make_place
from test_docs import PAGES, ROOT, _blocks

from lineal import wiring
from lineal.cli.main import run
from servers.cloud_people import person
from servers.cloud_trail import CloudTrail, trail_server
from servers.moto import ACCOUNT, REGION

PROGRAM = ROOT / "tests" / "servers" / "cloud_program.py"
BUCKET = "trail-bucket"
ENDPOINT = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/risk"


def _typed(page: Path) -> list[str]:
    """Return each command line of the page's shell blocks."""
    return [line for block in _blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]


def _words(line: str) -> list[list[str]]:
    """Return the words of each command `lineal` on a line, as a shell reads them: without comments and redirections."""
    parts = re.split(r"&&|\|\||;|\|", re.sub(r"\s#.*|>>?\s*\S+", "", line))
    return [words[1:] for words in map(shlex.split, parts) if words[:1] == ["lineal"]]


TYPED = [(page, words) for page in PAGES for line in _typed(page) if "lineal " in line for words in _words(line)]


def test_there_is_something_to_type() -> None:
    assert len(TYPED) > 30
    assert {page.name for page, _ in TYPED} >= {"README.md", "watch.md", "aws.md"}


@pytest.mark.parametrize(
    ("page", "words"), TYPED, ids=[f"{page.stem}-{number}" for number, (page, _) in enumerate(TYPED)]
)
def test_every_command_of_a_shell_block_can_be_typed(
    page: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its commands, arguments and options exist; what it does is tested elsewhere."""
    reached: list[str] = []
    monkeypatch.setattr(
        typer.core.TyperCommand.__base__, "invoke", lambda self, _: reached.append(self.name or "") or 0
    )
    assert run(words) == 0, f"{page.name}: lineal {shlex.join(words)}: {capsys.readouterr().err}"
    assert reached[-1].split()[-1] in words


class Production:
    """An account with an endpoint, its trail, and whoever types the README's commands beside them in April."""

    def __init__(self, trail: CloudTrail, place: Place) -> None:
        self.trail, self.place = trail, place
        self.done: dict[str, Done] = {}

    def set_up(self) -> None:
        """Let the trail run, and an endpoint with it."""
        ana = person("ana")
        self.trail.client("s3", ana).create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        self.trail.client("cloudtrail", ana).create_trail(Name="main", S3BucketName=BUCKET, IsMultiRegionTrail=True)
        self.trail.client("cloudtrail", ana).start_logging(Name="main")
        self.release(1)
        self.trail.client("sagemaker", ana).create_endpoint(EndpointName="risk", EndpointConfigName="risk-1")

    def release(self, number: int) -> None:
        """Make what a release of the endpoint consists of."""
        sagemaker, name = self.trail.client("sagemaker", person("ana")), f"risk-{number}"
        container = {"Image": "registry.example/risk:1", "ModelDataUrl": f"s3://acme-models/{name}/model.tar.gz"}
        sagemaker.create_model(
            ModelName=name, PrimaryContainer=container, ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/runner"
        )
        variant = {"VariantName": "all", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**variant, "InitialVariantWeight": 1.0}]
        )

    def type(self, line: str) -> Done:
        """Type a line of the README in this process; return what came of it."""
        (words,) = _words(line)
        done = self.place.within(*words)
        self.done[" ".join(words[: 1 + (words[0] in ("collect", "approve"))])] = done
        return done


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """Return what the block of the README about changes printed, line by line, at the beginning of April."""
    lines = [line for line in _typed(ROOT / "README.md") if line.startswith("lineal ")]
    lines = lines[lines.index(next(line for line in lines if line.startswith("lineal collect aws"))) :]
    with trail_server(datetime(2026, 2, 26, 8, 0, 0, tzinfo=UTC)) as trail:
        place = make_place(tmp_path_factory.mktemp("production"))
        place.variables.update(trail.moto.environment(), AWS_MAX_ATTEMPTS="2")
        made = Production(trail, place)
        with patch.object(wiring, "now", trail.clock.spell):
            made.set_up()
            trail.advance(days=1)
            for line in lines[:2]:
                assert made.type(line).status == 0
            trail.move_to(datetime(2026, 3, 10, 12, 0, 0, tzinfo=UTC))
            made.release(2)
            trail.client("sagemaker", person("ana")).update_endpoint(EndpointName="risk", EndpointConfigName="risk-2")
            trail.advance(hours=1)
            place.within("collect", "aws", "--region", REGION)
            trail.move_to(datetime(2026, 4, 1, 9, 0, 0, tzinfo=UTC))
            for line in lines[:-1]:
                made.type(line)
        trail.clock.tell(place.folder / "clock")
        (watch,) = _words(lines[-1])
        made.done["watch"] = _watched(made, watch)
        yield made


def _watched(made: Production, words: list[str]) -> Done:
    """Watch until something is told of the first round."""
    process = made.place.start(
        PYTHON, str(PROGRAM), *words, env={"TEST_CLOCK": str(made.place.folder / "clock")}, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=900)
    finally:
        process.kill()
        process.wait()
    return Done(process.returncode, first + rest, "")


def test_the_commands_of_the_readme_about_changes_succeed(typed: Production) -> None:
    told: dict[str, Any] = {name: (done.status, done.err) for name, done in typed.done.items()}
    assert set(told) == {
        "collect aws", "collect cloudtrail", "approve change", "explain", "timeline", "diff", "check", "watch"
    }  # fmt: skip
    assert {name: status for name, (status, _) in told.items() if status} == {"check": 1}, told  # rules are broken


def test_they_say_what_changed_in_march_and_who_did_it(typed: Production) -> None:
    diff, explained = typed.done["diff"].out.decode(), typed.done["explain"].out.decode()
    assert "risk-1" in diff
    assert "risk-2" in diff
    assert "ATTRIBUTED_UNAPPROVED" in explained
    assert "ana" in explained
    timeline = typed.done["timeline"].out.decode()
    assert "UpdateEndpoint" in timeline
    assert "CHG-77" in timeline


def test_they_leave_a_report_and_a_sound_ledger(typed: Production) -> None:
    assert json.loads((typed.place.folder / "out.sarif").read_text("utf-8"))["version"] == "2.1.0"
    assert re.search(rb"^\W*(?:.* )?aws: \d+ seen", typed.done["watch"].out, re.MULTILINE), typed.done["watch"].out
    assert typed.place.within("verify", "--json").json()["verified"]
