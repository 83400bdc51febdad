"""The script of the month: what is done on which day, by whom, and what must be concluded of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Final

from month import (
    ANA,
    BO,
    BUCKET,
    EVE,
    REGION,
    SECOND,
    START,
    Month,
    key,
    make_model,
    make_package,
    pipeline,
    project,
    push,
    tag,
    trust,
    variants,
)

from lineal.core import timestamp
from lineal.core.change import (
    APPROVED,
    MANAGED,
    NOT_DONE,
    NOT_OBSERVABLE,
    UNAPPROVED,
    UNEXPLAINED,
    WITHOUT_EFFECT,
)
from servers.cloud_people import Identity, autoscaling
from servers.moto import ACCOUNT

BUILD: Final = key("project", "risk-build")
RELEASE: Final = key("pipeline", "risk-release")
SERVING: Final = key("endpoint", "risk-prod")
FRAUD: Final = key("endpoint", "fraud-prod")


@dataclass(frozen=True)
class Act:
    """What is done on a day from nine in the morning on; Lineal looks at eleven, and judges at eight in the evening."""

    day: int
    do: Callable[[Month], None]

    @property
    def name(self) -> str:
        """Return what happens, in words."""
        return self.do.__name__.replace("_", " ")


ACTS: list[Act] = []


def on(day: int) -> Callable[[Callable[[Month], None]], Callable[[Month], None]]:
    """Put a function into the script."""

    def put(do: Callable[[Month], None]) -> Callable[[Month], None]:
        ACTS.append(Act(day, do))
        return do

    return put


@on(1)
def production_is_set_up(month: Month) -> None:
    month.ticket("CHG-100")
    iam = month.aws("iam")
    for name, service in (("runner", "sagemaker"), ("build", "codebuild"), ("release", "codepipeline")):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(f"{service}.amazonaws.com"))
        month.expect(APPROVED, key("role", name), who="deploy")
    aws = month.aws("sagemaker")
    aws.create_model_package_group(ModelPackageGroupName="risk")
    month.expect(APPROVED, key("group", "risk"), who="deploy")
    make_package(aws, "risk", 1)
    month.expect(APPROVED, key("package", "risk/1"), who="deploy")
    for name in ("risk", "fraud", "old"):
        serve(month, name, f"{name}-1")
    make_model(aws, "spare-1")
    month.expect(APPROVED, key("model", "spare-1"))
    serve(month, "risk", "dr-1", region=SECOND)
    month.aws("codebuild").create_project(**project())
    month.expect(APPROVED, BUILD)
    month.aws("codepipeline").create_pipeline(pipeline=pipeline())
    month.expect(APPROVED, RELEASE)
    images = month.aws("ecr")
    images.create_repository(repositoryName="risk")
    month.expect(APPROVED, key("repository", "risk"))
    digest = push(images, "1.0", "sha256:" + "11" * 32)
    tag(images, "1.0", "prod")
    month.expect(APPROVED, key("image", f"risk@{digest}"))


def serve(month: Month, endpoint: str, name: str, region: str = REGION) -> None:
    """Create a model, a configuration and an endpoint."""
    aws = month.aws("sagemaker", region=region)
    make_model(aws, name)
    aws.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants(name))
    aws.create_endpoint(EndpointName=f"{endpoint}-prod", EndpointConfigName=name)
    for kind, each in (("model", name), ("config", name), ("endpoint", f"{endpoint}-prod")):
        if region == SECOND:  # where no trail is on
            month.expect(NOT_OBSERVABLE, key(kind, each, region))
        else:
            month.expect(APPROVED, key(kind, each, region), who="deploy")


@on(2)
def a_model_is_approved(month: Month) -> None:
    package = key("package", "risk/1")
    month.ticket("CHG-101", who=("*bo",), types=("AWS::SageMaker::ModelPackage",), fields=("ModelApprovalStatus",))
    month.aws("sagemaker", BO).update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    month.expect(APPROVED, package, fields={"ModelApprovalStatus": APPROVED}, who="bo")


@on(3)
def a_release_is_deployed(month: Month) -> None:
    month.trail.delivery().duplicates = 5  # every file comes twice
    month.ticket("CHG-102")
    aws = month.aws("sagemaker")
    make_model(aws, "risk-2")
    aws.create_endpoint_config(EndpointConfigName="risk-2", ProductionVariants=variants("risk-2", 2))
    aws.update_endpoint(EndpointName="risk-prod", EndpointConfigName="risk-2")
    month.expect(APPROVED, key("model", "risk-2"))
    month.expect(APPROVED, key("config", "risk-2"))
    month.expect(APPROVED, SERVING, fields={"EndpointConfigName": APPROVED, "ProductionVariants": APPROVED})


@on(4)
def it_is_rolled_back(month: Month) -> None:
    month.ticket("CHG-103", resources=(SERVING,))
    month.aws("sagemaker").update_endpoint(EndpointName="risk-prod", EndpointConfigName="risk-1")
    month.trail.amend(month.event("UpdateEndpoint"), vpcEndpointId="vpce-1")
    month.expect(APPROVED, SERVING, fields={"EndpointConfigName": APPROVED, "ProductionVariants": APPROVED})


def scale(month: Month, who: Identity, count: int) -> None:
    """Ask for another number of instances of an endpoint."""
    month.aws("sagemaker", who).update_endpoint_weights_and_capacities(
        EndpointName="fraud-prod",
        DesiredWeightsAndCapacities=[{"VariantName": "all", "DesiredInstanceCount": count, "DesiredWeight": 1.0}],
    )


@on(4)
def the_service_scales(month: Month) -> None:
    scale(month, autoscaling(), 3)
    month.expect(MANAGED, FRAUD, fields={"ProductionVariants": MANAGED})


@on(6)
def a_person_scales(month: Month) -> None:
    scale(month, EVE, 5)
    month.expect(UNAPPROVED, FRAUD, fields={"ProductionVariants": UNAPPROVED}, who="eve")


@on(6)
def a_hot_fix_in_the_console(month: Month) -> None:
    aws = month.aws("sagemaker", EVE)
    aws.create_endpoint_config(EndpointConfigName="hot-fix", ProductionVariants=variants("risk-2", 4))
    aws.update_endpoint(EndpointName="risk-prod", EndpointConfigName="hot-fix")
    month.expect(UNAPPROVED, key("config", "hot-fix"), who="eve")
    month.expect(
        UNAPPROVED, SERVING, fields={"EndpointConfigName": UNAPPROVED, "ProductionVariants": UNAPPROVED}, who="eve"
    )


@on(8)
def a_change_behind_the_trail(month: Month) -> None:
    month.behind.project("risk-build")["environment"]["image"] = "evil/image:1"
    month.expect(UNEXPLAINED, BUILD, fields={"environment": UNEXPLAINED})


@on(9)
def an_hour_of_the_log_is_deleted(month: Month) -> None:
    month.aws("codepipeline", EVE).update_pipeline(pipeline=pipeline("hidden"))
    month.expect(NOT_OBSERVABLE, RELEASE)
    month.at(9, 10, 30)
    assert month.trail.delivery().delete_logs(START.replace(day=9, hour=9), START.replace(day=9, hour=10))


@on(10)
def the_trail_is_switched_off(month: Month) -> None:
    trail = month.aws("cloudtrail", EVE)
    trail.stop_logging(Name="main")
    month.at(10, 9, 30)
    month.aws("codebuild", EVE).update_project(name="risk-build", description="while nobody looks")
    month.expect(NOT_OBSERVABLE, BUILD, fields={"description": NOT_OBSERVABLE})
    month.at(10, 10)
    trail.start_logging(Name="main")
    # Two looks saw it on; of the call that switched it off nobody can say what else was done then.
    month.expect(WITHOUT_EFFECT, key("trail", "main"), about=month.event("StartLogging"), who="eve")


@on(11)
def changed_and_put_back_between_two_looks(month: Month) -> None:
    aws = month.aws("codebuild", EVE)
    for minutes in (90, 60):
        aws.update_project(name="risk-build", timeoutInMinutes=minutes)
        month.expect(WITHOUT_EFFECT, BUILD, about=month.event("UpdateProject"), who="eve")


@on(11)
def an_update_fails(month: Month) -> None:
    month.ticket("CHG-112")
    aws = month.aws("sagemaker")
    aws.create_endpoint_config(EndpointConfigName="fraud-2", ProductionVariants=variants("fraud-1", 9))
    month.expect(APPROVED, key("config", "fraud-2"))
    kept = month.behind.endpoint("fraud-prod").production_variants
    aws.update_endpoint(EndpointName="fraud-prod", EndpointConfigName="fraud-2")
    month.expect(WITHOUT_EFFECT, FRAUD, about=month.event("UpdateEndpoint"), who="deploy")
    month.behind.fail_update("fraud-prod", "fraud-1", "no capacity")
    month.behind.endpoint("fraud-prod").production_variants = kept


@on(13)
def an_approved_change_is_never_made(month: Month) -> None:
    month.ticket("CHG-113", resources=(FRAUD,))
    month.expect(NOT_DONE, FRAUD, about="CHG-113")
    month.act = "a digest comes a day late"
    month.behind.project("risk-build")["sourceVersion"] = "evil"
    month.expect(UNEXPLAINED, BUILD, fields={"sourceVersion": UNEXPLAINED})
    month.at(13, 10, 30)
    month.trail.delivery().drop_digest(START.replace(day=13, hour=9, minute=10))


@on(14)
def judged_too_early(month: Month) -> None:
    month.trail.delivery().put_back_digest(START.replace(day=13, hour=9, minute=10))
    month.ticket("CHG-114", resources=(BUILD,))
    month.aws("codebuild").update_project(name="risk-build", queuedTimeoutInMinutes=30)
    month.expect(APPROVED, BUILD, fields={"queuedTimeoutInMinutes": APPROVED}, who="deploy")
    month.at(14, 9, 5)
    month.poll()
    month.at(14, 9, 6)
    month.listen(since=timestamp.spell(START.replace(day=13)))
    month.judge()


@on(16)
def a_stack_acts_for_a_person(month: Month) -> None:
    month.ticket("CHG-115", who=("*ana",))
    template = {
        "Parameters": {"Count": {"Type": "String"}},
        "Resources": {
            "Config": {
                "Type": "AWS::SageMaker::EndpointConfig",
                "Properties": {"ProductionVariants": variants("risk-1", 3)},
            }
        },
    }
    aws = month.aws("cloudformation", ANA)
    given = [{"ParameterKey": "Count", "ParameterValue": "3"}]
    aws.create_stack(StackName="risk-infra", TemplateBody=json.dumps(template), Parameters=given)
    arn = aws.describe_stack_resources(StackName="risk-infra")["StackResources"][0]["PhysicalResourceId"]
    name = arn.rpartition("/")[2]
    lowered = [{each[0].lower() + each[1:]: value for each, value in one.items()} for one in variants("risk-1", 3)]
    month.trail.note(
        "sagemaker.amazonaws.com",
        "CreateEndpointConfig",
        {"endpointConfigName": name, "productionVariants": lowered},
        ANA.through("cloudformation.amazonaws.com"),
        responseElements={"endpointConfigArn": arn},
    )
    month.expect(APPROVED, key("stack", "risk-infra"), who="ana")
    month.expect(APPROVED, key("config", name), who="ana")


@on(16)
def a_tag_is_moved(month: Month) -> None:
    images = month.aws("ecr", EVE)
    before = images.batch_get_image(repositoryName="risk", imageIds=[{"imageTag": "prod"}])["images"][0]["imageId"][
        "imageDigest"
    ]
    digest = push(images, "1.1", "sha256:" + "22" * 32)
    tag(images, "1.1", "prod")
    month.expect(UNAPPROVED, key("repository", "risk"), fields={"imageTags": UNAPPROVED}, who="eve")
    month.expect(UNAPPROVED, key("image", f"risk@{before}"), fields={"imageTags": UNAPPROVED}, who="eve")
    month.expect(UNAPPROVED, key("image", f"risk@{digest}"), who="eve")


@on(16)
def a_role_may_do_more(month: Month) -> None:
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    month.aws("iam", EVE).put_role_policy(RoleName="runner", PolicyName="more", PolicyDocument=json.dumps(wide))
    month.expect(UNAPPROVED, key("role", "runner"), fields={"InlinePolicies": UNAPPROVED}, who="eve")


@on(19)
def a_ticket_for_other_fields(month: Month) -> None:
    month.ticket("CHG-118", resources=(BUILD,), fields=("timeoutInMinutes",))
    changed = project("aws/codebuild/standard:8.0")["environment"]
    month.aws("codebuild").update_project(name="risk-build", timeoutInMinutes=75, environment=changed)
    month.expect(UNAPPROVED, BUILD, fields={"timeoutInMinutes": APPROVED, "environment": UNAPPROVED}, who="deploy")


@on(19)
def an_endpoint_is_retired(month: Month) -> None:
    month.ticket("CHG-119", resources=("*old-*",))
    aws = month.aws("sagemaker")
    aws.delete_endpoint(EndpointName="old-prod")
    aws.delete_endpoint_config(EndpointConfigName="old-1")
    aws.delete_model(ModelName="old-1")
    for kind, name in (("endpoint", "old-prod"), ("config", "old-1"), ("model", "old-1")):
        month.expect(APPROVED, key(kind, name), who="deploy")


@on(19)
def made_again_under_the_same_name(month: Month) -> None:
    month.ticket("CHG-120", types=("AWS::SageMaker::EndpointConfig",))
    aws = month.aws("sagemaker")
    aws.delete_endpoint_config(EndpointConfigName="fraud-2")
    again = variants("fraud-1", 2, "ml.c5.large")
    aws.create_endpoint_config(EndpointConfigName="fraud-2", ProductionVariants=again)
    for _ in ("deleted", "created"):
        month.expect(APPROVED, key("config", "fraud-2"), who="deploy")


@on(21)
def a_region_refuses(month: Month) -> None:
    month.trail.refused[("sagemaker", "*", SECOND)] = "AccessDeniedException"
    month.at(21, 10)
    month.poll(everywhere=True)
    month.trail.refused.clear()
    month.trail.refused[("sagemaker", "ListEndpoints", REGION)] = "InternalFailure"
    month.at(21, 10, 30)
    month.poll()
    month.trail.refused.clear()


@on(22)
def the_record_comes_hours_late(month: Month) -> None:
    month.ticket("CHG-122", resources=(BUILD,))
    month.trail.delay = timedelta(hours=4)
    month.aws("codebuild").update_project(name="risk-build", queuedTimeoutInMinutes=45)
    month.trail.delay = timedelta()
    month.expect(APPROVED, BUILD, fields={"queuedTimeoutInMinutes": APPROVED})
    month.at(22, 9, 30)
    month.poll()
    month.at(22, 12, 30)
    month.listen()
    month.judge()


@on(23)
def one_field_is_explained_and_one_is_not(month: Month) -> None:
    month.ticket("CHG-123", resources=(BUILD,))
    month.aws("codebuild").update_project(name="risk-build", timeoutInMinutes=45)
    month.behind.project("risk-build")["description"] = "what is this"
    month.expect(UNEXPLAINED, BUILD, fields={"timeoutInMinutes": APPROVED, "description": UNEXPLAINED})


@on(23)
def a_model_is_gone(month: Month) -> None:
    del month.behind.sagemaker._models["spare-1"]
    month.expect(UNEXPLAINED, key("model", "spare-1"))


@on(25)
def approved_when_it_was_done(month: Month) -> None:
    month.aws("codebuild").update_project(name="risk-build", queuedTimeoutInMinutes=50)
    month.aws("codepipeline").update_pipeline(pipeline=pipeline("release"))
    month.at(25, 10)
    month.ticket("CHG-125", resources=(BUILD,), hours=(-2, 2), decided=month.now())
    month.ticket("CHG-125R", resources=(RELEASE,), hours=(-2, 2), decided=month.now(), retroactive=True)
    month.expect(UNAPPROVED, BUILD, fields={"queuedTimeoutInMinutes": UNAPPROVED}, who="deploy")
    month.expect(APPROVED, RELEASE, who="deploy")


@on(26)
def somebody_else_does_it(month: Month) -> None:
    month.ticket("CHG-126", resources=(RELEASE,))
    month.aws("codepipeline", EVE).update_pipeline(pipeline=pipeline("hers"))
    month.expect(UNAPPROVED, RELEASE, who="eve")
    month.expect(NOT_DONE, RELEASE, about="CHG-126")


@on(26)
def a_tag_of_an_endpoint(month: Month) -> None:
    arn = SERVING
    month.aws("sagemaker", EVE).add_tags(ResourceArn=arn, Tags=[{"Key": "Owner", "Value": "eve"}])
    month.expect(UNAPPROVED, SERVING, fields={"tags": UNAPPROVED}, who="eve")


@on(28)
def the_clock_of_the_trail_is_fast(month: Month) -> None:
    month.ticket("CHG-128", resources=(BUILD,))
    month.trail.skew = timedelta(seconds=90)
    month.aws("codebuild").update_project(name="risk-build", queuedTimeoutInMinutes=55)
    month.trail.skew = timedelta()
    month.expect(APPROVED, BUILD, fields={"queuedTimeoutInMinutes": APPROVED}, who="deploy")
    month.poll()


@on(29)
def the_log_is_altered_and_a_digest_forged(month: Month) -> None:
    month.aws("codepipeline", EVE).update_pipeline(pipeline=pipeline("altered"))
    month.expect(NOT_OBSERVABLE, RELEASE)
    month.at(29, 10, 30)
    assert month.trail.delivery().alter_logs(START.replace(day=29, hour=9), START.replace(day=29, hour=10))
    month.poll()
    month.at(29, 13, 10)
    month.aws("codebuild", EVE).update_project(name="risk-build", queuedTimeoutInMinutes=65)
    month.expect(NOT_OBSERVABLE, BUILD)
    month.at(29, 13, 40)
    month.poll()
    month.at(29, 15)
    delivery = month.trail.delivery()
    assert delivery.delete_logs(START.replace(day=29, hour=13), START.replace(day=29, hour=14))
    delivery.forge_digest(START.replace(day=29, hour=13, minute=20))


@on(30)
def the_owner_of_the_account(month: Month) -> None:
    month.aws("codebuild", Identity("Root", ACCOUNT)).update_project(name="risk-build", description="from the top")
    month.expect(UNAPPROVED, BUILD, fields={"description": UNAPPROVED}, who="root")
    policy = {"Version": "2012-10-17", "Statement": []}
    month.aws("s3", EVE).put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))  # nobody watches buckets


def play(month: Month) -> None:
    """Play the whole script."""
    month.at(1, 7)
    month.poll(everywhere=True)
    for day, acts in groupby(ACTS, key=lambda each: each.day):
        month.at(day)
        for act in acts:
            month.act = act.name
            act.do(month)
        month.at(day, 11)
        month.poll(everywhere=day in {1, 13, 22})
        month.at(day, 20)
        month.listen()
        month.judge()
    month.at(31)
    month.poll(everywhere=True)
    month.at(31, 20)
    month.listen()
    month.judge()
