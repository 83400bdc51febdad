"""`lineal restore`."""

from pathlib import Path
from typing import Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal, size

_Target = Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it.", show_default=False)]
_Force = Annotated[
    bool, typer.Option("--force", help="Replace files that differ; leave files that are not of the version.")
]
_Link = Annotated[
    str | None,
    typer.Option(
        "--link",
        metavar="reflink|hardlink|copy",
        help="How files come from the object store: by default blocks are shared where the file system can, else "
        "copied. A hard link is read-only and a name of the stored object itself.",
        show_default=False,
    ),
]
_Offline = Annotated[bool, typer.Option("--offline", help="Ask no git host: code comes from the ledger's own objects.")]


def restore(
    ref: options.RefArgument,
    target: _Target,
    force: _Force = False,
    link: _Link = None,
    offline: _Offline = False,
    ledger: options.Ledger = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a recorded version back to disk, checking every byte.

    What is there already and right is not written again. Nothing outside DIR is touched.

    Code comes by its commit from its host, or from the ledger's own objects where the host does not give it.
    Files of a bucket or of DVC that were only pinned are fetched, and the digests of their bytes recorded.

    Examples: `lineal restore dataset:transactions@3 /tmp/t3` · `lineal restore model:risk@7 risk.joblib` ·
    `lineal restore code:github.com/acme/risk@4f5e1c2 /tmp/risk` · `lineal restore dataset:big@2 /fast --link hardlink`
    """
    from lineal.app.restore import read_link
    from lineal.app.restore import restore as write
    from lineal.wire.documents import describe_node

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with opened(ledger) as session, terminal.progress(f"restore of {ref}") as move:
        done = write(
            session,
            ref,
            target,
            link=read_link(link),
            offline=offline,
            force=force,
            on_total=move.expect,
            on_progress=move,
        )
    document = {
        "version": describe_node(done.version),
        "target": str(done.target),
        "origin": done.origin,
        "files": done.files,
        "bytes": done.bytes,
        "skipped": done.skipped,
        "others": done.others,
        "content": done.content,
        "lacks": list(done.lacks),
    }
    for each in done.lacks:
        terminal.note(f"note: {each}")
    more = f", {done.skipped:,} there already" if done.skipped else ""
    line = f"restored {done.version.ref} to {done.target}: {done.files:,} files, {size(done.bytes)}{more}"
    terminal.emit(document, lambda out: out.print(f"{line} (from the {done.origin})", markup=False))
