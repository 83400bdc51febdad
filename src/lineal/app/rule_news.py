"""What rules newly say, as people are told it: what is broken now, and what is mended."""

from collections.abc import Sequence

from lineal.core.conclusion import NON_COMPLIANT, SEVERITIES, Conclusion

Change = tuple[Conclusion, str | None]


def news_of(changed: Sequence[Change]) -> tuple[str, list[str]]:
    """Return a title and a line for each conclusion that is new and broken, or was said otherwise before.

    What was never said before and is not broken is no news. The worst comes first; no news gives no lines.
    """
    told = [each for each in changed if each[0].state == NON_COMPLIANT or each[1] is not None]
    told.sort(key=lambda each: (each[0].state != NON_COMPLIANT, -SEVERITIES.index(each[0].severity), each[0].rule))
    broken = sum(each.state == NON_COMPLIANT for each, _ in told)
    mended = sum(before == NON_COMPLIANT and each.state != NON_COMPLIANT for each, before in told)
    counts = [f"{broken} newly broken" if broken else "", f"{mended} no longer broken" if mended else ""]
    title = f"lineal check: {', '.join(filter(None, counts)) or f'{len(told)} changed'}"
    return title, [tell(each, before) for each, before in told]


def tell(each: Conclusion, before: str | None) -> str:
    """Return one conclusion as a line."""
    was = "" if before is None else f" (was {before})"
    return f"[{each.severity}] {each.state}{was} {each.rule} {each.resource}: {each.explanation}"
