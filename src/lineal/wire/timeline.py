"""The documents of `--json` for timelines, the estate as of a moment, and what changed in it."""

from typing import TYPE_CHECKING, Any

from lineal.catalog.graph import FOREVER
from lineal.wire.documents import describe_node

if TYPE_CHECKING:
    from lineal.app.estate import Configured, Estate, Serving, Standing
    from lineal.app.estate_diff import EndpointDifference, EstateDifference, ResourceDifference, Step
    from lineal.app.estate_state import State
    from lineal.app.pointers import Thing
    from lineal.app.timeline import Timeline
    from lineal.app.timeline_row import Row
    from lineal.core.change import Change, Edit, Judgement
    from lineal.core.config_item import ConfigItem
    from lineal.core.resource import Resource


def _moment(text: str) -> str | None:
    return None if text in ("", FOREVER) else text


def describe_timeline(found: "Timeline") -> dict[str, Any]:
    """Return a timeline: ``ref at known since until things rows left_out more_things``."""
    return {
        "ref": found.text,
        "at": _moment(found.moment.time),
        "known": _moment(found.moment.known),
        "since": _moment(found.window.since),
        "until": _moment(found.window.until),
        "things": [_describe_thing(thing, found.states.get(thing.key)) for thing in found.things],
        "rows": [describe_row(row) for row in found.rows],
        "left_out": found.left_out,
        "more_things": found.full,
    }


def _describe_thing(thing: "Thing", state: "State | None") -> dict[str, Any]:
    return {
        "key": thing.key,
        "name": thing.name,
        "type": thing.type,
        "depth": thing.depth,
        "part": None if thing.only is None else list(thing.only),
        "pointed": [[_moment(span.since), _moment(span.until)] for span in thing.spans],
        "state": None if state is None or thing.node is not None else describe_state(state),
    }


def describe_state(state: "State") -> dict[str, Any]:
    """Return how a resource stands: ``state first_seen changed last_seen gone last_looked``."""
    return {
        "state": state.state,
        "first_seen": state.first_seen,
        "changed": state.changed,
        "last_seen": state.last_seen,
        "gone": state.gone,
        "last_looked": state.last_looked,
    }


def describe_row(row: "Row") -> dict[str, Any]:
    """Return a row of a timeline; it happened at ``time``, or after ``since`` and by ``time``."""
    return {
        "time": row.time,
        "since": row.since,
        "until": row.until,
        "kind": row.kind,
        "what": row.what,
        "of": row.of,
        "name": row.name,
        "type": row.type,
        "depth": row.depth,
        "who": row.who or None,
        "where": row.where or None,
        "why": row.why or None,
        "verdict": row.verdict,
        "because": row.because or None,
        "judged_before": [{"verdict": verdict, "recorded": taken} for verdict, taken in row.judged_before],
        "edits": [describe_edit(edit) for edit in row.edits],
        "events": list(row.events),
        "approvals": list(row.approvals),
        "recorded": row.recorded,
        "id": row.id or None,
    }


def describe_edit(edit: "Edit") -> dict[str, Any]:
    """Return a field that differs: ``op path old new``."""
    return {"op": edit.op, "path": list(edit.path), "old": edit.old, "new": edit.new}


def describe_resource(of: "Resource") -> dict[str, Any]:
    """Return which resource it is: ``key type account region name``."""
    return {"key": of.key, "type": of.type, "account": of.account, "region": of.region, "name": of.name}


def describe_item(item: "ConfigItem") -> dict[str, Any]:
    """Return a configuration with all that its record says; what is not known is null."""
    return {
        **describe_resource(item.resource),
        "time": item.time,
        "status": item.status,
        "source": item.source,
        "shape": item.shape,
        "created": item.created,
        "modified": item.modified,
        "configuration": item.configuration,
        "tags": item.tags,
        "relationships": [{"type": each.type, "key": each.key, "name": each.name} for each in item.relationships],
        "extra": item.extra,
        "digest": item.digest(),
    }


