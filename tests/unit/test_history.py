"""Changes from items and looks: what is one, and when it happened."""

from dataclasses import replace
from typing import Any

from lineal.change.history import list_changes
from lineal.change.semantic import with_semantic
from lineal.core.change import Change, Edit
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look
from lineal.core.resource import make_resource

KIND, ACCOUNT, REGION = "AWS::SageMaker::EndpointConfig", "123456789012", "eu-west-1"


def at(hour: float) -> str:
    minutes = round(hour * 60)
    return f"2026-11-02T{minutes // 60:02}:{minutes % 60:02}:00.000000Z"


def item(hour: float, value: Any = 1, **more: Any) -> ConfigItem:
    given = {
        "resource": make_resource(KIND, ACCOUNT, REGION, more.pop("name", "scorer")), "time": at(hour), "source": "aws",
        "shape": "api", "configuration": value if isinstance(value, dict) else {"KmsKeyId": value}, **more,
    }  # fmt: skip
    return with_semantic(ConfigItem(**given))


def gone(hour: float, **more: Any) -> ConfigItem:
    return item(hour, {}, status="deleted", **more)


def look(began: float, ended: float, **more: Any) -> Look:
    given = {
        "source": "aws", "account": ACCOUNT, "region": REGION, "type": KIND, "began": at(began), "ended": at(ended),
        "complete": True, **more,
    }  # fmt: skip
    return Look(**given)


def told(changes: list[Change]) -> list[tuple[str, str | None, str]]:
    return [(each.kind, each.since and each.since[11:16], each.until[11:16]) for each in changes]


def test_the_first_item_is_where_history_begins() -> None:
    assert list_changes([item(9)], []) == []
    assert list_changes([], [look(1, 2)]) == []
    # The look that saw it is no look that did not.
    assert list_changes([item(9)], [look(8.5, 9.5)]) == []
    assert list_changes([item(9)], [look(9, 9)]) == []


def test_a_change_lies_between_two_items() -> None:
    (change,) = list_changes([item(9, 1), item(11, 2)], [])
    assert told([change]) == [("updated", "09:00", "11:00")]
    assert change.edits == (Edit("replace", ("KmsKeyId",), 1, 2),)
    assert (change.before, change.after) == (item(9, 1).digest(), item(11, 2).digest())
    assert (change.resource, change.type, change.account, change.region) == (
        f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/scorer", KIND, ACCOUNT, REGION,
    )  # fmt: skip


def test_items_come_in_any_order_and_those_that_say_the_same_are_no_change() -> None:
    items = [item(12, 3), item(9, 1), item(11, 2), item(10, 1), item(13, 3)]
    assert told(list_changes(items, [])) == [("updated", "10:00", "11:00"), ("updated", "11:00", "12:00")]


def test_complete_looks_in_between_make_the_window_narrower() -> None:
    items = [item(9, 1), item(15, 2)]
    looks = [look(9, 9.1), look(10, 10.1), look(12, 12.5), look(14.9, 15.1)]
    assert told(list_changes(items, looks)) == [("updated", "12:00", "15:00")]
    # Never before what the item itself has seen.
    assert told(list_changes(items, [look(8, 9.5)])) == [("updated", "09:00", "15:00")]


def test_looks_at_something_else_or_at_half_of_it_say_nothing() -> None:
    items = [item(9, 1), item(15, 2)]
    for other in (
        {"complete": False}, {"account": "1"}, {"region": "eu-central-1"}, {"type": "AWS::SageMaker::Model"},
        {"source": "files"},
    ):  # fmt: skip
        assert told(list_changes(items, [look(12, 12.5, **other)])) == [("updated", "09:00", "15:00")]
    assert told(list_changes(items, [look(12, 12.5, type="*")])) == [("updated", "12:00", "15:00")]
    # One that had not ended may have looked after the change.
    assert told(list_changes(items, [look(12, 15)])) == [("updated", "09:00", "15:00")]


def test_what_a_resource_says_of_itself_makes_no_window_narrower() -> None:
    items = [item(9, 1), item(15, 2, modified=at(14))]
    assert told(list_changes(items, [look(10, 10.5)])) == [("updated", "10:00", "15:00")]


def test_what_says_that_it_was_changed_before_a_look_was_not_seen_rightly_by_that() -> None:
    """An endpoint under way, or an answer that was old: the look passed, the old state was gone already."""
    items = [item(9, 1), item(15, 2, modified=at(11.9))]
    assert told(list_changes(items, [look(11, 11.1), look(12, 12.5), look(13, 13.5)])) == [
        ("updated", "11:00", "15:00")
    ]
    # What it says of an older change has nothing to do with this one: tags do not move LastModifiedTime.
    items = [item(9, 1), item(15, 2, modified=at(5))]
    assert told(list_changes(items, [look(13, 13.5)])) == [("updated", "13:00", "15:00")]


