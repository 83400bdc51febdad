"""Differences of arbitrary documents: nothing is missed, nothing is made up, and a patch of them leads to the other.

The oracle is the library jsonpatch, which knows nothing of names: it applies our patches, and looks for itself.
"""

import copy
import random
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.change.difference import diff
from lineal.change.exact import same
from lineal.change.patch import to_patch
from lineal.change.semantic import digest_of, strip
from lineal.core.config_item import ConfigItem
from lineal.core.resource import make_resource

PLAIN = "File::json"  # keyed lists in their order
FREE = "AWS::Other::Thing"  # keyed lists in any order
ENDPOINT = "AWS::SageMaker::Endpoint"
CONFIG = "AWS::SageMaker::EndpointConfig"
MODEL = "AWS::SageMaker::Model"  # Containers: known by hostname, in their order
PIPELINE = "AWS::CodePipeline::Pipeline"

KEYS = st.sampled_from(["", "a", "b", "a.b", "a/b", "~", "~1", "ü", "日本", "0", "-", "#order", "tags", "Name", "name"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 2), st.sampled_from(["", "0", "1", "true", "null", "a", "ü"])
)
NAMES = st.sampled_from(["", "a", "b", "c", "a/b", "~0", "ü", "0", "1", "#order"])
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(KEYS, inner, max_size=5),
        st.lists(st.fixed_dictionaries({"Name": NAMES}, optional={"v": inner}), max_size=5),
    ),
    max_leaves=25,
)
OBJECTS = st.dictionaries(KEYS, DOCUMENTS, max_size=5)


def _variants(name: str) -> st.SearchStrategy[Any]:
    element = st.fixed_dictionaries(
        {name: NAMES},
        optional={"CurrentWeight": SCALARS, "v": SCALARS, "list": st.lists(SCALARS, max_size=3), "Image": SCALARS},
    )
    return st.lists(element, max_size=5)


SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "ProductionVariants": _variants("VariantName"),
        "Containers": _variants("ContainerHostname"),
        "VpcConfig": st.fixed_dictionaries({}, optional={"Subnets": st.lists(SCALARS, max_size=5)}),
        "pipeline": st.fixed_dictionaries(
            {}, optional={"stages": _variants("name"), "version": SCALARS, "variables": _variants("name")}
        ),
        "EndpointStatus": SCALARS,
        "other": DOCUMENTS,
    },
)
KINDS = st.sampled_from([PLAIN, FREE, ENDPOINT, CONFIG, MODEL, PIPELINE])


def make(kind: str, configuration: dict[str, Any]) -> ConfigItem:
    resource = make_resource(kind, "123456789012", "eu-west-1", "x")
    return ConfigItem(
        resource=resource, time="2026-01-01T00:00:00.000000Z", source="aws", shape="api", configuration=configuration
    )


def shuffled(value: Any, chance: random.Random, *, lists: bool) -> Any:
    """Return a document with the keys of its objects, and if asked the elements of its lists, in another order."""
    if isinstance(value, dict):
        pairs = [(name, shuffled(each, chance, lists=lists)) for name, each in value.items()]
        chance.shuffle(pairs)
        return dict(pairs)
    if isinstance(value, list):
        elements = [shuffled(each, chance, lists=lists) for each in value]
        if lists:
            chance.shuffle(elements)
        return elements
    return value


@given(OBJECTS, OBJECTS)
def test_a_patch_of_the_edits_leads_to_the_other_document_exactly(old: dict[str, Any], new: dict[str, Any]) -> None:
    kept = copy.deepcopy((old, new))
    patch = to_patch(old, new, diff(old, new, PLAIN), PLAIN)
    assert same(jsonpatch.apply_patch(old, patch), new)
    assert same(list(kept), [old, new])
    back = to_patch(new, old, diff(new, old, PLAIN), PLAIN)
    assert same(jsonpatch.apply_patch(new, back), old)


@given(st.one_of(OBJECTS, SHAPED), st.one_of(OBJECTS, SHAPED), KINDS)
def test_a_patch_leads_to_the_other_document_up_to_the_order_that_says_nothing(
    old: dict[str, Any], new: dict[str, Any], kind: str
) -> None:
    patched = jsonpatch.apply_patch(old, to_patch(old, new, diff(old, new, kind), kind))
    assert digest_of(make(kind, patched)) == digest_of(make(kind, new))
    assert diff(patched, new, kind) == ()


