"""What serves, watches and describes models on SageMaker beside endpoints, and where people work on them."""

from typing import Any, Final

from lineal.sources import sagemaker_reading as reading
from lineal.sources.items_sagemaker_entity import Entity
from lineal.sources.items_sagemaker_joins import (
    join_card,
    join_component,
    join_definition,
    join_domain,
    join_experiment,
    join_features,
    join_image,
    join_notebook,
    join_schedule,
)


def _kind(word: str, key: str, identity: str = "", arn: str = "", **more: Any) -> reading.Kind:
    name = identity or f"{word}Name"
    given: dict[str, Any] = {
        "name": word.lower(),
        "listing": f"List{word}s",
        "key": key,
        "since": None,
        "identity": name,
        "arn": arn or f"{word}Arn",
        "describing": f"Describe{word}",
        "parameter": name,
    }
    return reading.Kind(**(given | more))


def _definition(word: str) -> Entity:
    # There is no operation that updates a definition of monitoring jobs: it is made anew, under another name.
    listed = _kind(
        f"{word}JobDefinition",
        "JobDefinitionSummaries",
        "MonitoringJobDefinitionName",
        "MonitoringJobDefinitionArn",
        parameter="JobDefinitionName",
    )
    return Entity(type=f"AWS::SageMaker::{word}JobDefinition", listed=listed, join=join_definition, fixed=True)


ENTITIES: Final = (
    Entity(
        type="AWS::SageMaker::InferenceComponent",
        listed=_kind("InferenceComponent", "InferenceComponents"),
        join=join_component,
        state="InferenceComponentStatus",
        moving=frozenset({"Creating", "Updating", "Deleting"}),
    ),
    Entity(
        type="AWS::SageMaker::MonitoringSchedule",
        listed=_kind("MonitoringSchedule", "MonitoringScheduleSummaries"),
        join=join_schedule,
        state="MonitoringScheduleStatus",
        moving=frozenset({"Pending"}),
    ),
    *map(_definition, ("DataQuality", "ModelQuality", "ModelBias", "ModelExplainability")),
    Entity(
        type="AWS::SageMaker::FeatureGroup",
        listed=_kind("FeatureGroup", "FeatureGroupSummaries"),
        join=join_features,
        state="FeatureGroupStatus",
        moving=frozenset({"Creating", "Deleting", "InProgress"}),
        parts=("LastUpdateStatus",),
        paged="FeatureDefinitions",
    ),
    Entity(
        type="AWS::SageMaker::NotebookInstance",
        listed=_kind("NotebookInstance", "NotebookInstances"),
        join=join_notebook,
        state="NotebookInstanceStatus",
        moving=frozenset({"Pending", "Stopping", "Deleting", "Updating", "InMaintenance"}),
    ),
    Entity(
        type="AWS::SageMaker::Domain",
        listed=_kind("Domain", "Domains", "DomainId"),
        join=join_domain,
        state="Status",
        moving=frozenset({"Pending", "Updating", "Deleting"}),
    ),
    Entity(
        type="AWS::SageMaker::ModelCard",
        listed=_kind("ModelCard", "ModelCardSummaries"),
        join=join_card,
        state="ModelCardProcessingStatus",
        moving=frozenset({"DeletePending", "DeleteInProgress", "ContentDeleted", "ExportJobsDeleted"}),
        documents=("Content",),
    ),
    Entity(
        type="AWS::SageMaker::InferenceExperiment",
        listed=_kind("InferenceExperiment", "InferenceExperiments", "Name", "Arn"),
        join=join_experiment,
        state="Status",
        moving=frozenset({"Creating", "Updating", "Starting", "Stopping"}),
    ),
    Entity(
        type="AWS::SageMaker::Image",
        listed=_kind("Image", "Images"),
        join=join_image,
        state="ImageStatus",
        moving=frozenset({"CREATING", "UPDATING", "DELETING"}),
    ),
    Entity(type="AWS::SageMaker::AppImageConfig", listed=_kind("AppImageConfig", "AppImageConfigs")),
)
"""The types, the most telling first."""
