"""DVC's files read as values: what is allowed, and every way in which a file can be wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.errors import BadInput, DigestMismatch, ObjectMissing, SourceError
from lineal.sources.dvc_cache import Cache, Hasher, key_of, parse_list
from lineal.sources.dvc_config import Remote, parse, read_config
from lineal.sources.dvc_file import locate, read_dvc, read_lock
from lineal.sources.dvc_items import Oid
from lineal.sources.dvc_metrics import read_numbers
from lineal.sources.dvc_pipeline import matches, read_pipeline
from lineal.sources.dvc_remote import open_remote
from lineal.sources.dvc_text import load_list, load_yaml

A = "a" * 32


def test_scalars_stay_as_they_were_written() -> None:
    said = load_yaml(b"{a: 1.50, b: 12345678901234567890123456789012, c: yes, d: null, e: 'null', f: true, g: }", "x")
    assert said == {
        "a": "1.50",
        "b": "12345678901234567890123456789012",
        "c": "yes",
        "d": None,
        "e": "null",
        "f": True,
        "g": None,
    }


def test_anchors_and_merges_are_followed() -> None:
    said = load_yaml(b"base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: [*b, *b]\n", "x")
    assert said == {
        "base": {"x": "1", "y": "2"},
        "one": {"x": "1", "y": "3"},
        "two": [{"x": "1", "y": "2"}] * 2,
    }


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
MERGES = "a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 40)}]}}\n" for n in range(1, 20))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOMB.encode(), "more than"),
        (MERGES.encode(), "more than"),
        (b"[" * 2000, "levels|valid YAML"),
        (b"a: &a [*a]", "alias"),
        (b"a: 1\na: 2", "twice"),
        (b"? [a]\n: 1", "key that is not text"),
        (b"a: 1\n---\nb: 2", "more than one document"),
        (b"a: !!python/object/apply:os.system [id]", "tag"),
        (b"a: !!binary aGk=", "tag"),
        (b"\xff\xfe\xff", "valid YAML"),
        (b"a: [1", "valid YAML"),
        (b"<<: 1", "merges"),
        (b"a: *b", "alias|valid"),
    ],
)
def test_hostile_yaml_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        load_yaml(text, "x")


@pytest.mark.parametrize(
    "text",
    [
        "outs: 1",
        "outs: [a]",
        "outs: [{md5: abc, path: x}]",
        f"outs: [{{md5: {A}, path: ''}}]",
        f"outs: [{{md5: {A}}}]",
        f"outs: [{{md5: ../../../{A}, path: x}}]",
        f"outs: [{{md5: {A}, path: x, size: -1}}]",
        f"outs: [{{md5: {A}, path: x, size: 99999999999999999999}}]",
        f"outs: [{{md5: {A}, path: x, hash: sha512}}]",
        f'outs: [{{md5: {A}, path: "a\\0b"}}]',
        f"outs: [{{path: x, files: [{{relpath: ../y, md5: {A}}}]}}]",
        f"outs: [{{path: x, files: [{{relpath: /etc/passwd, md5: {A}}}]}}]",
        f"outs: [{{path: x, files: [{{relpath: y, md5: {A}.dir}}]}}]",
        "outs: [{path: x, files: [{relpath: y}]}]",
        "deps: [{path: x, repo: {rev: main}}]",
        "cmd: [[a]]",
    ],
)
def test_a_file_that_dvc_would_not_write_is_refused_whole(text: str) -> None:
    with pytest.raises(BadInput):
        read_dvc(text.encode(), "x.dvc")


def test_both_schemas_of_lock_files() -> None:
    stage = f"train: {{cmd: [a, b], outs: [{{path: m, md5: {A}}}], params: {{p.yaml: {{x.y: 1}}}}}}"
    new = read_lock(f"schema: '2.0'\nstages:\n  {stage}\n".encode(), "dvc.lock")
    old = read_lock(f"{stage}\n".encode(), "dvc.lock")
    assert new == old
    assert (new[0].commands, new[0].params) == (("a", "b"), {"p.yaml": {"x.y": "1"}})
    assert new[0].outs[0].oid == Oid(A, is_dir=False, is_dos2unix=True)
    with pytest.raises(BadInput, match="schema"):
        read_lock(b"schema: '3.0'\nstages: {}", "dvc.lock")


def test_what_only_some_versions_of_dvc_wrote() -> None:
    old = read_dvc(b"cmd: c\ndeps: [{path: p.yaml, params: {lr: 0.1}}]\nlocked: true\n", "x.dvc")
    assert (old.params, old.is_frozen) == ({"p.yaml": {"lr": "0.1"}}, True)
    imported = read_dvc(b"deps: [{db: {connection: main, query: select 1}}, {db: {table: t}}]", "x.dvc")
    assert [dep.path for dep in imported.deps] == ["db://main/query-822ae07d4783158b", "db://database/t"]
    assert all(dep.is_foreign for dep in imported.deps)


def test_where_a_path_lies() -> None:
    assert locate(b"a/b", "../c", "d") == b"a/c/d"
    assert locate(b"", None, "d/./e/../f") == b"d/f"
    assert locate(b"a", "..", "../x") is None
    assert locate(b"a", "/etc", "passwd") is None
    assert locate(b"a", None, "..") is None


def test_templates_are_matched_with_what_the_lock_has() -> None:
    assert matches("m/${item}.pkl", "m/a.pkl")
    assert matches("${a}/x/${b}", "one/x/two")
    assert not matches("m/${item}.pkl", "m/a.txt")
    assert not matches("ab${x}ba", "aba")
    assert not matches("${a}" * 50, "x" * 50)
    pipeline = read_pipeline(
        b"stages: {s: {foreach: [a], do: {cmd: c, wdir: 'd/${item}', outs: ['o-${item}': {cache: false}]}}}", "dvc.yaml"
    )
    (stage,) = read_lock(f"s@a: {{cmd: c, outs: [{{path: o-a, md5: {A}}}]}}".encode(), "dvc.lock")
    assert pipeline.complete(stage).wdir == "d/a"
    assert not pipeline.complete(stage).outs[0].is_cached
    unknown = read_pipeline(b"stages: {s: {cmd: c, wdir: '${where}'}}", "dvc.yaml")
    (stage,) = read_lock(b"s: {cmd: c}", "dvc.lock")
    with pytest.raises(BadInput, match="template"):
        unknown.complete(stage)


FOLDER = Oid(A, is_dir=True, is_dos2unix=False)


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "{}",
        "[1]",
        '[{"md5": 1, "relpath": "a"}]',
        f'[{{"md5": "{A}", "relpath": "../a"}}]',
        f'[{{"md5": "{A}", "relpath": "/a"}}]',
        f'[{{"md5": "{A}", "relpath": "a//b"}}]',
        f'[{{"md5": "{A}", "relpath": "a"}}, {{"md5": "{A}", "relpath": "a"}}]',
        f'[{{"md5": "{A}", "md5": "{A}", "relpath": "a"}}]',
        '[{"md5": "../../x", "relpath": "a"}]',
        "[" * 100_000,
    ],
)
def test_hostile_lists_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_list(FOLDER, text.encode())


def test_lists_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(BadInput):
        load_list(b'[{"md5": "\xff", "relpath": "a"}]', "x")


def test_both_layouts_lie_side_by_side_and_damage_is_told(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    data = b"a\r\nb\n"
    hasher = Hasher()
    hasher.update(data)
    for is_old in (False, True):
        wrong = Oid(A, is_dir=False, is_dos2unix=is_old)
        oid = Oid(hasher.spell(wrong), is_dir=False, is_dos2unix=is_old)
        assert cache.read(oid) is None
        for each in (oid, wrong):
            file = tmp_path / key_of(each)
            file.parent.mkdir(parents=True)
            file.write_bytes(data)
        assert (cache.read(oid), cache.size(oid)) == (data, 5)
        with pytest.raises(DigestMismatch):
            cache.read(wrong)
    (tmp_path / key_of(Oid("b" * 32, is_dir=False, is_dos2unix=False))).mkdir(parents=True)
    assert cache.read(Oid("b" * 32, is_dir=False, is_dos2unix=False)) is None
    with pytest.raises(ObjectMissing):
        next(cache.pieces(FOLDER))


@given(st.lists(st.sampled_from([b"a", b"\r\n", b"\n", b"\r", b"\0", b"\xff" * 40]), max_size=60))
def test_one_piece_is_hashed_as_a_naive_twin_does(parts: list[bytes]) -> None:
    import hashlib

    data = b"".join(parts)
    text = b"\0" not in data[:512] and sum(byte > 126 for byte in data[:512]) <= 0.3 * len(data[:512])
    hasher = Hasher()
    if data:
        hasher.update(data)
    for is_old in (False, True):
        wanted = data.replace(b"\r\n", b"\n") if is_old and text else data
        assert hasher.spell(Oid(A, is_dir=False, is_dos2unix=is_old)) == hashlib.md5(wanted).hexdigest()


CONFIG = b"""
[core]
    Remote = Main
