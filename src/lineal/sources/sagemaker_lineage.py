"""SageMaker's own lineage: artifacts, actions and associations, as nodes and edges of ours.

SageMaker keeps a history there that Describe has not: an action for each approval of a model package and for each
deployment to an endpoint. What points to things that were collected themselves is joined to them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.core.edge import EDGE_RULES, Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.sources.sagemaker_data import Places
from lineal.sources.sagemaker_decisions import Decision
from lineal.sources.sagemaker_endpoints import Serving
from lineal.sources.sagemaker_found import Found
from lineal.sources.sagemaker_packages import NOBODY
from lineal.sources.sagemaker_words import Arn, moment, person, plain, text

APPROVAL: Final = "Approval"
DEPLOYMENT: Final = "ModelDeployment"
_STATUS: Final = {"Approved": "approved", "Rejected": "rejected", "PendingManualApproval": "withdrawn"}
# The names that SageMaker gives to its own actions: GROUP-VERSION-STATUS-EPOCH-aws-…
_NAME: Final = re.compile(r"(?P<group>.+)-(?P<version>\d+)-(?P<status>[A-Za-z]+)-(?P<epoch>\d{9,})-aws-[a-z-]+")
_TYPES: Final = {"SameAs": "same_as"}
_STATES: Final = {"Completed": "finished", "Failed": "failed", "Stopped": "stopped", "InProgress": "started"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment of a model package to an endpoint, as an action of SageMaker's lineage tells it."""

    time: str
    package: str
    endpoint: str
    action: str


def read_decision(action: Mapping[str, Any]) -> tuple[str, Decision] | None:
    """Return the package (its ARN, in small letters) and the decision that an ``Approval`` action tells; else None."""
    package, status = _package(action)
    time = moment(action.get("CreationTime"))
    if package is None or time is None or _STATUS.get(status) is None:
        return None
    reason = action.get("Description") or (action.get("Properties") or {}).get("ApprovalDescription")
    group = Arn.parse(package).rest
    return package.lower(), Decision(
        word=_STATUS[status],
        time=time,
        by=person(action.get("CreatedBy"), f"{NOBODY} (decided on {group})"),
        reason=text(str(reason or "no reason is given in SageMaker")),
        source=f"lineage action {action.get('ActionName')}",
    )


def read_deployment(action: Mapping[str, Any], packages: list[str], endpoints: list[str]) -> Iterator[Deployment]:
    """Yield the deployments that a ``ModelDeployment`` action tells, joined with those whom its associations name."""
    package, _ = _package(action)
    source = str((action.get("Source") or {}).get("SourceUri") or "")
    time = moment(action.get("CreationTime"))
    to = endpoints or ([source] if ":endpoint/" in source else [])
    of = packages or ([package] if package else [])
    for endpoint in to if time else ():
        for each in of[:1]:
            yield Deployment(time=time or "", package=each, endpoint=endpoint, action=str(action.get("ActionArn")))


