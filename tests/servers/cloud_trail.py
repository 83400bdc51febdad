"""A synthetic CloudTrail around moto's server: every call is recorded as CloudTrail records it, and delivered.

Nothing here is AWS. moto answers the calls; this wrapper writes records in the shape of AWS's own (labelled synthetic
in their additionalEventData), answers LookupEvents and ListPublicKeys, and puts log files and signed digests into the
bucket of each trail. Its clock is moto's too, so that a month passes in seconds.
"""

import json
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final
from unittest.mock import patch

from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from servers import moto
from servers.cloud_calls import Call, read_answer, read_call, refuse
from servers.cloud_clock import Clock, moto_clock
from servers.cloud_delivery import Delivery, Record, spell
from servers.cloud_lookup import list_keys, look_up
from servers.cloud_patches import patches
from servers.cloud_people import Identity, user
from servers.moto import ACCOUNT, REGION, Moto

WATCHER: Final = user("lineal")
_LATE: Final = timedelta(hours=1)
_SILENT: Final = frozenset({"GetCallerIdentity"})

Start = Callable[..., Any]
Answer = tuple[str, list[tuple[str, str]], bytes]


@dataclass
class CloudTrail:
    """Records what is called, for one account: its trails, who is who, and the switches of the test.

    Calls with the key ``testing`` are those of `default`; those of a client made by `client` are its identity's.
    `delay` keeps records back from delivery that are made meanwhile; `lookup_delay` is how long LookupEvents does not
    show an event. `refused` are patterns (service, operation, region) of calls that are answered with AccessDenied
    (or the code given), `throttle` the number of calls of LookupEvents that are throttled next. The trail's own clock
    is wrong by `skew`. Each call that changes something takes `seconds_each`. A trail of all regions delivers those of
    `regions`, its own and us-east-1.
    """

    moto: Moto
    clock: Clock
    default: Identity = WATCHER
    records: list[Record] = field(default_factory=list)
    trails: dict[str, list[Delivery]] = field(default_factory=dict)
    refused: dict[tuple[str, str, str], str] = field(default_factory=dict)
    delay: timedelta = timedelta()
    lookup_delay: timedelta = timedelta(minutes=2)
    throttle: int = 0
    skew: timedelta = timedelta()
    seconds_each: int = 1
    regions: tuple[str, ...] = ()
    _people: dict[str, Identity] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def client(self, service: str, identity: Identity | None = None, region: str = REGION) -> Any:
        """Return a boto3 client with which `identity` calls."""
        who = identity or self.default
        self._people[who.key] = who
        return moto.client_of(self.moto.url, service, region, who.key)

    @contextmanager
    def acting_as(self, identity: Identity) -> Iterator[None]:
        """Let all calls without an identity of their own be those of `identity`."""
        before, self.default = self.default, identity
        try:
            yield
        finally:
            self.default = before

    def move_to(self, moment: datetime) -> None:
        """Let time pass, and deliver what is due meanwhile; a moment that has passed changes nothing."""
        with self._lock:
            self.clock.move_to(moment)
            for each in self.deliveries():
                each.move_to(self.clock.now)

    def advance(self, **span: float) -> None:
        """Let a span of time pass (``hours=4``)."""
        self.move_to(self.clock.now + timedelta(**span))

    def deliveries(self) -> list[Delivery]:
        """Return what every trail delivers, region by region."""
        return [each for found in self.trails.values() for each in found]

    def delivery(self, region: str = REGION, trail: str | None = None) -> Delivery:
        """Return what a trail (the first, unless named) delivers of a region."""
        return next(each for each in self.deliveries() if each.region == region and trail in (None, each.trail))

    def events(self, name: str = "", *, reads: bool = False) -> list[Record]:
        """Return the records of calls of one name (any, if empty), oldest first."""
        return [each for each in self.records if name in ("", each["eventName"]) and (reads or not each["readOnly"])]

    def note(
        self,
        source: str,
        name: str,
        parameters: dict[str, Any] | None,
        identity: Identity,
        *,
        region: str = REGION,
        **more: Any,
    ) -> Record:
        """Record what no request showed: a call that one service made of another, an event of a service itself."""
        with self._lock:
            record = self._record(source, name, identity, region, parameters) | more
            self._keep(record)
            return record

    def amend(self, event: str, **updates: Any) -> Record:
        """Record an addendum to an event that says what of it was wrong."""
        with self._lock:
            before = next(each for each in self.records if each["eventID"] == event)
            record = {
                **before,
                **updates,
                "eventID": str(uuid.uuid4()),
                "addendum": {
                    "reason": "UPDATED_DATA",
                    "updatedFields": ",".join(sorted(updates)),
                    "originalRequestID": before["requestID"],
                    "originalEventID": event,
                },
            }
            self._keep(record)
            return record

    # What the server asks.

    def refusal(self, call: Call) -> tuple[str, str] | None:
        """Return why a call is refused, None if it is not."""
        for (service, operation, region), code in self.refused.items():
            patterns = ((call.service, service), (call.operation, operation), (call.region, region))
            if all(fnmatchcase(*each) for each in patterns):
                who = self._people.get(call.key, self.default).name
                return code, f"User: {who} is not authorized to perform: {call.service}:{call.operation}"
        if call.operation == "LookupEvents" and self.throttle > 0:
            self.throttle -= 1
            return "ThrottlingException", "Rate exceeded"
        return None

    def answer(self, call: Call) -> bytes | None:
        """Return the answer to a call that moto lacks; None for all others."""
        if call.service != "cloudtrail" or call.operation not in {"LookupEvents", "ListPublicKeys"}:
            return None
        if call.operation == "ListPublicKeys":
            return json.dumps(list_keys(call)).encode()
        with self._lock:
            return json.dumps(look_up(self.records, call, self.clock.now - self.lookup_delay)).encode()

    def take(self, call: Call, answer: dict[str, Any]) -> None:
        """Record a call and what was answered; switch a trail on or off if that is what it asked for."""
        if call.operation in _SILENT:
            return
        with self._lock:
            identity = self._people.get(call.key, self.default)
            record = self._record(call.source, call.operation, identity, call.region, call.parameters)
            record["readOnly"] = call.reads
            record["userAgent"] = record["userAgent"] or call.agent
            if "Error" in answer:
                record |= {"errorCode": answer["Error"]["Code"], "errorMessage": answer["Error"]["Message"]}
            elif not call.reads:
                record["responseElements"] = answer or None
            record |= _resources(call, record["recipientAccountId"])
            done = "Error" not in answer
            if done and call.operation == "StartLogging":
                self._switch(call, on=True)
            self._keep(record)
            if done and call.operation == "CreateTrail":
                self._create(call)
            if done and call.operation in {"StopLogging", "DeleteTrail"}:
                self._switch(call, on=False)
            if not call.reads:
                self.move_to(self.clock.now + timedelta(seconds=self.seconds_each))

    def _record(
        self, source: str, name: str, identity: Identity, region: str, parameters: dict[str, Any] | None
    ) -> Record:
        now = self.clock.now + self.skew
        return {
            "eventVersion": "1.11",
            "userIdentity": identity.describe(ACCOUNT, spell(now - timedelta(minutes=10))),
            "eventTime": spell(now),
            "eventSource": source,
            "eventName": name,
            "awsRegion": region,
            **identity.outside(),
            "requestParameters": parameters,
            "responseElements": None,
            "additionalEventData": {"synthetic": True},
            "requestID": str(uuid.uuid4()),
            "eventID": str(uuid.uuid4()),
            "readOnly": False,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Management",
        }

    def _keep(self, record: Record) -> None:
        due = self.clock.now + self.delay
        if self.delay >= _LATE:
            record = record | {"addendum": {"reason": "DELIVERY_DELAY"}}
        self.records.append(record)
        for each in self.deliveries():
            if each.region == record["awsRegion"]:
                each.take(record, due)

    def _create(self, call: Call) -> None:
        said = call.parameters or {}
        regions = {call.region, "us-east-1", *self.regions} if said.get("isMultiRegionTrail") else {call.region}
        self.trails[said["name"]] = [
            Delivery(ACCOUNT, each, said["name"], call.region, said["s3BucketName"], said.get("s3KeyPrefix", ""))
            for each in sorted(regions)
        ]

    def _switch(self, call: Call, *, on: bool) -> None:
        name = (call.parameters or {})["name"].rpartition("/")[2]
        for each in self.trails.get(name, ()):
            if on and each.began is None:
                each.start(self.clock.now)
            elif not on:
                each.stop(self.clock.now)
        if call.operation == "DeleteTrail":
            self.trails.pop(name, None)


