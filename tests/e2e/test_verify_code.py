"""What `verified` says of a commit, with a real host over HTTP, real signatures, and hosts that are gone or lie."""

import contextlib
import getpass
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from git_world import GIT, World, codes, git, make_world

from kit import until
from lineal.app.verify_code import stored_tree
from lineal.core.digest import Digest
from lineal.core.observation import Node, Observation
from lineal.core.repository import parse
from lineal.datasets import manifest
from lineal.datasets.manifest import Entry
from lineal.errors import BadInput, IntegrityError, SourceError
from lineal.sources.git_protection import open_protection
from servers.git_http import PASSWORD, TOKEN, USER

pytestmark = GIT
QUESTIONS = ("exists", "reachable", "signature", "tree")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch) as made:
        yield made


def verdict(world: World, place: Path | str, **wanted: Any) -> dict[str, Any]:
    """Collect one commit, verify it, and return what was answered."""
    (version,) = world.collect(place, verify=True, **wanted).versions
    found: dict[str, Any] = version["verification"]
    return found


def answers(found: dict[str, Any]) -> list[bool | None]:
    return [found[each]["holds"] for each in QUESTIONS]


def test_a_commit_of_the_default_branch_is_verified(world: World) -> None:
    folder = world.repository()
    url = world.publish(folder)
    found = verdict(world, url)
    assert (found["holds"], answers(found)) == (True, [True] * 4)
    assert found["reachable"]["refs"] == ["refs/heads/main"]
    assert found["reachable"]["basis"] == "by pattern"
    assert found["signature"]["state"] == "unsigned"
    commit = git(folder, "rev-parse", "HEAD")
    view = world.session.catalog.resolve(commit)
    facts = world.session.catalog.facts([view.id])
    assert [(fact.type, fact.basis) for fact in facts] == [
        ("code.collected/1", "observed"),
        ("code.verified/1", "verified"),
    ]
    assert found["tree"]["tree"] == git(folder, "rev-parse", "HEAD^{tree}")
    assert world.collect(url).done.recorded == 0


def test_a_host_that_can_leave_out_files_sends_those_of_wanted_commits_only(world: World) -> None:
    folder = world.repository()
    (folder / "large.bin").write_bytes(os.urandom(3 << 20))
    world.commit(folder, "a large file", 2)
    (folder / "large.bin").unlink()
    world.commit(folder, "without it", 3)
    git(folder, "tag", "-a", "-m", "signed off", "v2.0")
    url = world.publish(folder)
    for name in ("allowFilter", "allowAnySHA1InWant"):
        git(world.host.root / "risk.git", "config", f"uploadpack.{name}", "true")
    found = world.collect(url, all_tags=True)
    assert codes(found) == []
    assert [each["verification"]["holds"] for each in found.versions] == [True, True]
    assert world.host.sent < 1 << 20
    assert found.done.recorded == 5
    lost = git(folder, "commit-tree", "-m", "nobody leads here", "HEAD^{tree}")
    git(folder, "push", "-q", str(world.host.root / "risk.git"), f"{lost}:refs/hidden/one")
    said = verdict(world, url, commits=(lost,))
    assert answers(said) == [True, False, True, True]
    first = git(folder, "rev-parse", "HEAD~2")
    assert verdict(world, url, commits=(first[:12],))["holds"] is True


def test_from_a_folder_the_host_is_asked(world: World) -> None:
    folder = world.repository()
    world.publish(folder)
    assert verdict(world, folder)["holds"] is True
    (folder / "new.py").write_text("")
    world.commit(folder, "not pushed", 2)
    found = verdict(world, folder)
    assert answers(found) == [False, False, True, True]
    assert "no such commit" in found["exists"]["how"]
    world.push(folder, "main:feature/x")
    found = verdict(world, folder)
    assert answers(found) == [True, False, True, True]
    assert "feature/x" in found["reachable"]["how"]
    world.push(folder, "main:release/9")  # a release is a tag: whoever may push makes a branch of any name
    assert verdict(world, folder)["reachable"]["holds"] is False
    assert verdict(world, folder, protected=("feature/*",))["holds"] is True
    world.push(folder, "main:refs/tags/v2.0")
    found = verdict(world, folder)
    assert (found["holds"], found["reachable"]["refs"]) == (True, ["refs/tags/v2.0"])


