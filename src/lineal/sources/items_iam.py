"""Configuration of the IAM roles that other resources run as: who may assume them, and what they may do."""

import threading
from collections.abc import Iterator
from typing import Any, Final

from lineal.core.resource import Resource
from lineal.sources.aws_session import Refusal
from lineal.sources.items_reading import Asker, Body, Kind, Seen, guarded, pairs, without

ROLE: Final = "AWS::IAM::Role"
_SERVICE: Final = "iam"


def _read(asker: Asker) -> Iterator[Seen]:
    policies = _Policies(asker)
    names = sorted({asker.resource(ROLE, each).name for each in asker.wishes.roles})

    def make(name: str) -> Iterator[Seen]:
        return guarded(ROLE, name, lambda: _describe(asker, policies, name), "GetRole")

    yield from asker.each(names, make)


def _describe(asker: Asker, policies: "_Policies", name: str) -> Iterator[Seen]:
    role: Body = asker.need(_SERVICE, "GetRole", RoleName=name)["Role"]
    read = asker.clock()
    attached = [policies.describe(each) for each in _list(asker, "ListAttachedRolePolicies", "AttachedPolicies", name)]
    inline = {
        str(each): asker.need(_SERVICE, "GetRolePolicy", RoleName=name, PolicyName=str(each))["PolicyDocument"]
        for each in _list(asker, "ListRolePolicies", "PolicyNames", name)
    }
    joined = [each for policy in attached for each in asker.join("policy", "AWS::IAM::Policy", policy.get("PolicyArn"))]
    yield asker.item(
        asker.resource(ROLE, name),
        {"Role": without(role, "Tags", "RoleLastUsed"), "AttachedPolicies": attached, "InlinePolicies": inline},
        time=read,
        tags=pairs(role.get("Tags")),
        relationships=tuple(dict.fromkeys(joined)),
        created=role.get("CreateDate"),
        # When it was last used is no configuration, and differs at each look.
        extra={"RoleLastUsed": role["RoleLastUsed"]} if role.get("RoleLastUsed") else {},
    )


def _list(asker: Asker, operation: str, key: str, name: str) -> list[Any]:
    return asker.need_list(_SERVICE, operation, key, tokens=("Marker", "Marker"), RoleName=name)


class _Policies:
    """Managed policies, each asked for once: many roles have the same."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._known: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def describe(self, attached: Body) -> dict[str, Any]:
        """Return an attached policy with the version in force; of one that AWS keeps for everybody, its name alone."""
        arn = str(attached["PolicyArn"])
        if arn.split(":")[4] == "aws":
            return dict(attached)
        with self._lock:
            known = self._known.get(arn)
        if known is None:
            policy = self._asker.need(_SERVICE, "GetPolicy", PolicyArn=arn)["Policy"]
            version = str(policy["DefaultVersionId"])
            answer = self._asker.need(_SERVICE, "GetPolicyVersion", PolicyArn=arn, VersionId=version)
            known = {"DefaultVersionId": version, "Document": answer["PolicyVersion"]["Document"]}
            with self._lock:
                self._known[arn] = known
        return {**attached, **known}


def _still(asker: Asker, resource: Resource) -> dict[str, Any] | Refusal:
    return asker.ask(_SERVICE, "GetRole", RoleName=resource.name)


KINDS: Final = (Kind((ROLE,), _read, _still, everywhere=True),)
