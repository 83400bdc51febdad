"""One round of a watcher: collect what is due, explain what changed, check the rules, tell what is new."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lineal.app.collect import Collected, Collection, collect, last_covered
from lineal.app.session import Session
from lineal.app.watch_news import News, read_news
from lineal.app.watch_plan import Plan, WatchedSource
from lineal.core.observation import Gap
from lineal.errors import DigestMismatch, IntegrityError, LinealError, SourceError, StoreError

SOURCE: Final = "watch"
SCOPE: Final = "rounds"

Collect = Callable[[Session, WatchedSource, Callable[[int, int], None]], Collected]
Tell = Callable[[Sequence[str], str, Sequence[str]], Sequence[str]]
"""Sends lines under a title to addresses, and returns a warning for each that did not take them."""


class Stopping(BaseException):
    """Whoever watches was asked to stop, and what was being recorded is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDone:
    """What became of one source: its collection, or the error that it failed with (its code and message)."""

    name: str
    run: str | None = None
    seen: int = 0
    recorded: int = 0
    gaps: int = 0
    error: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round did. `failed` are the steps after collecting that failed: code and message, by step.

    `told` says whether the `news` reached everybody they are for; if not, the next round tells them again.
    """

    number: int
    started: str
    ended: str
    sources: tuple[SourceDone, ...]
    judged: int
    concluded: int
    news: tuple[News, ...]
    told: bool
    failed: dict[str, tuple[str, str]]
    run: str | None = None

    @property
    def holds(self) -> bool:
        """Whether everything went well."""
        return not self.failed and all(source.error is None for source in self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a round is to do: the `due` sources of the `plan`; `jump` is by how many seconds the clock was set."""

    number: int
    plan: Plan
    due: tuple[WatchedSource, ...]
    jump: float = 0.0


def run_round(session: Session, asked: Asked, collect_one: Collect, tell: Tell, stop: Callable[[], bool]) -> Round:
    """Carry out one round and record it.

    What fails is told as what it is, and stops nothing else. Raises `Stopping` between two commits when `stop` says
    so, `IntegrityError` branches, and `StoreError` branches when the ledger cannot be used.
    """

    def move(_seen: int, _recorded: int) -> None:
        if stop():
            raise Stopping

    started = session.clock()
    before = last_covered(session, SOURCE, SCOPE)
    begun = before.get("told_up_to")
    begun = begun if isinstance(begun, int) and begun <= session.ledger.reader.size() else session.ledger.reader.size()
    done = []
    for source in asked.due:
        move(0, 0)
        done.append(_collect(session, source, collect_one, move))
    failed: dict[str, tuple[str, str]] = {}
    move(0, 0)
    judged = _step(failed, "explain", lambda: _explain(session, asked.plan))
    move(0, 0)
    concluded = _step(failed, "rules", lambda: _check(session, asked.plan))
    move(0, 0)
    end = session.ledger.reader.size()
    news = tuple(read_news(session, begun, end))
    if news and asked.plan.notify:
        title = f"Lineal: {len(news)} to look at"
        _step(failed, "notify", lambda: _tell(tell, asked.plan.notify, title, [each.line for each in news]))
    told = "notify" not in failed
    found = Round(
        number=asked.number, started=started, ended=session.clock(), sources=tuple(done), judged=judged,
        concluded=concluded, news=news, told=told, failed=failed,
    )  # fmt: skip
    run = _record(session, found, asked, end if told else begun)
    return replace(found, run=run)


def _collect(
    session: Session, source: WatchedSource, collect_one: Collect, move: Callable[[int, int], None]
) -> SourceDone:
    try:
        found = collect_one(session, source, move)
    except DigestMismatch as error:  # of what a source gave: it is damaged, and no other is, nor is the ledger
        return SourceDone(name=source.name, error=(error.code, error.message))
    except (IntegrityError, StoreError):
        raise
    except LinealError as error:
        return SourceDone(name=source.name, error=(error.code, error.message))
    except Exception as error:  # noqa: BLE001  # a bug in what reads one source must not end the watch over the others
        return SourceDone(name=source.name, error=("bug", f"unexpected {type(error).__name__}: {error}"))
    return SourceDone(name=source.name, run=found.run, seen=found.seen, recorded=found.recorded, gaps=len(found.gaps))


def _step(failed: dict[str, tuple[str, str]], name: str, act: Callable[[], int]) -> int:
    try:
        return act()
    except (IntegrityError, StoreError):
        raise
    except LinealError as error:
        failed[name] = (error.code, error.message)
    except Exception as error:  # noqa: BLE001  # the round goes on, and says what went wrong
        failed[name] = ("bug", f"unexpected {type(error).__name__}: {error}")
    return 0


def _explain(session: Session, plan: Plan) -> int:
    from lineal.app.explain import explain

    return explain(session, settle_seconds=plan.settle).recorded


def _check(session: Session, plan: Plan) -> int:
    from lineal.app.check_rules import check_rules
    from lineal.app.rule_sets import load_rules

    return check_rules(session, load_rules(plan.rules)).recorded


def _tell(tell: Tell, urls: Sequence[str], title: str, lines: Sequence[str]) -> int:
    warnings = tell(urls, title, lines)
    if warnings:
        raise SourceError("; ".join(warnings))
    return len(lines)


def _record(session: Session, done: Round, asked: Asked, told_up_to: int) -> str:
    """Record the round: that somebody watched, until when, and what could not be looked at."""
    gaps = [
        Gap("watch.source_failed", f"{source.name} could not be collected: {source.error[1]} [{source.error[0]}]", None)
        for source in done.sources
        if source.error is not None
    ]
    gaps += [Gap("watch.step_failed", f"{step} failed: {said} [{code}]") for step, (code, said) in done.failed.items()]
    if asked.jump:
        gaps.append(Gap("watch.clock_set", f"the clock was set by {asked.jump:+.0f} seconds since the round before"))
    covered: dict[str, Any] = {
        "round": done.number,
        "started": done.started,
        "every": min(source.every for source in asked.plan.sources),
        "sources": {source.name: source.error[0] if source.error else "finished" for source in done.sources},
        "told_up_to": told_up_to,
    }
    return collect(session, Collection(SOURCE, SCOPE, covered), gaps).run
