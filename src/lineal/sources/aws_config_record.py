"""What AWS Config recorded of one resource at one moment, in either of its spellings, as a configuration item.

The API (GetResourceConfigHistory) and the files and notifications of the service spell the same record differently:
``arn`` and ``ARN``, ``version`` and ``configurationItemVersion``, a configuration as an object and as its JSON text.
Both are read, and what no field of an item has is kept. Source: AWS Config API Reference, ConfigurationItem; AWS Config
Developer Guide, "Components of a Configuration Item" and "Example Configuration Items".
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lineal.core import timestamp
from lineal.core.config_item import ConfigItem, Relationship
from lineal.core.plain import plain
from lineal.core.resource import MAX_KEY, Resource, key_of, make_resource, read_arn
from lineal.errors import BadInput, BadTime
from lineal.sources.config_files_text import check_depth

SOURCE: Final = "aws-config"
SUPPLEMENT: Final = "supplementary"
STATUSES: Final[Mapping[str, str]] = {
    "OK": "ok",
    "ResourceDiscovered": "ok",
    "ResourceDeleted": "deleted",
    "ResourceNotRecorded": "unrecorded",
    "ResourceDeletedNotRecorded": "unrecorded",
}
# Spellings of files and notifications -> those of the API. The misspelt one stands in older files and in AWS's samples.
_SPELLINGS: Final[Mapping[str, str]] = {
    "configurationItemVersion": "version",
    "awsAccountId": "accountId",
    "configurationStateID": "configurationStateId",
    "configurationStateMd5Hash": "configurationItemMD5Hash",
    "ARN": "arn",
    "availibilityZone": "availabilityZone",
}
_FIELDS: Final = frozenset(
    "accountId configurationItemCaptureTime configurationStateId arn resourceType resourceName awsRegion "  # noqa: SIM905
    "resourceCreationTime tags relationships configuration supplementaryConfiguration".split()
)
_LONGEST: Final = 200
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS: Final = 10**11  # so many seconds are the year 5138
_TEXTS: Final = ("{", "[", '"')


def read_record(record: Mapping[str, Any]) -> ConfigItem:
    """Return the item that one record of AWS Config is, in the words of AWS Config.

    What the record calls ``supplementaryConfiguration`` stands in `extra` under `SUPPLEMENT`. Raises `BadInput` for a
    record without type, identity, moment or a status that is known.
    """
    said = {_SPELLINGS.get(name, name): value for name, value in record.items()}
    check_depth(said)
    kind, status = said.get("resourceType"), str(said.get("configurationItemStatus"))
    if not isinstance(kind, str) or not kind.isprintable() or not kind:
        raise BadInput("a record of AWS Config has no resourceType")
    if status not in STATUSES:
        raise BadInput(f"a record of AWS Config about a {kind[:80]} has the status {status[:40]!r}, which is not known")
    time = read_moment(said.get("configurationItemCaptureTime"))
    if time is None:
        raise BadInput(f"a record of AWS Config about a {kind[:80]} does not say when it was captured")
    resource = _resource(kind, said)
    state = said.get("configurationStateId")
    supplement = _supplement(said) if STATUSES[status] == "ok" else {}
    return ConfigItem(
        resource=resource,
        time=time,
        status=STATUSES[status],
        source=SOURCE,
        shape="config",
        configuration={} if STATUSES[status] != "ok" else _configuration(said),
        tags=_tags(said.get("tags")),
        relationships=tuple(dict.fromkeys(_relationships(said, resource))),
        created=read_moment(said.get("resourceCreationTime")),
        state=None if state in (None, "", 0, "0") else str(state)[:200],
        extra={**_extra(said, resource), **({SUPPLEMENT: supplement} if supplement else {})},
    )


def read_moment(value: object) -> str | None:
    """Return a moment as AWS Config and its clients write it; None for none.

    Text with a time zone (files), a datetime (boto3), seconds (the AWS command line) or milliseconds (metadata) since
    1970.
    """
    try:
        if isinstance(value, datetime):
            return timestamp.spell(value)
        if isinstance(value, str) and value:
            moment = datetime.fromisoformat(value)
            return None if moment.tzinfo is None else timestamp.spell(moment)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            seconds = value / 1000 if value >= _MILLISECONDS else value
            return timestamp.spell(_EPOCH + timedelta(microseconds=round(seconds * 1_000_000)))
    except (ValueError, OverflowError, BadTime):
        return None
    return None


def parse_json(value: Any) -> Any:
    """Return what `value` spells if it is JSON text of an object, list or text (also twice); anything else as it is.

    Raises `BadInput` for what is nested deeper than any configuration.
    """
    for _ in range(2):
        if not isinstance(value, str) or not value.lstrip().startswith(_TEXTS):
            break
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            break
    check_depth(value)
    return value


def _configuration(said: Mapping[str, Any]) -> dict[str, Any]:
    own = plain(parse_json(said.get("configuration")))
    if isinstance(own, dict):
        return own
    return {} if own in (None, "") else {"configuration": own}


def _supplement(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what AWS Config recorded beside the configuration (a bucket policy), its texts as the JSON they hold."""
    more = parse_json(said.get("supplementaryConfiguration"))
    if not isinstance(more, dict):
        return {} if more in (None, "", []) else {"supplementaryConfiguration": plain(more)}
    return {str(plain(str(name))): plain(parse_json(value), str(name)) for name, value in more.items()}


