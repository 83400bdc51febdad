"""The places where the example's team keeps its things: a bucket, AWS, a Git host, an image. All on this machine."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))  # the servers are those of the tests

BUCKET: Final = "lake"
IMAGE: Final = "tumour-classifier"
TAG: Final = "1.4"
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Places:
    """What the story needs of them: clients, and the environment in which programs find them."""

    s3: Any
    sagemaker: Any
    ecr: Any
    account: str
    region: str
    repository: str
    environment: dict[str, str]
    moto: Any

    def approve(self, package: str, who: str, why: str) -> None:
        """Approve a model package as `who`: moto would name the same person for everything."""
        self.sagemaker.update_model_package(
            ModelPackageArn=package, ModelApprovalStatus="Approved", ApprovalDescription=why
        )
        kept = next(each for each in self.moto.model_packages.values() if each.arn == package)
        kept.last_modified_by = {"UserProfileArn": f"arn:aws:sagemaker:::user-profile/{who}", "UserProfileName": who}

    def arn(self, kind: str, name: str) -> str:
        """Return the ARN of something of SageMaker."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name}"

    @property
    def registry(self) -> str:
        """The registry of the account's images."""
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com"


@contextmanager
def open_places(folder: Path) -> Iterator[Places]:
    """Start SeaweedFS (a real S3 server), a Git host, and moto (which plays the rest of AWS) while the block runs."""
    from servers import git_http, moto, seaweed

    hosted = folder / "git"
    bare = str(hosted / "pharma" / "tumour.git")
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", bare], check=True)
    subprocess.run(["git", "-C", bare, "config", "http.receivepack", "true"], check=True)
    with seaweed.serving(folder) as s3, moto.moto_server() as aws, git_http.git_host(hosted) as host:
        client = s3.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        environment = {
            **aws.environment(),
            "AWS_ENDPOINT_URL_S3": s3.endpoint,
            "AWS_ACCESS_KEY_ID": s3.access_key,
            "AWS_SECRET_ACCESS_KEY": s3.secret_key,
            "AWS_MAX_ATTEMPTS": "2",  # moto answers what it has not with an error that would be tried again
        }
        yield Places(
            s3=client,
            sagemaker=aws.client("sagemaker"),
            ecr=aws.client("ecr"),
            account=moto.ACCOUNT,
            region=moto.REGION,
            repository=host.url("pharma/tumour"),
            environment=environment,
            moto=aws.sagemaker(),
        )


def build_image(layout: Path, labels: Mapping[str, str]) -> tuple[str, str]:
    """Write an image of one empty layer as an OCI layout; return its digest and its manifest.

    Stands for `docker build`, which needs a daemon: what is traced are manifest, configuration and labels.
    """
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, media: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(data)}

    empty = bytes(1024)  # a tar archive of nothing
    layer = put(empty, _LAYER)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["python", "train.py"], "Labels": dict(labels)},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": put(json.dumps(config).encode(), _CONFIG),
        "layers": [layer],
    }
    text = json.dumps(manifest)
    described = put(text.encode(), _MANIFEST)
    named = {**described, "annotations": {"org.opencontainers.image.ref.name": TAG}}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return described["digest"], text


def environment_of(places: Places, home: Path, **more: str) -> dict[str, str]:
    """Return the environment of the team's programs: this Python first on the path, a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LINEAL", "AWS", "GIT", "DVC"))}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return {
        **kept,
        **places.environment,
        "PATH": path,
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        **more,
    }
