"""Listing and describing what SageMaker has, one kind of thing after another; what was refused is a gap."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from lineal.core.observation import Gap
from lineal.sources.aws_session import MISSING, Refusal, ask, ask_each, pages

PAGE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How one kind of thing is listed and described; `since` is the name of the filter by time, if it has one."""

    name: str
    listing: str
    key: str
    since: str | None
    identity: str
    arn: str
    describing: str
    parameter: str
    filters: Mapping[str, Any] = field(default_factory=dict)


def _kind(name: str, word: str, since: str | None, plural: str | None = None, **more: Any) -> Kind:
    values: dict[str, Any] = {
        "listing": f"List{plural or f'{word}s'}",
        "key": f"{word}Summaries" if "Job" in word else f"{word}s",
        "identity": f"{word}Name",
        "arn": f"{word}Arn",
        "describing": f"Describe{word}",
        "parameter": f"{word}Name",
        **more,
    }
    return Kind(name=name, since=since, **values)


TRAINING: Final = _kind("training-job", "TrainingJob", "LastModifiedTimeAfter")
PROCESSING: Final = _kind("processing-job", "ProcessingJob", "LastModifiedTimeAfter")
TRANSFORM: Final = _kind("transform-job", "TransformJob", "LastModifiedTimeAfter")
MODEL: Final = _kind("model", "Model", "CreationTimeAfter")
PACKAGE: Final = _kind(
    "model-package",
    "ModelPackage",
    None,
    key="ModelPackageSummaryList",
    identity="ModelPackageArn",
    filters={"ModelPackageType": "Both"},
)
ENDPOINT: Final = _kind("endpoint", "Endpoint", None)
CONFIG: Final = _kind("endpoint-config", "EndpointConfig", "CreationTimeAfter")
PIPELINE: Final = _kind("pipeline", "Pipeline", None, key="PipelineSummaries")
COMPONENT: Final = _kind("trial-component", "TrialComponent", "CreatedAfter", key="TrialComponentSummaries")
ACTION: Final = _kind("action", "Action", "CreatedAfter", key="ActionSummaries")
ARTIFACT: Final = _kind(
    "artifact", "Artifact", "CreatedAfter", key="ArtifactSummaries", identity="ArtifactArn", parameter="ArtifactArn"
)
CONTEXT: Final = _kind("context", "Context", "CreatedAfter", key="ContextSummaries")

Summary = Mapping[str, Any]


class Reader:
    """Asks SageMaker with one client, and keeps in mind which kinds were read to their end."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.refused: set[str] = set()

    def listed(self, kind: Kind, since: datetime | None = None, **filters: Any) -> Iterator[Summary | Gap]:
        """Yield the summaries of a kind, of those changed since a moment; a gap in the end if the list was refused."""
        more = {} if since is None or kind.since is None else {kind.since: since}
        limits = {"MaxResults": PAGE, **kind.filters, **filters, **more}
        for page in pages(self.client, kind.listing, kind.key, **limits):
            if isinstance(page, Refusal):
                self.refused.add(kind.name)
                yield page.gap(kind.name)
                return
            yield from page

    def described(
        self,
        kind: Kind,
        since: datetime | None = None,
        wanted: Callable[[Summary], bool] = lambda _summary: True,
    ) -> Iterator[Mapping[str, Any] | Gap]:
        """Yield what Describe says of each thing that is `wanted` by its summary; a gap for each that is refused."""
        gaps: list[Gap] = []

        def asked() -> Iterator[tuple[str, Mapping[str, Any]]]:
            for summary in self.listed(kind, since):
                if isinstance(summary, Gap):
                    gaps.append(summary)
                elif wanted(summary):
                    yield str(summary.get(kind.arn)), {kind.parameter: summary[kind.identity]}

        for arn, answer in ask_each(self.client, kind.describing, asked()):
            yield self._take(kind, arn, answer)
        yield from gaps

    def describe(self, kind: Kind, name: str) -> Mapping[str, Any] | Refusal:
        """Return what Describe says of one thing."""
        return ask(self.client, kind.describing, **{kind.parameter: name})

    def _take(self, kind: Kind, arn: str, answer: dict[str, Any] | Refusal) -> Mapping[str, Any] | Gap:
        if not isinstance(answer, Refusal):
            return answer
        if answer.kind != MISSING:  # what was deleted since it was listed is no reason to look again
            self.refused.add(kind.name)
        return answer.gap(arn)
