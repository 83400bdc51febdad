"""Results as Markdown: `python -m benchmarks.table` fills docs/benchmarks.md from the results file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import spread
from benchmarks.results import RESULTS, read

PAGE: Final = RESULTS.parent.parent / "docs" / "benchmarks.md"


def render(name: str, result: dict[str, Any]) -> str:
    """The table of benchmark `name`, and under it the machine it was measured on."""
    return f"{_TABLES[name](result)}\n\n{_describe(result)}"


def fill(page: str, results: dict[str, Any]) -> str:
    """`page` with what stands between each pair of markers `<!-- NAME -->`, `<!-- /NAME -->` written anew."""
    for name in _TABLES:
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, found, rest = page.partition(start)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"the page has no {start} … {end}")
        body = render(name, results[name]) if name in results else "Not measured yet."
        page = f"{before}{start}\n{body}\n{end}{after}"
    return page


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _spread(samples: Sequence[dict[str, Any]], field: str, scale: float = 1.0) -> str:
    """Median (least-greatest) of `field` over `samples`, times `scale`; one figure when there is one sample."""
    held = spread(sample[field] * scale for sample in samples)
    middle = _number(held["median"])
    return middle if len(samples) == 1 else f"{middle} ({_number(held['min'])}-{_number(held['max'])})"


def _shown(row: dict[str, Any]) -> bool:
    """A row with a refusal shows it in place of figures, even where some samples were taken before it."""
    return bool(row["samples"]) and "refused" not in row


def _absent(row: dict[str, Any], columns: int) -> list[str]:
    return [f"not run: {row.get('refused', 'no sample')}", *["-"] * (columns - 1)]


def _record_table(result: dict[str, Any]) -> str:
    head = ("way", "version", "calls/run", "runs/s", "CPU ms/run", "wall, CPU s", "bytes/run", "read back")
    rows: list[list[str]] = []
    found: dict[str, list[str]] = {}
    for row in result["rows"]:
        samples = row["samples"]
        if not _shown(row):
            rows.append([row["title"], *_absent(row, len(head) - 1)])
            continue
        last = samples[-1]
        differences = [line for sample in samples for line in sample["differences"]]
        found.setdefault(last["durability"], []).append(row["name"])
        rows.append(
            [
                row["title"],
                last["version"],
                _number(spread(sample["calls_per_run"] for sample in samples)["median"]),
                _spread(samples, "runs_per_second"),
                _spread(samples, "cpu_ms_per_run"),
                ", ".join(_number(spread(sample[each] for sample in samples)["median"]) for each in ("wall", "cpu")),
                _spread(samples, "bytes_per_run"),
                "; ".join(differences) or "equal",
            ]
        )
    settings = [f"{text}: {', '.join(names)}." for text, names in found.items()]
    taken = [sample for row in result["rows"] for sample in row["samples"]]
    if taken:
        settings.append(f"Append of 4 KiB and fdatasync before each sample, ms: {_spread(taken, 'sync_ms')}.")
        settings.append(f"Load average after each sample: {_spread(taken, 'load')}.")
    given = result["settings"]
    intro = f"{given['repeats']} interleaved samples of {given['seconds']:g} s, median (least-greatest)."
    return "\n\n".join([intro, _table(head, rows), "Durability as found. " + " ".join(settings)])


def _start_table(result: dict[str, Any]) -> str:
    head = ("command", "wall ms", "CPU ms")
    rows = [
        [f"`{row['name']}`", *(_costs(row["samples"], 1000) if _shown(row) else _absent(row, 2))]
        for row in result["rows"]
    ]
    return f"{result['settings']['repeats']} interleaved starts.\n\n{_table(head, rows)}"


def _overhead_table(result: dict[str, Any]) -> str:
    head = ("program", "run", "wall s", "CPU s", "wall added")
    rows: list[list[str]] = []
    for row in result["rows"]:
        if not _shown(row):
            rows.append([row["program"], row["mode"], *_absent(row, 3)])
            continue
        added = "-"
        if bare := [sample["wall"] for sample in row.get("bare", [])]:
            more = spread(sample["wall"] for sample in row["samples"])["median"] - spread(bare)["median"]
            added = f"{more:+.2f} s ({more / spread(bare)['median']:+.0%})"
        rows.append([row["program"], row["mode"], *_costs(row["samples"], 1), added])
    return f"{result['settings']['repeats']} interleaved runs.\n\n{_table(head, rows)}"


def _costs(samples: Sequence[dict[str, Any]], scale: float) -> list[str]:
    return [_spread(samples, "wall", scale), _spread(samples, "cpu", scale)]


def _audit_table(result: dict[str, Any]) -> str:
    head = ("check", "entries", "entries/s", "CPU µs/entry")
    rows = [
        [row["name"], *_audit_figures(row["samples"])] if _shown(row) else [row["name"], *_absent(row, 3)]
        for row in result["rows"]
    ]
    return f"{result['settings']['repeats']} audits.\n\n{_table(head, rows)}"


def _audit_figures(samples: Sequence[dict[str, Any]]) -> list[str]:
    return [
        f"{samples[-1]['entries']:,}",
        _spread(samples, "entries_per_second"),
        _spread(samples, "cpu_us_per_entry"),
    ]


def _bucket_table(result: dict[str, Any]) -> str:
    head = ("way", "wall s", "CPU s", "peak MiB")
    rows = [
        [row["name"], *_costs(row["samples"], 1), _spread(row["samples"], "peak_mib")]
        if _shown(row)
        else [row["name"], *_absent(row, 3)]
        for row in result["rows"]
    ]
    given = result["settings"]
    intro = f"{given['objects']:,} objects of 4 KiB and one of {given['large_mib']} MiB, {given['repeats']} samples."
    intro += f" Load average after them: {given['load']}."
    return f"{intro}\n\n{_table(head, rows)}"


def _config_diff_table(result: dict[str, Any]) -> str:
    head = ("pair", "way", "says", "CPU us", "times Lineal's")
    own = {
        row["case"]: spread(each["cpu_us"] for each in row["samples"])["median"]
        for row in result["rows"]
        if row["name"] == "lineal" and _shown(row)
    }
    rows = []
    for row in result["rows"]:
        if not _shown(row):
            rows.append([row["case"], row["name"], *_absent(row, 3)])
            continue
        ratio = spread(each["cpu_us"] for each in row["samples"])["median"] / own[row["case"]]
        rows.append([row["case"], row["name"], str(row["said"]), _spread(row["samples"], "cpu_us"), _number(ratio)])
    given = result["settings"]
    intro = (
        f"{given.get('bytes', 0):,} bytes of JSON, {given['repeats']} interleaved samples of {given['seconds']:g} s."
    )
    intro += f" Load average after them: {given.get('load', '-')}."
    return f"{intro}\n\n{_table(head, rows)}"


def _rules_table(result: dict[str, Any]) -> str:
    head = ("way", "CPU us/item", "CPU s")
    rows = [
        [row["name"], _spread(row["samples"], "cpu_us_per_item"), _spread(row["samples"], "cpu")]
        if _shown(row)
        else [row["name"], *_absent(row, 2)]
        for row in result["rows"]
    ]
    given = result["settings"]
    intro = f"{given['items']:,} items of {given.get('bytes', 0):,} bytes, {given['repeats']} samples."
    return f"{intro} Load average after them: {given['load']}.\n\n{_table(head, rows)}"


def _collect_aws_table(result: dict[str, Any]) -> str:
    head = ("answers late", "way", "calls", "wall s", "CPU s")
    rows = []
    for row in result["rows"]:
        told = [f"{row['late'] * 1000:.0f} ms", row["name"]]
        shown = _shown(row)
        rows.append([*told, *([f"{row['calls']:,}", *_costs(row["samples"], 1)] if shown else _absent(row, 3))])
    given = result["settings"]
    intro = f"{given['resources']:,} resources, {given['repeats']} interleaved samples."
    if taken := [sample for row in result["rows"] for sample in row["samples"]]:
        intro += f" Load average after each: {_spread(taken, 'load')}."
    return f"{intro}\n\n{_table(head, rows)}"


def _explain_table(result: dict[str, Any]) -> str:
    head = ("step", "wall s", "CPU s", "put on record", "load after")
    rows = [
        [
            row["name"],
            *_costs(row["samples"], 1),
            f"{row['samples'][-1]['recorded']:,}",
            _spread(row["samples"], "load"),
        ]
        if _shown(row)
        else [row["name"], *_absent(row, 4)]
        for row in result["rows"]
    ]
    given = result["settings"]
    intro = f"{given['changes']:,} changes, {given['events']:,} events."
    if "verdicts" in given:
        verdicts = ", ".join(f"{count:,} {name}" for name, count in sorted(given["verdicts"].items()))
        intro += f" Concluded, as is known beforehand: {verdicts}. Catalog: {given['mib']:,} MiB, filled in "
        intro += f"{given['fill_seconds']:,.0f} s. Peak memory of the process: {given['peak_mib']:,} MiB."
    return f"{intro}\n\n{_table(head, rows)}"


def _snapshot_table(result: dict[str, Any]) -> str:
    head = ("files", "step", "tool", "wall s", "CPU s", "peak MiB", "DVC's wall / this")
    rows = []
    for row in sorted(result["rows"], key=lambda row: row["data"]):
        if not _shown(row):
            rows.append([row["data"], row["step"], f"`{row['tool']}`", *_absent(row, 4)])
            continue
        peer = [
            other["samples"]
            for other in result["rows"]
            if (other["data"], other["step"], other["tool"]) == (row["data"], row["step"], "dvc") and _shown(other)
        ]
        ratio = "-"
        if peer and row["tool"] != "dvc":
            walls = [spread(sample["wall"] for sample in samples)["median"] for samples in (peer[0], row["samples"])]
            ratio = f"{walls[0] / walls[1]:.1f}"
        costs = [*_costs(row["samples"], 1), _spread(row["samples"], "peak")]
        rows.append([row["data"], row["step"], f"`{row['tool']}`", *costs, ratio])
    counts = sorted({len(row["samples"]) for row in result["rows"] if row["samples"]})
    intro = f"{' or '.join(map(str, counts))} interleaved runs of each."
    loads = [sample for row in result["rows"] for sample in row["samples"]]
    if loads:
        intro += f" Load average after each: {_spread(loads, 'load')}."
    return "\n\n".join([intro, _table(head, rows), _manifest_table(result["manifest"])])


def _manifest_table(row: dict[str, Any]) -> str:
    head = ("manifest", "made s", "its bytes", "one changed s", "bytes more", "diff s", "peak MiB")
    if not _shown(row):
        return _table(head, [[row["name"], *_absent(row, 6)]])
    fields = ("build", "bytes", "again", "again_bytes", "diff", "peak")
    return _table(head, [[row["name"], *(_spread(row["samples"], name) for name in fields)]])


def _describe(result: dict[str, Any]) -> str:
    host = result["machine"]
    return (
        f"{host['date']}: {host['cores']} cores of {host['cpu']}, {host['memory_gib']} GiB, {host['system']}, "
        f"{host['file_system']}, Python {host['python']}."
    )


_TABLES: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "record": _record_table,
    "start": _start_table,
    "run_overhead": _overhead_table,
    "audit": _audit_table,
    "snapshot": _snapshot_table,
    "bucket": _bucket_table,
    "config_diff": _config_diff_table,
    "collect_aws": _collect_aws_table,
    "rules": _rules_table,
    "explain": _explain_table,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args()
    given.page.write_text(fill(given.page.read_text(), read(given.results)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
