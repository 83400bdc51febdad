"""Collect the events that CloudTrail itself keeps: region by region, going on from the last look."""

from collections.abc import Iterator
from dataclasses import dataclass
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
from lineal.sources.cloudtrail_lookup import KEPT_DAYS, SETTLED_MINUTES, Sleep, look_up
from lineal.sources.cloudtrail_record import read_record, unknown_version

_OVERLAP: Final = SETTLED_MINUTES


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
    done = []
    for region in request.regions or (None,):
        access = open_aws(region, request.profile)
        done.append(_collect_region(session, access, request, sources, sleep, on_progress))
    return done


def _collect_region(
    session: Session,
    access: AwsAccess,
    request: TrailRequest,
    sources: tuple[str, ...],
    sleep: Sleep | None,
    on_progress: Progress | None,
) -> CollectedTrail:
    account = access.account()
    scope = " ".join(("lookup", account or "unknown account", access.region, *sorted(sources)))
    collection = Collection(SOURCE, scope)
    batch = Batch(session, Keeper(session, request.reads), {"source": SOURCE, "place": f"LookupEvents {access.region}"})
    look = _Lookup(session, access, account, request, collection, batch, sleep)

    def move(_seen: int, _recorded: int) -> None:
        if on_progress is not None:
            on_progress(batch.counts["events"], batch.counts["recorded"])

    result = collect(session, collection, look.everything(sources), move)
    return CollectedTrail(collected=result, counts=dict(batch.counts), trail=tuple(collection.trail))


@dataclass(slots=True)
class _Lookup:
    """One look at one region. Events come newest first: what was not reached is the older part."""

    session: Session
    access: AwsAccess
    account: str | None
    request: TrailRequest
    collection: Collection
    batch: Batch
    sleep: Sleep | None
    _reached: str = ""
    _refused: Refusal | None = None

    def everything(self, sources: tuple[str, ...]) -> Iterator[Observation | Gap]:
        """Yield the events from the end of the last look to now, and say of which span that is all."""
        before = last_covered(self.session, SOURCE, self.collection.scope) if self.account else {}
        logging = Logging({name: dict(each) for name, each in dict(before.get("stopped", {})).items()})
        now, came = self.session.clock(), str(before.get("until", ""))
        until = min(self.request.until or now, now)
        since = max(self.request.since or came, shift(now, days=-KEPT_DAYS))
        self._reached = until
        for attribute in self._attributes(sources):
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
        yield from (logging.explain(stop) for stop in logging.stops() if stop.is_new)
        yield from logging.changes()
        self.collection.covered = {
            "until": max(came, end) if whole and (not came or since <= came) else came,
            "stopped": logging.standing,
            "counts": dict(sorted(self.batch.counts.items())),
            "left_out": dict(sorted(self.batch.keeper.left_out.items())),
        }

    def _attributes(self, sources: tuple[str, ...]) -> list[tuple[str, str] | None]:
        if sources:
            return [("EventSource", each) for each in sources]
        return [None] if self.request.reads else [("ReadOnly", "false")]

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
