"""Rules about what watches: trails, the configuration recorder, how fresh what was collected is."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from lineal.change.graph_rules import (
    EstateRule,
    Found,
    Questions,
    about,
    about_account,
    about_nothing,
)
from lineal.change.rule import Parameter
from lineal.change.rule_evaluation import not_observable
from lineal.core import timestamp
from lineal.core.api_event import ApiEvent
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look, TrailSpan
from lineal.core.resource import make_resource
from lineal.core.span import without

TRAIL: Final = "AWS::CloudTrail::Trail"
RECORDER: Final = "AWS::Config::ConfigurationRecorder"
_STOPS: Final = {"StopLogging": "switched off", "DeleteTrail": "deleted"}
_RECORDER_STOPS: Final = {
    "StopConfigurationRecorder": "stopped",
    "DeleteConfigurationRecorder": "deleted",
    "DeleteDeliveryChannel": "cut off from its delivery channel",
}
# What is missing because somebody or something made it so, not because Lineal was not let in.
_TAMPERED: Final = frozenset(
    {"log_deleted", "log_altered", "log_broken", "digest_missing", "digest_invalid", "logging_stopped"}
)
DAYS: Final = Parameter(kind="integer", value=90, description="How many days back it looks.")


def since(questions: Questions, parameters: Mapping[str, Any]) -> str:
    """Return the moment from which on a rule looks: `daysBack` before now."""
    return timestamp.spell(datetime.fromisoformat(questions.now) - timedelta(days=parameters["daysBack"] or 90))


def trail_always_on(questions: Questions, parameters: Mapping[str, Any]) -> Iterator[Found]:
    """Yield, for each trail and each place that has one, whether it was on and its record is whole."""
    begin = since(questions, parameters)
    trails = {key: item for key, item in questions.estate().items() if item.resource.type == TRAIL}
    stops = _calls(questions, "cloudtrail.amazonaws.com", _STOPS, begin)
    for key, item in trails.items():
        own = stops.pop(key, [])
        logging = first(item, "status.IsLogging", "IsLogging", "trail.IsLogging", "isLogging")
        if own:
            yield about(item, NON_COMPLIANT, _told(own, _STOPS), *(each.id for each in own))
        elif logging is False:
            yield about(item, NON_COMPLIANT, "the trail is switched off: IsLogging is false")
        elif logging is True:
            yield about(item, COMPLIANT, "the trail is on, and no call switched it off")
        else:
            yield about(item, INSUFFICIENT, "whether the trail is on was not seen")
    for key, own in stops.items():
        yield _gone(key, own, TRAIL, _STOPS)
    hours = parameters["hours"] or 24
    limit = timestamp.spell(datetime.fromisoformat(questions.now) - timedelta(hours=hours))
    yield from _spans(questions.coverage()[1], begin, limit)


def _spans(spans: Sequence[TrailSpan], begin: str, limit: str) -> Iterator[Found]:
    places: dict[tuple[str, str], list[TrailSpan]] = {}
    for span in spans:
        if span.until > begin:
            places.setdefault((span.account, span.region), []).append(span)
    if not places:
        yield about_nothing(INSUFFICIENT, "no trail was read lately: lineal collect cloudtrail")
    for (account, region), own in sorted(places.items()):
        holes = _holes(own)
        broken = [each for each in holes if each.why in _TAMPERED]
        if broken:
            text = "events are missing: " + "; ".join(_span(each) for each in broken[:5])
            yield about_account(account, region, NON_COMPLIANT, text)
        elif holes:
            text = "not all events could be read: " + "; ".join(_span(each) for each in holes[:5])
            yield about_account(account, region, INSUFFICIENT, text)
        elif all(each.proof == "none" for each in own):
            text = "files of the trail were read, but nothing proves that they are all there"
            yield about_account(account, region, INSUFFICIENT, text)
        elif unread := _unread(own, begin):
            yield about_account(account, region, INSUFFICIENT, "not read: " + "; ".join(unread[:5]))
        else:
            good = [each for each in own if each.proof != "none" and not each.missing]
            since_when, reached = max(begin, min(each.since for each in good)), max(each.until for each in good)
            if reached < limit:
                text = f"the trail was read up to {reached[:19]}Z: what came after that is not known"
                yield about_account(account, region, INSUFFICIENT, text)
                continue
            proofs = " and ".join(sorted({each.proof for each in good}))
            text = f"every event from {since_when[:19]}Z to {reached[:19]}Z is there, by {proofs}"
            yield about_account(account, region, COMPLIANT, text)


def _unread(spans: Sequence[TrailSpan], begin: str) -> list[str]:
    """Return the times between spans that are proved which none of them covers."""
    good = sorted((each.since, each.until) for each in spans if each.proof != "none" and not each.missing)
    found: list[str] = []
    reached = good[0][1]
    for start, end in good[1:]:
        if start > reached and start > begin:
            found.append(f"{reached[:19]}Z to {start[:19]}Z")
        reached = max(reached, end)
    return found


def _holes(spans: Sequence[TrailSpan]) -> list[TrailSpan]:
    """Return the spans found missing that no better words fill, one or several together."""
    good = [(each.since, each.until) for each in spans if not each.missing and each.proof != "none"]
    return [each for each in spans if each.missing and without([(each.since, each.until)], good)]


def _span(span: TrailSpan) -> str:
    return f"{span.since[:19]}Z to {span.until[:19]}Z ({span.why or 'missing'})"


def config_recorder_on(questions: Questions, parameters: Mapping[str, Any]) -> Iterator[Found]:
    """Yield, for each recorder of AWS Config, whether it records and was never stopped."""
    begin = since(questions, parameters)
    recorders = {key: item for key, item in questions.estate().items() if item.resource.type == RECORDER}
    stops = _calls(questions, "config.amazonaws.com", _RECORDER_STOPS, begin)
    for key, item in recorders.items():
        own = stops.pop(key, [])
        recording = first(item, "status.recording", "recording", "recorder.recording")
        if own:
            yield about(item, NON_COMPLIANT, _told(own, _RECORDER_STOPS), *(each.id for each in own))
        elif recording is None:
            yield about(item, INSUFFICIENT, "whether the recorder records was not seen")
        else:
            state = COMPLIANT if recording is True else NON_COMPLIANT
            yield about(item, state, f"the recorder {'records' if recording is True else 'does not record'}")
    for key, own in stops.items():
        yield _gone(key, own, RECORDER, _RECORDER_STOPS)
    if not recorders and not stops:
        unseen = not_observable(RECORDER, questions.coverage()[0], known=False)
        if unseen:
            yield about_nothing(INSUFFICIENT, "; ".join(unseen))


def _calls(questions: Questions, service: str, names: Mapping[str, str], begin: str) -> dict[str, list[ApiEvent]]:
    """Return the calls of some names that succeeded since `begin`, by the resource that each is about."""
    found: dict[str, list[ApiEvent]] = {}
    for event in questions.events(None).get("*", ()):
        if event.service == service and event.name in names and not event.error and event.time > begin:
            for key in event.targets or (make_resource("AWS::::Account", event.account, event.region, "trail").key,):
                found.setdefault(key, []).append(event)
    return found


def _told(events: Sequence[ApiEvent], words: Mapping[str, str]) -> str:
    return "; ".join(f"{words[each.name]} at {each.time} by {each.principal or 'somebody'}" for each in events[:5])


def _gone(key: str, events: Sequence[ApiEvent], kind: str, words: Mapping[str, str]) -> Found:
    last = events[-1]
    return Found(
        resource=key, type=kind, state=NON_COMPLIANT, explanation=_told(events, words), account=last.account,
        region=last.region, evidence=tuple(each.id for each in events),
    )  # fmt: skip


def first(item: ConfigItem, *paths: str) -> Any:
    """Return the value at the first of some dotted paths of a configuration that has one, None if none has."""
    for path in paths:
        value: Any = item.configuration
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def collection_fresh(questions: Questions, parameters: Mapping[str, Any]) -> Iterator[Found]:
    """Yield, for each type in each place that was ever looked at, whether somebody looked lately and saw all of it."""
    hours = parameters["hours"] or 24
    limit = timestamp.spell(datetime.fromisoformat(questions.now) - timedelta(hours=hours))
    last: dict[tuple[str, str, str], Look | None] = {}
    for look in questions.coverage()[0]:
        if look.source == "files":  # they are looked at when somebody gives them
            continue
        place = (look.type, look.account, look.region)
        before = last.setdefault(place, None)
        if look.complete and (before is None or look.began > before.began):
            last[place] = look
    if not last:
        yield about_nothing(INSUFFICIENT, "nobody ever looked: lineal collect aws")
    for (kind, account, region), seen in sorted(last.items(), key=lambda each: each[0]):
        key = f"{kind}/{account}/{region}/*"
        if seen is None:
            state, text = NON_COMPLIANT, f"{kind} was never seen whole"
        else:
            fresh = seen.began >= limit
            state = COMPLIANT if fresh else NON_COMPLIANT
            text = f"seen whole within {hours} h" if fresh else f"last seen whole at {seen.began}, over {hours} h ago"
        yield Found(resource=key, type=kind, state=state, explanation=text, account=account, region=region)


TRAIL_RULES: Final = (
    EstateRule(
        id="TRAIL_ALWAYS_ON",
        description="No trail was switched off or deleted, and no event of its record is missing.",
        resource_types=(TRAIL,),
        severity="critical",
        ask=trail_always_on,
        remedy="Switch the trail on, find out who switched it off and what happened meanwhile.",
        tags=("cloudtrail", "evidence"),
        parameters={
            "daysBack": DAYS,
            "hours": Parameter(kind="integer", value=24, description="How long ago the trail may have been read last."),
        },
    ),
    EstateRule(
        id="CONFIG_RECORDER_ON",
        description="AWS Config records, and nobody stopped it.",
        resource_types=(RECORDER,),
        severity="high",
        ask=config_recorder_on,
        remedy="Start the recorder, and find out who stopped it.",
        tags=("config", "evidence"),
        parameters={"daysBack": DAYS},
    ),
    EstateRule(
        id="COLLECTION_FRESH",
        description="Every type of resource was seen whole lately, in every account and region that is looked at.",
        resource_types=("*",),
        severity="medium",
        ask=collection_fresh,
        remedy="lineal collect aws, or let `lineal watch` do it on a schedule.",
        tags=("evidence",),
        parameters={"hours": Parameter(kind="integer", value=24, description="How old the last look may be.")},
    ),
)
"""Rules about what watches."""
