"""Rules about the whole estate: what is approved, where it comes from, whether anybody looked; each state of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.app.rule_sets import load_rules, managed_rules
from lineal.change.graph_rules import Built, Data, EstateRule, Lineage, evaluate_estate_rule
from lineal.change.history import list_changes
from lineal.change.rule import give_parameters
from lineal.core.api_event import ApiEvent
from lineal.core.change import Judgement
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT, NOT_APPLICABLE, Conclusion
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look, TrailSpan
from lineal.core.resource import key_of, make_resource
from rule_world import ACCOUNT, REGION, day, event, item, look

SM = "AWS::SageMaker::"
TRAIL = "AWS::CloudTrail::Trail"
PACKAGE = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/risk/1"
ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/scorer"
GOOD_TRAIL = {
    "Name": "main", "IsLogging": True, "IsMultiRegionTrail": True, "IncludeGlobalServiceEvents": True, "KmsKeyId": "k",
    "LogFileValidationEnabled": True, "S3BucketName": "logs",
    "EventSelectors": [{"IncludeManagementEvents": True, "ReadWriteType": "All", "ExcludeManagementEventSources": []}],
}  # fmt: skip
DIGESTS = ["sha256:" + each * 64 for each in "abc"]


@dataclass
class Told:
    """Answers by hand."""

    items: list[ConfigItem] = field(default_factory=list)
    heard: list[ApiEvent] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    spans: list[TrailSpan] = field(default_factory=list)
    judged: list[Judgement] = field(default_factory=list)
    images: dict[str, Built] = field(default_factory=dict)
    tags: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)
    data: dict[str, list[Data]] = field(default_factory=dict)
    now: str = day(20)

    @property
    def lineage(self) -> Lineage:
        return self

    def estate(self) -> Mapping[str, ConfigItem]:
        last = {each.resource.key: each for each in sorted(self.items, key=lambda each: each.time)}
        return {key: each for key, each in sorted(last.items()) if each.status == "ok"}

    def history(self, resources: Sequence[str] | None) -> Mapping[str, Sequence[ConfigItem]]:
        ordered = sorted(self.items, key=lambda each: each.time)
        keys = {each.resource.key for each in ordered} if resources is None else resources
        return {key: [each for each in ordered if each.resource.key == key] for key in keys}

    def events(self, resources: Sequence[str] | None) -> Mapping[str, Sequence[ApiEvent]]:
        ordered = sorted(self.heard, key=lambda each: each.time)
        return {key: [each for each in ordered if key == "*" or key in each.targets] for key in resources or ["*"]}

    def coverage(self) -> tuple[Sequence[Look], Sequence[TrailSpan]]:
        return self.looks, self.spans

    def judgements(self) -> Sequence[Judgement]:
        return self.judged

    def image(self, uri: str) -> Built | None:
        return self.images.get(uri)

    def tag(self, repository: str, tag: str) -> Sequence[tuple[str, str | None]]:
        return self.tags.get(f"{repository}:{tag}", [])

    def training_data(self, resource: str) -> Sequence[Data] | None:
        return self.data.get(resource)


def ask(name: str, told: Told, **parameters: Any) -> list[Conclusion]:
    rules = {rule.id: rule for rule in load_rules(["lineal"]).rules} | managed_rules()
    rule = rules[name]
    assert isinstance(rule, EstateRule)
    rule = replace(rule, parameters=give_parameters(rule.id, rule.parameters, parameters))
    return list(evaluate_estate_rule(rule, told))


def one(name: str, told: Told, **parameters: Any) -> Conclusion:
    (found,) = ask(name, told, **parameters)
    return found


def serving(*, image: str = f"{ECR}:1", package: str | None = PACKAGE, deployed: str = day(10), **more: Any) -> Told:
    """Return an endpoint that serves one model since a moment, of which the endpoint itself tells."""
    container = {"Image": image, **({"ModelPackageName": package} if package else {})}
    variants = [{"VariantName": "main", "ModelName": "scorer"}]
    return Told(
        items=[
            item(
                SM + "Endpoint",
                "prod",
                {"EndpointConfigName": "prod-1"},
                time=day(12),
                created=deployed,
                modified=deployed,
            ),
            item(SM + "EndpointConfig", "prod-1", {"ProductionVariants": variants}, time=day(12), created=day(9)),
            item(SM + "Model", "scorer", {"ModelName": "scorer", "PrimaryContainer": container}, time=day(12)),
        ],
        **more,
    )


def package(status: str, *, since: str, seen: str, **more: str) -> ConfigItem:
    found = item(
        SM + "ModelPackage",
        "risk/1",
        {"ModelApprovalStatus": status, **more},
        time=seen,
        modified=since,
        created=day(1),
    )
    return replace(found, resource=make_resource(SM + "ModelPackage", ACCOUNT, REGION, "risk/1"))


KEY = key_of(PACKAGE)


@pytest.mark.parametrize(
    ("packages", "events", "state", "words"),
    [
        ([package("Approved", since=day(8), seen=day(9))], [], COMPLIANT, "was approved when it was deployed"),
        ([package("Approved", since=day(8), seen=day(15))], [], COMPLIANT, "was approved"),
        ([package("Approved", since=day(11), seen=day(15))], [], INSUFFICIENT, "is not known"),
        ([package("PendingManualApproval", since=day(2), seen=day(9)),
          package("Approved", since=day(11), seen=day(15), ModelPackageDescription="described later")], [],
         INSUFFICIENT, "is not known"),
        ([package("PendingManualApproval", since=day(2), seen=day(9)),
          package("Approved", since=day(11), seen=day(15))], [],
         NON_COMPLIANT, "it was approved at 2026-03-11T00:00:00.000000Z, afterwards"),
        ([package("Rejected", since=day(8), seen=day(9))], [], NON_COMPLIANT, "was Rejected when it was deployed"),
        ([package("Approved", since=day(8), seen=day(9)), package("Rejected", since=day(13), seen=day(14))], [],
         NON_COMPLIANT, "is Rejected since 2026-03-13"),
        ([], [], INSUFFICIENT, "is not on record"),
        ([], [event("UpdateModelPackage", KEY, time=day(9), parameters={"modelApprovalStatus": "Approved"})],
         COMPLIANT, "was approved"),
        ([package("Approved", since=day(11), seen=day(15))],
         [event("UpdateModelPackage", KEY, time=day(9), parameters={"modelApprovalStatus": "Rejected"}),
          event("UpdateModelPackage", KEY, time=day(9, 1), error="AccessDenied",
                parameters={"modelApprovalStatus": "Approved"})],
         NON_COMPLIANT, "was Rejected"),
    ],
)  # fmt: skip
def test_what_serves_was_approved(packages: list[ConfigItem], events: list[ApiEvent], state: str, words: str) -> None:
    told = serving()
    told.items += packages
    told.heard += events
    found = one("ENDPOINT_MODEL_APPROVED", told)
    assert found.state == state, found.explanation
    assert words in found.explanation
    assert found.resource == make_resource(SM + "Endpoint", ACCOUNT, REGION, "prod").key


def test_a_model_without_package_was_approved_by_nobody() -> None:
    found = one("ENDPOINT_MODEL_APPROVED", serving(package=None))
    assert (found.state, found.severity) == (NON_COMPLIANT, "critical")
    assert "no model package" in found.explanation


def test_the_event_tells_when_a_model_was_deployed() -> None:
    """The endpoint says that it was changed on the 14th (its weights); the model was deployed on the 10th."""
    told = serving()
    told.items[0] = replace(told.items[0], created=day(2), modified=day(14), time=day(15))
    told.items.append(item(SM + "Endpoint", "prod", {"EndpointConfigName": "prod-0"}, time=day(9, 12), created=day(2)))
    told.items += [
        package("PendingManualApproval", since=day(2), seen=day(9)),
        package("Approved", since=day(11), seen=day(15)),
    ]
    assert one("ENDPOINT_MODEL_APPROVED", told).state == INSUFFICIENT
    key = told.items[0].resource.key
    told.heard.append(event("UpdateEndpoint", key, time=day(10), parameters={"endpointConfigName": "prod-1"}))
    found = one("ENDPOINT_MODEL_APPROVED", told)
    assert found.state == NON_COMPLIANT
    assert "when it was deployed, 2026-03-10" in found.explanation
    assert told.heard[0].id in found.evidence


def test_what_cannot_be_followed_is_not_known() -> None:
    told = serving()
    del told.items[1]
    assert "prod-1 is not on record" in one("ENDPOINT_MODEL_APPROVED", told).explanation
    told = serving()
    del told.items[2]
    found = one("ENDPOINT_MODEL_APPROVED", told)
    assert (found.state, found.explanation) == (INSUFFICIENT, "model scorer is not on record")
    assert one("ENDPOINT_MODEL_APPROVED", Told()).state == NOT_APPLICABLE


def test_models_of_components_and_deleted_configurations_are_followed() -> None:
    told = serving()
    told.items[1] = replace(told.items[1], configuration={"ProductionVariants": [{"VariantName": "main"}]})
    specification = {"EndpointName": "prod", "Specification": {"ModelName": "scorer"}}
    told.items.append(item(SM + "InferenceComponent", "part", specification))
    told.items.append(replace(told.items[2], time=day(13), status="deleted", configuration={}))
    told.items.append(package("Rejected", since=day(2), seen=day(3)))
    assert "was Rejected" in one("ENDPOINT_MODEL_APPROVED", told).explanation


def repository(tags: dict[str, str], time: str) -> ConfigItem:
    return item("AWS::ECR::Repository", "scorer", {"repository": {}, "imageTags": tags}, time=time)


@pytest.mark.parametrize(
    ("seen", "state", "words"),
    [
        ([], INSUFFICIENT, "is not on record"),
        ([(DIGESTS[0], 9)], COMPLIANT, f"names {DIGESTS[0]}"),
        ([(DIGESTS[0], 9), (DIGESTS[0], 15)], COMPLIANT, "as it did"),
        ([(DIGESTS[0], 9), (DIGESTS[1], 15)], NON_COMPLIANT, f"from {DIGESTS[0]} to {DIGESTS[1]}"),
        ([(DIGESTS[0], 9), (None, 15)], NON_COMPLIANT, "to nothing"),
        ([(DIGESTS[0], 11)], INSUFFICIENT, "may have moved in between"),
        ([(None, 9), (DIGESTS[0], 15)], NON_COMPLIANT, "moved after"),
        ([(DIGESTS[1], 8), (DIGESTS[0], 9)], COMPLIANT, f"names {DIGESTS[0]}"),
    ],
)
def test_tags_do_not_move_under_what_serves(seen: list[tuple[str | None, int]], state: str, words: str) -> None:
    told = serving()
    told.items += [repository({"1": digest} if digest else {}, day(number)) for digest, number in seen]
    found = one("TAG_NOT_MOVED_AFTER_DEPLOYMENT", told)
    assert found.state == state, found.explanation
    assert words in found.explanation
    other = serving()
    other.tags[f"{ECR}:1"] = [(day(number), digest) for digest, number in seen]
    assert one("TAG_NOT_MOVED_AFTER_DEPLOYMENT", other).state == state


def test_what_the_endpoint_resolved_a_tag_to_is_what_was_deployed() -> None:
    """Between two looks, a tag moved and the endpoint was deployed: it says itself which image it took."""
    name = "TAG_NOT_MOVED_AFTER_DEPLOYMENT"
    told = serving()
    told.items[0] = replace(told.items[0], created=day(2), modified=day(11))  # some time after the 9th
    told.items += [repository({"1": DIGESTS[0]}, day(9)), repository({"1": DIGESTS[1]}, day(10))]
    assert one(name, told).state == INSUFFICIENT
    for number, state in ((1, COMPLIANT), (0, INSUFFICIENT)):
        taken = {"SpecifiedImage": f"{ECR}:1", "ResolvedImage": f"{ECR}@{DIGESTS[number]}"}
        variants = [{"VariantName": "main", "DeployedImages": [taken]}]
        configuration = {"EndpointConfigName": "prod-1", "ProductionVariants": variants}
        told.items[0] = replace(told.items[0], configuration=configuration)
        assert one(name, told).state == state
        told.images = {f"{ECR}@{DIGESTS[number]}": Built(ref="container:x@1", code="code:a@1", run="run:b")}
        assert one("IMAGE_FROM_RECORDED_PIPELINE", told).state == COMPLIANT
    told.items.append(repository({"1": DIGESTS[1]}, day(15)))
    assert one(name, told).state == NON_COMPLIANT


def test_a_push_is_known_by_its_event() -> None:
    told = serving()
    told.items.append(repository({"1": DIGESTS[0]}, day(9)))
    key = told.items[-1].resource.key
    answer = {"image": {"imageId": {"imageDigest": DIGESTS[1], "imageTag": "1"}}}
    pushed = event(
        "PutImage", key, time=day(13), service="ecr.amazonaws.com", parameters={"imageTag": "1"}, response=answer
    )
    told.heard.append(pushed)
    assert one("TAG_NOT_MOVED_AFTER_DEPLOYMENT", told).state == NON_COMPLIANT
    assert one("TAG_NOT_MOVED_AFTER_DEPLOYMENT", serving(image=f"{ECR}@{DIGESTS[0]}")).state == COMPLIANT


def test_images_come_from_recorded_commits() -> None:
    name = "IMAGE_FROM_RECORDED_PIPELINE"
    image = f"{ECR}@{DIGESTS[0]}"
    told = serving(image=image)
    assert "nothing is on record" in one(name, told).explanation
    told.images[image] = Built(ref="container:scorer@1")
    assert (one(name, told).state, "no commit" in one(name, told).explanation) == (NON_COMPLIANT, True)
    told.images[image] = Built(ref="container:scorer@1", code="code:a@1", claimed=True)
    assert one(name, told).state == COMPLIANT
    assert one(name, told, acceptClaims=False).state == NON_COMPLIANT
    told.images[image] = Built(ref="container:scorer@1", code="code:a@1", run="run:build-7")
    found = one(name, told, acceptClaims=False)
    assert found.state == COMPLIANT
    assert {"code:a@1", "run:build-7"} <= set(found.evidence)
    assert one(name, serving(image="763104351884.dkr.ecr.x/y:1"), exempt="763104351884.*").state == COMPLIANT


def test_the_image_asked_about_is_the_one_that_was_deployed() -> None:
    told = serving()
    told.items += [repository({"1": DIGESTS[0]}, day(9)), repository({"1": DIGESTS[1]}, day(15))]
    told.images[f"{ECR}@{DIGESTS[0]}"] = Built(ref="container:scorer@1", code="code:a@1", run="run:build-7")
    assert one("IMAGE_FROM_RECORDED_PIPELINE", told).state == COMPLIANT


def test_training_data_stays_as_it_was() -> None:
    name = "TRAINING_DATA_UNCHANGED"
    told = serving()
    key = told.items[2].resource.key
    assert one(name, told).state == INSUFFICIENT
    told.data[key] = []
    assert "no dataset" in one(name, told).explanation
    data = Data(ref="dataset:raw@1", used=day(5), place="s3://data/raw/")
    told.data[key] = [data]
    assert "nobody looked" in one(name, told).explanation
    told.data[key] = [replace(data, seen=day(6))]
    assert one(name, told).state == COMPLIANT
    told.data[key] = [replace(data, seen=day(6)), replace(data, changed="it holds another")]
    assert one(name, told).state == NON_COMPLIANT
    told.data[key] = [replace(data, seen=day(6))]
    bucket = make_resource("AWS::S3::Bucket", "", "", "data").key
    for number, (path, state) in enumerate([("other/x", COMPLIANT), ("raw2/x", COMPLIANT), ("raw/x", NON_COMPLIANT)]):
        told.heard.append(
            event("PutObject", bucket, time=day(7, number), service="s3.amazonaws.com", parameters={"key": path})
        )
        assert one(name, told).state == state
    told.heard = [replace(told.heard[-1], time=day(4)), replace(told.heard[-1], id="x", error="AccessDenied")]
    assert one(name, told).state == COMPLIANT


def span(first: int, last: int, proof: str = "digest", **more: Any) -> TrailSpan:
    return TrailSpan(account=ACCOUNT, region=REGION, since=day(first), until=day(last), proof=proof, **more)


def by_type(found: list[Conclusion]) -> dict[str, tuple[str, str]]:
    return {each.type: (each.state, each.explanation) for each in found}


def test_a_trail_that_was_switched_off_is_found() -> None:
    name = "TRAIL_ALWAYS_ON"
    trail = item(TRAIL, "main", {"Name": "main", "IsLogging": True})
    told = Told(items=[trail], spans=[span(1, 20)])
    found = by_type(ask(name, told))
    assert {kind: state for kind, (state, _) in found.items()} == {TRAIL: COMPLIANT, "AWS::::Account": COMPLIANT}
    stop = event("StopLogging", trail.resource.key, time=day(12), service="cloudtrail.amazonaws.com")
    told.heard = [replace(stop, error="AccessDenied")]
    assert by_type(ask(name, told))[TRAIL][0] == COMPLIANT
    told.heard = [stop]
    state, why = by_type(ask(name, told))[TRAIL]
    assert state == NON_COMPLIANT
    assert "switched off at 2026-03-12" in why
    assert "role/ops" in why
    assert by_type(ask(name, told, daysBack=5))[TRAIL][0] == COMPLIANT
    told.heard = []
    told.items = [replace(trail, configuration={"Name": "main", "IsLogging": False})]
    assert by_type(ask(name, told))[TRAIL][0] == NON_COMPLIANT
    told.items = [replace(trail, configuration={"Name": "main"})]
    assert by_type(ask(name, told))[TRAIL][0] == INSUFFICIENT
    told.items, told.heard = [], [replace(stop, name="DeleteTrail")]
    assert "deleted at 2026-03-12" in by_type(ask(name, told))[TRAIL][1]


@pytest.mark.parametrize(
    ("spans", "state"),
    [
        ([], INSUFFICIENT),
        ([span(1, 20)], COMPLIANT),
        ([span(1, 20, "api")], COMPLIANT),
        ([span(1, 20, "none")], INSUFFICIENT),
        ([span(1, 5), span(5, 9, "api"), span(8, 20)], COMPLIANT),
        ([span(1, 5), span(7, 20)], INSUFFICIENT),
        ([span(1, 20), span(3, 4, missing=True, why="log_deleted")], COMPLIANT),
        ([span(1, 4), span(4, 20, "api"), span(3, 5, missing=True, why="log_deleted")], COMPLIANT),
        ([span(1, 19)], COMPLIANT),
        ([span(1, 18)], INSUFFICIENT),
        ([span(1, 3), span(3, 4, missing=True, why="log_deleted"), span(4, 20)], NON_COMPLIANT),
        ([span(1, 3), span(3, 4, missing=True, why="refused"), span(4, 20)], INSUFFICIENT),
        ([span(3, 4, "none", missing=True, why="logging_stopped")], NON_COMPLIANT),
    ],
)
def test_missing_events_are_found_unless_a_better_word_fills_the_hole(spans: list[TrailSpan], state: str) -> None:
    assert one("TRAIL_ALWAYS_ON", Told(spans=spans)).state == state


def test_a_recorder_that_was_stopped_is_found() -> None:
    name, kind = "CONFIG_RECORDER_ON", "AWS::Config::ConfigurationRecorder"
    recorder = item(kind, "default", {"name": "default", "recording": True})
    told = Told(items=[recorder])
    assert one(name, told).state == COMPLIANT
    told.heard = [
        event("StopConfigurationRecorder", recorder.resource.key, time=day(12), service="config.amazonaws.com")
    ]
    assert one(name, told).state == NON_COMPLIANT
    told.heard = []
    told.items = [replace(recorder, configuration={"name": "default", "recording": False})]
    assert one(name, told).state == NON_COMPLIANT
    assert one(name, Told()).state == INSUFFICIENT
    assert one(name, Told(looks=[look(kind)])).state == NOT_APPLICABLE


def test_an_old_look_is_found() -> None:
    kinds = ("AWS::SageMaker::Model", "AWS::SageMaker::Endpoint", "AWS::ECR::Repository")
    looks = [
        look(kinds[0], began=day(19, 12)),
        look(kinds[1], began=day(10)),
        look(kinds[1], began=day(19), complete=False),
    ]
    looks.append(look(kinds[2], complete=False))
    found = by_type(ask("COLLECTION_FRESH", Told(looks=looks)))
    assert [found[kind][0] for kind in kinds] == [COMPLIANT, NON_COMPLIANT, NON_COMPLIANT]
    assert "never seen whole" in found[kinds[2]][1]
    assert by_type(ask("COLLECTION_FRESH", Told(looks=looks), hours=24 * 30))[kinds[1]][0] == COMPLIANT
    assert one("COLLECTION_FRESH", Told()).state == INSUFFICIENT


def judged(verdict: str, about: str = "c1", resource: str = "", until: str = day(15)) -> Judgement:
    key = resource or make_resource(SM + "Endpoint", ACCOUNT, REGION, "prod").key
    return Judgement(about=about, subject="change", resource=key, verdict=verdict, why="so it is", until=until)


@pytest.mark.parametrize(
    ("verdicts", "state", "severity"),
    [
        (["APPROVED", "SERVICE_MANAGED"], COMPLIANT, "high"),
        (["APPROVED", "UNEXPLAINED"], NON_COMPLIANT, "critical"),
        (["ATTRIBUTED_UNAPPROVED"], NON_COMPLIANT, "high"),
        (["PENDING"], INSUFFICIENT, "high"),
        (["NOT_OBSERVABLE", "UNEXPLAINED"], NON_COMPLIANT, "critical"),
    ],
)
def test_changes_are_explained(verdicts: list[str], state: str, severity: str) -> None:
    told = Told(judged=[judged(verdict, f"c{number}") for number, verdict in enumerate(verdicts)])
    found = one("CHANGES_EXPLAINED", told)
    assert (found.state, found.severity, found.type) == (state, severity, SM + "Endpoint")
    assert one("CHANGES_EXPLAINED", replace(told, now="2027-01-01T00:00:00.000000Z")).state == NOT_APPLICABLE


def test_an_approval_that_nobody_used_is_no_change() -> None:
    told = Told(judged=[replace(judged("APPROVED_NOT_DONE"), subject="approval", resource="")])
    assert one("CHANGES_EXPLAINED", told).state == NOT_APPLICABLE


def test_changes_that_nobody_judged_are_not_known() -> None:
    assert one("CHANGES_EXPLAINED", serving()).state == INSUFFICIENT


def test_a_change_that_nobody_judged_is_not_known_whatever_was_said_of_others() -> None:
    told = serving(judged=[judged("APPROVED")])
    assert one("CHANGES_EXPLAINED", told).state == COMPLIANT
    endpoint = told.items[0]
    told.items.append(replace(endpoint, time=day(14), configuration={"EndpointConfigName": "prod-2"}))
    found = one("CHANGES_EXPLAINED", told)
    assert (found.state, found.explanation) == (INSUFFICIENT, "changes: 1 APPROVED, 1 not judged: lineal explain")
    told.judged = [judged("UNEXPLAINED")]
    assert one("CHANGES_EXPLAINED", told).state == NON_COMPLIANT
    (change,) = list_changes([endpoint, told.items[-1]], [])
    told.judged = [judged("APPROVED", change.id)]
    assert one("CHANGES_EXPLAINED", told).state == COMPLIANT
    told.items.append(replace(endpoint, time=day(16), status="deleted", configuration={}))
    assert one("CHANGES_EXPLAINED", told).state == INSUFFICIENT


def test_a_judgement_that_was_withdrawn_says_nothing_of_a_resource() -> None:
    gone = replace(judged("NOT_OBSERVABLE", "c2"), notes=("withdrawn",))
    assert one("CHANGES_EXPLAINED", Told(judged=[judged("APPROVED"), gone])).state == COMPLIANT
    stale = replace(judged("ATTRIBUTED_UNAPPROVED", "e1"), subject="event", notes=("withdrawn",))
    assert one("CHANGES_EXPLAINED", Told(judged=[judged("APPROVED"), stale])).state == COMPLIANT


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)
_FIELDS = [
    "EndpointConfigName",
    "ProductionVariants",
    "ShadowProductionVariants",
    "ModelName",
    "PrimaryContainer",
    "Containers",
    "ModelApprovalStatus",
    "imageTags",
    "IsLogging",
    "EventSelectors",
    "AdvancedEventSelectors",
    "status",
    "trail",
    "recording",
    "EndpointName",
    "Specification",
    "KmsKeyId",
]
_NAMES = sorted(
    {rule.id for rule in (*load_rules(["lineal"]).rules, *managed_rules().values()) if isinstance(rule, EstateRule)}
)


@given(st.data())
def test_no_configuration_however_odd_makes_a_rule_fail(data: st.DataObject) -> None:
    told = serving(spans=[span(1, 20)])
    told.items += [item(TRAIL, "main", dict(GOOD_TRAIL)), package("Approved", since=day(8), seen=day(9))]
    told.items += [repository({"1": DIGESTS[0]}, day(9)), item(SM + "InferenceComponent", "part", {})]
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(told.items) - 1))
        field = data.draw(st.sampled_from(_FIELDS))
        changed = {**told.items[number].configuration, field: data.draw(_JSON)}
        told.items[number] = replace(told.items[number], configuration=changed)
    parameters = data.draw(
        st.dictionaries(st.sampled_from(["endpointConfigName", "modelApprovalStatus", "key"]), _JSON)
    )
    name = data.draw(st.sampled_from(["UpdateEndpoint", "UpdateModelPackage", "PutImage", "StopLogging"]))
    told.heard = [event(name, told.items[0].resource.key, KEY, time=day(11), parameters=parameters)]
    for rule in _NAMES:
        for found in ask(rule, told):
            assert "failed" not in found.explanation
            assert found.describe()


def test_a_field_that_appears_everywhere_is_one_finding() -> None:
    before = [item(SM + "Model", f"m{n}", {"ModelName": f"m{n}"}, time=day(1)) for n in range(4)]
    after = [
        replace(each, time=day(2), configuration={**each.configuration, "NewField": n}) for n, each in enumerate(before)
    ]
    found = one("SCHEMA_DRIFT", Told(items=[*before, *after]))
    assert (found.state, found.severity) == (NON_COMPLIANT, "informational")
    assert "4 of 4 gained the field NewField" in found.explanation
    assert one("SCHEMA_DRIFT", Told(items=[*before, *after[:2]])).state == NOT_APPLICABLE
    tagged = [replace(each, time=day(2), tags={"owner": "x"}) for each in before]
    assert one("SCHEMA_DRIFT", Told(items=[*before, *tagged])).state == NOT_APPLICABLE  # people do that


def test_elements_of_every_name_gain_one_field() -> None:
    configs = [
        item(SM + "EndpointConfig", f"c{n}", {"ProductionVariants": [{"VariantName": f"v{n}"} | more]}, time=day(when))
        for when, more in ((1, {}), (2, {"Routing": "on"}))
        for n in range(3)
    ]
    found = one("SCHEMA_DRIFT", Told(items=configs))
    assert "3 of 3 gained the field ProductionVariants.*.Routing" in found.explanation


@pytest.mark.parametrize(
    "name", ["CLOUD_TRAIL_ENABLED", "MULTI_REGION_CLOUD_TRAIL_ENABLED", "CLOUDTRAIL_SECURITY_TRAIL_ENABLED"]
)
def test_an_account_has_the_trail_it_should(name: str) -> None:
    assert one(name, Told(items=[item(TRAIL, "main", GOOD_TRAIL)])).state == COMPLIANT
    assert one(name, Told()).state == INSUFFICIENT
    found = one(name, Told(looks=[look(TRAIL)]))
    assert (found.state, found.explanation) == (NON_COMPLIANT, "the account has no trail")
    assert one(name, Told(looks=[look(TRAIL, complete=False)])).state == INSUFFICIENT
    broken = {"CLOUD_TRAIL_ENABLED": "IsLogging"}.get(name, "IsMultiRegionTrail")
    told = Told(items=[item(TRAIL, "main", {**GOOD_TRAIL, broken: False})])
    assert one(name, told).state == NON_COMPLIANT
    told.items.append(item(TRAIL, "other", GOOD_TRAIL))
    assert one(name, told).state == COMPLIANT


@pytest.mark.parametrize(
    ("name", "field", "value", "parameters", "state"),
    [
        ("CLOUD_TRAIL_ENABLED", "S3BucketName", "logs", {"s3BucketName": "logs"}, COMPLIANT),
        ("CLOUD_TRAIL_ENABLED", "S3BucketName", "logs", {"s3BucketName": "other"}, NON_COMPLIANT),
        ("CLOUD_TRAIL_ENABLED", "IsLogging", None, {}, INSUFFICIENT),
        ("MULTI_REGION_CLOUD_TRAIL_ENABLED", "EventSelectors", None, {}, INSUFFICIENT),
        ("MULTI_REGION_CLOUD_TRAIL_ENABLED", "EventSelectors",
         [{"ExcludeManagementEventSources": ["kms.amazonaws.com"]}], {}, NON_COMPLIANT),
        ("MULTI_REGION_CLOUD_TRAIL_ENABLED", "S3BucketName", "logs", {"readWriteType": "WriteOnly"}, NON_COMPLIANT),
        ("CLOUDTRAIL_SECURITY_TRAIL_ENABLED", "KmsKeyId", None, {}, NON_COMPLIANT),
        ("CLOUDTRAIL_SECURITY_TRAIL_ENABLED", "LogFileValidationEnabled", False, {}, NON_COMPLIANT),
        ("CLOUDTRAIL_SECURITY_TRAIL_ENABLED", "EventSelectors", [], {}, NON_COMPLIANT),
    ],
)  # fmt: skip
def test_what_a_trail_lacks_counts(name: str, field: str, value: Any, parameters: dict[str, Any], state: str) -> None:
    told = Told(items=[item(TRAIL, "main", {**GOOD_TRAIL, field: value})])
    assert one(name, told, **parameters).state == state


def test_advanced_selectors_say_the_same() -> None:
    fields = [{"Field": "eventCategory", "Equals": ["Management"]}]
    advanced = {**GOOD_TRAIL, "EventSelectors": None, "AdvancedEventSelectors": [{"FieldSelectors": fields}]}
    name = "CLOUDTRAIL_SECURITY_TRAIL_ENABLED"
    assert one(name, Told(items=[item(TRAIL, "main", advanced)])).state == COMPLIANT
    fields.append({"Field": "readOnly", "Equals": ["false"]})
    assert one(name, Told(items=[item(TRAIL, "main", advanced)])).state == NON_COMPLIANT
    fields[-1] = {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}
    assert one(name, Told(items=[item(TRAIL, "main", advanced)])).state == NON_COMPLIANT
