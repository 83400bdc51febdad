"""A project as teams have it, with git, DVC, S3, a container and SageMaker, collected into one graph and questioned.

python examples/tumour-classifier/story.py [FOLDER]    FOLDER must not exist; without it, a temporary one is used

SeaweedFS is a real S3 server and DVC the real program; moto plays the rest of AWS, and is no AWS.
"""

import csv
import json
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from places import BUCKET, IMAGE, TAG, Places, build_image, environment_of, open_places

from servers.dvc_program import dvc_program

HERE: Final = Path(__file__).resolve().parent
JOB: Final = "tumour-2026-11-25"
GROUP: Final = "tumour"
ENDPOINT: Final = "tumour-prod"
ROLE: Final = "arn:aws:iam::123456789012:role/training"
HYPER: Final = {"C": "0.5", "max_iter": "500", "seed": "7"}


@dataclass(slots=True)
class Team:
    """Whoever types the commands: in the project's folder, with the programs and places of the example."""

    places: Places
    project: Path
    environment: dict[str, str]

    def type(self, *words: str, expect: int = 0, quietly: bool = False, **more: str) -> str:
        """Run a command as a person would; print it, and what it prints unless `quietly`; return that."""
        print(f"\n$ {shlex.join(words)}", flush=True)
        done = subprocess.run(
            words, cwd=self.project, env={**self.environment, **more}, text=True, capture_output=True, check=False
        )
        if not quietly or done.returncode != expect:
            print(done.stdout + done.stderr, end="", flush=True)
        if done.returncode != expect:
            sys.exit(f"`{shlex.join(words)}` ended with {done.returncode}, not {expect}")
        return done.stdout