def test_what_an_earlier_look_did_not_see_was_created() -> None:
    (change,) = list_changes([item(9)], [look(6, 6.5), look(7, 7.5)])
    assert told([change]) == [("created", "07:00", "09:00")]
    assert (change.before, change.edits) == (None, ())
    assert list_changes([item(9)], [look(7, 7.5, complete=False)]) == []
    assert list_changes([item(9, source="aws-config", shape="config")], [look(7, 7.5)]) == []


def test_what_says_that_it_was_there_before_the_look_was_missed_by_it() -> None:
    """A training job is listed when it has ended: looks while it ran do not say that it was not there."""
    looks = [look(6, 6.5), look(7, 7.5), look(8, 8.5)]
    assert told(list_changes([item(9, created=at(6.9))], looks)) == [("created", "06:00", "09:00")]
    assert list_changes([item(9, created=at(5))], looks) == []


def test_what_was_made_while_the_first_look_was_under_way_was_created() -> None:
    assert told(list_changes([item(9, created=at(8.9))], [look(8.5, 9.5)])) == [("created", "08:30", "09:00")]
    assert list_changes([item(9, created=at(8.4))], [look(8.5, 9.5)]) == []


def test_deleted_and_created_again() -> None:
    items = [item(9, created=at(1)), gone(12), item(15, created=at(14))]
    looks = [look(9, 9.1), look(10, 10.2), look(11.9, 12), look(13, 13.1), look(14.9, 15.1)]
    changes = list_changes(items, looks)
    assert told(changes) == [("deleted", "10:00", "12:00"), ("created", "13:00", "15:00")]
    assert (changes[0].before, changes[0].after) == (items[0].digest(), items[1].digest())
    assert (changes[1].before, changes[1].after) == (None, items[2].digest())
    # Twice gone is gone once.
    assert told(list_changes([items[0], gone(12), gone(13)], [])) == [("deleted", "09:00", "12:00")]


def test_a_deletion_of_what_nobody_had_seen_has_no_moment_before() -> None:
    changes = list_changes([gone(8, source="aws-config"), item(9)], [])
    assert told(changes) == [("deleted", None, "08:00"), ("created", "08:00", "09:00")]
    assert changes[0].before is None


def test_what_was_made_anew_while_the_look_that_missed_it_was_under_way() -> None:
    """A deletion is written down when its look has ended; what was gone may have come back before that."""
    items = [item(9, created=at(1)), gone(12), item(15, created=at(11.9))]
    assert told(list_changes(items, [look(11.5, 12)]))[1] == ("created", "11:30", "15:00")
    assert told(list_changes(items, [look(11.5, 11.9)]))[1] == ("created", "11:30", "15:00")
    assert told(list_changes(items, []))[1] == ("created", "12:00", "15:00")


def test_a_deletion_is_not_narrowed_by_the_look_that_found_it() -> None:
    """That may have ended before the deletion was written down."""
    items = [item(9), gone(12.2)]
    assert told(list_changes(items, [look(10, 10.2), look(11.9, 12)])) == [("deleted", "10:00", "12:12")]
    assert told(list_changes(items, [look(11.9, 12)])) == [("deleted", "09:00", "12:12")]
    assert told(list_changes(items, [look(10, 10.2), look(11.9, 12.2)])) == [("deleted", "10:00", "12:12")]


def test_another_thing_of_the_same_name_is_a_deletion_and_a_creation() -> None:
    for value in (1, 2):
        items = [item(9, 1, created=at(1)), item(15, value, created=at(14))]
        changes = list_changes(items, [look(11, 11.5)])
        assert told(changes) == [("deleted", "11:00", "15:00"), ("created", "11:00", "15:00")]
        assert (changes[0].after, changes[1].before) == (None, None)
        assert len({each.id for each in changes}) == 2


def test_without_a_moment_of_creation_nothing_is_known_to_be_the_same_thing_or_another() -> None:
    for one, other in ((None, at(1)), (at(1), None), (None, None)):
        assert list_changes([item(9, created=one), item(15, created=other)], []) == []
        again = [item(9, created=one), gone(12), item(15, created=other)]
        assert told(list_changes(again, [])) == [("deleted", "09:00", "12:00"), ("created", "12:00", "15:00")]


def test_what_comes_back_as_it_was_made_was_never_gone() -> None:
    items = [item(9, 1, created=at(1)), gone(12), item(15, 1, created=at(1)), item(16, 2, created=at(1))]
    assert told(list_changes(items, [])) == [("updated", "15:00", "16:00")]
    # A file that says of itself when it was made can come back, though.
    files = [replace(each, shape="kubernetes") for each in items]
    assert told(list_changes(files, []))[:2] == [("deleted", "09:00", "12:00"), ("created", "12:00", "15:00")]


