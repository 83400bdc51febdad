"""What is shown of bytes: nothing that stands where a file was keeps the reader waiting, or passes for it."""

import hashlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import lineal
from lineal.app.collect_dvc import Options, collect_dvc
from lineal.app.life import Known
from lineal.app.restore import restore
from lineal.app.verify import verify_one
from lineal.app.witness import Shown, Witness
from lineal.client import Client
from lineal.core.digest import Digest
from lineal.core.observation import Node, Observation
from lineal.datasets.manifest import write
from lineal.errors import DigestMismatch, ObjectMissing
from lineal.sources.dvc_git import Selection
from lineal.wiring import Settings, create

# The first two messages with one MD5: Wang, Feng, Lai, Yu, "Collisions for Hash Functions", 2004.
ONE = bytes.fromhex(
    "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f8955ad340609f4b30283e488832571415a"
    "085125e8f7cdc99fd91dbdf280373c5bd8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0"
    "e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70"
)
OTHER = bytes(byte ^ 0x80 if place in (19, 45, 59, 83, 109, 123) else byte for place, byte in enumerate(ONE))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "ledger").mkdir()
    create(Settings(), tmp_path / "ledger", "lineal.test/log")
    with lineal.open(str(tmp_path / "ledger"), actor="tester") as opened:
        yield opened


def shown(client: Client, ref: str) -> Shown:
    view = client.session.catalog.resolve(ref)
    return Witness(client.session, deep=True).show(Known(view=view, detail=view.detail))


@pytest.mark.parametrize("what", ["fifo", "device", "folder", "nothing"])
def test_what_is_no_file_is_not_read(client: Client, tmp_path: Path, what: str) -> None:
    (tmp_path / "d").mkdir()
    place = tmp_path / "d" / "empty"
    place.touch()
    taken = client.snapshot("dataset:d", tmp_path / "d", keep=False).version
    assert shown(client, taken.ref).verified is True
    place.unlink()
    if what == "fifo":
        os.mkfifo(place)
    elif what == "device":
        place.symlink_to("/dev/zero")
    elif what == "folder":
        place.mkdir()
    found = shown(client, taken.ref)
    assert found.retrievable is False
    assert found.verified is not True


def _collected(client: Client, folder: Path) -> tuple[str, Path]:
    """Make a repository whose DVC cache holds `ONE`, collect it, and return the version and the file in the cache."""
    oid = hashlib.md5(ONE).hexdigest()
    cached = folder / ".dvc" / "cache" / "files" / "md5" / oid[:2] / oid[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(ONE)
    (folder / ".dvc" / "config").touch()
    (folder / "data.dvc").write_text(f"outs: [{{hash: md5, md5: {oid}, size: {len(ONE)}, path: data}}]\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    for words in (["init", "-q"], ["add", "data.dvc", ".dvc/config"], ["commit", "-qm", "m"]):
        who = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *who, *words], cwd=folder, env=env, check=True)
    collect_dvc(client.session, folder, Selection(), Options())
    (view,) = client.session.catalog.all_nodes("dataset")
    return view.canonical, cached


def test_other_bytes_with_the_same_md5_are_not_what_was_restored_before(client: Client, tmp_path: Path) -> None:
    assert hashlib.md5(OTHER).digest() == hashlib.md5(ONE).digest()
    pinned, cached = _collected(client, tmp_path / "risk")
    first = restore(client.session, pinned, tmp_path / "first")
    assert first.content is not None
    assert restore(client.session, first.content, tmp_path / "again").content == first.content
    for ref in (pinned, first.content):  # nobody fetches them for that, and it says so
        assert [
            (each.code, each.failed) for each in verify_one(client.session, ref).findings if "dvc" in str(each).lower()
        ] == [("dataset.dvc_unseen", False)]
    size = client.session.ledger.reader.size()
    cached.write_bytes(OTHER)
    for number, ref in enumerate((pinned, first.content)):
        assert shown(client, ref).verified is False
        with pytest.raises(DigestMismatch):
            restore(client.session, ref, tmp_path / str(number))
        assert not (tmp_path / str(number) / "data").exists()
    assert client.session.ledger.reader.size() == size
    (tmp_path / "first" / "data").write_bytes(OTHER)
    cached.write_bytes(ONE)
    restore(client.session, pinned, tmp_path / "first", force=True)
    assert (tmp_path / "first" / "data").read_bytes() == ONE


def test_a_version_that_says_it_is_pinned_by_itself_leads_nowhere(client: Client, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_text("a")
    digest = Digest.parse(str(client.snapshot("dataset:d", tmp_path / "d", keep=False).version.digest))
    session, ref = client.session, f"dataset:e@{digest}"
    node = Node(ref=ref, basis="claimed", digest=digest, detail={"stored": "manifest", "pinned": ref})
    session.say(
        Observation(
            type="test.said/1", time=session.clock(), actor="tester", basis="claimed", nodes=(node,), subject=(ref,)
        )
    )
    assert session.catalog.resolve(ref).detail["pinned"] == ref
    with pytest.raises(ObjectMissing):
        restore(session, ref, tmp_path / "out")
    assert shown(client, ref).retrievable is False


@pytest.mark.parametrize("is_there", [True, False])
def test_the_repository_of_a_commit_is_asked_and_not_obeyed(client: Client, tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*words: str) -> str:
        who = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
        done = subprocess.run(["git", *who, *words], cwd=folder, env=env, check=True, capture_output=True)
        return done.stdout.decode().strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "m")
    commit = git("rev-parse", "HEAD") if is_there else "1" * 40
    for name, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", f"ext::touch {tmp_path}/ran"),
        ("protocol.ext.allow", "always"),
    ):
        git("config", name, value)
    digest = Digest.of(b"a tree that is not kept")
    detail = {"commit": commit, "toplevel": str(folder), "dirty": False}
    node = Node(ref=f"code:c@{digest}", basis="observed", version=commit, digest=digest, detail=detail)
    session = client.session
    session.say(
        Observation(
            type="test.said/1", time=session.clock(), actor="t", basis="observed", nodes=(node,), subject=(node.ref,)
        )
    )
    assert shown(client, node.ref).retrievable is is_there
    assert not (tmp_path / "ran").exists()


def _in_a_bucket(client: Client, uri: str, endpoint: str, basis: str) -> str:
    session = client.session
    with session.objects.batch() as batch:
        made = write([], batch.put_bytes)
    ref = f"dataset:far@{made.digest}"
    detail = {"origin": "bucket", "uri": uri, "endpoint": endpoint, "stored": "manifest"}
    node = Node(ref=ref, basis=basis, digest=made.digest, detail={**detail, "objects": {"pins": str(made.digest)}})
    session.say(
        Observation(type="test.said/1", time=session.clock(), actor="t", basis=basis, nodes=(node,), subject=(ref,))
    )
    return ref


def test_no_claim_says_to_which_server_our_keys_go(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ACCESS_KEY_ID", "AKIAEXAMPLE"), ("SECRET_ACCESS_KEY", "s"), ("REGION", "eu-west-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        ref = _in_a_bucket(client, "s3://bucket/p/", endpoint, "claimed")
        verify_one(client.session, ref)
        with pytest.raises(TimeoutError):
            server.accept()


def test_an_address_that_is_none_ends_no_verification(client: Client) -> None:
    ref = _in_a_bucket(client, "s3://b/p/", "http://127.0.0.1:1", "observed")
    assert "dataset.prefix_unseen" in {each.code for each in verify_one(client.session, ref).findings}
