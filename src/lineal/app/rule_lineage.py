"""What the graph of the ledger says to rules: of images, of tags, of training data."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from lineal.app.bucket_drift import check_bucket
from lineal.app.bucket_known import Stay, stays
from lineal.app.image_origin import STATED
from lineal.app.life import Known, read_life
from lineal.app.session import Session
from lineal.app.snapshot import SNAPSHOTTED
from lineal.app.tag_history import read_history
from lineal.catalog.graph import FOREVER, Moment
from lineal.catalog.reader import Fact, NodeView
from lineal.change.graph_rules import Built, Data
from lineal.core.image import Image
from lineal.core.image import parse as parse_image
from lineal.errors import BadRef

_UNSEEN: Final = "dataset.prefix_unseen"
_GROWN: Final = "dataset.prefix_grown"


class LedgerLineage:
    """Answers from the graph of one ledger, as of a moment.

    With `look`, and of the present, buckets are listed to see whether data is still there; without it, only what is on
    record counts.
    """

    def __init__(self, session: Session, moment: Moment, *, look: bool = False) -> None:
        self._session, self._moment = session, moment
        self._look = look and moment.time == FOREVER
        self._catalog = session.catalog

    def image(self, uri: str) -> Built | None:
        """Return what is on record of an image, None if nothing is."""
        image = _parse(uri)
        view = None if image is None else self._find(image, uri)
        if view is None:
            return None
        closure = self._catalog.closure(view.id, self._moment, up=True)
        views = self._catalog.views(closure.depths, self._moment)
        names = {number: each for number, each in views.items() if each.time is not None}
        same = _same(view.id, closure.edges)
        # What another image was built from, such as the one that it begins with, is not what this one was built from.
        others = {number for number, each in views.items() if each.kind == "container" and number not in same}
        own = _above(same, closure.edges, others)
        codes = [each for number, each in names.items() if each.kind == "code" and number in own]
        code = min(codes, key=lambda each: (closure.depths[each.id], each.ref), default=None)
        makers = [source for source, target, kind in closure.edges if kind == "generated" and target in same]
        run = next((names[each] for each in sorted(makers) if each in names), None)
        stated = any(fact.type == STATED for fact in self._catalog.facts(sorted(same), self._moment))
        return Built(
            ref=view.ref,
            digest=view.digest,
            code=None if code is None else code.ref,
            run=None if run is None else run.ref,
            claimed=run is None and (stated or view.basis == "claimed"),
        )

    def _find(self, image: Image, uri: str) -> NodeView | None:
        """Return the container that an address names: by its digest, else the newest known by that name."""
        if image.digest is not None:
            named = self._catalog.find([f"{image.artifact}@{image.digest}"], self._moment)
            same = self._catalog.with_digests([str(image.digest)], self._moment)
            found = [*named.values(), *same.get(str(image.digest), ())]
        else:
            asked = list(dict.fromkeys([str(image), uri]))
            held = self._catalog.with_aliases(asked, self._moment)
            found = [view for name in asked for view in held.get(name, ())]
        return next((view for view in found if view.kind == "container" and view.time is not None), None)

    def tag(self, repository: str, tag: str) -> Sequence[tuple[str, str | None]]:
        """Return when a tag was seen to name which digest, oldest first."""
        image = _parse(f"{repository}:{tag}")
        if image is None:
            return []
        states = read_history(self._session, image, self._moment).tags.get(tag, ())
        return [(each.time, each.digest) for each in states]

    def training_data(self, resource: str) -> Sequence[Data] | None:
        """Return the datasets that the model of a resource was trained on, None if nothing is on record of it."""
        held = self._catalog.with_aliases([resource], self._moment).get(resource, [])
        model = next((view for view in held if view.kind == "model"), None)
        if model is None:
            return None
        life = read_life(self._session, model, self._moment)
        if life.training is None:
            return None
        used = life.training.run.view.time or ""
        return [self._data(each, used) for each in life.training.inputs("dataset", "file")]

    def _data(self, known: Known, used: str) -> Data:
        view = known.view
        facts = self._catalog.facts([view.id], self._moment)
        found = stays(facts)
        place = str(found[-1].detail["uri"]) if found else str(known.detail.get("uri") or "")
        changed, seen = self._later(view, found, used), _seen(facts, used)
        if changed is None and self._look and found:
            for finding in check_bucket(self._session, view, facts):
                if finding.code == _UNSEEN:
                    return Data(ref=view.ref, used=used, place=place, seen=seen)
                if finding.code != _GROWN or finding.failed:
                    changed = finding.explanation
            seen = self._session.clock()
        return Data(ref=view.ref, used=used, place=place, changed=changed, seen=seen)

    def _later(self, view: NodeView, found: Sequence[Stay], used: str) -> str | None:
        """Return what a later snapshot of the same place found that differs, None if no such snapshot is on record."""
        places = {(each.detail.get("uri"), each.detail.get("endpoint")) for each in found}
        others = [each for each in self._catalog.of_artifact(view.kind, view.name, self._moment) if each.id != view.id]
        for fact in self._catalog.facts([each.id for each in others], self._moment) if places else ():
            for stay in stays([fact]):
                if (
                    fact.type == SNAPSHOTTED
                    and fact.time > used
                    and (stay.detail.get("uri"), stay.detail.get("endpoint")) in places
                ):
                    return f"{stay.detail['uri']} held {fact.digest} at {fact.time}"
        return None


def _same(of: int, edges: Iterable[tuple[int, int, str]]) -> set[int]:
    """Return the vertices that are the same thing as one of them, itself included."""
    twins: dict[int, set[int]] = {}
    for source, target, kind in edges:
        if kind == "same_as":
            twins.setdefault(target, set()).add(source)
            twins.setdefault(source, set()).add(target)
    return _spread({of}, twins, set())


def _above(of: set[int], edges: Iterable[tuple[int, int, str]], closed: set[int]) -> set[int]:
    """Return what some vertices come from, themselves included, without what is reached through `closed` ones alone."""
    sources: dict[int, set[int]] = {}
    for source, target, _ in edges:
        sources.setdefault(target, set()).add(source)
    return _spread(of, sources, closed)


def _spread(of: set[int], following: Mapping[int, set[int]], closed: set[int]) -> set[int]:
    found, waiting = set(of), list(of)
    while waiting:
        new = following.get(waiting.pop(), set()) - found - closed
        found |= new
        waiting += new
    return found


def _parse(uri: str) -> Image | None:
    try:
        return parse_image(uri)
    except BadRef:
        return None


def _seen(facts: Sequence[Fact], used: str) -> str | None:
    """Return when the version was last found in a bucket after it was used."""
    return max(
        (fact.time for fact in facts if fact.type == SNAPSHOTTED and fact.time > used and stays([fact])), default=None
    )
