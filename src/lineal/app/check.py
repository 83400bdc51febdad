"""Check that the life of a model or endpoint is complete, and what to know about it."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Final

from lineal.app.card import Card
from lineal.app.card_phases import compose, decided
from lineal.app.endpoints import current
from lineal.app.life import Life, read_life
from lineal.app.registry import person
from lineal.app.session import Session
from lineal.app.witness import Progress, Witness
from lineal.catalog.graph import NOW, Moment
from lineal.catalog.reader import NodeView
from lineal.core.event_type import APPROVED, REGISTERED, REJECTED
from lineal.core.finding import Finding
from lineal.errors import BadRef

CHECKED: Final = ("model", "endpoint")
MAX_NAMED: Final = 5


def check(
    session: Session, text: str, moment: Moment = NOW, *, deep: bool = False, on_progress: Progress | None = None
) -> Card:
    """Return the completeness card of the model version or endpoint revision `text`, as of `moment`.

    What is asked of bytes is asked now. At most 1 GiB is read, unless `deep`. Raises `BadRef` for another kind of
    thing, and what `Catalog.resolve` raises.
    """
    view = session.catalog.resolve(text, moment)
    if view.kind not in CHECKED:
        raise BadRef(
            f"{view.ref} is a {view.kind}: the completeness card is of a model or an endpoint",
            fix=f"`lineal impact {view.ref} --kind model` shows the models that it went into.",
        )
    return _check(session, view, moment, Witness(session, deep=deep, on_progress=on_progress))


def check_all(
    session: Session, moment: Moment = NOW, *, deep: bool = False, on_progress: Progress | None = None
) -> Iterator[Card]:
    """Yield the card of every endpoint that serves at `moment` and of the latest version of every model."""
    witness = Witness(session, deep=deep, on_progress=on_progress)
    catalog = session.catalog
    endpoints = sorted({view.name for view in catalog.all_nodes("endpoint", moment)})
    serving = [current(catalog, name, moment) for name in endpoints]
    models = {view.name: view for view in sorted(catalog.all_nodes("model", moment), key=attrgetter("age"))}
    for view in (*serving, *(models[name] for name in sorted(models))):
        if view is not None:
            yield _check(session, view, moment, witness)


def _check(session: Session, view: NodeView, moment: Moment, witness: Witness) -> Card:
    life = read_life(session, view, moment)
    rows = tuple(compose(life, witness, _deployments(session, view, moment)))
    findings = tuple(_find(session, life))
    return Card(ref=view.ref, digest=view.digest, rows=rows, findings=findings)


def _deployments(session: Session, view: NodeView, moment: Moment) -> tuple[str, ...]:
    """Return the endpoint revisions that a model was deployed to: one run away, in the direction data flows."""
    if view.kind != "model":
        return ()
    catalog = session.catalog
    near = catalog.views(catalog.closure(view.id, moment, up=False, depth=2).depths, moment)
    return tuple(sorted(each.ref for each in near.values() if each.kind == "endpoint"))


def _find(session: Session, life: Life) -> Iterator[Finding]:
    yield from _find_approval(life)
    yield from _find_served(life)
    yield from _find_gaps(session, life)
    claimed = sorted(view.ref for view in life.views.values() if view.basis == "claimed" and not _is_decision(view))
    if claimed:
        explanation = f"known by claim only, observed by nobody: {_some(claimed)}"
        yield Finding(code="basis.claimed", about=life.root.ref, explanation=explanation, failed=False)


def _is_decision(view: NodeView) -> bool:
    """Return whether it is somebody's decision, which nobody but that person can know."""
    return view.type in {APPROVED, REJECTED}


