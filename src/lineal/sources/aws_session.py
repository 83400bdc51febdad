"""How AWS is asked: clients with the ordinary credentials, many calls at once, and refusals as values.

Credentials are found as the AWS command line finds them, are used and never kept. A refusal that concerns one call
(not allowed, throttled, not there) is a value, `Refusal`: the rest goes on. One that concerns all calls (no or expired
credentials, no way to the endpoint) is a `SourceError`.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from traceback import walk_tb
from typing import IO, Any, Final, TypeVar

from lineal.core.observation import Gap
from lineal.errors import BadInput, LinealError, SourceError
from lineal.sources.aws_models import share_models
from lineal.sources.client_errors import CREDENTIALS, LOGIN, PROFILES, is_foreign, shown, shown_text, unready
from lineal.sources.reading_ahead import read_ahead

AT_ONCE: Final = 8
_TRIES: Final = 10
_CONNECT_SECONDS: Final = 10
_READ_SECONDS: Final = 60

DENIED, THROTTLED, UNKNOWN, MISSING, FAILED = "denied", "throttled", "unknown", "missing", "failed"

_DENIED: Final = frozenset("AccessDenied AccessDeniedException UnauthorizedOperation Forbidden 403".split())  # noqa: SIM905
_THROTTLED: Final = frozenset(
    "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException SlowDown "  # noqa: SIM905
    "TooManyRequestsException RequestLimitExceeded BandwidthLimitExceeded LimitExceededException 429".split()
)
_UNKNOWN: Final = frozenset(
    "UnknownOperation UnknownOperationException InvalidAction NotImplemented 501".split()  # noqa: SIM905
)
_MISSING: Final = frozenset("ResourceNotFound ResourceNotFoundException NoSuchKey NoSuchBucket NotFound 404".split())  # noqa: SIM905
# What is not there, as the other services say it: NoSuchEntity, RepositoryPolicyNotFoundException.
_MISSING_CODE: Final = re.compile(r"NoSuch\w+|\w+NotFound(?:Exception|Fault)?")
# SageMaker and CloudFormation say of many kinds of things only in words that they are not there.
_MISSING_WORDS: Final = re.compile(
    r"could not find|not found|does not exist|no such|doesn't exist|cannot find", re.IGNORECASE
)
_EXPIRED: Final = frozenset("ExpiredToken ExpiredTokenException RequestExpired TokenRefreshRequired".split())  # noqa: SIM905
_BAD_CREDENTIALS: Final = frozenset(
    "UnrecognizedClientException InvalidClientTokenId InvalidSignatureException SignatureDoesNotMatch "  # noqa: SIM905
    "InvalidAccessKeyId MissingAuthenticationToken MissingAuthenticationTokenException IncompleteSignature "
    "InvalidToken AuthFailure OptInRequired".split()
)
_ASSUME: Final = "AssumeRole"
_NETWORK: Final = "Check the network, the region and AWS_ENDPOINT_URL, then run the command again."

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One call that AWS did not answer: of what `kind` that is, which `operation`, and in which words."""

    kind: str
    operation: str
    text: str

    def gap(self, about: str | None = None) -> Gap:
        """Return what is to be recorded of it."""
        if self.kind == DENIED:
            return Gap("aws.denied", f"{self.operation} is not allowed: {self.text}", about)
        if self.kind == THROTTLED:
            return Gap("aws.throttled", f"{self.operation} was throttled again and again: {self.text}", about)
        if self.kind == UNKNOWN:
            return Gap("aws.unknown_operation", f"this endpoint does not know {self.operation}", about)
        if self.kind == MISSING:
            return Gap("aws.missing", f"{self.operation} says that it is not there: {self.text}", about)
        return Gap("aws.failed", f"{self.operation} failed: {self.text}", about)


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """A boto3 session for one region; its clients may be shared among threads."""

    session: Any
    region: str

    def client(self, service: str) -> Any:
        """Return a client of `service`: its endpoint as AWS_ENDPOINT_URL or the profile says, patient with throttling.

        Raises `SourceError` for a broken configuration.
        """
        from botocore.config import Config

        tries = self.session._session.get_config_variable("max_attempts") or _TRIES
        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": int(tries)},
            max_pool_connections=2 * AT_ONCE,
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            user_agent_extra="lineal",
        )
        try:
            return self.session.client(service, region_name=self.region, config=config)
        except Exception as error:
            if not is_foreign(error):
                raise
            raise _fatal(error, service) from error

    def partition(self) -> str:
        """Return the partition of the region, as it stands in ARNs: ``aws``, ``aws-cn``, ``aws-us-gov`` …"""
        try:
            return str(self.session.get_partition_for_region(self.region))
        except Exception as error:
            if not is_foreign(error):
                raise
            return "aws"

    def account(self) -> str | None:
        """Return the number of the account whose credentials these are; None where STS cannot be asked.

        Raises `SourceError` for missing, wrong and expired credentials.
        """
        try:
            return str(self.client("sts").get_caller_identity()["Account"])
        except Exception as error:
            if not is_foreign(error):
                raise
            if not _is_unreachable(error):
                _translate(error, "GetCallerIdentity")
            return None


