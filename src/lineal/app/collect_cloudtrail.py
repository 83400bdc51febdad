"""Collect the log files of CloudTrail from a bucket or a folder: events, what is proven of the trail, and its holes."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lineal.app.collect import Collected, Collection, Progress, collect, last_covered
from lineal.app.session import Session
from lineal.app.trail_batch import Batch
from lineal.app.trail_digests import Proofs
from lineal.app.trail_held import find_held
from lineal.app.trail_keep import Keeper
from lineal.app.trail_keys import find_keys
from lineal.app.trail_spans import Spans
from lineal.app.trail_state import MOST_RETRIES, State, place_of
from lineal.core.coverage import TrailSpan
from lineal.core.observation import Gap, Observation
from lineal.core.timestamp import shift
from lineal.errors import BadInput, SourceError
from lineal.sources.aws_session import open_aws
from lineal.sources.cloudtrail_file import Log, open_log
from lineal.sources.cloudtrail_logging import Logging
from lineal.sources.cloudtrail_place import Fetched, Folder, LogFile, Place, fetch_each, read_name
from lineal.sources.cloudtrail_record import read_of, read_record, unknown_version
from lineal.sources.cloudtrail_s3 import BucketPlace

SOURCE: Final = "cloudtrail"
DELIVERY_MINUTES: Final = 15
"""A log file is there so long after the call at the latest ("within an average of about 5 minutes")."""
_OLDEST: Final = 3
"""Where digests come: so many hours older than its file an event may be before one names that."""
_GONE: Final = "aws.missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailRequest:
    """Which log files to read: of which accounts and regions (all, if none is named), from when to when.

    `since` and `until` are canonical moments, '' where there is no bound; without `since` a look goes on from the one
    before. `digests` false leaves digests alone; `keys` is a file with public keys. With `reads`, calls that only read
    are kept if they name a resource whose configuration is on record.
    """

    accounts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    digests: bool = True
    keys: Path | None = None
    reads: bool = False
    profile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedTrail:
    """What a collection did: its run, numbers of files and events, and what is known of the trail."""

    collected: Collected
    counts: dict[str, int]
    trail: tuple[TrailSpan, ...]


def open_place(where: str, request: TrailRequest) -> Place:
    """Return the place that `where` names (a bucket's, a folder, a file); raise `BadInput`, `SourceError`."""
    if not where.startswith("s3://"):
        return Folder(Path(where))
    bucket, _, prefix = where.removeprefix("s3://").partition("/")
    if not bucket:
        raise BadInput(f"no bucket is named: {where}", fix="Write s3://BUCKET/PREFIX.")
    access = open_aws(request.regions[0] if request.regions else None, request.profile)
    return BucketPlace(access.client("s3"), bucket, prefix, request.accounts, request.regions)


def collect_trail(
    session: Session, where: str, request: TrailRequest | None = None, *, on_progress: Progress | None = None
) -> CollectedTrail:
    """Record the events in the log files at `where`, and which spans of the trail are proven, unproven or missing.

    Raises `BadInput` where there is nothing of CloudTrail, `SourceError` where nothing can be asked, and what
    `collect` raises.
    """
    request = request or TrailRequest()
    place = open_place(where, request)
    narrowed = " ".join((*sorted(request.accounts), *sorted(request.regions)))
    scope = f"{place.name} {narrowed}".strip()[:2000]
    collection = Collection(SOURCE, scope)
    look = _Look(session, place, request, collection, on_progress)
    done = collect(session, collection, look.everything(), look.move)
    return CollectedTrail(collected=done, counts=dict(look.counts), trail=tuple(collection.trail))


class _Look:
    """One look at one place: digests first, since they say what the log files must be; then these; then the sum."""

    def __init__(
        self, session: Session, place: Place, request: TrailRequest, collection: Collection, progress: Progress | None
    ) -> None:
        self._place, self._request, self._collection, self._progress = place, request, collection, progress
        self._state = State.read(last_covered(session, collection.source, collection.scope))
        self._held = find_held(session, collection, reads=request.reads)
        self._logging = Logging(self._state.stopped)
        began = self._state.now = session.clock()
        settled = shift(began, minutes=-DELIVERY_MINUTES)
        self._spans = Spans(self._state, began, settled, request.since)
        keys = find_keys(request.keys, ask=isinstance(place, BucketPlace), profile=request.profile)
        self._proofs = Proofs(
            place, self._state, keys, settled,
            since=request.since, until=request.until, accounts=request.accounts, regions=request.regions,
        )  # fmt: skip
        origin: dict[str, Any] = {"source": SOURCE, "place": place.name, "scope": collection.scope}
        origin |= {"reads": True} if request.reads else {}
        self._batch = Batch(session, Keeper(session, request.reads), origin)
        self.counts = self._batch.counts
        self._seen: dict[str, str] = {}  # in which folder each file is, by its name
        self._odd: set[Gap] = set()
        self._whole = True

    def move(self, _seen: int, _recorded: int) -> None:
        """Tell how many events were read, and how many are new."""
        if self._progress is not None:
            self._progress(self.counts["events"], self.counts["recorded"])

    def everything(self) -> Iterator[Observation | Gap]:
        """Yield the events that are new, then what is known of the trail."""
        yield from self._held.gaps
        if self._request.digests:
            yield from self._proofs.read()
        gaps: list[Gap] = []
        try:
            for file, fetched in fetch_each(self._place, self._wanted(gaps)):
                yield from self._take(file, fetched)
        except SourceError:
            yield from self._batch.release()  # what was read is kept, and is not read again
            raise
        yield from self._batch.release()
        yield from gaps
        if self._request.digests:
            yield from self._recall_missing()
            yield from self._proofs.conclude(self._seen, whole=self._whole)
        yield from self._spans.conclude(self._proofs, self._logging)
        if (lost := len(self._state.retry) - MOST_RETRIES) > 0:
            why = f"{lost:,} files that could not be read are not tried again by themselves: --since reads them"
            yield Gap("cloudtrail.files_given_up", why, self._place.name)
        self._proofs.remember()
        self._collection.trail = list(dict.fromkeys(self._spans.spans))
        self._collection.covered = {
            **self._state.describe(),
            "counts": dict(sorted(self.counts.items())),
            "left_out": dict(sorted(self._batch.keeper.left_out.items())),
        }

    def _wanted(self, gaps: list[Gap]) -> Iterator[LogFile]:
        """Yield the files to read: those that could not be read last time, the new ones, those that digests ask for."""
        for file in self._state.again():
            self._seen[file.name] = file.folder
            yield file
        for item in self._place.logs(self._since):
            if isinstance(item, Gap):
                gaps.append(item)
                self._whole = False
            elif self._seen.get(item.name) != item.folder:
                is_other = item.name in self._seen  # in two folders: what one holds says nothing of the other
                self._seen[item.name] = item.folder
                self.counts["files_seen"] += 1
                if self._is_wanted(item):
                    if not is_other and self._is_held(item):
                        gaps += self._recall(item)
                    else:
                        yield item
                elif self._state.is_doubted(item):
                    gaps += self._doubt(item)

    def _is_held(self, file: LogFile) -> bool:
        """Return whether a look that was stopped has read the file, and it is the one that its digest names, if any."""
        sha256 = self._held.files.get(file.name)
        return bool(file.stamp and sha256) and self._proofs.is_settled(file, str(sha256))

    def _recall(self, file: LogFile) -> Iterator[Gap]:
        """Take a file that is on record whole for read; yield what is to be said of it now that digests are there."""
        self.counts["files_held"] += 1
        doubted = self._request.digests and not self._proofs.proves(file)
        self._state.note(file, self._held.files[file.name], doubted=doubted)
        self._spans.read(place_of(file), file.stamp)
        if doubted:
            yield from self._doubt(file)

    def _recall_missing(self) -> Iterator[Gap]:
        """Take files that digests name, and that are not there any more, for read if they are on record whole."""
        for name, (named, _) in self._proofs.names.items():
            file = read_name(named.key, 0) if name not in self._seen else None
            if file is not None and self._is_held(file):
                yield from self._recall(file)

    def _doubt(self, file: LogFile) -> Iterator[Gap]:
        """Yield a gap for a file that was read before the digests of its time came, if they do not name it."""
        known = self._state.known(file) or ""
        if self._proofs.is_left_out(file):
            why = "it was read before the digests of its time came, and they do not name it: its events are on record"
            yield Gap("cloudtrail.log_unnamed", f"{why}, and may be forged", file.key)
            self._state.note(file, known)
        elif self._proofs.proves(file):
            self._state.note(file, known)

    def _since(self, account: str, region: str) -> str:
        held = self._state.regions.get(f"{account}/{region}")
        start = self._request.since or ("" if held is None else held.late)
        named = self._proofs.first(account, region)
        return min(start, named) if start and named else start

    def _is_wanted(self, file: LogFile) -> bool:
        request, known = self._request, self._state.known(file)
        if file.account and request.accounts and file.account not in request.accounts:
            return False
        if file.region and request.regions and file.region not in request.regions:
            return False
        if file.name in self._proofs.names:
            return bool(request.since) or known is None or not self._proofs.is_settled(file, known)
        if not file.stamp:
            return True
        if file.stamp < request.since or (request.until and file.stamp >= request.until):
            return False
        held = self._state.regions.get(place_of(file))
        return bool(request.since) or (known is None and (held is None or file.stamp >= held.late))

    def _take(self, file: LogFile, fetched: Fetched | Gap) -> Iterator[Observation | Gap]:
        self.counts["files"] += 1
        log = fetched if isinstance(fetched, Gap) else open_log(fetched.data, file.key)
        if isinstance(log, Gap):
            yield log
            self._proofs.miss(file, broken=log is not fetched)
            self._miss(file, log, broken=log is not fetched)
            return
        if (wrong := self._proofs.check(file, log.sha256)) is not None:
            self._state.note(file, log.sha256)
            self.counts["files_refused"] += 1
            if self._proofs.is_listed(file):
                yield wrong
            return
        held = self.counts["events_held"]
        told = {"sha256": log.sha256, "proof": "digest" if self._proofs.proves(file) else "none"}
        try:
            is_plain = yield from self._events(file, log, told)
        except BadInput as error:
            yield (gap := Gap("cloudtrail.file_broken", error.message, file.key))
            self._miss(file, gap, broken=True)
            return
        if file.stamp:
            self._spans.read(place_of(file), file.stamp)
        if held < self.counts["events_held"]:  # to be read again when a digest names it
            why = "events in it are older by hours, and no digest names it yet: they are not taken before one does"
            yield Gap("cloudtrail.event_misplaced", why, file.key)
            return
        self._state.note(file, log.sha256, doubted=self._request.digests and not self._proofs.proves(file))
        if file.stamp and is_plain:
            yield from self._batch.finish(file.name, told, file.stamp)

    def _events(self, file: LogFile, log: Log, told: dict[str, Any]) -> Generator[Observation | Gap, None, bool]:
        """Yield the events of a file; return whether they are all that there is to say of it when the look ends."""
        is_plain = True
        doubted = self._request.digests and not self._proofs.proves(file) and self._proofs.is_watched(file)
        oldest = shift(file.stamp, hours=-_OLDEST) if file.stamp else ""
        skims = bool(file.stamp) and not self._request.reads
        for record in log.records():
            if skims and (time := read_of(record)) and unknown_version(record) is None:
                if doubted and time < oldest:
                    self.counts["events_held"] += 1
                else:
                    self._batch.pass_over()
                continue
            event = read_record(record)
            if isinstance(event, Gap):
                is_plain = False
                yield from self._batch.refuse(event, file.key)
                continue
            if (odd := unknown_version(record)) is not None:
                is_plain = False
                if odd not in self._odd:
                    self._odd.add(odd)
                    yield odd
            if doubted and event.time < oldest:
                self.counts["events_held"] += 1
                continue
            if self._logging.take(event):
                is_plain = False
            if not file.stamp:  # a file whose name says nothing: from its first to its last event
                self._spans.read(f"{event.account}/{event.region}", event.time)
            yield from self._batch.add(event, file.name, told)
        return is_plain

    def _miss(self, file: LogFile, gap: Gap, *, broken: bool) -> None:
        """Note a file that could not be read: it is tried again, and what it holds is not known."""
        self.counts["files_unread"] += 1
        if file.stamp:
            self._spans.miss(file, broken=broken)
            if gap.code == _GONE:
                self._state.retry.pop(file.name, None)
            else:
                self._state.retry[file.name] = file.key