def write_project(team: Team) -> str:
    """Put code into git and data into DVC, both pushed to where the team keeps them; return the commit."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    shutil.copytree(HERE / "project", team.project, dirs_exist_ok=True)
    for number in range(4):
        part = team.project / "data" / "measurements" / f"part-{number}.csv"
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow([*found.feature_names, "benign"])
            rows.writerows(
                [*values, kind] for values, kind in list(zip(found.data, found.target, strict=True))[number::4]
            )
    for words in (
        ("git", "init", "--quiet", "--initial-branch=main"),
        ("git", "remote", "add", "origin", team.places.repository),
        ("dvc", "init", "--quiet"),
        ("dvc", "remote", "add", "--quiet", "--default", "lake", f"s3://{BUCKET}/tumour"),
        ("dvc", "remote", "modify", "--quiet", "lake", "endpointurl", team.environment["AWS_ENDPOINT_URL_S3"]),
        ("dvc", "remote", "modify", "--quiet", "lake", "version_aware", "true"),
        ("dvc", "add", "--quiet", "data/measurements"),
        ("dvc", "push", "--quiet"),
        ("git", "add", "."),
        ("git", "commit", "--quiet", "--message", "Train a tumour classifier"),
        ("git", "push", "--quiet", "origin", "main"),
    ):
        team.type(*words, quietly=True)
    return team.type("git", "rev-parse", "HEAD", quietly=True).strip()


def push_image(team: Team, layout: Path, commit: str) -> str:
    """Build the training image from the commit and put it into ECR; return its address by digest."""
    labels = {
        "org.opencontainers.image.source": team.places.repository,
        "org.opencontainers.image.revision": commit,
    }
    digest, manifest = build_image(layout, labels)
    team.places.ecr.create_repository(repositoryName=IMAGE, imageTagMutability="IMMUTABLE")
    team.places.ecr.put_image(repositoryName=IMAGE, imageManifest=manifest, imageTag=TAG)
    return f"{team.places.registry}/{IMAGE}@{digest}"


def train(team: Team, base: Path, image: str) -> str:
    """Run the training job as SageMaker does: the container's layout filled, the script run in it, the model stored.

    The script runs under `lineal run`, which stands before it in the container's entry point. Returns the model's URI.
    """
    for folder in ("input/config", "model", "output"):
        (base / folder).mkdir(parents=True)
    shutil.copytree(team.project / "data" / "measurements", base / "input" / "data" / "train")
    (base / "input" / "config" / "hyperparameters.json").write_text(json.dumps(HYPER))
    team.places.sagemaker.create_training_job(
        TrainingJobName=JOB,
        HyperParameters=HYPER,
        AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        InputDataConfig=[
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/tumour/data/measurements/"}
                },
            }
        ],
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/models/"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
    )
    arn = team.places.arn("training-job", JOB)
    said = {"SAGEMAKER_BASE_DIR": str(base), "TRAINING_JOB_NAME": JOB, "TRAINING_JOB_ARN": arn}
    team.type("lineal", "run", "--name", "train", "--", "python", "train.py", **said)
    archive = base / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(base / "model", arcname=".")
    key = f"models/{JOB}/output/model.tar.gz"
    team.places.s3.upload_file(str(archive), BUCKET, key)
    return f"s3://{BUCKET}/{key}"


def release(team: Team, image: str, model: str, commit: str) -> None:
    """Register the model as a package, let it be approved, and put it behind an endpoint."""
    aws = team.places.sagemaker
    aws.create_model_package_group(ModelPackageGroupName=GROUP, ModelPackageGroupDescription="Tumour classifier")
    package = aws.create_model_package(
        ModelPackageGroupName=GROUP,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": model}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        MetadataProperties={"CommitId": commit, "Repository": team.places.repository},
    )["ModelPackageArn"]
    team.type("lineal", "collect", "sagemaker")
    team.places.approve(package, "bo", "recall on the rows held out")
    aws.create_model(ModelName="tumour-1", PrimaryContainer={"ModelPackageName": package}, ExecutionRoleArn=ROLE)
    variant = {
        "VariantName": "all",
        "ModelName": "tumour-1",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }
    aws.create_endpoint_config(EndpointConfigName="tumour-1", ProductionVariants=[variant])
    aws.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="tumour-1")


def tell(folder: Path) -> None:
    """Tell the whole story in `folder`."""
    home, project = folder / "home", folder / "tumour"
    for each in (home, project, folder / "servers"):
        each.mkdir(parents=True)
    programs = dvc_program(3).parent
    with open_places(folder / "servers") as places:
        environment = environment_of(places, home, LINEAL_ACTOR="ana@bank.example", DVC_NO_ANALYTICS="1")
        environment["PATH"] += f":{programs}"
        team = Team(places, project, environment)
        for name, value in (("user.name", "Ana"), ("user.email", "ana@bank.example")):
            team.type("git", "config", "--global", name, value, quietly=True)
        commit = write_project(team)
        image = push_image(team, folder / "image", commit)
        team.type("lineal", "init")
        team.type("lineal", "collect", "git", ".", "--verify")
        team.type("lineal", "collect", "dvc", ".", "--hash")
        team.type("lineal", "collect", "oci", image, "--layout", str(folder / "image"))
        model = train(team, folder / "opt-ml", image)
        release(team, image, model, commit)
        team.type("lineal", "collect", "sagemaker")
        endpoint = places.arn("endpoint", ENDPOINT)
        team.type("lineal", "trace", endpoint)
        team.type("lineal", "check", endpoint)
        team.type("lineal", "impact", f"s3://{BUCKET}/tumour/data/measurements/", "--kind", "endpoint")
        team.type("lineal", "restore", f"s3://{BUCKET}/tumour/data/measurements/", str(folder / "data-again"))
        team.type("lineal", "restore", f"model:{GROUP}@1", str(folder / "model-again.tar.gz"))
        team.type("lineal", "restore", commit, str(folder / "code-again"))
        team.type("lineal", "verify")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        tell(Path(sys.argv[1]).absolute())
    else:
        with tempfile.TemporaryDirectory(prefix="lineal-example-") as made:
            tell(Path(made))
