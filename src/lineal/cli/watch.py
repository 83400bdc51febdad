"""`lineal watch`."""

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal, moment, tame, to_json
from lineal.errors import CheckFailed, NotALedger, Refused, StoreError, StoreUnavailable, UsageError

if TYPE_CHECKING:
    from lineal.app.session import Session
    from lineal.app.watch import SystemClock
    from lineal.app.watch_plan import Plan
    from lineal.app.watch_round import Round

_FIX: Final = "Name sources (lineal watch aws files:conf/), or a file that does: --config watch.yaml."

_Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SOURCE]...",
        help="aws, aws:REGION, cloudtrail:s3://BUCKET/PREFIX, aws-config:PLACE, files:PATH, git:REPO, sagemaker.",
        show_default=False,
    ),
]
_Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="What to watch, how often, whom to tell (YAML).")
]
_Every = Annotated[
    str | None, typer.Option("--every", metavar="SPAN", help="How often to look: 90s, 15m, 6h. [default: 15m]")
]
_Settle = Annotated[
    str | None,
    typer.Option("--settle", metavar="SPAN", help="How long a trail may take before it is judged. [default: 15m]"),
]
_Rules = Annotated[
    list[str] | None,
    typer.Option("--rules", metavar="FILE|SET", help="Rules to check, not the default ones (repeatable)."),
]
_Notify = Annotated[
    list[str] | None, typer.Option("--notify", metavar="URL", help="Tell what is new there (repeatable).")
]
_Once = Annotated[bool, typer.Option("--once", help="One round now; exit 12 if a source failed.")]


