"""A script in SageMaker's container layout under `lineal run`, and what SageMaker says of its job: one run."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import PYTHON, Place, make_place
from sagemaker_life import DATA, PREFIX, Account

from servers.moto import moto_server

TRAIN = """
import json, os, pathlib
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
rows = (base / "input/data/train/a.csv").read_text()
(base / "model").mkdir(exist_ok=True)
(base / "model/model.pkl").write_text(rows + "trained")
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


@pytest.fixture
def account() -> Iterator[Account]:
    with moto_server() as moto:
        found = Account(moto)
        found.bucket()
        yield found


def layout(folder: Path, **hyper: str) -> Path:
    """Lay out what SageMaker puts below /opt/ml for a training job, below `folder`."""
    base = folder / "ml"
    (base / "input/config").mkdir(parents=True)
    (base / "input/data/train").mkdir(parents=True)
    (base / "input/data/train/a.csv").write_text("1,2\n")
    config = base / "input/config"
    (config / "hyperparameters.json").write_text(json.dumps(hyper))
    (config / "inputdataconfig.json").write_text(json.dumps({"train": {"TrainingInputMode": "File"}}))
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}))
    return base


def train_inside(place: Place, name: str, **variables: str) -> str:
    """Run the training script as the container of a job would; return its run."""
    base = layout(place.folder / name, lr='"0.1"', api_key='"hunter2hunter2"')
    place.script("train.py", TRAIN)
    done = place.run(PYTHON, "train.py", env={"SAGEMAKER_BASE_DIR": str(base), "TRAINING_JOB_NAME": name, **variables})
    assert done.status == 0, done.err
    return str(done.last()["run"])


def collect(place: Place, account: Account) -> dict[str, object]:
    env = {**account.moto.environment(), "AWS_MAX_ATTEMPTS": "1"}
    done = place.lineal("collect", "sagemaker", "--json", "--only", "training-job", env=env)
    assert done.status == 0, done.err
    return dict(done.json())


def test_the_job_and_the_run_captured_inside_are_one(place: Place, account: Account) -> None:
    account.train()
    arn = f"{PREFIX}training-job/Train-1"
    run = train_inside(place, "Train-1", TRAINING_JOB_ARN=arn)
    shown = place.within("show", "--json", arn)
    assert shown.json()["node"]["ref"] == run, "the ARN names the run before anything is collected"
    assert collect(place, account)["recorded"] == 1
    assert place.within("show", "--json", arn).json()["node"]["ref"] == run
    runs = place.within("ls", "run", "--json").json()
    assert not [each for each in runs["nodes"] if "sagemaker-training-job" in each["ref"]]
    traced = place.within("trace", "--json", DATA).json()
    refs = {each["ref"].partition("@")[0] for each in traced["nodes"]}
    assert run in refs
    assert "dataset:s3://data-bucket/clean" in refs, "what only SageMaker knows: where the channel comes from"
    assert any(ref.startswith("environment:python") for ref in refs), "what only the capture knows: the packages"
    assert any(ref.endswith("input/data/train/a.csv") for ref in refs)
    assert collect(place, account)["recorded"] == 0


def test_hyperparameters_of_the_container_are_captured_without_secrets(place: Place) -> None:
    run = train_inside(place, "Train-9", TRAINING_JOB_ARN=f"{PREFIX}training-job/Train-9")
    shown = place.within("show", "--json", run)
    assert b"hunter2" not in shown.out
    parameters = shown.json()["statements"][-1]["detail"]["parameters"]
    assert parameters["lr"] == {"origin": "sagemaker", "value": "0.1"}
    assert parameters["api_key"]["value"] == "[redacted]"


def test_a_job_that_knows_its_name_alone_is_joined_by_name_and_time(place: Place, account: Account) -> None:
    account.train()
    run = train_inside(place, "Train-1")
    job = account.kept.training_jobs["Train-1"]
    account.shift({"it": job}, minutes=10)
    account.kept.training_jobs["Train-1"].creation_time = job.creation_time.replace(year=2020)
    assert collect(place, account)["recorded"] == 1
    assert place.within("show", "--json", f"{PREFIX}training-job/Train-1").json()["node"]["ref"] == run


def test_two_hosts_of_one_job_stay_two_runs(place: Place, account: Account) -> None:
    account.train()
    arn = f"{PREFIX}training-job/Train-1"
    one = train_inside(place, "Train-1", TRAINING_JOB_ARN=arn)
    (place.folder / "Train-1").rename(place.folder / "first")
    other = train_inside(place, "Train-1", TRAINING_JOB_ARN=arn)
    assert one != other
    done = collect(place, account)
    assert "sagemaker.several_captures" in {gap["code"] for gap in done["gaps"]}  # type: ignore[attr-defined]
