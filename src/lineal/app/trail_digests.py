"""The digests of a place: which log files they name, which of those hold, and which hours are proven by them."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import Final

from lineal.app.trail_keys import Keys
from lineal.app.trail_state import State, place_of
from lineal.core.coverage import TrailSpan
from lineal.core.observation import Gap
from lineal.core.span import Span, merge, without
from lineal.core.timestamp import shift
from lineal.sources.cloudtrail_chain import BACKFILL, FORGED, PROVEN, Chain, Hour, check_chain, good_spans
from lineal.sources.cloudtrail_digest import Digest, Named, read_digest, same_hash
from lineal.sources.cloudtrail_file import open_log
from lineal.sources.cloudtrail_place import LogFile, Place, fetch_each, read_name

_MOST_LISTED: Final = 20
_PATIENCE: Final = 7
_MOST_DIGEST: Final = 64 * 1024 * 1024
DELETED, ALTERED, INVALID, MISSING, UNREAD = (
    "log_deleted", "log_altered", "digest_invalid", "digest_missing", "refused",
)  # fmt: skip


@dataclass(slots=True)
class Proofs:
    """What the digests of `place` prove; `since` and `until` bound the hours that are looked at, '' for all.

    `accounts` and `regions` narrow it down, where any are named.

    A digest names what was delivered in its hour, which can be after the hour of the call: what it proves counts only
    up to `settled`, which lies so far back that everything of before was delivered when the log files were listed.
    """

    place: Place
    state: State
    keys: Keys
    settled: str
    since: str = ""
    until: str = ""
    accounts: Collection[str] = ()
    regions: Collection[str] = ()
    names: dict[str, tuple[Named, Hour]] = field(default_factory=dict)
    _chains: dict[str, Chain] = field(default_factory=dict)
    _unnamed: Counter[str] = field(default_factory=Counter)
    _proven: dict[str, list[Span]] = field(default_factory=dict)
    _told: dict[str, list[Span]] = field(default_factory=dict)
    _whole: bool = False

    def read(self) -> Iterator[Gap]:
        """Read the digests that are new and judge their chains; yield what is wrong with them."""
        found: dict[str, list[Digest]] = {}
        gaps: list[Gap] = []
        unread: dict[str, str] = {}
        for file, fetched in fetch_each(self.place, self._list(gaps)):
            if isinstance(fetched, Gap):
                unread[file.chain] = min(unread.get(file.chain, file.stamp), file.stamp)
                yield fetched
                continue
            log = open_log(fetched.data, file.key, _MOST_DIGEST)
            if isinstance(log, Gap):
                yield log
                continue
            digest = read_digest(file, log.content, log.sha256, fetched.signature)
            if isinstance(digest, Gap):
                yield digest
            elif self._is_asked(digest):
                found.setdefault(file.chain, []).append(digest)
        yield from gaps
        self._whole = not gaps and not unread
        for name, stamp in unread.items():  # the next look goes on from the last digest before
            found[name] = [each for each in found.get(name, ()) if each.file.stamp < stamp]
        yield from self._check({name: digests for name, digests in found.items() if digests})

    def first(self, account: str, region: str) -> str:
        """Return when the first log file was delivered that the new digests of a region name; '' if there is none."""
        place = f"{account}/{region}"
        stamps = [
            file.stamp
            for chain in self._of(place)
            for hour in chain.hours
            for named in hour.digest.logs
            if (file := read_name(named.key, 0)) is not None
        ]
        return min(stamps, default="")

    def proves(self, file: LogFile) -> bool:
        """Return whether a proven digest names the file."""
        found = self.names.get(file.name)
        return found is not None and found[1].state == PROVEN

    def check(self, file: LogFile, sha256: str) -> Gap | None:
        """Return a gap if the file is not the one that a digest names, or if digests of its time do not name it."""
        found = self.names.get(file.name)
        if found is not None:
            named, hour = found
            if same_hash(named.hash, sha256):
                return None
            hour.faults.add(ALTERED)
            why = "its content is not the one that its digest names: none of its events are taken as evidence"
            return Gap("cloudtrail.log_altered", why, file.key)
        for began, ended in self._proven.get(place_of(file), ()):
            if began < file.stamp and shift(file.stamp, hours=1) <= ended:
                self._unnamed[place_of(file)] += 1
                why = "no digest of its time names it: none of its events are taken as evidence"
                return Gap("cloudtrail.log_unnamed", why, file.key)
        return None

    def is_left_out(self, file: LogFile) -> bool:
        """Return whether digests of a file's time, of this look or the one before, are there, and none names it."""
        if file.name in self.names:
            return False
        spans = self._told.get(place_of(file), ())
        return any(began < file.stamp and shift(file.stamp, hours=1) <= ended for began, ended in spans)

    def is_watched(self, file: LogFile) -> bool:
        """Return whether digests come for the account and region of a file."""
        return any(chain.startswith(f"{place_of(file)}/") for chain in (*self._chains, *self.state.chains))

    def is_settled(self, file: LogFile, known: str) -> bool:
        """Return whether a file that was read before, with the hash `known`, needs no reading on account of digests."""
        found = self.names.get(file.name)
        return found is None or same_hash(found[0].hash, known)

    def miss(self, file: LogFile, *, broken: bool) -> None:
        """Note a file that could not be read: its hour is not proven by this look, or never if the file is `broken`."""
        found = self.names.get(file.name)
        if found is not None:
            found[1].faults.add(ALTERED if broken else UNREAD)

    def is_listed(self, file: LogFile) -> bool:
        """Return whether a file that no digest names is one of the first of its region, which are listed one by one."""
        return self._unnamed[place_of(file)] <= _MOST_LISTED

    def conclude(self, seen: Collection[str], *, whole: bool) -> Iterator[Gap]:
        """Hold what digests name against the files `seen`; `whole` says that everything could be listed."""
        for place, count in self._unnamed.items():
            if count > _MOST_LISTED:
                why = f"{count} files are named by no digest of their time, in all: perhaps those of another trail"
                yield Gap("cloudtrail.log_unnamed", why, place)
        for name, (named, hour) in self.names.items():
            if name in seen:
                continue
            file = read_name(named.key, 0)
            known = None if file is None else self.state.known(file)
            if not whole:
                hour.faults.add(UNREAD)
            elif known is None:
                hour.faults.add(DELETED)
                yield Gap("cloudtrail.log_deleted", "a digest names it, and it is not there", named.key)
            else:
                yield Gap("cloudtrail.log_deleted", "it was read earlier, and is not there any more", named.key)
                if not same_hash(named.hash, known):
                    hour.faults.add(ALTERED)
                    yield Gap("cloudtrail.log_altered", "it was another, when read, than its digest says", named.key)

    def spans(self, stopped: dict[str, list[Span]]) -> Iterator[TrailSpan | Gap]:
        """Yield what is proven and what is missing; where a trail was `stopped` (by region), that is the reason."""
        for chain in self._chains.values():
            yield from self._explain_breaks(chain, stopped)
        for place in sorted({chain.rpartition("/")[0] for chain in self._chains}):
            account, _, region = place.partition("/")
            chains, span = self._of(place), partial(TrailSpan, account=account, region=region)
            proven = merge(good_spans(chains, PROVEN))
            # An hour that is not over yet has no digest: one of nobody's hand says so of all the time until then.
            past = [each for each in good_spans(chains) if each[1] <= self.state.now]
            for proof, spans in (("digest", proven), ("none", without(past, proven))):
                for began, ended in spans:
                    if began < (end := min(ended, self.settled)):
                        yield span(since=began, until=end, proof=proof)
            for why, holes in _holes(chains).items():
                others = proven if why in (MISSING, INVALID) else []
                for began, ended in without(without(holes, others), stopped.get(place, ())):
                    yield span(since=began, until=ended, proof="digest", missing=True, why=why)

    def places(self) -> list[str]:
        """Return the accounts and regions of which there are digests."""
        return sorted({chain.rpartition("/")[0] for chain in (*self._chains, *self.state.chains)})

    def trails(self, account: str) -> set[str]:
        """Return the names of the trails of an account that deliver digests here."""
        names = (chain.split("/", 2) for chain in (*self._chains, *self.state.chains))
        return {trail.removesuffix(BACKFILL).rpartition("_")[0] for owner, _, trail in names if owner == account}

    def known(self, place: str) -> list[Span]:
        """Return the spans of a region that digests tell of, for better or worse."""
        chains = self._of(place)
        bad = [span for spans in _holes(chains).values() for span in spans]
        return merge([*good_spans(chains), *bad])

    def proven(self, place: str) -> list[Span]:
        """Return the spans of a region that are proven."""
        return merge(good_spans(self._of(place), PROVEN))

    def last(self, place: str) -> str:
        """Return the end of the last digest of a region, '' where there is none, or not all could be read."""
        if not self._whole or self.until:
            return ""
        hours = [hour.digest.end for chain in self._of(place) for hour in chain.hours]
        ends = [end for end in hours if end <= self.state.now]
        ends += [each["end"] for name, each in self.state.chains.items() if name.rpartition("/")[0] == place]
        return max(ends, default="")

    def remember(self) -> None:
        """Let the state know the last digest of each chain before the first whose log files could not all be read.

        Of these the next look tries again, for some days.
        """
        patience = shift(self.settled, days=-_PATIENCE)
        for name, chain in self._chains.items():
            done = list(takewhile(lambda hour: UNREAD not in hour.faults or hour.digest.end < patience, chain.hours))
            sound = [hour for hour in done if hour.state != FORGED and hour.digest.end <= self.state.now]
            if sound:
                last = sound[-1].remember(self.settled)
                if last["end"] >= self.state.chains.get(name, last)["end"]:
                    self.state.chains[name] = last

    def _list(self, gaps: list[Gap]) -> Iterator[LogFile]:
        for item in self.place.digests(self._start):
            if isinstance(item, Gap):
                gaps.append(item)
            elif (self.accounts and item.account not in self.accounts) or (
                self.regions and item.region not in self.regions
            ):
                continue
            elif self.since or item.stamp > self.state.chains.get(item.chain, {}).get("end", ""):
                yield item

    def _start(self, account: str, region: str) -> str:
        if self.since:
            return self.since
        place = f"{account}/{region}/"
        return min((each["end"] for name, each in self.state.chains.items() if name.startswith(place)), default="")

    def _is_asked(self, digest: Digest) -> bool:
        return digest.end > self.since and (not self.until or digest.start < self.until)

    def _check(self, found: dict[str, list[Digest]]) -> Iterator[Gap]:
        for name, digests in sorted(found.items()):
            first, last = digests[0], digests[-1]
            keys, refused = self.keys(first.file.region, first.start, last.end)
            if refused is not None:
                yield refused
            before = None if self.since else self.state.chains.get(name)
            chain = check_chain(digests, before, keys)
            yield from chain.gaps
            self._chains[name] = chain
            for hour in chain.hours:
                for each in hour.digest.logs if hour.state != FORGED else ():
                    if hour.state == PROVEN or self.names.setdefault(each.name, (each, hour))[1].state != PROVEN:
                        self.names[each.name] = each, hour  # what nobody signed takes nothing from what is proven
            unsigned = [hour for hour in chain.hours if hour.state not in (PROVEN, FORGED)]
            if unsigned:
                why = f"{len(unsigned)} digests carry no signature that can be checked here: they prove nothing yet"
                yield Gap("cloudtrail.digest_unsigned", why, name)
        for place in {chain.rpartition("/")[0] for chain in self._chains}:
            self._proven[place] = self.proven(place)
            self._told[place] = merge([*self._proven[place], *self._joined(place)])

    def _explain_breaks(self, chain: Chain, stopped: dict[str, list[Span]]) -> Iterator[Gap]:
        for each in chain.breaks:
            file = read_name(each.about, 0)
            place = "" if file is None else place_of(file)
            if each.restarted:
                if not any(began < each.until and ended > each.since for began, ended in stopped.get(place, ())):
                    why = f"the chain of digests begins anew: nothing is proven from {each.since} to {each.until}"
                    yield Gap("cloudtrail.chain_broken", why, each.about)
            else:
                why = f"the digest before this one is not there: nothing is proven from {each.since} to {each.until}"
                yield Gap("cloudtrail.digest_missing", why, each.about)

    def _joined(self, place: str) -> list[tuple[str, str]]:
        """Return the spans of the last digests of the look before, of the chains of a region that go on from them."""
        known = [(name, chain.joins) for name, chain in self._chains.items() if name.rpartition("/")[0] == place]
        return [(self.state.chains[name]["start"], joins) for name, joins in known if joins]

    def _of(self, place: str) -> list[Chain]:
        return [chain for name, chain in self._chains.items() if name.rpartition("/")[0] == place]


def _holes(chains: list[Chain]) -> dict[str, list[Span]]:
    """Return the spans in which something is missing, by the reason; those that were only not read are none."""
    found: dict[str, list[Span]] = {}
    for chain in chains:
        if chain.contradicted is not None:
            found.setdefault(INVALID, []).append(Span(*chain.contradicted))
        for each in chain.breaks:
            found.setdefault(MISSING, []).append(Span(each.since, each.until))
        for hour in chain.hours:
            digest = hour.digest
            reasons = {INVALID} if hour.state == FORGED else hour.faults - {UNREAD}
            for why in reasons:
                told = [each.oldest for each in digest.logs if each.oldest] if why != INVALID else []
                found.setdefault(why, []).append(Span(min([digest.start, *told]), digest.end))
    return {why: merge(spans) for why, spans in sorted(found.items())}
