"""Differences of configurations by path, and patches of them."""

import copy
import itertools
import json
from typing import Any

import jsonpatch
import pytest

from lineal.change.difference import ORDER, diff
from lineal.change.exact import same
from lineal.change.patch import to_patch
from lineal.core.change import Edit

CONFIG = "AWS::SageMaker::EndpointConfig"
ENDPOINT = "AWS::SageMaker::Endpoint"
MODEL = "AWS::SageMaker::Model"
PIPELINE = "AWS::CodePipeline::Pipeline"
POD = "Kubernetes::apps/Deployment"
FILE = "File::yaml"


def variant(name: str, count: int = 1, **more: Any) -> dict[str, Any]:
    return {"VariantName": name, "InitialInstanceCount": count, **more}


def told(edits: tuple[Edit, ...]) -> list[tuple[str, str]]:
    return [(each.op, "/".join(each.path)) for each in edits]


def patched(old: dict[str, Any], new: dict[str, Any], kind: str) -> dict[str, Any]:
    given = json.loads(json.dumps(old))  # a document, without parts that are one object in Python
    found: dict[str, Any] = jsonpatch.apply_patch(given, to_patch(old, new, diff(old, new, kind), kind))
    return found


def test_a_field_of_a_named_element_is_told_by_the_name_wherever_it_stands() -> None:
    old = {"ProductionVariants": [variant("blue", 1), variant("green", 2)], "KmsKeyId": "k"}
    new = {"ProductionVariants": [variant("green", 5), variant("blue", 1)], "KmsKeyId": "k"}
    (edit,) = diff(old, new, CONFIG)
    assert edit == Edit("replace", ("ProductionVariants", "green", "InitialInstanceCount"), 2, 5)


def test_an_element_that_came_or_went_is_one_edit_and_holds_all_of_it() -> None:
    old = {"ProductionVariants": [variant("blue"), variant("green")]}
    new = {"ProductionVariants": [variant("canary"), variant("green")]}
    assert diff(old, new, CONFIG) == (
        Edit("remove", ("ProductionVariants", "blue"), old=variant("blue")),
        Edit("add", ("ProductionVariants", "canary"), new=variant("canary")),
    )
    for empty in ({"ProductionVariants": []}, {}):
        assert len(diff(empty, new, CONFIG)) in (1, 2)
        assert same(patched(empty, new, CONFIG), new)
        assert same(patched(new, empty, CONFIG), empty)


def test_edits_come_in_the_order_of_their_paths() -> None:
    edits = diff({"b": 1, "a": {"z": 1, "y": 1}}, {"a": {"y": 2, "z": 2, "x": 3}, "c": 1})
    assert [each.path for each in edits] == [("a", "x"), ("a", "y"), ("a", "z"), ("b",), ("c",)]


@pytest.mark.parametrize("names", [["a", "a"], ["a", None], ["a", True], ["a", ORDER]])
def test_lists_whose_names_do_not_tell_their_elements_apart_are_compared_by_place(names: list[Any]) -> None:
    old = {"ProductionVariants": [{"VariantName": name, "n": 1} for name in names]}
    new = copy.deepcopy(old)
    new["ProductionVariants"][1]["n"] = 2
    assert told(diff(old, new, CONFIG)) == [("replace", "ProductionVariants/1/n")]
    assert same(patched(old, new, CONFIG), new)


def test_a_list_that_lost_its_names_on_one_side_only_is_compared_by_place() -> None:
    old = {"ProductionVariants": [variant("a"), variant("b")]}
    new = {"ProductionVariants": [variant("a"), "b"]}
    assert told(diff(old, new, CONFIG)) == [("replace", "ProductionVariants/1")]


def test_another_kind_of_value_is_one_edit() -> None:
    for one, other in itertools.permutations([{"a": 1}, [1], "1", 1, True, None], 2):
        assert diff({"v": one}, {"v": other}) == (Edit("replace", ("v",), one, other),)
    assert diff({"v": None}, {}) == (Edit("remove", ("v",), old=None),)
    assert diff({}, {"v": None}) == (Edit("add", ("v",), new=None),)
    assert diff({"v": {}}, {"v": {}}) == ()


def test_sets_are_compared_by_value_and_keep_what_stands_twice() -> None:
    old = {"VpcConfig": {"Subnets": ["b", "a", "1", True, "a"]}}
    new = {"VpcConfig": {"Subnets": ["a", 1, "1", True, "c"]}}
    assert diff(old, new, CONFIG) == (
        Edit("add", ("VpcConfig", "Subnets", "1"), new=1),
        Edit("remove", ("VpcConfig", "Subnets", "a"), old="a"),
        Edit("remove", ("VpcConfig", "Subnets", "b"), old="b"),
        Edit("add", ("VpcConfig", "Subnets", "c"), new="c"),
    )
    assert sorted(map(repr, patched(old, new, CONFIG)["VpcConfig"]["Subnets"])) == sorted(
        map(repr, new["VpcConfig"]["Subnets"])
    )


def test_a_set_that_holds_objects_is_a_list() -> None:
    old, new = {"VpcConfig": {"Subnets": [["a"], "b"]}}, {"VpcConfig": {"Subnets": ["b", ["a"]]}}
    assert told(diff(old, new, CONFIG)) == [("replace", "VpcConfig/Subnets/0"), ("replace", "VpcConfig/Subnets/1")]


def stages(*names: str) -> dict[str, Any]:
    return {"pipeline": {"stages": [{"name": each, "actions": [{"name": "a"}, {"name": "b"}]} for each in names]}}


