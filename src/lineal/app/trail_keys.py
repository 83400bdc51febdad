"""Public keys with which digests are checked: given in a file, asked of the service, or none."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lineal.core.observation import Gap
from lineal.core.timestamp import shift
from lineal.sources.aws_session import AwsAccess, Refusal, open_aws
from lineal.sources.cloudtrail_digest import PublicKeys, ask_keys, read_keys

Keys = Callable[[str, str, str], tuple[PublicKeys, Gap | None]]
"""Gives the public keys of a region for digests between two moments, and why there are none."""


def find_keys(path: Path | None, *, ask: bool, profile: str | None) -> Keys:
    """Return how keys are had: those in the file `path`, else from the service if it is to be asked.

    Raises `BadInput` for a file that holds none.
    """
    if path is not None:
        given = read_keys(path)
        return lambda _region, _since, _until: (given, None)
    return _Asked(profile).keys if ask else _nobody


@dataclass(slots=True)
class _Asked:
    """Public keys as the service gives them, region by region: each has its own."""

    profile: str | None
    _held: PublicKeys = field(default_factory=PublicKeys)
    _access: dict[str, AwsAccess] = field(default_factory=dict)

    def keys(self, region: str, since: str, until: str) -> tuple[PublicKeys, Gap | None]:
        """Return the keys known, after asking for those of a region; a gap if it does not give them."""
        access = self._access.get(region) or open_aws(region, self.profile)
        self._access[region] = access
        refused = ask_keys(access.client("cloudtrail"), self._held, since, shift(until, hours=1))
        if isinstance(refused, Refusal):
            why = f"without the public keys no digest can be checked: {refused.gap().explanation}"
            return self._held, Gap("cloudtrail.keys_unknown", why, region)
        return self._held, None


def _nobody(_region: str, _since: str, _until: str) -> tuple[PublicKeys, Gap | None]:
    return PublicKeys(), Gap("cloudtrail.keys_unknown", "no public keys were given: --public-keys FILE has them")
