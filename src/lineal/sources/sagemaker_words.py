"""How what SageMaker says is written down: ARNs, identifiers of runs, moments, values without secrets.

The service model is that of botocore, `sagemaker/2017-07-24`.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lineal.core import canonical, timestamp
from lineal.core.redaction import clean, redact_argv, redact_value, strip_url
from lineal.errors import BadInput

LONGEST: Final = 16 * 1024
_LONGEST_RUN: Final = 128
_LIMIT: Final = 2**53
_DEEPEST: Final = 20
_RESERVED: Final = frozenset({"_tuning_objective_metric", "default_user_module_name"})
# Pairs such as {"Name": "db_password", "Value": …}: of tags, parameters, variables.
_LABELS: Final = ("Name", "Key", "ParameterName")
_VALUES: Final = frozenset({"Value", "DefaultValue", "StringValue", "Values", "EnumValues"})
_ARN: Final = re.compile(
    r"(?P<head>arn:aws[a-z-]*:sagemaker:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):)(?P<kind>[a-z-]+)/(?P<rest>\S+)"
)


@dataclass(frozen=True, slots=True)
class Arn:
    """The name of one thing of SageMaker: ``arn:aws:sagemaker:REGION:ACCOUNT:KIND/REST``."""

    text: str
    region: str
    account: str
    kind: str
    rest: str

    @classmethod
    def parse(cls, text: str) -> "Arn":
        """Return the parts of `text`; raise `BadInput` if it is no ARN of SageMaker."""
        match = _ARN.fullmatch(text)
        if match is None:
            raise BadInput(f"not an ARN of SageMaker: {text[:200]!r}")
        return cls(text, match["region"], match["account"], match["kind"], match["rest"])

    def named(self, name: str) -> tuple[str, ...]:
        """Return the ARN as AWS writes it and, where AWS put the `name` into small letters, with the name as given."""
        if self.rest.casefold() == name.casefold() or self.rest.casefold().startswith(f"{name.casefold()}/"):
            given = f"{self.text[: -len(self.rest)]}{name}{self.rest[len(name) :]}"
            return tuple(dict.fromkeys((self.text, given)))
        return (self.text,)

    def sibling(self, kind: str, name: str) -> tuple[str, ...]:
        """Return the ARNs that a thing called `name` of another kind has in this account and region: as AWS spells it.

        AWS puts the names of some kinds into small letters.
        """
        head = self.text[: -len(f"{self.kind}/{self.rest}")]
        return tuple(dict.fromkeys((f"{head}{kind}/{name}", f"{head}{kind}/{name.lower()}")))

    def run(self, name: str, *more: str) -> str:
        """Return the reference of the run that this names: readable, or with a hash where it would be too long."""
        plain = "-".join(
            re.sub(r"[^0-9A-Za-z._-]", "-", part)
            for part in (f"sagemaker-{self.kind}", self.region, self.account, name, *more)
        )
        if len(plain) > _LONGEST_RUN:
            mark = hashlib.sha256("\n".join((self.text, *more)).encode()).hexdigest()[:24]
            plain = f"{plain[: _LONGEST_RUN - 25].rstrip('-._')}-{mark}"
        return f"run:{plain}"


def small(arn: str) -> str:
    """Return an ARN in small letters, by which it is compared: AWS writes some names so, and users the others."""
    return arn.lower()


def moment(value: object) -> str | None:
    """Return a time of AWS in its canonical spelling; None where there is none."""
    return timestamp.spell(value) if isinstance(value, datetime) and value.tzinfo is not None else None


def plain(value: object, name: str = "", depth: int = 0) -> Any:
    """Return `value` as it can stand in a canonical document: without secrets, decimals as text, nothing endless."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, datetime):
        return moment(value) or str(value)
    if isinstance(value, int):
        return value if -_LIMIT < value < _LIMIT else str(value)
    if isinstance(value, float):
        return canonical.decimal(value)
    if isinstance(value, Mapping | list | tuple) and depth >= _DEEPEST:
        return "(nested deeper)"
    if isinstance(value, Mapping):
        label = next((str(value[each]) for each in _LABELS if value.get(each)), "")
        return {
            text(str(key)): plain(item, label if label and key in _VALUES else str(key), depth + 1)
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, list | tuple):
        words = all(isinstance(item, str) for item in value)  # arguments of a command, perhaps: --token X
        return [plain(item, name, depth + 1) for item in (redact_argv(value)[0] if words else value)]
    return text(str(value), name)


def text(value: str, name: str = "") -> str:
    """Return one text without secrets, cut where it is endless."""
    kept = redact_value(name, clean(value))[0]
    kept = strip_url(kept)[0] if "://" in kept else kept
    return kept if len(kept) <= LONGEST else f"{kept[:LONGEST]}… ({len(kept):,} characters)"


def parameters(values: Mapping[str, object]) -> dict[str, Any]:
    """Return the user's hyper-parameters in the words of a run: name to value and origin."""
    return {
        text(name): {"value": decoded(values[name], name), "origin": "sagemaker"}
        for name in sorted(values)
        if not is_reserved(name)
    }


def is_reserved(name: str) -> bool:
    """Return whether a hyper-parameter is set by the SDK or the tuner, not by the user."""
    return name.startswith("sagemaker_") or name in _RESERVED


def decoded(value: object, name: str = "") -> str:
    """Return a hyper-parameter as the container reads it: all are text, and the SDK writes JSON into them."""
    found = value
    if isinstance(value, str) and len(value) <= LONGEST:
        with suppress(ValueError, RecursionError):
            found = json.loads(value)
    return text(found if isinstance(found, str) else json.dumps(found, sort_keys=True), name)


def number(value: object) -> str | None:
    """Return a metric as decimal text; None if it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(value) if isinstance(value, int) else canonical.decimal(value)


def person(said: object, default: str) -> str:
    """Return who SageMaker says did something (``UserContext``): the Studio user, or else the identity of IAM."""
    if isinstance(said, Mapping):
        name = said.get("UserProfileName")
        identity = said.get("IamIdentity")
        arn = identity.get("Arn") if isinstance(identity, Mapping) else None
        if name:
            return text(f"{name}@{said['DomainId']}" if said.get("DomainId") else str(name))
        if arn:
            return text(str(arn))
    return default
