"""The estate as of a moment: every resource and endpoint in production then, and the configuration of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

import sqlalchemy as sa

from lineal.app.endpoints import current
from lineal.app.estate_state import State, held_since, looks_at, standing, state_of
from lineal.app.pointers import find_resources
from lineal.app.session import Session
from lineal.app.timeline_row import Verdicts
from lineal.catalog import tables
from lineal.catalog.graph import Moment
from lineal.catalog.reader import NodeView
from lineal.core.change import Change, Judgement
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look
from lineal.errors import UnknownRef
from lineal.ledger.database import chunks

ENDPOINT: Final = "endpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which part of the estate is asked about; `types` are patterns (``AWS::SageMaker::*``), of which one must fit.

    ``endpoint`` is the type of the endpoints that deployments are recorded of.
    """

    types: tuple[str, ...] = ()
    account: str | None = None
    region: str | None = None

    def has(self, item: ConfigItem) -> bool:
        """Return whether the resource of `item` is asked about."""
        of = item.resource
        here = self.account in (None, of.account) and self.region in (None, of.region)
        return here and self.has_type(of.type)

    def has_type(self, kind: str) -> bool:
        """Return whether things of the type `kind` are asked about."""
        return not self.types or any(fnmatchcase(kind.lower(), pattern.lower()) for pattern in self.types)

    @property
    def is_open(self) -> bool:
        """Whether it asks about what has no account and no region, too."""
        return self.account is None and self.region is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One resource as of a moment: its configuration, and when it was last looked at."""

    item: ConfigItem
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What an endpoint serves at a moment: the revision, since when, and the model in the spelling people type."""

    revision: NodeView
    model: str | None
    approved_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """All that is in production at `moment`, resources in the order of account, region, type and name."""

    moment: Moment
    resources: tuple[Standing, ...]
    endpoints: tuple[Serving, ...]


def estate(session: Session, moment: Moment, wanted: Filter | None = None) -> Estate:
    """Return everything in production at `moment`, as far as `wanted` asks about it."""
    wanted = wanted or Filter()
    configuration = session.configuration
    looks = configuration.looks(moment)
    complete = _last_looks(looks)
    found = configuration.estate(moment, account=wanted.account, region=wanted.region)
    kept = [item for item in found.values() if wanted.has(item)]
    kept.sort(key=lambda item: (item.resource.account, item.resource.region, item.resource.type, item.resource.name))
    since = _changed(session, kept, moment)
    return Estate(
        moment=moment,
        resources=tuple(Standing(item=item, state=_state(item, since, complete)) for item in kept),
        endpoints=tuple(_endpoints(session, moment)) if wanted.is_open and wanted.has_type(ENDPOINT) else (),
    )


def _last_looks(looks: Sequence[Look]) -> dict[tuple[str, str, str], str]:
    found: dict[tuple[str, str, str], str] = {}
    for look in looks:
        if look.complete:
            place = (look.account, look.region, look.type)
            found[place] = max(found.get(place, ""), look.ended)
    return found


def _changed(session: Session, items: Sequence[ConfigItem], moment: Moment) -> dict[str, str]:
    """Return since when each of `items` holds, by key."""
    table = tables.config.c
    query = (
        sa.select(table.resource, table.shape, table.time, table.status, table.semantic)
        .where(table.time <= moment.time, table.taken <= moment.known)
        .order_by(table.resource, table.time, table.idx, table.n)
    )
    told: dict[str, list[tuple[str, str, str, str | None]]] = {item.resource.key: [] for item in items}
    with session.catalog_database.reading() as connection:
        for part in chunks(list(told)):
            for row in connection.execute(query.where(table.resource.in_(part))):
                told[row.resource].append((row.shape, row.time, row.status, row.semantic))
    return {item.resource.key: held_since(told[item.resource.key], item) for item in items}


def _state(item: ConfigItem, since: dict[str, str], complete: dict[tuple[str, str, str], str]) -> State:
    of = item.resource
    places = [(of.account, region, kind) for region in {of.region, ""} for kind in (of.type, "*")]
    looked = max((complete.get(place, "") for place in places), default="")
    return State(state="there", changed=since[of.key], last_seen=max(item.time, looked), last_looked=looked or None)


def _endpoints(session: Session, moment: Moment) -> list[Serving]:
    catalog = session.catalog
    names = sorted({view.name for view in catalog.all_nodes("endpoint", moment)})
    serving = [view for name in names if (view := current(catalog, name, moment)) is not None]
    return [serve(view) for view in serving]


def serve(view: NodeView) -> Serving:
    """Return what a revision of an endpoint serves, by what its deployment said."""
    said = view.detail
    model = said.get("model") or (said.get("configuration") or {}).get("model")
    approval = said.get("approval") or {}
    return Serving(
        revision=view,
        model=None if model is None else str(model),
        approved_by=str(approval["approved_by"]) if approval.get("approved_by") else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """One resource as of a moment: what holds, what it was before it was gone, its last change and what was said of it.

    `item` is the last configuration seen; of a resource that is gone, the one before it went.
    """

    key: str
    item: ConfigItem
    state: State
    change: Change | None
    judgement: Judgement | None
    judged_before: tuple[tuple[str, str], ...]


def configuration_of(session: Session, text: str, moment: Moment) -> Configured | None:
    """Return the configuration, as of `moment`, of the resource that `text` names (a key, an ARN, a name).

    None when it names no resource. Raises `UnknownRef` when nobody had seen it by then, `AmbiguousRef` for several.
    """
    found = find_resources(session, text, moment)
    if not found:
        return None
    configuration = session.configuration
    items = configuration.items(found, moment).get(found[0], [])
    if not items:
        first = next(iter(configuration.items(found).get(found[0], ())), None)
        why = "nobody has looked at it" if first is None else f"it was seen first at {first.time}"
        raise UnknownRef(
            f"no configuration of {found[0]} is recorded by then: {why}",
            fix="`lineal timeline` shows what a trail says of it; --at asks about another moment.",
        )
    from lineal.change.history import list_changes

    looks = looks_at(items[0].resource, configuration.looks(moment))
    changes = list_changes(items, looks)
    last = changes[-1] if changes else None
    verdicts = Verdicts(configuration.judgements(moment, resources=found, every=True))
    holds = standing(items)
    seen = [item for item in items if item.status == "ok"]
    until = min(moment.time, moment.known, session.clock())
    return Configured(
        key=found[0],
        item=holds if holds is not None and holds.status == "ok" else (seen or items)[-1],
        state=state_of(items, looks, until),
        change=last,
        judgement=None if last is None else verdicts.last(last.id),
        judged_before=() if last is None else verdicts.before(last.id),
    )