def open_aws(region: str | None = None, profile: str | None = None) -> AwsAccess:
    """Open AWS as its command line would: `profile`, variables, configuration, role.

    Raises `BadInput` without boto3 or where no region is known, `SourceError` for a broken configuration.
    """
    try:
        import boto3.session
    except ImportError as error:
        raise BadInput("reading from AWS needs boto3", fix="pip install 'lineal[aws]'") from error
    try:
        # AWS_REGION is what the other SDKs of AWS read; boto3 reads AWS_DEFAULT_REGION by itself.
        named = region or os.environ.get("AWS_REGION") or None
        session = share_models(boto3.session.Session(region_name=named, profile_name=profile))
        found = session.region_name
    except Exception as error:
        if not is_foreign(error):
            raise
        raise _fatal(error, "AWS") from error
    if found is None:
        raise BadInput("no region of AWS is known", fix="Name it: --region eu-west-1, or AWS_REGION.")
    return AwsAccess(session, str(found))


def is_about_credentials(error: LinealError) -> bool:
    """Return whether an error of this module says that with these credentials no call at all will be answered."""
    return error.hint in {LOGIN, CREDENTIALS, PROFILES}


def ask(client: Any, operation: str, **parameters: Any) -> dict[str, Any] | Refusal:
    """Return the answer of `operation` (as AWS spells it: ``DescribeModel``), or why there is none.

    Raises `SourceError` where no call would be answered.
    """
    from botocore import xform_name

    call = getattr(client, xform_name(operation), None)
    if call is None:
        return Refusal(UNKNOWN, operation, "this boto3 is too old for it")
    try:
        answer: dict[str, Any] = call(**parameters)
    except Exception as error:
        if is_foreign(error):
            return _translate(error, operation)
        if _is_within_botocore(error):
            return Refusal(FAILED, operation, f"the answer cannot be read ({type(error).__name__})")
        raise
    answer.pop("ResponseMetadata", None)
    return answer


