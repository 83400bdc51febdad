"""What differs between two versions of a thing, or two runs, and between the runs that led to them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Final

from lineal.app.comparison import Comparison, Section, compare, flatten, untold
from lineal.app.diff_parts import compare_code, compare_environments, compare_files, compare_runs
from lineal.app.diff_tables import RowOptions, compare_tables
from lineal.app.life import Graph, Known, Step
from lineal.app.session import Session
from lineal.catalog.graph import NOW, Moment
from lineal.core.event_type import REGISTERED
from lineal.errors import BadRef

# What a registration says of where and how it was made rather than of the model.
_ASIDE: Final = frozenset({"path", "stored", "os_user", "metrics", "metrics_from", "members"})
# What a deployment says of the moment rather than of the endpoint.
_PASSING: Final = frozenset({"configuration", "probes", "process", "os_user"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The two things as they are recorded, and their comparison."""

    old: Known
    new: Known
    comparison: Comparison


def diff(session: Session, a: str, b: str, moment: Moment = NOW, rows: RowOptions | None = None) -> Difference:
    """Return what differs from `a` to `b`: two versions of one kind of thing, or two runs.

    Behind models, datasets, files and endpoints, the runs that made them are compared, too, matched by name. `rows`
    says how rows of tables are compared. Raises `BadRef` for two different kinds, `BadInput` for a key that no table
    has, and what `Catalog.resolve` raises.
    """
    catalog = session.catalog
    old, new = catalog.resolve(a, moment), catalog.resolve(b, moment)
    if old.kind != new.kind:
        raise BadRef(
            f"{old.ref} is a {old.kind} and {new.ref} a {new.kind}: there is nothing to compare",
            fix=f"Name two of one kind: `lineal ls {old.kind}`.",
        )
    graph = Graph(catalog, [old, new], moment)
    comparing = _Comparing(session, graph, rows or RowOptions())
    known = graph.know(old.id), graph.know(new.id)
    return Difference(old=known[0], new=known[1], comparison=comparing.things(*known))


