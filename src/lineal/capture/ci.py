"""The job of a continuous integration system that a program runs in, as its variables say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lineal.core.redaction import clean, strip_url

# For each system: the variable that says it is there, and where each fact stands. Nothing else is read. Sources: the
# pages of each system that list its predefined variables.
_SYSTEMS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "github-actions": (
        "GITHUB_ACTIONS",
        {
            "repository": "GITHUB_REPOSITORY",
            "server": "GITHUB_SERVER_URL",
            "ref": "GITHUB_REF",
            "sha": "GITHUB_SHA",
            "run_id": "GITHUB_RUN_ID",
            "attempt": "GITHUB_RUN_ATTEMPT",
            "job": "GITHUB_JOB",
            "workflow": "GITHUB_WORKFLOW",
            "workflow_ref": "GITHUB_WORKFLOW_REF",
            "event": "GITHUB_EVENT_NAME",
            "actor": "GITHUB_ACTOR",
            "triggering_actor": "GITHUB_TRIGGERING_ACTOR",
        },
    ),
    "gitlab-ci": (
        "GITLAB_CI",
        {
            "repository": "CI_PROJECT_PATH",
            "server": "CI_SERVER_URL",
            "ref": "CI_COMMIT_REF_NAME",
            "sha": "CI_COMMIT_SHA",
            "run_id": "CI_PIPELINE_ID",
            "job": "CI_JOB_NAME",
            "job_id": "CI_JOB_ID",
            "event": "CI_PIPELINE_SOURCE",
            "actor": "GITLAB_USER_LOGIN",
            "url": "CI_JOB_URL",
            "image": "CI_JOB_IMAGE",
        },
    ),
    "codebuild": (
        "CODEBUILD_BUILD_ID",
        {
            "repository": "CODEBUILD_SOURCE_REPO_URL",
            "ref": "CODEBUILD_SOURCE_VERSION",
            "sha": "CODEBUILD_RESOLVED_SOURCE_VERSION",
            "run_id": "CODEBUILD_BUILD_ID",
            "arn": "CODEBUILD_BUILD_ARN",
            "actor": "CODEBUILD_INITIATOR",
            "event": "CODEBUILD_WEBHOOK_EVENT",
            "image": "CODEBUILD_BUILD_IMAGE",
        },
    ),
    "jenkins": (
        "JENKINS_URL",
        {
            "repository": "GIT_URL",
            "server": "JENKINS_URL",
            "ref": "GIT_BRANCH",
            "sha": "GIT_COMMIT",
            "run_id": "BUILD_TAG",
            "job": "JOB_NAME",
            "url": "BUILD_URL",
        },
    ),
    "sagemaker-training": (
        "TRAINING_JOB_NAME",
        {"run_id": "TRAINING_JOB_NAME", "arn": "TRAINING_JOB_ARN", "host": "CURRENT_HOST"},
    ),
    "sagemaker-processing": (
        "PROCESSING_JOB_NAME",
        {"run_id": "PROCESSING_JOB_NAME", "arn": "PROCESSING_JOB_ARN"},
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CiJob:
    """A job: the `system` it runs in, and the `facts` that its variables give, by one set of names for all systems.

    These are claims of the environment, not proved by a signature.
    """

    system: str
    facts: Mapping[str, str]

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document."""
        return {"system": self.system, **{name: self.facts[name] for name in sorted(self.facts)}}


def read_ci(env: Mapping[str, str]) -> CiJob | None:
    """Return the job that the variables `env` speak of, None outside of every system known.

    ``url`` leads to the job where the system gives one, or where it can be put together.
    """
    for system, (sign, names) in _SYSTEMS.items():
        if env.get(sign, "").lower() in ("", "false", "0"):
            continue
        facts = {fact: strip_url(clean(env[name]))[0] for fact, name in names.items() if env.get(name)}
        if system == "github-actions" and {"server", "repository", "run_id"} <= facts.keys():
            facts["url"] = f"{facts['server']}/{facts['repository']}/actions/runs/{facts['run_id']}"
        return CiJob(system=system, facts=facts)
    return None