def _is_within_botocore(error: BaseException) -> bool:
    """Return whether botocore stumbled: its parsers do, over an answer that breaks their model of the service."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    return any(frame.f_globals.get("__name__", "").startswith("botocore.") for frame in frames)


def download(client: Any, file: IO[bytes], **wanted: Any) -> Refusal | None:
    """Write the body of the object that GetObject gives into `file`; return why it cannot be had, if so."""
    answer = ask(client, "GetObject", **wanted)
    if isinstance(answer, Refusal):
        return answer
    try:
        for chunk in answer["Body"].iter_chunks(1 << 20):
            file.write(chunk)
    except Exception as error:
        if not is_foreign(error) or isinstance(error, OSError):
            raise
        return Refusal(FAILED, "GetObject", shown(error))
    return None


def pages(
    client: Any,
    operation: str,
    key: str,
    *,
    tokens: tuple[str, str] = ("NextToken", "NextToken"),
    strict: bool = False,
    **parameters: Any,
) -> Iterator[list[dict[str, Any]] | Refusal]:
    """Yield the lists under `key` page by page, empty ones too; a `Refusal` is the last thing then.

    Pages are followed by hand: some operations have no paginator, and AWS gives empty pages with a token. `tokens` are
    the names under which it is asked for and given. If `strict`, an answer without the list is refused: it says nothing
    of what there is.
    """
    token: str | None = None
    seen: set[str] = set()
    while True:
        answer = ask(client, operation, **parameters, **({} if token is None else {tokens[0]: token}))
        if isinstance(answer, Refusal):
            yield answer
            return
        if strict and not isinstance(answer.get(key), list):
            yield Refusal(FAILED, operation, f"the answer has no {key}")
            return
        yield list(answer.get(key) or ())
        token = answer.get(tokens[1])
        if not token:
            return
        if token in seen:
            yield Refusal(FAILED, operation, "the same page comes again and again")
            return
        seen.add(token)


def ask_each(
    client: Any, operation: str, each: Iterable[tuple[T, Mapping[str, Any]]], at_once: int = AT_ONCE
) -> Iterator[tuple[T, dict[str, Any] | Refusal]]:
    """Yield the answer of `operation` for the parameters of each item, in their order, some calls at the same time.

    At most ``2 * at_once`` answers wait to be taken. Raises what `ask` raises.
    """
    with ThreadPoolExecutor(at_once, thread_name_prefix="aws") as pool:
        for (item, _), answer in read_ahead(pool, each, lambda of: ask(client, operation, **of[1]), 2 * at_once):
            yield item, answer


def _translate(error: Exception, operation: str) -> Refusal:
    """Return the refusal that the foreign `error` is; raise `SourceError` if it concerns every call."""
    response: Any = getattr(error, "response", None)
    if not isinstance(response, dict):
        if type(error).__name__ in {"ResponseParserError", "ParamValidationError"}:
            return Refusal(FAILED, operation, shown(error))
        raise _fatal(error, operation) from error
    said = response.get("Error", {})
    code, text = str(said.get("Code") or ""), shown_text(str(said.get("Message") or "no reason is given"))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if operation != _ASSUME == getattr(error, "operation_name", ""):  # renewing the credentials of a role
        raise SourceError(f"the role cannot be assumed any more: {text}", fix=CREDENTIALS) from error
    if code in _EXPIRED:
        raise SourceError(f"{operation}: the credentials have expired ({code})", fix=LOGIN) from error
    if code in _BAD_CREDENTIALS:
        raise SourceError(f"{operation}: the credentials are refused ({code})", fix=CREDENTIALS) from error
    if code in _DENIED:
        return Refusal(DENIED, operation, text)
    if code in _THROTTLED:
        return Refusal(THROTTLED, operation, text)
    if code in _UNKNOWN:
        return Refusal(UNKNOWN, operation, text)
    if code in _MISSING or _MISSING_CODE.fullmatch(code):
        return Refusal(MISSING, operation, text)
    if code in {"ValidationException", "ValidationError"} and _MISSING_WORDS.search(text):
        return Refusal(MISSING, operation, text)
    if status == 403:
        return Refusal(DENIED, operation, text)
    return Refusal(FAILED, operation, f"{code or status}: {text}")


def _fatal(error: Exception, what: str) -> LinealError:
    if type(error).__name__ == "ProfileNotFound":  # one that was asked for by name
        return BadInput(shown(error), fix=PROFILES)
    if (found := unready(error, what)) is not None:
        return found
    if type(error).__name__ in {"NoRegionError", "InvalidRegionError"}:
        return BadInput(shown(error), fix="Name a region: --region eu-west-1, or AWS_REGION.")
    if _is_unreachable(error):
        return SourceError(f"{what}: AWS cannot be reached: {shown(error)}", fix=_NETWORK)
    return SourceError(f"{what}: {shown(error)}")


def _is_unreachable(error: BaseException) -> bool:
    endings = ("ConnectionError", "TimeoutError", "SSLError", "ClosedError", "HTTPClientError")
    return type(error).__name__.endswith(endings)
