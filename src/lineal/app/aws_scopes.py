"""Which accounts and regions of AWS are looked at, and with whose credentials."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lineal.core.resource import read_arn
from lineal.errors import BadInput, SourceError
from lineal.sources.aws_role import assume_role
from lineal.sources.aws_session import AwsAccess, Refusal, ask, open_aws

ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsScope:
    """One account and region, and how it is asked; where nobody may ask, `error` says why.

    The `account` is None where it is not known: nothing can be recorded of it then.
    """

    account: str | None
    region: str
    access: AwsAccess | None = None
    error: SourceError | None = None

    @property
    def name(self) -> str:
        """What the collections of this scope are called."""
        return f"{self.account or 'unknown account'} {self.region}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One account and region, and how it is asked; the account is None where STS cannot be asked."""

    access: AwsAccess
    account: str | None

    @property
    def name(self) -> str:
        """What the collections of this scope are called."""
        return f"{self.account or 'unknown account'} {self.access.region}"


def open_scope(region: str | None = None, profile: str | None = None) -> Scope:
    """Return the scope that these credentials can ask; raises what `open_aws` and `AwsAccess.account` raise."""
    access = open_aws(region, profile)
    return Scope(access=access, account=access.account())


def open_scopes(
    regions: Sequence[str] = (),
    profiles: Sequence[str] = (),
    roles: Sequence[str] = (),
    *,
    external_id: str | None = None,
    account: str | None = None,
) -> list[AwsScope]:
    """Return the scopes that the credentials of `profiles`, or `roles` assumed with one of them, can ask.

    Without regions it is that of the credentials; ``all`` stands for those that the account has enabled. `account` is
    the number of the account where STS cannot be asked for it. Credentials that are refused make scopes with an
    `error`. Raises `BadInput` for words that cannot be, and `SourceError` where the regions cannot be listed.
    """
    if roles and len(profiles) > 1:
        raise BadInput("roles are assumed with the credentials of one profile", fix="Give --profile once.")
    for role in roles:
        if (found := read_arn(role)) is None or found.type != "AWS::IAM::Role":
            raise BadInput(f"not the ARN of a role: {role[:200]!r}", fix="arn:aws:iam::123456789012:role/NAME")
    named = next((each for each in regions if each != ALL), None)
    scopes: list[AwsScope] = []
    for profile in profiles or (None,):
        base = open_aws(named, profile)
        for whose in roles or (None,):
            scopes += _open(base, whose, regions, external_id, account)
    # Two profiles may be of one account: it is looked at once.
    return list({(each.account or id(each), each.region): each for each in reversed(scopes)}.values())[::-1]


def _open(
    base: AwsAccess, role: str | None, regions: Sequence[str], external_id: str | None, account: str | None
) -> list[AwsScope]:
    given = [each for each in dict.fromkeys(regions) if each != ALL] or [base.region]
    told = read_arn(role) if role is not None else None
    known = account if told is None else told.account
    try:
        access = base if role is None else assume_role(base, role, external_id)
        found = access.account()
        if found is None and known is None:
            raise SourceError(
                "STS cannot be reached, or does not say whose credentials these are",
                fix="Check the network and the region, or give the number of the account: --account 123456789012",
            )
        if None not in (found, known) and found != known:
            raise BadInput(f"these are credentials of the account {found}, not of {known}")
        every = list(dict.fromkeys([*(r for r in regions if r != ALL), *_enabled(access)])) if ALL in regions else given
    except SourceError as error:
        return [AwsScope(account=known, region=each, error=error) for each in given]
    return [AwsScope(account=found or known, region=each, access=AwsAccess(access.session, each)) for each in every]


def _enabled(access: AwsAccess) -> list[str]:
    """Return the regions that the account has enabled; raise `SourceError` where EC2 does not say them."""
    answer = ask(access.client("ec2"), "DescribeRegions")
    if isinstance(answer, Refusal):
        raise SourceError(
            f"the regions of the account cannot be listed: {answer.text}",
            fix="Name them: --region eu-west-1 --region us-east-1, or allow ec2:DescribeRegions.",
        )
    told = answer.get("Regions") or ()
    return sorted(str(each["RegionName"]) for each in told if each.get("OptInStatus") != "not-opted-in")
