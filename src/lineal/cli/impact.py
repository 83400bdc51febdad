"""`lineal impact`."""

from lineal.cli import options
from lineal.cli.opening import opened, read_moment
from lineal.cli.terminal import Terminal
from lineal.cli.trace import Picture, PictureOption, draw


def impact(
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
    """What REF touches: every run, model and endpoint that it went into.

    Examples: `lineal impact dataset:raw@1` · `lineal impact dataset:raw --kind endpoint` ·
    `lineal impact environment:python@sha256:ab12 --at 2026-03-03`
    """
    from lineal.app.lineage import impact as ask

    with opened(ledger) as session:
        found = ask(session, ref, read_moment(at, known), depth, kind or ())
    draw(found, Terminal(as_json=as_json, quiet=quiet), picture)
