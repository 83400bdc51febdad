import json
import os
from pathlib import Path

import pytest

from lineal.capture.ci import read_ci
from lineal.capture.container import read_container, read_fingerprint
from lineal.capture.host import read_hardware, read_host, read_os_release, read_system
from lineal.capture.sagemaker import read_sagemaker
from lineal.capture.variables import read_variables
from lineal.core import canonical

DIGEST = "sha256:" + "a" * 64
ID = "0123456789abcdef" * 4


def lay(root: Path, **files: str) -> Path:
    for name, text in files.items():
        place = root / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return root


def test_this_machine_describes_itself() -> None:
    hardware, gaps = read_hardware()
    assert 1 <= hardware.cpus <= (os.cpu_count() or 1)
    assert read_host().uid == os.getuid()
    assert read_system().machine == os.uname().machine
    canonical.encode(
        [hardware.describe(), read_host().describe(), read_system().describe(), [g.describe() for g in gaps]]
    )


def test_os_release_is_read_as_a_shell_would(tmp_path: Path) -> None:
    lay(
        tmp_path,
        release='# comment\nID=debian\nPRETTY_NAME="Debian \\"12\\" (x)"\nVERSION_ID=\'12\'\nBROKEN="x\n\nnothing\n',
    )
    found = read_os_release((tmp_path / "missing", tmp_path / "release"))
    assert found == {"ID": "debian", "PRETTY_NAME": 'Debian "12" (x)', "VERSION_ID": "12", "BROKEN": '"x'}


def test_no_container(tmp_path: Path) -> None:
    assert read_container({}, root=lay(tmp_path, proc__self__cgroup="0::/user.slice/session-1.scope\n")) is None


def test_a_container_whose_launcher_names_its_image(tmp_path: Path) -> None:
    root = lay(tmp_path, **{".dockerenv": "", "proc__self__cgroup": f"12:pids:/docker/{ID}\n"})
    found = read_container({"LINEAL_IMAGE_DIGEST": f"registry.example.org/risk@{DIGEST}"}, root=root)
    assert found is not None
    assert found.describe() == {
        "signs": ["/.dockerenv", "cgroup", "LINEAL_IMAGE_DIGEST"],
        "id": ID,
        "image": "registry.example.org/risk",
        "digest": DIGEST,
        "fingerprint": None,
    }
    assert found.gaps == ()


def test_without_a_digest_there_is_a_gap_and_a_weak_fingerprint(tmp_path: Path) -> None:
    root = lay(
        tmp_path, **{".dockerenv": "", "etc__os-release": "ID=debian\n", "var__lib__dpkg__status": "Package: a\n"}
    )
    found = read_container({}, root=root)
    assert found is not None
    assert found.digest is None
    assert [gap.code for gap in found.gaps] == ["container.digest"]
    assert found.fingerprint == read_fingerprint(root)
    lay(tmp_path, var__lib__dpkg__status="Package: b\n")
    assert read_fingerprint(root) != found.fingerprint
    assert read_fingerprint(tmp_path / "empty") is None


@pytest.mark.parametrize(
    ("name", "text", "identity"),
    [
        ("cgroup", f"0::/kubepods.slice/pod1/cri-containerd-{ID}.scope\n", ID),
        ("cgroup", f"0::/system.slice/docker-{ID}.scope\n", ID),
        ("cgroup", "0::/\n", None),
        ("mountinfo", f"1 2 8:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 x rw\n", ID),
        ("mountinfo", f"1 2 8:1 /var/lib/docker/containers/{ID}/x /srv/other rw - ext4 x rw\n", None),
    ],
)
def test_the_id_of_a_container(tmp_path: Path, name: str, text: str, identity: str | None) -> None:
    root = lay(tmp_path, **{f"proc__self__{name}": text, ".dockerenv": ""})
    found = read_container({"LINEAL_IMAGE_DIGEST": DIGEST}, root=root)
    assert found is not None
    assert found.id == identity


def test_a_digest_that_is_none_is_a_gap(tmp_path: Path) -> None:
    found = read_container({"LINEAL_IMAGE_DIGEST": "latest"}, root=tmp_path)
    assert found is not None
    assert [gap.code for gap in found.gaps] == ["container.bad_digest", "container.digest"]


@pytest.mark.parametrize(
    ("env", "system", "facts"),
    [
        (
            {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "a/b", "GITHUB_SERVER_URL": "https://github.com",
             "GITHUB_RUN_ID": "7", "GITHUB_ACTOR": "ada", "GITHUB_TOKEN": "ghs_x"},
            "github-actions",
            {"repository": "a/b", "server": "https://github.com", "run_id": "7", "actor": "ada",
             "url": "https://github.com/a/b/actions/runs/7"},
        ),
        (
            {"GITLAB_CI": "true", "CI_PROJECT_PATH": "a/b", "CI_COMMIT_SHA": "c", "CI_JOB_TOKEN": "x",
             "CI_JOB_URL": "https://gitlab.com/a/b/-/jobs/1"},
            "gitlab-ci",
            {"repository": "a/b", "sha": "c", "url": "https://gitlab.com/a/b/-/jobs/1"},
        ),
        (
            {"CODEBUILD_BUILD_ID": "risk:1", "CODEBUILD_SOURCE_REPO_URL": "https://u:p@h/r.git"},
            "codebuild",
            {"run_id": "risk:1", "repository": "https://h/r.git"},
        ),
        ({"JENKINS_URL": "https://ci/", "BUILD_TAG": "t"}, "jenkins", {"server": "https://ci/", "run_id": "t"}),
        ({"TRAINING_JOB_NAME": "risk-1"}, "sagemaker-training", {"run_id": "risk-1"}),
    ],
)  # fmt: skip
def test_ci_jobs(env: dict[str, str], system: str, facts: dict[str, str]) -> None:
    found = read_ci(env)
    assert found is not None
    assert found.describe() == {"system": system, **facts}


