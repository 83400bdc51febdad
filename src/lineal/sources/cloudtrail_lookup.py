"""The events that CloudTrail itself keeps for 90 days: LookupEvents, newest first, at most two calls a second.

"CloudTrail event history": management events of one account and region; one attribute narrows them down. An event can
be found about 15 minutes after the call at the latest.
"""

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from lineal.sources.aws_session import Refusal, ask

KEPT_DAYS: Final = 90
SETTLED_MINUTES: Final = 15
_EACH_SECONDS: Final = 0.5
PAGE: Final = 50

Sleep = Callable[[float], None]


def look_up(
    client: Any, since: str, until: str, attribute: tuple[str, str] | None = None, sleep: Sleep | None = None
) -> Iterator[list[Any] | Refusal]:
    """Yield the records from `since` to `until`, newest first, page by page; a `Refusal` is the last thing then.

    `attribute` (such as ``EventSource`` and its value) narrows them down. Raises `SourceError` where no call would be
    answered.
    """
    wait = sleep or time.sleep
    request: dict[str, Any] = {
        "StartTime": datetime.fromisoformat(since), "EndTime": datetime.fromisoformat(until), "MaxResults": PAGE,
    }  # fmt: skip
    if attribute is not None:
        request["LookupAttributes"] = [{"AttributeKey": attribute[0], "AttributeValue": attribute[1]}]
    seen: set[str] = set()
    while True:
        began = time.monotonic()
        answer = ask(client, "LookupEvents", **request)
        if isinstance(answer, Refusal):
            yield answer
            return
        yield [_record(each) for each in answer.get("Events") or ()]
        token = answer.get("NextToken")
        if not token:
            return
        if token in seen:
            yield Refusal("failed", "LookupEvents", "the same page comes again and again")
            return
        seen.add(token)
        request["NextToken"] = token
        wait(max(0.0, _EACH_SECONDS - (time.monotonic() - began)))


def _record(event: dict[str, Any]) -> Any:
    """Return the record inside of an event; text that is none stays text, and is refused as a record later."""
    text = event.get("CloudTrailEvent")
    try:
        return json.loads(text) if isinstance(text, str) else event
    except (ValueError, RecursionError):
        return text
