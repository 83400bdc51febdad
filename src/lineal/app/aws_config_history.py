"""Collect what AWS Config answers when it is asked for the history of resources, type by type."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from lineal.app.aws_config_merge import Merge
from lineal.app.aws_scopes import Scope
from lineal.app.collect import Collected, Collection, Progress, collect, last_covered
from lineal.app.collect_aws_config import record, settled
from lineal.app.session import Session
from lineal.core import timestamp
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look
from lineal.core.observation import Gap, Observation
from lineal.errors import BadInput
from lineal.sources.aws_config_record import SOURCE
from lineal.sources.aws_config_record_api import TypeReading, list_types, read_recorder, read_type

_BATCH: Final = 2000
_OVERLAP: Final = timedelta(hours=12)  # records come late: so long after the last look they are asked for again
_GLOBAL: Final = ("AWS::IAM::", "AWS::S3::Bucket")


def collect_history(
    session: Session,
    scope: Scope,
    *,
    types: Sequence[str] = (),
    again: bool = False,
    on_progress: Progress | None = None,
) -> Collected:
    """Record what AWS Config of `scope` recorded of resources of `types`, or of all types that it knows some of.

    It goes on where the last collection ended, unless `again`. Raises `BadInput` for what is no type, and `SourceError`
    where nothing can be asked.
    """
    for kind in types:
        if kind.count("::") != 2 or not kind.isascii() or not kind.isprintable():
            raise BadInput(f"not a type of AWS Config: {kind[:80]!r}", fix="Write it as AWS::IAM::Role.")
    collection = Collection(SOURCE, f"api {scope.name}")
    before = {} if again or scope.account is None else last_covered(session, SOURCE, collection.scope)
    merge = Merge(session, on_progress)
    done = collect(session, collection, _ask(session, merge, collection, scope, types, before))
    return replace(done, seen=merge.seen, recorded=merge.recorded)


def _ask(
    session: Session,
    merge: Merge,
    collection: Collection,
    scope: Scope,
    types: Sequence[str],
    before: dict[str, Any],
) -> Iterator[Observation | Gap]:
    client = scope.access.client("config")
    recorder = read_recorder(client, collection.scope)
    yield from recorder.gaps
    kinds: Sequence[str] = list(dict.fromkeys(types))
    if not kinds:
        kinds, gaps = list_types(client, recorder, collection.scope)
        yield from gaps
    covered: dict[str, Any] = dict(before.get("types", {}))
    for kind in kinds:
        began = session.clock()
        reading = TypeReading(kind)
        waiting: list[ConfigItem] = []
        for item in read_type(client, kind, _start(covered.get(kind)), reading):
            if isinstance(item, Gap):
                yield item
                continue
            waiting.append(item)
            if len(waiting) >= _BATCH:
                yield from record(merge, waiting, session.actor)
                waiting.clear()
        yield from record(merge, waiting, session.actor)
        if reading.whole:
            covered[kind] = began
        complete = reading.whole and recorder.recording is True and not reading.daily
        collection.looks.append(_look(scope, kind, settled(began), complete=complete))
    collection.covered = {"types": covered, "retention_days": recorder.retention}


def _start(until: str | None) -> str | None:
    return None if until is None else timestamp.spell(datetime.fromisoformat(until) - _OVERLAP)


def _look(scope: Scope, kind: str, at: str, *, complete: bool) -> Look:
    is_global = kind.startswith(_GLOBAL)
    return Look(
        source=SOURCE,
        account="" if kind == "AWS::S3::Bucket" else scope.account or "",
        region="" if is_global else scope.access.region,
        type=kind,
        began=at,
        ended=at,
        complete=complete,
    )
