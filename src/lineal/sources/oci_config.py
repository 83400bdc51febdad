"""The configuration of an image: what it runs, with which variables, how it was built. Secrets are cut out.

OCI image specification 1.1, "Image Configuration". The bytes themselves are kept only when nothing in them could be a
secret: variables outside of the list could hold anything.
"""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lineal.core import timestamp
from lineal.core.redaction import clean, redact, redact_argv, redact_value
from lineal.errors import BadTime
from lineal.sources.oci_http import read_object
from lineal.sources.oci_manifest import read_pairs

LARGEST: Final = 8 << 20
KEPT: Final = (
    "PATH", "HOME", "LANG", "LANGUAGE", "LC_*", "TZ", "SHELL", "TERM", "LD_LIBRARY_PATH", "LIBRARY_PATH", "LD_PRELOAD",
    "DEBIAN_FRONTEND", "SOURCE_DATE_EPOCH", "VIRTUAL_ENV", "PYTHON*", "PIP_*_CACHE_DIR", "PIP_NO_*", "UV_*CACHE*",
    "CONDA_DIR", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "MAMBA_ROOT_PREFIX", "GPG_KEY", "JAVA_HOME", "JAVA_VERSION",
    "*_VERSION", "CUDA_*", "CUDNN_*", "NV_*", "NVIDIA_*", "NVARCH", "NCCL_*", "OMPI_*", "OMP_*", "MKL_*", "OPENBLAS_*",
    "ROCM_*", "TORCH_*", "TF_*", "XLA_*", "JAX_*", "KERAS_BACKEND", "TOKENIZERS_PARALLELISM", "DLC_CONTAINER_TYPE",
    "SAGEMAKER_PROGRAM", "SAGEMAKER_SUBMIT_DIRECTORY", "SAGEMAKER_TRAINING_MODULE", "SAGEMAKER_SERVING_MODULE",
    "MANUAL_BUILD", "container",
)  # fmt: skip
"""Variables whose values are recorded: of the system, of Python, of numerical libraries; never of applications."""

_MAX_HISTORY: Final = 500
_MAX_VARIABLES: Final = 200
_MAX_TEXT: Final = 2048
# Before Docker there were no images; builders write the year 1970 or 1980 where they hide the moment.
_EARLIEST: Final = "2013-01-01T00:00:00.000000Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a configuration says, for the record; `created` if the builder says when; whether it has `secrets`.

    `diff_ids` are the digests of the layers unpacked. `is_plain` says that its bytes may be kept as they are.
    """

    detail: dict[str, Any]
    labels: Mapping[str, str]
    platform: str | None
    created: str | None
    diff_ids: tuple[str, ...]
    is_plain: bool


def read_config(data: bytes, where: str) -> Config:
    """Return what the configuration `data`, which came from `where`, says; raise `Unseen` if it is no JSON object."""
    document = read_object(data, where)
    inner = document.get("config")
    settings = inner if isinstance(inner, dict) else {}
    variables, omitted, cuts = _variables(_texts(settings.get("Env")))
    labels = read_pairs(settings.get("Labels"))
    entrypoint, cut = redact_argv(_texts(settings.get("Entrypoint")))
    command, more = redact_argv(_texts(settings.get("Cmd")))
    history, told = _history(document.get("history"))
    cuts += cut + more + told + _hidden_in(settings.get("Labels")) + redact(data.decode("utf-8", "replace"))[1]
    platform = "/".join(
        part for part in (_text(document.get(name)) for name in ("os", "architecture", "variant")) if part
    )
    created = read_created(document.get("created"))
    detail = {
        "platform": platform,
        "created": created,
        "entrypoint": entrypoint,
        "command": command,
        "user": _text(settings.get("User")),
        "working_dir": _text(settings.get("WorkingDir")),
        "ports": sorted(clean(str(port))[:64] for port in _dict(settings.get("ExposedPorts")))[:100],
        "volumes": sorted(clean(str(volume))[:_MAX_TEXT] for volume in _dict(settings.get("Volumes")))[:100],
        "environment": variables,
        "environment_omitted": omitted,
        "labels": dict(labels),
        "history": history,
    }
    return Config(
        detail={name: value for name, value in detail.items() if value not in (None, "", [], {}, 0)},
        labels=labels,
        platform=platform or None,
        created=created,
        diff_ids=tuple(_texts(_dict(document.get("rootfs")).get("diff_ids"))),
        is_plain=not cuts and not omitted,
    )


def read_created(value: object) -> str | None:
    """Return the moment that a builder wrote (RFC 3339), in the canonical spelling; None if it cannot be true."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(_to_microseconds(value))
        found = timestamp.spell(moment)
    except (ValueError, OverflowError, BadTime):
        return None
    return found if found >= _EARLIEST else None


def _to_microseconds(text: str) -> str:
    """Return the moment with at most six decimals: Go writes nine."""
    whole, dot, rest = text.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{whole}.{rest[: min(digits, 6)].ljust(6, '0')}{rest[digits:]}" if dot and digits else text


def _variables(pairs: Sequence[str]) -> tuple[dict[str, str], int, int]:
    """Return the variables on the list `KEPT`, how many are not on it, and how many secrets were cut out."""
    found: dict[str, str] = {}
    omitted = cuts = 0
    for pair in pairs:
        name, _, value = pair.partition("=")
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in KEPT):
            omitted += 1
            continue
        shown, count = redact_value(name, value)
        cuts += count
        if len(found) < _MAX_VARIABLES:
            found[name[:256]] = shown[:_MAX_TEXT]
    return found, omitted, cuts


def _history(value: object) -> tuple[list[dict[str, Any]], int]:
    """Return the steps of the build as they may be recorded, and how many secrets were cut out of them."""
    found: list[dict[str, Any]] = []
    cuts = 0
    for item in value if isinstance(value, list) else []:
        step: dict[str, Any] = {}
        for name in ("created_by", "comment", "author", "created"):
            text, count = redact(clean(item[name])) if isinstance(_dict(item).get(name), str) else ("", 0)
            cuts += count
            if text:
                step[name] = text[:_MAX_TEXT]
        if _dict(item).get("empty_layer") is True:
            step["empty_layer"] = True
        found.append(step)
    return found[:_MAX_HISTORY], cuts


def _hidden_in(labels: object) -> int:
    pairs = _dict(labels).items()
    return sum(redact_value(clean(name), clean(value))[1] for name, value in pairs if isinstance(value, str))


def _texts(value: object) -> list[str]:
    return [clean(item) for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return redact(clean(value))[0][:_MAX_TEXT] if isinstance(value, str) else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
