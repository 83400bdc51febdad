"""What a look at log files says of the trail: proven, unproven and missing spans, by account and region."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Final

from lineal.app.trail_digests import MISSING, Proofs
from lineal.app.trail_state import State, place_of
from lineal.core.coverage import TrailSpan
from lineal.core.observation import Gap
from lineal.core.span import Span, merge, without
from lineal.core.timestamp import shift
from lineal.sources.cloudtrail_logging import STOPPED, Logging
from lineal.sources.cloudtrail_place import LogFile

_SLOT: Final = 5
_BEFORE: Final = 15
_OVERDUE: Final = 3
"""After so many hours a digest is not just late."""


@dataclass(slots=True)
class Spans:
    """Gathers when files were delivered and which of them could not be read.

    CloudTrail delivers a file about every 5 minutes, on the average 5 and at most about 15 minutes after the call.
    """

    state: State
    began: str
    settled: str
    since: str = ""
    spans: list[TrailSpan] = field(default_factory=list)
    _before: dict[str, str] = field(default_factory=dict)
    _read: dict[str, set[str]] = field(default_factory=dict)
    _unread: dict[str, list[Span]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._before = {name: region.covered for name, region in self.state.regions.items()}
        for chain, last in self.state.chains.items():
            place = chain.rpartition("/")[0]
            self._before[place] = max(self._before.get(place, ""), str(last.get("covered", "")))

    def read(self, place: str, moment: str) -> None:
        """Note that a file of `place` was read that was delivered then, or an event of then in one without a date."""
        self._read.setdefault(place, set()).add(moment)

    def miss(self, file: LogFile, *, broken: bool) -> None:
        """Note a file that could not be read now, or that is `broken`: then what it held is missing."""
        span = Span(shift(file.stamp, minutes=-_BEFORE), file.stamp)
        self._unread.setdefault(place_of(file), []).append(span)
        if broken:
            self._add(place_of(file), span, "log_broken")

    def conclude(self, proofs: Proofs, logging: Logging) -> Iterator[Gap]:
        """Add up the spans; yield what is to be recorded of switches and chains."""
        stopped = yield from self._explain_stops(proofs, logging)
        for item in proofs.spans(stopped):
            if isinstance(item, Gap):
                yield item
            else:
                self.spans.append(item)
        yield from self._explain_silence(proofs, stopped)
        for place, found in sorted(self._read.items()):
            moments = [each for each in found if each <= self.began]  # one of the future tells nothing of until now
            if not moments:
                continue
            before = self._before.get(place, "")
            began = shift(min(moments), minutes=-_SLOT)
            began = min(began, before) if before and not self.since else began
            ended = min(max(moments), self.settled)
            for span in without([(began, ended)], [*proofs.known(place), *self._unread.get(place, ())]):
                self._add(place, span)
            if place in self.state.regions:
                self.state.regions[place].covered = max(before, ended)

    def _explain_silence(self, proofs: Proofs, stopped: dict[str, list[Span]]) -> Iterator[Gap]:
        """Yield the regions whose digests have ended while log files went on coming: one comes each hour."""
        for place in proofs.places():
            last, region = proofs.last(place), self.state.regions.get(place)
            newest = "" if region is None else min(region.until, self.settled)
            if not last or shift(last, hours=_OVERDUE) > newest:
                continue
            holes = without([(last, shift(newest, hours=1 - _OVERDUE))], stopped.get(place, ()))
            if holes:
                why = f"no digest has come since {last}: nothing is proven of what is later"
                yield Gap("cloudtrail.digest_missing", why, place)
            for hole in holes:
                self._add(place, hole, MISSING)

    def _explain_stops(self, proofs: Proofs, logging: Logging) -> Generator[Gap, None, dict[str, list[Span]]]:
        """Yield what is to be recorded of switches; return the spans in which nothing was delivered, by place.

        The call says neither of which regions a trail is nor where it delivers. So a trail that was switched off is one
        that delivers here unless digests are those of others, or files went on coming; its span is a hole in every
        region of its account. Whether files go on coming is not known yet of one that was switched off just now.
        """
        stopped: dict[str, list[Span]] = {}
        for stop in logging.stops():
            until, late = stop.until or self.began, shift(stop.since, minutes=2 * _BEFORE)
            known = {*self.state.regions, *self._read, *proofs.places()}
            places = sorted(each for each in known if each.startswith(f"{stop.account}/"))
            trails = proofs.trails(stop.account)
            if (trails and stop.trail not in trails) or (
                any(late < each < until for place in places for each in self._read.get(place, ()))
            ):
                if stop.is_new:
                    yield logging.explain(stop, "another trail delivers here")
                logging.dismiss(stop)
                continue
            if stop.is_new or places:
                yield logging.explain(stop)
            for place in places if stop.until or late < self.began else ():
                stopped[place] = merge([*stopped.get(place, ()), *without([(stop.since, until)], proofs.proven(place))])
        yield from logging.changes()
        self.state.stopped = logging.standing
        for place, spans in sorted(stopped.items()):
            for span in spans:
                self._add(place, span, STOPPED)
        return stopped

    def _add(self, place: str, span: Span, why: str = "") -> None:
        account, _, region = place.partition("/")
        self.spans.append(
            TrailSpan(
                account=account, region=region, since=span[0], until=span[1], proof="none", missing=bool(why), why=why
            )
        )