def _resource(kind: str, said: Mapping[str, Any]) -> Resource:
    account, region = str(said.get("accountId") or ""), str(said.get("awsRegion") or "")
    for word in (kind, account, region):
        if not word.isprintable() or len(word) > _LONGEST:
            raise BadInput(f"a record of AWS Config has a type, account or region that is none: {word[:80]!r}")
    region = "" if region == "global" else region
    name = said.get("resourceName") or said.get("resourceId")
    arn = said.get("arn")
    found = read_arn(arn) if isinstance(arn, str) else None
    if found is None:
        if not isinstance(name, str) or not name:
            raise BadInput(f"a record of AWS Config about a {kind[:80]} does not say which")
        by_id = read_arn(name)
        if by_id is not None and by_id.type == kind:
            return by_id
        return make_resource(kind, account, region, name)
    if found.type == kind:
        return found
    shown = str(name or found.name)
    if not shown.isprintable() or len(shown) > MAX_KEY:
        raise BadInput(f"a record of AWS Config has no usable name: {shown[:80]!r}")
    return Resource(kind, account, region, shown, key_of(str(arn)))


def _tags(value: Any) -> dict[str, str]:
    """Return tags, which stand as a table, or as a list of keys and values."""
    if isinstance(value, list):
        value = {
            str(each.get("key", each.get("Key"))): each.get("value", each.get("Value"))
            for each in value
            if isinstance(each, dict)
        }
    if not isinstance(value, dict):
        return {}
    return {str(key): str(plain(each, str(key)) if each is not None else "") for key, each in plain(value).items()}


def _relationships(said: Mapping[str, Any], of: Resource) -> Iterator[Relationship]:
    """Yield relationships; some have no identity but a name, and the word for them ends with a blank."""
    listed = parse_json(said.get("relationships"))
    for each in listed if isinstance(listed, list) else []:
        if not isinstance(each, dict) or not isinstance(each.get("resourceType"), str):
            continue
        word = " ".join(str(each.get("relationshipName") or each.get("name") or "is related to").split())
        kind, identity, name = each["resourceType"], each.get("resourceId"), each.get("resourceName")
        arn = read_arn(identity) if isinstance(identity, str) else None
        called = name or identity
        if arn is not None:
            yield Relationship(kind, arn.key, word)
        elif isinstance(called, str) and called:
            account, region = str(said.get("accountId") or of.account), str(said.get("awsRegion") or of.region)
            try:
                found = make_resource(kind, account, "" if region == "global" else region, called)
            except BadInput:
                continue
            yield Relationship(kind, found.key, word)


def _extra(said: Mapping[str, Any], resource: Resource) -> dict[str, Any]:
    """Return what the record says and no field of an item has, in the spelling of the API."""
    kept = {name: value for name, value in said.items() if name not in _FIELDS and value not in (None, "", [], {})}
    arn = said.get("arn")
    if isinstance(arn, str) and arn and arn != resource.key:
        kept["arn"] = arn
    if said.get("awsRegion") not in (None, "", resource.region):
        kept["awsRegion"] = said["awsRegion"]
    found: dict[str, Any] = plain(kept)
    return found
