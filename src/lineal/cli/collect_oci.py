"""`lineal collect oci`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli import options
from lineal.cli.collecting import MOST_SHOWN, emit_collected
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal, short

if TYPE_CHECKING:
    from lineal.app.collect_oci import CollectedImages


def collect_oci(
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="[IMAGE]…", help="REGISTRY/REPOSITORY:TAG or …@sha256:…", show_default=False),
    ] = None,
    layout: Annotated[
        Path | None,
        typer.Option("--layout", metavar="DIR", help="Read an OCI layout on disk; IMAGE says what it is called."),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option("--archive", metavar="FILE", help="Read the tar that `docker save` or skopeo wrote."),
    ] = None,
    all_tags: Annotated[bool, typer.Option("--all-tags", help="Every tag of each repository.")] = False,
    attached: Annotated[
        bool, typer.Option("--attached/--no-attached", help="Also read signatures, attestations and SBOMs.")
    ] = True,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="Speak HTTP with the registry: anybody on the way can alter it.")
    ] = False,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Record container images: what tags name now, platforms, layers, labels, the commit they were built from.

    Examples: `lineal collect oci ghcr.io/acme/train:v7` · `lineal collect oci registry.bank.example/risk --all-tags` ·
    `lineal collect oci acme/train:v7 --layout build/image`
    """
    from lineal.app.collect_oci import Request, collect_images
    from lineal.core.image import parse
    from lineal.wire.documents import describe_finding

    terminal = Terminal(as_json=as_json, quiet=quiet)
    request = Request(
        images=tuple(parse(image) for image in images or ()),
        environment=dict(os.environ),
        layout=layout,
        archive=archive,
        all_tags=all_tags,
        attached=attached,
        plain_http=plain_http,
    )
    with opened(ledger, actor) as session, terminal.progress("collect oci", unit="observations") as move:
        done = collect_images(session, request, move)
    more = {
        "images": [
            {"image": each.image, "ref": each.ref, "before": each.before, "new": each.new} for each in done.images
        ],
        "findings": [describe_finding(finding) for finding in done.findings],
    }
    for line in () if as_json else _lines(done):
        terminal.say(line)
    emit_collected(terminal, done.collected, more)


def _lines(done: "CollectedImages") -> Iterator[str]:
    for each in done.images[:MOST_SHOWN]:
        state = f"moved from {short(each.before)}" if each.before else "new" if each.new else "known"
        yield f"{each.image}  {each.ref.rpartition('@')[2]}  {state}"
    if len(done.images) > MOST_SHOWN:
        yield f"and {len(done.images) - MOST_SHOWN:,} more images"
    for finding in done.findings:
        yield f"{finding.about}: {finding.explanation} [{finding.code}]"
