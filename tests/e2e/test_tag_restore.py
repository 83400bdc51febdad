"""`lineal tag` and `lineal restore` as people type them, with the mistakes that people make."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from commandline import Done, Place, make_place


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A ledger with two versions of a dataset, one by reference, and a run; tests leave it as it is."""
    place = make_place(tmp_path_factory.mktemp("shared"))
    (place.folder / "data/sub").mkdir(parents=True)
    (place.folder / "data/a.csv").write_text("id,name\n1,x\n2,y\n")
    (place.folder / "data/sub/b.txt").write_text("one")
    for command in (
        ("snapshot", "dataset:d", "data"),
        ("snapshot", "dataset:ref", "data", "--reference"),
    ):
        ok(place.within(*command))
    (place.folder / "data/a.csv").write_text("id,name\n1,x\n3,z\n")
    ok(place.lineal("snapshot", "dataset:d", "data"))
    ok(place.run("true", options=["--name", "prepare"]))
    return place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = make_place(tmp_path)
    (made.folder / "data").mkdir()
    (made.folder / "data/a.csv").write_text("id,name\n1,x\n")
    ok(made.within("snapshot", "dataset:d", "data"))
    return made


def ok(done: Done) -> Done:
    assert done.status == 0, done.err
    return done


def refused(done: Done, status: int, *words: str) -> None:
    """Hold that a command failed with `status`, in words and not with a traceback, and says what to try."""
    assert done.status == status, (done.status, done.out, done.err)
    assert "Traceback" not in done.err
    for word in (*words, "what to try" if status != 2 or "usage." in done.err else ""):
        assert word in done.err, done.err


def tags(place: Place, ref: str, *more: str) -> Any:
    return ok(place.within("show", ref, "--json", *more)).json()["tags"]


def test_tags_are_set_shown_found_and_removed(place: Place) -> None:
    made = ok(place.lineal("tag", "dataset:d@1", "stage=raw", "note=two words = fine", "--json")).json()
    assert made["node"]["ref"] == "dataset:d@1"
    assert (made["tags"], made["new"]) == ({"note": "two words = fine", "stage": "raw"}, True)
    then = ok(place.within("log", "--json")).json()["entries"][0]["recorded"]
    done = ok(place.within("tag", "dataset:d", "stage=gold", "--remove", "note", "--as", "ana"))
    assert done.out.decode().splitlines() == ["tagged dataset:d@1", "  stage = gold"]
    assert tags(place, "dataset:d@1") == {"stage": "gold"}
    assert tags(place, "dataset:d@1", "--at", then) == {"note": "two words = fine", "stage": "raw"}
    assert [each["ref"] for each in ok(place.within("ls", "--tag", "stage", "--json")).json()["nodes"]] == [
        "dataset:d@1"
    ]
    assert ok(place.within("ls", "--tag", "stage=raw", "--at", then, "--json")).json()["nodes"]
    shown = ok(place.within("show", "dataset:d@1")).out.decode()
    assert "stage = gold" in shown
    assert shown.count("tag.set/1") == 2
    assert "ana" in shown
    ok(place.within("verify", "dataset:d@1"))
    assert ok(place.within("rebuild", "--json")).json()["same"]


MISTAKES: list[tuple[list[str | bytes], str]] = [
    (["dataset:d"], "no tag was given"),
    (["dataset:d", "stage"], "Write stage=VALUE"),
    (["dataset:d", "a=b\x1b[2J"], "control characters"),
    (["dataset:d", b"a=\xff"], "no valid text"),
    (["dataset:d@9", "a=b"], "latest recorded: dataset:d@1"),
    (["stage=gold", "dataset:d"], "not a tag: 'dataset:d'"),
]


def test_mistakes_with_tags_are_told_and_record_nothing(shared: Place) -> None:
    before = ok(shared.within("log", "--json")).json()["entries"]
    for arguments, words in MISTAKES:
        done = shared.lineal("tag", *arguments)
        refused(done, 2, words)
        assert done.out == b""
    assert json.loads(shared.within("tag", "dataset:d", "x", "--json").out)["error"]["code"] == "usage.bad_input"
    assert ok(shared.within("log", "--json")).json()["entries"] == before


