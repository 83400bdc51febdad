"""A role of AWS assumed with the credentials of another access, and assumed again as they expire."""

from typing import Any, Final

from lineal.errors import SourceError
from lineal.sources.aws_models import share_models
from lineal.sources.aws_session import AwsAccess, Refusal, ask
from lineal.sources.client_errors import CREDENTIALS

_NAME: Final = "lineal"
_METHOD: Final = "assume-role"


def assume_role(access: AwsAccess, arn: str, external_id: str | None = None) -> AwsAccess:
    """Return an access with the credentials of the role `arn`, assumed by those of `access` (STS AssumeRole).

    Raises `SourceError` where the role cannot be assumed.
    """
    import boto3.session
    import botocore.session
    from botocore.credentials import RefreshableCredentials

    client = access.client("sts")
    wanted = {"RoleArn": arn, "RoleSessionName": _NAME} | ({} if external_id is None else {"ExternalId": external_id})

    def fetch() -> dict[str, str]:
        answer = ask(client, "AssumeRole", **wanted)
        if isinstance(answer, Refusal):
            raise SourceError(f"the role {arn} cannot be assumed: {answer.text}", fix=CREDENTIALS)
        return _told(answer["Credentials"])

    held = botocore.session.Session(profile=access.session._session.profile)
    held._credentials = RefreshableCredentials.create_from_metadata(fetch(), fetch, _METHOD)
    held.set_config_variable("region", access.region)
    return AwsAccess(share_models(boto3.session.Session(botocore_session=held)), access.region)


def _told(credentials: dict[str, Any]) -> dict[str, str]:
    return {
        "access_key": credentials["AccessKeyId"],
        "secret_key": credentials["SecretAccessKey"],
        "token": credentials["SessionToken"],
        "expiry_time": credentials["Expiration"].isoformat(),
    }
