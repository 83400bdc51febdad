"""What changed in production between two moments: resources and endpoints, who did it, and what was concluded of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lineal.app.endpoints import serving_intervals
from lineal.app.estate import ENDPOINT, Filter, Serving, serve
from lineal.app.estate_state import State, looks_at, standing, state_of
from lineal.app.pointers import find_named, follow
from lineal.app.session import Session
from lineal.app.timeline_row import Verdicts
from lineal.catalog import tables
from lineal.catalog.graph import FOREVER, Moment
from lineal.core.change import Change, Edit, Judgement
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look
from lineal.core.resource import Resource
from lineal.errors import BadInput

CREATED, DELETED, CHANGED = "created", "deleted", "changed"
APPEARED, REVERTED = "appeared", "reverted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change on the way, with its last judgement; `certain` says that it lies within the two moments for sure."""

    change: Change
    certain: bool
    judgement: Judgement | None
    judged_before: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceDifference:
    """What became of one resource: ``created``, ``deleted``, ``changed``, ``reverted`` or ``appeared``.

    ``appeared``: it was seen for the first time, and may have been there before. ``reverted``: it changed, or was
    there, on the way, and is as it was. `edits` lead from `before` to `after` (None: not there, or not known);
    `steps` are the changes on the way, oldest first.
    """

    resource: Resource
    what: str
    before: ConfigItem | None
    after: ConfigItem | None
    edits: tuple[Edit, ...]
    steps: tuple[Step, ...]
    state: State

    def patch(self) -> list[dict[str, Any]]:
        """Return the RFC 6902 patch from configuration and tags before, as `lineal show` has them, to those after."""
        found: list[dict[str, Any]] = []
        for part, kind in (("configuration", self.resource.type), ("tags", "")):
            before, after = (None if each is None else getattr(each, part) for each in (self.before, self.after))
            found += _patch(f"/{part}", before, after, kind)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDifference:
    """What an endpoint served at the first moment and at the second, and the deployments between, oldest first."""

    name: str
    before: Serving | None
    after: Serving | None
    deployed: tuple[Serving, ...]
    retired: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EstateDifference:
    """Everything that changed in production after `since` and by `until`, as far as the ledger knew at `known`."""

    since: str
    until: str
    known: str
    resources: tuple[ResourceDifference, ...]
    endpoints: tuple[EndpointDifference, ...]

    @property
    def differs(self) -> bool:
        """Whether anything did."""
        return bool(self.resources or self.endpoints)


def diff_estate(
    session: Session,
    since: str,
    until: str,
    *,
    known: str = FOREVER,
    wanted: Filter | None = None,
    text: str | None = None,
) -> EstateDifference:
    """Return what changed after the moment `since`, by the moment `until`.

    `wanted` narrows it down; `text` names one thing: that and all that it points to. Raises `BadInput` when the first
    moment is not before the second, and what `find_named` raises.
    """
    if since >= until:
        raise BadInput(
            f"the first moment, {since}, is not before the second, {until}", fix="Give the earlier --at first."
        )
    wanted = wanted or Filter()
    moment = Moment(time=until, known=known)
    keys, names = _asked(session, text, moment)
    changed = [key for key in _changed(session, since, moment) if keys is None or key in keys]
    with_endpoints = wanted.is_open and wanted.has_type(ENDPOINT)
    return EstateDifference(
        since=since,
        until=until,
        known=known,
        resources=tuple(_resources(session, changed, since, moment, wanted)),
        endpoints=tuple(_endpoints(session, names, since, moment)) if with_endpoints else (),
    )


def _asked(session: Session, text: str | None, moment: Moment) -> tuple[set[str] | None, set[str] | None]:
    """Return the keys of the resources and the names of the endpoints that are asked about; None for all."""
    if text is None:
        return None, None
    things, _ = follow(session, find_named(session, text, moment), moment)
    endpoints = {thing.node.name for thing in things if thing.node is not None and thing.type == ENDPOINT}
    return {thing.key for thing in things if thing.node is None}, endpoints


def _changed(session: Session, since: str, moment: Moment) -> list[str]:
    """Return the keys of the resources that anything was recorded of after `since`, by the moment."""
    session.catch_up()
    table = tables.config.c
    query = (
        sa.select(table.resource)
        .where(table.time > since, table.time <= moment.time, table.taken <= moment.known)
        .distinct()
        .order_by(table.resource)
    )
    with session.catalog_database.reading() as connection:
        return list(connection.scalars(query))


