"""What the graph says of things, as rows: deployments, registrations, decisions, tags."""

from collections.abc import Iterator, Sequence
from typing import Final

from lineal.app.pointers import Thing
from lineal.app.session import Session
from lineal.app.tag_history import read_history
from lineal.app.timeline_row import DECISION, DEPLOYMENT, REGISTRATION, RETIREMENT, STATEMENT, TAG, Row
from lineal.catalog.graph import Moment
from lineal.catalog.view import TAGGED, Fact
from lineal.core import image
from lineal.core.event_type import APPROVED, DEPLOYED, REGISTERED, REJECTED, RETIRED
from lineal.errors import BadRef
from lineal.sources.oci_tags import TAGGED as IMAGE_TAGGED
from lineal.sources.oci_tags import UNTAGGED as IMAGE_UNTAGGED

_REFUSED: Final = "approval.refused/1"
# Statements that one kind of thing is told of; the same entry speaks of others, which say nothing new there.
_OF: Final = {
    DEPLOYED: ("endpoint", DEPLOYMENT),
    RETIRED: ("endpoint", RETIREMENT),
    REGISTERED: ("model", REGISTRATION),
    APPROVED: ("model", DECISION),
    REJECTED: ("model", DECISION),
    _REFUSED: ("model", DECISION),
}


def graph_rows(session: Session, things: Sequence[Thing], moment: Moment) -> Iterator[Row]:
    """Yield what is said of the recorded versions among `things`."""
    nodes = {thing.node.id: thing for thing in things if thing.node is not None}
    for fact in session.catalog.facts(nodes, moment, tags=True):
        row = _row(nodes[fact.node], fact)
        if row is not None:
            yield row
    yield from _image_tags(session, things, moment)


def _row(thing: Thing, fact: Fact) -> Row | None:
    kind_of, kind = _OF.get(fact.type, (thing.type, STATEMENT))
    if thing.type != kind_of:
        return None
    what, why = fact.type, ""
    detail = fact.detail
    if fact.type == DEPLOYED:
        model = detail.get("model") or (detail.get("configuration") or {}).get("model")
        approval = detail.get("approval") or {}
        what = f"deployed {thing.name}, serving {model or 'an unknown model'}"
        why = f"approved by {approval['approved_by']}" if approval.get("approved_by") else ""
    elif fact.type == RETIRED:
        what, why = f"retired {thing.name}", str(detail.get("retired_because") or "")
    elif fact.type == REGISTERED:
        what = f"registered {thing.name}"
    elif fact.type in (APPROVED, REJECTED):
        what = f"{'approved' if fact.type == APPROVED else 'rejected'} {thing.name}"
        why = str(detail.get("reason") or "")
    elif fact.type == _REFUSED:
        what, why = f"was refused a decision on {thing.name}", str(detail.get("refused") or "")
    elif fact.type == TAGGED:
        tags = detail.get("tags") or {}
        said = (f"{key}={value}" if value is not None else f"{key} removed" for key, value in sorted(tags.items()))
        kind, what = TAG, f"tagged {', '.join(said)}"
    elif fact.type in (IMAGE_TAGGED, IMAGE_UNTAGGED):
        names = "names" if fact.type == IMAGE_TAGGED else "no longer names"
        kind, what = TAG, f"the tag {detail.get('tag')} {names} {thing.name}"
    return Row(
        time=fact.time, kind=kind, what=what, of=thing.key, name=thing.name, type=thing.type, depth=thing.depth,
        who=fact.actor, why=why, recorded=fact.taken, id=f"entry {fact.idx}",
    )  # fmt: skip


def _image_tags(session: Session, things: Sequence[Thing], moment: Moment) -> Iterator[Row]:
    """Yield what the tags that things are pointed to by have named, where a registry was looked at."""
    for thing in things:
        if thing.type != "Image" or thing.node is not None:
            continue
        try:
            named = image.parse(thing.key)
        except BadRef:
            continue
        states = read_history(session, named, moment).tags.get(named.tag or "", ())
        before: str | None = None
        for state in states:
            if state.digest != before:
                what = (
                    f"the tag is gone; it named {before}" if state.digest is None else f"the tag names {state.digest}"
                )
                what += f", before {before}" if state.digest is not None and before is not None else ""
                yield Row(
                    time=state.time, kind=TAG, what=what, of=thing.key, name=thing.name, type=thing.type,
                    depth=thing.depth, id=f"entry {state.entry}",
                )  # fmt: skip
            before = state.digest
