"""What a check concluded, with its evidence."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One conclusion: a stable `code`, what it is `about`, an `explanation`, and whether the check `failed` by it.

    A finding that is no failure is something to know: entries not signed yet, a body erased on record.
    """

    code: str
    about: str
    explanation: str
    failed: bool = True

    def describe(self) -> dict[str, Any]:
        """Return the finding as a document."""
        return {"code": self.code, "about": self.about, "explanation": self.explanation, "failed": self.failed}