def test_outside_ci_there_is_no_job() -> None:
    assert read_ci({"CI": "true", "GITHUB_ACTIONS": "false", "JENKINS_URL": ""}) is None


def test_variables_are_kept_by_name() -> None:
    env = {
        "PYTHONHASHSEED": "0",
        "SM_CHANNEL_TRAIN": "/opt/ml/input/data/train",
        "SM_HPS": '{"password": "x"}',
        "SM_HP_LR": "1",
        "HOME": "/root",
        "AWS_SECRET_ACCESS_KEY": "x",
        "MY_FLAG": "1",
        "MY_TOKEN": "x",
        "PATH": "/bin:\udcff",
        "TZ": "https://a:pw@h/",
    }
    found = read_variables(env, extra=["MY_*"])
    assert found.values == {
        "PYTHONHASHSEED": "0",
        "SM_CHANNEL_TRAIN": "/opt/ml/input/data/train",
        "MY_FLAG": "1",
        "MY_TOKEN": "[redacted]",
        "PATH": "/bin:\\xff",
        "TZ": "https://[redacted]@h/",
    }
    assert (found.omitted, found.redactions) == (4, 2)
    canonical.encode(found.describe())


def test_a_sagemaker_training_job(tmp_path: Path) -> None:
    config = tmp_path / "input" / "config"
    config.mkdir(parents=True)
    parameters = {
        "lr": "0.10", "name": '"risk"', "raw": "plain", "deep": '{"b": [1, 2.5]}', "flag": "true",
        "sagemaker_program": '"train.py"', "sagemaker_submit_directory": '"s3://b/source.tar.gz"',
        "_tuning_objective_metric": "auc", "sagemaker_job_name": '"risk-2"',
    }  # fmt: skip
    (config / "hyperparameters.json").write_text(json.dumps(parameters))
    (config / "inputdataconfig.json").write_text('{"train": {"TrainingInputMode": "File", "S3DistributionType": "x"}}')
    (config / "resourceconfig.json").write_text('{"current_host": "algo-1", "hosts": ["algo-1"], "x": 1.5}')
    found = read_sagemaker({"SAGEMAKER_BASE_DIR": str(tmp_path), "TRAINING_JOB_ARN": "arn:aws:x"})
    assert found is not None
    assert (found.kind, found.name, found.arn) == ("training", "risk-2", "arn:aws:x")
    assert found.hyperparameters == {
        "lr": "0.1", "name": "risk", "raw": "plain", "deep": '{"b": [1, 2.5]}', "flag": "true",
    }  # fmt: skip
    assert found.reserved["sagemaker_program"] == "train.py"
    assert found.channels == {"train": {"TrainingInputMode": "File", "S3DistributionType": "x"}}
    assert found.resources == {"current_host": "algo-1", "hosts": ["algo-1"]}
    assert [gap.code for gap in found.gaps] == ["sagemaker.describe"]
    canonical.encode(found.describe())


def test_a_sagemaker_processing_job(tmp_path: Path) -> None:
    said = {
        "ProcessingJobName": "clean-1",
        "ProcessingJobArn": "arn:aws:sagemaker:x",
        "AppSpecification": {"ImageUri": "1.dkr.ecr/x:1"},
        "ProcessingInputs": [{"InputName": "raw", "S3Input": {"S3Uri": "s3://b/raw", "LocalPath": "/opt/ml/p"}}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": {"S3Uri": "s3://b/out"}}]},
        "Environment": {"SECRET": "x"},
    }
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "processingjobconfig.json").write_text(json.dumps(said))
    found = read_sagemaker({"SAGEMAKER_BASE_DIR": str(tmp_path)})
    assert found is not None
    assert (found.kind, found.name, found.image) == ("processing", "clean-1", "1.dkr.ecr/x:1")
    assert found.channels == {"raw": {"S3Uri": "s3://b/raw", "LocalPath": "/opt/ml/p"}}
    assert found.outputs == {"out": {"S3Uri": "s3://b/out"}}
    assert "SECRET" not in json.dumps(found.describe())


@pytest.mark.parametrize("text", ["{", "[1]", "\x00", '{"a":' * 5000])
def test_sagemaker_files_that_cannot_be_read_are_gaps(tmp_path: Path, text: str) -> None:
    config = tmp_path / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(text)
    found = read_sagemaker({"SAGEMAKER_BASE_DIR": str(tmp_path), "TRAINING_JOB_NAME": "x"})
    assert found is not None
    assert [gap.code for gap in found.gaps] == ["sagemaker.file", "sagemaker.describe"]


def test_outside_sagemaker_there_is_no_job(tmp_path: Path) -> None:
    assert read_sagemaker({"SAGEMAKER_BASE_DIR": str(tmp_path)}) is None
