"""Text of configuration files: read within limits, as it was written, and refused with its line where it is no such."""

from datetime import date
from typing import Any

import pytest

from lineal.errors import BadInput
from lineal.sources.config_files_text import decode, read_document
from lineal.sources.config_files_yaml import DEEPEST, MOST, read_yaml


def test_scalars_of_yaml_stay_what_somebody_wrote() -> None:
    (found,) = read_yaml(
        "i: 12\nneg: -3\nbig: 123456789012345678901234567890\ndec: 0.10\nexp: 1e3\nnan: .nan\noct: 0o17\nlead: 007\n"
        "day: 2026-03-01\nsix: 1:30\nyes: yes\noff: off\nt: true\nn: ~\nempty:\nquoted: '5'\ntext: !!str 5\n"
        "int: !!int '5'\n"
    )
    assert found == {
        "i": 12, "neg": -3, "big": "123456789012345678901234567890", "dec": "0.10", "exp": "1e3", "nan": ".nan",
        "oct": "0o17", "lead": "007", "day": "2026-03-01", "six": "1:30", "yes": "yes", "off": "off", "t": True,
        "n": None, "empty": None, "quoted": "5", "text": "5", "int": 5,
    }  # fmt: skip


def test_documents_anchors_merges_and_tags_of_yaml() -> None:
    assert read_yaml("---\n---\na: 1\n---\n- x\n...\n") == [{"a": 1}, ["x"]]
    assert read_yaml("base: &b {x: 1, y: 2}\nown: {<<: *b, y: 3}\n")[0]["own"] == {"x": 1, "y": 3}
    assert read_yaml("l: &l [1]\nagain: *l\n")[0]["again"] == [1]
    assert read_yaml("b: !Sub '${A}'\nc: !vault |\n  abc\n") == [{"b": {"!Sub": "${A}"}, "c": {"!vault": "abc\n"}}]
    assert read_yaml("1: a\ntrue: b\n") == [{"1": "a", "true": "b"}]
    (made,) = read_yaml("x: !!python/object/apply:os.system ['touch /tmp/never']\n")
    assert list(made["x"]) == ["tag:yaml.org,2002:python/object/apply:os.system"]


def _bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' stands twice"),
        ("a:\n\t- b\n", "line 2: "),
        ("a: [1\n", "line 2: "),
        ("a: b: c\n", "line 1: "),
        ("? [x]\n: y\n", "line 1: a key that is a list"),
        ("a: &x [*x]\n", "line 1: the alias *x"),
        ("a: *nobody\n", "alias"),
        ("<<: 5\n", "merges what is no table"),
        ("x: \x07\n", "control characters"),
        (_bomb(9), f"more than {MOST} values"),
        ("[" * 5000, f"deeper than {DEEPEST}"),
        ("{a: " * 5000, f"deeper than {DEEPEST}"),
        ("- " * 5000, f"deeper than {DEEPEST}"),
    ],
)  # fmt: skip
def test_bad_yaml_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(BadInput) as error:
        read_yaml(text)
    assert said in error.value.message


def test_depth_counts_through_aliases() -> None:
    half = DEEPEST // 2 + 2
    text = f"a: &a {'[' * half}x{']' * half}\nb: {'[' * half}*a{']' * half}\n"
    with pytest.raises(BadInput, match="nested deeper"):
        read_yaml(text)


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        ("json", '{"a": 1.10, "n": NaN, "e": 1E2, "i": 7}', {"a": "1.10", "n": "NaN", "e": "1E2", "i": 7}),
        ("toml", "a = 1.10\nd = 2026-03-01\n[t]\nx = [1]\n", {"a": "1.10", "d": date(2026, 3, 1), "t": {"x": [1]}}),
        ("ini", "[A]\nK = %(x)s\nf\n[DEFAULT]\nz=1\n", {"A": {"K": "%(x)s", "f": None}, "DEFAULT": {"z": "1"}}),
        ("env", "# c\nexport A = b c \nB='x=1'\nC=\n", {"A": "b c", "B": "x=1", "C": ""}),
        (
            "properties",
            "# c\n! c\na=1\nb : 2\nc d \\\n   e\n\\u0041\\=k=v\nempty\npath=C:\\\\x\n",
            {"a": "1", "b": "2", "c": "d e", "A=k": "v", "empty": "", "path": "C:\\x"},
        ),
    ],
)  # fmt: skip
def test_other_formats(kind: str, text: str, found: dict[str, Any]) -> None:
    assert read_document(kind, text) == [found]


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("json", '{"a": 1, "a": 2}', "'a' stands twice"),
        ("json", '{"a":\n}', "line 2"),
        ("json", "[" * 100_000, "not JSON"),
        ("json", "[" * 200 + "]" * 200, "nested deeper"),
        ("toml", "a = \n", "not TOML"),
        ("toml", "a = 1\na = 2\n", "not TOML"),
        ("ini", "x = 1\n", "line 1: not an INI file"),
        ("ini", "[a]\nx=1\nx=2\n", "line 3: not an INI file"),
        ("env", "A=1\nnot a pair\n", "line 2"),
        ("env", "A=1\nA=2\n", "line 2: 'A' stands there twice"),
        ("properties", "a=1\n\na=2\n", "line 3"),
    ],
)
def test_bad_text_of_other_formats_is_refused(kind: str, text: str, said: str) -> None:
    with pytest.raises(BadInput) as error:
        read_document(kind, text)
    assert said in error.value.message


def test_bytes_become_text_by_their_mark() -> None:
    assert decode(b"\xef\xbb\xbfa: \xc3\xbc") == "a: ü"
    assert decode("a: ü".encode("utf-16")) == "a: ü"
    assert decode("a: ü".encode("utf-32")) == "a: ü"
    for data in (b"a: \xff", b"a\0b", b"\xff\xfea"):
        with pytest.raises(BadInput, match="not text"):
            decode(data)