def test_what_a_recorder_did_not_look_at_is_neither_gone_nor_seen() -> None:
    unseen = replace(item(11, {}), status="unrecorded", semantic=None)
    items = [item(9, 1), unseen, item(15, 2)]
    assert told(list_changes(items, [])) == [("updated", "09:00", "15:00")]
    assert told(list_changes(items, [look(10, 10.5), look(12, 12.5)])) == [("updated", "10:00", "15:00")]
    assert list_changes([item(9, 1), unseen, item(15, 1)], []) == []


def test_items_found_later_split_a_change_and_the_last_part_keeps_its_name() -> None:
    first, last = item(9, 1), item(15, 3)
    (whole,) = list_changes([first, last], [])
    late = item(11, 2, source="aws-config")
    one, two = list_changes([first, last, late], [])
    assert told([one, two]) == [("updated", "09:00", "11:00"), ("updated", "11:00", "15:00")]
    assert (one.edits[0].new, two.edits[0].old) == (2, 2)
    # Who judges it again finds what was concluded before.
    assert two.id == whole.id != one.id
    # What was changed and changed back between two looks is two changes.
    back = list_changes([first, late, item(15, 1)], [])
    assert told(back) == [("updated", "09:00", "11:00"), ("updated", "11:00", "15:00")]


def test_names_of_changes_depend_on_what_they_are_alone() -> None:
    (one,) = list_changes([item(9, 1), item(15, 2)], [])
    (again,) = list_changes([item(9, 1), item(15, 2)], [look(12, 12.5)])
    assert one.id == again.id
    assert one.id.startswith("change-")
    assert len(one.id) == 31
    others = [[item(9, 1), item(15, 3)], [item(9, 1), item(14, 2)], [item(9, 1, name="x"), item(15, 2, name="x")]]
    names = {list_changes(each, [])[0].id for each in others}
    assert len({one.id, *names}) == 4


def test_shapes_are_not_compared_with_each_other() -> None:
    items = [item(9, 1), item(10, {"kmsKeyId": 1}, shape="config", source="aws-config"), item(11, 1)]
    assert list_changes(items, []) == []


def test_what_two_shapes_tell_of_is_one_change_in_what_their_windows_have_in_common() -> None:
    def config(hour: float, value: Any) -> ConfigItem:
        return item(hour, {"kmsKeyId": value}, shape="config", source="aws-config")

    own = [item(9, 1), item(15, 2)]
    (alone,) = list_changes(own, [])
    (both,) = list_changes([*own, config(10, 1), config(12, 2)], [])
    assert told([both]) == [("updated", "10:00", "12:00")]
    assert (both.id, both.edits, both.after) == (alone.id, alone.edits, alone.after)
    # Another value, or another time, is another change.
    assert len(list_changes([*own, config(10, 1), config(12, 3)], [])) == 2
    assert len(list_changes([*own, config(16, 1), config(17, 2)], [])) == 2
    assert len(list_changes([*own, config(2, 1), config(3, 2)], [])) == 2
    assert len(list_changes([*own, config(15, 1), config(16, 2)], [])) == 2
    assert len(list_changes([*own, config(8, 1), config(9, 2)], [])) == 2
    # There and back and there again is told once by one, and in full by the other.
    flip = [config(10, 1), config(11, 2), config(12, 1), config(13, 2)]
    assert told(list_changes([*own, *flip], [])) == [
        ("updated", "10:00", "11:00"), ("updated", "11:00", "12:00"), ("updated", "12:00", "13:00"),
    ]  # fmt: skip


def test_a_digest_of_other_rules_makes_no_change_of_nothing() -> None:
    items = [replace(item(9, 1), semantic="sha256:of-older-rules"), item(15, 1)]
    assert list_changes(items, []) == []
    assert told(list_changes([replace(item(9, 1), semantic=None), item(15, 2)], [])) == [("updated", "09:00", "15:00")]


def test_a_change_keeps_its_name_when_the_rules_change() -> None:
    """What was recorded under older rules names the change, however it is compared now."""
    recorded = [replace(item(9, 1), semantic="sha256:a"), replace(item(15, 2), semantic="sha256:b")]
    (change,) = list_changes(recorded, [])
    (other,) = list_changes([item(9, 1), item(15, 2)], [])
    assert change.edits == other.edits
    assert change.id != other.id


def test_of_items_at_one_moment_the_last_counts() -> None:
    items = [item(9, 1), item(9, 2), item(15, 2)]
    assert list_changes(items, []) == []
    assert told(list_changes([item(9, 1), item(15, 2), item(15, 3)], [])) == [("updated", "09:00", "15:00")]


def test_every_window_is_one() -> None:
    looks = [look(hour / 4, hour / 4 + 0.2) for hour in range(80)]
    items = [item(hour / 3, hour % 4, created=at(1), modified=at(hour / 5)) for hour in range(4, 55)]
    items += [gone(hour / 7 + 0.01) for hour in range(30, 100, 13)]
    for change in list_changes(items, looks):
        assert change.since is not None
        assert change.since < change.until
