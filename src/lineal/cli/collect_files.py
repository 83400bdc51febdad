"""`lineal collect files`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal

if TYPE_CHECKING:
    from lineal.app.collect import Collected


def collect_files(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Folders or files with configuration.", show_default=False)
    ],
    taken: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="KIND",
            help="Take them for kubernetes, helm, terraform or file. [default: what each looks like]",
            show_default=False,
        ),
    ] = None,
    cluster: Annotated[
        str, typer.Option("--cluster", metavar="NAME", help="The cluster that manifests are for.")
    ] = "default",
    namespace: Annotated[
        str, typer.Option("--namespace", metavar="NAME", help="The namespace of objects that name none.")
    ] = "default",
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="PREFIX",
            help="What the root is called; of several, what their names begin with. "
            "[default: its repository and path in it, else its whole path]",
            show_default=False,
        ),
    ] = None,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Record configuration that stands in files: Kubernetes manifests, Helm charts, Terraform state, plain files.

    Looking again records what has changed and what is gone. Values of secrets are never recorded.

    Examples: `lineal collect files deploy/` · `lineal collect files rendered.yaml --cluster prod` ·
    `lineal collect files terraform.tfstate --type terraform --name prod/aws`
    """
    from lineal.app.collect_files import Wanted
    from lineal.app.collect_files import collect_files as collect
    from lineal.cli.collecting import emit_together

    terminal = Terminal(as_json=as_json, quiet=quiet)
    done: list[Collected] = []
    roots = _name_roots(list(dict.fromkeys(paths)), name)
    with opened(ledger, actor) as session:
        for path, named in roots:
            wanted = Wanted(taken=taken or "", cluster=cluster, namespace=namespace, name=named)
            with terminal.progress(f"collect files {path}", unit="observations") as move:
                done.append(collect(session, path, wanted, move))
    emit_together(terminal, done)


def _name_roots(paths: list[Path], name: str | None) -> list[tuple[Path, str | None]]:
    """Return each path with the name of its root; two roots of one name would each say that the other is gone."""
    from lineal.errors import UsageError

    if name is None or len(paths) == 1:
        return [(path, name) for path in paths]
    named = [f"{name}/{path.resolve().name}" for path in paths]
    if len(set(named)) != len(named):
        raise UsageError(f"two of the paths would both be called {max(named, key=named.count)!r}; nothing was read")
    return list(zip(paths, named, strict=True))
