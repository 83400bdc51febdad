"""Records of CloudTrail, read as API events: who called, through whom, what for, about which resources.

Versions 1.0 to 1.11 and every later 1.x are read ("CloudTrail record contents": equal on the major number, at least on
the minor; fields that are not known are kept). Nothing of a record is dropped: it stands in the event whole, as it can
be recorded.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from lineal.core import timestamp
from lineal.core.api_event import ApiEvent
from lineal.core.observation import Gap
from lineal.core.plain import plain
from lineal.core.resource import key_of
from lineal.errors import BadTime
from lineal.sources.api_targets import find_targets

MOST_BYTES: Final = 8 * 1024 * 1024
"""A record of CloudTrail has 256 KB at the most, an audit event of Kubernetes some MB."""
_VERSION: Final = re.compile(r"(\d+)(?:\.(\d+))?")
_READING: Final = re.compile(
    r"(Get|List|Describe|Search|Query|Lookup|BatchGet|BatchDescribe|BatchCheck|Check|Test|Validate|Estimate|Detect|Head"
    r"|Select|Preview|Simulate|View|Download|Poll|Receive|Scan|Filter|AssumeRole|Decrypt|Verify)(?![a-z])"
)
_LONGEST: Final = 512
TOO_LARGE: Final = "bytesTooMany"
MANAGEMENT, SERVICE_EVENT = "Management", "AwsServiceEvent"
_SERVICE: Final = ".amazonaws.com"
_CONSOLE: Final = "AWS Internal"  # what the console calls itself: nobody in between


def read_record(record: object) -> ApiEvent | Gap:
    """Return the event that one entry of ``Records`` is, or why it cannot be one.

    Its `record` is the entry as it came: most events are not kept, and `recordable` costs more than all the rest.
    """
    if not isinstance(record, dict):
        return Gap("cloudtrail.record_broken", f"an entry of Records is no object: {str(record)[:80]!r}")
    told = {name: record.get(name) for name in ("eventSource", "eventName", "eventTime")}
    named = str(record.get("eventID") or "")
    if not all(isinstance(each, str) and each for each in told.values()):
        lacking = ", ".join(name for name, each in told.items() if not isinstance(each, str) or not each)
        return Gap("cloudtrail.record_broken", f"a record without {lacking}", named[:200] or None)
    when = read_moment(str(told["eventTime"]))
    if when is None:
        return Gap(
            "cloudtrail.record_broken", f"not a moment: eventTime {told['eventTime']!r}"[:200], named[:200] or None
        )
    principal, session, via = read_identity(record)
    raw_error = record.get("errorCode")
    return ApiEvent(
        id=named if 0 < len(named) <= 200 and named.isprintable() else _identity(record),
        time=when,
        service=cut_text(told["eventSource"]),
        name=cut_text(told["eventName"]),
        account=_account(record),
        region=cut_text(record.get("awsRegion")),
        principal=principal,
        session=session,
        via=via,
        read_only=is_reading(record),
        error=cut_text(raw_error) if raw_error else "",
        category=_category(record),
        amends=_amended(record),
        targets=find_targets(record),
        record=record,
    )


def read_of(record: object) -> str:
    """Return the moment of a record of a management call that only reads; '' for every other entry.

    Most of a trail are such, nobody asks more of them, and `read_record` costs ten times as much.
    """
    if not isinstance(record, dict) or record.get("eventType") == SERVICE_EVENT or not is_reading(record):
        return ""
    source, name, when = record.get("eventSource"), record.get("eventName"), record.get("eventTime")
    if not (isinstance(source, str) and source and isinstance(name, str) and name and isinstance(when, str)):
        return ""
    return (read_moment(when) or "") if _category(record) == MANAGEMENT else ""


def recordable(event: ApiEvent) -> ApiEvent:
    """Return `event` with its record as it can be recorded: canonical, without secrets; of one too large the hash."""
    record = plain(event.record)
    text = json.dumps(record)
    if len(text) > MOST_BYTES:
        record = {TOO_LARGE: len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return replace(event, record=record)


def cut_record(event: ApiEvent) -> Gap | None:
    """Return a gap if the record of a `recordable` event was left out of it."""
    if TOO_LARGE not in event.record:
        return None
    why = f"a record of {event.record[TOO_LARGE]:,} bytes: who called what and when is recorded, and its hash"
    return Gap("events.record_too_large", why, event.id)


def unknown_version(record: Mapping[str, Any]) -> Gap | None:
    """Return a gap for a record of a major version that nobody has described yet; it is kept all the same."""
    version = record.get("eventVersion")
    match = _VERSION.fullmatch(str(version)) if version is not None else None
    if version is None or (match is not None and match[1] == "1"):
        return None
    return Gap(
        "cloudtrail.version_unknown", f"records of version {str(version)[:20]!r} are kept, but may mean other things"
    )


def read_identity(record: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return principal, session and service in between of a record ("CloudTrail userIdentity element").

    The principal is the role behind an assumed role, else the user, the federated subject or the service.
    """
    found = record.get("userIdentity")
    identity: Mapping[str, Any] = found if isinstance(found, dict) else {}
    context = identity.get("sessionContext")
    context = context if isinstance(context, dict) else {}
    issuer = context.get("sessionIssuer")
    issuer = issuer if isinstance(issuer, dict) else {}
    kind, arn = str(identity.get("type") or ""), cut_text(identity.get("arn"))
    via = cut_text(identity.get("invokedBy"))
    via = "" if via == _CONSOLE else via
    source = cut_text(record.get("sourceIPAddress"))
    if not via and source.endswith(_SERVICE):
        via = source
    principal = _principal(kind, arn, identity, issuer) or via
    return principal, _session(kind, arn, identity, context, record), via if via != principal else ""


