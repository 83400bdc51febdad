"""The life of a model, read out of the graph: the runs behind it by phase, and what each used and made."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.app.session import Session
from lineal.catalog.graph import NOW, Moment
from lineal.catalog.reader import Catalog, Fact, NodeView
from lineal.core.event_type import STARTED

CONTENT: Final = ("file", "dataset")
_LIKENESS: Final = ("same_as", "derived_from")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One recorded thing, with what is said of it: by the run it took part in, or else by all statements together."""

    view: NodeView
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One run with what it used and made. `entry` is the place of the statement that describes the run whole."""

    run: Known
    entry: int | None
    used: tuple[Known, ...]
    made: tuple[Known, ...]

    @property
    def name(self) -> str:
        """What the run is called, the same in every life of a model."""
        return str(self.run.detail.get("name") or self.run.view.name)

    def inputs(self, *kinds: str) -> list[Known]:
        """Return what the run used of these kinds, by name."""
        return sorted((each for each in self.used if each.view.kind in kinds), key=lambda each: each.view.ref)

    def outputs(self, *kinds: str) -> list[Known]:
        """Return what the run made of these kinds, by name."""
        return sorted((each for each in self.made if each.view.kind in kinds), key=lambda each: each.view.ref)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What led to `root`: data processing (oldest run first), training, deployment; None where nothing is recorded."""

    root: NodeView
    model: Known | None
    endpoint: Known | None
    processing: tuple[Step, ...]
    training: Step | None
    deployment: Step | None
    facts: dict[int, tuple[Fact, ...]] = field(repr=False)
    views: dict[int, NodeView] = field(repr=False)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every run of this life, in order."""
        return tuple(step for step in (*self.processing, self.training, self.deployment) if step is not None)

    def statements(self, of: Known | None, *types: str) -> list[Fact]:
        """Return what entries of these types say of a thing, oldest first."""
        return [] if of is None else [fact for fact in self.facts.get(of.view.id, ()) if fact.type in types]


class Graph:
    """Some things and all that made them, in memory: who leads to whom, and what is said of each.

    Everything is asked at once, however large the graph is.
    """

    def __init__(self, catalog: Catalog, roots: Iterable[NodeView], moment: Moment) -> None:
        self.moment = moment
        edges: set[tuple[int, int, str]] = set()
        reached: set[int] = set()
        for root in roots:
            if root.id not in reached:
                closure = catalog.closure(root.id, moment, up=True)
                edges.update(closure.edges)
                reached.update(closure.depths)
        self.views = catalog.views(reached, moment)
        self.facts: dict[int, list[Fact]] = {}
        for fact in catalog.facts(reached, moment):
            self.facts.setdefault(fact.node, []).append(fact)
        self._into: dict[int, list[tuple[int, str]]] = {}
        self._out: dict[int, list[int]] = {}
        for source, target, kind in sorted(edges):
            self._into.setdefault(target, []).append((source, kind))
            if kind == "generated":
                self._out.setdefault(source, []).append(target)

    def know(self, node: int, entry: int | None = None) -> Known:
        """Return a thing with what the entry `entry` says of it, or all entries where that one says nothing."""
        facts = self.facts.get(node, [])
        own = next((fact.detail for fact in facts if fact.idx == entry and fact.detail), None)
        if own is None:
            own = {name: value for fact in facts for name, value in fact.detail.items()}
        return Known(view=self.views[node], detail=own)

    def sources(self, node: int, *types: str) -> list[int]:
        """Return what leads to `node` by edges of these types."""
        return [source for source, kind in self._into.get(node, ()) if kind in types]

    def step(self, run: int) -> Step:
        """Return a run with what it used and, as far as the graph goes, what it made."""
        entries = [fact.idx for fact in self.facts.get(run, ()) if fact.type != STARTED]
        entry = max(entries, default=self.views[run].idx)
        return Step(
            run=self._run(run),
            entry=entry,
            used=tuple(self.know(node, entry) for node in self.sources(run, "used")),
            made=tuple(self.know(node, entry) for node in self._out.get(run, ())),
        )

    def _run(self, run: int) -> Known:
        detail = {name: value for fact in self.facts.get(run, ()) for name, value in fact.detail.items()}
        return Known(view=self.views[run], detail=detail)

    def producer(self, node: int, before: str | None) -> int | None:
        """Return the run that made the content of `node`, or most of it; see `producers`."""
        return next(iter(self.producers(node, before)), None)

    def producers(self, node: int, before: str | None) -> list[int]:
        """Return the runs that made the content of `node`: whoever made most bytes of it first, then of the rest.

        The same bytes can be made again and again; whoever used them used those of the run before: of several runs,
        the last that began by the moment `before`. So a small file that many runs write alike makes none of them the
        maker of a folder that it lies in.
        """
        seen, waiting = {node}, [node]
        made: dict[int, dict[str, int]] = {}
        while waiting and not made:
            for each in waiting:
                for run in self.sources(each, "generated"):
                    view = self.views[each]
                    made.setdefault(run, {})[view.digest or view.ref] = bytes_of(view)
            further = [near for each in waiting for near in self.sources(each, *_LIKENESS) if near not in seen]
            waiting = [near for near in dict.fromkeys(further) if self.views[near].kind in {*CONTENT, "model"}]
            seen.update(waiting)
        return rank(made, {run: self.views[run].time or "" for run in made}, before)

    def processing(self, step: Step) -> list[Step]:
        """Return the runs that made the data which `step` used, and the data which those used; oldest first."""
        found: dict[int, Step] = {}
        waiting = [step]
        while waiting:
            later = waiting.pop()
            for data in later.inputs(*CONTENT):
                for run in self.producers(data.view.id, later.run.view.time):
                    if run not in found and run != step.run.view.id:
                        found[run] = self.step(run)
                        waiting.append(found[run])
        return sorted(found.values(), key=lambda each: (each.run.view.time or "", each.run.view.ref))


def rank(made: dict[int, dict[str, int]], began: dict[int, str], before: str | None) -> list[int]:
    """Return the runs of `made` (the bytes of each part by run) that count as makers, in the order of `producers`."""
    made = {run: parts for run, parts in made.items() if before is None or began[run] <= before} or made
    found: list[int] = []
    while made:
        most = max(made, key=lambda run: (sum(made[run].values()), len(made[run]), began[run], run))
        found.append(most)
        done = made.pop(most).keys()
        left = {run: {part: size for part, size in parts.items() if part not in done} for run, parts in made.items()}
        made = {run: parts for run, parts in left.items() if parts}
    return found


def bytes_of(view: NodeView) -> int:
    """Return the size of a recorded content; 0 where nobody said it."""
    size = view.detail.get("size", view.detail.get("bytes"))
    return size if isinstance(size, int) else 0


def _served(graph: Graph, endpoint: Known, deployment: Step) -> Known | None:
    """Return the model that the revision says it serves, else the first that its deployment used."""
    models = deployment.inputs("model")
    configuration = endpoint.detail.get("configuration")
    named = configuration.get("model") if isinstance(configuration, dict) else None
    chosen = next((each for each in models if each.view.canonical == named), next(iter(models), None))
    return None if chosen is None else graph.know(chosen.view.id)


def read_life(session: Session, root: NodeView, moment: Moment = NOW) -> Life:
    """Return the life of `root`, which is a model version or an endpoint revision, as of `moment`."""
    graph = Graph(session.catalog, [root], moment)
    endpoint = deployment = model = training = None
    if root.kind == "endpoint":
        endpoint = graph.know(root.id)
        deployed = graph.sources(root.id, "deployed")
        if deployed:
            deployment = graph.step(max(deployed, key=lambda run: (graph.views[run].time or "", run)))
            model = _served(graph, endpoint, deployment)
    elif root.kind == "model":
        model = graph.know(root.id)
    if model is not None:
        run = graph.producer(model.view.id, model.view.time)
        training = None if run is None else graph.step(run)
    return Life(
        root=root,
        model=model,
        endpoint=endpoint,
        processing=() if training is None else tuple(graph.processing(training)),
        training=training,
        deployment=deployment,
        facts={node: tuple(facts) for node, facts in graph.facts.items()},
        views=graph.views,
    )