['remote "main"']
    url = ../store   # beside
['remote "deep"']
    url = remote://main/below
['remote "keys"']
    url = s3://AKIAIOSFODNN7EXAMPLE:topsecret@bucket/pfx
    access_key_id = AKIAIOSFODNN7EXAMPLE
    secret_access_key = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
    endpointurl = https://user:hidden@s3.example.org
['remote "loop"']
    url = remote://loop/x
"""


def test_remotes_are_found_and_their_keys_never_shown(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_bytes(CONFIG)
    config = read_config(tmp_path, None)
    assert config.cache == tmp_path / ".dvc" / "cache"
    main, deep = config.remote(), config.remote("DEEP")
    assert main is not None
    assert deep is not None
    assert (main.url, deep.url) == (str(tmp_path / "store"), f"{tmp_path}/store/below")
    assert "loop" not in config.remotes
    assert config.expand("remote://deep/x") == f"{tmp_path}/store/below/x"
    assert config.expand("remote://nowhere/x") is None
    shown = f"{config.remotes['keys'].describe()} {config!r}"
    for secret in ("topsecret", "wJalr", "hidden"):
        assert secret not in str(config.remotes["keys"].describe())
    assert "wJalr" not in shown


def test_the_stronger_configuration_wins(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    local = tmp_path / ".dvc" / "config.local"
    local.write_bytes(b"[cache]\ndir = /elsewhere\n[core]\nremote = b\n")
    config = read_config(tmp_path, b"[core]\nremote = a\n['remote \"b\"']\nurl = s3://b\n", [(local, True)])
    assert (str(config.cache), config.default) == ("/elsewhere", "b")
    weaker = read_config(tmp_path, b"[core]\nremote = a\n", [(local, False)])
    assert weaker.default == "a"
    for text in (b"no setting", b"\xff"):
        with pytest.raises(BadInput):
            parse(text, "x")


def test_other_remotes_are_named_in_the_error() -> None:
    with pytest.raises(SourceError) as raised:
        open_remote(Remote("r", "ssh://host/x"))
    assert "dvc pull" in raised.value.hint


def test_numbers_of_metrics_files() -> None:
    assert read_numbers(b'{"a": {"b": [1, 0.10]}, "c": "1", "d": true, "e": 1e400}', b"m.json") == {
        "a.b.0": "1",
        "a.b.1": "0.1",
        "e": "inf",
    }
    assert read_numbers(b"a: 1e-3\nb: text\nc: .nan\n", b"m.yaml") == {"a": "0.001", "c": "nan"}
    assert read_numbers(b"a = 0.5\n[b]\nc = 3\n", b"m.toml") == {"a": "0.5", "b.c": "3"}
    for data, name in ((b"{", b"m.json"), (b"x", b"m.csv"), (b"[" * 99999, b"m.json"), (b"\xff", b"m.yaml")):
        with pytest.raises(BadInput):
            read_numbers(data, name)
