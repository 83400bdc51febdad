"""What a rule concluded of one resource: the four states of AWS Config, never silently nothing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from lineal.core.resource import check_keys
from lineal.errors import Malformed

CONCLUDED: Final = "rules.evaluated/1"
COMPLIANT, NON_COMPLIANT = "COMPLIANT", "NON_COMPLIANT"
NOT_APPLICABLE, INSUFFICIENT = "NOT_APPLICABLE", "INSUFFICIENT_DATA"
STATES: Final = (COMPLIANT, NON_COMPLIANT, NOT_APPLICABLE, INSUFFICIENT)
SEVERITIES: Final = ("informational", "low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """The `state` (one of `STATES`) of `resource` by `rule`, and why; `resource` is ``*`` where a rule met none.

    `evidence` are what it rests on: digests of items, identifiers of events, canonical references, paths of fields.
    `inputs` is the digest of all of it: the same inputs give the same conclusion.
    """

    rule: str
    resource: str
    type: str
    state: str
    severity: str
    explanation: str
    account: str = ""
    region: str = ""
    remedy: str = ""
    evidence: tuple[str, ...] = ()
    inputs: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Return the conclusion as it stands in an event body; raise `BadInput` for names that are too long."""
        check_keys(self.rule, self.resource)
        found = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {name: value for name, value in found.items() if value}


def read_conclusion(document: Mapping[str, Any]) -> Conclusion:
    """Return the conclusion that `describe` gave; raise `Malformed` for any other document."""
    try:
        return Conclusion(**{**document, "evidence": tuple(document.get("evidence", ()))})
    except (TypeError, AttributeError) as error:
        raise Malformed(f"not a conclusion: {error}") from error
