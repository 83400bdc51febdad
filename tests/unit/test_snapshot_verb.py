"""Recording dataset versions: numbers, names, places; and two who record at the same time."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import lineal
from lineal.app.naming import spell_name
from lineal.app.session import Session
from lineal.app.snapshot import MAX_MEMBERS, snapshot
from lineal.app.verify import verify_one
from lineal.catalog.graph import NOW
from lineal.client import Client
from lineal.core.digest import Digest
from lineal.core.path import unspell
from lineal.core.ref import parse_node
from lineal.errors import BadInput, BadRef
from lineal.wiring import Settings, create, open_session


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    create(Settings(), tmp_path, "lineal.test/log")
    with lineal.open(str(tmp_path), actor="tester") as opened:
        yield opened


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_the_same_content_is_the_same_version(client: Client, tmp_path: Path) -> None:
    data = write(tmp_path / "d", a="1")
    first = client.snapshot("dataset:d", data)
    write(data, a="2")
    second = client.snapshot("dataset:d", data)
    write(data, a="1")
    again = client.snapshot("dataset:d", data)
    assert [each.version.ref for each in (first, second, again)] == ["dataset:d@1", "dataset:d@2", "dataset:d@1"]
    assert [each.new for each in (first, second, again)] == [True, True, False]
    assert client.resolve("dataset:d").ref == "dataset:d@2"
    assert client.snapshot("dataset:other", data).version.ref == "dataset:other@1"


def test_where_it_lies_is_recorded_without_detours(client: Client, tmp_path: Path) -> None:
    data = write(tmp_path / "d", a="1")
    detail = client.snapshot("dataset:d", data / ".." / "d" / ".").version.detail
    assert unspell(detail["path"]) == bytes(data)
    assert detail["stored"] == "dataset"
    assert client.snapshot("dataset:r", data, keep=False).version.detail["stored"] == "manifest"


def test_an_empty_folder_and_an_empty_file(client: Client, tmp_path: Path) -> None:
    empty = write(tmp_path / "e")
    assert client.snapshot("dataset:e", empty).files == 0
    (tmp_path / "f").touch()
    assert client.snapshot("dataset:f", tmp_path / "f").files == 1


def test_the_ledger_itself_is_no_dataset(client: Client, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / ".lineal" / "keys")
    for place in (tmp_path / ".lineal", tmp_path / ".lineal" / "keys" / "log.skey", tmp_path / "link"):
        with pytest.raises(BadInput, match="ledger itself"):
            client.snapshot("dataset:d", place)
    client.snapshot("dataset:all", tmp_path)
    with pytest.raises(BadRef):
        client.snapshot("model:d", tmp_path)


def test_what_holds_a_ledger_of_another_name_is_no_dataset(tmp_path: Path) -> None:
    create(Settings(), tmp_path, "lineal.test/log")
    (tmp_path / "deep").mkdir()
    (tmp_path / ".lineal").rename(tmp_path / "deep" / "ledger")
    data = write(tmp_path / "d", a="1")
    with lineal.open(str(tmp_path / "deep" / "ledger"), actor="tester") as opened:
        for folder in (tmp_path, tmp_path / "deep"):
            with pytest.raises(BadInput, match="private key"):
                opened.snapshot("dataset:d", folder)
        assert opened.snapshot("dataset:d", data).files == 1


def test_a_very_long_path_has_a_name_that_can_be_recorded(client: Client, tmp_path: Path) -> None:
    names = [spell_name(bytes([each]) * 250 + b"/" + b"\xff" * 3000 + b"/end.csv") for each in b"ab"]
    assert names[0] != names[1]
    for name in names:
        assert name.endswith("/end.csv")
        assert str(parse_node(f"file:{name}@{Digest.of(b'')}"))
    assert spell_name(b"short/name") == "short/name"
    with pytest.raises(BadRef, match="too long"):
        client.snapshot("dataset:" + "n" * 3000, write(tmp_path / "d", a="1"))


def test_an_empty_file_does_not_make_them_too_many(client: Client, tmp_path: Path) -> None:
    taken = client.snapshot("dataset:d", write(tmp_path / "d", a="1", b=""))
    assert (taken.files, taken.version.detail["members"]) == (2, "all")


def test_very_many_files_are_not_listed_one_by_one(client: Client, tmp_path: Path) -> None:
    data = write(tmp_path / "d")
    for number in range(MAX_MEMBERS + 1):
        (data / str(number)).write_text(str(number))
    taken = client.snapshot("dataset:d", data, keep=False)
    assert taken.files == MAX_MEMBERS + 1
    assert taken.version.detail["members"].startswith("too many")


def race(folder: Path, jobs: list[tuple[str, Path]]) -> list[str]:
    """Take every snapshot in a thread and a session of its own, all at once; return the versions that came out."""
    found: list[str] = []
    start = threading.Barrier(len(jobs))

    def take(name: str, source: Path) -> None:
        with open_session(Settings(ledger=str(folder), actor="t")) as session:
            start.wait()
            found.append(snapshot(session, name, source, keep=False).version.ref)

    threads = [threading.Thread(target=take, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


def test_numbers_are_dense_however_many_race_for_them(client: Client, tmp_path: Path) -> None:
    jobs = [("dataset:d", write(tmp_path / f"d{number}", a=str(number))) for number in range(12)]
    assert race(tmp_path, jobs) == sorted(f"dataset:d@{number}" for number in range(1, 13))
    assert len(client.session.catalog.of_artifact("dataset", "d", NOW)) == 12


def test_one_content_raced_for_is_one_version_and_the_next_number_is_free(client: Client, tmp_path: Path) -> None:
    data = write(tmp_path / "d", a="1")
    assert race(tmp_path, [("dataset:d", data)] * 8) == ["dataset:d@1"] * 8
    write(data, a="2")
    assert client.snapshot("dataset:d", data).version.ref == "dataset:d@2"
    types = [event["type"] for event in client.session.catalog.events()]
    assert types.count("dataset.snapshotted/1") == 2


def test_a_session_says_nothing_when_there_is_nothing_left_to_say(client: Client) -> None:
    session: Session = client.session
    before = session.ledger.reader.size()
    assert session.say_numbered(lambda: None) is None
    assert session.ledger.reader.size() == before


def findings(client: Client, ref: str) -> list[tuple[str, bool]]:
    return sorted(
        (each.code, each.failed) for each in verify_one(client.session, ref).findings if "log." not in each.code
    )


def test_files_that_were_not_stored_are_read_where_they_were(client: Client, tmp_path: Path) -> None:
    data = write(tmp_path / "d", a="1", b="2", c="3")
    (data / "link").symlink_to("a")
    client.snapshot("dataset:d", data, keep=False)
    assert findings(client, "dataset:d@1") == []
    write(data, a="one")
    (data / "b").unlink()
    assert findings(client, "dataset:d@1") == [("dataset.files_changed", True), ("dataset.files_vanished", True)]
    write(data, b="2", a="1")
    assert findings(client, "dataset:d@1") == []
    data.rename(tmp_path / "elsewhere")
    assert findings(client, "dataset:d@1") == [("dataset.files_unseen", False)]
    client.snapshot("dataset:d", tmp_path / "elsewhere")
    assert client.resolve("dataset:d@1").detail["stored"] == "dataset"
    (tmp_path / "elsewhere" / "a").unlink()
    assert findings(client, "dataset:d@1") == []


def test_one_file_that_was_not_stored(client: Client, tmp_path: Path) -> None:
    file = write(tmp_path / "d", a="1") / "a"
    client.snapshot("dataset:f", file, keep=False)
    assert findings(client, "dataset:f@1") == []
    file.write_text("2")
    assert findings(client, "dataset:f@1") == [("dataset.files_changed", True)]


def test_a_part_of_a_manifest_that_is_gone_is_found_without_the_files(client: Client, tmp_path: Path) -> None:
    client.snapshot("dataset:d", write(tmp_path / "d", a="1"), keep=False)
    for pack in (tmp_path / ".lineal" / "objects" / "packs").iterdir():
        pack.unlink()
    with lineal.open(str(tmp_path)) as again:
        assert ("objects.missing", True) in findings(again, "dataset:d@1")


def test_stored_after_only_its_digests_were(client: Client, tmp_path: Path) -> None:
    data = write(tmp_path / "d", a="1")
    first = client.snapshot("dataset:d", data, keep=False)
    size = client.session.ledger.reader.size()
    again = client.snapshot("dataset:d", data)
    assert (again.version.ref, again.new, again.version.detail["stored"]) == (first.version.ref, False, "dataset")
    assert client.session.ledger.reader.size() == size + 1
    client.snapshot("dataset:d", data)
    client.snapshot("dataset:d", data, keep=False)
    assert client.session.ledger.reader.size() == size + 1
