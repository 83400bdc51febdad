"""Collect the events that CloudTrail itself keeps: region by region, some at a time, going on from the last look.

Each of these spans is a collection of its own: whatever stops a look, the next one goes on after the last whole span.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lineal.app.collect import Collection, Progress, collect, last_covered
from lineal.app.collect_cloudtrail import SOURCE, CollectedTrail, TrailRequest
from lineal.app.session import Session
from lineal.app.trail_batch import Batch
from lineal.app.trail_keep import Keeper
from lineal.core.coverage import TrailSpan
from lineal.core.observation import Gap, Observation
from lineal.core.timestamp import shift
from lineal.errors import BadInput
from lineal.sources.aws_session import AwsAccess, Refusal, open_aws
from lineal.sources.cloudtrail_logging import Logging
from lineal.sources.cloudtrail_lookup import KEPT_DAYS, PAGE, SETTLED_MINUTES, Sleep, look_up
from lineal.sources.cloudtrail_record import read_moment, read_record, unknown_version

_OVERLAP: Final = SETTLED_MINUTES
_SHORTEST: Final = 3600.0
_PAGES_AT_ONCE: Final = 4000
"""So many pages of events, two in a second, are asked for in one span: about as many as take half an hour."""


def collect_lookup(
    session: Session,
    request: TrailRequest | None = None,
    *,
    sources: tuple[str, ...] = (),
    sleep: Sleep | None = None,
    on_progress: Progress | None = None,
) -> list[CollectedTrail]:
    """Record what LookupEvents gives of each region of `request` (that of the credentials, if none is named).

    With `sources`, only calls of these services are asked for: then nothing is known of the trail as a whole. Raises
    `BadInput` for what log files alone can answer, `SourceError` where nothing can be asked.
    """
    request = request or TrailRequest()
    if request.accounts:
        raise BadInput("LookupEvents gives the events of one account: that of the credentials", fix="Use --profile.")
    done: list[CollectedTrail] = []
    for region in request.regions or (None,):
        access = open_aws(region, request.profile)
        done += _collect_region(session, access, request, sources, sleep, on_progress)
    return done


def _collect_region(
    session: Session,
    access: AwsAccess,
    request: TrailRequest,
    sources: tuple[str, ...],
    sleep: Sleep | None,
    on_progress: Progress | None,
) -> list[CollectedTrail]:
    account = access.account()
    scope = " ".join(("lookup", account or "unknown account", access.region, *sorted(sources)))
    came = str(last_covered(session, SOURCE, scope).get("until", "")) if account else ""
    now = session.clock()
    end = min(request.until or now, now)
    start = max(request.since or came, shift(now, days=-KEPT_DAYS))
    attribute = _attributes(sources, reads=request.reads)[0]
    done: list[CollectedTrail] = []
    for since, until in _cut(start, end, _measure(access, start, end, attribute)):
        collection = Collection(SOURCE, scope)
        origin = {"source": SOURCE, "place": f"LookupEvents {access.region}"}
        batch = Batch(session, Keeper(session, request.reads), origin)
        look = _Lookup(session, access, account, request, collection, batch, sleep, since, until, end)

        counts = [each.counts for each in done] + [batch.counts]

        def move(_seen: int, _recorded: int, counts: Sequence[Mapping[str, int]] = tuple(counts)) -> None:
            if on_progress is not None:
                events, recorded = (sum(each.get(name, 0) for each in counts) for name in ("events", "recorded"))
                on_progress(events, recorded)

        result = collect(session, collection, look.everything(sources), move)
        done.append(CollectedTrail(collected=result, counts=dict(batch.counts), trail=tuple(collection.trail)))
        if look.is_refused:
            break
    return done


def _measure(access: AwsAccess, since: str, until: str, attribute: tuple[str, str] | None) -> float:
    """Return how many seconds the span of some thousand pages has, judged by the newest one; 0 where one holds all."""
    pages = look_up(access.client("cloudtrail"), shift(since, minutes=-_OVERLAP), until, attribute, lambda _: None)
    page = next(pages, [])
    if isinstance(page, Refusal) or len(page) < PAGE:
        return 0.0
    times = [read_moment(str(each.get("eventTime"))) or until for each in page if isinstance(each, dict)]
    first, last = (datetime.fromisoformat(each) for each in (min(times, default=until), max(times, default=until)))
    return max(_SHORTEST, (last - first).total_seconds() * _PAGES_AT_ONCE)


def _cut(since: str, until: str, seconds: float) -> Iterator[tuple[str, str]]:
    """Yield spans from `since` to `until`, oldest first, each at most so many `seconds` long (0: one)."""
    while seconds and (end := shift(since, seconds=int(seconds))) < until:
        yield since, end
        since = end
    yield since, until


def _attributes(sources: tuple[str, ...], *, reads: bool) -> list[tuple[str, str] | None]:
    """Return by what events are asked for, one after the other; None for all."""
    if sources:
        return [("EventSource", each) for each in sources]
    return [None] if reads else [("ReadOnly", "false")]


@dataclass(slots=True)
class _Lookup:
    """One look at one region, from `since` to `until` on the way to `end`.

    Events come newest first: what was not reached is the older part, and what is after `until`.
    """

    session: Session
    access: AwsAccess
    account: str | None
    request: TrailRequest
    collection: Collection
    batch: Batch
    sleep: Sleep | None
    since: str
    until: str
    end: str
    _reached: str = ""
    _refused: Refusal | None = None

    @property
    def is_refused(self) -> bool:
        """Whether it could not be asked to its end."""
        return self._refused is not None

    def everything(self, sources: tuple[str, ...]) -> Iterator[Observation | Gap]:
        """Yield the events from the end of the last look to now, and say of which span that is all."""
        before = last_covered(self.session, SOURCE, self.collection.scope) if self.account else {}
        logging = Logging({name: dict(each) for name, each in dict(before.get("stopped", {})).items()})
        now, came = self.session.clock(), str(before.get("until", ""))
        since, until = self.since, self.until
        self._reached = until
        for attribute in _attributes(sources, reads=self.request.reads):
            yield from self._look(attribute, shift(since, minutes=-_OVERLAP), until, logging)
            if self._refused is not None:
                yield self._refused.gap(self.access.region)
                break
        yield from self.batch.release()
        end = min(until, shift(now, minutes=-SETTLED_MINUTES))
        whole = self._refused is None
        if sources:
            why = f"only calls of {', '.join(sources)} were asked for: of all others nothing is known"
            yield Gap("cloudtrail.lookup_narrowed", why, self.access.region)
        elif self.account is None:
            why = "the account is not known (GetCallerIdentity): nothing is known of its trail as a whole"
            yield Gap("cloudtrail.account_unknown", why, self.access.region)
        else:
            # Two events of one second may stand on two pages.
            self._span(since if whole else shift(self._reached, seconds=1), end)
            if not whole:
                self._span(since, min(self._reached, end), why="refused")
                self._span(end, min(self.end, shift(now, minutes=-SETTLED_MINUTES)), why="refused")
        yield from (logging.explain(stop) for stop in logging.stops() if stop.is_new)
        yield from logging.changes()
        self.collection.covered = {
            "until": max(came, end) if whole and (not came or since <= came) else came,
            "stopped": logging.standing,
            "counts": dict(sorted(self.batch.counts.items())),
            "left_out": dict(sorted(self.batch.keeper.left_out.items())),
        }

    def _look(
        self, attribute: tuple[str, str] | None, since: str, until: str, logging: Logging
    ) -> Iterator[Observation | Gap]:
        for page in look_up(self.access.client("cloudtrail"), since, until, attribute, self.sleep):
            if isinstance(page, Refusal):
                self._refused = page
                return
            for record in page:
                event = read_record(record)
                if isinstance(event, Gap):
                    yield from self.batch.refuse(event, "LookupEvents")
                    continue
                if (odd := unknown_version(record)) is not None:
                    yield odd
                self._reached = min(self._reached, event.time)
                logging.take(event)
                yield from self.batch.add(event)

    def _span(self, since: str, until: str, why: str = "") -> None:
        """Note a span; the event history of an account does not depend on any trail: it cannot be switched off."""
        if since < until and self.account is not None:
            self.collection.trail.append(
                TrailSpan(
                    account=self.account, region=self.access.region, since=since, until=until,
                    proof="none" if why else "api", missing=bool(why), why=why,
                )
            )  # fmt: skip