def _resources(call: Call, account: str) -> dict[str, Any]:
    """Return the element resources, which few services fill in."""
    said = call.parameters or {}
    if call.service == "s3" and "bucketName" in said:
        arn, kind = f"arn:aws:s3:::{said['bucketName']}", "AWS::S3::Bucket"
        return {"resources": [{"ARN": arn, "accountId": account, "type": kind}]}
    if call.service == "ecr" and "repositoryName" in said:
        arn = f"arn:aws:ecr:{call.region}:{account}:repository/{said['repositoryName']}"
        return {"resources": [{"ARN": arn, "accountId": account}]}
    return {}


class RecordingApplication:
    """moto's application with a trail around it (WSGI)."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.trail: CloudTrail | None = None

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Answer one request, and record it."""
        trail = self.trail
        call = read_call(environ) if trail is not None else None
        if trail is None or call is None:
            return self.inner(environ, start)
        status, headers, body = self._ask(trail, call, environ)
        trail.take(call, read_answer(call, int(status.split()[0]), headers, body))
        start(status, headers)
        return [body]

    def _ask(self, trail: CloudTrail, call: Call, environ: dict[str, Any]) -> Answer:
        refused = trail.refusal(call)
        if refused is not None:
            return refuse(call, *refused, status=500 if refused[0] == "InternalFailure" else 400)
        own = trail.answer(call)
        if own is not None:
            return "200 OK", [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(own)))], own
        got: list[Any] = []
        inner = self.inner(environ, lambda status, headers, _error=None: got.extend((status, list(headers))))
        body = b"".join(inner)  # what moto lacks it raises here: such calls are answered with 500, and not recorded
        return got[0], got[1], body


@contextmanager
def trail_server(start: datetime, **switches: Any) -> Iterator[CloudTrail]:
    """Give moto's server with a trail around it, and a clock that stands at `start` until it is moved."""
    clock = Clock(start)
    made: list[RecordingApplication] = []

    def wrap(create: Any) -> RecordingApplication:
        made.append(RecordingApplication(DomainDispatcherApplication(create)))
        return made[0]

    with (
        patch.object(moto, "DomainDispatcherApplication", wrap),
        moto.moto_server() as server,
        moto_clock(clock),
        patches(),
    ):
        made[0].trail = CloudTrail(server, clock, **switches)
        yield made[0].trail


__all__ = ["Clock", "CloudTrail", "Identity", "trail_server"]
