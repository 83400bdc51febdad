"""What a person may say about a run."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run and record a command.

    `inputs` and `outputs` add files or folders to what tracing finds. `parameters` and `metrics` name files,
    `variables` environment variables to record beside the usual ones. Outputs up to `keep_bytes` together
    are kept in the store.
    """

    name: str | None = None
    activity: str | None = None
    inputs: tuple[Path, ...] = ()
    outputs: tuple[Path, ...] = ()
    parameters: Path | None = None
    metrics: Path | None = None
    variables: tuple[str, ...] = ()
    mechanism: str = "auto"
    keep_bytes: int = 1 << 30
