"""Metrics of a run: the numbers of a JSON file, by dotted name."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lineal.capture.flat import flatten, read_document, spell_scalar
from lineal.core import path
from lineal.core.observation import Gap
from lineal.core.redaction import clean
from lineal.errors import BadInput

FOUND_NAME: Final = "metrics.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Numbers as decimal text, by dotted name. `file` is where they were read, None where there were none."""

    values: Mapping[str, str]
    file: Path | None = None
    gaps: tuple[Gap, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Return ``{name: decimal text}``, sorted by name."""
        return {name: self.values[name] for name in sorted(self.values)}


def read_metrics(cwd: Path, *, file: Path | None = None, written: Collection[bytes] = ()) -> Metrics:
    """Return the metrics of `file`, else of the ``metrics.json`` under `cwd` among the paths `written` by the run.

    Raises `BadInput` when `file` was given and cannot be used; a file found and not usable is a gap, and so are
    several with none in `cwd` itself.
    """
    if file is not None:
        return read_metrics_file(cwd / file)
    found = _find(cwd, written)
    if not found:
        return Metrics(values={})
    if len(found) > 1:
        names = ", ".join(path.spell(os.fsencode(each)) for each in found[:10])
        return Metrics(
            values={},
            gaps=(Gap("metrics.several", "the run wrote several metrics files; `--metrics FILE` says which", names),),
        )
    try:
        return read_metrics_file(found[0])
    except BadInput as error:
        return Metrics(values={}, gaps=(Gap("metrics.file", error.message, path.spell(os.fsencode(found[0]))),))


def read_metrics_file(file: Path) -> Metrics:
    """Return the numbers of a JSON (YAML, TOML) file; what is no number is left out. Raises `BadInput`."""
    document = read_document(file)
    if not isinstance(document, dict):
        raise BadInput(f"{clean(file.name)} holds no names with values at its top")
    values: dict[str, str] = {}
    others: list[str] = []
    for name, value in flatten(document):
        if isinstance(value, int | float) and not isinstance(value, bool):
            values[clean(name)] = spell_scalar(value)
        else:
            others.append(clean(name))
    gaps = []
    if others:
        named = ", ".join(others[:10]) + (f" and {len(others) - 10} more" if len(others) > 10 else "")
        gaps.append(Gap("metrics.not_numbers", "values that are not single numbers are left out", named[:1000]))
    return Metrics(values=values, file=file, gaps=tuple(gaps))


def _find(cwd: Path, written: Collection[bytes]) -> list[Path]:
    folders = {os.fsencode(cwd), os.path.realpath(os.fsencode(cwd))}
    for folder in folders:
        if os.path.join(folder, FOUND_NAME.encode()) in written:
            return [cwd / FOUND_NAME]
    prefixes = tuple(folder.rstrip(b"/") + b"/" for folder in folders)
    return sorted(
        Path(os.fsdecode(each))
        for each in written
        if each.startswith(prefixes) and os.path.basename(each) == FOUND_NAME.encode()
    )
