"""SageMaker's own lineage, joined with what was collected: artifacts and actions by their sources, and edges."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from lineal.app.sagemaker_guard import guarded
from lineal.app.sagemaker_lookup import Lookup
from lineal.core.observation import Gap, Observation
from lineal.sources.aws_session import Refusal, pages
from lineal.sources.sagemaker_data import Places
from lineal.sources.sagemaker_decisions import Decision
from lineal.sources.sagemaker_lineage import (
    APPROVAL,
    DEPLOYMENT,
    Deployment,
    Entity,
    action_entity,
    artifact_entity,
    observe_association,
    observe_entity,
    read_decision,
    read_deployment,
)
from lineal.sources.sagemaker_reading import ACTION, ARTIFACT, CONTEXT, PAGE, Reader

_OWN_CONTEXTS: Final = frozenset({"Endpoint", "ModelGroup"})


class OwnLineage:
    """Reads the lineage that SageMaker keeps; `decisions` and `deployments` are the history in it, by ARN."""

    def __init__(self, lookup: Lookup, places: Places, reader: Reader) -> None:
        self._lookup, self._places, self._reader = lookup, places, reader
        self.decisions: dict[str, list[Decision]] = {}
        self.deployments: dict[str, list[Deployment]] = {}
        self._bodies: dict[str, Mapping[str, Any] | None] = {}
        self._told: set[str] = set()

    def history(self) -> Iterator[Observation | Gap]:
        """Read the actions that tell of approvals and deployments, all of them: they are few, and no event is twice."""
        deployed: list[Mapping[str, Any]] = []
        for body in self._reader.described(ACTION, None, lambda each: each.get("ActionType") in {APPROVAL, DEPLOYMENT}):
            if isinstance(body, Gap):
                yield body
                continue
            self._told.add(str(body["ActionArn"]))
            if body.get("ActionType") == APPROVAL:
                yield from guarded(self._reader, "action", body["ActionArn"], partial(self._decision, body))
            else:
                deployed.append(body)
        for action in deployed:
            yield from guarded(self._reader, "action", action["ActionArn"], partial(self._deployment, action))
        for told in (*self.decisions.values(), *self.deployments.values()):
            told.sort(key=lambda each: each.time)  # type: ignore[attr-defined]

    def _decision(self, action: Mapping[str, Any]) -> Iterator[Gap]:
        found = read_decision(action)
        if found is None:
            yield Gap(
                "sagemaker.action_unknown", "of what package this is an approval is not known", str(action["ActionArn"])
            )
        else:
            self.decisions.setdefault(found[0], []).append(found[1])

    def _deployment(self, action: Mapping[str, Any]) -> Iterator[Gap]:
        arn = str(action["ActionArn"])
        ends: dict[str, list[str]] = {"SourceArn": [], "DestinationArn": []}
        for wanted, other in (("DestinationArn", "SourceArn"), ("SourceArn", "DestinationArn")):
            for page in self._associations(**{wanted: arn}):
                if isinstance(page, Gap):
                    yield page
                    return
                ends[other] += [str(each[other]) for each in page]
        near = [source for end in (*ends["SourceArn"], *ends["DestinationArn"]) if (source := self._source(end))]
        packages = [each for each in near if ":model-package/" in each]
        endpoints = [each for each in near if ":endpoint/" in each]
        for deployment in read_deployment(action, packages, endpoints):
            self.deployments.setdefault(deployment.endpoint.lower(), []).append(deployment)

    def _source(self, arn: str) -> str | None:
        """Return the address that an artifact or context of the lineage stands for."""
        body = self._body(arn)
        return None if body is None else str((body.get("Source") or {}).get("SourceUri") or "") or None

    def _body(self, arn: str) -> Mapping[str, Any] | None:
        """Return what Describe says of an artifact or context, None where it says nothing."""
        if arn not in self._bodies:
            kind = ARTIFACT if ":artifact/" in arn else CONTEXT if ":context/" in arn else None
            body = None if kind is None else self._reader.describe(kind, arn)
            self._bodies[arn] = None if isinstance(body, Refusal) else body
        return self._bodies[arn]

    def _associations(self, **filters: Any) -> Iterator[list[Mapping[str, Any]] | Gap]:
        wanted = {"MaxResults": PAGE, **filters}
        for page in pages(self._reader.client, "ListAssociations", "AssociationSummaries", **wanted):
            if isinstance(page, Refusal):
                self._reader.refused.add("association")
                yield page.gap("association")
            else:
                yield list(page)

    def read(self, since: datetime | None) -> Iterator[Observation | Gap]:
        """Yield the entities and associations made since a moment; contexts are groups, and are told of as gaps."""
        for body in self._reader.described(ARTIFACT, since):
            if isinstance(body, Gap):
                yield body
            else:
                about = body.get("ArtifactArn")
                yield from guarded(self._reader, "lineage", about, partial(self._artifact, body))
        for body in self._reader.described(ACTION, since, lambda each: str(each["ActionArn"]) not in self._told):
            if isinstance(body, Gap):
                yield body
            else:
                yield from guarded(self._reader, "lineage", body.get("ActionArn"), partial(self._action, body))
        for context in self._reader.listed(CONTEXT, since):
            if isinstance(context, Gap):
                yield context
            elif context.get("ContextType") not in _OWN_CONTEXTS:
                kind = str(context.get("ContextType"))
                yield Gap("sagemaker.context", f"a group of things ({kind}) is not in the graph", context["ContextArn"])
        filters = {} if since is None else {"CreatedAfter": since}
        for page in self._associations(**filters):
            if isinstance(page, Gap):
                yield page
            else:
                for said in page:
                    about = f"{said.get('SourceArn')} -> {said.get('DestinationArn')}"
                    yield from guarded(self._reader, "lineage", about, partial(self._associate, said))

    def _artifact(self, body: Mapping[str, Any]) -> Iterator[Observation]:
        entity = artifact_entity(body, self._places, self._ref_of)
        self._bodies[str(body["ArtifactArn"])] = body
        yield observe_entity("artifact", body, entity, self._lookup.since(entity.ref))

    def _action(self, body: Mapping[str, Any]) -> Iterator[Observation]:
        entity = action_entity(body)
        yield observe_entity("action", body, entity, self._lookup.since(entity.ref))

    def _associate(self, said: Mapping[str, Any]) -> Iterator[Observation | Gap]:
        ends = (str(said["SourceArn"]), str(said["DestinationArn"]))
        if any(":context/" in end or end in self._told for end in ends):
            return  # a group, or an approval or deployment: told as what it is
        source, target = (self._end(end, said) for end in ends)
        for run, other in ((source, ends[1]), (target, ends[0])):
            if (
                run is not None
                and run.ref.startswith("run:")
                and self._source(other) in self._lookup.addresses(run.ref)
            ):
                return  # a job said so itself, and more exactly
        since = max((self._lookup.since(each.ref) for each in (source, target) if each is not None), default="")
        found = observe_association(said, source, target, since)
        if found is not None:
            yield found

    def _end(self, arn: str, said: Mapping[str, Any]) -> Entity | None:
        """Return what one end of an association stood for when it was made.

        SageMaker has one artifact for an address, however often other bytes were written there.
        """
        body = self._body(arn)
        if body is not None and ":artifact/" in arn:
            return artifact_entity({**body, "CreationTime": said.get("CreationTime")}, self._places, self._ref_of)
        known = self._lookup.named((arn, arn.lower()), None)
        return Entity(ref=known[-1].ref) if known else None

    def _ref_of(self, source: str) -> str | None:
        known = self._lookup.of_arn(source, "model") or self._lookup.of_arn(source, "run")
        return None if known is None else known.ref
