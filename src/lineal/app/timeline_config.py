"""What became of configuration, as rows: changes with their verdicts, API events, approvals, judgements."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from lineal.app.estate_state import looks_at
from lineal.app.pointers import Thing
from lineal.app.session import Session
from lineal.app.timeline_row import CHANGE, EVENT, JUDGEMENT, SEEN, TAG, WINDOW, Row, Verdicts
from lineal.catalog.graph import Moment
from lineal.change.effects import may_change
from lineal.change.permission import is_about
from lineal.core.api_event import ApiEvent
from lineal.core.change import Change, ChangeApproval, Edit, Judgement
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look

_SHOWN: Final = 3


def config_rows(
    session: Session,
    things: Sequence[Thing],
    items: Mapping[str, list[ConfigItem]],
    looks: Sequence[Look],
    moment: Moment,
) -> Iterator[Row]:
    """Yield what happened to the resources among `things` (`items` are what was seen of each), and the verdicts."""
    resources = [thing for thing in things if thing.node is None]
    keys = list(dict.fromkeys(thing.key for thing in resources))
    configuration = session.configuration
    approvals = configuration.approvals(moment)
    # A judgement of an approval stands under the one pattern that the approval has, or under none.
    patterns = [each.resources[0] if len(each.resources) == 1 else "" for each in approvals]
    judged = configuration.judgements(moment, resources=[*keys, *patterns], every=True)
    verdicts = Verdicts(judged)
    yield from _changes(resources, items, looks, verdicts)
    whole = [thing for thing in resources if thing.only is None]
    yield from _events(whole, configuration.events(keys, moment=moment), verdicts)
    cited = {one for judgement, _ in judged if judgement.resource in set(keys) for one in judgement.approvals}
    yield from _windows(whole, approvals, cited, verdicts)
    yield from _judgements({thing.key: thing for thing in reversed(resources)}, verdicts)


def _changes(
    things: Sequence[Thing], items: Mapping[str, list[ConfigItem]], looks: Sequence[Look], verdicts: Verdicts
) -> Iterator[Row]:
    from lineal.change.history import list_changes

    for thing in things:
        held = items.get(thing.key, [])
        if not held:
            continue
        changes = list_changes(held, looks_at(held[0].resource, looks))
        if thing.only is None and all(change.until > held[0].time for change in changes):
            yield _first(thing, held[0])
        for change in changes:
            row = _change(thing, change)
            if row is not None:
                yield with_verdict(row, verdicts)
        if thing.only is None:
            yield from _states(thing, held, {change.until for change in changes}, looks)


def _first(thing: Thing, item: ConfigItem) -> Row:
    """Return the row of what was there when somebody looked first: that is no change, but where things begin."""
    made = "" if item.created is None else f"; it says that it was made at {item.created}"
    return Row(
        time=item.time, kind=SEEN, what=f"seen for the first time{made}", of=thing.key, name=thing.name,
        type=item.resource.type, depth=thing.depth, id=item.digest(),
    )  # fmt: skip


def _states(thing: Thing, items: Sequence[ConfigItem], changed: set[str], looks: Sequence[Look]) -> Iterator[Row]:
    """Yield the states that a resource came to by itself (an endpoint that failed): no change of its configuration.

    Where that changed as well, its row says what happened, but for a failure.
    """
    own = [item for item in items if item.source == "aws"]
    ended = sorted((look.ended, look.began) for look in looks_at(items[0].resource, looks) if look.complete)
    for before, item in pairwise(own):
        if before.status != "ok" or item.status != "ok" or before.state == item.state or not item.state:
            continue
        if item.time in changed and "fail" not in item.state.lower():
            continue
        why = item.configuration.get("FailureReason")
        last = max((began for end, began in ended if end < item.time), default="")
        yield Row(
            time=item.time, since=max(before.time, last), kind=SEEN, of=thing.key, name=thing.name, depth=thing.depth,
            what=f"state {before.state or 'unknown'} -> {item.state}{f': {why[:200]}' if isinstance(why, str) else ''}",
            type=item.resource.type, id=item.digest(),
        )  # fmt: skip


def _change(thing: Thing, change: Change) -> Row | None:
    edits, kind = change.edits, CHANGE
    if thing.only is not None:
        edits = tuple(edit for edit in edits if edit.path[: len(thing.only)] == thing.only)
        if not edits:
            return None
        kind = TAG
    return Row(
        time=change.until, since=change.since, kind=kind, what=summarise(change.kind, edits), of=thing.key,
        name=thing.name, type=change.type, depth=thing.depth, edits=edits, id=change.id,
    )  # fmt: skip


def with_verdict(row: Row, verdicts: Verdicts) -> Row:
    """Return `row` with what was concluded of what it tells, if anything was."""
    judged = verdicts.last(row.id)
    if judged is None:
        return row
    return replace(
        row,
        verdict=judged.verdict,
        because=judged.why,
        who=row.who or ", ".join(judged.principals),
        events=judged.events,
        approvals=judged.approvals,
        judged_before=verdicts.before(row.id),
    )


def summarise(kind: str, edits: Sequence[Edit]) -> str:
    """Return a change in a line: what kind it is, and the first fields that differ."""
    if kind != "updated" or not edits:
        return kind
    said = ", ".join(f"{spell(edit.path)}{_arrow(edit)}" for edit in edits[:_SHOWN])
    return f"{said} and {len(edits) - _SHOWN} more" if len(edits) > _SHOWN else said


def spell(path: Sequence[str]) -> str:
    """Return the path of a field as people read it."""
    return ".".join(path) or "(all of it)"


def _arrow(edit: Edit) -> str:
    if edit.op == "add":
        return " added"
    if edit.op == "remove":
        return " removed"
    if isinstance(edit.new, dict | list) or isinstance(edit.old, dict | list):
        return " changed"
    return f" {edit.old} -> {edit.new}"


def _events(things: Sequence[Thing], events: Mapping[str, list[ApiEvent]], verdicts: Verdicts) -> Iterator[Row]:
    """Yield the events about each thing; of what is pointed to, not what others do with it (run a job as a role)."""
    for thing in things:
        for event in events.get(thing.key, []):
            if thing.depth and not may_change(event, thing.type, thing.key):
                continue
            row = Row(
                time=event.time, kind=EVENT, what=_call(event), of=thing.key, name=thing.name, type=thing.type,
                depth=thing.depth, who=_caller(event), where=_origin(event), id=event.id,
            )  # fmt: skip
            yield with_verdict(row, verdicts)


def _call(event: ApiEvent) -> str:
    words = [f"{name}={value}" for name, value in event.parameters.items() if isinstance(value, str | int)]
    said = " ".join([event.name, *(word if len(word) <= 80 else f"{word[:77]}..." for word in words[:_SHOWN])])
    if event.amends:
        said += f" (amends {event.amends})"
    return f"{said} failed: {event.error}" if event.error else said


def _caller(event: ApiEvent) -> str:
    who = f"{event.principal} ({event.session})" if event.session and event.principal else event.principal
    who = who or event.session or "somebody whom the trail does not name"
    return f"{who} via {event.via}" if event.via else who


def _origin(event: ApiEvent) -> str:
    address = event.record.get("sourceIPAddress") or next(iter(event.record.get("sourceIPs") or ()), "")
    return " ".join(part for part in (str(address), event.region) if part)


def _windows(
    things: Sequence[Thing], approvals: Sequence[ChangeApproval], cited: set[str], verdicts: Verdicts
) -> Iterator[Row]:
    for approval in approvals:
        # One that allows anything anywhere is told where a judgement rests on it.
        named = bool(approval.resources or approval.types)
        about = [each for each in things if named and is_about(approval, each.key, each.type)]
        about = about or (list(things[:1]) if approval.id in cited else [])
        may = ", ".join(approval.principals) or "anybody"
        what = f"{approval.ticket or approval.id}: {may} may change {', '.join(approval.fields) or 'it'}"
        what += f"; withdrawn as of {approval.withdrawn}" if approval.withdrawn else ""
        for thing in about:
            row = Row(
                time=approval.not_before, until=approval.not_after, kind=WINDOW, what=what, of=thing.key,
                name=thing.name, type=thing.type, depth=thing.depth, who=approval.approver, why=approval.reason,
                id=approval.id,
            )  # fmt: skip
            yield with_verdict(row, verdicts)


def _judgements(things: Mapping[str, Thing], verdicts: Verdicts) -> Iterator[Row]:
    """Yield what was concluded of what no other row tells: a change as it was known before, an act not done."""
    for judged, taken in verdicts.untold():
        if (thing := things.get(judged.resource)) is not None:
            yield judgement_row(thing, judged, taken, verdicts.before(judged.about))


def judgement_row(thing: Thing, judged: Judgement, taken: str, before: tuple[tuple[str, str], ...]) -> Row:
    """Return the row of a judgement that stands alone."""
    return Row(
        time=judged.until, since=judged.since, kind=JUDGEMENT, what=judged.why, of=thing.key, name=thing.name,
        type=thing.type, depth=thing.depth, who=", ".join(judged.principals), verdict=judged.verdict,
        because=judged.why, judged_before=before, events=judged.events, approvals=judged.approvals, recorded=taken,
        id=judged.about,
    )  # fmt: skip