@given(st.one_of(OBJECTS, SHAPED), st.one_of(OBJECTS, SHAPED), KINDS)
def test_digests_are_equal_exactly_when_there_is_no_edit(old: dict[str, Any], new: dict[str, Any], kind: str) -> None:
    one, other = make(kind, old), make(kind, new)
    edits = diff(strip(one), strip(other), kind)
    assert (digest_of(one) == digest_of(other)) == (edits == ())


@given(st.one_of(OBJECTS, SHAPED), KINDS, st.randoms(use_true_random=False))
def test_the_order_of_keys_never_changes_the_digest(document: dict[str, Any], kind: str, chance: random.Random) -> None:
    assert digest_of(make(kind, document)) == digest_of(make(kind, shuffled(document, chance, lists=False)))


@given(
    st.lists(NAMES.filter(lambda name: name != "#order"), unique=True, max_size=6), st.randoms(use_true_random=False)
)
def test_the_order_of_named_elements_and_of_sets_changes_nothing(names: list[str], chance: random.Random) -> None:
    document = {
        "ProductionVariants": [{"VariantName": name, "InitialInstanceCount": 1} for name in names],
        "VpcConfig": {"Subnets": [*names, 1, True, None], "SecurityGroupIds": names},
        "other": {"anything": [{"Key": name, "Value": [1, 2]} for name in names]},
    }
    mixed = copy.deepcopy(document)
    for elements in (
        mixed["ProductionVariants"],
        mixed["VpcConfig"]["Subnets"],  # type: ignore[call-overload]
        mixed["VpcConfig"]["SecurityGroupIds"],  # type: ignore[call-overload]
        mixed["other"]["anything"],  # type: ignore[call-overload]
    ):
        chance.shuffle(elements)
    assert digest_of(make(CONFIG, document)) == digest_of(make(CONFIG, mixed))
    assert diff(document, mixed, CONFIG) == ()


@given(OBJECTS, OBJECTS)
def test_what_jsonpatch_finds_lies_within_our_edits(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Where no list differs, both name the same fields; where one does, ours names the list or what is within it."""
    ours = {each.path for each in diff(old, new, PLAIN)}
    for operation in jsonpatch.make_patch(old, new).patch:
        for pointer in filter(None, (operation["path"], operation.get("from"))):
            keys = [each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/")[1:]]
            keys = keys[: _first_list(old, new, keys)]
            assert any(list(path[: len(keys)]) == keys or list(path) == keys[: len(path)] for path in ours), pointer


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.lists(st.sampled_from("abcdef"), unique=True))
def test_one_element_more_or_less_in_a_list_without_names_is_one_edit(ends: list[str], others: list[str]) -> None:
    old = {"list": [*ends, *(each.upper() for each in others)]}
    new = {"list": [*ends, {"new": True}, *(each.upper() for each in others)]}
    (edit,) = diff(old, new, FREE)
    assert (edit.op, edit.path, edit.at) == ("add", ("list", str(len(ends))), len(ends))
    (edit,) = diff(new, old, FREE)
    assert (edit.op, edit.path, edit.old) == ("remove", ("list", str(len(ends))), {"new": True})


def _first_list(old: Any, new: Any, keys: list[str]) -> int:
    """Return how many of `keys` lead into objects only, in both documents."""
    for n, key in enumerate(keys):
        if not (isinstance(old, dict) and isinstance(new, dict)):
            return n
        old, new = old.get(key), new.get(key)
    return len(keys)


@pytest.mark.parametrize(("one", "other"), [(True, 1), (False, 0), ("1", 1), (None, ""), ({}, []), (0, None)])
def test_values_that_python_takes_for_alike_differ(one: Any, other: Any) -> None:
    for a, b in ((one, other), (other, one)):
        for old, new in (
            ({"v": a}, {"v": b}),
            ({"v": [a]}, {"v": [b]}),
            ({"v": {"w": [[a], 1]}}, {"v": {"w": [[b], 1]}}),
        ):
            assert len(diff(old, new)) == 1
            assert digest_of(make(FREE, old)) != digest_of(make(FREE, new))
