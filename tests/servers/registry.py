"""A real OCI registry, Debian's docker-registry, and real images, made by umoci and pushed by skopeo.

`serving(folder)` starts the program on a free port of the loopback address and ends it again. Where the Debian
packages docker-registry, skopeo and umoci are absent, `require()` skips the test visibly.
"""

import base64
import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = ("docker-registry", "skopeo", "umoci")
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_START_SECONDS = 30
_TRIES = 3


def require() -> None:
    """Skip the test where a program is absent."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)} (apt-get install {' '.join(PROGRAMS)})")


@dataclass(frozen=True)
class Registry:
    """A registry that answers: its address, ``127.0.0.1:PORT``, and headers for whoever may write to it."""

    address: str
    folder: Path
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request and return status, headers with names in lower case, and body."""
        request = urllib.request.Request(
            f"http://{self.address}{path}",
            data=body,
            method=method,
            headers={**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=900) as answer:
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()

    def put_blob(self, repository: str, data: bytes) -> dict[str, Any]:
        """Push a blob and return the start of its descriptor."""
        digest = digest_of(data)
        status, headers, body = self.send("POST", f"/v2/{repository}/blobs/uploads/", b"")
        assert status == 202, body
        place = headers["location"].partition(self.address)[2] or headers["location"]
        joined = f"{place}{'&' if '?' in place else '?'}digest={digest}"
        status, _, body = self.send("PUT", joined, data, Content_Type="application/octet-stream")
        assert status == 201, body
        return {"digest": digest, "size": len(data)}

    def put_manifest(self, repository: str, reference: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Push a manifest or index under a tag or digest and return its descriptor."""
        data = json.dumps(document).encode()
        kind = str(document["mediaType"])
        status, _, body = self.send("PUT", f"/v2/{repository}/manifests/{reference}", data, Content_Type=kind)
        assert status == 201, body
        return {"mediaType": kind, "digest": digest_of(data), "size": len(data)}

    def put_image(self, repository: str, tag: str | None = None, **said: Any) -> dict[str, Any]:
        """Push an image of one small layer by hand; `said` are fields of its configuration; without a tag by digest."""
        config, layer = json.dumps(image_config(**said)).encode(), json.dumps(said, sort_keys=True).encode()
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                **self.put_blob(repository, config),
            },
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **self.put_blob(repository, layer)}],
        }
        return self.put_manifest(repository, tag or digest_of(json.dumps(document).encode()), document)

    def put_index(
        self,
        repository: str,
        tag: str,
        parts: Mapping[str, Mapping[str, Any]],
        annotations: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Push an index of images by platform (``linux/arm64``)."""
        manifests = [
            {**part, "platform": dict(zip(("os", "architecture"), platform.split("/"), strict=True))}
            for platform, part in parts.items()
        ]
        document: dict[str, Any] = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        if annotations:
            document["annotations"] = dict(annotations)
        return self.put_manifest(repository, tag, document)

    def digest(self, repository: str, tag: str) -> str:
        """Return the digest of what a tag names, computed from the bytes that the registry gives."""
        status, _, body = self.send("GET", f"/v2/{repository}/manifests/{tag}", Accept=f"{MANIFEST}, {INDEX}")
        assert status == 200, body
        return digest_of(body)

    def delete(self, repository: str, reference: str) -> None:
        status, _, body = self.send("DELETE", f"/v2/{repository}/manifests/{reference}")
        assert status == 202, body

    def push(self, layout: Path, tag: str, image: str, *options: str) -> None:
        """Copy the image `tag` of an OCI layout to ``REPOSITORY:TAG`` with skopeo."""
        skopeo("copy", "--dest-tls-verify=false", *options, f"oci:{layout}:{tag}", f"docker://{self.address}/{image}")


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def image_config(**said: Any) -> dict[str, Any]:
    """Return a configuration such as builders write; `said` are labels, env, created, architecture, history."""
    return {
        "created": said.get("created", "2026-03-01T10:00:00.123456789Z"),
        "architecture": said.get("architecture", "amd64"),
        "os": "linux",
        "config": {
            "Env": said.get("env", ["PATH=/usr/bin", "PYTHON_VERSION=3.11.7"]),
            "Entrypoint": ["python", "train.py"],
            "Labels": said.get("labels", {}),
        },
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": said.get("history", [{"created_by": "COPY train.py /opt/ # buildkit"}]),
    }


def skopeo(*arguments: str) -> str:
    done = subprocess.run(
        ["skopeo", "--insecure-policy", *arguments], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def umoci(*arguments: str | Path) -> None:
    done = subprocess.run(["umoci", *map(str, arguments)], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr


def make_layout(
    layout: Path,
    tag: str,
    files: Mapping[str, str],
    *,
    labels: Mapping[str, str] | None = None,
    env: Sequence[str] = (),
    architecture: str = "amd64",
) -> Path:
    """Make an image of some files with umoci, as the image `tag` of the OCI layout in the folder `layout`."""
    if not layout.exists():
        umoci("init", "--layout", layout)
    image = f"{layout}:{tag}"
    umoci("new", "--image", image)
    for name, text in files.items():
        source = layout.parent / f"{layout.name}-{name}"
        source.write_text(text, encoding="utf-8")
        umoci("insert", "--rootless", "--image", image, source, f"/opt/{name}")
    settings = [f"--config.label={name}={value}" for name, value in (labels or {}).items()]
    settings += [f"--config.env={each}" for each in env]
    umoci("config", "--image", image, f"--architecture={architecture}", "--config.entrypoint=python", *settings)
    return layout


def make_htpasswd(folder: Path, user: str, hashed: str) -> dict[str, Any]:
    """Return the settings of a registry that lets in one user by HTTP Basic; `hashed` is the password in bcrypt."""
    file = folder / "htpasswd"
    file.write_text(f"{user}:{hashed}\n")
    return {"htpasswd": {"realm": "test", "path": str(file)}}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@contextmanager
def serving(
    folder: Path, *, auth: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> Iterator[Registry]:
    """Run a registry that keeps its things below `folder`; `auth` are its settings of that name."""
    require()
    folder.mkdir(parents=True, exist_ok=True)
    for attempt in range(_TRIES):  # somebody may take the port between finding it free and listening on it
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        settings: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
            "http": {"addr": address, "secret": "test"},
        }
        if auth:
            settings["auth"] = dict(auth)
        (folder / "config.yml").write_text(json.dumps(settings))  # JSON is YAML
        with open(folder / "log", "ab") as log:
            process = subprocess.Popen(
                ["docker-registry", "serve", str(folder / "config.yml")],
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), "OTEL_TRACES_EXPORTER": "none"},
            )
        registry = Registry(address, folder, dict(headers or {}))
        try:
            if _answers(registry, process):
                yield registry
                return
        finally:
            process.terminate()
            process.wait(900)
        assert attempt < _TRIES - 1, f"docker-registry does not start: {(folder / 'log').read_text()[-2000:]}"


def _answers(registry: Registry, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if registry.send("GET", "/v2/")[0] in (200, 401):
                return True
        except OSError:
            time.sleep(0.05)
    return False
