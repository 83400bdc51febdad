"""Asking the catalog about configuration: items through time, API events, what was covered, what was concluded.

Every function takes the moment it is asked about: `Moment.time` bounds when things happened, `Moment.known` what the
ledger had recorded. Rows come in the order of their time, then of their place in the log.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from lineal.catalog import tables
from lineal.catalog.acts import counts
from lineal.catalog.graph import NOW, Moment
from lineal.core.api_event import RECORDED, ApiEvent, read_event
from lineal.core.change import ChangeApproval, Judgement, read_approval, read_judgement
from lineal.core.conclusion import Conclusion, read_conclusion
from lineal.core.config_item import ConfigItem, read_text
from lineal.core.coverage import Look, TrailSpan
from lineal.core.span import without
from lineal.ledger.database import Database, chunks, select_in

_MOST_SPLITS: Final = 8
_KNOWN_EVENTS: Final = "SELECT id FROM catalog_api WHERE id IN ({})"
_EVENTS_BY_ID: Final = (
    "SELECT document FROM catalog_api WHERE id IN ({}) AND (NOT claimed OR NOT EXISTS"
    " (SELECT 1 FROM catalog_api AS other WHERE other.id = catalog_api.id AND NOT other.claimed))"
)


def _look_of(idx: int, time: str, spans: Sequence[tuple[int, TrailSpan]]) -> int | None:
    """Return the entry that tells of the look which recorded events at `idx`: the next one whose spans hold `time`."""
    later = sorted((at, not each.since <= time < each.until) for at, each in spans if at > idx)
    return min(later, key=lambda each: (each[1], each[0]))[0] if later else None


def _without_erased(spans: Sequence[tuple[int, TrailSpan]], lost: Collection[int | None]) -> Iterator[TrailSpan]:
    erased = [(at, each) for at, each in spans if at in lost and not each.missing]
    for at, each in spans:
        if each.missing:
            yield each
            continue
        if at not in lost:
            # What a later look found and is erased, this one did not have: it was not whole, either.
            gone = [(other.since, other.until) for when, other in erased if when > at and _is_there(each, other)]
            for since, until in without([(each.since, each.until)], gone):
                yield replace(each, since=since, until=until)
            continue
        later = [
            (other.since, other.until)
            for when, other in spans
            if when > at
            and when not in lost
            and not other.missing
            and (other.account, other.region) == (each.account, each.region)
        ]
        for since, until in without([(each.since, each.until)], later):
            yield replace(each, since=since, until=until, missing=True, why="erased", proof="none")


def _is_there(span: TrailSpan, other: TrailSpan) -> bool:
    """Return whether two spans are of one account and region, or one of them of all regions."""
    if span.account != other.account:
        return False
    return span.region == other.region or not {"", "*"}.isdisjoint((span.region, other.region))


class Configuration:
    """Answers questions about configuration; see `catalog.reader.Catalog` for the graph."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def items(self, resources: Sequence[str], moment: Moment = NOW) -> dict[str, list[ConfigItem]]:
        """Return every item of the `resources` (keys), oldest first."""
        found: dict[str, list[ConfigItem]] = {}
        table = tables.config.c
        with self.database.reading() as connection:
            for part in chunks(list(dict.fromkeys(resources))):
                query = _config_until(moment).where(table.resource.in_(part))
                for row in connection.execute(query.order_by(table.resource, table.time, table.idx, table.n)):
                    found.setdefault(row.resource, []).append(read_text(row.document))
        return found

    def watched(self) -> list[str]:
        """Return the keys of all resources with items on record, sorted."""
        with self.database.reading() as connection:
            return sorted(connection.scalars(sa.select(tables.config.c.resource).distinct()))

    def all_items(self, moment: Moment = NOW) -> Iterator[tuple[str, list[ConfigItem]]]:
        """Yield each resource (key) with all of its items, oldest first; resources in the order of their keys."""
        table = tables.config.c
        query = _config_until(moment).order_by(table.resource, table.time, table.idx, table.n)
        with self.database.reading() as connection:
            key: str | None = None
            held: list[ConfigItem] = []
            for row in connection.execution_options(yield_per=1000).execute(query):
                if row.resource != key:
                    if key is not None:
                        yield key, held
                    key, held = row.resource, []
                held.append(read_text(row.document))
            if key is not None:
                yield key, held

    def estate(
        self, moment: Moment = NOW, *, kind: str | None = None, account: str | None = None, region: str | None = None
    ) -> dict[str, ConfigItem]:
        """Return the configuration of every resource as of the moment, by key; those that are gone are left out.

        `kind` (its type), `account` and `region` narrow it down.
        """
        table = tables.config.c
        rank = sa.func.row_number().over(
            partition_by=(table.resource, table.shape),
            order_by=(table.time.desc(), table.idx.desc(), table.n.desc()),
        )
        query = _config_until(moment).add_columns(rank.label("rank"))
        for column, value in ((table.type, kind), (table.account, account), (table.region, region)):
            if value is not None:
                query = query.where(column == value)
        ranked = query.subquery()
        last = sa.select(ranked.c.resource, ranked.c.document).where(ranked.c.rank == 1)
        found: dict[str, list[ConfigItem]] = {}
        with self.database.reading() as connection:
            for row in connection.execute(last):
                found.setdefault(row.resource, []).append(read_text(row.document))
        chosen = {key: _choose(each) for key, each in sorted(found.items())}
        return {key: item for key, item in chosen.items() if item.status == "ok"}

    def resources_named(self, name: str) -> list[str]:
        """Return the keys of the resources that a person may mean by `name`.

        That is a key, the end of one (``endpoint/NAME``), ``TYPE/NAME``, or a name alone.
        """
        table = tables.config.c
        conditions = [table.resource == name, table.name == name]
        ends = [place for place, char in enumerate(name) if char == "/"][:_MOST_SPLITS]  # types have some, too
        conditions += [(table.type == name[:end]) & (table.name == name[end + 1 :]) for end in ends]
        conditions += [
            (table.name == name[end + 1 :]) & table.resource.endswith(f":{name}", autoescape=True) for end in ends
        ]
        query = sa.select(table.resource).where(sa.or_(*conditions)).distinct().order_by(table.resource)
        with self.database.reading() as connection:
            found = list(connection.scalars(query))
        return [name] if name in found else found

    def events(
        self, resources: Sequence[str], since: str = "", moment: Moment = NOW, *, reads: bool = False
    ) -> dict[str, list[ApiEvent]]:
        """Return the API events about the `resources` (keys) after `since`, each once; `reads`: those that read too."""
        api, target = tables.api.c, tables.api_target.c
        found: dict[str, dict[str, ApiEvent]] = {}
        with self.database.reading() as connection:
            for part in chunks(list(dict.fromkeys(resources))):
                query = (
                    sa.select(target.resource, api.id, api.document)
                    .where(target.resource.in_(part), target.time > since, target.time <= moment.time)
                    .where(api.idx == target.idx, api.n == target.n, api.taken <= moment.known, counts(moment.known))
                    .order_by(target.time, target.idx, target.n)
                )
                if not reads:
                    query = query.where(~api.read_only)
                for row in connection.execute(query):
                    held = found.setdefault(row.resource, {})
                    if row.id not in held:
                        held[row.id] = read_event(json.loads(row.document))
        return {key: list(held.values()) for key, held in found.items()}

    def events_between(self, since: str = "", moment: Moment = NOW, *, reads: bool = False) -> Iterator[ApiEvent]:
        """Yield every API event after `since`, each once, whatever it is about."""
        api = tables.api.c
        query = sa.select(api.id, api.document).where(
            api.time > since, api.time <= moment.time, api.taken <= moment.known, counts(moment.known)
        )
        query = query if reads else query.where(~api.read_only)
        seen: set[str] = set()
        with self.database.reading() as connection:
            rows = connection.execution_options(yield_per=1000).execute(query.order_by(api.time, api.idx, api.n))
            for row in rows:
                if row.id not in seen:
                    seen.add(row.id)
                    yield read_event(json.loads(row.document))

    def known_events(self, ids: Sequence[str]) -> set[str]:
        """Return those of the event identifiers `ids` that are on record."""
        with self.database.reading() as connection:
            return {row[0] for row in select_in(connection, _KNOWN_EVENTS, list(ids))}

    def events_by_id(self, ids: Sequence[str]) -> list[ApiEvent]:
        """Return the events of the identifiers `ids` that are on record, in no order."""
        with self.database.reading() as connection:
            return [read_event(json.loads(row[0])) for row in select_in(connection, _EVENTS_BY_ID, list(ids))]

    def told_after(self, idx: int) -> list[tuple[int, bool]]:
        """Return the entries after `idx` that tell of API events, in their order, each with whether it was erased."""
        event = tables.event.c
        query = sa.select(event.idx, event.erased).where(event.idx > idx, event.type == RECORDED)
        with self.database.reading() as connection:
            return [(row.idx, row.erased) for row in connection.execute(query.order_by(event.idx))]

    def looks(self, moment: Moment = NOW, *, kind: str | None = None) -> list[Look]:
        """Return what was looked at, in the order of `began`; those at all types (``*``) count for each type."""
        table = tables.look.c
        query = sa.select(tables.look).where(table.began <= moment.time, table.taken <= moment.known)
        if kind is not None:
            query = query.where(table.type.in_((kind, "*")))
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(table.began, table.idx, table.n))
            names = Look.__slots__
            return [Look(**{name: getattr(row, name) for name in names}) for row in rows]

    def trail(self, moment: Moment = NOW) -> list[TrailSpan]:
        """Return the spans of trails that were covered or found missing, in the order of `since`.

        Where events of a look were erased since, its spans are missing, but for what a later look found: they say
        nothing any more.
        """
        table, event = tables.trail.c, tables.event.c
        query = sa.select(tables.trail).where(table.since <= moment.time, table.taken <= moment.known)
        gone = sa.select(event.idx, event.time).where(event.erased, event.type == RECORDED)
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(table.since, table.idx, table.n)).all()
            erased = connection.execute(gone).all() if rows else ()
        spans = [(row.idx, TrailSpan(**{name: getattr(row, name) for name in TrailSpan.__slots__})) for row in rows]
        lost = {_look_of(each.idx, each.time, spans) for each in erased}
        return list(_without_erased(spans, lost)) if lost else [each for _, each in spans]

    def approvals(self, moment: Moment = NOW) -> list[ChangeApproval]:
        """Return the approvals of changes on record: of each identifier the last statement."""
        table = tables.approval.c
        query = sa.select(table.id, table.document).where(table.time <= moment.time, table.taken <= moment.known)
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(table.idx, table.n)).all()
        return list({row.id: read_approval(json.loads(row.document)) for row in rows}.values())

    def judgements(
        self, moment: Moment = NOW, *, resources: Sequence[str] | None = None, every: bool = False
    ) -> list[tuple[Judgement, str]]:
        """Return what was concluded of changes, with the moment it was recorded: the last of each, or `every` one."""
        table = tables.judgement.c
        query = sa.select(table.about, table.document, table.taken).where(
            table.until <= moment.time, table.taken <= moment.known
        )
        query = query.order_by(table.idx, table.n)
        parts: Iterable[Any] = [query]
        if resources is not None:
            parts = (query.where(table.resource.in_(part)) for part in chunks(list(dict.fromkeys(resources))))
        with self.database.reading() as connection:
            rows = [row for part in parts for row in connection.execute(part)]
        if not every:
            rows = list({row.about: row for row in rows}.values())
        found = [(read_judgement(json.loads(row.document)), row.taken) for row in rows]
        return sorted(found, key=lambda each: (each[0].until, each[0].about, each[1]))

    def conclusions(self, moment: Moment = NOW, *, rule: str | None = None) -> list[Conclusion]:
        """Return what rules concluded: of each rule and resource the last."""
        table = tables.conclusion.c
        query = sa.select(table.rule, table.resource, table.document).where(
            table.time <= moment.time, table.taken <= moment.known
        )
        query = query if rule is None else query.where(table.rule == rule)
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(table.idx, table.n)).all()
        last = {(row.rule, row.resource): row.document for row in rows}
        return [read_conclusion(json.loads(document)) for _, document in sorted(last.items())]


def _config_until(moment: Moment) -> sa.Select[Any]:
    table = tables.config.c
    return sa.select(tables.config).where(table.time <= moment.time, table.taken <= moment.known)


def _choose(items: list[ConfigItem]) -> ConfigItem:
    """Return what holds of a resource that several sources describe (the last item of each shape).

    That is what the service itself said, unless it is gone: a deletion holds, whoever saw it, against every word that
    is not newer.
    """
    gone = max((each for each in items if each.status == "deleted"), key=lambda each: each.time, default=None)
    alive = [each for each in items if each.status == "ok" and (gone is None or each.time > gone.time)]
    if not alive:
        return gone or max(items, key=lambda each: each.time)
    return next((each for each in alive if each.shape == "api"), alive[-1])