def is_reading(record: Mapping[str, Any]) -> bool:
    """Return whether a call only reads: what the record says, else what the verb of its name says.

    A name that says nothing counts as one that changes something.
    """
    said = record.get("readOnly")
    if isinstance(said, bool):
        return said
    if isinstance(said, str) and said.lower() in ("true", "false"):
        return said.lower() == "true"
    return _READING.match(str(record.get("eventName") or "")) is not None


def _principal(kind: str, arn: str, identity: Mapping[str, Any], issuer: Mapping[str, Any]) -> str:
    issued = cut_text(issuer.get("arn"))
    if issued:
        return _role(issued)
    if kind == "AWSService":
        return cut_text(identity.get("invokedBy")) or arn
    if ":assumed-role/" in arn:
        return _role(arn)
    if arn:
        return arn
    on_behalf = identity.get("onBehalfOf")
    if kind == "IdentityCenterUser" and isinstance(on_behalf, dict) and on_behalf.get("userId"):
        return f"identitycenter:{cut_text(on_behalf['userId'])}"
    provider = cut_text(identity.get("identityProvider"))
    name = cut_text(identity.get("userName")) or cut_text(identity.get("principalId"))
    if kind in ("SAMLUser", "WebIdentityUser") and provider:
        return f"{provider}:{name}" if name and not name.startswith(provider) else name or provider
    if kind == "Root" and identity.get("accountId"):
        return f"arn:aws:iam::{cut_text(identity['accountId'])}:root"
    if name:
        account = cut_text(identity.get("accountId"))
        return f"arn:aws:iam::{account}:user/{name}" if kind == "IAMUser" and account else name
    if identity.get("invokedBy"):
        return cut_text(identity["invokedBy"])
    return cut_text(identity.get("accountId"))


def _role(arn: str) -> str:
    """Return the role of an assumed-role ARN, in the spelling of keys: without its path and its session."""
    head, mark, rest = arn.partition(":assumed-role/")
    if mark:
        return head.replace(":sts:", ":iam:") + ":role/" + rest.split("/")[0]
    return key_of(arn)


def _session(
    kind: str, arn: str, identity: Mapping[str, Any], context: Mapping[str, Any], record: Mapping[str, Any]
) -> str:
    """Return what a session calls itself: the name of the role session, and who is behind it where that is said."""
    name = ""
    if ":assumed-role/" in arn:
        name = arn.rpartition("/")[2]
    elif kind in ("AssumedRole", "Role", "FederatedUser"):
        name = cut_text(identity.get("principalId")).partition(":")[2]
    behind = cut_text(context.get("sourceIdentity"))
    federated = context.get("webIdFederationData")
    if not behind and isinstance(federated, dict):
        attributes = federated.get("attributes")
        subject = attributes.get("sub") if isinstance(attributes, dict) else None
        behind = cut_text(subject) if isinstance(subject, str) else ""
    if not behind and str(record.get("sessionCredentialFromConsole") or "").lower() == "true" and not name:
        behind = "console"
    return f"{name} ({behind})" if name and behind and behind != name else name or behind


def _category(record: Mapping[str, Any]) -> str:
    said = record.get("eventCategory")
    if isinstance(said, str) and said:
        return cut_text(said)
    if record.get("eventType") == "AwsCloudTrailInsight":
        return "Insight"
    return "Data" if record.get("managementEvent") is False else MANAGEMENT


def _amended(record: Mapping[str, Any]) -> str:
    found = record.get("addendum")
    return cut_text(found.get("originalEventID")) if isinstance(found, dict) else ""


def _account(record: Mapping[str, Any]) -> str:
    said = record.get("recipientAccountId")
    if said:
        return cut_text(said)
    identity = record.get("userIdentity")
    return cut_text(identity.get("accountId")) if isinstance(identity, dict) else ""


def _identity(record: Mapping[str, Any]) -> str:
    """Return an identifier for a record of old that has none: the same for the same record."""
    text = json.dumps(record, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=65536)
def read_moment(text: str) -> str | None:
    """Return the canonical spelling of a moment as services spell it (ISO 8601), None for what is none."""
    if len(text) == 20 and text[-1] == "Z":  # as CloudTrail spells all of them
        try:
            return timestamp.check(f"{text[:-1]}.000000Z")
        except BadTime:
            return None
    try:
        found = datetime.fromisoformat(text)
        return timestamp.spell(found if found.tzinfo is not None else found.replace(tzinfo=UTC))
    except (ValueError, BadTime):
        return None


def cut_text(value: object) -> str:
    """Return a value of a record as text that can be recorded, cut to what a database can index."""
    if value is None:
        return ""
    found = str(plain(value if isinstance(value, str) else str(value)))
    return found if len(found) <= _LONGEST else found[:_LONGEST]
