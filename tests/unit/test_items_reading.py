"""How configuration is read: what is asked at the same time, what becomes canonical, what is refused."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from lineal.core.config_item import ConfigItem, Relationship
from lineal.core.observation import Gap
from lineal.core.resource import make_resource, read_arn
from lineal.errors import BadInput, SourceError
from lineal.sources.aws_config_items import KINDS, TYPES, Looked, read_all
from lineal.sources.aws_session import DENIED, MISSING, Refusal
from lineal.sources.items_reading import (
    Asker,
    Kind,
    Lack,
    Present,
    Refused,
    Seen,
    found_in,
    guarded,
    pairs,
    parsed,
)

ACCOUNT = "123456789012"
NOW = "2026-11-25T20:00:00.000000Z"


class Access:
    """Credentials that nobody asks."""

    region = "eu-west-1"

    def __init__(self, partition: str = "aws") -> None:
        self._partition = partition

    def partition(self) -> str:
        return self._partition


def asker(partition: str = "aws") -> Asker:
    return Asker(Access(partition), ACCOUNT, lambda: NOW)  # type: ignore[arg-type]


def kind(name: str, *given: Seen | Exception) -> Kind:
    def read(_asker: Asker) -> Iterator[Seen]:
        for each in given:
            if isinstance(each, Exception):
                raise each
            yield each

    return Kind((name,), read, lambda _asker, _resource: {})


def test_every_type_is_read_once_and_can_be_asked_for_by_name() -> None:
    assert len(TYPES) == len(set(TYPES))
    for kind in TYPES:
        made = make_resource(kind, "123456789012", "eu-west-1", "Name")
        assert read_arn(made.key) is not None, "known by its ARN, as a trail and AWS Config name it"
    assert all(callable(each.still) for each in KINDS)


def test_an_item_is_canonical_and_has_no_secrets() -> None:
    at = asker()
    made = datetime(2026, 1, 2, tzinfo=UTC)
    item = at.item(
        at.resource("AWS::SageMaker::Model", "M"),
        {"Weight": 0.5, "Made": made, "Environment": {"API_KEY": "hunter2hunter2"}, "Big": 2**60},
        tags={"password": "hunter2hunter2"},
        created=made,
        modified="never",
    )
    assert item.configuration == {
        "Weight": "0.5",
        "Made": "2026-01-02T00:00:00.000000Z",
        "Environment": {"API_KEY": "[redacted]"},
        "Big": str(2**60),
    }
    assert (item.tags, item.created, item.modified) == (
        {"password": "[redacted]"}, "2026-01-02T00:00:00.000000Z", None
    )  # fmt: skip
    assert item.resource.key == f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:model/m"
    assert item.digest()


def test_keys_are_of_the_partition_of_the_region() -> None:
    assert asker("aws-cn").resource("AWS::CodeBuild::Project", "p").key.startswith("arn:aws-cn:codebuild:")


@pytest.mark.parametrize(
    ("kind_name", "name", "expected"),
    [
        (
            "AWS::IAM::Role",
            "arn:aws:iam::123456789012:role/a/b/r",
            ("AWS::IAM::Role", "arn:aws:iam::123456789012:role/r"),
        ),
        ("AWS::KMS::Key", "alias/mine", ("AWS::KMS::Alias", f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/mine")),
        ("AWS::S3::Bucket", "b", ("AWS::S3::Bucket", "arn:aws:s3:::b")),
        ("AWS::Other::Thing", "x", ("AWS::Other::Thing", f"AWS::Other::Thing/{ACCOUNT}/eu-west-1/x")),
        ("AWS::S3::Bucket", "a\nb", ("AWS::S3::Bucket", "a\nb")),
    ],
)
def test_a_pointer_is_a_key(kind_name: str, name: str, expected: tuple[str, str]) -> None:
    (found,) = asker().join("how", kind_name, name)
    assert found == Relationship(*expected, "how")


@pytest.mark.parametrize("name", [None, "", "  ", 5, {}])
def test_what_names_nothing_points_to_nothing(name: object) -> None:
    assert list(asker().join("how", "AWS::S3::Bucket", name)) == []


def test_things_come_in_their_order_and_some_at_a_time() -> None:
    at = asker()
    running, most, lock = [0], [0], threading.Lock()

    def make(number: int) -> list[Seen]:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1
        return [Present(at.resource("AWS::CodeBuild::Project", str(number)))]

    taken: list[int] = []

    def given() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    found = []
    for each in at.each(given(), make):
        assert isinstance(each, Present)
        found.append(int(each.resource.name))
        assert len(taken) - len(found) <= 17, "what is asked does not run ahead of what is taken"
    assert found == list(range(100))
    assert most[0] <= 8
    at.close()


def test_after_the_end_nothing_is_asked() -> None:
    at = asker()
    at.stopped.set()
    with pytest.raises(SourceError):
        list(at.each([1], lambda _: []))
    at.close()


def refuse(refusal: Refusal) -> list[Seen]:
    raise Refused(refusal)


def test_a_thing_that_goes_on_the_way_is_nothing_and_any_other_refusal_a_lack() -> None:
    gone = Refusal(MISSING, "DescribeModel", "gone")
    assert list(guarded("T", "a", lambda: refuse(gone), "DescribeModel")) == []
    (lack,) = guarded("T", "a", lambda: refuse(gone), "DescribeEndpoint")
    assert isinstance(lack, Lack)
    assert lack.gap.code == "aws.missing"
    (lack,) = guarded("T", "a", lambda: refuse(Refusal(DENIED, "DescribeModel", "no")), "DescribeModel")
    assert isinstance(lack, Lack)
    assert lack.gap.code == "aws.denied"


@pytest.mark.parametrize("error", [KeyError("x"), TypeError(), BadInput("x"), RecursionError()])
def test_an_answer_that_cannot_be_understood_is_a_lack(error: Exception) -> None:
    def make() -> list[Seen]:
        raise error

    (lack,) = guarded("T", "a", make)
    assert isinstance(lack, Lack)
    assert (lack.gap.code, lack.note) == ("aws.unreadable", False)


def test_a_mistake_of_ours_is_not_hidden() -> None:
    def make() -> list[Seen]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(guarded("T", "a", make))
    at = asker()
    with pytest.raises(ZeroDivisionError):
        list(read_all(at, [kind("A"), kind("B", ZeroDivisionError())]))


def test_each_type_ends_with_whether_it_was_seen_whole() -> None:
    at = asker()
    lack, note = Lack("B", Gap("aws.denied", "no")), Lack("C", Gap("aws.settling", "wait"), note=True)
    kinds = [kind("A"), kind("B", lack), kind("C", note), kind("D", SourceError("away")), kind("E", KeyError("x"))]
    found = list(read_all(at, kinds))
    assert {each.type: each.complete for each in found if isinstance(each, Looked)} == {
        "A": True, "B": False, "C": True, "D": False, "E": False
    }  # fmt: skip
    assert {each.gap.code for each in found if isinstance(each, Lack)} == {
        "aws.denied", "aws.settling", "aws.unreachable", "aws.unreadable"
    }  # fmt: skip
    at.close()


def test_many_failures_one_after_the_other_end_a_type() -> None:
    at = asker()
    found = list(read_all(at, [kind("A", *(Lack("A", Gap("aws.failed", str(n))) for n in range(1000)))]))
    assert len(found) < 30
    assert isinstance(found[-2], Lack)
    assert found[-2].gap.code == "aws.gave_up"
    assert not found[-1].complete  # type: ignore[union-attr]
    at.close()


def test_whoever_does_not_want_the_rest_is_not_held_up() -> None:
    at = asker()
    resource = at.resource("AWS::CodeBuild::Project", "p")
    reading = read_all(at, [kind(str(n), *[Present(resource)] * 500) for n in range(8)])
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert at.stopped.is_set()
    at.close()


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([{"Key": "a", "Value": "b"}, {"key": "c", "value": "d"}], {"a": "b", "c": "d"}),
        ([{"Key": "a"}, {"Value": "b"}, {"Key": 1, "Value": "x"}], {"a": ""}),
        (None, {}),
        ("text", {}),
    ],
)
def test_tags_are_a_table(tags: Any, expected: dict[str, str]) -> None:
    assert pairs(tags) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [('{"a": 1}', {"a": 1}), ("[1]", [1]), ("5", "5"), ("not json", "not json"), (None, None), ({"a": 1}, {"a": 1})],
)
def test_documents_that_stand_as_text_are_read(text: object, expected: object) -> None:
    assert parsed(text) == expected


def test_an_answer_without_its_list_does_not_say_that_a_thing_is_gone() -> None:
    assert found_in({"Stacks": [1]}, "Stacks") == {"Stacks": [1]}
    gone, broken = found_in({"Stacks": []}, "Stacks"), found_in({}, "Stacks")
    assert isinstance(gone, Refusal)
    assert isinstance(broken, Refusal)
    assert (gone.kind, broken.kind) == (MISSING, "failed")


def test_items_are_items() -> None:
    at = asker()
    made = at.item(at.resource("AWS::CodeBuild::Project", "p"), {})
    assert isinstance(made, ConfigItem)
    assert (made.time, made.source, made.shape) == (NOW, "aws", "api")


def test_what_no_event_can_hold_is_a_lack() -> None:
    at = asker()
    item = at.item(at.resource("AWS::CodeBuild::Project", "p"), {"buildspec": "x" * 13_000_000})
    (lack,) = guarded("T", "a", lambda: [item])
    assert isinstance(lack, Lack)
    assert "too large" in lack.gap.explanation