def watch(
    sources: _Sources = None,
    config: _Config = None,
    every: _Every = None,
    settle: _Settle = None,
    rules: _Rules = None,
    notify: _Notify = None,
    once: _Once = False,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Collect again and again; explain what changed, check the rules, tell what is new. One watcher for each ledger.

    It can be stopped at any time: what it was recording is recorded. With --json a line for each round.

    Examples: `lineal watch files:conf/ --every 5m` · `lineal watch --config watch.yaml --json` ·
    `lineal watch aws:eu-west-1 cloudtrail:s3://acme-trail --notify mailto://ops.example --once`
    """
    from lineal.app.notify import notify as tell
    from lineal.app.watch import Means, SystemClock
    from lineal.app.watch import watch as run
    from lineal.app.watch_lock import only_watcher
    from lineal.app.watch_source import collect_source

    terminal = Terminal(as_json=as_json, quiet=quiet)
    plan = _plan(tuple(sources or ()), config, every, settle, tuple(rules or ()), tuple(notify or ()))
    _check(plan)
    clock = SystemClock()
    rounds: list[Round] = []

    def on_round(done: "Round", pause: float | None) -> None:
        rounds[:] = [done]
        _show(terminal, done, pause)

    def means(keeper: "Session") -> Means:
        return Means(
            opened=lambda: _opened_again(keeper, ledger, actor),
            collect_one=collect_source,
            tell=tell,
            chance=random.random,
            on_round=on_round,
            on_trouble=lambda error, pause: _show_trouble(terminal, error, pause),
        )

    with opened(ledger, actor) as keeper, only_watcher(keeper) as held, _stopping(clock):
        _tell_of_last(terminal, keeper)
        run(plan, means(keeper), clock, held, once=once)
    if once and rounds and not rounds[0].holds:
        raise typer.Exit(_status(rounds[0]))
    if not once:
        terminal.note("stopped; nothing is half-written")


def _plan(
    words: tuple[str, ...],
    config: Path | None,
    every: str | None,
    settle: str | None,
    rules: tuple[str, ...],
    notify: tuple[str, ...],
) -> "Plan":
    """Return the plan of a file, or of words; options of the command line come before what the file says."""
    from dataclasses import replace

    from lineal.app.watch_config import read_config
    from lineal.app.watch_plan import EVERY, SETTLE, Plan, read_words
    from lineal.core.timestamp import read_length

    if config is not None and (words or every):
        raise UsageError("sources and --every are told by the file of --config", fix="Write them into the file.")
    if config is None and not words:
        raise UsageError("nothing to watch was named", fix=_FIX)
    if config is not None:
        plan = read_config(config)
    else:
        span = EVERY if every is None else read_length(every, "--every")
        plan = Plan(sources=read_words(words, span), settle=SETTLE)
    plan = replace(plan, rules=(*plan.rules, *rules), notify=(*plan.notify, *notify))
    return plan if settle is None else replace(plan, settle=read_length(settle, "--settle"))


@contextmanager
def _opened_again(keeper: "Session", ledger: str | None, actor: str | None) -> "Iterator[Session]":
    """Open the ledger that the watch began with, for a round: that one, and no other that is found in its place.

    Raises `StoreUnavailable` while it is gone (a disk that is not mounted), `Refused` where another one is there.
    """
    embedded = keeper.catalog_database.is_sqlite
    try:
        with opened(str(keeper.ledger.home.root.absolute()) if embedded else ledger, actor) as session:
            if session.ledger.origin != keeper.ledger.origin:
                raise Refused(
                    f"this is the ledger {session.ledger.origin} by now, and {keeper.ledger.origin} is watched",
                    fix="Put the ledger back in its place, or begin anew on this one.",
                )
            yield session
    except NotALedger as error:
        raise StoreUnavailable(
            f"the ledger is gone: {error.message}", fix="Bring it back; it is tried again."
        ) from error


def _check(plan: "Plan") -> None:
    """Refuse rules that cannot be read and addresses that cannot be used, before anything is done."""
    from lineal.app.rule_sets import load_rules

    load_rules(plan.rules)
    if plan.notify:
        from lineal.app.notify import check_urls

        check_urls(plan.notify)


def _tell_of_last(terminal: Terminal, session: "Session") -> None:
    """Say when the watcher before ended, if nobody has watched for long."""
    from lineal.app.watch import last_round

    last = last_round(session, session.clock())
    if last is not None and last.late:
        terminal.note(f"nobody has watched since {moment(last.ended)}: what changed meanwhile has only bounds")


def _status(done: "Round") -> int:
    return 12 if any(source.error is not None for source in done.sources) else CheckFailed.exit_status


@contextmanager
def _stopping(clock: "SystemClock") -> Iterator[None]:
    """Let SIGINT and SIGTERM stop the watch after the present commit; a second one stops it at once."""

    def stop(number: int, _frame: Any) -> None:
        clock.stop()
        signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(terminal: Terminal, done: "Round", pause: float | None) -> None:
    after = None if pause is None else datetime.now(UTC) + timedelta(seconds=pause)
    if terminal.as_json:
        from lineal.wire.watch import describe_round

        terminal.say(to_json(describe_round(done, after)))
        return
    for source in done.sources:
        if source.error is not None:
            line = f"{source.name}: failed: {source.error[1]} [{source.error[0]}]"
        else:
            line = f"{source.name}: {source.seen:,} seen, {source.recorded:,} new on record, {source.gaps:,} gaps"
        terminal.say(tame(f"{moment(done.ended)}  {line}"))
    for step, (code, said) in done.failed.items():
        terminal.say(tame(f"{moment(done.ended)}  {step}: failed: {said} [{code}]"))
    for news in done.news:
        terminal.say(tame(f"{moment(done.ended)}  {news.line}"))


def _show_trouble(terminal: Terminal, error: StoreError, pause: float) -> None:
    said = f"{error.message} [{error.code}]; tried again in {pause:.0f} s"
    if terminal.as_json:
        document = {
            "error": {"code": error.code, "message": error.message, "fix": error.hint},
            "again_in": round(pause),
        }
        terminal.say(to_json(document))
    else:
        terminal.say(tame(f"the ledger: {said}"))