def test_ls_by_a_tag_that_nothing_has_says_so(shared: Place) -> None:
    done = ok(shared.within("ls", "--tag", "nothing=here"))
    assert "`lineal tag` sets them" in done.err
    refused(shared.within("ls", "--tag", "=x"), 2, "key of a tag")


def read(folder: Path) -> dict[str, str]:
    return {str(each.relative_to(folder)): each.read_text() for each in folder.rglob("*") if each.is_file()}


def test_a_version_is_restored_as_it_was(shared: Place) -> None:
    target = shared.folder / "restored"
    done = ok(shared.lineal("restore", "dataset:d@1", "restored", "--json")).json()
    assert (done["files"], done["skipped"], done["origin"]) == (2, 0, "object store")
    assert read(target) == {"a.csv": "id,name\n1,x\n2,y\n", "sub/b.txt": "one"}
    again = ok(shared.within("restore", "dataset:d@1", "restored", "--json")).json()
    assert (again["files"], again["skipped"]) == (0, 2)


def test_nothing_is_overwritten_without_being_told_to(shared: Place) -> None:
    target = shared.folder / "mine"
    target.mkdir()
    (target / "a.csv").write_text("my own work")
    (target / "other.txt").write_text("mine, too")
    refused(shared.within("restore", "dataset:d@1", "mine"), 2, "nothing was written", "--force")
    assert read(target) == {"a.csv": "my own work", "other.txt": "mine, too"}
    done = ok(shared.within("restore", "dataset:d@1", "mine", "--force", "--json")).json()
    assert (done["files"], done["others"]) == (2, 1)
    assert read(target)["other.txt"] == "mine, too"


def test_mistakes_with_restore_are_told_and_write_nothing(shared: Place) -> None:
    before = sorted(read(shared.folder / "data"))
    for arguments, status, words in (
        (["dataset:d@7", "x"], 2, "latest recorded"),
        (["run:prepare", "x"], 2, "it has no files to restore"),
        (["dataset:ref@1", "x"], 11, "only the digests"),
        (["dataset:d@1", "data/a.csv"], 2, "cannot restore into"),
        (["dataset:d@1", "x", "--link", "magic"], 2, "no such way of linking"),
    ):
        refused(shared.within("restore", *arguments), status, words)
        assert not (shared.folder / "x").exists()
    assert sorted(read(shared.folder / "data")) == before


def test_links_in_the_target_lead_nowhere(shared: Place, tmp_path: Path) -> None:
    outside, target = tmp_path / "outside", shared.folder / "linked"
    outside.mkdir()
    target.mkdir()
    (target / "sub").symlink_to(outside)
    refused(shared.within("restore", "dataset:d@1", "linked"), 2, "nothing was written")
    refused(shared.within("restore", "dataset:d@1", "linked", "--force"), 2, "link")
    assert list(outside.iterdir()) == []


def test_an_altered_object_is_not_restored(place: Place) -> None:
    for pack in (place.folder / ".lineal/objects/packs").glob("*.pack"):
        os.chmod(pack, 0o644)
        data = pack.read_bytes()
        pack.write_bytes(data.replace(b"id,name\n1,x\n", b"id,name\n1,X\n"))
    done = place.within("restore", "dataset:d@1", "restored")
    refused(done, 10, "digest")
    assert not list((place.folder / "restored").glob("*.csv"))


def test_rows_that_differ_on_the_command_line(shared: Place) -> None:
    plain = ok(shared.lineal("diff", "dataset:d@1", "dataset:d@2"))
    assert "rows  1 added, 1 removed, 1 same" in plain.out.decode()
    assert "--key COLUMN" in plain.err
    found = ok(shared.within("diff", "dataset:d@1", "dataset:d@2", "--key", "id", "--rows", "1", "--json")).json()
    (rows,) = [section for section in found["sections"] if section["name"] == "rows"]
    assert [(each["name"], each["change"]) for each in rows["changes"]] == [("id=3", "added"), ("id=2", "removed")]
    refused(
        shared.within("diff", "dataset:d@1", "dataset:d@2", "--key", "nope"), 2, "no column 'nope'", "It has id, name"
    )
    refused(shared.within("diff", "dataset:d@1", "dataset:d@2", "--rows", "100000"), 2, "at most 1,000")
    assert shared.within("diff", "dataset:d@1", "dataset:d@2", "--exit-code").status == 1