def describe_estate(found: "Estate") -> dict[str, Any]:
    """Return the estate as of a moment: ``at known resources endpoints``."""
    return {
        "at": _moment(found.moment.time),
        "known": _moment(found.moment.known),
        "resources": [_describe_standing(each) for each in found.resources],
        "endpoints": [describe_serving(each) for each in found.endpoints],
    }


def _describe_standing(found: "Standing") -> dict[str, Any]:
    return {
        **describe_resource(found.item.resource),
        "source": found.item.source,
        "digest": found.item.digest(),
        "changed": found.state.changed,
        "last_seen": found.state.last_seen,
        "last_looked": found.state.last_looked,
    }


def describe_serving(found: "Serving") -> dict[str, Any]:
    """Return what an endpoint serves: ``revision model approved_by``."""
    return {"revision": describe_node(found.revision), "model": found.model, "approved_by": found.approved_by}


def describe_configured(found: "Configured") -> dict[str, Any]:
    """Return one resource as of a moment: ``resource state item change judgement judged_before``."""
    return {
        "resource": describe_resource(found.item.resource),
        **describe_state(found.state),
        "item": describe_item(found.item),
        "change": None if found.change is None else describe_change(found.change),
        "judgement": describe_judgement(found.judgement),
        "judged_before": [{"verdict": verdict, "recorded": taken} for verdict, taken in found.judged_before],
    }


def describe_change(change: "Change") -> dict[str, Any]:
    """Return a change: ``id kind since until before after edits``; it happened after ``since``, by ``until``."""
    return {
        "id": change.id,
        "kind": change.kind,
        "since": change.since,
        "until": change.until,
        "before": change.before,
        "after": change.after,
        "edits": [describe_edit(edit) for edit in change.edits],
    }


def describe_judgement(judged: "Judgement | None") -> dict[str, Any] | None:
    """Return what was concluded: ``verdict why principals events approvals fields``; null if nothing was."""
    if judged is None:
        return None
    return {
        "verdict": judged.verdict,
        "why": judged.why,
        "principals": list(judged.principals),
        "events": list(judged.events),
        "approvals": list(judged.approvals),
        "fields": [
            {
                "path": list(each.path),
                "verdict": each.verdict,
                "event": each.event or None,
                "approval": each.approval or None,
            }
            for each in judged.fields
        ],
    }


def describe_estate_difference(found: "EstateDifference", *, patches: bool = False) -> dict[str, Any]:
    """Return what changed between two moments: ``since until known differs resources endpoints``.

    With `patches` each resource has its ``patch`` (RFC 6902), too.
    """
    return {
        "since": found.since,
        "until": found.until,
        "known": _moment(found.known),
        "differs": found.differs,
        "resources": [_describe_difference(each, patches=patches) for each in found.resources],
        "endpoints": [_describe_endpoint(each) for each in found.endpoints],
    }


def _describe_difference(found: "ResourceDifference", *, patches: bool) -> dict[str, Any]:
    return {
        **describe_resource(found.resource),
        "change": found.what,
        "before": None if found.before is None else found.before.digest(),
        "after": None if found.after is None else found.after.digest(),
        "edits": [describe_edit(edit) for edit in found.edits],
        "steps": [_describe_step(step) for step in found.steps],
        "state": describe_state(found.state),
        **({"patch": found.patch()} if patches else {}),
    }


def _describe_step(step: "Step") -> dict[str, Any]:
    return {
        **describe_change(step.change),
        "certain": step.certain,
        "judgement": describe_judgement(step.judgement),
        "judged_before": [{"verdict": verdict, "recorded": taken} for verdict, taken in step.judged_before],
    }


def _describe_endpoint(found: "EndpointDifference") -> dict[str, Any]:
    return {
        "name": found.name,
        "before": None if found.before is None else describe_serving(found.before),
        "after": None if found.after is None else describe_serving(found.after),
        "deployed": [describe_serving(each) for each in found.deployed],
        "retired": found.retired,
    }
