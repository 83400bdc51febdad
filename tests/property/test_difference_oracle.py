"""Differences held against an oracle that is slow and simple, above all where Python takes different values for equal.

The oracle names no edit by what it found equal: it walks every value of both documents, types and all, and never uses
``==`` on anything that has parts. Documents are drawn in pairs that are equal to Python, or all but.
"""

import copy
import json
import random
from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.property.test_difference_properties import KINDS, OBJECTS, SHAPED, make

from lineal.change.difference import ORDER, diff, diff_frozen
from lineal.change.exact import Frozen, Held, freeze, hold, same, thaw
from lineal.change.kinds import Kind, Node, kind_of
from lineal.change.semantic import freeze as freeze_item
from lineal.change.semantic import strip
from lineal.core.config_item import ConfigItem

FREE = "AWS::Other::Thing"
CONFIG = "AWS::SageMaker::EndpointConfig"
ENDPOINT = "AWS::SageMaker::Endpoint"

ALIKE = st.sampled_from([True, False, 0, 1, "true", "1", "1.0", None])
TREES = st.recursive(
    ALIKE,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["a", "b", "Name", "v"]), inner, max_size=4),
        st.lists(st.fixed_dictionaries({"Name": st.sampled_from("abc"), "v": inner}), max_size=4),
        st.fixed_dictionaries({"Subnets": st.lists(ALIKE, max_size=4)}),
    ),
    max_leaves=20,
)
ROOTS = st.fixed_dictionaries(
    {},
    optional={
        "VpcConfig": st.fixed_dictionaries({"Subnets": st.lists(ALIKE, max_size=5)}),
        "ProductionVariants": st.lists(
            st.fixed_dictionaries({"VariantName": st.sampled_from("abcd"), "v": TREES, "w": ALIKE}), max_size=4
        ),
        "x": TREES,
        "y": TREES,
    },
)
Told = Counter[tuple[str, tuple[str, ...], str, str]]


def swapped(value: Any, chance: random.Random, odds: float) -> Any:
    """Return a document that Python takes for equal, with some of its truths as numbers, and numbers as truths."""
    if isinstance(value, dict):
        return {name: swapped(each, chance, odds) for name, each in value.items()}
    if isinstance(value, list):
        return [swapped(each, chance, odds) for each in value]
    if isinstance(value, int) and value in (0, 1) and chance.random() < odds:
        return int(value) if isinstance(value, bool) else bool(value)
    return value


