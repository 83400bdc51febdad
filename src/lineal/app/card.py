"""The completeness card of a model or endpoint, as values."""

from dataclasses import dataclass
from typing import Final

from lineal.core.finding import Finding

PHASES: Final = ("data processing", "training", "deployment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One artifact that must be tracked in one phase, and how it stands.

    `tracked`, `immutable`, `retrievable` and `verified` are None where the question does not apply, or was not asked
    of bytes over the limit. `how` says what fixes it, `where` where its bytes were found, `missing` what is wrong and
    `fill` the command that mends it. `step` is the run of the phase that the row belongs to.
    """

    phase: str
    artifact: str
    role: str | None = None
    step: str | None = None
    ref: str | None = None
    required: bool = True
    tracked: bool | None = None
    immutable: bool | None = None
    retrievable: bool | None = None
    verified: bool | None = None
    how: str | None = None
    where: str | None = None
    basis: str | None = None
    digest: str | None = None
    time: str | None = None
    actor: str | None = None
    missing: str | None = None
    fill: str | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing that was asked of it has failed."""
        return False not in (self.tracked, self.immutable, self.retrievable, self.verified)

    @property
    def failed(self) -> bool:
        """Whether it is required and does not hold."""
        return self.required and not self.holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Every row of one model or endpoint, phase by phase, and the findings beside them."""

    ref: str
    digest: str | None
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]

    @property
    def failures(self) -> int:
        """How many required rows do not hold, and how many findings are failures."""
        return sum(row.failed for row in self.rows) + sum(finding.failed for finding in self.findings)

    @property
    def complete(self) -> bool:
        """Whether there is no failure."""
        return not self.failures
