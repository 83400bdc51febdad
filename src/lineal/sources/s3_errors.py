"""What S3 and its clients say went wrong, as errors of the house."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from lineal.errors import BadInput, LinealError, ObjectChanged, SourceDenied, SourceError
from lineal.sources.client_errors import LOGIN, is_foreign, shown, unready

PERMISSIONS: Final = "docs/sources/s3.md lists the permissions that are needed."
_CODE: Final = re.compile(r"<Code>([A-Za-z0-9.]{1,80})</Code>")
_STATUS: Final = re.compile(r"\b(?:status code|status)[: ]+\(?([1-5]\d\d)\b")

_GONE: Final = frozenset({"NoSuchKey", "NoSuchVersion", "404", "NotFound", "MethodNotAllowed", "405"})
_CHANGED: Final = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict"})
_DENIED: Final = frozenset({"AccessDenied", "403", "Forbidden", "AllAccessDisabled", "AccountProblem"})
_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken"})
_FIXES: Final = {
    "RequestTimeTooSkewed": "Set the clock of this machine (NTP): S3 refuses requests that are 15 minutes off.",
    "RequestExpired": "Set the clock of this machine (NTP): S3 refuses requests that are 15 minutes off.",
    "SignatureDoesNotMatch": "Check the secret key: `aws sts get-caller-identity` with the same profile must work.",
    "InvalidAccessKeyId": "Check the access key: `aws sts get-caller-identity` with the same profile must work.",
    "NoSuchBucket": "Check the name of the bucket, and the endpoint (--endpoint-url).",
    "PermanentRedirect": "Name the region of the bucket: AWS_REGION=…",
    "InvalidObjectState": "The object is archived: restore it from Glacier first (`aws s3api restore-object`).",
    "SlowDown": "The store asks to slow down: run the command again later; what is known already is not read again.",
}


def code_of(error: BaseException) -> str:
    """Return the code of S3 in a foreign error (``NoSuchKey``), or its HTTP status; empty if it has neither."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code") or "")
    if isinstance(error, FileNotFoundError):
        return "NoSuchBucket" if "NoSuchBucket" in str(error) else "NoSuchKey"
    if type(error).__name__ == "PreconditionError":
        return "PreconditionFailed"
    match = _CODE.search(str(error)) or _STATUS.search(str(error))
    return match[1] if match is not None else ""


def is_missing(error: BaseException) -> bool:
    """Return whether the foreign `error` says that there is no such object."""
    return code_of(error) in _GONE


def is_denied(error: BaseException) -> bool:
    """Return whether the foreign `error` says that it is not allowed."""
    return code_of(error) in _DENIED


@contextmanager
def s3_errors(what: str) -> Iterator[None]:
    """Turn each foreign error of the block into an error of the house that names `what`."""
    try:
        yield
    except LinealError:
        raise
    except Exception as error:
        if not is_foreign(error):
            raise
        raise translate(error, what) from error


def whole(what: str, begin: Callable[[], Iterator[Any]], length: int) -> Iterator[bytes]:
    """Yield the `length` bytes of the stream that `begin` opens; raise `SourceError` branches if not all come."""
    got = 0
    with s3_errors(what):
        for piece in begin():
            got += len(piece)
            yield bytes(piece)
    if got != length:
        raise SourceError(f"{what} was cut off: {got} bytes came of {length}; nothing was recorded")


def no_bucket(what: str) -> BadInput:
    """Return the error for a bucket that is not there."""
    return BadInput(f"there is no such bucket: {what}", fix=_FIXES["NoSuchBucket"])


def translate(error: BaseException, what: str) -> LinealError:
    """Return the error of the house for what a client of S3 raised about `what`."""
    code = code_of(error)
    if code == "NoSuchBucket":
        return no_bucket(what)
    if code in _GONE:
        return ObjectChanged(
            f"{what} was removed between listing and reading; nothing was recorded",
            fix="Wait until nobody writes to the prefix, or let the bucket keep versions.",
        )
    if code in _CHANGED:
        return ObjectChanged(
            f"{what} was written to between listing and reading; nothing was recorded",
            fix="Wait until nobody writes to the prefix, or let the bucket keep versions.",
        )
    if code in _DENIED:
        return SourceDenied(f"access to {what} is denied ({code})", fix=PERMISSIONS)
    if code in _EXPIRED:
        return SourceError(f"the credentials for {what} have expired ({code})", fix=LOGIN)
    if code in _FIXES:
        return SourceError(f"{what} is refused ({code})", fix=_FIXES[code])
    if (found := unready(error, what)) is not None:
        return found
    return SourceError(f"{what} cannot be had: {code or shown(error)}")
