"""API events: what somebody asked a service to do, as its trail has it (CloudTrail, Kubernetes audit logs)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core import timestamp
from lineal.core.resource import check_keys
from lineal.errors import Malformed

RECORDED: Final = "api.recorded/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiEvent:
    """One call that a trail recorded.

    `id` is the trail's own identifier (CloudTrail's eventID; auditID and stage of Kubernetes). `service` is who was
    called (``sagemaker.amazonaws.com``), `name` the operation. `principal` says in one word who called: the role behind
    an assumed role, else the user (an ARN where there is one); `session` what the session calls itself (role session
    name, source identity, CI build), `via` the service that called on behalf of somebody (``invokedBy``), '' where
    there is none. `targets` are the keys of the resources it is about (`core.resource`). `amends` is the identifier of
    an event that this one corrects. `record` is the whole record as the trail gives it, in canonical spelling.
    `claimed` says that it came without anything that tells where from: whoever could send it could make it up.
    """

    id: str
    time: str
    service: str
    name: str
    account: str
    region: str
    principal: str = ""
    session: str = ""
    via: str = ""
    read_only: bool = False
    error: str = ""
    category: str = "Management"
    amends: str = ""
    targets: tuple[str, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)
    claimed: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """What was asked for, as the record has it; empty where there is nothing."""
        found = self.record.get("requestParameters")
        return found if isinstance(found, dict) else {}

    @property
    def response(self) -> dict[str, Any]:
        """What was answered, as the record has it; empty where there is nothing."""
        found = self.record.get("responseElements")
        return found if isinstance(found, dict) else {}

    def describe(self) -> dict[str, Any]:
        """Return the event as it stands in an event body; what is empty is left out. Raises `BadTime`, `BadInput`."""
        timestamp.check(self.time)
        check_keys(self.id, self.amends, self.service, self.name, self.principal, *self.targets)
        found: dict[str, Any] = {
            "id": self.id, "time": self.time, "service": self.service, "name": self.name,
            "account": self.account, "region": self.region, "category": self.category,
        }  # fmt: skip
        rest = {
            "principal": self.principal, "session": self.session, "via": self.via, "read_only": self.read_only,
            "error": self.error, "amends": self.amends, "targets": list(self.targets), "record": self.record,
            "claimed": self.claimed,
        }  # fmt: skip
        return found | {name: value for name, value in rest.items() if value}


def read_event(document: Mapping[str, Any]) -> ApiEvent:
    """Return the event that `describe` gave; raise `Malformed` for any other document."""
    try:
        return ApiEvent(**{**document, "targets": tuple(document.get("targets", ()))})
    except (TypeError, AttributeError) as error:
        raise Malformed(f"not an API event: {error}") from error
