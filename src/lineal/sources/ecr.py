"""Amazon ECR: the password of a registry, and what AWS says of a repository and its images."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lineal.core import timestamp
from lineal.core.digest import Digest
from lineal.core.image import Image
from lineal.core.observation import Gap
from lineal.core.redaction import clean, redact
from lineal.sources.oci_auth import read_aws_password
from lineal.sources.oci_credentials import Credentials
from lineal.sources.oci_http import NotThere, Unseen

_REGISTRY: Final = re.compile(
    r"(?P<account>[0-9]{12})\.dkr[.-]ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9-]+)"
    r"\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn|c2s\.ic\.gov|sc2s\.sgov\.gov)(?::[0-9]+)?"
)
_TRIES: Final = 4
_DENIED: Final = (
    "AccessDenied",
    "Unauthorized",
    "UnrecognizedClient",
    "InvalidSignature",
    "ExpiredToken",
    "InvalidClientToken",
)
_UNKNOWN: Final = ("RepositoryNotFoundException", "ImageNotFoundException")


@dataclass(frozen=True, slots=True)
class Address:
    """Where an image of ECR lives: account, region and the name of the repository."""

    account: str
    region: str
    repository: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What AWS says of one image: when it was pushed, and all the tags that it has."""

    pushed: str | None
    tags: tuple[str, ...]


def read_address(image: Image) -> Address | None:
    """Return where in ECR `image` lives, None for any other registry."""
    match = _REGISTRY.fullmatch(image.registry)
    return None if match is None else Address(match["account"], match["region"], image.repository)


def find_password(address: Address, environment: Mapping[str, str]) -> Credentials:
    """Return what GetAuthorizationToken gives (``ecr:GetAuthorizationToken``); it holds for twelve hours."""
    answer = _call(address, environment, "get_authorization_token")
    data = answer.get("authorizationData") or [{}]
    return read_aws_password(str(data[0].get("authorizationToken", "")))


def read_settings(address: Address, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what DescribeRepositories says of the repository (``ecr:DescribeRepositories``); raise `Unseen`.

    Whether tags can move (``IMMUTABLE``, ``MUTABLE``, or with exclusions), whether images are scanned when they are
    pushed, how they are encrypted.
    """
    names = {"registryId": address.account, "repositoryNames": [address.repository]}
    found = (_call(address, environment, "describe_repositories", **names).get("repositories") or [{}])[0]
    exclusions = [
        {"type": str(each.get("filterType")), "filter": str(each.get("filter"))}
        for each in found.get("imageTagMutabilityExclusionFilters") or []
    ]
    encryption = found.get("encryptionConfiguration") or {}
    settings = {
        "arn": found.get("repositoryArn"),
        "tag_mutability": found.get("imageTagMutability"),
        "tag_mutability_exclusions": exclusions,
        "scan_on_push": (found.get("imageScanningConfiguration") or {}).get("scanOnPush"),
        "encryption": encryption.get("encryptionType"),
        "kms_key": encryption.get("kmsKey"),
        "created": _moment(found.get("createdAt")),
    }
    return {name: value for name, value in settings.items() if value not in (None, [])}


def read_image(address: Address, digest: Digest, environment: Mapping[str, str]) -> Said:
    """Return what DescribeImages says of one image (``ecr:DescribeImages``); raise `Unseen`."""
    names = {
        "registryId": address.account,
        "repositoryName": address.repository,
        "imageIds": [{"imageDigest": str(digest)}],
    }
    found = (_call(address, environment, "describe_images", **names).get("imageDetails") or [{}])[0]
    return Said(pushed=_moment(found.get("imagePushedAt")), tags=tuple(sorted(map(str, found.get("imageTags") or ()))))


def _moment(value: object) -> str | None:
    return timestamp.spell(value) if isinstance(value, datetime) and value.tzinfo is not None else None


def _call(address: Address, environment: Mapping[str, str], operation: str, **arguments: Any) -> dict[str, Any]:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        why = "ECR is asked with boto3, which is not installed: pip install 'lineal[aws]'"
        raise Unseen(Gap("oci.no_boto3", why)) from error
    config = Config(retries={"mode": "standard", "total_max_attempts": _TRIES}, connect_timeout=10, read_timeout=30)
    endpoint = environment.get("AWS_ENDPOINT_URL_ECR") or environment.get("AWS_ENDPOINT_URL")
    try:
        client = boto3.session.Session().client("ecr", region_name=address.region, endpoint_url=endpoint, config=config)
        found: dict[str, Any] = getattr(client, operation)(**arguments)
    except ClientError as error:
        code, said = (str(error.response.get("Error", {}).get(name, "")) for name in ("Code", "Message"))
        why = f"{operation} of {address.repository} in {address.region}: {code} {redact(clean(said))[0][:200]}".strip()
        if code in _UNKNOWN:
            raise NotThere(Gap("oci.not_there", f"{why}: not there")) from error
        if any(code.startswith(denied) for denied in _DENIED):
            raise Unseen(Gap("oci.denied", f"AWS refuses {why}")) from error
        raise Unseen(Gap("oci.aws", f"AWS did not answer {why}")) from error
    except (BotoCoreError, ValueError) as error:
        raise Unseen(Gap("oci.aws", f"AWS cannot be asked for {operation}: {redact(str(error))[0][:200]}")) from error
    return found
