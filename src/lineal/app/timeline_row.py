"""The rows of a timeline: one for each thing that happened, was allowed, was concluded, or was not seen."""

from dataclasses import dataclass
from typing import Final

from lineal.core.change import Edit, Judgement

DEPLOYMENT, RETIREMENT, REGISTRATION, DECISION = "deployment", "retirement", "registration", "decision"
SEEN, CHANGE, EVENT, WINDOW, JUDGEMENT = "seen", "change", "event", "window", "judgement"
TAG, STATEMENT, GAP = "tag", "statement", "gap"
KINDS: Final = (
    DEPLOYMENT, RETIREMENT, REGISTRATION, DECISION, SEEN, CHANGE, EVENT, WINDOW, JUDGEMENT, TAG, STATEMENT, GAP,
)  # fmt: skip
"""Kinds of rows, in the order in which they stand where their times are equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: `kind` (one of `KINDS`) says what it is, `what` says it in a line.

    It happened at `time`; where only bounds are known, after `since` and by `time`; what lasts, lasts until `until`.
    `of` is the key or reference of the thing it is about, `name` and `type` what people call it, `depth` how many
    pointers lead there. `who` did it, from `where`, and `why` is what they said. `verdict` is the last judgement of it,
    with the earlier ones (verdict, moment recorded) in `judged_before`. `recorded` is when the ledger took it, None
    where that was not asked. `id` names the change, event, approval or entry.
    """

    time: str
    kind: str
    what: str
    of: str
    name: str
    type: str
    depth: int = 0
    since: str | None = None
    until: str | None = None
    who: str = ""
    where: str = ""
    why: str = ""
    verdict: str | None = None
    because: str = ""
    judged_before: tuple[tuple[str, str], ...] = ()
    edits: tuple[Edit, ...] = ()
    approvals: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    recorded: str | None = None
    id: str = ""

    @property
    def place(self) -> tuple[str, int, int, str, str]:
        """Where it stands in the order of a timeline."""
        return self.time, KINDS.index(self.kind), self.depth, self.of, self.id


class Verdicts:
    """What was concluded, by what it is about: the last judgement of each, and those before it."""

    def __init__(self, judged: list[tuple[Judgement, str]]) -> None:
        self._of: dict[str, list[tuple[Judgement, str]]] = {}
        for each in sorted(judged, key=lambda pair: pair[1]):
            self._of.setdefault(each[0].about, []).append(each)
        self.told: set[str] = set()

    def last(self, about: str) -> Judgement | None:
        """Return the last judgement of a change, event or approval, and note that a row tells it."""
        self.told.add(about)
        found = self._of.get(about)
        return None if found is None else found[-1][0]

    def before(self, about: str) -> tuple[tuple[str, str], ...]:
        """Return the judgements that the last one took the place of: verdict and moment recorded, oldest first."""
        return tuple((judgement.verdict, taken) for judgement, taken in self._of.get(about, [])[:-1])

    def untold(self) -> list[tuple[Judgement, str]]:
        """Return the last judgement of everything that no row tells, with the moment it was recorded."""
        return [found[-1] for about, found in sorted(self._of.items()) if about not in self.told]
