"""Chains of digests: which hours of a trail are proven, and where the chain was cut, altered or begun anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core.observation import Gap
from lineal.core.span import Span
from lineal.sources.cloudtrail_digest import Digest, PublicKeys, same_hash

PROVEN, UNSIGNED, FORGED = "proven", "unsigned", "forged"
BACKFILL: Final = "_backfill"


@dataclass(slots=True)
class Hour:
    """One digest and what it is worth: signed and whole (`PROVEN`), with no key to say so, or not what was signed."""

    digest: Digest
    state: str
    faults: set[str] = field(default_factory=set)

    def remember(self, settled: str) -> dict[str, str]:
        """Return what the next look must know if this is the last; after `settled`, more may still be delivered."""
        digest = self.digest
        return {
            "name": digest.file.name, "sha256": digest.sha256, "start": digest.start, "end": digest.end,
            "covered": min(digest.end, settled),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Break:
    """A span between two digests of a chain of which no digest tells; `restarted`: the later one begins a chain."""

    since: str
    until: str
    restarted: bool
    about: str


@dataclass(slots=True)
class Chain:
    """The digests of one trail, account and region in their order, judged; `breaks` and `gaps` are what is wrong."""

    hours: list[Hour] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    contradicted: tuple[str, str] | None = None
    """The hour of the digest before, seen earlier, if a signed one now says that it was another."""
    joins: str = ""
    """Up to when the digests before were taken as covered, if these go on from them."""


def check_chain(digests: Sequence[Digest], before: Mapping[str, Any] | None, keys: PublicKeys) -> Chain:
    """Judge the digests of one chain; `before` is what `Hour.remember` gave of the one before, None for a first look.

    A digest is proven by its own signature, or by a proven one that names it with its hash. Where it is neither signed
    nor named so far, it is `UNSIGNED`.
    """
    chain = Chain()
    ordered = sorted(digests, key=lambda each: (each.end, each.file.name))
    follower: Digest | None = None
    follower_state = UNSIGNED
    for digest in reversed(ordered):
        state = _judge(digest, follower, follower_state, keys)
        chain.hours.append(Hour(digest, state))
        follower, follower_state = digest, state
    chain.hours.reverse()
    for hour in chain.hours:
        if hour.state == FORGED:
            why = "its signature, or the hash by which the next one names it, does not hold"
            chain.gaps.append(Gap("cloudtrail.digest_forged", why, hour.digest.file.key))
    _find_breaks(chain, before)
    return chain


def good_spans(chains: Sequence[Chain], state: str | None = None) -> list[Span]:
    """Return the hours of digests that are whole, those of `state` alone if one is named."""
    found: list[Span] = []
    for chain in chains:
        for number, hour in enumerate(chain.hours):
            digest = hour.digest
            if hour.faults or hour.state == FORGED or state not in (None, hour.state) or BACKFILL in digest.file.trail:
                continue
            start = min(chain.joins, digest.start) if number == 0 and chain.joins else digest.start
            found.append(Span(start, digest.end))
    return found


def _judge(digest: Digest, follower: Digest | None, follower_state: str, keys: PublicKeys) -> str:
    named = follower.previous if follower is not None and _names(follower, digest) else None
    if named is not None and follower_state == PROVEN:
        return PROVEN if same_hash(named.hash, digest.sha256) else FORGED
    signatures = [each for each in (digest.signature, named.signature if named else "") if each]
    verdicts = [keys.holds(digest, each) for each in dict.fromkeys(signatures)]
    if True in verdicts:
        return PROVEN
    if False in verdicts:
        return FORGED
    if named is not None and not same_hash(named.hash, digest.sha256):
        return FORGED
    return UNSIGNED


def _names(follower: Digest, digest: Digest) -> bool:
    return follower.previous is not None and follower.previous.name == digest.file.name


def _find_breaks(chain: Chain, before: Mapping[str, Any] | None) -> None:
    """Note where a digest does not name the one before it as its predecessor."""
    name = str(before["name"]) if before else None
    sha256 = str(before["sha256"]) if before else ""
    end = str(before["end"]) if before else ""
    for hour in chain.hours:
        digest = hour.digest
        about = digest.file.key
        if name is not None and BACKFILL not in digest.file.trail:
            if digest.previous is None:
                chain.breaks.append(Break(end, max(end, digest.start), restarted=True, about=about))
            elif digest.previous.name != name:
                chain.breaks.append(Break(end, max(end, digest.start), restarted=False, about=about))
            elif before and name == before["name"] and not same_hash(digest.previous.hash, sha256):
                chain.contradicted = (str(before["start"]), end)
                why = "the digest before it was read earlier, and was not the one that this one names by its hash"
                chain.gaps.append(Gap("cloudtrail.digest_forged", why, about))
            elif digest.start > end:
                chain.breaks.append(Break(end, digest.start, restarted=False, about=about))
            elif before and name == before["name"]:
                chain.joins = str(before.get("covered", end))
        name, sha256, end = digest.file.name, digest.sha256, max(digest.end, end)
