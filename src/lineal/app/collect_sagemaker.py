"""Collect what SageMaker knows of one account and region: jobs, models, approvals, endpoints, its own lineage."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from lineal.app.aws_scopes import Scope
from lineal.app.collect import Collected, Collection, Progress, collect, last_covered
from lineal.app.sagemaker_bytes import ModelBytes
from lineal.app.sagemaker_deployments import Deployments
from lineal.app.sagemaker_graph import OwnLineage
from lineal.app.sagemaker_guard import guarded
from lineal.app.sagemaker_lookup import Lookup
from lineal.app.sagemaker_packages import Packages
from lineal.app.session import Session
from lineal.core.observation import Gap, Observation
from lineal.errors import BadInput
from lineal.sources import sagemaker_reading as reading
from lineal.sources.aws_session import Refusal, pages
from lineal.sources.sagemaker_data import Places
from lineal.sources.sagemaker_experiments import observe_component, source_of
from lineal.sources.sagemaker_jobs import observe_job
from lineal.sources.sagemaker_models import observe_model
from lineal.sources.sagemaker_pipelines import observe_execution, read_execution
from lineal.sources.sagemaker_reading import Kind, Reader, Summary
from lineal.sources.sagemaker_words import Arn, moment

KINDS: Final = (
    "pipeline", "training-job", "processing-job", "model-package", "model", "transform-job", "experiment", "lineage",
    "endpoint",
)  # fmt: skip
"""What can be collected, in the order in which it is: what is made before what is made of it."""
_SOURCE: Final = "sagemaker"
_OVERLAP: Final = timedelta(minutes=5)
_JOBS: Final = {
    "training-job": ("training", reading.TRAINING),
    "processing-job": ("processing", reading.PROCESSING),
    "transform-job": ("transform", reading.TRANSFORM),
}

Seen = Iterator[Observation | Gap]


def collect_sagemaker(
    session: Session,
    scope: Scope,
    *,
    only: Sequence[str] = (),
    since: datetime | None = None,
    keep: bool = False,
    on_progress: Progress | None = None,
) -> Collected:
    """Record what is new in `scope` since the last collection of it, or since the moment `since`.

    `only` names some of `KINDS`; with `keep` the bytes of registered models are fetched and stored. Raises `BadInput`
    for another kind, `SourceError` where nothing can be asked, and what `collect` raises.
    """
    unknown = sorted(set(only) - set(KINDS))
    if unknown:
        raise BadInput(f"SageMaker has nothing that is called {unknown[0]!r}", fix=f"One of {', '.join(KINDS)}.")
    collection = Collection(_SOURCE, scope.name)
    before = {} if scope.account is None else last_covered(session, _SOURCE, scope.name)
    look = _Look(session, scope, collection, before, since)
    look.keep = keep
    return collect(session, collection, look.everything(only or KINDS), on_progress)


class _Look:
    """One look at one scope: each kind after the other, with what is known of it."""

    def __init__(
        self, session: Session, scope: Scope, collection: Collection, before: dict[str, Any], since: datetime | None
    ) -> None:
        self._session, self._scope, self._collection = session, scope, collection
        self._before: dict[str, Any] = dict(before.get("kinds", {}))
        self._since = since
        self._lookup = Lookup(session)
        self._reader = Reader(scope.access.client("sagemaker"))
        self._places = Places(scope.access.client("s3"), self._lookup.named, self._lookup.tagged)
        self._lineage = OwnLineage(self._lookup, self._places, self._reader)
        self._parents: dict[str, str] = {}
        self._account = scope.account
        self.keep = False

    def everything(self, kinds: Sequence[str]) -> Seen:
        """Yield what is seen of `kinds`, and say what was covered whole."""
        covered = dict(self._before)
        if {"model-package", "endpoint", "lineage"}.intersection(kinds):
            yield from self._lineage.history()
        self._reader.refused.clear()
        for kind in (each for each in KINDS if each in kinds):
            began = self._session.clock()
            for item in self._of(kind):
                yield self._lookup.remember(item) if isinstance(item, Observation) else item
            if not self._reader.refused and not self._leaves_a_hole(kind):
                covered[kind] = {"until": began, "complete": True}
            elif kind in covered:
                covered[kind] = {**covered[kind], "complete": False}
            else:
                covered[kind] = {"until": None, "complete": False}
            self._reader.refused.clear()
        self._collection.covered["kinds"] = covered

    def _of(self, kind: str) -> Seen:
        if kind in _JOBS:
            yield from self._jobs(kind)
        elif kind == "endpoint":
            yield from self._endpoints()
        else:
            readers: dict[str, Callable[[], Seen]] = {
                "pipeline": self._pipelines,
                "model": self._models,
                "model-package": self._packages,
                "experiment": self._components,
                "lineage": lambda: self._lineage.read(self._start("lineage")),
            }
            yield from readers[kind]()

    def _start(self, kind: str) -> datetime | None:
        """Return from when on to list: a little before the last complete look, since lists lag behind."""
        if self._since is not None:
            return self._since
        until = self._before.get(kind, {}).get("until")
        return None if until is None else datetime.fromisoformat(until) - _OVERLAP

    def _leaves_a_hole(self, kind: str) -> bool:
        """Return whether a look since the moment asked for leaves out what no look before has covered."""
        until = self._before.get(kind, {}).get("until")
        return self._since is not None and (until is None or datetime.fromisoformat(until) < self._since)

    def _jobs(self, kind: str) -> Seen:
        listed = _JOBS[kind][1]
        for body in self._reader.described(listed, self._start(kind), lambda each: self._is_new(listed, each)):
            if isinstance(body, Gap):
                yield body
            else:
                yield from guarded(self._reader, kind, body.get(listed.arn), partial(self._job, kind, body))

    def _job(self, kind: str, body: Summary) -> Seen:
        word, listed = _JOBS[kind]
        arn, name = Arn.parse(str(body[listed.arn])), str(body[listed.identity])
        created = moment(body.get("CreationTime")) or ""
        ended = moment(body.get("LastModifiedTime")) or created
        runs = self._lookup.captured(arn, name, created, ended)
        if len(runs) > 1:
            yield Gap("sagemaker.several_captures", f"{len(runs)} runs were captured inside of this job", arn.text)
        yield from observe_job(
            word,
            body,
            self._places,
            run=runs[0] if len(runs) == 1 else None,
            again=self._lookup.is_reused(arn.run(name), created),
            parent=self._parents.get(arn.text.lower()),
        )

    def _is_new(self, kind: Kind, summary: Summary) -> bool:
        """Return whether a job is not on record in the state that its summary shows."""
        known = self._lookup.of_arn(str(summary[kind.arn]), "run")
        said = {} if known is None else known.detail.get("sagemaker")
        return not isinstance(said, dict) or said.get("modified") != moment(summary.get("LastModifiedTime"))

    def _pipelines(self) -> Seen:
        start = self._start("pipeline")
        since = {} if start is None else {"CreatedAfter": start - timedelta(days=28)}  # so long an execution can take
        for pipeline in self._reader.listed(reading.PIPELINE):
            if isinstance(pipeline, Gap):
                yield pipeline
                continue
            name = str(pipeline["PipelineName"])
            wanted: dict[str, Any] = {"PipelineName": name, "MaxResults": reading.PAGE, **since}
            for page in pages(self._reader.client, "ListPipelineExecutions", "PipelineExecutionSummaries", **wanted):
                if isinstance(page, Refusal):
                    self._reader.refused.add("pipeline")
                    yield page.gap(str(pipeline["PipelineArn"]))
                    continue
                for summary in page:
                    about = summary.get("PipelineExecutionArn")
                    yield from guarded(self._reader, "pipeline", about, partial(self._execution, name, summary))

    def _execution(self, pipeline: str, summary: Summary) -> Seen:
        known = self._lookup.of_arn(str(summary["PipelineExecutionArn"]), "run")
        if known is not None:
            return
        execution = read_execution(self._reader.client, pipeline, summary)
        if isinstance(execution, Refusal):
            self._reader.refused.add("pipeline")
            yield execution.gap(str(summary["PipelineExecutionArn"]))
            return
        self._parents.update({arn.lower(): execution.run for arn in execution.started_things()})
        yield from observe_execution(execution)

    def _models(self) -> Seen:
        def is_new(summary: Summary) -> bool:
            known = self._lookup.of_arn(str(summary["ModelArn"]), "model")
            return known is None or known.time != moment(summary.get("CreationTime"))

        for body in self._reader.described(reading.MODEL, self._start("model"), is_new):
            if isinstance(body, Gap):
                yield body
            else:
                yield from guarded(self._reader, "model", body.get("ModelArn"), partial(self._model, body))

    def _model(self, body: Summary) -> Seen:
        arn = Arn.parse(str(body["ModelArn"]))
        yield from observe_model(body, self._places, self._lookup.name("model", arn, str(body["ModelName"])))

    def _packages(self) -> Seen:
        packages = Packages(self._session, self._lookup, self._places, self._lineage.decisions)
        packages.bytes = ModelBytes(self._session.objects, self._scope.access.client("s3")) if self.keep else None
        for body in self._reader.described(reading.PACKAGE):
            if isinstance(body, Gap):
                yield body
            else:
                about = body.get("ModelPackageArn")
                yield from guarded(self._reader, "model-package", about, partial(packages.take, body))

    def _components(self) -> Seen:
        for body in self._reader.described(reading.COMPONENT, self._start("experiment")):
            if isinstance(body, Gap):
                yield body
            else:
                about = body.get("TrialComponentArn")
                yield from guarded(self._reader, "experiment", about, partial(self._component, body))

    def _component(self, body: Summary) -> Seen:
        wanted: dict[str, Any] = {"TrialComponentName": str(body["TrialComponentName"]), "MaxResults": reading.PAGE}
        trials: list[Summary] = []
        for page in pages(self._reader.client, "ListTrials", "TrialSummaries", **wanted):
            if isinstance(page, Refusal):
                yield page.gap(str(body["TrialComponentArn"]))
            else:
                trials += page
        source = source_of(body)
        job = None if source is None else self._lookup.of_arn(source, "run")
        if source is not None and job is None:
            yield Gap("sagemaker.job_unknown", "a trial component stands for a job that is not on record", source)
            return
        ref, since = (None, "") if job is None else (job.ref, job.time)
        yield observe_component(body, trials, self._places, job=ref, since=since)

    def _endpoints(self) -> Seen:
        deployments = Deployments(self._session, self._lookup, self._places, self._reader, self._lineage.deployments)
        for body in self._reader.described(reading.ENDPOINT):
            if isinstance(body, Gap):
                yield body
            else:
                yield from guarded(self._reader, "endpoint", body.get("EndpointArn"), partial(deployments.take, body))
        if self._account is not None:
            yield from deployments.ended(self._scope.access.region, self._account)
