"""Recording judgements: what differs from the last one on record of the same thing, some at a time."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from lineal.app.session import Session
from lineal.catalog.acts import last_judgements
from lineal.change.judge import rules_version
from lineal.change.judge_evidence import digest_of_inputs
from lineal.core import canonical
from lineal.core.change import APPROVED, JUDGED, NOT_OBSERVABLE, Judgement, read_judgement
from lineal.core.observation import Observation

_MOST: Final = 500
_MOST_BYTES: Final = 4 * 1024 * 1024 - 65536


class Recorder:
    """Holds judgements against the last ones on record, and records those that differ.

    `resources` (keys) narrow down what is on record; None: all of it. `recorded` is how many went on record.
    """

    def __init__(self, session: Session, resources: Sequence[str] | None, *, enabled: bool) -> None:
        self.recorded = 0
        self._session, self._enabled = session, enabled
        self._resources = None if resources is None else frozenset(resources)
        session.catch_up()
        self._last = last_judgements(session.catalog_database)
        self._seen: set[str] = set()
        self._waiting: list[Judgement] = []
        self._size = 0

    def take(self, judgement: Judgement) -> None:
        """Take one judgement; of each thing the first counts."""
        self._seen.add(judgement.about)
        if not self._enabled or _says_the_same(self._last.get(judgement.about), judgement):
            return
        weight = len(canonical.encode(judgement.describe()))
        if self._waiting and (len(self._waiting) >= _MOST or self._size + weight > _MOST_BYTES):
            self._flush()
        self._waiting.append(judgement)
        self._size += weight

    def used_before(self) -> set[str]:
        """Return the approvals that the judgements on record of things not judged now rest on."""
        return {name for each in self._unseen() for name in each.approvals if each.subject != "approval"}

    def outdated(self) -> Iterator[Judgement]:
        """Yield the last judgements on record that were not made again."""
        for judgement in self._unseen():
            mine = self._resources is None or judgement.resource in self._resources
            if mine or judgement.subject != "change":
                yield judgement

    def _unseen(self) -> list[Judgement]:
        return [read_judgement(json.loads(text)) for about, text in self._last.items() if about not in self._seen]

    def finish(self) -> int:
        """Record what is left; return how many judgements went on record in all."""
        self._flush()
        return self.recorded

    def _flush(self) -> None:
        if not self._waiting:
            return
        self._session.say(
            Observation(
                type=JUDGED,
                time=self._session.clock(),
                actor=self._session.actor,
                basis="verified",
                data={"judgements": [each.describe() for each in self._waiting]},
            )
        )
        self.recorded += len(self._waiting)
        self._waiting.clear()
        self._size = 0


def withdraw(judgement: Judgement, explained: Judgement | None, *, used: bool) -> Judgement | None:
    """Return what holds of a thing that was judged and is not judged any more; None where that is not known.

    An event that now explains a change has that change's verdict, an approval that was used after all is APPROVED, and
    a change that later evidence divided is none any more.
    """
    why = ""
    verdict = judgement.verdict
    if judgement.subject == "event" and explained is not None:
        verdict, why = explained.verdict, f"it explains the change {explained.about}"
    elif judgement.subject == "approval" and used:
        verdict, why = APPROVED, "it was used after all"
    elif judgement.subject == "change":
        verdict, why = (
            NOT_OBSERVABLE,
            "no change any more: what was recorded later divides it into others, or explains it away",
        )
    if not why or judgement.why == why:
        return None
    inputs = digest_of_inputs({"about": judgement.about, "before": judgement.inputs, "why": why})
    return replace(
        judgement, verdict=verdict, why=why, fields=(), approvals=(), inputs=inputs, rules=rules_version(),
        notes=("withdrawn",),
    )  # fmt: skip


def _says_the_same(last: str | None, judgement: Judgement) -> bool:
    """Return whether the document of the last judgement says the same: verdict, inputs and fields."""
    if last is None:
        return False
    # The same inputs and rules give the same fields: no need to read the document then.
    told = {"inputs": judgement.inputs, "rules": judgement.rules, "verdict": judgement.verdict}
    if all(f'"{name}":{json.dumps(value)}' in last for name, value in told.items()):
        return True
    held = read_judgement(json.loads(last))
    return (held.verdict, held.inputs, held.fields) == (judgement.verdict, judgement.inputs, judgement.fields)
