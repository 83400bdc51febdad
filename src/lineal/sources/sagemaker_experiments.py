"""Experiments: trial components as runs, or as more names and facts of the job that each stands for."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.sources.sagemaker_data import Places
from lineal.sources.sagemaker_found import Found
from lineal.sources.sagemaker_jobs import SERVICE
from lineal.sources.sagemaker_words import Arn, moment, number, person, plain, text

OBSERVED: Final = "sagemaker.trial_component_observed/1"
ENDED: Final = frozenset({"Completed", "Failed", "Stopped"})
_STATES: Final = {"Completed": "finished", "Failed": "failed", "Stopped": "stopped"}


def source_of(body: Mapping[str, Any]) -> str | None:
    """Return the ARN of the job that a trial component stands for; None for one that somebody made."""
    source = str((body.get("Source") or {}).get("SourceArn") or "")
    return source if "-job/" in source else None


def observe_component(
    body: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], places: Places, *, job: str | None, since: str
) -> Observation | Gap:
    """Return the observation of a trial component: of the run `job` that it stands for, or of a run of its own.

    `trials` are the summaries of those that it is in; `since` the moment from which the job is on record.
    """
    arn, name = Arn.parse(str(body["TrialComponentArn"])), str(body["TrialComponentName"])
    status = str((body.get("Status") or {}).get("PrimaryStatus") or "Completed")
    if status not in ENDED:
        return Gap("sagemaker.in_progress", f"it has not ended ({status}): the next collection looks again", arn.text)
    created = moment(body.get("CreationTime")) or ""
    began = moment(body.get("StartTime")) or created
    ended = max(moment(body.get("EndTime")) or created, began)
    ref = job or arn.run(name)
    told = {
        "arn": arn.text,
        "trials": sorted(text(str(each.get("TrialName"))) for each in trials),
        "described": plain({key: value for key, value in body.items() if key not in {"Parameters", "Metrics"}}),
    }
    used, made = _artifacts(body, places, began, ended)
    commit = str((body.get("MetadataProperties") or {}).get("CommitId") or "")
    if commit.isalnum():
        used.append(places.code(commit, str(body["MetadataProperties"].get("Repository") or "") or None, ended))
    detail: dict[str, Any] = {"experiment": told}
    if job is None:
        detail.update(
            name=text(str(body.get("DisplayName") or name)),
            activity="experiment",
            state=_STATES[status],
            started=began,
            ended=ended,
            parameters=_parameters(body.get("Parameters") or {}),
            metrics=_metrics(body.get("Metrics") or ()),
            mechanism="sagemaker experiments",
        )
    edges = [Edge(each.ref, ref, "used") for each in used] + [Edge(ref, each.ref, "generated") for each in made]
    nodes = {node.ref: node for each in (*used, *made) for node in each.nodes}
    return Observation(
        type=OBSERVED,
        time=max(ended, since),
        actor=person(body.get("CreatedBy"), SERVICE),
        basis="observed",
        nodes=(Node(ref=ref, basis="observed", detail=detail, aliases=arn.named(name)), *nodes.values()),
        edges=tuple(dict.fromkeys(edges)),
        gaps=tuple(gap for each in (*used, *made) for gap in each.gaps),
        subject=(ref,),
    )


def _artifacts(body: Mapping[str, Any], places: Places, began: str, ended: str) -> tuple[list[Found], list[Found]]:
    """Return what a component says of its inputs and outputs; those of a job are known from the job itself."""
    if source_of(body) is not None:
        return [], []
    used = [places.read(str(each["Value"]), began) for each in _addresses(body.get("InputArtifacts") or {})]
    made = [
        places.written(str(each["Value"]), began, ended, single=not str(each["Value"]).endswith("/"))
        for each in _addresses(body.get("OutputArtifacts") or {})
    ]
    return used, made


def _addresses(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [said[name] for name in sorted(said) if str(said[name].get("Value") or "").startswith("s3://")]


def _parameters(said: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in sorted(said):
        value = said[name].get("StringValue")
        shown = text(str(value), name) if value is not None else number(said[name].get("NumberValue"))
        if shown is not None:
            found[text(name)] = {"value": shown, "origin": "sagemaker"}
    return found


def _metrics(said: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    found = {text(str(each.get("MetricName"))): number(each.get("Last", each.get("Avg"))) for each in said}
    return {name: value for name, value in sorted(found.items()) if value is not None}
