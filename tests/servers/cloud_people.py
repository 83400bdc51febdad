"""Who calls AWS, as CloudTrail's element userIdentity says it: people, roles and services of the scripts."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Final

CONSOLE: Final = "AWS Internal"


@dataclass(frozen=True)
class Identity:
    """Somebody who calls: of a `kind` of CloudTrail's (``IAMUser``, ``AssumedRole``, ``AWSService``, ``Root``).

    `name` is the user, the role (its ARN) or the service. `session` is how a session of a role calls itself,
    `invoked_by` the service that calls on behalf of them. Without an `agent` it is what the request says.
    """

    kind: str
    name: str
    session: str = ""
    invoked_by: str = ""
    source_ip: str = "203.0.113.10"
    agent: str = ""
    console: bool = False
    source_identity: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Return the access key that this identity signs with."""
        letters = hashlib.sha256(repr((self.kind, self.name, self.session, self.invoked_by)).encode()).hexdigest()
        return ("ASIA" if self.kind == "AssumedRole" else "AKIA") + letters[:16].upper()

    def through(self, service: str) -> "Identity":
        """Return the same identity as `service` (``cloudformation.amazonaws.com``) calls for it."""
        return replace(self, invoked_by=service, source_ip=service, agent=service)

    def describe(self, account: str, created: str) -> dict[str, Any]:
        """Return the element userIdentity; `created` is when the session began."""
        if self.kind == "AWSService":
            return {"type": "AWSService", "invokedBy": self.name}
        said: dict[str, Any] = {"type": self.kind, "accountId": account, "accessKeyId": self.key}
        unique = hashlib.sha256(self.name.encode()).hexdigest()[:17].upper()
        if self.kind == "AssumedRole":
            owner = self.name.split(":")[4]
            bare = self.name.rpartition("/")[2]
            said |= {
                "principalId": f"AROA{unique}:{self.session}",
                "arn": f"arn:aws:sts::{owner}:assumed-role/{bare}/{self.session}",
                "accountId": owner,
                "sessionContext": {
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": f"AROA{unique}",
                        "arn": self.name,
                        "accountId": owner,
                        "userName": bare,
                    },
                    "webIdFederationData": {},
                    "attributes": {"creationDate": created, "mfaAuthenticated": "true" if self.console else "false"},
                },
            }
            if self.source_identity:
                said["sessionContext"]["sourceIdentity"] = self.source_identity
        elif self.kind == "Root":
            said |= {"principalId": account, "arn": f"arn:aws:iam::{account}:root"}
        else:
            said |= {"principalId": f"AIDA{unique}", "arn": f"arn:aws:iam::{account}:user/{self.name}"}
            said["userName"] = self.name
        if self.invoked_by:
            said["invokedBy"] = self.invoked_by
        return said | self.more

    def outside(self) -> dict[str, Any]:
        """Return what the record says of the caller outside userIdentity."""
        agent, place = (CONSOLE, self.source_ip) if self.console else (self.agent, self.source_ip)
        if self.kind == "AWSService":
            agent = place = self.name
        found: dict[str, Any] = {"sourceIPAddress": place, "userAgent": agent}
        return found | ({"sessionCredentialFromConsole": "true"} if self.console else {})


def user(name: str, **more: Any) -> Identity:
    """Return a user of the account."""
    return Identity("IAMUser", name, **more)


def role(arn: str, session: str, **more: Any) -> Identity:
    """Return a session called `session` of the role `arn`."""
    return Identity("AssumedRole", arn, session, **more)


def person(name: str, account: str = "123456789012", *, console: bool = False) -> Identity:
    """Return a person who signs in through the company's directory, as a session of the role ``Engineer``."""
    arn = f"arn:aws:iam::{account}:role/Engineer"
    return role(arn, name, source_identity=name, console=console, source_ip="198.51.100.7")


def autoscaling(account: str = "123456789012") -> Identity:
    """Return Application Auto Scaling, as it acts on SageMaker endpoints: by its service-linked role."""
    service = "sagemaker.application-autoscaling.amazonaws.com"
    name = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    arn = f"arn:aws:iam::{account}:role/aws-service-role/{service}/{name}"
    by = "application-autoscaling.amazonaws.com"
    return role(arn, "AutoScaling-UpdateCapacity", invoked_by=by, source_ip=by, agent=by)
