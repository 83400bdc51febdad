"""How each kind of source of a plan is collected: by the very functions behind `lineal collect`."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from lineal.app.collect import Collected, together
from lineal.app.session import Session
from lineal.app.watch_plan import WatchedSource

Move = Callable[[int, int], None]


def collect_source(session: Session, source: WatchedSource, move: Move) -> Collected:
    """Collect `source` once; `move` is told of progress, and may raise. Raises what its collector raises."""
    return _COLLECTORS[source.kind](session, source.options, move)


def _files(session: Session, options: Any, move: Move) -> Collected:
    from lineal.app.collect_files import Wanted, collect_files

    wanted = Wanted(cluster=options.get("cluster", "default"), namespace=options.get("namespace", "default"))
    return together(collect_files(session, Path(path), wanted, move) for path in options["paths"])


def _aws(session: Session, options: Any, move: Move) -> Collected:
    from lineal.app.aws_scopes import open_scopes
    from lineal.app.collect_aws import collect_aws

    scopes = open_scopes(
        options.get("regions", ()),
        options.get("profiles", ()),
        options.get("roles", ()),
        external_id=options.get("external_id"),
        account=options.get("account"),
    )
    return collect_aws(session, scopes, only=options.get("only", ()), on_progress=move)


def _aws_config(session: Session, options: Any, move: Move) -> Collected:
    from lineal.app.collect_aws_config import collect_aws_config

    return collect_aws_config(session, options["place"], on_progress=move)


def _cloudtrail(session: Session, options: Any, move: Move) -> Collected:
    from lineal.app.collect_cloudtrail import TrailRequest, collect_trail
    from lineal.app.trail_lookup import collect_lookup

    request = TrailRequest(
        accounts=tuple(options.get("accounts", ())),
        regions=tuple(options.get("regions", ())),
        profile=options.get("profile"),
    )
    if options.get("lookup"):
        return together(each.collected for each in collect_lookup(session, request, on_progress=move))
    return collect_trail(session, options["place"], request, on_progress=move).collected


def _eventbridge(session: Session, options: Any, move: Move) -> Collected:
    from lineal.app.collect_events import collect_eventbridge

    return collect_eventbridge(session, options["place"], on_progress=move).collected


def _kubernetes_audit(session: Session, options: Any, move: Move) -> Collected:
    from lineal.app.collect_events import collect_kubernetes_audit

    cluster = options.get("cluster", "default")
    return collect_kubernetes_audit(session, options["place"], cluster, on_progress=move).collected


def _sagemaker(session: Session, options: Any, move: Move) -> Collected:
    from lineal.app.aws_scopes import open_scope
    from lineal.app.collect_sagemaker import collect_sagemaker

    def each() -> Iterable[Collected]:
        for region, profile in _places(options):
            scope = open_scope(region, profile)
            yield collect_sagemaker(session, scope, only=options.get("only", ()), on_progress=move)

    return together(each())


def _git(session: Session, options: Any, move: Move) -> Collected:
    from lineal.app.collect_git import Wanted, collect_git

    return collect_git(session, options["repository"], Wanted(), on_progress=move).done


def _places(options: Any) -> list[tuple[str | None, str | None]]:
    """Return every region with every profile; None is what the credentials say."""
    regions: list[str | None] = list(options.get("regions", ())) or [None]
    profiles: list[str | None] = list(options.get("profiles", ())) or [None]
    return [(region, profile) for profile in profiles for region in regions]


_COLLECTORS: Final[dict[str, Callable[[Session, Any, Move], Collected]]] = {
    "aws": _aws,
    "aws-config": _aws_config,
    "cloudtrail": _cloudtrail,
    "eventbridge": _eventbridge,
    "files": _files,
    "git": _git,
    "kubernetes-audit": _kubernetes_audit,
    "sagemaker": _sagemaker,
}
