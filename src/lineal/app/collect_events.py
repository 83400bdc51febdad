"""Collect events that others bring: of EventBridge, and audit logs of Kubernetes, from files or as they come."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from lineal.app.collect import Collection, Progress, collect
from lineal.app.collect_cloudtrail import CollectedTrail
from lineal.app.session import Session
from lineal.app.trail_batch import Batch
from lineal.app.trail_keep import Keeper
from lineal.core.api_event import ApiEvent
from lineal.core.observation import Gap, Observation
from lineal.core.redaction import clean
from lineal.errors import BadInput
from lineal.sources.event_file import EventFile, open_events
from lineal.sources.eventbridge import read_message, read_payload
from lineal.sources.kubernetes_audit import read_audit

_MOST_HELD: Final = 32 * 1024 * 1024
"""After so many bytes read, what waits is recorded, however few events they were."""
_ENDINGS: Final = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".log", ".log.gz", ".ndjson", ".gz")

Read = Callable[[object], ApiEvent | Gap | None]


def collect_eventbridge(
    session: Session, where: str, *, reads: bool = False, on_progress: Progress | None = None
) -> CollectedTrail:
    """Record the events of EventBridge in the file or folder `where`; ``-`` is standard input.

    Raises `BadInput` for a file that is not there, and what `collect` raises.
    """
    return _collect(session, "eventbridge", where, where, read_message, reads=reads, on_progress=on_progress)


def collect_kubernetes_audit(
    session: Session, where: str, cluster: str, *, reads: bool = False, on_progress: Progress | None = None
) -> CollectedTrail:
    """Record the audit events of `cluster` in the file or folder `where`; ``-`` is standard input.

    Raises `BadInput` for a file that is not there or a cluster without a name, and what `collect` raises.
    """
    if not cluster or not cluster.isprintable() or len(cluster) > 200:
        raise BadInput(f"not the name of a cluster: {cluster[:80]!r}", fix="--cluster NAME, as in its configuration.")
    scope = f"{cluster} {where}"

    def read(event: object) -> ApiEvent | Gap | None:
        return read_audit(event, cluster)

    return _collect(session, "kubernetes-audit", scope, where, read, reads=reads, on_progress=on_progress)


def record_message(session: Session, text: str, *, reads: bool = False) -> dict[str, int]:
    """Record the events of EventBridge in `text` durably, all or none of them; return how many there were and are new.

    Raises `BadInput` where it is not JSON, or something in it is no event.
    """
    events: list[ApiEvent] = []
    for message in read_payload([text.encode("utf-8", "surrogatepass")]):
        event = message if isinstance(message, Gap) else read_message(message)
        if isinstance(event, Gap):
            raise BadInput(f"{event.explanation} ({event.about})" if event.about else event.explanation)
        events.append(event)
    batch = Batch(session, Keeper(session, reads), {"source": "eventbridge", "place": "HTTP"})
    told = [each for event in events for each in batch.add(event)]
    said = [each for each in (*told, *batch.release()) if isinstance(each, Observation)]
    if said:
        session.say_all(said)
    return {name: batch.counts[name] for name in ("events", "kept", "recorded")}


def _collect(
    session: Session,
    source: str,
    scope: str,
    where: str,
    read: Read,
    *,
    reads: bool,
    on_progress: Progress | None,
) -> CollectedTrail:
    files = _find(where)
    batch = Batch(session, Keeper(session, reads), {"source": source, "place": clean(where)})
    collection = Collection(source, scope[:2000])

    def move(_seen: int, _recorded: int) -> None:
        if on_progress is not None:
            on_progress(batch.counts["events"], batch.counts["recorded"])

    done = collect(session, collection, _everything(files, read, batch, collection), move)
    return CollectedTrail(collected=done, counts=dict(batch.counts), trail=())


def _everything(
    files: Iterable[Path | None], read: Read, batch: Batch, collection: Collection
) -> Iterator[Observation | Gap]:
    for path in files:
        name = "-" if path is None else clean(str(path))
        try:
            with open_events(path) as file:
                batch.counts["files"] += 1
                yield from _read_file(name, file, read, batch)
        except OSError as error:
            yield Gap("events.file_unreadable", f"it cannot be read to its end: {error.strerror}", name)
    yield from batch.release()
    if batch.counts["claimed"]:
        why = (
            f"{batch.counts['claimed']:,} calls came without their source: whoever may put events on the bus can do so"
        )
        yield Gap("eventbridge.source_unknown", f"{why}; they are recorded as claimed")
    counts, left = dict(sorted(batch.counts.items())), dict(sorted(batch.keeper.left_out.items()))
    collection.covered = {"counts": counts, "left_out": left}


def _read_file(name: str, file: EventFile, read: Read, batch: Batch) -> Iterator[Observation | Gap]:
    if file.fault:
        yield Gap("events.file_broken", f"{file.fault}: what comes after {file.size:,} bytes was not read", name)
    told = {"sha256": file.sha256, "proof": "none"}
    passed = held = 0

    def pieces() -> Iterator[bytes]:
        nonlocal passed
        for piece in file.pieces():
            passed += len(piece)
            yield piece

    for message in read_payload(pieces()):
        if passed - held > _MOST_HELD:
            held = passed
            yield from batch.release()
        event = message if isinstance(message, Gap) else read(message)
        if isinstance(event, Gap):
            yield from batch.refuse(event, name)
        elif event is None:
            batch.counts["stages"] += 1
        else:
            if event.claimed:
                batch.counts["claimed"] += 1
            yield from batch.add(event, name, told)


def _find(where: str) -> Sequence[Path | None]:
    if where == "-":
        return [None]
    path = Path(where)
    if not path.exists():
        raise BadInput(f"there is no such file or folder: {where}")
    if not path.is_dir():
        return [path]
    return sorted(each for each in path.rglob("*") if each.name.endswith(_ENDINGS) and each.is_file())
