"""The second half of the month: what is done on which day, by whom, and what must be concluded of it."""

import json
from datetime import timedelta

from month import (
    ANA,
    BUCKET,
    EVE,
    REGION,
    SECOND,
    START,
    Month,
    key,
    pipeline,
    project,
    push,
    tag,
    variants,
)
from month_script import BUILD, RELEASE, SERVING, on

from lineal.core.change import (
    APPROVED,
    NOT_DONE,
    NOT_OBSERVABLE,
    UNAPPROVED,
    UNEXPLAINED,
)
from servers.cloud_people import Identity
from servers.moto import ACCOUNT


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
