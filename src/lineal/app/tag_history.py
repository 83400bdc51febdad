"""What a tag of a container image has named over time, and findings where it moved or went."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from lineal.app.session import Session
from lineal.catalog.graph import NOW, Moment
from lineal.catalog.reader import Fact
from lineal.core.finding import Finding
from lineal.core.image import Image
from lineal.sources.oci_tags import DESCRIBED, TAGGED, UNTAGGED


@dataclass(frozen=True, slots=True, kw_only=True)
class TagState:
    """What a tag was found to name at a moment: a `digest`, or None where it was found to be gone."""

    digest: str | None
    time: str
    entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TagHistory:
    """The tags of one repository: what each named, oldest first; and when tags were said to be fixed or free to move.

    `versions` are all images of the repository that are on record, by digest.
    """

    image: str
    versions: frozenset[str]
    tags: Mapping[str, tuple[TagState, ...]]
    immutable: tuple[tuple[str, bool], ...]

    def standing(self) -> dict[str, str]:
        """Return what each tag named when it was last seen; those that were gone are left out."""
        last = {tag: states[-1].digest for tag, states in self.tags.items()}
        return {tag: digest for tag, digest in last.items() if digest is not None}

    def is_immutable(self, time: str) -> bool:
        """Return whether the registry was last said, at `time`, to let no tag move."""
        return next((fixed for moment, fixed in reversed(self.immutable) if moment <= time), False)


def read_history(session: Session, image: Image, moment: Moment = NOW) -> TagHistory:
    """Return what is recorded of the tags of the repository that `image` is in, as of `moment`."""
    catalog = session.catalog
    kind, _, name = image.artifact.partition(":")
    views = catalog.of_artifact(kind, name, moment)
    digests = {view.id: view.digest for view in views}
    facts = sorted(catalog.facts(list(digests), moment), key=lambda fact: (fact.time, fact.idx))
    tags: dict[str, list[TagState]] = {}
    immutable: list[tuple[str, bool]] = []
    for fact in facts:
        if fact.type in (TAGGED, UNTAGGED):
            digest = digests[fact.node] if fact.type == TAGGED else None
            tags.setdefault(str(fact.detail.get("tag")), []).append(
                TagState(digest=digest, time=fact.time, entry=fact.idx)
            )
        elif fact.type == DESCRIBED:
            immutable.append((fact.time, _is_immutable(fact)))
    return TagHistory(
        image=image.name,
        versions=frozenset(digest for digest in digests.values() if digest is not None),
        tags={tag: tuple(states) for tag, states in sorted(tags.items())},
        immutable=tuple(immutable),
    )


def _is_immutable(fact: Fact) -> bool:
    settings = fact.detail.get("repository")
    return isinstance(settings, dict) and settings.get("tag_mutability") == "IMMUTABLE"


def find_moves(history: TagHistory, since: str = "") -> Iterator[Finding]:
    """Yield a finding for each time that a tag was found, from the moment `since` on, to name another image or none.

    Where the registry was said to let no tag move, that is a failure: somebody deleted the image and pushed another.
    """
    for tag, states in history.tags.items():
        about = f"{history.image}:{tag}"
        for before, after in pairwise(states):
            if after.time < since or before.digest == after.digest:
                continue
            if after.digest is None:
                explanation = f"the tag is gone: found missing at {after.time}; it named {before.digest}"
                yield Finding(code="container.tag_removed", about=about, explanation=explanation, failed=False)
            elif before.digest is None:
                explanation = f"the tag is there again: it names {after.digest} since {after.time} or before"
                yield Finding(code="container.tag_returned", about=about, explanation=explanation, failed=False)
            else:
                explanation = (
                    f"the tag moved: from {before.digest} (seen {before.time}) to {after.digest} (seen {after.time})"
                )
                if history.is_immutable(before.time):
                    explanation += "; the registry was set to let no tag move"
                    yield Finding(code="container.immutable_tag_moved", about=about, explanation=explanation)
                else:
                    yield Finding(code="container.tag_moved", about=about, explanation=explanation, failed=False)
