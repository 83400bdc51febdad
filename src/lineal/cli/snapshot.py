"""`lineal snapshot`."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal, short, size
from lineal.errors import UsageError

if TYPE_CHECKING:
    from lineal.app.snapshot import Snapshotted


_Name = Annotated[str, typer.Argument(metavar="dataset:NAME", help="The dataset.", show_default=False)]
_Place = Annotated[
    str,
    typer.Argument(
        metavar="PATH|URI", help="A file or folder, or s3://BUCKET/PREFIX/, gs://, az://.", show_default=False
    ),
]
_Store = Annotated[
    bool | None,
    typer.Option(
        "--store/--reference",
        help="Keep the bytes in the ledger's objects, or only their digests. [default: a bucket: --reference]",
        show_default=False,
    ),
]
_Basis = Annotated[
    str | None,
    typer.Option(
        "--basis",
        metavar="auto|content|pin",
        help="What identifies an object of a bucket: the cheapest that fixes it, its bytes, its version and ETag.",
    ),
]
_Inventory = Annotated[
    str | None,
    typer.Option("--inventory", metavar="URI|FILE", help="An S3 Inventory (manifest.json) to use as the listing."),
]
_Endpoint = Annotated[
    str | None,
    typer.Option("--endpoint-url", metavar="URL", help="An S3 server other than AWS. [env: AWS_ENDPOINT_URL]"),
]
_Paranoid = Annotated[bool, typer.Option("--paranoid", help="Read every file again, also those that seem unchanged.")]
_Engine = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="dask|ray|spark", help="Let a cluster hash the files of a folder (with --reference)."
    ),
]
_Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, metavar="N", help="Hash with N processes or workers (with --reference)."),
]


def snapshot(
    name: _Name,
    path: _Place,
    store: _Store = None,
    basis: _Basis = None,
    inventory: _Inventory = None,
    endpoint: _Endpoint = None,
    paranoid: _Paranoid = False,
    engine: _Engine = None,
    jobs: _Jobs = None,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Record a file, a folder or a prefix of a bucket as a version of a dataset.

    Examples: `lineal snapshot dataset:transactions data/2026-03/` · `lineal snapshot dataset:raw raw.csv --reference`
    · `lineal snapshot dataset:clicks s3://acme-lake/clicks/dt=2026-03-01/`
    """
    from lineal.datasets.ahead import looking_ahead
    from lineal.sources.bucket_open import is_address

    terminal = Terminal(as_json=as_json, quiet=quiet)
    in_bucket = is_address(path)
    if not in_bucket and (basis or inventory or endpoint):
        raise UsageError("--basis, --inventory and --endpoint-url are for buckets", fix="Name s3://BUCKET/PREFIX/.")
    if in_bucket and (engine or jobs):
        raise UsageError("--engine and --jobs are for folders", fix="Leave them out: a bucket is read many at a time.")
    with (
        nullcontext() if in_bucket else looking_ahead(path) as ahead,
        opened(ledger, actor) as session,
        terminal.progress(f"snapshot of {path}") as move,
    ):
        if in_bucket:
            from lineal.app.snapshot_bucket import Asked, read_basis, snapshot_bucket

            asked = Asked(
                basis=read_basis(basis), keep=bool(store), endpoint=endpoint, inventory=inventory, paranoid=paranoid
            )
            taken = snapshot_bucket(session, name, path, asked, on_total=move.expect, on_progress=move)
        else:
            from lineal.app.snapshot import snapshot as take

            taken = take(
                session,
                name,
                Path(path),
                keep=store is not False,
                paranoid=paranoid,
                ahead=ahead,
                engine=engine,
                jobs=jobs,
                on_total=move.expect,
                on_progress=move,
            )
    _emit(terminal, taken)


def _emit(terminal: Terminal, taken: "Snapshotted") -> None:
    def describe() -> dict[str, Any]:
        from lineal.wire.documents import describe_gap, describe_node

        return {
            "version": describe_node(taken.version),
            "new": taken.new,
            "files": taken.files,
            "bytes": taken.bytes,
            "gaps": [describe_gap(gap.code, gap.explanation, gap.about) for gap in taken.gaps],
        }

    state = "recorded" if taken.new else "unchanged: recorded before as"
    line = f"{state} {taken.version.ref}  {short(taken.version.digest)}  {taken.files:,} files, {size(taken.bytes)}"
    if how := taken.version.detail.get("basis_of_identity"):
        bases = taken.version.detail.get("bases") or {how: taken.files}
        line += f", identified by {' and '.join(bases)}"
    terminal.emit_line(describe, line)
    for gap in taken.gaps:
        terminal.note(f"gap: {gap.explanation} [{gap.code}]")
