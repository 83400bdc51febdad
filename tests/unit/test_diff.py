"""Differences of versions and runs: each thing that changed is found, and what is the same is counted."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from lifecycle import PACKAGES, Team, team_in
from lineal.app.comparison import Change, Comparison, Section, compare, flatten, gather
from lineal.app.diff import diff
from lineal.catalog.graph import Moment
from lineal.cli.diff_picture import print_comparison
from lineal.errors import BadRef, UnknownRef
from lineal.wire.documents import describe_difference


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with team_in(tmp_path) as found:
        yield found


def section(found: Comparison, name: str) -> Section:
    (only,) = [each for each in found.sections if each.name == name]
    return only


def changes(found: Comparison, name: str) -> dict[str, tuple[str | None, str | None]]:
    return {change.name: (change.old, change.new) for change in section(found, name).changes}


def step(found: Comparison, name: str) -> Comparison:
    (only,) = [each for each in found.steps if each.name == name]
    return only


def printed(found: Comparison, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    print_comparison(found, Console(file=stream, width=200, color_system=None))
    stream.flush()
    return raw.getvalue().decode(encoding)


def test_two_models_differ_by_what_their_training_differed_in(team: Team) -> None:
    team.cycle(1)
    team.cycle(2)
    found = diff(team.session, "model:risk@1", "model:risk@2").comparison

    assert (found.a, found.b, found.differs) == ("model:risk@1", "model:risk@2", True)
    assert list(changes(found, "model")) == ["digest"]
    assert section(found, "model").same == 1
    train = step(found, "train")
    assert (train.a, train.b) == ("run:train-1", "run:train-2")
    assert changes(train, "parameters") == {"lr": ("0.1", "0.2"), "extra": (None, "on")}
    assert section(train, "parameters").same == 1
    metrics = {each.name: (each.old, each.new, each.delta) for each in section(train, "metrics").changes}
    assert metrics == {"auc": ("0.91", "0.92", "+0.01"), "rows": ("100", "200", "+100")}
    old, new = changes(train, "code")["code:risk"]
    assert (old, (new or "").split(",")[0]) == ("0" * 12, "000000000000 + uncommitted changes")
    assert list(changes(train, "source files")) == ["train.py"]
    assert section(train, "source files").same == 1
    assert changes(train, "packages") == {"numpy": ("2.1.0", "2.2.0")}
    assert section(train, "packages").same == 1
    assert not section(train, "environment").differs
    assert not section(train, "hardware").differs
    assert list(changes(train, "command")) == ["argv"]
    assert list(changes(train, "outputs")) == ["file:model.pkl"]

    prepare = step(train, "prepare")
    assert (prepare.a, prepare.b) == ("run:prepare-1", "run:prepare-2")
    assert not section(prepare, "parameters").differs
    assert list(changes(prepare, "inputs")) == ["dataset:raw"]
    assert changes(prepare, "inputs")["dataset:raw"][0][:3] == "@1 "  # type: ignore[index]
    assert list(changes(prepare, "files of dataset:raw")) == ["a.csv"]
    assert section(prepare, "files of dataset:raw").same == 1


def test_a_thing_does_not_differ_from_itself(team: Team) -> None:
    team.cycle(1)
    for name in (
        "model:risk@1",
        "dataset:raw@1",
        "endpoint:scorer@1",
        "run:train-1",
        "code:risk",
        "environment:python",
    ):
        found = diff(team.session, name, name).comparison
        assert not found.differs, name
        assert "~" not in printed(found)


def test_two_endpoints_differ_by_their_models(team: Team) -> None:
    team.cycle(1)
    team.cycle(2)
    found = diff(team.session, "endpoint:scorer@1", "endpoint:scorer@2").comparison
    assert sorted(changes(found, "configuration")) == ["digest", "model"]
    assert section(found, "configuration").same == 1
    assert changes(found, "endpoint")["model"] == ("model:risk@1", "model:risk@2")
    assert [each.name for each in found.steps] == ["deploy scorer", "model:risk"]
    assert changes(step(step(found, "model:risk"), "train"), "parameters")["lr"] == ("0.1", "0.2")


def test_two_datasets_differ_by_their_files(team: Team) -> None:
    common = {f"{number:03d}.csv": b"%d" % number for number in range(50)}
    team.dataset("raw", {**common, "gone.csv": b"x"}, 1)
    grown = {name: content + b"!" for name, content in common.items() if int(name[:3]) < 30}
    team.dataset("raw", {**common, **grown, "new.csv": b"y"}, 2)
    found = diff(team.session, "dataset:raw@1", "dataset:raw@2").comparison
    files = section(found, "files")
    assert (files.added, files.removed, files.changed, files.same) == (1, 1, 30, 20)
    assert len(files.changes) == 20
    assert "and 12 more" in printed(found)
    back = section(diff(team.session, "dataset:raw@2", "dataset:raw@1").comparison, "files")
    assert (back.added, back.removed, back.changed, back.same) == (1, 1, 30, 20)


def test_a_lost_manifest_is_said_and_the_rest_compared(team: Team) -> None:
    team.dataset("raw", {"a.csv": b"1"}, 1)
    team.dataset("raw", {"a.csv": b"2"}, 2)
    shutil.rmtree(team.session.objects.root)
    found = diff(team.session, "dataset:raw@1", "dataset:raw@2").comparison
    assert list(changes(found, "content")) == ["digest"]
    assert "cannot be compared" in (section(found, "files").note or "")
    assert "cannot be compared" in printed(found)


def test_code_and_environments_are_compared_by_themselves(team: Team) -> None:
    team.cycle(1)
    team.cycle(2)
    catalog = team.session.catalog
    used = [view for view in catalog.all_nodes("code") if "train.py" in str(view.detail) or view.version]
    codes = {view.version: view.canonical for view in used}
    found = diff(team.session, codes[f"{1:040d}"], codes[f"{2:040d}"]).comparison
    assert list(changes(found, "source files")) == ["train.py"]
    environments = [
        view.canonical for view in catalog.all_nodes("environment") if "2.1" in str(view.detail["packages"])
    ]
    other = [view.canonical for view in catalog.all_nodes("environment") if "2.2" in str(view.detail["packages"])]
    found = diff(team.session, environments[0], other[0]).comparison
    assert changes(found, "packages") == {"numpy": ("2.1.0", "2.2.0")}


def test_packages_interpreters_and_records_are_told_apart(team: Team) -> None:
    pickle = team.file("model.pkl", b"m")
    team.run("train", [team.environment()], [pickle])
    fewer = {name: version for name, version in PACKAGES.items() if name != "numpy"}
    team.run("train", [team.environment({**fewer, "polars": "1.0"}, "3.13.0")], [pickle], mechanism="ptrace")
    found = diff(team.session, "run:train-1", "run:train-2").comparison
    assert changes(found, "packages") == {"numpy": ("2.1.0", None), "polars": (None, "1.0")}
    assert changes(found, "environment") == {"interpreter.version": ("3.12.4", "3.13.0")}
    assert changes(found, "command") == {"mechanism": ("seccomp-notify", "ptrace")}
    assert not section(found, "outputs").differs


def test_a_step_that_only_one_side_has(team: Team) -> None:
    raw = team.dataset("raw", {"a.csv": b"1"})
    clean, pickles = team.file("clean.csv", b"c"), [team.file(f"{n}.pkl", b"m%d" % n) for n in (1, 2)]
    team.run("train", [raw], [pickles[0]])
    team.run("prepare", [raw], [clean])
    team.run("train", [clean], [pickles[1]])
    for number, pickle in enumerate(pickles, 1):
        team.register(pickle, number)
    forth = step(diff(team.session, "model:risk@1", "model:risk@2").comparison, "train")
    assert [(each.name, each.a, each.b, each.differs) for each in forth.steps] == [
        ("prepare", None, "run:prepare-1", True)
    ]
    back = diff(team.session, "model:risk@2", "model:risk@1").comparison
    assert step(back, "train").steps[0].a == "run:prepare-1"
    assert "- prepare  run:prepare-1" in printed(back)


def test_different_kinds_and_unknown_names_are_refused(team: Team) -> None:
    team.cycle(1)
    with pytest.raises(BadRef, match="a model and dataset:raw@1 a dataset"):
        diff(team.session, "model:risk@1", "dataset:raw@1")
    with pytest.raises(UnknownRef):
        diff(team.session, "model:risk@1", "model:risk@9")


def test_the_past_has_only_what_was_there(team: Team) -> None:
    team.cycle(1)
    then = Moment(time=team.session.clock())
    team.cycle(2)
    assert not diff(team.session, "model:risk", "model:risk@1", then).comparison.differs
    assert diff(team.session, "model:risk", "model:risk@1").comparison.differs


def test_what_is_printed_fits_its_encoding(team: Team) -> None:
    team.cycle(1)
    team.cycle(2)
    found = diff(team.session, "model:risk@1", "model:risk@2")
    assert "~ auc   0.91 → 0.92  (+0.01)" in printed(found.comparison)
    assert "~ auc   0.91 -> 0.92  (+0.01)" in printed(found.comparison, "ascii")
    assert "same: " in printed(found.comparison)
    document = describe_difference(found)
    assert list(document) == ["old", "new", "name", "a", "b", "differs", "sections", "steps"]
    assert document["old"]["ref"] == "model:risk@1"
    assert list(document["sections"][0]) == ["name", "added", "removed", "changed", "same", "changes", "note"]


@pytest.mark.parametrize(
    ("old", "new", "delta"),
    [
        ("0.1", "0.3", "+0.2"),
        ("1e-7", "2e-7", "+0.0000001"),
        ("5", "4.5", "-0.5"),
        ("nan", "1", None),
        ("1", "inf", None),
        ("1", "1e400", None),
        ("0", "9E+999999999999", None),
        ("a", "b", None),
    ],
)
def test_deltas_are_exact_decimals_or_none(old: str, new: str, delta: str | None) -> None:
    (change,) = compare("metrics", {"m": old}, {"m": new}, numbers=True).changes
    assert change.delta == delta


def test_values_of_every_shape_are_compared_as_text() -> None:
    found = compare("x", {"a": ["b", "c"], "d": 1, "e": True}, {"a": ["b"], "d": 2, "e": True})
    assert [(each.name, each.old, each.new) for each in found.changes] == [("a", "b c", "b"), ("d", "1", "2")]
    assert found.same == 1
    assert flatten({"a": {"b": {"c": 1}, "d": None}, "e": [1]}) == {"a.b.c": 1, "e": [1]}


def test_a_section_counts_all_and_holds_the_first() -> None:
    found = gather("x", (Change(name=str(n), old=None, new="1") for n in range(100)), same=7)
    assert (found.added, len(found.changes), found.same) == (100, 20, 7)
