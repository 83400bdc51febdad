"""What services do without a call: only what the table says, only where nothing else explains it."""

from typing import Any, Final

import pytest

from lineal.change.judge import judge_change
from lineal.change.judge_evidence import Evidence
from lineal.change.judge_unasked import acts_alone, find_unasked
from lineal.change.watermark import read_coverage
from lineal.core.change import MANAGED, NOT_OBSERVABLE, UNEXPLAINED, Change, Edit
from lineal.core.coverage import TrailSpan

ENDPOINT: Final = "AWS::SageMaker::Endpoint"
SCHEDULE: Final = "AWS::SageMaker::MonitoringSchedule"
EXPERIMENT: Final = "AWS::SageMaker::InferenceExperiment"
COUNT: Final = ("ProductionVariants", "all", "DesiredInstanceCount")
SCALING: Final = {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 4}


def endpoint(scaling: Any = SCALING, status: str = "InService", name: str = "all") -> dict[str, Any]:
    variants = [{"VariantName": "other"}, {"VariantName": name, "ManagedInstanceScaling": scaling}]
    return {"EndpointStatus": status, "ProductionVariants": variants}


def counted(new: Any) -> Edit:
    return Edit("replace", COUNT, 2, new)


@pytest.mark.parametrize(
    ("kind", "edit", "after", "alone"),
    [
        (ENDPOINT, counted(1), endpoint(), True),
        (ENDPOINT, counted(4), endpoint(), True),
        (ENDPOINT, counted(5), endpoint(), False),
        (ENDPOINT, counted(0), endpoint(), False),
        (ENDPOINT, counted(True), endpoint(), False),
        (ENDPOINT, counted("3"), endpoint(), False),
        (ENDPOINT, counted(3), endpoint({**SCALING, "Status": "DISABLED"}), False),
        (ENDPOINT, counted(3), endpoint({"Status": "ENABLED"}), False),
        (ENDPOINT, counted(3), endpoint(name="another"), False),
        (ENDPOINT, counted(3), endpoint(None), False),
        (ENDPOINT, counted(3), {"ProductionVariants": "odd"}, False),
        (ENDPOINT, counted(3), None, False),
        (ENDPOINT, Edit("replace", ("ProductionVariants", "all", "DesiredWeight"), "1.0", 3), endpoint(), False),
        (ENDPOINT, Edit("replace", ("EndpointConfigName",), "a", "b"), endpoint(status="Failed"), False),
        (ENDPOINT, Edit("remove", ("ProductionVariants",), []), endpoint(status="Failed"), True),
        (ENDPOINT, Edit("remove", ("ProductionVariants", "all"), {}), endpoint(status="Failed"), True),
        (ENDPOINT, Edit("remove", ("ProductionVariants",), []), endpoint(), False),
        (ENDPOINT, Edit("add", ("ProductionVariants",), None, []), endpoint(status="Failed"), False),
        (SCHEDULE, Edit("replace", ("MonitoringScheduleStatus",), "Scheduled", "Failed"), None, True),
        (SCHEDULE, Edit("replace", ("MonitoringScheduleStatus",), "Scheduled", "Stopped"), None, False),
        (EXPERIMENT, Edit("replace", ("Status",), "Running", "Completed"), None, True),
        (EXPERIMENT, Edit("replace", ("Status",), "Running", "Cancelled"), None, False),
        ("AWS::SageMaker::Model", Edit("replace", ("Status",), "Running", "Completed"), None, False),
    ],
)
def test_only_what_the_table_says_is_done_alone(kind: str, edit: Edit, after: Any, alone: bool) -> None:
    assert (find_unasked(kind, edit, after) is not None) is alone


def test_which_types_are_asked() -> None:
    assert acts_alone(ENDPOINT)
    assert acts_alone(SCHEDULE)
    assert not acts_alone("AWS::SageMaker::Model")
    assert not acts_alone("AWS::SageMaker::InferenceComponent"), "autoscaling calls"


def moment(hour: int) -> str:
    return f"2026-03-03T{hour:02}:00:00.000000Z"


def judged(*edits: Edit, whole: bool = True, after: Any = None) -> Any:
    change = Change(
        id="change-1", resource="arn:aws:sagemaker:eu-west-1:123456789012:endpoint/scorer", type=ENDPOINT,
        account="123456789012", region="eu-west-1", kind="updated", since=moment(9), until=moment(10),
        before="sha256:1", after="sha256:2", edits=edits,
    )  # fmt: skip
    place = {"account": "123456789012", "region": "eu-west-1", "proof": "digest"}
    spans = [TrailSpan(since=moment(1), until=moment(20 if whole else 8), **place)]
    spans += [] if whole else [TrailSpan(since=moment(11), until=moment(20), **place)]
    evidence = Evidence(events=(), approvals=(), coverage=read_coverage(spans), now=moment(23), after=after)
    return judge_change(change, evidence)


def test_it_counts_where_the_trail_is_whole_and_for_its_field_alone() -> None:
    found = judged(counted(3), after=endpoint())
    assert (found.verdict, [each.verdict for each in found.fields]) == (MANAGED, [MANAGED])
    assert "the service itself" in found.why
    assert any("ManagedInstanceScaling" in note for note in found.notes)
    both = judged(Edit("replace", ("EndpointConfigName",), "a", "b"), counted(3), after=endpoint())
    assert (both.verdict, [each.verdict for each in both.fields]) == (UNEXPLAINED, [UNEXPLAINED, MANAGED])
    assert judged(counted(9), after=endpoint()).verdict == UNEXPLAINED
    assert judged(counted(3)).verdict == UNEXPLAINED, "what rests on the configuration needs it"
    assert judged(counted(3), whole=False, after=endpoint()).verdict == NOT_OBSERVABLE
