"""What SageMaker says, written down: identifiers within the grammar, values within the limits, no secrets."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core import canonical, ref
from lineal.errors import BadInput
from lineal.sources.sagemaker_words import Arn, decoded, moment, number, parameters, person, plain, text

JOB = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/train-1"


def test_an_arn_has_both_spellings() -> None:
    assert Arn.parse(JOB).named("Train-1") == (JOB, JOB[: -len("train-1")] + "Train-1")
    assert Arn.parse(JOB).named("train-1") == (JOB,)
    package = Arn.parse("arn:aws:sagemaker:eu-west-1:123456789012:model-package/risk/3")
    assert package.named("Risk")[1].endswith("model-package/Risk/3")


@pytest.mark.parametrize("wrong", ["", "arn:aws:s3:::bucket", JOB.replace("123456789012", "12"), f"{JOB} x"])
def test_what_is_no_arn_is_refused(wrong: str) -> None:
    with pytest.raises(BadInput):
        Arn.parse(wrong)


@given(st.text(min_size=1, max_size=300), st.lists(st.text(max_size=40), max_size=2))
def test_every_name_gives_a_run_within_the_grammar(name: str, more: list[str]) -> None:
    run = Arn.parse(JOB).run(name, *more)
    assert str(ref.parse_node(run)) == run


def test_long_names_stay_apart() -> None:
    long = [Arn.parse(f"{JOB}{'x' * 200}{end}").run(f"{'x' * 200}{end}") for end in "ab"]
    assert long[0] != long[1]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(_JSON)
def test_whatever_aws_answers_can_be_recorded(value: object) -> None:
    canonical.encode(plain(value))


def test_nesting_without_end_ends() -> None:
    value: object = "x"
    for _ in range(500):
        value = {"a": [value]}
    canonical.encode({"detail": {"sagemaker": {"described": plain(value)}}})


def test_secrets_go_by_their_names_and_shapes() -> None:
    said = plain({"Environment": {"DB_PASSWORD": "hunter2hunter2", "URL": "https://me:hunter2hunter2@x/y"}})
    assert "hunter2" not in str(said)
    assert parameters({"api_key": '"hunter2hunter2"'})["api_key"]["value"] == "[redacted]"


@pytest.mark.parametrize(
    "said",
    [
        {"ContainerArguments": ["--db-password", "hunter2hunter2", "--rows", "5"]},
        {"Parameters": [{"Name": "DbPassword", "Type": "String", "DefaultValue": "hunter2hunter2"}]},
        [{"Key": "api_token", "Value": "hunter2hunter2"}],
        {"Environment": {"ApiKey": ["hunter2hunter2"]}},
    ],
)
def test_secrets_go_from_arguments_and_pairs(said: object) -> None:
    assert "hunter2" not in str(plain(said))


def test_endless_text_is_cut_and_says_so() -> None:
    assert len(text("x" * 10**6)) < 20_000
    assert text("x" * 10**6).endswith("(1,000,000 characters)")


def test_hyperparameters_are_read_as_the_container_reads_them() -> None:
    said = {"lr": '"0.1"', "depth": "3", "layers": "[1, 2]", "name": "plain", "sagemaker_program": '"t.py"'}
    found = {name: each["value"] for name, each in parameters(said).items()}
    assert found == {"lr": "0.1", "depth": "3", "layers": "[1, 2]", "name": "plain"}
    assert decoded("{broken") == "{broken"


def test_moments_are_in_utc() -> None:
    there = datetime(2026, 3, 3, 14, 5, tzinfo=timezone(timedelta(hours=2)))
    assert moment(there) == "2026-03-03T12:05:00.000000Z"
    assert moment("2026") is None
    assert moment(datetime(2026, 3, 3)) is None  # noqa: DTZ001


def test_numbers_and_people() -> None:
    assert (number(1), number(0.5), number("x"), number(True)) == ("1", "0.5", None, None)
    assert person({"UserProfileName": "bob", "DomainId": "d-1"}, "x") == "bob@d-1"
    assert person({"IamIdentity": {"Arn": "arn:aws:iam::1:user/bob"}}, "x") == "arn:aws:iam::1:user/bob"
    assert person({}, "nobody") == "nobody"
    assert person(None, "nobody") == "nobody"
