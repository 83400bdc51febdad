"""The file that every benchmark merges its result into, and that the tables are filled from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import ROOT

RESULTS: Final = ROOT / "results.json"


def read(path: Path) -> dict[str, Any]:
    """All results by benchmark name; empty when there is no file yet."""
    held: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return held


def merge(path: Path, name: str, result: dict[str, Any]) -> None:
    """Replace the result of benchmark `name` in `path`, leaving the others."""
    path.write_text(json.dumps({**read(path), name: result}, indent=1, sort_keys=True) + "\n")
