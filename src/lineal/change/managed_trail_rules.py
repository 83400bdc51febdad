"""Managed rules of AWS Config that ask whether an account has one trail of some kind, under AWS's identifiers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from lineal.change.graph_rules import EstateRule, Found, Questions, about_account, about_nothing
from lineal.change.graph_rules_trail import TRAIL, first
from lineal.change.rule import Parameter
from lineal.change.rule_evaluation import not_observable
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT
from lineal.core.config_item import ConfigItem

Answer = bool | None
Asks = Callable[[ConfigItem, Mapping[str, Any]], Answer]
_TEXT: Final = Parameter(kind="text")


def field(item: ConfigItem, *names: str) -> Any:
    """Return a field of a trail, as the service's own call or AWS Config spells it."""
    return first(item, *(place + name for name in names for place in ("trail.", "")))


def is_on(item: ConfigItem, _parameters: Mapping[str, Any]) -> Answer:
    """Say whether a trail logs."""
    found = first(item, "status.IsLogging", "trail.IsLogging", "IsLogging", "isLogging")
    return found if isinstance(found, bool) else None


def _flag(item: ConfigItem, _parameters: Mapping[str, Any], *names: str) -> Answer:
    return field(item, *names) is True


def _present(item: ConfigItem, _parameters: Mapping[str, Any], *names: str) -> Answer:
    return bool(field(item, *names))


def _equal(item: ConfigItem, parameters: Mapping[str, Any], parameter: str, *names: str) -> Answer:
    wanted = parameters.get(parameter)
    return True if wanted is None else field(item, *names) == wanted


def _records_all(item: ConfigItem, _parameters: Mapping[str, Any]) -> Answer:
    """Say whether a trail records management events, reads and writes, and leaves none out."""
    selectors = _selectors(item)
    if selectors is None:
        return None
    return any(
        each.get("IncludeManagementEvents") is True
        and each.get("ReadWriteType") == "All"
        and not each.get("ExcludeManagementEventSources")
        for each in selectors
    )


def _records_asked(item: ConfigItem, parameters: Mapping[str, Any]) -> Answer:
    """Say whether a trail leaves out no management events, and records what the parameters ask for."""
    selectors = _selectors(item)
    wanted = parameters.get("includeManagementEvents"), parameters.get("readWriteType")
    if selectors is None:
        return None
    return any(
        not each.get("ExcludeManagementEventSources")
        and (wanted[0] is None or each.get("IncludeManagementEvents") is wanted[0])
        and (wanted[1] is None or str(each.get("ReadWriteType")).lower() == wanted[1].lower())
        for each in selectors
    )


def _selectors(item: ConfigItem) -> list[dict[str, Any]] | None:
    """Return the event selectors of a trail; advanced ones about management events in the words of the plain ones."""
    plain = first(item, "EventSelectors", "eventSelectors")
    advanced = first(item, "AdvancedEventSelectors", "advancedEventSelectors")
    if not isinstance(plain, list) and not isinstance(advanced, list):
        return None
    found = [each for each in plain or () if isinstance(each, dict)] if isinstance(plain, list) else []
    for each in advanced if isinstance(advanced, list) else ():
        fields = each.get("FieldSelectors") if isinstance(each, dict) else None
        told = {one.get("Field"): one for one in fields or () if isinstance(one, dict)}
        if told.get("eventCategory", {}).get("Equals") == ["Management"]:
            only = told.get("readOnly", {}).get("Equals")
            kinds = {None: "All", "true": "ReadOnly", "false": "WriteOnly"}
            excluded = sorted(set(told) - {"eventCategory", "readOnly"}, key=str)
            found.append(
                {
                    "IncludeManagementEvents": True,
                    "ReadWriteType": kinds.get(only[0] if isinstance(only, list) and only else None, "All"),
                    "ExcludeManagementEventSources": excluded,
                }
            )
    return found


