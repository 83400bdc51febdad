"""Endpoints: what each serves, as revisions.

SageMaker keeps only what an endpoint serves now, and until when it was last changed. Each time that this differs from
the last look there is one more revision; what an endpoint served before anybody looked is known from the lineage that
SageMaker keeps of deployments, as far as there is any.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from lineal.core import canonical, path
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.event_type import DEPLOYED, RETIRED
from lineal.core.observation import Gap, Node, Observation
from lineal.sources.sagemaker_data import Places
from lineal.sources.sagemaker_found import Found
from lineal.sources.sagemaker_jobs import SERVICE
from lineal.sources.sagemaker_words import Arn, moment, number, plain, text

SETTLED: Final = "InService"
# So long a first deployment can take: whatever changed later was another one.
_FIRST: Final = timedelta(hours=1)
_VOLATILE: Final = frozenset({"CreationTime"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What an endpoint serves since `began`; `fingerprint` differs when, and only when, something else serves."""

    arn: Arn
    name: str
    began: str
    fingerprint: str
    models: tuple[Found, ...]
    images: tuple[Found, ...]
    config: dict[str, Any]
    known_from: str
    config_node: Node | None = None
    gaps: tuple[Gap, ...] = ()


def read_serving(endpoint: Mapping[str, Any], config: Mapping[str, Any], places: Places) -> Serving:
    """Return what an endpoint in service serves, by the answers of DescribeEndpoint and DescribeEndpointConfig."""
    arn, name = Arn.parse(str(endpoint["EndpointArn"])), str(endpoint["EndpointName"])
    created = moment(endpoint.get("CreationTime")) or ""
    began = max(moment(endpoint.get("LastModifiedTime")) or created, created)
    now = {str(each.get("VariantName")): each for each in endpoint.get("ProductionVariants") or ()}
    models: dict[str, Found] = {}
    images: dict[str, Found] = {}
    gaps: list[Gap] = []
    variants = []
    for each in (*(config.get("ProductionVariants") or ()), *(config.get("ShadowProductionVariants") or ())):
        state = now.get(str(each.get("VariantName")), {})
        model_name = str(each.get("ModelName") or "")
        found = places.known(arn.sibling("model", model_name), None) if model_name else None
        if found is None:
            gaps.append(_unknown_model(model_name, arn))
        behind = _behind(found, places)
        models.update({one.ref: one for one in behind})
        shown = _images(state, behind, places, began)
        images.update({one.ref: one for one in shown})
        variants.append(
            {
                **plain(each),
                "weight": number(state.get("CurrentWeight")),
                "models": [one.ref for one in behind],
                "images": [one.ref for one in shown],
            }
        )
    gaps += [gap for each in images.values() for gap in each.gaps]
    if len(variants) > 1:
        gaps.append(
            Gap(
                "sagemaker.several_variants", "it has several variants: the card shows the model of the first", arn.text
            )
        )
    return Serving(
        arn=arn,
        name=name,
        began=began,
        fingerprint=_fingerprint(endpoint, config, created),
        models=tuple(models.values()),
        images=tuple(images.values()),
        config={
            "endpoint_config": text(str(config.get("EndpointConfigName"))),
            "variants": variants,
            **plain({key: config[key] for key in config if key not in _VOLATILE and not key.endswith("Variants")}),
        },
        known_from="DescribeEndpoint",
        config_node=_config_node(config),
        gaps=(*gaps, *_history(created, began, arn)),
    )


def is_newer(config: Mapping[str, Any], endpoint: Mapping[str, Any]) -> bool:
    """Return whether a configuration was made after the endpoint last changed: then it serves another of that name."""
    made, changed = moment(config.get("CreationTime")), moment(endpoint.get("LastModifiedTime"))
    return made is not None and changed is not None and made > changed


def _unknown_model(name: str, arn: Arn) -> Gap:
    if not name:
        return Gap(
            "sagemaker.inference_components",
            "a variant serves inference components: their models are not read",
            arn.text,
        )
    return Gap("sagemaker.model_unknown", "a model that the endpoint serves is not on record", text(name))


def _history(created: str, began: str, arn: Arn) -> Iterator[Gap]:
    if datetime.fromisoformat(began) - datetime.fromisoformat(created) > _FIRST:
        yield Gap(
            "sagemaker.history_unknown",
            f"it exists since {created}, and what it served before {began} SageMaker does not tell",
            arn.text,
        )


def _behind(found: Found | None, places: Places) -> list[Found]:
    """Return a model and the registered packages that it is made of: those are what somebody approved."""
    if found is None:
        return []
    arns = [str(each["ModelPackageName"]) for each in _containers(found) if each.get("ModelPackageName")]
    packages = [places.known((each, each.lower()), None) for each in arns]
    return [*(each for each in packages if each is not None), found]


def _containers(found: Found) -> list[dict[str, Any]]:
    said = found.detail.get("sagemaker")
    return list(said.get("containers") or ()) if isinstance(said, dict) else []


