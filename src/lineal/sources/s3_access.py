"""Access to S3: clients with the ordinary credentials of AWS, which are used and never kept."""

import os
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from lineal.core.redaction import strip_url
from lineal.errors import BadInput
from lineal.sources.s3_errors import s3_errors

CONNECTIONS: Final = 32
_TRIES: Final = 8
_CONNECT_SECONDS: Final = 10
_READ_SECONDS: Final = 60
_RETRY_SECONDS: Final = 120
_USUAL: Final = re.compile(r"https://s3(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?")
_INSTALL: Final = "pip install 'lineal[aws]'"


@dataclass(frozen=True, slots=True)
class S3Access:
    """A boto3 session, its client for S3, and the address of the server where that is not the usual one of AWS.

    Clients of boto3 may be shared among threads.
    """

    session: Any
    client: Any
    address: str | None

    @property
    def endpoint(self) -> str | None:
        """The address of a server other than AWS; None for AWS, also by its private and FIPS addresses."""
        return self.address if _is_elsewhere(self.address) else None

    @property
    def shown_endpoint(self) -> str | None:
        """The address of the server as it can be recorded, without user and password."""
        return None if self.endpoint is None else strip_url(self.endpoint)[0]


def open_s3(endpoint: str | None = None) -> S3Access:
    """Open S3 as the AWS command line would: profile, variables, configuration, role; `endpoint` names another server.

    Raises `BadInput` without boto3 or for what is no address, `SourceError` for a broken configuration.
    """
    try:
        import boto3.session
        from botocore.config import Config
    except ImportError as error:
        raise BadInput("reading from S3 needs boto3", fix=_INSTALL) from error
    endpoint = endpoint or configured_endpoint()
    if endpoint is not None and urlsplit(endpoint).scheme not in ("http", "https"):
        raise BadInput(f"not the address of a server: {strip_url(endpoint)[0]!r}", fix="Write https://HOST:PORT.")
    own: dict[str, Any] = {"s3": {"addressing_style": "path"}} if _is_elsewhere(endpoint) else {}
    config = Config(
        retries={"mode": "adaptive", "total_max_attempts": _TRIES},
        max_pool_connections=CONNECTIONS,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        user_agent_extra="lineal",
        **own,
    )
    with s3_errors("S3"):
        session = boto3.session.Session()
        client = session.client(
            "s3", endpoint_url=endpoint, config=config, region_name=session.region_name or "us-east-1"
        )
        used = str(client.meta.endpoint_url)
    return S3Access(session, client, None if _USUAL.fullmatch(used) else used)


def configured_endpoint() -> str | None:
    """Return the server that the environment names in the place of AWS, None if it names none."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def _is_elsewhere(endpoint: str | None) -> bool:
    host = (urlsplit(endpoint).hostname or "") if endpoint is not None else ""
    return endpoint is not None and not host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def open_store(access: S3Access, bucket: str, region: str | None) -> Any:
    """Return an obstore store for reading `bucket`, with the credentials of `access`, asked for when they are needed.

    Raises `BadInput` without obstore, `SourceError` without credentials.
    """
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
        from obstore.store import S3Store
    except ImportError as error:
        raise BadInput("reading from S3 needs obstore", fix=_INSTALL) from error
    with s3_errors(f"s3://{bucket}"):
        from botocore.exceptions import NoCredentialsError

        if access.session.get_credentials() is None:
            raise NoCredentialsError
        options: dict[str, Any] = {} if access.address is None else {"endpoint": access.address}
        return S3Store(
            bucket,
            region=region or access.client.meta.region_name,
            credential_provider=Boto3CredentialProvider(access.session, ttl=timedelta(minutes=5)),
            client_options=client_options(access.address),
            retry_config=retries(),
            virtual_hosted_style_request=False,
            **options,
        )


def client_options(endpoint: str | None) -> Any:
    """Return how obstore speaks HTTP: no limit on how long a whole object takes, but on each step of it."""
    return {
        "allow_http": endpoint is not None and endpoint.startswith("http://"),
        "connect_timeout": f"{_CONNECT_SECONDS}s",
        "read_timeout": f"{_READ_SECONDS}s",
        "timeout": "24h",
        "user_agent": "lineal",
    }


def retries() -> Any:
    """Return how obstore tries again: as often and as long as the other client."""
    return {"max_retries": _TRIES - 1, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)}