def test_the_order_of_stages_counts_and_that_of_their_actions_does_not() -> None:
    pipeline = {"pipeline": {"stages": [{"name": "Test"}, {"name": "Deploy"}]}}
    swapped = {"pipeline": {"stages": [{"name": "Deploy"}, {"name": "Test"}]}}
    # CodePipeline runs stages in their order: a deployment before its test is what an approval must not miss.
    old = stages("Test", "Deploy")
    new = copy.deepcopy(old)
    new["pipeline"]["stages"][0]["actions"].reverse()
    assert diff(old, new, PIPELINE) == ()
    assert diff(pipeline, swapped, PIPELINE) == (
        Edit("replace", ("pipeline", "stages", ORDER), ["Test", "Deploy"], ["Deploy", "Test"]),
    )


def test_where_order_counts_an_element_has_its_place() -> None:
    old, new = stages("Source", "Test", "Deploy"), stages("Source", "Approve", "Test", "Deploy")
    (edit,) = diff(old, new, PIPELINE)
    assert (edit.op, edit.path, edit.at) == ("add", ("pipeline", "stages", "Approve"), 1)
    (edit,) = diff(new, old, PIPELINE)
    assert (edit.op, edit.path, edit.at) == ("remove", ("pipeline", "stages", "Approve"), 1)


@pytest.mark.parametrize("kind", [PIPELINE, FILE])
def test_patches_of_lists_whose_order_counts_are_exact(kind: str) -> None:
    names = ["a", "b", "c", "d"]
    lists = [list(each) for n in range(5) for each in itertools.permutations(names, n)]
    for one, other in itertools.product(lists[::3], lists[::2]):
        old, new = stages(*one), stages(*other)
        if other:
            new["pipeline"]["stages"][-1]["actions"] = [{"name": "b", "runOrder": 2}]
        assert same(patched(old, new, kind), new)


def test_containers_of_a_model_without_hostnames_are_compared_by_place_with_what_is_the_same_at_both_ends() -> None:
    old = {"Containers": [{"Image": "scale"}, {"Image": "score"}]}
    new = {"Containers": [{"Image": "clean"}, {"Image": "scale"}, {"Image": "score"}]}
    assert diff(old, new, MODEL) == (Edit("add", ("Containers", "0"), new={"Image": "clean"}),)
    assert diff(new, old, MODEL) == (Edit("remove", ("Containers", "0"), old={"Image": "clean"}),)
    both = {"Containers": [{"Image": "clean"}, {"Image": "score:2"}]}
    assert told(diff(new, both, MODEL)) == [
        ("replace", "Containers/1/Image"), ("remove", "Containers/2"),
    ]  # fmt: skip
    assert same(patched(new, both, MODEL), both)


def test_elements_known_by_several_fields() -> None:
    def ports(*each: tuple[Any, ...]) -> dict[str, Any]:
        held = [dict(zip(("containerPort", "protocol", "name"), port, strict=False)) for port in each]
        return {"spec": {"template": {"spec": {"containers": [{"name": "scorer", "ports": held}]}}}}

    old = ports((8080, "TCP", "http"), (8080, "UDP", "x"))
    new = ports((8080, "UDP", "x"), (8080, "TCP", "metrics"))
    (edit,) = diff(old, new, POD)
    assert edit.path == ("spec", "template", "spec", "containers", "scorer", "ports", "8080/TCP", "name")


def test_pointers_of_a_patch_are_those_of_rfc_6901() -> None:
    old: dict[str, Any] = {"": 1, "a/b": 1, "m~n": 1, "ü": [1, {"": {}}]}
    new: dict[str, Any] = {"": 2, "a/b": 2, "m~n": 2, "ü": [1, {"": {"~1": None}}]}
    patch = to_patch(old, new, diff(old, new, FILE), FILE)
    assert [each["path"] for each in patch] == ["/", "/a~1b", "/m~0n", "/ü/1//~01"]
    assert same(jsonpatch.apply_patch(old, patch), new)


def test_nested_lists_change_at_once_and_places_stay_right() -> None:
    old = {"l": [{"Name": "a", "in": [1, 2, 3]}, {"Name": "b", "in": [1, 2, 3]}, {"Name": "c", "in": []}]}
    new = {"l": [{"Name": "x"}, {"Name": "c", "in": [9]}, {"Name": "b", "in": [2, 3, 4, 5]}]}
    for kind in (FILE, "AWS::Other::Thing"):
        got = patched(old, new, kind)
        assert sorted(got["l"], key=lambda each: each["Name"]) == sorted(new["l"], key=lambda each: each["Name"])
    assert same(patched(old, new, FILE), new)


def test_ten_thousand_named_elements_in_another_order() -> None:
    old = {"Tags": [{"Key": f"k{n}", "Value": n} for n in range(10_000)]}
    new = {"Tags": [{"Key": f"k{n}", "Value": n} for n in reversed(range(10_000))]}
    new["Tags"][17]["Value"] = -1
    new["Tags"].insert(0, {"Key": "new", "Value": 0})
    edits = diff(old, new, "AWS::Other::Thing")
    assert told(edits) == [("replace", "Tags/k9982/Value"), ("add", "Tags/new")]
    every = {"Tags": [{"Key": f"k{n}", "Value": -n - 1} for n in range(10_000)]}
    assert same(patched(old, every, FILE), every)


def test_a_chain_of_lists_in_lists_is_followed() -> None:
    one: Any = 1
    other: Any = 2
    for _ in range(25):
        one, other = [one, "x"], [other, "x"]
    (edit,) = diff({"a": one}, {"a": other})
    assert edit.path == ("a", *["0"] * 25)


def test_documents_that_share_their_parts_are_patched_where_they_differ() -> None:
    shared = [{"Name": "a"}, {"Name": "b"}]
    old = {"x": shared, "y": shared}
    new = {"x": [{"Name": "b"}], "y": [{"Name": "a"}, {"Name": "c"}]}
    assert same(patched(old, new, FILE), new)
