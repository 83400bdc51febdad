"""The first half of the month: what is done on which day, by whom, and what must be concluded of it."""

from month import (
    BO,
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
from month_script import BUILD, FRAUD, RELEASE, SERVING, on

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