class _Comparing:
    """Compares what is in one graph."""

    def __init__(self, session: Session, graph: Graph, rows: RowOptions) -> None:
        self._session = session
        self._graph = graph
        self._rows = rows

    def things(self, old: Known, new: Known) -> Comparison:
        """Compare two things of one kind, with the steps behind them."""
        compared: dict[str, Callable[[Known, Known], Comparison]] = {
            "run": self._runs,
            "model": self._models,
            "endpoint": self._endpoints,
            "code": self._codes,
            "environment": self._environments,
            "container": self._environments,
        }
        return compared.get(old.view.kind, self._data)(old, new)

    def _runs(self, old: Known, new: Known) -> Comparison:
        return self._steps(self._graph.step(old.view.id), self._graph.step(new.view.id))

    def _models(self, old: Known, new: Known) -> Comparison:
        before, after = self._registration(old), self._registration(new)
        own = compare(
            "model", {**_leaves(before, _ASIDE), **_identity(old)}, {**_leaves(after, _ASIDE), **_identity(new)}
        )
        sections = [own]
        if "file" in (before.get("metrics_from"), after.get("metrics_from")):
            metrics = before.get("metrics") or {}, after.get("metrics") or {}
            sections.append(compare("registered metrics", *metrics, numbers=True))
        return _comparison(old, new, sections, self._behind(old, new))

    def _registration(self, known: Known) -> dict[str, Any]:
        facts = self._graph.facts.get(known.view.id, ())
        return next((fact.detail for fact in facts if fact.type == REGISTERED), known.detail)

    def _endpoints(self, old: Known, new: Known) -> Comparison:
        sections = [
            compare("configuration", *(flatten(each.detail.get("configuration") or {}) for each in (old, new))),
            compare("endpoint", _leaves(old.detail, _PASSING), _leaves(new.detail, _PASSING)),
        ]
        steps: list[Comparison] = []
        before, after = self._deployment(old), self._deployment(new)
        if before is not None and after is not None:
            steps.append(self._steps(before, after, upstream=False))
            models = before.inputs("model"), after.inputs("model")
            steps += [self._models(*pair) for pair in zip(*models, strict=False)]
        return _comparison(old, new, sections, steps)

    def _deployment(self, endpoint: Known) -> Step | None:
        runs = self._graph.sources(endpoint.view.id, "deployed")
        return self._step(max(runs)) if runs else None

    def _codes(self, old: Known, new: Known) -> Comparison:
        return _comparison(old, new, compare_code(self._session, [_called(old, "code")], [_called(new, "code")]))

    def _environments(self, old: Known, new: Known) -> Comparison:
        return _comparison(old, new, compare_environments([_called(old, "it")], [_called(new, "it")]))

    def _data(self, old: Known, new: Known) -> Comparison:
        if old.view.canonical == new.detail.get("pinned") or new.view.canonical == old.detail.get("pinned"):
            why = "the same files: one version knows them by their bytes, the other by what identifies them elsewhere"
            return _comparison(old, new, [untold("content", why)])
        sections = [compare("content", _identity(old), _identity(new))]
        if old.view.digest != new.view.digest and "stored" in old.detail and old.detail["stored"] != "object":
            sections.append(compare_files(self._session, "files", old.view, new.view))
            if old.view.kind == "dataset":
                sections += compare_tables(self._session, old.view, new.view, self._rows)
        return _comparison(old, new, sections, self._behind(old, new))

    def _behind(self, old: Known, new: Known) -> list[Comparison]:
        """Compare the runs that made two things, if there are any."""
        made = [self._graph.producer(each.view.id, each.view.time) for each in (old, new)]
        if made[0] is None and made[1] is None:
            return []
        if made[0] is None or made[1] is None:
            lone = self._graph.step(next(run for run in made if run is not None))
            return [_lone(lone, is_old=made[0] is not None)]
        return [self._steps(self._step(made[0]), self._step(made[1]))]

    def _steps(self, old: Step, new: Step, *, upstream: bool = True) -> Comparison:
        before, after = self._step(old.run.view.id), self._step(new.run.view.id)
        same = before.run.view.id == after.run.view.id
        sections = [] if same else list(compare_runs(self._session, before, after))
        steps = [] if same or not upstream else list(self._upstream(before, after))
        name = before.name if before.name == after.name else f"{before.name}, {after.name}"
        return Comparison(
            name=name, a=before.run.view.ref, b=after.run.view.ref, sections=tuple(sections), steps=tuple(steps)
        )

    def _upstream(self, old: Step, new: Step) -> Iterator[Comparison]:
        """Compare the runs that made the data of two runs: those of one name with each other, in their order."""
        before, after = _grouped(self._graph.processing(old)), _grouped(self._graph.processing(new))
        for name in dict.fromkeys((*before, *after)):
            for one, other in zip_longest(before.get(name, ()), after.get(name, ())):
                if one is not None and other is not None:
                    yield self._steps(one, other, upstream=False)
                else:
                    yield _lone(one or other, is_old=other is None)

    def _step(self, run: int) -> Step:
        """Return a run with everything that it made, also what led to neither of the two things."""
        step = self._graph.step(run)
        catalog, moment = self._session.catalog, self._graph.moment
        made = {target for _, target, kind in catalog.edges_of(run, moment) if kind == "generated"}
        views = catalog.views(made, moment)
        details = {fact.node: fact.detail for fact in catalog.facts(made, moment) if fact.idx == step.entry}
        return replace(
            step, made=tuple(Known(view=view, detail=details.get(each, view.detail)) for each, view in views.items())
        )


def _comparison(old: Known, new: Known, sections: Iterable[Section], steps: Iterable[Comparison] = ()) -> Comparison:
    name = f"{old.view.kind}:{old.view.name}" if old.view.name == new.view.name else old.view.kind
    return Comparison(name=name, a=old.view.ref, b=new.view.ref, sections=tuple(sections), steps=tuple(steps))


def _lone(step: Step, *, is_old: bool) -> Comparison:
    ref = step.run.view.ref
    return Comparison(name=step.name, a=ref if is_old else None, b=None if is_old else ref, sections=())


def _grouped(steps: Iterable[Step]) -> dict[str, list[Step]]:
    grouped: dict[str, list[Step]] = {}
    for step in steps:
        grouped.setdefault(step.name, []).append(step)
    return grouped


def _identity(known: Known) -> dict[str, Any]:
    return {} if known.view.digest is None else {"digest": known.view.digest}


def _leaves(detail: dict[str, Any], without: frozenset[str]) -> dict[str, Any]:
    return flatten({name: value for name, value in detail.items() if name not in without})


def _called(known: Known, name: str) -> Known:
    """Return `known` under one name for both sides, so that two artifacts of different names can be compared."""
    return replace(known, view=replace(known.view, name=name))