def one_trail(asks: Sequence[tuple[str, Asks]], questions: Questions, parameters: Mapping[str, Any]) -> Iterator[Found]:
    """Yield, for each account, whether one trail is all that `asks` ask for."""
    looks = questions.coverage()[0]
    accounts: dict[str, list[ConfigItem]] = {}
    for item in questions.estate().values():
        if item.resource.type == TRAIL:
            accounts.setdefault(item.resource.account, []).append(item)
    for look in looks:
        if look.type == TRAIL and look.complete and look.account:
            accounts.setdefault(look.account, [])
    if not accounts:
        yield about_nothing(INSUFFICIENT, "; ".join(not_observable(TRAIL, looks, known=False)) or "no trail was seen")
    for account, trails in sorted(accounts.items()):
        told = [(trail, [(name, ask(trail, parameters)) for name, ask in asks]) for trail in trails]
        good = [trail for trail, found in told if all(answer is True for _, answer in found)]
        may = [trail for trail, found in told if all(answer is not False for _, answer in found)]
        names = ", ".join(sorted(trail.resource.name for trail in good or may or trails))
        evidence = sorted(trail.digest() for trail in good or may or trails)
        if good:
            yield about_account(account, "", COMPLIANT, f"{names}: everything asked for", *evidence)
        elif may:
            lacking = sorted(
                {name for trail, found in told if trail in may for name, answer in found if answer is None}
            )
            text = f"{names}: not known whether it {' and '.join(lacking)}"
            yield about_account(account, "", INSUFFICIENT, text, *evidence)
        elif any(look.account == account and not look.complete for look in looks if look.type == TRAIL):
            text = "no trail that was seen is enough, and not all could be seen"
            yield about_account(account, "", INSUFFICIENT, text, *evidence)
        else:
            yield about_account(account, "", NON_COMPLIANT, _why_not(told), *evidence)


def _why_not(told: Sequence[tuple[ConfigItem, Sequence[tuple[str, Answer]]]]) -> str:
    if not told:
        return "the account has no trail"
    return "; ".join(
        f"{trail.resource.name} does not: {', '.join(name for name, answer in found if answer is False)}"
        for trail, found in sorted(told, key=lambda each: each[0].resource.key)
    )


def _named(ask: Callable[..., Answer], *names: str) -> Asks:
    """Return what asks `ask` of the fields `names`."""
    return lambda item, parameters: ask(item, parameters, *names)


_ON: Final[tuple[str, Asks]] = ("logs", is_on)
_PLACES: Final[tuple[tuple[str, Asks], ...]] = (
    ("delivers to the bucket", _named(_equal, "s3BucketName", "S3BucketName", "s3BucketName")),
    ("tells the topic", _named(_equal, "snsTopicArn", "SnsTopicARN", "SnsTopicArn", "snsTopicARN")),
    (
        "sends to the group of logs",
        _named(_equal, "cloudWatchLogsLogGroupArn", "CloudWatchLogsLogGroupArn", "cloudWatchLogsLogGroupArn"),
    ),
)
_EVERYWHERE: Final[tuple[str, Asks]] = (
    "covers every region",
    _named(_flag, "IsMultiRegionTrail", "isMultiRegionTrail"),
)
_SECURE: Final[tuple[tuple[str, Asks], ...]] = (
    ("covers global services", _named(_flag, "IncludeGlobalServiceEvents", "includeGlobalServiceEvents")),
    _EVERYWHERE,
    (
        "signs digests",
        _named(_flag, "LogFileValidationEnabled", "EnableLogFileValidation", "logFileValidationEnabled"),
    ),
    ("is encrypted with a KMS key", _named(_present, "KmsKeyId", "KMSKeyId", "kmsKeyId")),
    ("records all management events", _records_all),
)
_WHERE: Final = {"s3BucketName": _TEXT, "snsTopicArn": _TEXT, "cloudWatchLogsLogGroupArn": _TEXT}

MANAGED_TRAIL_RULES: Final = (
    EstateRule(
        id="CLOUD_TRAIL_ENABLED",
        description="An account has a trail that logs, to the places asked for.",
        resource_types=(TRAIL,),
        severity="critical",
        ask=partial(one_trail, (_ON, *_PLACES)),
        remedy="Create a trail, and start it.",
        tags=("cloudtrail", "logging"),
        parameters=_WHERE,
        source="aws-managed.yaml",
    ),
    EstateRule(
        id="MULTI_REGION_CLOUD_TRAIL_ENABLED",
        description="An account has a trail for every region, which leaves out no management events.",
        resource_types=(TRAIL,),
        severity="high",
        ask=partial(one_trail, (_EVERYWHERE, *_PLACES, ("records what is asked for", _records_asked))),
        remedy="Update a trail with IsMultiRegionTrail, and take what it excludes out of its event selectors.",
        tags=("cloudtrail", "logging"),
        parameters={**_WHERE, "includeManagementEvents": Parameter(kind="boolean"), "readWriteType": _TEXT},
        source="aws-managed.yaml",
    ),
    EstateRule(
        id="CLOUDTRAIL_SECURITY_TRAIL_ENABLED",
        description="An account has a trail that covers everything, signs its digests and is encrypted.",
        resource_types=(TRAIL,),
        severity="high",
        ask=partial(one_trail, _SECURE),
        remedy="Update a trail: every region, global services, log file validation, a KMS key, all management events.",
        tags=("cloudtrail", "logging"),
        source="aws-managed.yaml",
    ),
)
"""Managed rules about the trails of an account."""
