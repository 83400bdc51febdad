"""A scripted month of production life: exactly the expected verdicts, and nothing else is judged."""

from collections.abc import Iterator
from dataclasses import dataclass

import month_acts
import month_acts_later
import pytest
from month import Expected, Month, open_month
from month_script import play

from lineal.core.change import NOT_OBSERVABLE, PENDING, UNEXPLAINED, Judgement
from lineal.ledger.verify import verify_ledger


@dataclass(frozen=True)
class Score:
    """What was judged against what was expected: pairs that fit, and what has no partner on either side."""

    pairs: list[tuple[Expected, Judgement]]
    missing: list[Expected]
    extra: list[Judgement]

    @property
    def precision(self) -> float:
        return len(self.pairs) / max(1, len(self.pairs) + len(self.extra))

    @property
    def recall(self) -> float:
        return len(self.pairs) / max(1, len(self.pairs) + len(self.missing))

    def __str__(self) -> str:
        lines = [f"precision {self.precision:.3f}, recall {self.recall:.3f} of {len(self.pairs)} pairs"]
        lines += [f"missing: {each}" for each in self.missing]
        for each in self.extra:
            fields = [(".".join(one.path), one.verdict) for one in each.fields]
            lines.append(f"extra: {each.verdict} {each.subject} {each.resource} {each.since} .. {each.until}")
            lines.append(f"       {each.about} {each.why} {fields}")
        return "\n".join(lines)


def score(expected: list[Expected], judgements: list[Judgement]) -> Score:
    """Pair each expectation with the one judgement that it was about."""
    left = list(judgements)
    pairs, missing = [], []
    for each in expected:
        found = next((judged for judged in left if each.fits(judged)), None)
        if found is None:
            missing.append(each)
        else:
            left.remove(found)
            pairs.append((each, found))
    return Score(pairs, missing, left)


SCRIPT = (month_acts, month_acts_later)  # they put their acts into the script


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    with open_month(tmp_path_factory.mktemp("month")) as made:
        play(made)
        yield made


@pytest.fixture(scope="module")
def scored(month: Month) -> Score:
    return score(month.expected, [judged for judged, _ in month.session.configuration.judgements()])


def test_precision_and_recall_are_one(scored: Score) -> None:
    assert (scored.precision, scored.recall) == (1.0, 1.0), str(scored)
    assert len(scored.pairs) > 60


def test_each_field_is_judged_for_itself(scored: Score) -> None:
    wrong = []
    for expected, judged in scored.pairs:
        if expected.fields is not None:
            found: dict[str, set[str]] = {}
            for each in judged.fields:
                found.setdefault(each.path[0], set()).add(each.verdict)
            if found != {name: {verdict} for name, verdict in expected.fields.items()}:
                wrong.append((expected.act, expected.fields, found))
    assert not wrong


def test_it_says_who(scored: Score) -> None:
    wrong = [
        (expected.act, expected.who, judged.principals)
        for expected, judged in scored.pairs
        if expected.who and not any(expected.who in each.lower() for each in judged.principals)
    ]
    assert not wrong


def test_what_was_judged_too_early_stays_beside_what_came_later(month: Month) -> None:
    for act, verdicts in (
        ("judged too early", PENDING),
        ("the record comes hours late", UNEXPLAINED),
        ("a digest comes a day late", NOT_OBSERVABLE),
    ):
        expected = next(each for each in month.expected if each.act == act)
        told = month.session.configuration.judgements(resources=[expected.resource], every=True)
        about = [each for each, _ in told if each.until == expected.until]
        assert verdicts in {each.verdict for each in about}, act
        last = next(
            each
            for each, _ in month.session.configuration.judgements(resources=[expected.resource])
            if each.until == expected.until
        )
        assert last.verdict == expected.verdict


def test_nothing_is_unexplained_but_what_was_done_behind_the_trail(month: Month, scored: Score) -> None:
    named = [expected.act for expected, judged in scored.pairs if judged.verdict == UNEXPLAINED]
    assert named == [
        "a change behind the trail",
        "a digest comes a day late",
        "one field is explained and one is not",
        "a model is gone",
    ]


def test_what_could_not_be_seen_is_said(month: Month) -> None:
    codes = {gap.code for gap in month.gaps}
    assert "aws.denied" in codes
    assert {code.split(".")[0] for code in codes} >= {"aws", "cloudtrail"}


def test_the_same_evidence_is_judged_once(month: Month) -> None:
    size = month.session.ledger.reader.size()
    month.judge()
    assert month.session.ledger.reader.size() == size


def test_the_ledger_holds(month: Month) -> None:
    assert not [each for each in verify_ledger(month.session.ledger) if each.failed]
