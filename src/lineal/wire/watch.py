"""The documents of `lineal watch --json`: one line for each round."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from lineal.core import timestamp

if TYPE_CHECKING:
    from lineal.app.watch_round import Round


def describe_round(done: "Round", after: datetime | None) -> dict[str, Any]:
    """Return a round: ``round run started ended next sources judged concluded news told failed``."""
    return {
        "round": done.number,
        "run": done.run,
        "started": done.started,
        "ended": done.ended,
        "next": None if after is None else timestamp.spell(after),
        "sources": [
            {
                "name": source.name,
                "run": source.run,
                "seen": source.seen,
                "recorded": source.recorded,
                "gaps": source.gaps,
                "error": None if source.error is None else {"code": source.error[0], "message": source.error[1]},
            }
            for source in done.sources
        ],
        "judged": done.judged,
        "concluded": done.concluded,
        "news": [
            {"word": news.word, "resource": news.resource, "why": news.why, "about": news.about} for news in done.news
        ],
        "told": done.told,
        "failed": {step: {"code": code, "message": said} for step, (code, said) in done.failed.items()},
    }
