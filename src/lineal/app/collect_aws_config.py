"""Collect what AWS Config recorded, from the files that it delivers: history, snapshots, notifications."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from lineal.app.aws_config_covered import remember, unread
from lineal.app.aws_config_merge import Merge
from lineal.app.collect import Collected, Collection, Progress, collect, last_covered
from lineal.app.config_record import observe_items
from lineal.app.session import Session
from lineal.core import canonical, timestamp
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look
from lineal.core.observation import Gap, Observation
from lineal.errors import LinealError
from lineal.sources.aws_config_record import SOURCE
from lineal.sources.aws_config_record_files import Parsed, read_file, read_name
from lineal.sources.aws_config_record_place import Place, open_place, read_each

_BATCH: Final = 2000
_LAG: Final = timedelta(hours=1)  # AWS Config delivers "within minutes" of a change
DAILY: Final = "DAILY"
MOST_BYTES: Final = 8 << 20
"""A record that would take more room than this is a gap."""


def collect_aws_config(
    session: Session, place: str, *, again: bool = False, on_progress: Progress | None = None
) -> Collected:
    """Record what the files at `place` (``s3://BUCKET/PREFIX``, a folder, a file) say and the ledger does not know.

    Files that were read before are not read again, unless `again`. What is counted are records. Raises `BadInput`
    where nothing is at `place`, and what reading a bucket raises.
    """
    opened = open_place(place)
    collection = Collection(SOURCE, opened.name)
    before = {} if again else last_covered(session, SOURCE, opened.name)
    merge = Merge(session, on_progress)
    done = collect(session, collection, _read(merge, collection, opened, before, session.actor))
    return replace(done, seen=merge.seen, recorded=merge.recorded)


def _read(
    merge: Merge, collection: Collection, place: Place, before: dict[str, Any], actor: str
) -> Iterator[Observation | Gap]:
    files = place.files()
    for name in place.odd:
        yield Gap("config.unreadable", "its name cannot be shown as text: it is not read", name)
    wanted = unread(files, before)
    waiting: list[ConfigItem] = []
    failed: set[str] = set()
    for file, data in read_each(place, wanted):
        if isinstance(data, LinealError):
            failed.add(file.key)
            yield Gap("config.unreadable", f"the file cannot be had: {data.message}", file.key)
            continue
        parsed = read_file(data, file.key)
        yield from _follow(place, parsed)
        if parsed.broken:
            failed.add(file.key)
        yield from parsed.gaps
        collection.looks += _looks(file.key, parsed)
        waiting += parsed.items
        if len(waiting) >= _BATCH:
            yield from record(merge, waiting, actor)
            waiting.clear()
    yield from record(merge, waiting, actor)
    collection.covered = {**remember(files, failed), "place": place.name}


def record(merge: Merge, items: list[ConfigItem], actor: str) -> Iterator[Observation | Gap]:
    """Yield observations of those of `items` that say anything new, and gaps for those that are too large."""
    fitting: list[ConfigItem] = []
    for item in merge.fresh(items):
        size = len(canonical.encode(item.describe()))
        if size <= MOST_BYTES:
            fitting.append(item)
        else:
            yield Gap("config.too_large", f"a record would take {size} bytes in the ledger", item.resource.key)
    yield from observe_items(fitting, actor)


def _follow(place: Place, parsed: Parsed) -> Iterator[Gap]:
    """Read the records that a notification only points to; name those that cannot be had."""
    for address in parsed.elsewhere:
        try:
            data = place.find(address)
        except LinealError as error:
            parsed.broken = True
            yield Gap(
                "config.elsewhere", f"the record was too large to send, and is not read: {error.message}", address
            )
            continue
        if data is None:
            parsed.broken = True
            yield Gap("config.elsewhere", "the record was too large to send, and is not here", address)
            continue
        found = read_file(data, address)
        parsed.items += found.items
        parsed.broken = parsed.broken or found.broken
        yield from found.gaps


def _looks(key: str, parsed: Parsed) -> list[Look]:
    """Return what a snapshot covered: each type in it, whole, if its name and content agree and nothing is broken."""
    name = read_name(key)
    if name is None or name.kind != "ConfigSnapshot" or name.moment is None or parsed.broken:
        return []
    moment = settled(name.moment)
    places = {(each.resource.account, each.resource.region, each.resource.type) for each in parsed.items}
    daily = {each.resource.type for each in parsed.items if each.extra.get("recordingFrequency") == DAILY}
    is_own = all(account in ("", name.account) and region in ("", name.region) for account, region, _ in places)
    if parsed.snapshot is None or parsed.snapshot not in key or not is_own:
        return []
    return [
        Look(source=SOURCE, account=account, region=region, type=kind, began=moment, ended=moment, complete=True)
        for account, region, kind in sorted(places)
        if kind not in daily
    ]


def settled(moment: str) -> str:
    """Return the moment whose state AWS Config certainly knew at `moment`: it records a change some minutes later."""
    return timestamp.spell(datetime.fromisoformat(moment) - _LAG)
