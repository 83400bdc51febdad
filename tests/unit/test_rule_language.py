"""The language of rules: values, operators, what is missing, and every mistake pointed at."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.change.rule_evaluation import decide, describe_for_rules, evaluate
from lineal.change.rule_file import read_rules
from lineal.change.rule_ops import ABSENCE, OPS, WORDS, same
from lineal.change.rule_paths import MISSING, Unanswerable, compile_path
from lineal.change.rule_yaml import read_yaml
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT, NOT_APPLICABLE, Conclusion
from lineal.errors import BadInput
from rule_world import item

HEAD = """\
rules:
  - id: R
    description: d
    resource_types: [File::yaml]
    message: m
"""


def rule(text: str) -> str:
    """Return a file of one rule with these lines more."""
    return HEAD + "".join(f"    {line}\n" for line in text.strip().splitlines())


def conclude(assertion: str, configuration: dict[str, Any], more: str = "", **seen: Any) -> Conclusion:
    (found,) = read_rules(rule(f"assert:\n  - {assertion}\n{more}"), "rules.yaml")
    held = item("File::yaml", "a", configuration, source="files", shape="file", **seen)
    made = evaluate(found, held)
    assert decide(found, describe_for_rules(held, {})) == made.state  # the short way says the same as the long one
    return made


GONE = "{path: configuration.gone, op: eq, value: 1}"
CONFIGURATION = {
    "count": 3, "rate": "0.25", "name": "scorer-1", "empty": "", "none": None, "off": False, "list": ["a", "b"],
    "map": {"k": "v"}, "rows": [{"n": 1, "kind": "x"}, {"n": 2}, {"kind": "y"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("assertion", "state"),
    [
        ("{path: configuration.count, op: eq, value: 3}", COMPLIANT),
        ("{path: configuration.count, op: eq, value: true}", NON_COMPLIANT),
        ("{path: configuration.off, op: eq, value: false}", COMPLIANT),
        ("{path: configuration.off, op: eq, value: 0}", NON_COMPLIANT),
        ("{path: configuration.count, op: ne, value: 3}", NON_COMPLIANT),
        ("{path: configuration.rate, op: le, value: 0.25}", COMPLIANT),
        ("{path: configuration.rate, op: eq, value: 0.250}", COMPLIANT),
        ("{path: configuration.rate, op: gt, value: 0.3}", NON_COMPLIANT),
        ("{path: configuration.name, op: gt, value: 1}", INSUFFICIENT),
        ("{path: configuration.count, op: in, value: [1, 2, 3]}", COMPLIANT),
        ("{path: configuration.count, op: not_in, value: [1, 2, 3]}", NON_COMPLIANT),
        ("{path: configuration.list, op: contains, value: a}", COMPLIANT),
        ("{path: configuration.map, op: contains, value: k}", COMPLIANT),
        ("{path: configuration.name, op: contains, value: core}", COMPLIANT),
        ("{path: configuration.count, op: contains, value: 3}", INSUFFICIENT),
        ("{path: configuration.list, op: contains_all, value: [a, b]}", COMPLIANT),
        ("{path: configuration.list, op: contains_all, value: [a, c]}", NON_COMPLIANT),
        ("{path: configuration.list, op: contains_any, value: [c, b]}", COMPLIANT),
        ("{path: configuration.list, op: contains_none, value: [c]}", COMPLIANT),
        ("{path: configuration.list, op: subset_of, value: [a]}", NON_COMPLIANT),
        ("{path: configuration.name, op: like, value: 'scorer-*'}", COMPLIANT),
        ("{path: configuration.name, op: not_like, value: ['x*', '*-1']}", NON_COMPLIANT),
        ("{path: configuration.name, op: matches, value: '^scorer-[0-9]$'}", COMPLIANT),
        ("{path: configuration.name, op: starts_with, value: scorer}", COMPLIANT),
        ("{path: configuration.name, op: ends_with, value: '2'}", NON_COMPLIANT),
        ("{path: configuration.list, op: size_ge, value: 2}", COMPLIANT),
        ("{path: configuration.list, op: size_le, value: 1}", NON_COMPLIANT),
        # what is empty, false or null is not missing
        ("{path: configuration.empty, op: present}", COMPLIANT),
        ("{path: configuration.off, op: present}", COMPLIANT),
        ("{path: configuration.none, op: present}", NON_COMPLIANT),
        ("{path: configuration.gone, op: present}", NON_COMPLIANT),
        ("{path: configuration.gone, op: absent}", COMPLIANT),
        ("{path: configuration.none, op: absent}", COMPLIANT),
        ("{path: configuration.empty, op: absent}", NON_COMPLIANT),
        ("{path: configuration.empty, op: empty}", COMPLIANT),
        ("{path: configuration.none, op: eq, value: null}", COMPLIANT),
        ("{path: configuration.gone, op: eq, value: null}", INSUFFICIENT),
        ("{path: configuration.gone, op: eq, value: 1}", INSUFFICIENT),
        ("{path: configuration.gone, op: ne, value: 1}", INSUFFICIENT),
        ("{path: configuration.gone, op: eq, value: 1, default: 1}", COMPLIANT),
        ("{path: configuration.gone, op: not_empty}", INSUFFICIENT),
        ("{path: [configuration.gone, configuration.count], op: eq, value: 3}", COMPLIANT),
        ("{path: 'configuration.rows[0].n', op: eq, value: 1}", COMPLIANT),
        ("{path: 'configuration.rows[-1].kind', op: eq, value: y}", COMPLIANT),
        ("{path: 'configuration.rows[9].n', op: eq, value: 1}", INSUFFICIENT),
        ("{path: configuration.count, op: eq, value: {path: configuration.count}}", COMPLIANT),
        ("{path: configuration.count, op: eq, value: {path: configuration.gone}}", INSUFFICIENT),
        # every element of a list: one that lacks the field is not passed over, as it is in `rows[].n`
        ("{each: configuration.rows, path: n, op: ge, value: 1}", INSUFFICIENT),
        ("{each: configuration.rows, where: n, path: n, op: ge, value: 1}", COMPLIANT),
        ("{each: configuration.rows, where: n, path: n, op: ge, value: 2}", NON_COMPLIANT),
        ("{each: configuration.gone, path: n, op: ge, value: 1}", INSUFFICIENT),
        ("{each: configuration.gone, optional: true, path: n, op: ge, value: 1}", COMPLIANT),
        ("{each: configuration.count, path: n, op: ge, value: 1}", INSUFFICIENT),
        ("{each: configuration.map, path: '@', op: eq, value: v}", COMPLIANT),
        # one that fails decides, whatever else is not known; one that holds decides of several
        (f"{{all: [{GONE}, {{path: configuration.count, op: eq, value: 9}}]}}", NON_COMPLIANT),
        (f"{{any: [{GONE}, {{path: configuration.count, op: eq, value: 3}}]}}", COMPLIANT),
        (f"{{any: [{GONE}, {{path: configuration.count, op: eq, value: 9}}]}}", INSUFFICIENT),
        ("{expr: 'length(configuration.list) == `2`'}", COMPLIANT),
        ("{expr: 'configuration.off'}", NON_COMPLIANT),
        ("{expr: 'configuration.gone'}", INSUFFICIENT),
        ("{expr: 'configuration.name'}", INSUFFICIENT),
        ("{expr: 'length(configuration.count) == `1`'}", INSUFFICIENT),
        ("configuration.count == `3`", COMPLIANT),
        ("{path: type, op: eq, value: 'File::yaml'}", COMPLIANT),
        ("{path: name, op: eq, value: a}", COMPLIANT),
    ],
)  # fmt: skip
def test_an_assertion_says_yes_no_or_that_it_is_not_known(assertion: str, state: str) -> None:
    found = conclude(assertion, CONFIGURATION)
    assert found.state == state, found.explanation
    assert found.explanation


def test_a_rule_that_needs_what_is_not_there_says_nothing() -> None:
    assertion = "{path: configuration.gone, op: absent}"
    found = conclude(assertion, CONFIGURATION, "needs: [configuration.other]")
    assert (found.state, found.explanation) == (INSUFFICIENT, "the record has no configuration.other")
    assert conclude(assertion, CONFIGURATION, "needs: [[configuration.other, configuration.count]]").state == COMPLIANT


def test_a_rule_is_asked_only_where_it_applies() -> None:
    assertion = "{path: configuration.count, op: eq, value: 9}"
    assert conclude(assertion, CONFIGURATION, "when: configuration.off").state == NOT_APPLICABLE
    assert conclude(assertion, CONFIGURATION, "when: configuration.count").state == NON_COMPLIANT
    assert conclude(assertion, CONFIGURATION, "when: length(configuration.count) > `1`").state == INSUFFICIENT


def test_what_a_rule_concludes_can_be_traced() -> None:
    found = conclude("{path: configuration.count, op: ge, value: 4}", CONFIGURATION, "remedy: more\nseverity: high")
    assert found.explanation == "m: configuration.count is 3, and must be >= 4"
    assert (found.severity, found.remedy, found.evidence[1:]) == ("high", "more", ("configuration.count",))
    again = conclude("{path: configuration.count, op: ge, value: 4}", CONFIGURATION, "remedy: more\nseverity: high")
    other = conclude("{path: configuration.count, op: ge, value: 5}", CONFIGURATION, "remedy: more\nseverity: high")
    changed = conclude("{path: configuration.count, op: ge, value: 4}", {"count": 3}, "remedy: more\nseverity: high")
    assert found == again
    assert len({found.inputs, other.inputs, changed.inputs}) == 3


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        ("asert: [x]", 6, "unknown key 'asert'"),
        ("assert: []", 6, "a rule asserts something"),
        ("severity: bad\nassert: [x]", 6, "no such severity: 'bad'"),
        ("assert:\n  - {path: a, op: equals, value: 1}", 7, "no such operator: 'equals'"),
        ("assert:\n  - {path: a, op: eq}", 7, "`eq` needs a value"),
        ("assert:\n  - {path: a, op: present, value: 1}", 7, "`present` takes no value"),
        ("assert:\n  - {path: a, op: present, default: 1}", 7, "takes no default"),
        ("assert:\n  - {path: a, op: eq, value: 1, extra: 2}", 7, "unknown key 'extra'"),
        ("assert:\n  - {op: eq, value: 1}", 7, "an assertion has a `path`"),
        ("assert:\n  - {path: 'a..b', op: present}", 7, "no JMESPath"),
        ("assert:\n  - {path: 'nosuch(a)', op: present}", 7, "no function of JMESPath: nosuch()"),
        ("assert:\n  - {path: a, op: matches, value: '('}", 7, "no regular expression"),
        ("assert:\n  - {path: a, op: eq, value: {parameter: p}}", 7, "no parameter 'p'"),
        ("assert:\n  - {python: os.system}", 7, "no such condition: 'os.system'"),
        ("assert:\n  - {any: []}", 7, "`any` of nothing"),
        ("assert:\n  - {each: a, assert: [x]}", 7, "a list of comparisons"),
        ("assert:\n  - 3", 7, "an assertion is a mapping or an expression"),
        ("when: '['\nassert: [x]", 6, "no JMESPath"),
        ("parameters: {p: {type: number}}\nassert: [x]", 6, "no such type: 'number'"),
        ("parameters: {p: {type: integer, default: many}}\nassert: [x]", 6, "takes a value of the kind integer"),
        ("parameters: [p]\nassert: [x]", 6, "must be a mapping"),
        ("needs: [3]\nassert: [x]", 6, "an expression must be text"),
        ("description: again\nassert: [x]", 6, "the key 'description' stands twice"),
    ],
)  # fmt: skip
def test_a_mistake_is_pointed_at(lines: str, line: int, words: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_rules(rule(lines), "my.yaml")
    assert caught.value.message.startswith(f"my.yaml:{line}: ")
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no rules"),
        ("rules: 3", "no rules"),
        ("[1, 2]", "no rules"),
        ("rules: [3]", "a rule is a mapping"),
        ("rules: [{}]", "`id` must be text"),
        ("rules: []\nother: 1", "unknown key 'other'"),
        ("rules: [a", "bad.yaml:1: no YAML"),
        ("a: &a [*a, *a]", "too much"),
        ("? [a]\n: 1", "a key must be text"),
        ("rules: [{id: 'a b'}]", "an id has letters"),
        ("a: *nobody", "no YAML"),
        ("---\na: 1\n---\nb: 2", "no YAML"),
        (rule("assert: [x]") + rule("assert: [x]").removeprefix("rules:\n"), "rule R stands twice"),
        ("x: " + "[" * 60 + "]" * 60, "levels at most"),
    ],
)
def test_what_is_no_file_of_rules_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words.replace("[", r"\[")):
        read_rules(text, "bad.yaml")


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(BadInput, match="too much"):
        read_yaml("\n".join(lines), "bomb.yaml")


def test_yaml_is_read_without_surprises() -> None:
    sheet = read_yaml(
        "a: 2026-01-01\nb: 1_000\nc: 0x10\nd: .inf\ne: 99999999999999999999\nf: !Ref X\ng: !If [c, 1]\n", "y"
    )
    assert sheet.value == {
        "a": "2026-01-01", "b": 1000, "c": 16, "d": ".inf", "e": "99999999999999999999", "f": {"Ref": "X"},
        "g": {"Fn::If": ["c", 1]},
    }  # fmt: skip
    assert sheet.at("b") == "y:2"


def test_paths_tell_what_is_missing_from_what_is_null() -> None:
    path = compile_path("a.b[0].c")
    assert path.find({"a": {"b": [{"c": None}]}}) is None
    assert path.find({"a": {"b": []}}) is MISSING
    assert path.find({"a": [1]}) is MISSING
    assert path.find("text") is MISSING
    assert compile_path("a[].b").find({"a": []}) == []
    assert compile_path("a || b").find({}) is MISSING
    with pytest.raises(Unanswerable):
        compile_path("sum(a)").find({"a": "text"})
    with pytest.raises(BadInput, match="at most"):
        compile_path("a." * 5000 + "a")


def test_every_operator_has_words_and_is_told_of() -> None:
    page = (Path(__file__).parents[2] / "docs" / "rules.md").read_text("utf-8")
    assert set(WORDS) == set(OPS)
    assert [op for op in {*OPS, *ABSENCE} if f"`{op}`" not in page] == []


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4) | st.decimals(allow_nan=False).map(str),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(set(OPS) - {"matches", "not_matches"})), _VALUES, _VALUES)
def test_every_operator_answers_everything_and_its_opposite_the_opposite(op: str, left: Any, right: Any) -> None:
    answer = OPS[op](left, right)
    assert answer in (True, False, None)
    opposite = {"eq": "ne", "in": "not_in", "contains": "not_contains", "like": "not_like", "empty": "not_empty"}
    if op in opposite:
        assert OPS[opposite[op]](left, right) == (None if answer is None else not answer)


@given(_VALUES, _VALUES)
def test_equality_is_an_equivalence(left: Any, right: Any) -> None:
    assert same(left, left)
    assert same(left, right) == same(right, left)
