"""What was looked at completely, and what was not: without it, silence proves nothing."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from lineal.core import timestamp

PROOFS: Final = ("digest", "api", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at all resources of one type in one account and region, from `began` to `ended`.

    `complete` says that every such resource was seen: one that was not seen was not there. `type` is ``*`` for all
    types that the source knows.
    """

    source: str
    account: str
    region: str
    type: str
    began: str
    ended: str
    complete: bool

    def describe(self) -> dict[str, Any]:
        """Return the look as it stands in an event body; raise `BadTime`."""
        timestamp.check(self.began)
        timestamp.check(self.ended)
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailSpan:
    """A span of time of a trail in one account and region, the end excluded: everything was delivered, or not.

    `proof` says how that is known, one of `PROOFS`: ``digest`` (a chain of signed digests names every file, and they
    are all there), ``api`` (the service itself was asked for all events), ``none`` (these files were there to read;
    others may be missing). With `missing` = true the span is a hole, and `why` says what is known of it
    (``log_deleted``, ``digest_missing``, ``digest_invalid``, ``logging_stopped``, ``refused`` …).
    """

    account: str
    region: str
    since: str
    until: str
    proof: str
    missing: bool = False
    why: str = ""

    def describe(self) -> dict[str, Any]:
        """Return the span as it stands in an event body; raise `BadTime`."""
        timestamp.check(self.since)
        timestamp.check(self.until)
        return asdict(self)
