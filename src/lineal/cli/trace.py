"""`lineal trace`."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened, read_moment
from lineal.cli.terminal import Terminal

if TYPE_CHECKING:
    from lineal.app.lineage import Lineage


class Picture(StrEnum):
    """How a lineage is drawn."""

    TREE = "tree"
    DOT = "dot"
    MERMAID = "mermaid"


PictureOption = Annotated[Picture, typer.Option("--format", help="A tree, or text for Graphviz or Mermaid.")]


def trace(
    ref: options.RefArgument,
    at: options.At = None,
    known: options.Known = None,
    depth: options.Depth = None,
    kind: options.Kinds = None,
    picture: PictureOption = Picture.TREE,
    ledger: options.Ledger = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """What made REF: every run, dataset, commit, environment, model and approval behind it.

    Examples: `lineal trace endpoint:scorer` · `lineal trace endpoint:scorer --at 2026-03-03T14:05:00Z` ·
    `lineal trace model:risk@2 --kind dataset --json` · `lineal trace model:risk --format dot | dot -Tsvg > risk.svg`
    """
    from lineal.app.lineage import trace as ask

    with opened(ledger) as session:
        found = ask(session, ref, read_moment(at, known), depth, kind or ())
    draw(found, Terminal(as_json=as_json, quiet=quiet), picture)


def draw(found: "Lineage", terminal: Terminal, picture: Picture) -> None:
    """Print a lineage as JSON or in the picture wanted."""
    from lineal.cli.graph_picture import print_tree, to_dot, to_mermaid
    from lineal.wire.documents import describe_lineage

    if picture is Picture.TREE:
        terminal.emit(describe_lineage(found), lambda out: print_tree(found, out))
    else:
        text = to_dot(found) if picture is Picture.DOT else to_mermaid(found)
        terminal.emit(describe_lineage(found), lambda out: out.print(text, markup=False, soft_wrap=True))
