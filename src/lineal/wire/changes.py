"""The documents of `--json` for explanations of changes, and for approvals of them."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from lineal.core.change import VERDICTS
from lineal.wire.timeline import describe_change

if TYPE_CHECKING:
    from lineal.app.approve_change import Allowed
    from lineal.app.explain import Explained
    from lineal.change.watermark import Coverage
    from lineal.core.change import Change, Judgement


def describe_explained(found: "Explained", judgements: "list[Judgement]") -> dict[str, Any]:
    """Return an explanation: ``judgements counts resources changes events failed recorded trail``.

    `judgements` are those to be told; ``counts`` count all, by verdict.
    """
    counts = Counter(each.verdict for each in found.judgements)
    return {
        "judgements": [_describe_judged(each, found.changes.get(each.about)) for each in judgements],
        "counts": {verdict: counts.get(verdict, 0) for verdict in VERDICTS},
        "resources": found.resources,
        "changes": len(found.changes),
        "events": found.events,
        "failed": found.failed,
        "recorded": found.recorded,
        "trail": [
            {"account": account, "region": region, **_describe_coverage(each)}
            for (account, region), each in sorted(found.trail.items())
        ],
    }


def _describe_judged(judgement: "Judgement", change: "Change | None") -> dict[str, Any]:
    """Return a judgement as it stands in the ledger, with the ``change`` it is about and where that was."""
    if change is None:
        return {**judgement.describe(), "change": None}
    place = {name: getattr(change, name) for name in ("resource", "type", "account", "region")}
    return {**judgement.describe(), "change": {**place, **describe_change(change)}}


def describe_allowed(found: "Allowed") -> dict[str, Any]:
    """Return approvals that were given: ``approvals new passed notes``; ``new`` are identifiers."""
    return {
        "approvals": [each.describe() for each in found.approvals],
        "new": [each.id for each in found.new],
        "passed": found.passed,
        "notes": list(found.notes),
    }


def _describe_coverage(coverage: "Coverage") -> dict[str, Any]:
    return {
        "covered": [{"since": since, "until": until} for since, until in coverage.covered],
        "missing": [{"since": each.since, "until": each.until, "why": each.why} for each in coverage.missing],
        "watermark": coverage.watermark or None,
    }
