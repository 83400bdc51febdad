"""One repository has one name, whatever its address; nothing secret survives in it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core import ref
from lineal.core.permalink import permalink
from lineal.core.repository import canonical_name, parse, without_credentials
from lineal.errors import BadInput

COMMIT = "4f5e" * 10

SPELLINGS = {
    "github.com/acme/risk": [
        "https://github.com/acme/risk", "https://github.com/acme/risk.git", "https://github.com/Acme/Risk.git/",
        "http://www.github.com/acme/risk", "git@github.com:acme/risk.git", "github.com:acme/risk",
        "ssh://git@github.com/acme/risk.git", "ssh://git@ssh.github.com:443/acme/risk.git",
        "git+ssh://git@github.com/acme/risk.git", "git://github.com/acme/risk", "git+https://github.com/acme/risk.git",
        "https://x-access-token:tok@github.com/acme/risk.git", "https://github.com/acme/risk/tree/main/src",
        f"https://github.com/acme/risk/commit/{COMMIT}", "https://github.com/acme/risk?tab=readme#top",
        "https://github.com//acme/./risk", "github.com/acme/risk", " https://github.com/acme/risk\n",
    ],
    "gist.github.com/0123456789abcdef0123": [
        "https://gist.github.com/ada/0123456789abcdef0123", "git@gist.github.com:0123456789abcdef0123.git",
        "https://gist.github.com/0123456789abcdef0123.git",
    ],
    "acme.ghe.com/team/risk": ["https://acme.ghe.com/Team/risk.git", "git@acme.ghe.com:team/risk.git"],
    "github.acme.com/team/risk": ["https://github.acme.com/team/Risk", "git@github.acme.com:team/risk.git"],
    "gitlab.com/acme/models/eu/risk": [
        "https://gitlab.com/acme/models/eu/risk.git", "git@gitlab.com:acme/models/eu/risk.git",
        "ssh://git@altssh.gitlab.com:443/acme/models/eu/risk.git", "https://gitlab.com/Acme/models/eu/risk/-/tree/main",
        f"https://gitlab.com/acme/models/eu/risk/-/commit/{COMMIT}", "https://oauth2:tok@gitlab.com/acme/models/eu/risk",
        "https://gitlab-ci-token:tok@gitlab.com/acme/models/eu/risk.git",
    ],
    "gitlab.acme.com/models/risk": [
        "ssh://git@gitlab.acme.com:2222/models/risk.git", "https://gitlab.acme.com:8443/Models/risk",
    ],
    "git.acme.com/models/risk": [
        "https://git.acme.com/models/risk.git", "git@git.acme.com:models/risk", "ssh://git@git.acme.com:29418/models/risk",
        "https://git.acme.com/models/risk/-/tree/main", "git://git.acme.com/models/risk",
    ],
    "bitbucket.org/acme/risk": [
        "https://bitbucket.org/acme/risk.git", "git@bitbucket.org:acme/risk.git", "https://ada@bitbucket.org/Acme/risk",
        "ssh://git@altssh.bitbucket.org:443/acme/risk.git", "https://bitbucket.org/acme/risk/src/main/",
        f"https://bitbucket.org/acme/risk/commits/{COMMIT}", "https://x-token-auth:tok@bitbucket.org/acme/risk.git",
    ],
    "bitbucket.acme.com/ml/risk": [
        "https://bitbucket.acme.com/scm/ml/risk.git", "https://ada@bitbucket.acme.com/scm/ML/risk.git",
        "ssh://git@bitbucket.acme.com:7999/ml/risk.git", "ssh://git@bitbucket.acme.com/ML/risk.git",
        "https://bitbucket.acme.com/projects/ML/repos/risk/browse",
        f"https://bitbucket.acme.com/projects/ML/repos/risk/commits/{COMMIT}",
        "https://bitbucket.acme.com/context/scm/ml/risk.git",
    ],
    "code.acme.com/ml/risk": [
        "https://code.acme.com/scm/ML/risk.git", "ssh://git@code.acme.com:7999/ml/risk.git",
        "https://code.acme.com:7990/bitbucket/projects/ML/repos/risk/browse",
    ],
    "bitbucket.acme.com/~ada/risk": [
        "https://bitbucket.acme.com/scm/~ada/risk.git", "ssh://git@bitbucket.acme.com:7999/~ada/risk.git",
        "https://bitbucket.acme.com/users/ada/repos/risk/browse",
    ],
    "git-codecommit.eu-west-1.amazonaws.com/v1/repos/risk": [
        "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/risk",
        "https://user:pass@git-codecommit.eu-west-1.amazonaws.com/v1/repos/risk/",
        "ssh://APKAEXAMPLE@git-codecommit.eu-west-1.amazonaws.com/v1/repos/risk",
        "https://git-codecommit-fips.eu-west-1.amazonaws.com/v1/repos/risk",
        "codecommit::eu-west-1://risk", "codecommit::eu-west-1://profile@risk",
        "arn:aws:codecommit:eu-west-1:123456789012:risk",
        "https://eu-west-1.console.aws.amazon.com/codesuite/codecommit/repositories/risk/browse?region=eu-west-1",
        "https://console.aws.amazon.com/codesuite/codecommit/repositories/risk/browse?region=eu-west-1",
    ],
    "git-codecommit.cn-north-1.amazonaws.com.cn/v1/repos/risk": [
        "https://git-codecommit.cn-north-1.amazonaws.com.cn/v1/repos/risk", "codecommit::cn-north-1://risk",
    ],
    "codecommit/v1/repos/risk": ["codecommit://risk", "codecommit://profile@risk"],
    "dev.azure.com/acme/models/risk": [
        "https://dev.azure.com/acme/models/_git/risk", "https://acme@dev.azure.com/acme/models/_git/risk",
        "https://tok@dev.azure.com/Acme/Models/_git/Risk", "git@ssh.dev.azure.com:v3/acme/models/risk",
        "ssh://git@ssh.dev.azure.com/v3/acme/models/risk", "https://acme.visualstudio.com/models/_git/risk",
        "https://acme.visualstudio.com/DefaultCollection/models/_git/risk",
        "acme@vs-ssh.visualstudio.com:v3/acme/models/risk",
        "ssh://acme@acme.visualstudio.com:22/models/_git/risk",
        "https://dev.azure.com/acme/models/_git/_full/risk",
        f"https://dev.azure.com/acme/models/_git/risk/commit/{COMMIT}",
        "https://dev.azure.com/acme/models/_git/risk?path=/a.py&version=GBmain",
    ],
    "dev.azure.com/acme/my%20models/my%20risk": [
        "https://dev.azure.com/acme/my%20models/_git/my%20risk", "https://acme.visualstudio.com/my%20models/_git/my%20risk",
        "git@ssh.dev.azure.com:v3/acme/my%20models/my%20risk",
    ],
    "dev.azure.com/acme/risk/risk": [
        "https://dev.azure.com/acme/_git/risk", "https://acme.visualstudio.com/_git/risk",
        "https://dev.azure.com/acme/risk/_git/risk", "acme@vs-ssh.visualstudio.com:v3/acme/risk/risk",
    ],
    "tfs.acme.com/tfs/defaultcollection/models/risk": [
        "https://tfs.acme.com/tfs/DefaultCollection/models/_git/risk",
        "ssh://tfs.acme.com:22/tfs/DefaultCollection/models/_git/risk",
    ],
    "codeberg.org/acme/risk": [
        "https://codeberg.org/Acme/risk.git", "git@codeberg.org:acme/risk.git",
        "https://codeberg.org/acme/risk/src/branch/main/train.py",
    ],
    "gitea.acme.com/acme/risk": ["http://gitea.acme.com:3000/acme/risk.git", "ssh://git@gitea.acme.com:2222/acme/risk.git"],
    "git.sr.ht/~ada/risk": ["https://git.sr.ht/~ada/risk", "git@git.sr.ht:~ada/risk"],
    "[::1]/srv/risk": ["ssh://git@[::1]:2222/srv/risk.git", "[::1]:/srv/risk"],
    "risk": ["/srv/git/risk.git", "file:///srv/git/risk.git/", "../risk", "./risk/.git", "~/risk", "risk"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "address"), [(name, each) for name, found in SPELLINGS.items() for each in found])
def test_every_spelling_gives_the_one_name(name: str, address: str) -> None:
    assert canonical_name(address) == name
    assert canonical_name(name) == name


TOKEN = "ghp_" + "a1B2" * 9


@pytest.mark.parametrize(
    "address",
    [
        "https://ada:s3cretword@github.com/acme/risk",
        "https://ada:s3cret/word@github.com/acme/risk",
        "https://ada:s3cret@word@github.com/acme/risk",
        "https://s3cretword@github.com/acme/risk",
        "ada:s3cretword@github.com:acme/risk",
        "ada:s3cretword@github.com/acme/risk",
        "ssh://ada:s3cretword@github.com/acme/risk",
        "https://github.com/acme/risk?token=s3cretword",
        "https://github.com/acme/risk#s3cretword",
    ],
)
def test_credentials_never_survive(address: str) -> None:
    assert canonical_name(address) == "github.com/acme/risk"
    assert "s3cret" not in without_credentials(address.partition("#")[0]) or "s3cretword@github.com" in address


def test_a_token_in_a_path_is_cut_out() -> None:
    assert TOKEN not in canonical_name(f"https://host.example/{TOKEN}/risk")
    assert TOKEN not in without_credentials(f"https://host.example/{TOKEN}/risk")


_TEXT = st.text(st.sampled_from("ab.:/@%~-_ git?#[]\\\0\n😀é=") | st.characters(codec="utf-8"), max_size=60)
_HOSTILE = st.builds("".join, st.lists(st.sampled_from([
    "https://", "ssh://", "file://", "git@", "u:p@", "github.com", "dev.azure.com", "scm/", "projects/", "repos/",
    "_git/",
    "..", ".", "/", ":", "::", "ext::", "codecommit::", "codecommit://", ".git", "%2F", "%40", "%00", "-/", "a", "b/",
    "v3/",
    "bitbucket.x", "x.visualstudio.com", "v1/repos/", "git-codecommit.eu-1.amazonaws.com", "gist.github.com", "users/",
    "[::1]", ":7999", "\n", " ", "@", "?", "#", "~",
]), max_size=9))  # fmt: skip


@given(_TEXT | _HOSTILE)
def test_any_text_has_a_name_that_is_a_spelling_of_itself(text: str) -> None:
    name = canonical_name(text)
    assert canonical_name(name) == name
    assert re.search(r"[ \t\r\n@\0]", name) is None
    assert str(ref.parse(f"code:{name}")) == f"code:{name}"
    assert not {"..", ".", ""} & set(name.split("/"))


_SEGMENT = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,12}", fullmatch=True).filter(
    lambda each: each not in {"v3", "scm", "_git"}
)
_PASSWORD = st.text(st.sampled_from("abcXYZ019-_.~!$&'()*+,;=:%"), min_size=12, max_size=24).map(
    lambda text: f"Q{text}Q"
)


@given(st.sampled_from(["github.com", "gitlab.com", "bitbucket.org", "codeberg.org"]), _SEGMENT, _SEGMENT, _PASSWORD)
def test_the_ways_to_write_one_repository(host: str, owner: str, name: str, password: str) -> None:
    path = f"{owner}/{name}"
    spellings = [
        f"https://{host}/{path}", f"https://{host}/{path}.git", f"git@{host}:{path}.git", f"{host}:/{path}",
        f"ssh://git@{host}:22/{path}.git/", f"https://u:{password}@{host}/{path}", f"git://{host}/{path}",
        f"HTTPS://{host.upper()}/{path.upper()}.git", f"https://{host}:443/{owner}//{name}/",
    ]  # fmt: skip
    assert {canonical_name(each) for each in spellings} == {f"{host}/{path}"}
    assert password not in without_credentials(f"https://u:{password}@{host}/{path}")


@pytest.mark.parametrize(
    ("address", "commit_page", "file_page"),
    [
        ("git@github.com:acme/risk.git", "https://github.com/acme/risk/commit/{c}",
         "https://github.com/acme/risk/blob/{c}/src/a%20b.py"),
        ("ssh://git@gitlab.com/g/s/risk.git", "https://gitlab.com/g/s/risk/-/commit/{c}",
         "https://gitlab.com/g/s/risk/-/blob/{c}/src/a%20b.py"),
        ("git@bitbucket.org:acme/risk.git", "https://bitbucket.org/acme/risk/commits/{c}",
         "https://bitbucket.org/acme/risk/src/{c}/src/a%20b.py"),
        ("https://bb.acme.com:7990/ctx/scm/ml/risk.git", "https://bb.acme.com:7990/ctx/projects/ML/repos/risk/commits/{c}",
         "https://bb.acme.com:7990/ctx/projects/ML/repos/risk/browse/src/a%20b.py?at={c}"),
        ("ssh://git@bb.acme.com:7999/~ada/risk.git", "https://bb.acme.com/users/ada/repos/risk/commits/{c}",
         "https://bb.acme.com/users/ada/repos/risk/browse/src/a%20b.py?at={c}"),
        ("http://gitea.acme.com:3000/o/risk.git", "http://gitea.acme.com:3000/o/risk/commit/{c}",
         "http://gitea.acme.com:3000/o/risk/src/commit/{c}/src/a%20b.py"),
        ("git@ssh.dev.azure.com:v3/acme/my%20models/risk", "https://dev.azure.com/acme/my%20models/_git/risk/commit/{c}",
         "https://dev.azure.com/acme/my%20models/_git/risk?path=/src/a%20b.py&version=GC{c}"),
        ("https://tfs.acme.com/tfs/coll/models/_git/risk", "https://tfs.acme.com/tfs/coll/models/_git/risk/commit/{c}",
         "https://tfs.acme.com/tfs/coll/models/_git/risk?path=/src/a%20b.py&version=GC{c}"),
        ("codecommit::eu-west-1://risk",
         "https://eu-west-1.console.aws.amazon.com/codesuite/codecommit/repositories/risk/commit/{c}?region=eu-west-1",
         "https://eu-west-1.console.aws.amazon.com/codesuite/codecommit/repositories/risk/browse/{c}/--/src/a%20b.py?region=eu-west-1"),
        ("git.sr.ht/~ada/risk", "https://git.sr.ht/~ada/risk/commit/{c}", "https://git.sr.ht/~ada/risk/tree/{c}/item/src/a%20b.py"),
        ("github.com/acme/risk", "https://github.com/acme/risk/commit/{c}", "https://github.com/acme/risk/blob/{c}/src/a%20b.py"),
    ],
)  # fmt: skip
def test_permalinks(address: str, commit_page: str, file_page: str) -> None:
    repository = parse(address)
    assert permalink(repository, COMMIT) == commit_page.format(c=COMMIT)
    assert permalink(repository, COMMIT, b"src/a b.py") == file_page.format(c=COMMIT)


def test_no_permalink_is_guessed() -> None:
    for address in ("https://git.acme.com/acme/risk", "/srv/git/risk.git", "codecommit://risk", "codecommit://p@risk"):
        assert permalink(parse(address), COMMIT) is None
    assert permalink(parse("https://git.acme.com/acme/risk", forge="gitlab"), COMMIT) == (
        f"https://git.acme.com/acme/risk/-/commit/{COMMIT}"
    )
    with pytest.raises(BadInput):
        permalink(parse("https://github.com/acme/risk"), "main/../../evil")
