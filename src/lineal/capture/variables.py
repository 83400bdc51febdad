"""Environment variables that are recorded: those on a list, and those that the user names. Of others, the count."""

import fnmatch
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lineal.capture.environment import THREAD_VARIABLES
from lineal.core.redaction import MARK, clean, is_secret_name, redact

# What changes the result of a computation, or says where it ran. Never what users fill with values of their own.
KEPT: Final[tuple[str, ...]] = (
    *THREAD_VARIABLES,
    # Python and the locale
    "PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTHONPATH", "PYTHONHOME", "PYTHONUTF8", "PYTHONIOENCODING",
    "PYTHONNOUSERSITE", "PYTHONSAFEPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONMALLOC",
    "TZ", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_NUMERIC", "LC_COLLATE", "LC_TIME",
    "SOURCE_DATE_EPOCH", "VIRTUAL_ENV", "CONDA_DEFAULT_ENV", "CONDA_PREFIX", "PATH", "LD_LIBRARY_PATH",
    "LD_PRELOAD", "TMPDIR", "SHELL", "MALLOC_ARENA_MAX",
    # accelerators and numerical libraries
    "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "CUBLAS_WORKSPACE_CONFIG", "CUDA_VERSION",
    "CUDNN_VERSION", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_TF32_OVERRIDE",
    "NCCL_VERSION", "NCCL_ALGO", "NCCL_PROTO", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "OPENBLAS_CORETYPE", "ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA",
    "ONEDNN_MAX_CPU_ISA", "NPY_DISABLE_CPU_FEATURES", "KMP_AFFINITY", "KMP_BLOCKTIME", "GOMP_CPU_AFFINITY",
    "TORCH_CUDNN_V8_API_DISABLED", "PYTORCH_CUDA_ALLOC_CONF", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "TF_DETERMINISTIC_OPS", "TF_CUDNN_DETERMINISTIC", "TF_ENABLE_ONEDNN_OPTS", "XLA_FLAGS", "JAX_ENABLE_X64",
    "JAX_PLATFORMS", "KERAS_BACKEND", "TOKENIZERS_PARALLELISM", "PL_GLOBAL_SEED",
    # distributed training
    "WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT",
    "SLURM_JOB_ID", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_NNODES", "SLURM_JOB_PARTITION",
    # SageMaker: what the platform says, not what the user passed
    "TRAINING_JOB_NAME", "TRAINING_JOB_ARN", "PROCESSING_JOB_NAME", "PROCESSING_JOB_ARN", "CURRENT_HOST",
    "SAGEMAKER_BASE_DIR", "SAGEMAKER_REGION",
    "SM_HOSTS", "SM_CHANNELS", "SM_CHANNEL_*", "SM_CURRENT_HOST", "SM_CURRENT_INSTANCE_TYPE",
    "SM_CURRENT_INSTANCE_GROUP", "SM_CURRENT_INSTANCE_GROUP_HOSTS", "SM_INSTANCE_GROUPS",
    "SM_DISTRIBUTION_INSTANCE_GROUPS", "SM_IS_HETERO", "SM_MODULE_NAME", "SM_FRAMEWORK_MODULE",
    "SM_USER_ENTRY_POINT", "SM_LOG_LEVEL", "SM_INPUT_DIR", "SM_INPUT_CONFIG_DIR", "SM_OUTPUT_DIR",
    "SM_OUTPUT_DATA_DIR", "SM_OUTPUT_INTERMEDIATE_DIR", "SM_MODEL_DIR", "SM_NUM_CPUS", "SM_NUM_GPUS",
    "SM_NETWORK_INTERFACE_NAME",
    # where it ran
    "AWS_REGION", "AWS_DEFAULT_REGION", "CI", "KUBERNETES_SERVICE_HOST", "LINEAL_IMAGE_DIGEST",
)  # fmt: skip
LONGEST: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The variables recorded; `omitted` counts those that were set and are not, `redactions` the secrets cut out."""

    values: Mapping[str, str]
    omitted: int
    redactions: int

    def describe(self) -> dict[str, Any]:
        """Return them as a plain document."""
        return {"values": dict(self.values), "omitted": self.omitted, "redactions": self.redactions}


def read_variables(env: Mapping[str, str], *, extra: Collection[str] = ()) -> Variables:
    """Return the variables of `env` that are on the list `KEPT` or match a name or pattern (``MY_*``) of `extra`.

    A variable whose name says that it is a secret is recorded by its name only, even when it is asked for.
    """
    patterns = [each for each in (*KEPT, *extra) if any(char in each for char in "*?[")]
    names = {*KEPT, *extra}
    found: dict[str, str] = {}
    cuts = 0
    for name in sorted(env):
        if name not in names and not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            continue
        value, count = (MARK, 1) if is_secret_name(name) and env[name] else redact(clean(env[name]))
        found[clean(name)] = value[:LONGEST]
        cuts += count
    return Variables(values=found, omitted=len(env) - len(found), redactions=cuts)