def _images(state: Mapping[str, Any], behind: list[Found], places: Places, at: str) -> list[Found]:
    """Return the images that a variant runs: as SageMaker resolved them, else as its models name them."""
    deployed = state.get("DeployedImages") or ()
    found = [
        places.image(str(each["SpecifiedImage"]), at, str(each.get("ResolvedImage") or "") or None)
        for each in deployed
        if each.get("SpecifiedImage")
    ]
    if found:
        return found
    said = [each for model in behind for each in _containers(model) if each.get("container")]
    return [Found(ref=ref) for ref in dict.fromkeys(str(each["container"]) for each in said)]


def _fingerprint(endpoint: Mapping[str, Any], config: Mapping[str, Any], created: str) -> str:
    """Return the digest of what decides what serves, apart from all that we know or do not know about it."""
    variants = endpoint.get("ProductionVariants") or ()
    return str(
        Digest.of(
            canonical.encode(
                {
                    "endpoint": created,
                    "config": [str(config.get("EndpointConfigArn")), moment(config.get("CreationTime"))],
                    "weights": {str(each.get("VariantName")): number(each.get("CurrentWeight")) for each in variants},
                    "images": sorted(
                        str(image.get("ResolvedImage"))
                        for each in variants
                        for image in each.get("DeployedImages") or ()
                        if image.get("ResolvedImage")
                    ),
                }
            )
        )
    )


def _config_node(config: Mapping[str, Any]) -> Node | None:
    """Return the endpoint configuration, which cannot be changed, as a small document with a name of its own."""
    said = str(config.get("EndpointConfigArn") or "")
    if not said:
        return None
    arn, document = Arn.parse(said), plain(config)
    digest = Digest.of(canonical.encode(document))
    name = path.spell(f"sagemaker/{arn.region}/{arn.account}/endpoint-config/{config['EndpointConfigName']}".encode())
    return Node(
        ref=f"file:{name}@{digest}",
        basis="observed",
        digest=digest,
        detail={"media": "endpoint configuration of SageMaker", "document": document, "arn": arn.text},
        aliases=arn.named(str(config["EndpointConfigName"])),
    )


def revision(
    serving: Serving, artifact: str, count: int, approval: Mapping[str, Any] | None, shown: str | None
) -> Observation:
    """Return the observation ``endpoint.deployed/1`` of revision number `count` of ``endpoint:NAME`` (`artifact`).

    `approval` is the decision that stood on the model then, `shown` the model in the spelling that people type.
    """
    endpoint = f"{artifact}@{count}"
    run = serving.arn.run(serving.name, "deployment", serving.began)
    detail = _describe(serving, approval, shown)
    act = {"activity": "deployment", "name": f"deploy {serving.name}", "state": "finished", "mechanism": "sagemaker"}
    used = [each.ref for each in (*serving.models, *serving.images)]
    nodes = [
        Node(
            ref=endpoint,
            basis="observed",
            version=str(count),
            digest=Digest.of(canonical.encode(detail["configuration"])),
            detail=detail,
            aliases=serving.arn.named(serving.name),
        ),
        Node(ref=run, basis="observed", detail=act),
        *{node.ref: node for each in serving.images for node in each.nodes}.values(),
    ]
    if serving.config_node is not None:
        nodes.append(serving.config_node)
        used.append(serving.config_node.ref)
    return Observation(
        type=DEPLOYED,
        time=serving.began,
        actor=SERVICE,
        basis="observed",
        nodes=tuple(nodes),
        edges=(*(Edge(each, run, "used") for each in dict.fromkeys(used)), Edge(run, endpoint, "deployed")),
        gaps=tuple(Gap(gap.code, gap.explanation, gap.about or endpoint) for gap in dict.fromkeys(serving.gaps)),
        subject=(endpoint, *(each.ref for each in serving.models), run),
        claims=(endpoint,),
    )


def _describe(serving: Serving, approval: Mapping[str, Any] | None, shown: str | None) -> dict[str, Any]:
    """Return the detail of a revision, in the words of `lineal deploy`."""
    first = serving.models[0] if serving.models else None
    configuration: dict[str, Any] = {
        "model": None if first is None else first.ref,
        "digest": None if first is None else str(first.digest),
        "container": serving.images[0].ref if serving.images else None,
        "config": serving.config,
        "command": [],
    }
    return {
        "model": shown,
        "configuration": configuration,
        "url": None,
        "model_check": "not stated",
        "probes": [],
        "approval": None if approval is None else dict(approval),
        "sagemaker": {
            "kind": "endpoint",
            "name": text(serving.name),
            "arn": serving.arn.text,
            "region": serving.arn.region,
            "account": serving.arn.account,
            "fingerprint": serving.fingerprint,
            "told_by": serving.known_from,
        },
    }


def retirement(revision_ref: str, digest: str | None, arn: str, at: str) -> Observation:
    """Return the observation that an endpoint does not exist any more, seen at the moment `at`."""
    because = "DescribeEndpoint says that it does not exist"
    detail = {"retired": at, "retired_by": SERVICE, "retired_because": because, "sagemaker": {"arn": arn}}
    return Observation(
        type=RETIRED,
        time=at,
        actor=SERVICE,
        basis="observed",
        nodes=(
            Node(
                ref=revision_ref,
                basis="observed",
                digest=None if digest is None else Digest.parse(digest),
                detail=detail,
            ),
        ),
        gaps=(Gap("sagemaker.end_unknown", "when it was deleted is not known: it was gone at this moment", arn),),
        subject=(revision_ref,),
    )
