"""The operators of rules: each says of a value yes, no, or that it cannot be said (None)."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

Answer = bool | None
_NUMBER: Final = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?")


def number(value: Any) -> Decimal | None:
    """Return `value` as a number, None if it is none. Canonical documents spell decimals as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        try:
            return Decimal(value)
        except InvalidOperation:
            return None
    return None


def same(left: Any, right: Any) -> bool:
    """Return whether two values are equal: true is not 1, and a decimal equals its text."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        a, b = number(left), number(right)
        return a is not None and a == b
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


def _order(test: Callable[[Decimal, Decimal], bool]) -> Callable[[Any, Any], Answer]:
    def ask(value: Any, wanted: Any) -> Answer:
        a, b = number(value), number(wanted)
        return None if a is None or b is None else test(a, b)

    return ask


def _within(value: Any, wanted: Any) -> Answer:
    return any(same(value, each) for each in wanted) if isinstance(wanted, list) else None


def _contains(value: Any, wanted: Any) -> Answer:
    if isinstance(value, list):
        return any(same(each, wanted) for each in value)
    if isinstance(value, dict):
        return wanted in value if isinstance(wanted, str) else None
    if isinstance(value, str):
        return wanted in value if isinstance(wanted, str) else None
    return None


def _contains_all(value: Any, wanted: Any) -> Answer:
    answers = [_contains(value, each) for each in wanted] if isinstance(wanted, list) else [None]
    return None if None in answers else all(answers)


def _contains_any(value: Any, wanted: Any) -> Answer:
    answers = [_contains(value, each) for each in wanted] if isinstance(wanted, list) else [None]
    return None if None in answers else any(answers)


def _subset(value: Any, wanted: Any) -> Answer:
    if not isinstance(value, list) or not isinstance(wanted, list):
        return None
    return all(any(same(each, other) for other in wanted) for each in value)


def _like(value: Any, wanted: Any) -> Answer:
    patterns = wanted if isinstance(wanted, list) else [wanted]
    if not isinstance(value, str) or not all(isinstance(each, str) for each in patterns):
        return None
    return any(fnmatchcase(value, each) for each in patterns)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _matches(value: Any, wanted: Any) -> Answer:
    return _pattern(wanted).search(value) is not None if isinstance(value, str) and isinstance(wanted, str) else None


def _starts(value: Any, wanted: Any) -> Answer:
    return value.startswith(wanted) if isinstance(value, str) and isinstance(wanted, str) else None


def _ends(value: Any, wanted: Any) -> Answer:
    return value.endswith(wanted) if isinstance(value, str) and isinstance(wanted, str) else None


def _size(test: Callable[[int, int], bool]) -> Callable[[Any, Any], Answer]:
    def ask(value: Any, wanted: Any) -> Answer:
        counted = number(wanted)
        return None if counted is None or not isinstance(value, list | dict | str) else test(len(value), int(counted))

    return ask


def _empty(value: Any, _wanted: Any) -> Answer:
    if value is None:
        return True
    return len(value) == 0 if isinstance(value, list | dict | str) else None


def _key_in(value: Any, wanted: Any) -> Answer:
    """Say whether a KMS key is one of some: by its ARN or its identifier; what an alias names is not known."""
    if not isinstance(value, str) or not isinstance(wanted, list):
        return None
    if any(value == each for each in wanted):
        return True
    if value.startswith("alias/") or ":alias/" in value:
        return None
    bare = value.rpartition("/")[2]
    return any(bare == str(each).rpartition("/")[2] for each in wanted)


def _place_in(value: Any, wanted: Any) -> Answer:
    """Say whether a place in S3 (``BUCKET/PREFIX``, ``s3://…``, an ARN) is in one of some buckets."""
    if not isinstance(value, str) or not isinstance(wanted, list):
        return None
    return value.removeprefix("s3://").removeprefix("arn:aws:s3:::").partition("/")[0] in wanted


def _not(ask: Callable[[Any, Any], Answer]) -> Callable[[Any, Any], Answer]:
    def denied(value: Any, wanted: Any) -> Answer:
        answer = ask(value, wanted)
        return None if answer is None else not answer

    return denied


OPS: Final[dict[str, Callable[[Any, Any], Answer]]] = {
    "eq": same,
    "ne": _not(same),
    "gt": _order(lambda a, b: a > b),
    "ge": _order(lambda a, b: a >= b),
    "lt": _order(lambda a, b: a < b),
    "le": _order(lambda a, b: a <= b),
    "in": _within,
    "not_in": _not(_within),
    "contains": _contains,
    "not_contains": _not(_contains),
    "contains_all": _contains_all,
    "contains_any": _contains_any,
    "contains_none": _not(_contains_any),
    "subset_of": _subset,
    "like": _like,
    "not_like": _not(_like),
    "matches": _matches,
    "not_matches": _not(_matches),
    "kms_key_in": _key_in,
    "place_in": _place_in,
    "starts_with": _starts,
    "ends_with": _ends,
    "size_ge": _size(lambda a, b: a >= b),
    "size_le": _size(lambda a, b: a <= b),
    "empty": _empty,
    "not_empty": _not(_empty),
}
"""What compares a value that is there with another; see docs/rules.md."""
WORDS: Final = {
    "eq": "be", "ne": "not be", "gt": "be >", "ge": "be >=", "lt": "be <", "le": "be <=", "in": "be one of",
    "not_in": "be none of", "contains": "contain", "not_contains": "not contain", "contains_all": "contain all of",
    "contains_any": "contain one of", "contains_none": "contain none of", "subset_of": "be within", "like": "be like",
    "not_like": "not be like", "matches": "match", "not_matches": "not match", "kms_key_in": "be one of the keys",
    "place_in": "be in one of", "starts_with": "begin with", "ends_with": "end with", "size_ge": "have at least",
    "size_le": "have at most", "empty": "be empty", "not_empty": "not be empty",
}  # fmt: skip
"""What a value must do that an operator asks for, before the value it is compared with."""
BARE: Final = frozenset({"empty", "not_empty", "present", "absent"})
"""Operators that take no value."""
ABSENCE: Final = frozenset({"present", "absent"})
"""Operators that answer also where there is no value; null counts as absent."""
