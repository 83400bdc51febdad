"""Model packages of SageMaker: registered once, and each decision about them recorded once."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from lineal.app.sagemaker_bytes import ModelBytes
from lineal.app.sagemaker_lookup import Lookup
from lineal.app.session import Session
from lineal.core.event_type import APPROVED, REJECTED
from lineal.core.observation import Gap, Observation
from lineal.sources import sagemaker_decisions as decisions
from lineal.sources import sagemaker_packages as packages
from lineal.sources.sagemaker_data import Places
from lineal.sources.sagemaker_decisions import Decision
from lineal.sources.sagemaker_models import Kept
from lineal.sources.sagemaker_packages import Package

_SAME: Final = timedelta(minutes=2)


class Packages:
    """Turns what SageMaker says of packages into what is to be recorded; `decided` are the decisions its lineage has.

    `decided` maps the ARN of a package, in small letters, to decisions, oldest first.
    """

    def __init__(self, session: Session, lookup: Lookup, places: Places, decided: Mapping[str, list[Decision]]) -> None:
        self._session, self._lookup, self._places, self._decided = session, lookup, places, decided
        self.bytes: ModelBytes | None = None

    def take(self, body: Mapping[str, Any]) -> Iterator[Observation | Gap]:
        """Yield what is new of one package."""
        package = Package.read(body)
        status = str(body.get("ModelPackageStatus") or "Completed")
        if status in {"Pending", "InProgress"}:
            why = f"it is not complete ({status}): the next collection looks again"
            yield Gap("sagemaker.in_progress", why, package.arn.text)
            return
        if status != "Completed":
            yield Gap("sagemaker.package_failed", f"it is {status}: it is no model version", package.arn.text)
            return
        known = self._lookup.of_arn(package.arn.text, "model")
        if known is not None and known.time != package.time:
            yield Gap(
                "sagemaker.name_reused",
                f"another package of this name and number is on record, of {known.time}",
                package.arn.text,
            )
            return
        if known is None:
            kept = self._keep(package)
            if isinstance(kept, Gap):
                yield kept
            said = self._with_metrics(self._register(package, None if isinstance(kept, Gap) else kept))
            yield said
            ref = said.nodes[0].ref
            yield from self._claim_code(package, said)
        else:
            ref = known.ref
        changed = packages.update(package, ref)
        if changed is not None:
            yield changed
        yield from self._decide(package, ref)

    def _register(self, package: Package, kept: Kept | None) -> Observation:
        name = self._lookup.name("model", package.arn, package.group)
        said = packages.registration(package, self._places, name, kept=kept)
        if self._lookup.knows([said.nodes[0].ref]):
            return packages.registration(package, self._places, name, kept=kept, is_taken=True)
        return said

    def _keep(self, package: Package) -> Kept | Gap | None:
        """Fetch and store the bytes of the one object that a package is, if that is wanted."""
        if self.bytes is None:
            return None
        data = packages.read_package(package, self._places).data
        return self.bytes.keep(data[0].nodes) if len(data) == 1 and data[0].fixed else None

    def _makers(self, said: Observation) -> list[str]:
        """Return the jobs that made the model data of what was registered."""
        sources = sorted({edge.source for edge in said.edges if edge.source.startswith("file:")})
        return [run for run in map(self._lookup.maker, sources) if run is not None]

    def _with_metrics(self, said: Observation) -> Observation:
        """Add the metrics of the job that made the model, as `lineal register` does."""
        run = next(iter(self._makers(said)), None)
        metrics = None if run is None else self._lookup.run(run).get("metrics")
        if not metrics:
            return said
        model = said.nodes[0]
        detail = {**model.detail, "metrics": metrics, "metrics_from": run}
        return replace(said, nodes=(replace(model, detail=detail), *said.nodes[1:]))

    def _claim_code(self, package: Package, said: Observation) -> Iterator[Observation]:
        """Say of the job that made the model data which commit it ran, where the package says so."""
        metadata = package.body.get("MetadataProperties") or {}
        generated = self._lookup.of_arn(str(metadata.get("GeneratedBy") or ""), "run")
        for run in self._makers(said):
            claim = packages.code_of_run(package, self._places, run, None if generated is None else generated.ref)
            if claim is not None:
                yield claim

    def _decide(self, package: Package, ref: str) -> Iterator[Observation]:
        recorded = self._recorded(ref)
        shown = f"{ref.partition('@')[0]}@{package.version or '1'}"
        for told in self._decided.get(package.arn.text.lower(), ()):
            decision = replace(told, time=max(told.time, package.time))
            if decision.word == "withdrawn" and not any(time < decision.time for time, _ in recorded):
                continue  # it was created so: nobody had decided yet
            if not any(word == decision.word and _near(time, decision.time) for time, word in recorded):
                recorded.append((decision.time, decision.word))
                yield decisions.decision_event(package, ref, shown, decision)
        recorded.sort()
        now = decisions.current_decision(package, decided_before=bool(recorded))
        if now is not None and (not recorded or recorded[-1][1] != now.word):
            yield decisions.decision_event(package, ref, shown, now)

    def _recorded(self, ref: str) -> list[tuple[str, str]]:
        """Return time and word of each decision on record, oldest first."""
        catalog = self._session.catalog
        view = catalog.find([ref]).get(ref)
        facts = [] if view is None else catalog.facts([view.id])
        return [
            (fact.time, str(fact.detail.get("sagemaker", {}).get("status") or fact.detail.get("decision")))
            for fact in facts
            if fact.type in {APPROVED, REJECTED}
        ]


def _near(one: str, other: str) -> bool:
    return abs(datetime.fromisoformat(one) - datetime.fromisoformat(other)) <= _SAME
