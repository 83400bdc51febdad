"""What CloudTrail itself answers about events: LookupEvents and ListPublicKeys, as its API reference has them."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from servers.cloud_calls import Call
from servers.cloud_delivery import Record, public_key, spell

_PAGE: Final = 50


def look_up(records: Sequence[Record], call: Call, seen: datetime) -> dict[str, Any]:
    """Return a page of the events of a region that can be found by the moment `seen`, newest first."""
    said = call.parameters or {}
    offset = int(base64.b64decode(said["nextToken"])) if said.get("nextToken") else 0
    most = min(said.get("maxResults") or _PAGE, _PAGE)
    found = [
        each
        for each in reversed(records)
        if each["awsRegion"] == call.region and each["eventTime"] <= spell(seen) and _is_asked(each, said)
    ]
    answer: dict[str, Any] = {"Events": [_shown(each) for each in found[offset : offset + most]]}
    if offset + most < len(found):
        answer["NextToken"] = base64.b64encode(str(offset + most).encode()).decode()
    return answer


def _moment(said: Any) -> str:
    """Return a bound of LookupEvents, as `cloud_calls` spells it, in the spelling of eventTime."""
    return spell(datetime.strptime(said, "%b %d, %Y, %I:%M:%S %p").replace(tzinfo=UTC))


def _is_asked(record: Record, said: dict[str, Any]) -> bool:
    since, until = said.get("startTime"), said.get("endTime")
    if (since and record["eventTime"] < _moment(since)) or (until and record["eventTime"] > _moment(until)):
        return False
    shown = _shown(record)
    for each in said.get("lookupAttributes", ()):
        key, value = each["attributeKey"], each["attributeValue"]
        if key in {"ResourceName", "ResourceType"}:
            if value not in {known[key] for known in shown["Resources"]}:
                return False
        elif shown.get(key) != value:
            return False
    return True


def _shown(record: Record) -> dict[str, Any]:
    """Return an event as LookupEvents shows it."""
    who = record["userIdentity"]
    arn = who.get("arn", "")
    found = {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": "true" if record["readOnly"] else "false",
        "EventTime": datetime.fromisoformat(record["eventTime"]).timestamp(),
        "EventSource": record["eventSource"],
        "Username": who.get("userName") or arn.rpartition("/")[2] or who.get("invokedBy", ""),
        "Resources": [
            {"ResourceType": each.get("type", ""), "ResourceName": each["ARN"]} for each in record.get("resources", ())
        ],
        "CloudTrailEvent": json.dumps(record),
    }
    return found | ({"AccessKeyId": who["accessKeyId"]} if "accessKeyId" in who else {})


def list_keys(call: Call) -> dict[str, Any]:
    """Return what ListPublicKeys answers."""
    der, fingerprint = public_key(call.region)
    key = {
        "Value": base64.b64encode(der).decode(),
        "ValidityStartTime": datetime(2020, 1, 1, tzinfo=UTC).timestamp(),
        "ValidityEndTime": datetime(2040, 1, 1, tzinfo=UTC).timestamp(),
        "Fingerprint": fingerprint,
    }
    return {"PublicKeyList": [key]}
