"""Two days of production on the command line: the worked example of change control, told as a reader runs it."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from commandline import PYTHON, Done, Place

ROOT = Path(__file__).resolve().parents[2]
STORY = ROOT / "examples" / "change-control" / "story.py"
PROGRAM = ROOT / "tests" / "servers" / "cloud_program.py"
ENDPOINT = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/risk-prod"
PROJECT = "arn:aws:codebuild:eu-west-1:123456789012:project/risk-build"


@dataclass(frozen=True)
class Told:
    """What each command of the story printed, and the ledger that it left."""

    printed: list[tuple[str, str]]
    place: Place
    clock: str

    def of(self, *words: str) -> str:
        """Return what the first command with all these words printed."""
        return next(text for command, text in self.printed if all(word in command for word in words))

    def ask(self, *words: str, status: int = 0) -> Any:
        """Ask the ledger, by the clock of the story; AWS is gone."""
        done: Done = self.place.do(PYTHON, str(PROGRAM), *words, "--json", env={"TEST_CLOCK": self.clock})
        assert done.status == status, done.err
        return done.json()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("change") / "story"
    command = [sys.executable, str(Path(__file__).with_name("told_story.py")), str(STORY), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = [tuple(part.split("\n", 1)) for part in done.stdout.split("\n$ ")[1:] if "\n" in part]
    return Told(printed, Place(folder / "watch", folder / "home"), str(folder / "clock"))  # type: ignore[arg-type]


def _verdicts(explained: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((each["resource"].split(":", 5)[-1], each["verdict"]) for each in explained["judgements"])


def test_every_change_of_monday_has_its_verdict(told: Told) -> None:
    said = told.of("lineal explain --exit-code")
    assert (
        said.strip()
        .splitlines()[-1]
        .startswith("1 UNEXPLAINED, 1 ATTRIBUTED_UNAPPROVED, 2 EVENT_WITHOUT_EFFECT, 1 SERVICE_MANAGED, 3 APPROVED;")
    )
    assert "~ pipeline.stages.Source.actions.fetch.configuration.S3Bucket: acme-code -> somebody-elses-code" in said
    assert "UpdateEndpoint by arn:aws:iam::123456789012:role/deploy (build-1042), allowed by CHG-1042" in said
    assert "UpdateProject by arn:aws:iam::123456789012:role/Engineer (eve), and no approval allows it" in said


def test_what_was_done_while_the_trail_was_off_is_not_observable(told: Told) -> None:
    assert "[cloudtrail.logging_stopped]" in told.printed[_last(told, "collect cloudtrail")][1]
    said = told.of("lineal explain AWS::IAM::Role/runner")
    assert re.search(r"^NOT_OBSERVABLE +1$", said, re.MULTILINE)
    assert "(logging_stopped)" in said


def _last(told: Told, words: str) -> int:
    return max(number for number, (command, _) in enumerate(told.printed) if words in command)


def test_a_late_ticket_is_another_judgement_beside_the_first(told: Told) -> None:
    assert "CHG-1050: approved after the fact" in told.of("lineal explain AWS::CodeBuild::Project/risk-build")
    entries = told.ask("log")["entries"]
    assert [each["type"] for each in entries].count("change.judged/1") == 3


def test_json_says_the_same(told: Told) -> None:
    explained = told.ask("explain", "--no-record")
    assert _verdicts(explained) == [
        ("endpoint-config/risk-2", "APPROVED"),
        ("endpoint/risk-prod", "APPROVED"),
        ("endpoint/risk-prod", "SERVICE_MANAGED"),
        ("model/risk-2", "APPROVED"),
        ("project/risk-build", "APPROVED"),
        ("project/risk-build", "EVENT_WITHOUT_EFFECT"),
        ("project/risk-build", "EVENT_WITHOUT_EFFECT"),
        ("risk-release", "UNEXPLAINED"),
        ("role/runner", "NOT_OBSERVABLE"),
        ("trail/main", "EVENT_WITHOUT_EFFECT"),  # switched on again
    ]
    assert explained["recorded"] == 0
    hot_fix = next(each for each in explained["judgements"] if each["subject"] == "change" and PROJECT in each.values())
    assert [(each["path"], each["verdict"]) for each in hot_fix["fields"]] == [(["description"], "APPROVED")]


def test_the_timeline_joins_call_ticket_and_change(told: Told) -> None:
    said = told.of("lineal timeline")
    rows = [line for line in said.splitlines() if line.startswith("2026-10-05")]
    kinds = [re.split(r"  +", line)[1] for line in rows]
    assert kinds == ["event", "seen", "window", "event", "change", "event", "change"]
    assert "~ EndpointConfigName: risk-1 -> risk-2" in said


def test_diff_of_two_moments_says_who(told: Told) -> None:
    said = told.of("lineal diff")
    assert "+ AWS::SageMaker::Model risk-2  created" in said
    assert "~ ProductionVariants.all.DesiredInstanceCount: 1 -> 4" in said
    assert "(eve)  ATTRIBUTED_UNAPPROVED" in said


def test_check_fails_on_what_nobody_explained(told: Told) -> None:
    checked = told.ask("check", "--severity", "critical", "--no-record", status=1)
    broken = [each for each in checked["rules"]["conclusions"] if each["state"] == "NON_COMPLIANT"]
    named = {(each["rule"], each["resource"].split(":", 5)[-1]) for each in broken if each["severity"] == "critical"}
    assert ("CHANGES_EXPLAINED", "risk-release") in named


def test_the_ledger_holds(told: Told) -> None:
    assert "\nverified: " in "\n" + told.of("lineal verify")
