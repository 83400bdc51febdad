"""Restoring by name: where the bytes come from, how files are linked, and what is learned of pinned ones."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import lineal
from lineal.app import restore as restore_module
from lineal.app.comparison import Comparison, Section
from lineal.app.diff import diff
from lineal.app.restore import read_link, restore
from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.client import Client
from lineal.core.digest import Digest
from lineal.core.observation import Node, Observation
from lineal.datasets.check import verify_dataset, verify_manifest
from lineal.datasets.contents import Contents
from lineal.datasets.manifest import Entry, entries, load, write
from lineal.datasets.pin import Pin
from lineal.errors import BadManifest, DigestMismatch, ObjectMissing, UsageError
from lineal.wiring import Settings, create

LARGE = bytes(range(256)) * 5000
FILES = {b"a.csv": b"x,y\n1,2\n", b"sub/b.csv": b"z\n"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    create(Settings(), tmp_path, "lineal.test/log")
    with lineal.open(str(tmp_path), actor="tester") as opened:
        yield opened


class Elsewhere:
    """A place that names its files by a version of its own, and gives the bytes it has."""

    def __init__(self, files: dict[bytes, bytes]) -> None:
        self.files = files
        self.fetched: list[bytes] = []

    def copy_into(self, entry: Entry, target: int) -> Digest:
        self.fetched.append(entry.path)
        os.write(target, self.files[entry.path])
        return Digest.of(self.files[entry.path])

    def confirm(self, entry: Entry, descriptor: int) -> Digest | None:
        found = os.pread(descriptor, 1 << 20, 0)
        return Digest.of(found) if found == self.files[entry.path] else None


def pinned(session: Session, files: dict[bytes, bytes]) -> str:
    """Record a version whose files are known by pins only; return its reference."""
    with session.objects.batch() as batch:
        digests = {path: batch.put_bytes(Pin.of(version=f"v{path!r}").encode()) for path in files}
        made = write((Entry(path, "p", digests[path], len(files[path])) for path in sorted(files)), batch.put_bytes)
    ref = f"dataset:far@{made.digest}"
    node = Node(
        ref=ref, basis="observed", version="1", digest=made.digest, detail={"stored": "manifest", "origin": "far"}
    )
    session.say(
        Observation(
            type="dataset.observed/1",
            time=session.clock(),
            actor="tester",
            basis="observed",
            nodes=(node,),
            subject=(ref,),
        )
    )
    return ref


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    place = Elsewhere(dict(FILES))
    real = restore_module._contents

    def choose(session: Session, view: NodeView) -> tuple[Contents | None, str]:
        return (place, "far place") if view.detail.get("origin") == "far" else real(session, view)

    monkeypatch.setattr(restore_module, "_contents", choose)
    return place


def test_pinned_files_become_files_and_their_digests_a_version(client: Client, tmp_path: Path, far: Elsewhere) -> None:
    session = client.session
    ref = pinned(session, FILES)
    done = restore(session, ref, tmp_path / "out")
    assert {path: (tmp_path / "out" / os.fsdecode(path)).read_bytes() for path in FILES} == FILES
    assert (done.origin, done.files) == ("far place", 2)
    assert done.content is not None
    found = session.catalog.resolve(done.content)
    assert (found.basis, found.type, found.detail["pinned"]) == ("verified", "dataset.hashed/1", ref)
    assert found.digest is not None
    manifest = load(Digest.parse(found.digest), session.objects)
    assert list(entries(manifest, session.objects)) == [
        Entry(path, "f", Digest.of(data), len(data)) for path, data in sorted(FILES.items())
    ]
    origin = session.catalog.resolve(ref)
    assert (origin.id, found.id, "same_as") in session.catalog.edges_of(found.id)
    assert client.snapshot("dataset:far", tmp_path / "out").version.digest == found.digest
    assert session.catalog.resolve("dataset:far@1").canonical == ref


def test_a_second_restore_fetches_nothing_and_says_nothing_new(client: Client, tmp_path: Path, far: Elsewhere) -> None:
    session = client.session
    ref = pinned(session, FILES)
    first = restore(session, ref, tmp_path / "out")
    size = session.ledger.reader.size()
    far.fetched.clear()
    again = restore(session, ref, tmp_path / "out")
    assert (again.files, again.skipped, again.content) == (0, 2, first.content)
    assert far.fetched == []
    assert session.ledger.reader.size() == size
    assert first.content is not None
    assert restore(session, first.content, tmp_path / "other").files == 2


def test_other_sizes_than_recorded_are_refused(client: Client, tmp_path: Path, far: Elsewhere) -> None:
    ref = pinned(client.session, FILES)
    far.files[b"sub/b.csv"] = b"longer than recorded"
    size = client.session.ledger.reader.size()
    with pytest.raises(BadManifest, match="sub/b"):
        restore(client.session, ref, tmp_path / "out")
    assert client.session.ledger.reader.size() == size
    assert not (tmp_path / "out" / "sub" / "b.csv").exists()


def test_contents_that_give_other_bytes_than_the_digest_are_refused(
    client: Client, tmp_path: Path, far: Elsewhere
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.csv").write_bytes(b"x,y\n1,3\n")
    taken = client.snapshot("dataset:d", tmp_path / "d", keep=False).version
    with pytest.raises(ObjectMissing):
        restore(client.session, taken.ref, tmp_path / "out")
    node = Node(
        ref=f"dataset:e@{taken.digest}",
        basis="observed",
        digest=Digest.parse(taken.digest or ""),
        detail={"stored": "manifest", "origin": "far"},
    )
    session = client.session
    session.say(
        Observation(type="t.t/1", time=session.clock(), actor="t", basis="observed", nodes=(node,), subject=(node.ref,))
    )
    with pytest.raises(DigestMismatch, match=r"a\.csv"):
        restore(session, node.ref, tmp_path / "out")
    assert not (tmp_path / "out" / "a.csv").exists()


def test_a_pin_is_checked_where_it_is_kept(client: Client) -> None:
    objects = client.session.objects
    digest = Digest.parse(pinned(client.session, FILES).partition("@")[2])
    assert list(verify_dataset(digest, objects)) == []
    bad = write([Entry(b"a", "p", objects.put_bytes(b"no pin"), 3)], objects.put_bytes)
    assert [fault.code for fault in verify_dataset(bad.digest, objects)] == ["datasets.bad_manifest"]
    gone = write([Entry(b"a", "p", Digest.of(b"never stored"), 3)], objects.put_bytes)
    assert [fault.code for fault in verify_dataset(gone.digest, objects)] == ["objects.missing"]


def test_hard_links_are_names_of_loose_objects_and_read_only(client: Client, tmp_path: Path) -> None:
    data = tmp_path / "d"
    data.mkdir()
    (data / "large").write_bytes(LARGE)
    (data / "small").write_bytes(b"small")
    (data / "tool").write_bytes(LARGE + b"x")
    (data / "tool").chmod(0o755)
    client.snapshot("dataset:d", data)
    done = restore(client.session, "dataset:d@1", tmp_path / "out", link="hardlink")
    assert done.files == 3
    stored = client.session.objects.root / "sha256" / Digest.of(LARGE).hex[:2] / Digest.of(LARGE).hex[2:]
    assert os.path.samefile(stored, tmp_path / "out" / "large")
    assert (tmp_path / "out" / "large").stat().st_mode & 0o222 == 0
    assert (tmp_path / "out" / "tool").stat().st_mode & 0o100
    assert stored.stat().st_mode & 0o111 == 0
    assert client.snapshot("dataset:d", tmp_path / "out").version.ref == "dataset:d@1"
    (tmp_path / "out" / "large").unlink()
    assert restore(client.session, "dataset:d@1", tmp_path / "out", link="copy").files == 1
    assert not os.path.samefile(stored, tmp_path / "out" / "large")
    stored.chmod(0o644)
    with stored.open("r+b") as file:
        file.write(b"?")
    with pytest.raises(DigestMismatch):
        restore(client.session, "dataset:d@1", tmp_path / "third", link="hardlink")
    assert not (tmp_path / "third" / "large").exists()


def test_words_for_linking(client: Client, tmp_path: Path, far: Elsewhere) -> None:
    assert [read_link(word) for word in (None, "copy", "reflink")] == [None, "copy", "reflink"]
    with pytest.raises(UsageError, match="symlink"):
        read_link("symlink")
    with pytest.raises(UsageError, match="far place"):
        restore(client.session, pinned(client.session, FILES), tmp_path / "out", link="hardlink")


def test_a_difference_holds_bytes_against_bytes_and_pins_against_pins(
    client: Client, tmp_path: Path, far: Elsewhere
) -> None:
    session = client.session
    first = pinned(session, FILES)
    content = restore(session, first, tmp_path / "out").content
    assert content is not None
    for pair in ((first, content), (content, first)):
        assert not diff(session, *pair).comparison.differs
    second = pinned(session, {**FILES, b"c.csv": b"c\n"})
    found = section_of(diff(session, content, second).comparison)
    assert ([change.name for change in found.changes], found.same, found.note) == (["c.csv"], 2, None)
    write_all_of(tmp_path / "d", {**FILES, b"sub/b.csv": b"q\n", b"a.csv": b"other size"})
    taken = client.snapshot("dataset:d", tmp_path / "d").version.ref
    found = section_of(diff(session, taken, second).comparison)
    assert ([change.name for change in found.changes], found.same) == (["a.csv", "c.csv"], 0)
    assert found.note is not None
    assert found.note.startswith("1 files")
    found = section_of(diff(session, content, taken).comparison)
    assert ([change.name for change in found.changes], found.note) == (["a.csv", "sub/b.csv"], None)


def section_of(found: Comparison) -> Section:
    (only,) = [each for each in found.sections if each.name == "files"]
    return only


def write_all_of(folder: Path, files: dict[bytes, bytes]) -> None:
    for path, data in files.items():
        place = folder / os.fsdecode(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def test_what_stands_for_a_pin_has_to_be_one(client: Client) -> None:
    session = client.session
    with session.objects.batch() as batch:
        made = write([Entry(b"a", "p", batch.put_bytes(b'{"size":"1"}'), 1)], batch.put_bytes)
    assert [fault.code for fault in verify_manifest(made.digest, session.objects)] == ["datasets.bad_manifest"]
    assert [fault.code for fault in verify_dataset(made.digest, session.objects)] == ["datasets.bad_manifest"]


def test_what_was_pinned_and_is_stored_now_comes_from_the_store(client: Client, tmp_path: Path, far: Elsewhere) -> None:
    content = restore(client.session, pinned(client.session, FILES), tmp_path / "out").content
    assert content is not None
    assert client.snapshot("dataset:far", tmp_path / "out").version.canonical == content
    far.files.clear()
    done = restore(client.session, content, tmp_path / "again")
    assert (done.origin, done.files) == ("object store", 2)


def test_a_version_by_content_is_never_other_bytes(client: Client, tmp_path: Path, far: Elsewhere) -> None:
    content = restore(client.session, pinned(client.session, FILES), tmp_path / "out").content
    assert content is not None
    far.files[b"a.csv"] = b"x,y\n1,3\n"
    with pytest.raises(DigestMismatch, match=r"a\.csv"):
        restore(client.session, content, tmp_path / "other")
    assert not (tmp_path / "other" / "a.csv").exists()
