"""Pictures of a lineage: a tree for the terminal, Graphviz and Mermaid text."""

import json

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from lineal.app.lineage import Lineage
from lineal.catalog.reader import NodeView
from lineal.cli.terminal import moment, short, shorten

COLOURS = {
    "run": "yellow",
    "dataset": "cyan",
    "file": "bright_black",
    "code": "green",
    "environment": "blue",
    "container": "blue",
    "model": "magenta",
    "endpoint": "bold red",
}

_SHOWN = 4
_LONGEST = 24


def label(view: NodeView) -> str:
    """Return what stands for a node in a picture, as plain text."""
    name = view.ref.split("@sha256:")[0] if "@sha256:" in view.ref else view.ref
    extra = f" {shorten(view.version)}" if view.version and not view.version.isdecimal() else ""
    activity = f" ({view.detail['activity']})" if view.kind == "run" and "activity" in view.detail else ""
    return f"{name}{extra}{activity}{_parameters(view)}"


def _parameters(view: NodeView) -> str:
    """Return the first few hyper-parameters of a run."""
    given = view.detail.get("parameters") or {}
    short = {name: each["value"] for name, each in given.items() if isinstance(each["value"], str)}
    short = {name: value for name, value in short.items() if len(value) <= _LONGEST}
    shown = [f"{name}={value}" for name, value in list(short.items())[:_SHOWN]]
    if len(given) > len(shown):
        shown.append(f"… {len(given)} parameters")
    return f" {', '.join(shown)}" if shown else ""


def _line(view: NodeView, edge: str | None, again: bool) -> str:
    colour = COLOURS.get(view.kind, "white")
    said = f"[dim]{edge}[/] " if edge else ""
    tail = (
        "[dim](above)[/]" if again else f"[dim]{short(view.digest)} {moment(view.time)} {escape(view.actor or '')}[/]"
    )
    return f"{said}[{colour}]{escape(label(view))}[/]  {tail}"


def print_tree(found: Lineage, out: Console) -> None:
    """Print the lineage as a tree from its root; what was shown before is not opened again."""
    views = {view.id: view for view in found.nodes}
    beside: dict[int, list[tuple[int, str]]] = {}
    for source, target, kind in found.edges:
        near, far = (target, source) if found.up else (source, target)
        beside.setdefault(near, []).append((far, kind))
    tree = Tree(_line(found.root, None, False), guide_style="dim")
    opened = {found.root.id}
    waiting = [(found.root.id, tree)]
    while waiting:  # breadth first, so that each thing opens where it is nearest to the root
        near, branch = waiting.pop(0)
        for far, kind in sorted(beside.get(near, ()), key=lambda item: (found.depths[item[0]], views[item[0]].ref)):
            again = far in opened
            twig = branch.add(_line(views[far], kind, again and bool(beside.get(far))))
            if not again:
                opened.add(far)
                waiting.append((far, twig))
    out.print(tree)
    unjoined = [view for view in found.nodes if view.id not in opened]
    for view in unjoined:
        out.print("  " + _line(view, None, False))
    for gap in {gap["code"]: gap for gap in found.gaps}.values():
        out.print(f"[yellow]gap[/] {escape(gap['explanation'])} [dim]{escape(gap['code'])}[/]")


def to_dot(found: Lineage) -> str:
    """Return the lineage as a Graphviz digraph."""
    lines = ["digraph lineage {", "  rankdir=LR;", "  node [shape=box, fontname=sans];"]
    lines += [f"  n{view.id} [label={json.dumps(label(view), ensure_ascii=False)}];" for view in found.nodes]
    lines += [f"  n{source} -> n{target} [label={json.dumps(kind)}];" for source, target, kind in found.edges]
    return "\n".join([*lines, "}"])


def to_mermaid(found: Lineage) -> str:
    """Return the lineage as a Mermaid flowchart."""
    lines = ["flowchart LR"]
    for view in found.nodes:
        text = label(view).replace('"', "#quot;")
        lines.append(f'  n{view.id}["{text}"]')
    lines += [f"  n{source} -->|{kind}| n{target}" for source, target, kind in found.edges]
    return "\n".join(lines)
