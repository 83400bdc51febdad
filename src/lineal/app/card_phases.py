"""The phases of the completeness card: which artifacts must be tracked in each, and the row of each."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from lineal.app.card import PHASES, Row
from lineal.app.card_rows import RowMaker, absent, artifact_of, fixed_code, register_again, run_again, snapshot_again
from lineal.app.life import CONTENT, Known, Life, Step
from lineal.app.registry import last_decision
from lineal.app.witness import Witness
from lineal.catalog.reader import Fact
from lineal.core.event_type import APPROVED, REJECTED

MAX_FILES: Final = 8


def compose(life: Life, witness: Witness, deployed_as: tuple[str, ...]) -> Iterator[Row]:
    """Yield every row of `life`, phase by phase; `deployed_as` are the endpoints that a model serves at."""
    yield from _Composer(life, witness, deployed_as).rows()


class _Composer:
    """Writes the rows of one life, asking `witness` what can be shown of each thing."""

    def __init__(self, life: Life, witness: Witness, deployed_as: tuple[str, ...]) -> None:
        self.life = life
        self._rows = RowMaker(witness)
        self.deployed_as = deployed_as

    def rows(self) -> Iterator[Row]:
        """Yield every row, in the order of the phases."""
        yield from self._processing()
        yield from self._training()
        yield from self._deployment()

    def _processing(self) -> Iterator[Row]:
        phase, life = PHASES[0], self.life
        for step in life.processing:
            yield from self._work(phase, step)
            yield from self._data(phase, step, step.outputs(*CONTENT), "output")
        if life.processing:
            return
        raw = [] if life.training is None else life.training.inputs("dataset")
        if raw and life.training is not None:
            yield from self._data(phase, life.training, raw, "input")
            how = "not applicable: the dataset enters as raw"
            for artifact in ("code", "environment", "parameters", "run"):
                yield Row(phase=phase, artifact=artifact, required=False, how=how)
        else:
            yield from _absent_work(phase, "no run that made the training data is recorded", _fill("prepare"))

    def _training(self) -> Iterator[Row]:
        phase, life = PHASES[1], self.life
        if life.training is None:
            why = "no model is recorded behind it" if life.model is None else "no run that made the model is recorded"
            yield from _absent_work(phase, why, _fill("train"))
        else:
            yield from self._work(phase, life.training)
        yield self._model(phase)

    def _work(self, phase: str, step: Step) -> Iterator[Row]:
        """Yield code, inputs, environment, parameters and the run itself."""
        again = run_again(step)
        yield self._code(phase, step, again)
        yield from self._data(phase, step, step.inputs(*CONTENT), "input")
        yield from self._environment(phase, step, again)
        for base in step.inputs("model"):
            yield self._rows.content(phase, "model", step, base, role="input")
        yield self._parameters(phase, step, again)
        yield self._rows.recorded(phase, "run", step, step.run, step.run.detail, step.entry)

    def _code(self, phase: str, step: Step, again: str) -> Row:
        found = step.inputs("code")
        if not found:
            return absent(phase, "code", "no source of the run is recorded", again, step)
        known = found[0]
        how, fixed = fixed_code(known.detail)
        wrong = None if fixed else "uncommitted changes whose source was not kept"
        return self._rows.content(phase, "code", step, known, immutable=fixed, how=how, wrong=wrong, fill=again)

    def _data(self, phase: str, step: Step, found: list[Known], role: str) -> Iterator[Row]:
        datasets = [known for known in found if known.view.kind == "dataset"]
        files = [known for known in found if known.view.kind == "file"]
        for known in datasets:
            yield self._rows.content(phase, "dataset", step, known, role=role, fill=snapshot_again(known))
        if len(files) <= MAX_FILES:
            for known in files:
                yield self._rows.content(phase, "dataset", step, known, role=role, fill=snapshot_again(known))
        else:
            yield self._many(phase, step, files, role)
        if not found and role == "input":
            yield absent(
                phase, "dataset", "no data that the run read is recorded", run_again(step, "--input DATA"), step
            )

    def _many(self, phase: str, step: Step, files: list[Known], role: str) -> Row:
        """Return one row that stands for very many single files: the first that does not hold speaks for all."""
        rows = [
            self._rows.content(phase, "dataset", step, known, role=role, fill=snapshot_again(known)) for known in files
        ]
        worst = min(rows, key=lambda row: (row.holds, row.verified is True))
        return replace(
            worst,
            ref=f"{worst.ref} and {len(rows) - 1:,} more files",
            how=f"{len(rows):,} files, each by digest",
            digest=None,
        )

    def _environment(self, phase: str, step: Step, again: str) -> Iterator[Row]:
        containers = step.inputs("container")
        for known in containers:
            yield self._rows.content(phase, "container", step, known, how="image digest")
        environments = step.inputs("environment")
        for known in environments:
            yield self._rows.content(phase, "environment", step, known, required=not containers, fill=again)
        if not containers and not environments:
            yield absent(phase, "environment", "neither container nor packages of the run are recorded", again, step)

    def _parameters(self, phase: str, step: Step, again: str) -> Row:
        parameters = step.run.detail.get("parameters")
        if not isinstance(parameters, dict):
            return absent(phase, "parameters", "the parameters of the run are not recorded", again, step)
        count = len(parameters)
        how = "none were given" if not count else f"{count} value{'s' if count > 1 else ''}"
        return self._rows.recorded(phase, "parameters", step, step.run, parameters, step.entry, how)

    def _model(self, phase: str, step: Step | None = None) -> Row:
        model = self.life.model
        if model is None:
            return absent(phase, "model", "no registered model is recorded behind it", self._deploy(), step)
        return self._rows.content(phase, "model", step or self.life.training, model, fill=register_again(model))

    def _deployment(self) -> Iterator[Row]:
        phase, life, step = PHASES[2], self.life, self.life.deployment
        if life.endpoint is None:
            yield self._undeployed(phase)
            yield self._approval(phase, required=False)
            return
        if step is None:
            for artifact in ("code", "environment", "run"):
                yield absent(phase, artifact, "no deployment is recorded", self._deploy(), None)
        else:
            yield from self._surroundings(phase, step)
            yield self._rows.recorded(phase, "run", step, step.run, step.run.detail, step.entry)
        yield self._model(phase, step)
        yield self._approval(phase, required=True)
        yield self._configuration(phase, step, life.endpoint)

    def _surroundings(self, phase: str, step: Step) -> Iterator[Row]:
        """Yield the code that serves and what it serves in; an image holds both."""
        containers = step.inputs("container")
        if step.inputs("code") or not containers:
            row = self._code(phase, step, self._deploy())
            yield replace(row, required=not containers)
        yield from self._environment(phase, step, self._deploy())

    def _undeployed(self, phase: str) -> Row:
        artifact = "endpoint configuration"
        if self.deployed_as:
            how = "deployed as " + ", ".join(self.deployed_as)
            return Row(phase=phase, artifact=artifact, required=False, how=how)
        return replace(absent(phase, artifact, "not deployed", self._deploy(), None), required=False)

    def _deploy(self) -> str:
        """Return the command that deploys the model on record."""
        life = self.life
        endpoint = "endpoint:NAME" if life.endpoint is None else artifact_of(life.endpoint.view.ref)
        model = "model:NAME@VERSION" if life.model is None else life.model.view.ref
        return f"lineal deploy {endpoint} {model} -- python serve.py {{model}} {{port}}"

    def _configuration(self, phase: str, step: Step | None, endpoint: Known) -> Row:
        artifact, config = "endpoint configuration", endpoint.detail.get("configuration")
        if not isinstance(config, dict):
            return absent(phase, artifact, "what it serves with is not recorded", self._deploy(), step)
        row = self._rows.recorded(phase, artifact, step, endpoint, config, endpoint.view.idx)
        if row.digest == endpoint.view.digest or endpoint.view.digest is None:
            return row
        return replace(row, verified=False, missing=f"its digest is recorded as {endpoint.view.digest}")

    def _approval(self, phase: str, *, required: bool) -> Row:
        model = self.life.model
        until = None if self.life.endpoint is None else self.life.endpoint.view.time
        decision = decided(self.life, until)
        name = "model:NAME@VERSION" if model is None else model.view.ref
        fill = f"lineal approve {name} --reason TEXT --as SOMEBODY"
        if model is None or decision is None or decision.type != APPROVED:
            rejected = decision is not None
            why = "the model was rejected" if rejected else "no approval before the deployment is recorded"
            if until is None and not rejected:
                why = "not approved yet"
            row = absent(phase, "approval", why, fill, self.life.deployment)
            return replace(row, required=required)
        run = next((view for view in self.life.views.values() if view.kind == "run" and view.idx == decision.idx), None)
        known = Known(view=run or model.view, detail=decision.detail)
        row = self._rows.recorded(phase, "approval", self.life.deployment, known, decision.detail, decision.idx)
        return replace(row, time=decision.time, actor=decision.actor, basis=decision.basis, required=required)


def decided(life: Life, until: str | None) -> Fact | None:
    """Return the last decision on the model of `life`, made by the moment `until`."""
    found = life.statements(life.model, APPROVED, REJECTED)
    return last_decision(fact for fact in found if until is None or fact.time <= until)


def _absent_work(phase: str, why: str, fill: str) -> Iterator[Row]:
    for artifact in ("code", "dataset", "environment", "parameters", "run"):
        yield absent(phase, artifact, why, fill, None)


def _fill(name: str) -> str:
    return f"lineal run --name {name} -- python {name}.py"