def _package(action: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the ARN of the package that an action is about, and the status in its name."""
    source = str((action.get("Source") or {}).get("SourceUri") or "")
    match = _NAME.fullmatch(str(action.get("ActionName") or ""))
    properties = action.get("Properties") or {}
    status = str(properties.get("ModelApprovalStatus") or (match["status"] if match else ""))
    if ":model-package/" in source:
        return source, status
    if match is None:
        return None, status
    own = Arn.parse(str(action["ActionArn"]))
    return own.sibling("model-package", f"{match['group']}/{match['version']}")[-1], status


def past_serving(now: Serving, deployment: Deployment, model: Found) -> Serving:
    """Return what an endpoint served since a deployment of the past: the model alone is known of it."""
    gap = Gap("sagemaker.past_deployment", "of this deployment SageMaker's lineage tells the model and the time alone")
    return replace(
        now,
        began=deployment.time,
        fingerprint=str(Digest.of(canonical.encode({"action": deployment.action}))),
        models=(model,),
        images=(),
        config={"action": deployment.action},
        known_from="lineage",
        config_node=None,
        gaps=(gap,),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A thing of SageMaker's lineage as a node of ours, with what is to be said of it where it is not on record."""

    ref: str
    nodes: tuple[Node, ...] = ()
    gaps: tuple[Gap, ...] = ()


def artifact_entity(body: Mapping[str, Any], places: Places, of_arn: Callable[[str], str | None]) -> Entity:
    """Return the version that a lineage artifact stands for, with the artifact's ARN as one more name of it."""
    arn, at = str(body["ArtifactArn"]), moment(body.get("CreationTime")) or ""
    source = str((body.get("Source") or {}).get("SourceUri") or arn)
    kind = str(body.get("ArtifactType") or "")
    metadata = body.get("MetadataProperties") or {}
    ref = of_arn(source) if source.startswith("arn:") else None
    found: Found | None = None
    if ref is None:
        commit = str(metadata.get("CommitId") or "")
        if commit and commit.isalnum() and not source.startswith(("s3://", "arn:")):
            found = places.code(commit, str(metadata.get("Repository") or source), at)
        elif kind == "Image":
            found = places.image(source, at)
        else:
            found = places.read(source, at)
        ref = found.ref
    said = {
        "arn": arn, "type": text(kind), "source": plain(body.get("Source") or {}), "metadata": plain(metadata),
        "properties": plain(body.get("Properties") or {}), "name": text(str(body.get("ArtifactName") or "")),
    }  # fmt: skip
    digest = Digest.parse(ref.rpartition("@")[2]) if "@sha256:" in ref else None
    own = Node(ref=ref, basis="observed", digest=digest, detail={"lineage": said}, aliases=(arn,))
    nodes = tuple(_merge(node, own) if node.ref == ref else node for node in (found.nodes if found else ()))
    if all(node.ref != ref for node in nodes):
        nodes = (own, *nodes)
    return Entity(ref=ref, nodes=nodes, gaps=found.gaps if found else ())


def _merge(node: Node, own: Node) -> Node:
    return replace(node, detail={**node.detail, **own.detail}, aliases=(*node.aliases, *own.aliases))


def action_entity(body: Mapping[str, Any]) -> Entity:
    """Return the run that an action of somebody's own is."""
    arn, name = Arn.parse(str(body["ActionArn"])), str(body["ActionName"])
    ref = arn.run(name)
    detail = {
        "name": text(name),
        "activity": text(str(body.get("ActionType") or "action")),
        "state": _STATES.get(str(body.get("Status")), "unknown"),
        "started": moment(body.get("CreationTime")),
        "mechanism": "sagemaker lineage",
        "sagemaker": {
            "kind": "action", "arn": arn.text, "region": arn.region, "account": arn.account, "described": plain(body),
        },
    }  # fmt: skip
    return Entity(ref=ref, nodes=(Node(ref=ref, basis="observed", detail=detail, aliases=arn.named(name)),))


def observe_entity(kind: str, body: Mapping[str, Any], entity: Entity, since: str) -> Observation:
    """Return the observation of one artifact or action; what it stands for is on record `since` then."""
    return Observation(
        type=f"sagemaker.{kind}_observed/1",
        time=max(moment(body.get("CreationTime")) or since, since),
        actor=person(body.get("CreatedBy"), "sagemaker.amazonaws.com"),
        basis="observed",
        nodes=entity.nodes,
        gaps=entity.gaps,
        subject=(entity.ref,),
    )


def observe_association(
    said: Mapping[str, Any], source: Entity | None, target: Entity | None, since: str
) -> Observation | Gap | None:
    """Return the edge that an association is, a gap where the graph has no such edge, None where it joins one thing.

    `source` and `target` are what its ends stood for then, which are on record `since` then.
    """
    names = f"{said.get('SourceArn')} -> {said.get('DestinationArn')}"
    if source is None or target is None:
        return Gap("sagemaker.association_unknown", "an association with what is not on record", names[:500])
    if source.ref == target.ref:
        return None
    ends = (source.ref.partition(":")[0], target.ref.partition(":")[0])
    relation = _relation(str(said.get("AssociationType")), ends)
    if relation is None:
        return Gap("sagemaker.association_not_mapped", f"no edge joins a {ends[0]} with a {ends[1]}", names[:500])
    nodes = {node.ref: node for each in (source, target) for node in (each.nodes or (_end(each.ref),))}
    return Observation(
        type="sagemaker.associated/1",
        time=max(moment(said.get("CreationTime")) or since, since),
        actor=person(said.get("CreatedBy"), "sagemaker.amazonaws.com"),
        basis="observed",
        nodes=tuple(nodes.values()),
        edges=(Edge(source.ref, target.ref, relation),),
        gaps=(*source.gaps, *target.gaps),
        data={"association": text(str(said.get("AssociationType")))},
        subject=(source.ref, target.ref),
    )


def _end(ref: str) -> Node:
    digest = Digest.parse(ref.rpartition("@")[2]) if "@sha256:" in ref else None
    return Node(ref=ref, basis="observed", digest=digest)


def _relation(association: str, ends: tuple[str, str]) -> str | None:
    """Return the type of edge by what it joins; `EDGE_RULES` says what may be joined."""
    match = [kind == "run" for kind in ends]
    found = {
        (False, True): "used",
        (True, False): "deployed" if ends[1] == "endpoint" else "generated",
        (False, False): _TYPES.get(association, "derived_from"),
    }.get((match[0], match[1]))
    rule = None if found is None else EDGE_RULES[found]
    return found if rule is not None and ends[0] in rule.source and ends[1] in rule.target else None
