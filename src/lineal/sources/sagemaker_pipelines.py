"""Pipelines: each execution as a run, with its steps, and the definition that it followed as code."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lineal.core import canonical, path
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.sources.aws_session import Refusal, ask, pages
from lineal.sources.sagemaker_jobs import SERVICE
from lineal.sources.sagemaker_words import Arn, moment, person, plain, text

FINISHED: Final = "sagemaker.pipeline_finished/1"
_STATES: Final = {"Succeeded": "finished", "Failed": "failed", "Stopped": "stopped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution of a pipeline, with what it did step by step and, where it can be read, what it followed."""

    arn: Arn
    pipeline: str
    body: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]]
    parameters: Sequence[Mapping[str, Any]]
    definition: str | None
    gaps: tuple[Gap, ...] = ()

    @property
    def run(self) -> str:
        """The reference of the run."""
        return self.arn.run(self.pipeline, self.arn.rest.rpartition("/")[2])

    @property
    def ended(self) -> bool:
        """Whether it has come to its end."""
        return str(self.body.get("PipelineExecutionStatus")) in _STATES

    def started_things(self) -> list[str]:
        """Return the ARNs of the jobs, models and packages that its steps started or made."""
        return [arn for step in self.steps for arn in _arns(step.get("Metadata") or {})]


def read_execution(client: Any, pipeline: str, summary: Mapping[str, Any]) -> Execution | Refusal:
    """Return one execution; parts that are refused are gaps of it."""
    name = str(summary["PipelineExecutionArn"])
    body = ask(client, "DescribePipelineExecution", PipelineExecutionArn=name)
    if isinstance(body, Refusal):
        return body
    gaps: list[Gap] = []

    def listed(operation: str, key: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for page in pages(client, operation, key, PipelineExecutionArn=name):
            if isinstance(page, Refusal):
                gaps.append(page.gap(name))
            else:
                found += page
        return found

    steps = listed("ListPipelineExecutionSteps", "PipelineExecutionSteps")
    given = listed("ListPipelineParametersForExecution", "PipelineParameters")
    definition = ask(client, "DescribePipelineDefinitionForExecution", PipelineExecutionArn=name)
    if isinstance(definition, Refusal):
        gaps.append(definition.gap(name))
    return Execution(
        arn=Arn.parse(name),
        pipeline=pipeline,
        body=body,
        steps=steps,
        parameters=given,
        definition=None if isinstance(definition, Refusal) else definition.get("PipelineDefinition"),
        gaps=tuple(gaps),
    )


def observe_execution(execution: Execution) -> Iterator[Observation | Gap]:
    """Yield the observation of an execution that has ended, a gap for one that goes on."""
    body = execution.body
    status = str(body.get("PipelineExecutionStatus"))
    if not execution.ended:
        yield Gap(
            "sagemaker.in_progress", f"it has not ended ({status}): the next collection looks again", execution.arn.text
        )
        return
    created = moment(body.get("CreationTime")) or ""
    ended = max(moment(body.get("LastModifiedTime")) or created, created)
    detail = {
        "name": text(execution.pipeline),
        "activity": "pipeline",
        "state": _STATES[status],
        "started": created,
        "ended": ended,
        "parameters": {
            text(str(each.get("Name"))): {
                "value": text(str(each.get("Value")), str(each.get("Name"))),
                "origin": "sagemaker",
            }
            for each in execution.parameters
        },
        "mechanism": "sagemaker",
        "steps": [_step(each) for each in execution.steps],
        "sagemaker": {
            "kind": "pipeline-execution",
            "name": text(execution.pipeline),
            "arn": execution.arn.text,
            "region": execution.arn.region,
            "account": execution.arn.account,
            "modified": moment(body.get("LastModifiedTime")),
            "described": plain(body),
        },
    }
    definition = _definition(execution)
    nodes = [Node(ref=execution.run, basis="observed", detail=detail, aliases=(execution.arn.text,))]
    yield Observation(
        type=FINISHED,
        time=ended,
        actor=person(body.get("CreatedBy"), SERVICE),
        basis="observed",
        nodes=(*nodes, *(() if definition is None else (definition,))),
        edges=() if definition is None else (Edge(definition.ref, execution.run, "used"),),
        gaps=execution.gaps,
        subject=(execution.run,),
    )


def _definition(execution: Execution) -> Node | None:
    """Return the definition that was followed: the document itself stands in the ledger, without secrets."""
    if not execution.definition:
        return None
    try:
        document = plain(json.loads(execution.definition))
    except (ValueError, RecursionError):
        document = text(execution.definition)
    digest = Digest.of(canonical.encode(document))
    arn = execution.arn
    name = path.spell(f"sagemaker/{arn.region}/{arn.account}/pipeline/{execution.pipeline}".encode())
    pipeline = str(execution.body.get("PipelineArn") or "")
    return Node(
        ref=f"code:{name}@{digest}",
        basis="observed",
        digest=digest,
        detail={"media": "pipeline definition of SageMaker", "document": document},
        aliases=(pipeline,) if pipeline else (),
    )


def _step(said: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "name": text(str(said.get("StepName"))),
        "status": text(str(said.get("StepStatus"))),
        "started": moment(said.get("StartTime")),
        "ended": moment(said.get("EndTime")),
        "things": _arns(said.get("Metadata") or {}),
        "cached_from": (said.get("CacheHitResult") or {}).get("SourcePipelineExecutionArn"),
        "failure": None if not said.get("FailureReason") else text(str(said["FailureReason"])),
        "outcome": plain(said.get("Metadata") or {}),
    }
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def _arns(metadata: Mapping[str, Any]) -> list[str]:
    return [text(str(each["Arn"])) for each in metadata.values() if isinstance(each, Mapping) and each.get("Arn")]
