"""What clients of AWS and of object stores raise whatever was asked: whose errors they are, and why nobody answers."""

from typing import Final

from lineal.core.redaction import redact
from lineal.errors import SourceError

LOGIN: Final = "Get new credentials (`aws sso login`, or whoever gives out your session) and run the command again."
CREDENTIALS: Final = "`aws configure`, AWS_PROFILE=…, or a role; `aws sts get-caller-identity` must work."
PROFILES: Final = "`aws configure list-profiles` lists what there is."

_MODULES: Final = frozenset({"botocore", "boto3", "obstore", "urllib3", "s3transfer"})
_NO_CREDENTIALS: Final = frozenset({"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"})
_NO_LOGIN: Final = frozenset({"SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError", "SSOError"})


def is_foreign(error: BaseException) -> bool:
    """Return whether an error comes from the clients or their transports: any other is a bug of ours and must show."""
    modules = {cls.__module__.split(".")[0] for cls in type(error).__mro__}
    return bool(modules & _MODULES) or isinstance(error, OSError)


def unready(error: BaseException, what: str) -> SourceError | None:
    """Return the error for a client that cannot ask for `what`: no credentials, no such profile; None for another."""
    kind = type(error).__name__
    if kind in _NO_CREDENTIALS:
        return SourceError(f"there are no credentials for {what}", fix=CREDENTIALS)
    if kind in _NO_LOGIN:
        return SourceError(f"no credentials for {what}: {shown(error)}", fix=LOGIN)
    if kind == "ProfileNotFound":
        return SourceError(f"no credentials for {what}: {shown(error)}", fix=PROFILES)
    return None


def shown(error: BaseException) -> str:
    """Return the first line of a foreign error without secrets, cut to what a person reads."""
    return shown_text(str(error)) or type(error).__name__


def shown_text(text: str) -> str:
    """Return the first line of a foreign text as `shown`; of a web page only that it is one."""
    line = next((each for each in text.splitlines() if each.strip()), "")
    return "the answer is a web page" if line.lower().startswith("<!doctype") else redact(line)[0][:300]