def _resources(
    session: Session, keys: Sequence[str], since: str, moment: Moment, wanted: Filter
) -> Iterator[ResourceDifference]:
    configuration = session.configuration
    looks = configuration.looks(moment)
    items = configuration.items(keys, moment)
    kept = [key for key in keys if wanted.has(items[key][-1])]
    verdicts = Verdicts(configuration.judgements(moment, resources=kept, every=True))
    for key in sorted(kept, key=lambda key: _place(items[key][-1])):
        found = _resource(items[key], looks_at(items[key][-1].resource, looks), since, moment, verdicts)
        if found is not None:
            yield found


def _place(item: ConfigItem) -> tuple[str, str, str, str]:
    of = item.resource
    return of.account, of.region, of.type, of.name


def _resource(
    items: list[ConfigItem], looks: list[Look], since: str, moment: Moment, verdicts: Verdicts
) -> ResourceDifference | None:
    from lineal.change.history import list_changes

    changes = [each for each in list_changes(items, looks) if each.until > since]
    before, after = _there([item for item in items if item.time <= since]), _there(items)
    if not changes and (before is not None or after is None):
        return None
    steps = [
        Step(
            change=each,
            certain=each.since is not None and each.since >= since,
            judgement=verdicts.last(each.id),
            judged_before=verdicts.before(each.id),
        )
        for each in changes
    ]
    edits = _edits(before, after)
    return ResourceDifference(
        resource=items[-1].resource,
        what=_what(items, (before, after), edits, steps, since),
        before=before,
        after=after,
        edits=edits,
        steps=tuple(steps),
        state=state_of(items, looks, moment.time),
    )


def _there(items: Sequence[ConfigItem]) -> ConfigItem | None:
    """Return the configuration that holds after `items`, None if the resource is not there."""
    found = standing(items)
    return found if found is not None and found.status == "ok" else None


def _what(
    items: Sequence[ConfigItem],
    ends: tuple[ConfigItem | None, ConfigItem | None],
    edits: tuple[Edit, ...],
    steps: Sequence[Step],
    since: str,
) -> str:
    before, after = ends
    gone = standing([item for item in items if item.time <= since])  # the last word by then, if there is one
    was_away = gone is not None and gone.status == "deleted"
    if after is None and before is None:
        # What came and went is as it was; of what was seen first on the way and is gone, nobody knows that it came.
        first = next((item for item in items if item.time > since and item.status == "ok"), None)
        return REVERTED if was_away or (first is not None and _came(first, steps, since)) else DELETED
    if after is None:
        return DELETED
    if before is None:
        return CREATED if was_away or _came(after, steps, since) else APPEARED
    return CHANGED if edits or before.shape != after.shape else REVERTED


def _patch(place: str, before: dict[str, Any] | None, after: dict[str, Any] | None, kind: str) -> list[dict[str, Any]]:
    from lineal.change.difference import diff
    from lineal.change.patch import to_patch

    if before is None or after is None:
        whole: list[dict[str, Any]] = [{"op": "add", "path": place, "value": after}]
        return [] if before is after else whole if before is None else [{"op": "remove", "path": place}]
    found = to_patch(before, after, diff(before, after, kind), kind)
    return [{**each, **{name: place + each[name] for name in ("from", "path") if name in each}} for each in found]


def _came(after: ConfigItem, steps: Sequence[Step], since: str) -> bool:
    """Return whether what was first seen between the moments came to be then: it says so, or somebody had looked.

    That it changed after it was seen first says nothing of when it came to be.
    """
    if after.created is not None:
        return after.created > since
    return any(step.certain and step.change.kind == "created" for step in steps)


def _edits(before: ConfigItem | None, after: ConfigItem | None) -> tuple[Edit, ...]:
    """Return what leads from one configuration to the other; of two shapes nothing can be compared."""
    from lineal.change.difference import diff
    from lineal.change.semantic import strip

    if before is None or after is None or before.shape != after.shape:
        return ()
    return diff(strip(before), strip(after), after.resource.type)


def _endpoints(session: Session, names: set[str] | None, since: str, moment: Moment) -> Iterator[EndpointDifference]:
    catalog = session.catalog
    known = {view.name for view in catalog.all_nodes("endpoint", moment)}
    for name in sorted(known if names is None else known & names):
        intervals = serving_intervals(catalog, name, moment)
        then = [each for each in intervals if each.valid_from <= since and (each.valid_to or FOREVER) > since]
        now = [each for each in intervals if each.valid_to is None or each.valid_to > moment.time]
        before = serve(then[-1].revision) if then else None
        after = serve(now[-1].revision) if now else None
        deployed = tuple(serve(each.revision) for each in intervals if each.valid_from > since)
        gone = intervals[-1].valid_to if intervals and after is None else None
        if deployed or (before is None) != (after is None):
            yield EndpointDifference(name=name, before=before, after=after, deployed=deployed, retired=gone)
