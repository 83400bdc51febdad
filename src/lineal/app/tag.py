"""Tags: what people say of a recorded thing in words of their own, now and at any moment, with who said it and when."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lineal.app.session import Session
from lineal.catalog.graph import NOW, Moment
from lineal.catalog.reader import TAGGED, Catalog, Fact, NodeView
from lineal.core.digest import Digest
from lineal.core.observation import Node, Observation
from lineal.core.redaction import clean, redact, redact_value
from lineal.errors import BadInput, TooLarge

MAX_KEY: Final = 128
MAX_VALUE: Final = 4096
MAX_TAGS: Final = 50
"""Characters of a key and of a value, and tags of one thing: what AWS allows of its own, values longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """A thing with its tags now: whether this changed any, and how many secrets were cut out of values."""

    node: NodeView
    tags: dict[str, str]
    new: bool
    redactions: int


def tag(
    session: Session, text: str, values: Mapping[str, str], remove: Collection[str] = (), *, os_user: str
) -> Tagged:
    """Record the tags `values` of what `text` names, and that it has those in `remove` no longer.

    The last statement in the order of the ledger holds; those before it stay on record. What changes nothing is not
    recorded again. Raises `BadInput` for keys and values that are not allowed and for removing a tag that is not
    there, `TooLarge` for more than `MAX_TAGS`, and what `Catalog.resolve` raises.
    """
    if not values and not remove:
        raise BadInput("no tag was given; nothing was recorded", fix="Write KEY=VALUE, or --remove KEY.")
    wanted: dict[str, str | None] = {check_key(key): None for key in remove}
    redactions = 0
    for key, value in values.items():
        if check_key(key) in wanted:
            raise BadInput(f"the tag {key!r} is to be set and removed at once; nothing was recorded")
        wanted[key], count = redact_value(key, check_value(key, value))
        redactions += count
    view = session.catalog.resolve(text)
    before = tags_of(session.catalog, [view.id]).get(view.id, {})
    absent = [key for key in remove if key not in before]
    if absent:
        there = ", ".join(before) or "none"
        raise BadInput(f"{view.ref} has no tag {absent[0]!r}; nothing was recorded", fix=f"It has: {there}.")
    changed = {key: value for key, value in wanted.items() if before.get(key) != value}
    after = _apply(before, changed)
    if len(after) > MAX_TAGS:
        raise TooLarge(
            f"{view.ref} would have {len(after)} tags: at most {MAX_TAGS}; nothing was recorded",
            fix="Remove some with --remove KEY.",
        )
    if changed:
        _say(session, view, changed, os_user)
    return Tagged(node=view, tags=after, new=bool(changed), redactions=redactions)


def _say(session: Session, view: NodeView, changed: dict[str, str | None], os_user: str) -> None:
    digest = None if view.digest is None else Digest.parse(view.digest)
    session.say(
        Observation(
            type=TAGGED,
            time=session.clock(),
            actor=session.actor,
            basis="claimed",
            nodes=(Node(ref=view.canonical, basis="claimed", digest=digest, detail={"tags": changed}),),
            data={"os_user": os_user},
            subject=(view.canonical,),
        )
    )


def read_settings(texts: Sequence[str]) -> dict[str, str]:
    """Return the tags that ``KEY=VALUE`` texts spell; raise `BadInput` for others, and for a key given twice."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise BadInput(f"not a tag: {text!r}; nothing was recorded", fix=f"Write {text}=VALUE, or --remove {text}.")
        if key in found:
            raise BadInput(f"the tag {key!r} is given twice; nothing was recorded")
        found[key] = value
    return found


def check_key(key: str) -> str:
    """Return `key` if it can be one: 1 to 128 printable characters without ``=``, no blank at an end, no secret."""
    if not 0 < len(key) <= MAX_KEY:
        raise BadInput(f"the key of a tag has {len(key)} characters: 1 to {MAX_KEY} are allowed; nothing was recorded")
    if not key.isprintable() or "=" in key or key != key.strip():
        raise BadInput(
            f"not a key of a tag: {key!r}; nothing was recorded",
            fix="Use printable characters without =, and no blank at the beginning or end.",
        )
    if redact(key)[1]:
        raise BadInput("the key of a tag looks like a secret; nothing was recorded", fix="Write KEY=VALUE.")
    return key


def check_value(key: str, value: str) -> str:
    """Return `value` if it can be one: up to 4096 characters of valid text, no control characters."""
    if len(value) > MAX_VALUE:
        raise BadInput(
            f"the tag {key!r} has {len(value):,} characters: at most {MAX_VALUE:,} are allowed; nothing was recorded",
            fix="Keep long text in a file, snapshot it, and tag with its reference.",
        )
    if value != clean(value) or not all(char.isprintable() for char in value):
        raise BadInput(f"the value of the tag {key!r} holds control characters or no valid text; nothing was recorded")
    return value


def tags_of(catalog: Catalog, nodes: Iterable[int], moment: Moment = NOW) -> dict[int, dict[str, str]]:
    """Return the tags that the nodes numbered `nodes` have at `moment`; those without any are left out."""
    grouped: dict[int, list[Fact]] = {}
    for fact in catalog.facts(nodes, moment, tags=True):
        if fact.type == TAGGED:
            grouped.setdefault(fact.node, []).append(fact)
    found = {node: current(facts) for node, facts in grouped.items()}
    return {node: tags for node, tags in found.items() if tags}


def current(facts: Iterable[Fact]) -> dict[str, str]:
    """Return the tags that statements about one thing give together, by key: of each, the ledger's last word."""
    found: dict[str, str] = {}
    for fact in sorted((fact for fact in facts if fact.type == TAGGED), key=lambda fact: fact.idx):
        found = _apply(found, fact.detail.get("tags") or {})
    return found


def _apply(before: Mapping[str, str], changed: Mapping[str, str | None]) -> dict[str, str]:
    after = {**before, **changed}
    return {key: value for key, value in sorted(after.items()) if value is not None}


def read_filter(text: str) -> tuple[str, str | None]:
    """Return key and value of a filter ``KEY=VALUE``, the value None for ``KEY`` alone; raise `BadInput`."""
    key, equals, value = text.partition("=")
    return check_key(key), value if equals else None


def matches(tags: Mapping[str, str], key: str, value: str | None) -> bool:
    """Return whether `tags` have `key`, with this value if one is asked for."""
    return key in tags and value in (None, tags[key])
