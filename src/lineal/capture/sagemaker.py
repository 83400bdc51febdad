"""What SageMaker tells a container of its training or processing job, in files under ``/opt/ml``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lineal.capture.flat import LARGEST
from lineal.core.observation import Gap
from lineal.core.redaction import clean, redact_value, strip_url

BASE: Final = Path("/opt/ml")
# Set by the SDK and the tuner, not by the user: the reserved names of the SageMaker training toolkit.
_RESERVED: Final = frozenset({"_tuning_objective_metric", "default_user_module_name"})
_CHANNEL_FIELDS: Final = ("ContentType", "TrainingInputMode", "S3DistributionType", "RecordWrapperType")


@dataclass(frozen=True, slots=True, kw_only=True)
class SageMakerJob:
    """One job. `hyperparameters` are the user's, as text; `reserved` those that SageMaker itself passes.

    `channels` are the inputs by name: how they come, and for processing jobs from which S3 address; `resources` the
    hosts and instance types.
    """

    kind: str
    name: str | None
    arn: str | None
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    reserved: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)
    image: str | None = None
    gaps: tuple[Gap, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document; the hyper-parameters stand with the parameters of the run."""
        return {
            "kind": self.kind,
            "name": self.name,
            "arn": self.arn,
            "reserved": dict(self.reserved),
            "channels": {name: dict(each) for name, each in self.channels.items()},
            "outputs": {name: dict(each) for name, each in self.outputs.items()},
            "resources": dict(self.resources),
            "image": self.image,
        }


def base_folder(env: Mapping[str, str]) -> Path:
    """Return the folder that SageMaker's files are in: ``/opt/ml``, or ``SAGEMAKER_BASE_DIR`` as the toolkit has it."""
    return Path(env.get("SAGEMAKER_BASE_DIR") or BASE)


def read_sagemaker(env: Mapping[str, str]) -> SageMakerJob | None:
    """Return the job that this container runs, None where there is none. A file that cannot be read is a gap."""
    base = base_folder(env)
    processing = base / "config" / "processingjobconfig.json"
    if processing.is_file():
        return _read_processing(base, env)
    if env.get("TRAINING_JOB_NAME") or (base / "input" / "config" / "hyperparameters.json").is_file():
        return _read_training(base, env)
    return None


def _read_training(base: Path, env: Mapping[str, str]) -> SageMakerJob:
    gaps: list[Gap] = []
    folder = base / "input" / "config"
    said = _read_json(folder / "hyperparameters.json", gaps)
    values = {clean(name): _decode(value) for name, value in said.items()}
    reserved = {name: values[name] for name in values if _is_reserved(name)}
    channels = _read_json(folder / "inputdataconfig.json", gaps)
    gaps.append(
        Gap(
            "sagemaker.describe",
            "where the channels come from in S3, and the image's digest, are told only by DescribeTrainingJob",
        )
    )
    name = env.get("TRAINING_JOB_NAME") or reserved.get("sagemaker_job_name")
    return SageMakerJob(
        kind="training",
        name=None if name is None else clean(name),
        arn=_text(env.get("TRAINING_JOB_ARN")),
        hyperparameters={name: value for name, value in values.items() if name not in reserved},
        reserved={name: strip_url(redact_value(name, value)[0])[0] for name, value in reserved.items()},
        channels={clean(name): _keep(each, _CHANNEL_FIELDS) for name, each in channels.items()},
        resources=_read_resources(folder / "resourceconfig.json", gaps),
        gaps=tuple(gaps),
    )


def _read_processing(base: Path, env: Mapping[str, str]) -> SageMakerJob:
    gaps: list[Gap] = []
    said = _read_json(base / "config" / "processingjobconfig.json", gaps)
    specification = said.get("AppSpecification")
    outputs = said.get("ProcessingOutputConfig")
    return SageMakerJob(
        kind="processing",
        name=_text(said.get("ProcessingJobName") or env.get("PROCESSING_JOB_NAME")),
        arn=_text(said.get("ProcessingJobArn") or env.get("PROCESSING_JOB_ARN")),
        channels=_read_places(said.get("ProcessingInputs"), "InputName", "S3Input"),
        outputs=_read_places(outputs.get("Outputs") if isinstance(outputs, dict) else None, "OutputName", "S3Output"),
        resources=_read_resources(base / "config" / "resourceconfig.json", gaps),
        image=_text(specification.get("ImageUri")) if isinstance(specification, dict) else None,
        gaps=tuple(gaps),
    )


def _read_places(said: object, name: str, place: str) -> dict[str, Mapping[str, str]]:
    """Read a list of ``{InputName, S3Input: {S3Uri, LocalPath, …}}``."""
    found: dict[str, Mapping[str, str]] = {}
    for each in said if isinstance(said, list) else ():
        if isinstance(each, dict) and isinstance(each.get(place), dict):
            kept = _keep(each[place], ("S3Uri", "LocalPath", "S3DataType", "S3InputMode", "S3UploadMode"))
            found[clean(str(each.get(name, "")))] = {key: strip_url(value)[0] for key, value in kept.items()}
    return found


def _read_resources(file: Path, gaps: list[Gap]) -> dict[str, Any]:
    said = _read_json(file, gaps)
    found: dict[str, Any] = {
        name: clean(said[name])
        for name in ("current_host", "current_instance_type", "current_group_name")
        if isinstance(said.get(name), str)
    }
    if isinstance(said.get("hosts"), list):
        found["hosts"] = [clean(str(each)) for each in said["hosts"]]
    return found


def _read_json(file: Path, gaps: list[Gap]) -> dict[str, Any]:
    try:
        with open(file, "rb") as stream:
            data = stream.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ValueError(f"it is larger than {LARGEST} bytes")
        found = json.loads(data.decode("utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no object")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        gaps.append(Gap("sagemaker.file", f"the file cannot be used: {clean(str(error))[:300]}", clean(str(file))))
        return {}
    return found


def _decode(value: object) -> str:
    """Return a hyper-parameter as the toolkit reads it: SageMaker makes every value text, the SDK JSON in text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return clean(str(value))
    if isinstance(value, str):
        return clean(value)
    return json.dumps(value, sort_keys=True)


def _is_reserved(name: str) -> bool:
    return name.startswith("sagemaker_") or name in _RESERVED


def _keep(said: object, names: tuple[str, ...]) -> dict[str, str]:
    if not isinstance(said, dict):
        return {}
    return {name: clean(str(said[name])) for name in names if said.get(name) is not None}


def _text(value: object) -> str | None:
    return clean(value) if isinstance(value, str) and value else None
