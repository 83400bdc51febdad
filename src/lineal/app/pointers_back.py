"""When a configuration held, and what says of itself that it belongs to a thing: components that run on an endpoint.

An endpoint does not say what runs on it or watches it; inference components, schedules and experiments do.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import sqlalchemy as sa

from lineal.app.session import Session
from lineal.catalog import tables
from lineal.catalog.graph import FOREVER, Moment
from lineal.core.config_item import ConfigItem
from lineal.core.resource import Resource, read_arn
from lineal.core.span import Span

_OWNERS: Final = {
    "AWS::SageMaker::Endpoint": (
        "AWS::SageMaker::InferenceComponent",
        "AWS::SageMaker::InferenceExperiment",
        "AWS::SageMaker::MonitoringSchedule",
    )
}


def find_belonging(session: Session, keys: Iterable[str], moment: Moment) -> Iterator[tuple[str, str, Span]]:
    """Yield, of the resources `keys`, the key of everything that says it belongs to one, and while it said so."""
    owners = {key: of for key in keys if (of := read_arn(key)) is not None and of.type in _OWNERS}
    for key, owner in owners.items():
        for found, items in session.configuration.items(_naming(session, owner, moment), moment).items():
            for item, span in held(items):
                if any(one.key == key for one in item.relationships):
                    yield key, found, span


def _naming(session: Session, owner: Resource, moment: Moment) -> list[str]:
    """Return the keys of the resources beside `owner` whose items name it anywhere."""
    table = tables.config.c
    query = sa.select(table.resource).where(
        table.type.in_(_OWNERS[owner.type]),
        table.account == owner.account,
        table.region == owner.region,
        table.time <= moment.time,
        table.taken <= moment.known,
        table.document.contains(owner.key, autoescape=True),
    )
    with session.catalog_database.reading() as connection:
        return sorted(connection.scalars(query.distinct()))


def held(items: Sequence[ConfigItem]) -> Iterator[tuple[ConfigItem, Span]]:
    """Yield each item of one resource (oldest first) with the time that it held, as far as that is known.

    It began when the resource says that it was last changed, where that is after the look before; else when it was
    seen. The first held since the resource was made.
    """
    ends: list[str] = []
    after: dict[str, ConfigItem] = {}
    gone: ConfigItem | None = None
    for item in reversed(items):
        following = [each for each in (after.get(item.shape), gone) if each is not None]
        ends.append(_began(item, min(following, key=lambda each: each.time)) if following else FOREVER)
        after[item.shape] = item
        gone = item if item.status != "ok" else gone
    before: dict[str, ConfigItem] = {}
    for item, end in zip(items, reversed(ends), strict=True):
        last = before.get(item.shape)
        begin = _began(last, item) if last is not None else item.created or item.time
        before[item.shape] = item
        if item.status == "ok":
            yield item, Span(min(begin, item.time), end)


def _began(before: ConfigItem, item: ConfigItem) -> str:
    said = item.modified or ""
    return said if before.time < said <= item.time else item.time
