"""What moto lacks of the operations that change production: UpdateProject, and endpoints that take their time.

`behind` changes what moto keeps with no call at all: what a trail can never tell of.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.codebuild.exceptions import ResourceNotFoundException
from moto.codebuild.models import codebuild_backends
from moto.codebuild.responses import CodeBuildResponse
from moto.codepipeline.models import codepipeline_backends
from moto.core.responses import ActionResult
from moto.core.utils import unix_time
from moto.ecr.models import ecr_backends
from moto.iam.models import iam_backends
from moto.sagemaker.models import sagemaker_backends

from servers.moto import ACCOUNT, REGION

_SIMPLE = {"description", "sourceVersion", "timeoutInMinutes", "queuedTimeoutInMinutes", "serviceRole", "tags"}
_NESTED = {"source", "artifacts", "cache", "environment", "vpcConfig", "logsConfig", "badgeEnabled", "encryptionKey"}


def _update_project(self: CodeBuildResponse) -> Any:
    """Change what is given of a project; moto has no such operation."""
    name = self._get_param("name")
    project = self.codebuild_backend.codebuild_projects.get(name)
    if project is None:
        raise ResourceNotFoundException(f"Project cannot be found: {name}")
    for each in sorted(_SIMPLE | _NESTED):
        value = self._get_param(each)
        if value is not None:
            project.project_metadata[each] = value
    project.project_metadata["lastModifiedDate"] = unix_time()
    return ActionResult({"project": project.project_metadata})


@contextmanager
def patches() -> Iterator[None]:
    """Let moto's CodeBuild know UpdateProject."""
    before = getattr(CodeBuildResponse, "update_project", None)
    CodeBuildResponse.update_project = _update_project
    try:
        yield
    finally:
        if before is None:
            del CodeBuildResponse.update_project


class Backends:
    """What moto keeps of one account and region, to be changed with no call."""

    def __init__(self, region: str = REGION, account: str = ACCOUNT) -> None:
        self.sagemaker = sagemaker_backends[account][region]
        self.codebuild = codebuild_backends[account][region]
        self.codepipeline = codepipeline_backends[account][region]
        self.ecr = ecr_backends[account][region]
        self.iam = iam_backends[account]["aws"]

    def endpoint(self, name: str) -> Any:
        """Return what moto keeps of an endpoint."""
        return self.sagemaker.endpoints[name]

    def project(self, name: str) -> dict[str, Any]:
        """Return what moto keeps of a build project."""
        found: dict[str, Any] = self.codebuild.codebuild_projects[name].project_metadata
        return found

    def fail_update(self, name: str, config: str, reason: str) -> Callable[[], None]:
        """Give an endpoint back the configuration `config`, as SageMaker does when an update fails; return an undo."""
        endpoint = self.endpoint(name)
        kept = endpoint.endpoint_config_name, endpoint.production_variants
        variants = self.sagemaker.describe_endpoint_config(config)["ProductionVariants"]
        endpoint.endpoint_config_name = config
        endpoint.production_variants = endpoint._process_production_variants(variants)
        endpoint.failure_reason = reason

        def undo() -> None:
            endpoint.endpoint_config_name, endpoint.production_variants = kept

        return undo
