"""What is on record of SageMaker's things, and what this collection has said of them already."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from lineal.app.registry import approval_of
from lineal.app.session import Session
from lineal.app.tag_history import TagHistory, read_history
from lineal.catalog.graph import NOW, Moment
from lineal.catalog.reader import NodeView
from lineal.core import path
from lineal.core.event_type import APPROVED, REJECTED
from lineal.core.image import Image
from lineal.core.observation import Node, Observation
from lineal.sources.sagemaker_found import Recorded
from lineal.sources.sagemaker_words import Arn, small

_BY_SAGEMAKER: Final = "run:sagemaker-"


class Lookup:
    """Answers from the catalog, and from what was said a moment ago and is not in it yet."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tags: dict[str, TagHistory] = {}
        # Others may speak meanwhile: what they say counts from the next collection on.
        self._catalog = session.catalog
        self._aliases: dict[str, dict[str, Recorded]] = {}
        self._versions: dict[tuple[str, str], list[Node]] = {}
        self._owners: dict[tuple[str, str], str] = {}
        self._makers: dict[str, str] = {}
        self._times: dict[str, str] = {}
        self._runs: dict[str, dict[str, Any]] = {}
        self._decisions: dict[str, list[tuple[str, dict[str, Any]]]] = {}

    def remember(self, observation: Observation) -> Observation:
        """Take note of what was said, and return it."""
        self._makers.update({edge.target: edge.source for edge in observation.edges if edge.type == "generated"})
        if observation.type in {APPROVED, REJECTED}:
            decided = observation.nodes[0]
            self._decisions.setdefault(decided.ref, []).append((observation.time, decided.detail))
        for node in observation.nodes:
            self._times.setdefault(node.ref, observation.time)
            if node.ref.startswith("run:"):
                self._runs.setdefault(node.ref, {}).update(node.detail)
            recorded = Recorded(
                ref=node.ref, time=observation.time, fixed=node.detail.get("fixed") is not False, detail=node.detail
            )
            for alias in node.aliases:
                self._aliases.setdefault(alias, {}).setdefault(node.ref, recorded)
            name, _, version = node.ref.partition("@")
            if version and node.version is not None:
                kind, _, name = name.partition(":")
                self._versions.setdefault((kind, name), []).append(node)
        return observation

    def named(self, aliases: Sequence[str], until: str | None) -> list[Recorded]:
        """Return the versions known under any of some foreign names by a moment, newest first."""
        moment = NOW if until is None else Moment(time=until)
        found: dict[str, Recorded] = {}
        for views in self._catalog.with_aliases(list(aliases), moment).values():
            found.update({view.canonical: _recorded(view) for view in views if view.time is not None})
        for alias in aliases:
            for recorded in self._aliases.get(alias, {}).values():
                if until is None or recorded.time <= until:
                    found.setdefault(recorded.ref, recorded)
        return sorted(found.values(), key=lambda each: (each.time, each.ref), reverse=True)

    def of_arn(self, arn: str, kind: str) -> Recorded | None:
        """Return the thing of this kind that SageMaker calls `arn`, however AWS or a user spells its name."""
        for each in self.named(tuple(dict.fromkeys((arn, small(arn)))), None):
            said = each.detail.get("sagemaker")
            if each.ref.startswith(f"{kind}:") and isinstance(said, dict) and small(str(said.get("arn"))) == small(arn):
                return each
        return None

    def run(self, ref: str) -> dict[str, Any]:
        """Return all that is said of a run."""
        view = self._catalog.find([ref]).get(ref)
        return {**({} if view is None else view.detail), **self._runs.get(ref, {})}

    def addresses(self, run: str) -> set[str]:
        """Return the addresses that a job itself names: its channels and outputs, with and without slash, its image."""
        said = self.run(run).get("sagemaker")
        if not isinstance(said, dict):
            return set()
        places = [each.get("uri") for part in ("channels", "outputs") for each in (said.get(part) or {}).values()]
        found = {str(each).rstrip("/") for each in (*places, said.get("image")) if each}
        return found | {f"{each}/" for each in found}

    def tagged(self, image: Image, at: str) -> str | None:
        """Return the digest that a tag named at a moment, by what was collected of its registry; None if not known."""
        if image.name not in self._tags:
            self._tags[image.name] = read_history(self._session, image)
        history = self._tags[image.name]
        states = history.tags.get(image.tag or "", ())
        then = [state for state in states if state.time <= at]
        if not then and states and history.is_immutable(states[0].time):
            return states[0].digest  # a tag that cannot move named what it was found to name later
        return then[-1].digest if then else None

    def since(self, ref: str) -> str:
        """Return the moment from which a thing is on record; empty if it is not."""
        if ref in self._times:
            return self._times[ref]
        view = self._catalog.find([ref]).get(ref)
        return "" if view is None else view.time or ""

    def is_reused(self, run: str, created: str) -> bool:
        """Return whether another job than the one created then has this reference: SageMaker lets names be reused."""
        view = self._catalog.find([run]).get(run)
        said = {} if view is None else view.detail.get("sagemaker")
        described = said.get("described") if isinstance(said, dict) else None
        return isinstance(described, dict) and described.get("CreationTime") not in (None, created)

    def label(self, ref: str) -> str:
        """Return a version in the spelling that people type."""
        kind, _, name = ref.partition("@")[0].partition(":")
        label = next((label for each, label, _ in self.versions(kind, name) if each == ref and label), None)
        return f"{kind}:{name}@{label}" if label is not None else ref

    def approval(self, ref: str, at: str) -> dict[str, Any] | None:
        """Return the decision that stood on a model version at a moment, in the words of a deployment.

        Of one that was said a moment ago the number of its entry is not known yet.
        """
        said = [each for each in self._decisions.get(ref, ()) if each[0] <= at]
        catalog = self._catalog
        view = catalog.find([ref]).get(ref)
        found = None if view is None else approval_of(catalog, view, Moment(time=at))
        if said and (found is None or max(said, key=lambda each: each[0])[0] > found.time):
            time, detail = max(said, key=lambda each: each[0])
            return {**{name: detail[name] for name in ("decision", "by", "meaning")}, "time": time, "entry": None}
        if found is None:
            return None
        return {
            "decision": found.decision,
            "by": found.by,
            "time": found.time,
            "meaning": found.meaning,
            "entry": found.entry,
        }

    def captured(self, arn: Arn, name: str, created: str, ended: str) -> list[str]:
        """Return the runs that `lineal run` recorded inside of the job: those that no other of them started.

        Inside, a job knows its ARN, or its name alone: then the run is one that began while the job was there.
        """
        named = self.named((*arn.named(name), small(arn.text)), None)
        named = named or [each for each in self.named((f"{arn.kind}/{name}",), None) if created <= each.time <= ended]
        runs = {
            each.ref: each for each in named if each.ref.startswith("run:") and not each.ref.startswith(_BY_SAGEMAKER)
        }
        return sorted(ref for ref, each in runs.items() if each.detail.get("parent") not in runs)

    def versions(self, kind: str, name: str) -> list[tuple[str, str | None, dict[str, Any]]]:
        """Return reference, label and detail of each version of an artifact, those just said too."""
        views = self._catalog.of_artifact(kind, name)
        found = {view.canonical: (view.canonical, view.version, view.detail) for view in views}
        for node in self._versions.get((kind, name), ()):
            found.setdefault(node.ref, (node.ref, node.version, node.detail))
        return list(found.values())

    def name(self, kind: str, arn: Arn, given: str) -> str:
        """Return the name of the artifact that something called `given` is: its own, unless that is taken.

        Another account or region, another kind of thing, or somebody's own registry can have the same name: then the
        name says where it is from.
        """
        owner = f"{arn.kind}:{arn.region}:{arn.account}"
        spelled = path.spell(given.encode())
        key = (kind, spelled)
        if key not in self._owners:
            others = {_owner(detail) for _, _, detail in self.versions(kind, spelled)}
            self._owners[key] = owner if not others or owner in others else "another"
        if self._owners[key] == owner:
            return given
        return f"sagemaker/{arn.region}/{arn.account}/{arn.kind}/{given}"

    def maker(self, ref: str) -> str | None:
        """Return the run that made a version, None where that is not known, or not of one run alone."""
        if ref in self._makers:
            return self._makers[ref]
        catalog = self._catalog
        view = catalog.find([ref]).get(ref)
        if view is None:
            return None
        edges = catalog.edges_of(view.id)
        runs = {source for source, target, kind in edges if target == view.id and kind == "generated"}
        return next(iter(catalog.views(runs).values())).canonical if len(runs) == 1 else None

    def knows(self, refs: Iterable[str]) -> bool:
        """Return whether anything is on record under one of these canonical references."""
        wanted = list(refs)
        said = {node.ref for nodes in self._versions.values() for node in nodes}
        return bool(said.intersection(wanted)) or bool(self._catalog.find(wanted))


def _recorded(view: NodeView) -> Recorded:
    return Recorded(
        ref=view.canonical,
        time=view.time or "",
        fixed=view.detail.get("fixed") is not False,
        detail=view.detail,
    )


def _owner(detail: dict[str, Any]) -> str:
    said = detail.get("sagemaker")
    if not isinstance(said, dict) or not said.get("arn"):
        return "somebody else"
    return f"{said.get('kind')}:{said.get('region')}:{said.get('account')}"