def _find_approval(life: Life) -> Iterator[Finding]:
    """Find a deployment without approval, before it, or against a rejection; and approval by whoever registered."""
    if life.model is None:
        return
    about = life.model.view.ref
    until = None if life.endpoint is None else life.endpoint.view.time
    decision, last = decided(life, until), decided(life, None)
    if until is not None and decision is None:
        if last is not None and last.type == APPROVED:
            explanation = f"approved by {last.actor} at {last.time}, after the deployment at {until}"
            yield Finding(code="approval.late", about=about, explanation=explanation)
        else:
            reason = life.endpoint.detail.get("unapproved") if life.endpoint is not None else None
            why = f": {reason['reason']}" if isinstance(reason, dict) and "reason" in reason else ""
            explanation = f"deployed without a recorded approval{why}"
            yield Finding(code="approval.missing", about=about, explanation=explanation)
    if decision is not None and decision.type == REJECTED:
        explanation = f"rejected by {decision.actor} at {decision.time}" + (
            " and deployed nevertheless" if until else ""
        )
        yield Finding(code="approval.rejected", about=about, explanation=explanation, failed=until is not None)
    elif until is not None and last is not None and last is not decision and last.type == REJECTED:
        explanation = f"rejected by {last.actor} at {last.time}, after the deployment"
        yield Finding(code="approval.withdrawn", about=about, explanation=explanation)
    makers = {person(fact.actor) for fact in life.statements(life.model, REGISTERED)}
    if life.training is not None:
        makers |= {person(fact.actor) for fact in life.facts.get(life.training.run.view.id, ())}
    if decision is not None and decision.type == APPROVED and person(decision.actor) in makers:
        explanation = f"{decision.actor} approved it, and had registered it or run its training"
        yield Finding(code="approval.same_identity", about=about, explanation=explanation)


def _find_served(life: Life) -> Iterator[Finding]:
    if life.endpoint is None:
        return
    about, answer = life.endpoint.view.ref, life.endpoint.detail.get("model_check", "not asked")
    if answer in {"not asked", "not stated"}:
        explanation = f"whether the endpoint serves these very bytes is not known: {answer}"
        yield Finding(code="endpoint.digest_unknown", about=about, explanation=explanation, failed=False)
    elif answer != "match":
        explanation = "what the endpoint says it serves is not the digest of the model deployed to it"
        yield Finding(code="endpoint.digest_mismatch", about=about, explanation=explanation)


def _find_gaps(session: Session, life: Life) -> Iterator[Finding]:
    """Find runs that failed or were seen in part, and the gaps that they recorded."""
    for step in life.steps:
        about, detail = step.run.view.ref, step.run.detail
        if detail.get("exit_status") not in (None, 0):
            explanation = f"the run ended with status {detail['exit_status']}"
            yield Finding(code="run.failed", about=about, explanation=explanation, failed=False)
        if detail.get("complete") is False:
            explanation = f"capture by {detail.get('mechanism', 'an unknown mechanism')} does not see everything"
            yield Finding(code="run.incomplete", about=about, explanation=explanation, failed=False)
    yield from _find_recorded_gaps(session, life)


def _find_recorded_gaps(session: Session, life: Life) -> Iterator[Finding]:
    """Find the gaps that the runs and the registry recorded; what several have for one reason is one finding."""
    entries = {step.entry: step.run.view.ref for step in life.steps if step.entry is not None}
    if life.model is not None:
        said = life.statements(life.model, REGISTERED, APPROVED, REJECTED)
        entries |= {fact.idx: life.model.view.ref for fact in said}
    grouped: dict[tuple[str, str], dict[str, list[str]]] = {}
    for gap in session.catalog.gaps(list(entries)):
        run = entries[gap["idx"]]
        abouts = grouped.setdefault((gap["code"], gap["explanation"]), {}).setdefault(run, [])
        if gap["about"] and gap["about"] != run:
            abouts.append(gap["about"])
    for (code, explanation), runs in grouped.items():
        others = sorted({about for abouts in runs.values() for about in abouts})
        text = f"{explanation}: {_some(others)}" if others else explanation
        yield Finding(code=f"gap.{code}", about=_some(list(runs)), explanation=text, failed=False)


def _some(names: list[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more:,} more" if more > 0 else "")
