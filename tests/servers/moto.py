"""AWS as moto plays it, over HTTP: a server in this process on a free port of the loopback address.

moto stands in for AWS: it keeps what it is told and answers in AWS's wire formats, but checks neither signatures nor
permissions, and lacks many operations (it answers those with HTTP 500). `UpdateEndpoint` and
`GetModelPackageGroupPolicy` are added here, whole kinds of things of SageMaker in `sagemaker_things`.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from moto.core.responses import EmptyResult
from moto.core.utils import utcnow
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler
from moto.s3.models import s3_backends
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse
from werkzeug.serving import make_server

from servers import sagemaker_things
from servers.once import make_application

ACCOUNT = "123456789012"
REGION = "eu-west-1"


@cache
def client_of(url: str, service: str, region: str, key: str) -> Any:
    """Return the boto3 client of the server at `url` that signs with the access key `key`: one for all who ask."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key="synthetic",
        config=Config(retries={"mode": "standard", "max_attempts": 1}, s3={"addressing_style": "path"}),
    )


@dataclass(frozen=True)
class Moto:
    """A running server: its address, and what clients and child processes need to find it."""

    url: str

    def environment(self) -> dict[str, str]:
        """Return the variables with which boto3, the AWS command line and obstore speak to this server alone."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }

    def client(self, service: str, region: str = REGION) -> Any:
        """Return a boto3 client of this server."""
        return client_of(self.url, service, region, "testing")

    def sagemaker(self, region: str = REGION) -> Any:
        """Return what moto keeps of SageMaker, to change what no request can change: times, states, digests."""
        return sagemaker_backends[ACCOUNT][region]

    def thing(self, word: str, name: str, region: str = REGION) -> dict[str, Any]:
        """Return what is told of an inference component, a domain …, to change what no request can change."""
        return sagemaker_things.things(ACCOUNT, region)[word, name].told

    def object(self, bucket: str, key: str) -> Any:
        """Return what moto keeps of an object in S3, to change when it was written."""
        return s3_backends[ACCOUNT]["aws"].buckets[bucket].keys[key]


class _Quiet(MotoRequestHandler):  # type: ignore[misc]
    """Handles requests without a line on standard error for each."""

    disable_nagle_algorithm = True  # or the body of each answer waits until its headers are acknowledged

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def _say_nothing(*_words: object) -> None:
    """Take the place of a log."""


def _update_endpoint(self: SageMakerResponse) -> Any:
    """Give an endpoint another configuration, at once; moto has no such operation."""
    name = self._get_param("EndpointName")
    backend = self.sagemaker_backend
    endpoint = backend.endpoints.get(name)
    if endpoint is None:
        raise ValidationError(message=f"Could not find endpoint '{name}'.")
    config = backend.describe_endpoint_config(self._get_param("EndpointConfigName"))
    endpoint.endpoint_config_name = config["EndpointConfigName"]
    endpoint.production_variants = endpoint._process_production_variants(config["ProductionVariants"])
    endpoint.last_modified_time = utcnow()
    return EmptyResult()


def _no_policy(self: SageMakerResponse) -> Any:
    """Say that a model package group has no policy; moto has no such operation."""
    name = self._get_param("ModelPackageGroupName")
    raise ValidationError(message=f"Cannot find resource policy for model package group '{name}'.")


@contextmanager
def moto_server() -> Iterator[Moto]:
    """Give a server with nothing in it; what it kept is forgotten in the end.

    Two of them at the same time in one process would share what they keep.
    """
    SageMakerResponse.update_endpoint = _update_endpoint
    SageMakerResponse.get_model_package_group_policy = _no_policy
    sagemaker_things.install()
    sagemaker_things.forget()
    moto_api_backend.reset()
    application = DomainDispatcherApplication(make_application)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    server.log = _say_nothing  # an operation that moto lacks would be a traceback each time
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="moto", daemon=True)
    thread.start()
    try:
        yield Moto(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        moto_api_backend.reset()
        sagemaker_things.forget()
