"""Training, processing and transform jobs, as runs: what each used, made and ran with."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.sources.sagemaker_data import Places
from lineal.sources.sagemaker_found import Found, as_code
from lineal.sources.sagemaker_words import Arn, decoded, is_reserved, moment, number, parameters, plain, text

SERVICE: Final = "sagemaker.amazonaws.com"
FINISHED: Final = "sagemaker.job_finished/1"
ENDED: Final = frozenset({"Completed", "Failed", "Stopped"})
_ACTIVITIES: Final = {"training": "training", "processing": "data processing", "transform": "batch inference"}
# What stands elsewhere in the record, or changes after the end of the job.
_APART: Final = frozenset({"HyperParameters", "FinalMetricDataList", "SecondaryStatusTransitions"})


@dataclass(slots=True)
class Job:
    """One job that has ended, as Describe tells of it; filled by what it used and made."""

    kind: str
    name: str
    arn: Arn
    body: Mapping[str, Any]
    run: str
    began: str
    ended: str
    used: dict[str, Found] = field(default_factory=dict)
    made: dict[str, Found] = field(default_factory=dict)
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)


def observe_job(
    kind: str,
    body: Mapping[str, Any],
    places: Places,
    *,
    run: str | None = None,
    parent: str | None = None,
    again: bool = False,
) -> Iterator[Observation | Gap]:
    """Yield the observation of a job that has ended, a gap for one that goes on.

    `kind` is ``training``, ``processing`` or ``transform``; `run` the reference of the run that `lineal run` recorded
    inside of the job, if it did: the job and that run are one. `parent` is the run of the pipeline that started it;
    `again` says whether another job had this name before.
    """
    label = kind.capitalize()
    name, arn = str(body[f"{label}JobName"]), Arn.parse(str(body[f"{label}JobArn"]))
    status = str(body.get(f"{label}JobStatus"))
    if status not in ENDED:
        yield Gap("sagemaker.in_progress", f"it has not ended ({status}): the next collection looks again", arn.text)
        return
    created = moment(body.get("CreationTime")) or ""
    ended = moment(body.get(f"{label}EndTime") or body.get("LastModifiedTime")) or created
    began = min(moment(body.get(f"{label}StartTime")) or created, ended)
    job = Job(kind, name, arn, body, run or arn.run(name, *((created,) if again else ())), began, ended)
    _READERS[kind](job, places)
    yield _observation(job, captured=run is not None, parent=parent)


def _observation(job: Job, *, captured: bool, parent: str | None) -> Observation:
    found = (*job.used.values(), *job.made.values())
    nodes = {node.ref: node for each in found for node in each.nodes}
    edges = [edge for each in found for edge in each.edges]
    edges += [Edge(each.ref, job.run, "used") for each in job.used.values()]
    edges += [Edge(job.run, each.ref, "generated") for each in job.made.values()]
    # What the run said of itself, from inside, is nearer to the truth: the service adds what only it knows.
    detail: dict[str, Any] = {"sagemaker": _describe(job)} if captured else _detail(job)
    if parent is not None:
        detail["parent"] = parent
    gaps = [gap for each in found for gap in each.gaps]
    if not captured:
        gaps.append(
            Gap(
                "sagemaker.inside_not_seen",
                "what ran inside the container was not captured: files, packages, code (`lineal run` there sees them)",
                job.run,
            )
        )
    return Observation(
        type=FINISHED,
        time=job.ended,
        actor=SERVICE,
        basis="observed",
        nodes=(Node(ref=job.run, basis="observed", detail=detail, aliases=job.arn.named(job.name)), *nodes.values()),
        edges=tuple(dict.fromkeys(edges)),
        gaps=tuple(dict.fromkeys(gaps)),
        subject=(job.run,),
    )


def _detail(job: Job) -> dict[str, Any]:
    """Return the detail of the run in the words that `lineal run` has."""
    body = job.body
    status = str(body[f"{job.kind.capitalize()}JobStatus"])
    given = body.get("HyperParameters") or {}
    if job.kind == "processing":
        given = {**(body.get("Environment") or {})}
    detail: dict[str, Any] = {
        "name": text(job.name),
        "activity": _ACTIVITIES[job.kind],
        "state": "finished" if status == "Completed" else "failed" if status == "Failed" else "stopped",
        "started": job.began,
        "ended": job.ended,
        "parameters": parameters(given),
        "metrics": _metrics(body.get("FinalMetricDataList") or ()),
        "mechanism": "sagemaker",
        "sagemaker": _describe(job),
    }
    if body.get("FailureReason") or body.get("ExitMessage"):
        detail["failure"] = text(str(body.get("FailureReason") or body.get("ExitMessage")))
    specification = body.get("AppSpecification") or body.get("AlgorithmSpecification") or {}
    words = [*(specification.get("ContainerEntrypoint") or ()), *(specification.get("ContainerArguments") or ())]
    if words:
        detail["argv"] = plain(words)
    return detail


def _describe(job: Job) -> dict[str, Any]:
    """Return what SageMaker says of the job: the words of the capture inside a container, and more."""
    body = job.body
    specification = body.get("AlgorithmSpecification") or body.get("AppSpecification") or {}
    given = body.get("HyperParameters") or {}
    return {
        "kind": job.kind,
        "name": text(job.name),
        "arn": job.arn.text,
        "region": job.arn.region,
        "account": job.arn.account,
        "modified": moment(body.get("LastModifiedTime")),
        "role": text(str(body.get("RoleArn") or "")),
        "image": text(str(specification.get("TrainingImage") or specification.get("ImageUri") or "")) or None,
        "reserved": {text(name): decoded(given[name], name) for name in sorted(given) if is_reserved(name)},
        "channels": job.channels,
        "outputs": job.outputs,
        "resources": plain(body.get("ResourceConfig") or body.get("ProcessingResources") or {}),
        "described": plain({name: value for name, value in body.items() if name not in _APART}),
    }


def _metrics(said: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    found = {text(str(each.get("MetricName"))): number(each.get("Value")) for each in said}
    return {name: value for name, value in sorted(found.items()) if value is not None}


def _read_training(job: Job, places: Places) -> None:
    body = job.body
    for channel in body.get("InputDataConfig") or ():
        name = text(str(channel.get("ChannelName", "")))
        source = channel.get("DataSource") or {}
        _channel(job, places, name, source, mode=channel.get("InputMode"))
    specification = body.get("AlgorithmSpecification") or {}
    if specification.get("TrainingImage"):
        job.used["image"] = places.image(str(specification["TrainingImage"]), job.began)
    submitted = decoded((body.get("HyperParameters") or {}).get("sagemaker_submit_directory", ""))
    if submitted.startswith("s3://"):
        job.used["source"] = as_code(places.read(submitted, job.began))
        job.channels["(source)"] = {"uri": text(submitted), "ref": job.used["source"].ref}
    model = (body.get("ModelArtifacts") or {}).get("S3ModelArtifacts")
    if model and body.get("TrainingJobStatus") == "Completed":
        _output(job, places, "model", str(model), single=True)


def _channel(job: Job, places: Places, name: str, source: Mapping[str, Any], mode: object = None) -> None:
    """Read one channel; what a file system gives has an address of its own."""
    s3, other = source.get("S3DataSource") or {}, source.get("FileSystemDataSource") or {}
    address = s3.get("S3Uri") or (f"fs://{other['FileSystemId']}{other.get('DirectoryPath', '')}" if other else None)
    if not address:
        return
    found = places.read(str(address), job.began)
    found = as_code(found) if name == "code" and job.kind == "processing" else found
    job.used[f"channel {name}"] = found
    said = {"uri": text(str(address)), "ref": found.ref, "type": s3.get("S3DataType"), "mode": mode}
    job.channels[name] = {key: value for key, value in said.items() if value is not None}


def _output(job: Job, places: Places, name: str, address: str, *, single: bool) -> None:
    found = places.written(address, job.began, job.ended, single=single)
    job.made[f"output {name}"] = found
    job.outputs[name] = {"uri": text(address), "ref": found.ref}


def _read_processing(job: Job, places: Places) -> None:
    body = job.body
    for each in body.get("ProcessingInputs") or ():
        name = text(str(each.get("InputName", "")))
        definition = each.get("DatasetDefinition") or {}
        address = (each.get("S3Input") or {}).get("S3Uri")
        if address:
            _channel(job, places, name, {"S3DataSource": each["S3Input"]})
        elif definition:
            query = definition.get("AthenaDatasetDefinition") or definition.get("RedshiftDatasetDefinition") or {}
            place = f"{query.get('Catalog', query.get('ClusterId', ''))}/{query.get('Database', '')}"
            _channel(job, places, name, {"S3DataSource": {"S3Uri": f"query://{place}/{text(str(name))}"}})
    specification = body.get("AppSpecification") or {}
    if specification.get("ImageUri"):
        job.used["image"] = places.image(str(specification["ImageUri"]), job.began)
    if body.get("ProcessingJobStatus") != "Completed":
        return
    for each in (body.get("ProcessingOutputConfig") or {}).get("Outputs") or ():
        address = (each.get("S3Output") or {}).get("S3Uri")
        if address:
            _output(job, places, text(str(each.get("OutputName", ""))), str(address), single=False)


def _read_transform(job: Job, places: Places) -> None:
    body = job.body
    _channel(job, places, "input", (body.get("TransformInput") or {}).get("DataSource") or {})
    name = str(body.get("ModelName") or "")
    model = places.known(job.arn.sibling("model", name), job.began) if name else None
    if model is not None:
        job.used["model"] = model
    address = (body.get("TransformOutput") or {}).get("S3OutputPath")
    if address and body.get("TransformJobStatus") == "Completed":
        _output(job, places, "output", str(address), single=False)


_READERS: Final = {"training": _read_training, "processing": _read_processing, "transform": _read_transform}