def spelled(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def told(edits: Any) -> Told:
    return Counter((each.op, each.path, spelled(each.old), spelled(each.new)) for each in edits)


def expected(old: Any, new: Any, kind: str) -> Told:
    """Return what the edits must be."""
    found: Told = Counter()
    _walk(old, new, kind_of(kind).root, kind_of(kind), False, (), found)
    return found


def _walk(old: Any, new: Any, node: Node, kind: Kind, ordered: bool, path: tuple[str, ...], found: Told) -> None:
    if spelled(old) == spelled(new):  # of JSON, text is the whole truth
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in old.keys() | new.keys():
            child = node.children.get(name, node.every or Node())
            _step(old, new, name, (child, kind, ordered or child.ordered), path, found)
    elif isinstance(old, list) and isinstance(new, list):
        _walk_lists(old, new, node, kind, ordered, path, found)
    else:
        found["replace", path, spelled(old), spelled(new)] += 1


def _step(old: Any, new: Any, name: str, rest: tuple[Node, Kind, bool], path: tuple[str, ...], found: Told) -> None:
    if name not in new:
        found["remove", (*path, name), spelled(old[name]), "null"] += 1
    elif name not in old:
        found["add", (*path, name), "null", spelled(new[name])] += 1
    else:
        _walk(old[name], new[name], *rest, (*path, name), found)


def _walk_lists(
    old: list[Any], new: list[Any], node: Node, kind: Kind, ordered: bool, path: tuple[str, ...], found: Told
) -> None:
    child = node.every or Node()
    if node.unordered and not any(isinstance(each, dict | list) for each in [*old, *new]):
        came, went = Counter(map(spelled, new)), Counter(map(spelled, old))
        for text in (came - went).elements():
            found["add", (*path, _word(text)), "null", text] += 1
        for text in (went - came).elements():
            found["remove", (*path, _word(text)), text, "null"] += 1
        return
    for keys, free in [*([] if node.keys is None else [(node.keys, True)]), *(((k,), kind.free) for k in kind.auto)]:
        one, other = _named(old, keys, old or new, new or old), _named(new, keys, old or new, new or old)
        if one is not None and other is not None:
            for name in one.keys() | other.keys():
                _step(one, other, name, (child, kind, ordered), path, found)
            before, after = [each for each in one if each in other], [each for each in other if each in one]
            if (ordered or not free) and before != after:
                found["replace", (*path, ORDER), spelled(before), spelled(after)] += 1
            return
    start = end = 0
    shorter = min(len(old), len(new))
    if len(old) != len(new):
        while start < shorter and spelled(old[start]) == spelled(new[start]):
            start += 1
        while end < shorter - start and spelled(old[-1 - end]) == spelled(new[-1 - end]):
            end += 1
    for n in range(start, shorter - end):
        _walk(old[n], new[n], child, kind, ordered, (*path, str(n)), found)
    for n in range(shorter - end, len(old) - end):
        found["remove", (*path, str(n)), spelled(old[n]), "null"] += 1
    for n in range(shorter - end, len(new) - end):
        found["add", (*path, str(n)), "null", spelled(new[n])] += 1


def _word(text: str) -> str:
    value = json.loads(text)
    return value if isinstance(value, str) else text


def _named(elements: list[Any], keys: tuple[str, ...], *both: list[Any]) -> dict[str, Any] | None:
    if not all(isinstance(each, dict) for each in [*elements, both[0][0], both[1][0]]):
        return None
    if not all(keys[0] in each for each in elements):
        return None
    names = [[each[keys[0]], *(each.get(key, "") for key in keys[1:])] for each in elements]
    if any(isinstance(part, bool) or not isinstance(part, str | int) for parts in names for part in parts):
        return None
    found = dict(zip(("/".join(map(str, parts)) for parts in names), elements, strict=True))
    return found if len(found) == len(elements) and ORDER not in found else None


def check(old: dict[str, Any], new: dict[str, Any], kind: str) -> None:
    """Hold every way to a difference against the oracle, and against each other."""
    kept = spelled([old, new])
    assert told(diff(old, new, kind)) == expected(old, new, kind)
    one, other = make(kind, old), make(kind, new)
    plainly = diff(strip(one), strip(other), kind)
    assert told(plainly) == expected(strip(one), strip(other), kind)
    frozen = Frozen(kind_of(kind))
    documents = [freeze_item(each, frozen) for each in (one, other)]
    edits = diff_frozen(documents[0], documents[1], frozen)
    assert told(edits) == told(plainly)
    assert [(each.path, each.at) for each in edits] == [(each.path, each.at) for each in plainly]
    assert not any(_holds(value) for each in edits for value in (each.old, each.new))
    assert told(diff_frozen(documents[1], documents[0], frozen)) == told(diff(strip(other), strip(one), kind))
    assert spelled([old, new]) == kept


def _holds(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return any(map(_holds, value)) if isinstance(value, list) else isinstance(value, Held)


@settings(max_examples=400)
@given(ROOTS, st.sampled_from([0.0, 0.1, 0.5, 1.0]), KINDS, st.randoms(use_true_random=False))
@example({"a": [True, {"b": 1}], "c": [{"Name": "x", "v": True}, {"Name": "y", "v": 1}]}, 1.0, FREE, random.Random(1))
@example({"VpcConfig": {"Subnets": [True, 1, "1", "true", 0, False]}}, 1.0, CONFIG, random.Random(1))
def test_truths_and_numbers_that_change_places_are_told_at_every_depth(
    document: dict[str, Any], odds: float, kind: str, chance: random.Random
) -> None:
    other = swapped(copy.deepcopy(document), chance, odds)
    assert document == other  # to Python
    check(document, other, kind)
    assert same(document, other) == (spelled(document) == spelled(other))


@settings(max_examples=400)
@given(st.one_of(ROOTS, OBJECTS, SHAPED), st.one_of(ROOTS, OBJECTS, SHAPED), KINDS)
def test_every_way_to_a_difference_tells_what_the_oracle_does(
    old: dict[str, Any], new: dict[str, Any], kind: str
) -> None:
    check(old, new, kind)


@given(ROOTS, ROOTS, KINDS, st.randoms(use_true_random=False))
def test_what_one_document_left_behind_changes_nothing_of_the_next(
    one: dict[str, Any], two: dict[str, Any], kind: str, chance: random.Random
) -> None:
    """Documents frozen one after the other share parts; each is compared as if it had been frozen alone."""
    mixed = {**one, **{name: swapped(each, chance, 0.5) for name, each in two.items()}}
    chain = [one, mixed, two, swapped(one, chance, 0.3), json.loads(json.dumps(one)), mixed]
    frozen = Frozen(kind_of(kind))
    documents = [freeze_item(make(kind, each), frozen) for each in chain]
    for at, (old, new) in enumerate(pairwise(chain)):
        alone = diff(strip(make(kind, old)), strip(make(kind, new)), kind)
        assert told(diff_frozen(documents[at], documents[at + 1], frozen)) == told(alone)
    for each, document in zip(chain, documents, strict=True):
        assert spelled(thaw(document)) == spelled(strip(make(kind, each)))


def test_parts_that_stand_at_two_places_keep_what_the_table_says_of_each() -> None:
    shared = [{"VariantName": "b", "Name": "x", "v": 1}, {"VariantName": "a", "Name": "y", "v": True}]
    other = [{"VariantName": "b", "Name": "x", "v": True}, {"VariantName": "a", "Name": "y", "v": 1}]
    for kind in (CONFIG, "File::json", FREE):
        check({"ProductionVariants": shared, "z": shared}, {"ProductionVariants": other, "z": other}, kind)


def test_the_same_part_counts_otherwise_where_the_table_says_so() -> None:
    def endpoint(weight: str, **more: Any) -> dict[str, Any]:
        held = [{"VariantName": name, "CurrentWeight": weight, **more} for name in "ab"]
        return {"ProductionVariants": held, "other": copy.deepcopy(held)}

    for more in ({}, {"DeployedImages": [{"SpecifiedImage": "x"}]}):  # kept as a whole, and element by element
        document = endpoint("0.5", **more)
        thawed = thaw(freeze_item(make(ENDPOINT, document), Frozen(kind_of(ENDPOINT))))
        assert spelled(thawed) == spelled(strip(make(ENDPOINT, document)))
        assert thawed["ProductionVariants"] != thawed["other"] == document["other"]
        check(document, endpoint("1.0", **more), ENDPOINT)


def test_one_list_at_two_places_has_the_names_of_each() -> None:
    def pod(*sizes: int) -> dict[str, Any]:
        mounts = [{"name": f"n{n}", "mountPath": f"/m{n}", "size": size} for n, size in enumerate(sizes)]
        containers = [{"name": "c", "volumeMounts": mounts}, {"name": "d"}]
        return {"spec": {"template": {"spec": {"initContainers": containers}}}, "x": mounts}

    check(pod(1, 2), pod(1, 3), "Kubernetes::apps/Deployment")
    check(pod(1, 2), pod(2, 1), "Kubernetes::apps/Deployment")


def test_lists_known_by_different_fields_are_compared_by_one_that_both_have() -> None:
    auto = kind_of(FREE).auto
    old = [{auto[0]: f"a{n}", auto[1]: f"b{n}"} for n in range(2)]
    new = [{auto[1]: f"b{n}"} for n in range(2)]
    check({"x": old}, {"x": new}, FREE)
    check({"x": old}, {"x": new[::-1]}, FREE)


@given(OBJECTS)
def test_what_is_frozen_thaws_to_what_it_was(document: dict[str, Any]) -> None:
    assert spelled(thaw(freeze(document))) == spelled(document)


def test_frozen_values_are_equal_to_their_own_kind_alone() -> None:
    held = [freeze(each) for each in (True, False, 1, 0, 1.0, 0.0, "1", None)]
    for at, one in enumerate(held):
        assert [one == other for other in held] == [n == at for n in range(len(held))]
    assert freeze([{"a": (1,)}]) == freeze([{"a": (1,)}])
    assert len({hold(1.5), hold(1.5), hold(2.5)}) == 2


def test_numbers_of_two_kinds_and_what_marshal_cannot_write_are_told_apart() -> None:
    from decimal import Decimal

    for one, other in ((1.0, 1), (Decimal(1), 1), (True, 1.0)):
        for old, new in (({"v": one}, {"v": other}), ({"v": {"w": [[one]]}}, {"v": {"w": [[other]]}})):
            assert len(diff(old, new)) == 1


def test_decimals_in_texts_stay_text() -> None:
    def role(weight: str) -> ConfigItem:
        return make("AWS::SageMaker::Pipeline", {"PipelineDefinition": f'{{"w": {weight}, "n": 1, "t": true}}'})

    frozen = Frozen(kind_of("AWS::SageMaker::Pipeline"))
    old, new, text = (freeze_item(role(each), frozen) for each in ("1.0", "1", '"1.0"'))
    (edit,) = diff_frozen(old, new, frozen)
    assert (edit.path, edit.old, edit.new) == (("PipelineDefinition", "w"), "1.0", 1)
    assert diff_frozen(old, text, frozen) == ()