def test_the_host_says_which_branches_it_protects(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = world.repository()
    (world.host.root / "acme").mkdir()
    git(world.root, "clone", "-q", "--bare", str(folder), str(world.host.root / "acme" / "risk.git"))
    url = world.host.url("acme/risk")
    git(folder, "remote", "add", "origin", url)
    asked = {"forge": "gitea"}
    assert verdict(world, url, **asked)["reachable"]["basis"] == "by pattern"
    monkeypatch.setenv("GITEA_TOKEN", TOKEN)
    assert verdict(world, url, **asked)["reachable"]["basis"] == "by pattern"  # for which server, nobody said
    assert not any("/api/" in each for each in world.host.requests)
    monkeypatch.setenv("GITEA_SERVER_URL", f"http://127.0.0.1:{world.host.port}/")
    said = verdict(world, url, **asked)["reachable"]
    assert (said["holds"], said["basis"]) == (False, "by the host")
    bare = world.host.root / "acme" / "risk.git"
    git(bare, "tag", "v9.9", "main")  # whoever may push tags makes one: the host does not vouch for it
    said = verdict(world, url, **asked)["reachable"]
    assert (said["holds"], said["basis"], said["refs"]) == (True, "by pattern", ["refs/tags/v9.9"])
    git(bare, "tag", "-d", "v9.9")
    world.host.protected.add("main")
    said = verdict(world, folder, **asked)["reachable"]
    assert (said["holds"], said["basis"], said["refs"]) == (True, "by the host", ["refs/heads/main"])
    assert verdict(world, url, protected=("main",), **asked)["reachable"]["basis"] == "by pattern"
    monkeypatch.setenv("GITEA_TOKEN", "another")
    found = world.collect(url, **asked)
    assert codes(found) == ["git.protection"]
    assert found.versions[0]["verification"]["reachable"]["basis"] == "by pattern"
    for view in world.session.catalog.all_nodes():
        assert TOKEN not in str(view)


@pytest.mark.parametrize(
    ("address", "env", "url"),
    [
        ("git@github.com:acme/risk.git", {"GITHUB_TOKEN": "t"}, "https://api.github.com/repos/acme/risk/branches/"),
        ("https://github.evil.example/acme/risk", {"GITHUB_TOKEN": "t", "GH_TOKEN": "t"}, None),
        ("https://github.com.evil.example/acme/risk", {"GITHUB_TOKEN": "t"}, None),
        ("http://github.com/acme/risk", {"GITHUB_TOKEN": "t"}, None),
        ("https://github.com/acme/risk", {"GITHUB_TOKEN": "t\nX: y"}, None),
        ("https://github.com/acme/risk", {}, None),
        ("https://github.acme.com/acme/risk", {"GH_ENTERPRISE_TOKEN": "t", "GH_HOST": "github.acme.com"},
         "https://github.acme.com/api/v3/repos/acme/risk/branches/"),
        ("https://acme.ghe.com/a/risk", {"GITHUB_TOKEN": "t", "GITHUB_SERVER_URL": "https://acme.ghe.com"},
         "https://api.acme.ghe.com/repos/a/risk/branches/"),
        ("https://gitlab.com/a/b/risk", {"GITLAB_TOKEN": "t"},
         "https://gitlab.com/api/v4/projects/a%2Fb%2Frisk/repository/branches/"),
        ("ssh://git@gitlab.acme.com:2222/a/risk", {"GITLAB_TOKEN": "t", "CI_SERVER_URL": "https://gitlab.acme.com"},
         "https://gitlab.acme.com/api/v4/projects/a%2Frisk/repository/branches/"),
        ("https://gitlab.evil.example/a/risk", {"GITLAB_TOKEN": "t"}, None),
        ("/srv/git/risk.git", {"GITHUB_TOKEN": "t"}, None),
    ],
)  # fmt: skip
def test_a_token_goes_to_its_own_server_only(address: str, env: dict[str, str], url: str | None) -> None:
    found = open_protection(parse(address), env)
    assert (None if found is None else found.url) == url
    assert found is None or "t" not in repr(found).replace(found.url, "").replace("Protection(url=", "").replace(
        "timeout", ""
    )


def test_a_rewritten_branch_leaves_a_commit_that_nothing_leads_to(world: World) -> None:
    folder = world.repository()
    url = world.publish(folder)
    git(world.host.root / "risk.git", "config", "uploadpack.allowAnySHA1InWant", "true")
    lost = git(folder, "rev-parse", "HEAD")
    assert verdict(world, url)["holds"] is True
    git(folder, "reset", "-q", "--hard", "HEAD~1")
    (folder / "src" / "train.py").write_text("print('another')\n")
    world.commit(folder, "rewritten", 5)
    world.push(folder, "main")
    found = world.collect(url, commits=(lost,))
    assert codes(found) == ["git.rewritten"]
    said = found.versions[0]["verification"]
    assert answers(said) == [True, False, True, True]
    assert "none of its branches and tags leads to it" in said["exists"]["how"]
    assert "rewritten" in said["reachable"]["how"]
    git(world.host.root / "risk.git", "config", "uploadpack.allowAnySHA1InWant", "false")
    git(world.host.root / "risk.git", "-c", "gc.reflogExpire=now", "gc", "-q", "--prune=now")
    gone = world.collect(folder, commits=(lost,), verify=True).versions[0]["verification"]
    assert answers(gone) == [False, False, True, True]
    facts = world.session.catalog.facts([world.session.catalog.resolve(lost).id])
    assert [fact.basis for fact in facts if fact.type == "code.verified/1"] == ["verified", "observed", "observed"]


def test_a_host_that_is_gone_is_a_gap_and_no_answer(world: World) -> None:
    folder = world.repository()
    url = world.publish(folder)
    shutil.rmtree(world.host.root / "risk.git")
    found = world.collect(folder, verify=True)
    assert codes(found) == ["git.remote"]
    said = found.versions[0]["verification"]
    assert (said["holds"], answers(said)) == (False, [None, None, True, True])
    with pytest.raises(SourceError, match="not there"):
        world.collect(url)
    runs = [view for view in world.session.catalog.all_nodes("run") if view.detail["state"] == "failed"]
    assert [view.detail["scope"] for view in runs] == [url]


@pytest.mark.parametrize(
    ("mode", "said"),
    [("garbage", "did not answer as a git host"), ("page", "shows no branch"),
     ("broken", "did not answer as a git host"), ("private", "refused access"), ("truncated", "was not fetched")],
)  # fmt: skip
def test_hosts_that_misbehave_are_errors_that_say_so(world: World, mode: str, said: str) -> None:
    folder = world.repository()
    url = world.publish(folder)
    world.host.mode = mode
    with pytest.raises(SourceError, match=said) as refused:
        world.collect(url)
    assert refused.value.exit_status == 12
    assert world.session.catalog.all_nodes("code") == []
    assert codes(world.collect(folder, verify=True)) == ["git.remote"]


def test_a_host_that_says_nothing_is_not_waited_for_without_end(world: World) -> None:
    folder = world.repository()
    url = world.publish(folder)
    world.host.mode = "silent"
    with pytest.raises(SourceError, match="did not answer in time"):
        world.collect(url, timeout=0.5)
    world.host.ended.set()


def test_nobody_listens(world: World) -> None:
    with pytest.raises(SourceError, match="cannot be reached"):
        world.collect("http://127.0.0.1:9/risk.git")
    if shutil.which("git-remote-codecommit") is None:
        with pytest.raises(SourceError, match="git-remote-codecommit is missing"):
            world.collect("codecommit::eu-west-1://risk")


def test_credentials_open_the_host_and_go_nowhere_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = world.repository()
    world.publish(folder)
    world.host.mode = "private"
    url = world.host.url("risk", f"{USER}:{PASSWORD}")
    seen = world.root / "seen"
    shim = world.root / "bin" / "git"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\necho "$@" >> {seen}\nexec {shutil.which("git")} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    assert verdict(world, url)["holds"] is True
    assert PASSWORD not in seen.read_text()
    git(folder, "remote", "set-url", "origin", url)
    assert verdict(world, folder)["holds"] is True
    for view in world.session.catalog.all_nodes():
        assert PASSWORD not in str(view)
    for file in (world.root / "ledger").rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes()
    with pytest.raises(SourceError, match="refused access") as refused:
        world.collect(world.host.url("risk", f"{USER}:wrongW0rd"))
    assert "wrongW0rd" not in str(refused.value)


def test_bytes_that_changed_in_the_store_are_not_the_commit(world: World) -> None:
    folder = world.repository()
    url = world.publish(folder)
    found = world.collect(url, verify=False)
    view = world.session.catalog.resolve(found.versions[0]["ref"])
    entry = next(each for each in world.entries(view.digest) if each.path == b"src/train.py")
    for pack in (world.root / "ledger" / ".lineal").rglob("*.pack"):
        data = pack.read_bytes()
        if b"print('two')" in data:
            pack.chmod(stat.S_IRUSR | stat.S_IWUSR)
            pack.write_bytes(data.replace(b"print('two')", b"print('six')"))
    assert world.session.objects.verify_one(entry.digest) is not None
    found_now = verdict(world, url)
    assert answers(found_now) == [True, True, True, False]
    assert "do not hold" in found_now["tree"]["how"]


def test_files_kept_of_a_submodule_are_held_against_its_own_commit(world: World) -> None:
    library, folder = world.repository("library"), world.repository()
    git(folder, "submodule", "add", "-q", str(library), "lib")
    commit = world.commit(folder, "with a submodule", 3)
    world.collect(folder, verify=False)
    view = world.session.catalog.resolve(commit)
    entries = world.entries(view.digest)
    detail = world.session.catalog.facts([view.id])[0].detail
    assert stored_tree(world.session, Digest.parse(str(view.digest)), detail, "sha1") == detail["tree"]
    with world.session.objects.batch() as batch:
        other = batch.put_bytes(b"print('never reviewed')\n")
        altered = [Entry(e.path, e.kind, other, 24) if e.path == b"lib/src/train.py" else e for e in entries]
        made = manifest.write(altered, batch.put_bytes)
    assert altered != entries
    with pytest.raises(IntegrityError, match="submodule lib"):
        stored_tree(world.session, made.digest, detail, "sha1")


def test_files_recorded_under_a_commit_that_has_others_are_not_its_tree(world: World) -> None:
    folder = world.repository()
    url = world.publish(folder)
    world.collect(url)
    first = world.session.catalog.resolve(git(folder, "rev-parse", "HEAD"))
    (folder / "reviewed.py").write_text("print(1)\n")
    world.commit(folder, "reviewed", 2)
    world.push(folder, "main")
    second = git(folder, "rev-parse", "HEAD")
    fact = world.session.catalog.facts([first.id])[0]
    assert first.digest is not None
    node = Node(
        ref=first.canonical,
        basis="observed",
        version=second,
        digest=Digest.parse(first.digest),
        detail={**fact.detail, "commit": second},
        aliases=(second,),
    )
    session = world.session
    session.say(
        Observation(
            type=fact.type, time=session.clock(), actor="t", basis="observed", nodes=(node,), subject=(node.ref,)
        )
    )
    found = verdict(world, url, commits=(second,))
    assert answers(found) == [True, True, True, False]
    assert "the commit names" in found["tree"]["how"]


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_ssh_signatures(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = world.repository()
    keys = {name: _ssh_key(world, name) for name in ("ada", "mallory")}
    signers = world.root / "signers"
    signers.write_text(f"ada@example.org {keys['ada'].with_suffix('.pub').read_text()}")
    for name, key in keys.items():
        git(folder, "config", "gpg.format", "ssh")
        git(folder, "config", "user.signingkey", str(key))
        (folder / "who").write_text(name)
        world.commit(folder, f"signed by {name}", 3, "-S")
        git(folder, "tag", name)
    with pytest.raises(BadInput, match="no such file"):
        world.collect(folder, verify=True, allowed_signers=str(world.root / "nobody"))
    monkeypatch.chdir(world.root)
    good = verdict(world, folder, refs=("ada",), allowed_signers="signers")["signature"]
    assert (good["holds"], good["state"], good["kind"], good["signer"]) == (True, "good", "ssh", "ada@example.org")
    assert good["key"].startswith("SHA256:")
    unknown = verdict(world, folder, refs=("mallory",), allowed_signers=str(signers))["signature"]
    assert (unknown["holds"], unknown["state"]) == (True, "unknown_key")
    nothing = verdict(world, folder, refs=("ada",))["signature"]
    assert (nothing["holds"], nothing["state"]) == (None, "unchecked")
    bad = verdict(world, folder, commits=(_forge(world, folder, "ada"),), allowed_signers=str(signers))["signature"]
    assert (bad["holds"], bad["state"]) == (False, "bad")


def _ssh_key(world: World, name: str) -> Path:
    key = world.root / f"key-{name}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)], check=True)
    return key


def _forge(world: World, folder: Path, ref: str) -> str:
    """Make a commit with the signature of another one, and other words."""
    raw = git(folder, "cat-file", "commit", ref) + "\nand more\n"
    file = world.root / "forged"
    file.write_text(raw)
    return git(folder, "hash-object", "-t", "commit", "-w", str(file))


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")
def test_openpgp_signatures(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = world.repository()
    home = Path("/tmp") / f"lineal-gpg-{os.getpid()}"  # the agent's socket has room for a short path only
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    try:
        for name in ("ada", "mallory"):
            made = [
                "gpg",
                "--batch",
                "--quiet",
                "--passphrase",
                "",
                "--quick-generate-key",
                f"{name}@example.org",
                "ed25519",
            ]
            subprocess.run(made, check=True, capture_output=True)
            git(folder, "config", "user.signingkey", f"{name}@example.org")
            (folder / "who").write_text(name)
            world.commit(folder, f"signed by {name}", 3, "-S")
            git(folder, "tag", name)
        listed = subprocess.run(
            ["gpg", "--list-keys", "--with-colons", "mallory@example.org"], check=True, capture_output=True
        )
        key = next(line.split(b":")[9] for line in listed.stdout.splitlines() if line.startswith(b"fpr")).decode()
        subprocess.run(
            ["gpg", "--batch", "--yes", "--delete-secret-and-public-key", key], check=True, capture_output=True
        )
        good = verdict(world, folder, refs=("ada",))["signature"]
        assert (good["holds"], good["state"], good["kind"]) == (True, "good", "openpgp")
        unknown = verdict(world, folder, refs=("mallory",))["signature"]
        assert (unknown["holds"], unknown["state"]) == (True, "unknown_key")
        bad = verdict(world, folder, commits=(_forge(world, folder, "ada"),))["signature"]
        assert (bad["holds"], bad["state"]) == (False, "bad")
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(home)


def test_a_signature_that_nothing_here_can_check_is_not_known(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = world.repository()
    raw = git(folder, "cat-file", "commit", "HEAD").replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n iQEz\n -----END PGP SIGNATURE-----\n\n", 1
    )
    file = world.root / "signed"
    file.write_text(raw + "\n")
    commit = git(folder, "hash-object", "-t", "commit", "-w", str(file))
    git(world.root, "config", "--global", "gpg.program", "/nonexistent/gpg")
    found = verdict(world, folder, commits=(commit,))["signature"]
    assert (found["holds"], found["state"], found["kind"]) == (None, "unchecked", "openpgp")


def test_over_ssh(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real protocol of git over SSH; the program that stands for ssh runs on this machine what it is told to."""
    folder = world.repository()
    world.publish(folder)
    fake = world.root / "ssh"
    fake.write_text('#!/bin/sh\nwhile [ "$1" != ada@host.example ]; do shift; done\nshift\nexec sh -c "$*"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("GIT_SSH", str(fake))
    monkeypatch.setenv("GIT_SSH_VARIANT", "ssh")
    for url in (f"ada@host.example:{world.host.root}/risk.git", f"ssh://ada@host.example{world.host.root}/risk.git"):
        found = world.collect(url)
        assert found.versions[0]["verification"]["holds"] is True
        assert found.versions[0]["ref"].startswith("code:host.example/")


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 10):
        return True
    return False


SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@pytest.mark.skipif(SSHD is None, reason="openssh-server is not installed")
def test_a_real_ssh_server(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = world.repository()
    world.publish(folder)
    key, host_key = _ssh_key(world, "user"), _ssh_key(world, "host")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = world.root / "sshd_config"
    settings.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {host_key}\nAuthorizedKeysFile {key}.pub\nStrictModes no\nUsePAM no\n"
        "PidFile none\nAcceptEnv GIT_PROTOCOL\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    known = world.root / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {host_key.with_suffix('.pub').read_text()}")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(settings)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: _listens(port), "it listens")
        user = getpass.getuser()
        url = f"ssh://{user}@127.0.0.1:{port}{world.host.root}/risk.git"
        options = f"ssh -F /dev/null -o UserKnownHostsFile={known} -o IdentitiesOnly=yes"
        monkeypatch.setenv("GIT_SSH_COMMAND", f"{options} -i {key}")
        found = world.collect(url)
        assert found.versions[0]["verification"]["holds"] is True
        monkeypatch.setenv("GIT_SSH_COMMAND", f"{options} -i {_ssh_key(world, 'stranger')}")
        with pytest.raises(SourceError, match="refused access"):
            world.collect(url)
    finally:
        server.kill()
        server.wait()


def test_files_of_lfs_come_from_the_host(world: World) -> None:
    folder = world.repository()
    data = b"a large model\n" * 1000
    oid = Digest.of(data).hex
    (folder / "model.bin").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(data)}\n"
    )
    world.commit(folder, "large", 3)
    url = world.publish(folder)
    assert codes(world.collect(url)) == ["git.lfs"]
    (world.host.root / "lfs").mkdir()
    (world.host.root / "lfs" / oid).write_bytes(data[:-1])
    assert codes(world.collect(url)) == ["git.lfs"]
    (world.host.root / "lfs" / oid).write_bytes(data)
    found = world.collect(url)
    assert (codes(found), found.versions[0]["verification"]["holds"]) == ([], True)
    assert world.session.objects.read(Digest.parse(f"sha256:{oid}")) == data
