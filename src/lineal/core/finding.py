"""What a check concluded, with its evidence."""

from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core import path as paths

_MOST_NAMED: Final = 5


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


@dataclass(slots=True)
class FoundPaths:
    """The paths that one finding is about: how many, and the first few by name."""

    count: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, path: bytes) -> None:
        """Take note of one more."""
        self.count += 1
        if len(self.named) < _MOST_NAMED:
            self.named.append(paths.spell(path))

    def __str__(self) -> str:
        more = f", … ({self.count:,} in all)" if self.count > len(self.named) else ""
        return f"{', '.join(self.named)}{more}"
