"""How far a trail is known, and where it is not: without it, the absence of an event proves nothing."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from lineal.core import timestamp
from lineal.core.coverage import TrailSpan
from lineal.core.span import Span, merge, overlap, without

# Where events of global services (IAM) are delivered, by partition (CloudTrail user guide, "Global service events").
_GLOBAL: Final = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
_UNKNOWN: Final = ("digest_missing", "digest_invalid", "refused")
_ANYWHERE: Final = ("", "*")


@dataclass(frozen=True, slots=True)
class Hole:
    """A span of which the trail does not say everything, and `why` as far as it is known ('' where nobody looked)."""

    since: str
    until: str
    why: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is known of the trail of one account and region.

    `covered` are the spans, apart and in order, their ends excluded, of which every event is on record; `missing` the
    spans that are known to be holes. `watermark` is where the last span ends, '' where no trail was ever collected.
    `proven` are the spans that a digest chain or the service itself vouches for.
    """

    covered: tuple[Span, ...] = ()
    missing: tuple[Hole, ...] = ()
    proven: tuple[Span, ...] = ()
    watermark: str = ""

    def reaches(self, moment: str) -> bool:
        """Return whether the trail is known, as covered or as missing, beyond `moment`."""
        return self.watermark > moment

    def covers(self, since: str, until: str) -> bool:
        """Return whether every event after `since` and up to `until` (included) is on record."""
        return _covers(self.covered, since, until)

    def proves(self, since: str, until: str) -> bool:
        """Return whether somebody else vouches for that, not just the files that were there to read."""
        return _covers(self.proven, since, until)

    def holes(self, since: str, until: str) -> tuple[Hole, ...]:
        """Return what is not covered after `since` and up to `until` (included), in order."""
        return self._holes(since, _next_after(until))

    def known_holes(self) -> tuple[Hole, ...]:
        """Return what is not covered between the beginning and the end of what is known, in order."""
        first = min([began for began, _ in self.covered] + [each.since for each in self.missing], default="")
        return self._holes(first, self.watermark)

    def _holes(self, since: str, end: str) -> tuple[Hole, ...]:
        found: list[Hole] = []
        at = since
        for began, ended in (*self.covered, (end, end)):
            if ended < at:
                continue
            if began > at:
                found.append(Hole(at, min(began, end), self._why(at, min(began, end))))
            at = max(at, ended)
            if at >= end:
                break
        return tuple(found)

    def clip(self, since: str, until: str) -> tuple[Span, ...]:
        """Return the covered spans cut to the interval: what a judgement of it rests on."""
        end = _next_after(until)
        found = []
        for at in range(bisect_right(self.covered, since, key=_end), len(self.covered)):
            both = overlap(self.covered[at], (since, end))
            if both is None:
                break
            found.append(both)
        return tuple(found)

    def _why(self, since: str, until: str) -> str:
        return ", ".join(
            sorted({each.why for each in self.missing if each.since < until and each.until > since} - {""})
        )


@dataclass(slots=True)
class Trail:
    """The spans of all trails on record, asked by where a resource is."""

    spans: Sequence[TrailSpan]
    _held: dict[tuple[str, str, str], Coverage] = field(default_factory=dict)

    def of(self, account: str, region: str, key: str = "") -> Coverage:
        """Return what is known of the trail of an account and region.

        Of resources without a region, the events are delivered where the partition of their `key` (an ARN) has its
        global services; those of buckets, whose ARNs do not say where they are, in any region: known is what is known
        of all of them. Spans without a region (or ``*``) are of all regions.
        """
        _, partition, service, *_ = (*key.split(":", 3), "", "") if key.startswith("arn:") else ("", "", "")
        place = (account, region or ("s3" if service == "s3" else _GLOBAL.get(partition, "")), partition)
        found = self._held.get(place)
        if found is None:
            found = self._everywhere(account) if place[1] == "s3" else self._read(account, place[1])
            self._held[place] = found
        return found

    def _read(self, account: str, region: str) -> Coverage:
        regions = (region, *_ANYWHERE)
        return read_coverage(each for each in self.spans if each.account == account and each.region in regions)

    def _everywhere(self, account: str) -> Coverage:
        regions = sorted({each.region for each in self.spans if each.account == account})
        found = [self._read(account, each) for each in regions]
        if not found:
            return Coverage()
        covered, proven = found[0].covered, found[0].proven
        for each in found[1:]:
            covered, proven = _common(covered, each.covered), _common(proven, each.proven)
        missing = tuple(hole for each in found for hole in each.missing)
        return Coverage(covered, missing, proven, min(each.watermark for each in found))


def read_coverage(spans: Iterable[TrailSpan]) -> Coverage:
    """Return what `spans`, all of one account and region and in any order, say together.

    What the service itself was asked for (proof ``api``) is there, whatever became of files: it is another record of
    the same calls. Else what digests say is missing is missing, and what they say is there is there. What merely could
    not be read, or had no digest when somebody looked, is a hole where neither of them vouches for anything by now.
    """
    given = [each for each in spans if each.since < each.until]
    asked = merge((each.since, each.until) for each in given if not each.missing and each.proof == "api")
    lost = without(merge((each.since, each.until) for each in given if _is_lost(each)), asked)
    signed = merge((each.since, each.until) for each in given if not each.missing and each.proof != "none")
    sure = {True: asked, False: without(signed, lost)}  # what fills a hole: of one that is proven, and of any other
    missing = [
        Hole(began, ended, each.why)
        for each in given
        if each.missing
        for began, ended in without([(each.since, each.until)], sure[_is_lost(each)])
    ]
    missing.sort(key=lambda each: (each.since, each.until, each.why))
    holes = merge((each.since, each.until) for each in missing)
    there = [each for each in given if not each.missing]
    covered = without(merge((each.since, each.until) for each in there), holes)
    proven = without(merge((each.since, each.until) for each in there if each.proof != "none"), holes)
    watermark = max((each.until for each in given), default="")
    return Coverage(tuple(covered), tuple(missing), tuple(proven), watermark)


def _is_lost(span: TrailSpan) -> bool:
    """Return whether a span says that events were there and are not any more, not just that nobody knows."""
    return span.missing and span.proof != "none" and span.why not in _UNKNOWN


_next_after: Final = lru_cache(maxsize=4096)(timestamp.next_after)


def _end(span: Span) -> str:
    return span.until


def _covers(spans: Sequence[Span], since: str, until: str) -> bool:
    at = bisect_right(spans, (since, "\uffff")) - 1
    return at >= 0 and spans[at][1] > until


def _common(one: Sequence[Span], other: Sequence[Span]) -> tuple[Span, ...]:
    """Return what two lists of spans, each apart and in order, have in common."""
    return tuple(both for each in one for beside in other if (both := overlap(each, beside)) is not None)
