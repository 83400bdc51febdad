"""What endpoints serve: read out of their items and events, with the moments between which each was deployed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from lineal.change.graph_rules import Questions
from lineal.core import timestamp
from lineal.core.api_event import ApiEvent
from lineal.core.config_item import ConfigItem
from lineal.core.resource import key_of, make_resource

ENDPOINT: Final = "AWS::SageMaker::Endpoint"
CONFIG: Final = "AWS::SageMaker::EndpointConfig"
MODEL: Final = "AWS::SageMaker::Model"
PACKAGE: Final = "AWS::SageMaker::ModelPackage"
COMPONENT: Final = "AWS::SageMaker::InferenceComponent"
_DEPLOYS: Final = frozenset({"CreateEndpoint", "UpdateEndpoint"})
_SKEW: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of a model: its image and the package it comes from, as far as the model says so."""

    image: str | None
    package: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What one endpoint serves: deployed after `since` (empty: not known) and by `until`, the same where that is known.

    `models` are the items of its models by name, None for one that is not on record; `lacking` says what could not be
    followed.
    """

    endpoint: ConfigItem
    since: str
    until: str
    models: Mapping[str, ConfigItem | None]
    lacking: tuple[str, ...] = ()
    events: tuple[str, ...] = ()


def read_served(questions: Questions) -> list[Served]:
    """Return what every endpoint of the estate serves."""
    estate = questions.estate()
    endpoints = [item for item in estate.values() if item.resource.type == ENDPOINT]
    keys = [item.resource.key for item in endpoints]
    histories, events = questions.history(keys), questions.events(keys)
    configs = {item.resource.key: _sibling(item, CONFIG, config_name(item)) or "" for item in endpoints}
    last = {key: _last_alive(items) for key, items in questions.history(list(filter(None, configs.values()))).items()}
    components = [item for item in estate.values() if item.resource.type == COMPONENT]
    found = []
    for item in endpoints:
        key = item.resource.key
        config = last.get(configs[key])
        names = _model_names(item, config, components)
        since, until, told = _deployed(item, config, histories.get(key, ()), events.get(key, ()))
        lacking: tuple[str, ...] = ()
        if not names:
            why = "is not on record" if config is None else "names no model"
            lacking = (f"its configuration {config_name(item)} {why}",)
        found.append((item, since, until, told, names, lacking))
    models = questions.history(
        [each for item, *_, names, _ in found for name in names if (each := _sibling(item, MODEL, name))]
    )
    return [
        Served(
            endpoint=item,
            since=since,
            until=until,
            models={name: _last_alive(models.get(_sibling(item, MODEL, name) or "", ())) for name in names},
            lacking=lacking,
            events=told,
        )
        for item, since, until, told, names, lacking in found
    ]


def config_name(endpoint: ConfigItem) -> str:
    """Return the name of the configuration that an endpoint serves by."""
    return str(endpoint.configuration.get("EndpointConfigName") or "")


def when(served: Served) -> str:
    """Return when something was deployed, in words."""
    if served.since == served.until:
        return served.until
    return f"some time between {served.since} and {served.until}" if served.since else f"by {served.until}"


def deployed_images(served: Sequence[Served]) -> dict[str, str]:
    """Return which digest each image address stood for when it was deployed, as the endpoints themselves say."""
    found: dict[str, str] = {}
    for each in served:
        variants = each.endpoint.configuration.get("ProductionVariants")
        for variant in variants if isinstance(variants, list) else ():
            images = variant.get("DeployedImages") if isinstance(variant, dict) else None
            for image in images if isinstance(images, list) else ():
                asked = _text(image.get("SpecifiedImage")) if isinstance(image, dict) else None
                digest = str(image.get("ResolvedImage") or "").partition("@")[2] if asked else ""
                if asked and digest:
                    found[asked] = digest
    return found


def read_containers(model: ConfigItem) -> list[Container]:
    """Return the containers of a model."""
    configuration = model.configuration
    several = configuration.get("Containers")
    given = [configuration.get("PrimaryContainer"), *(several if isinstance(several, list) else ())]
    return [
        Container(image=_text(each.get("Image")), package=_text(each.get("ModelPackageName")))
        for each in given
        if isinstance(each, dict) and each
    ]


def package_key(model: ConfigItem, name: str) -> str:
    """Return the key of the package that a model calls `name`: an ARN, or a name alone."""
    return key_of(name) if name.startswith("arn:") else _sibling(model, PACKAGE, name) or name


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _sibling(item: ConfigItem, kind: str, name: str) -> str | None:
    """Return the key of a resource beside that of `item`; None for no name."""
    of = item.resource
    partition = of.key.split(":", 2)[1] if of.key.startswith("arn:") else "aws"
    return (
        make_resource(kind, of.account, of.region, name, partition=partition).key
        if name.isprintable() and name
        else None
    )


def _last_alive(items: Sequence[ConfigItem]) -> ConfigItem | None:
    """Return the last item that says anything: configurations and models are deleted while endpoints serve by them."""
    return next((item for item in reversed(items) if item.status == "ok" and item.configuration), None)


def _model_names(endpoint: ConfigItem, config: ConfigItem | None, components: Sequence[ConfigItem]) -> list[str]:
    names: list[str] = []
    if config is not None:
        for field in ("ProductionVariants", "ShadowProductionVariants"):
            variants = config.configuration.get(field)
            for each in variants if isinstance(variants, list) else ():
                name = _text(each.get("ModelName")) if isinstance(each, dict) else None
                names += [name] if name else []
    for item in components:
        if item.configuration.get("EndpointName") == endpoint.resource.name or (
            str(item.configuration.get("EndpointName") or "").lower() == endpoint.resource.name.lower()
        ):
            told = item.configuration.get("Specification")
            name = _text(told.get("ModelName")) if isinstance(told, dict) else None
            names += [name] if name else []
    return list(dict.fromkeys(names))


def _deployed(
    endpoint: ConfigItem, config: ConfigItem | None, items: Sequence[ConfigItem], events: Sequence[ApiEvent]
) -> tuple[str, str, tuple[str, ...]]:
    """Return after and by which moment the endpoint began to serve what it serves, and the event that says so."""
    first = endpoint
    before: ConfigItem | None = None
    for item in reversed([each for each in items if each.status == "ok" and each.shape == endpoint.shape]):
        if config_name(item) != config_name(endpoint):
            before = item
            break
        first = item
    bounds = (before.time if before else None, first.created, config.created if config else None)
    low = max((each for each in bounds if each is not None), default="")
    high = first.modified if first.modified and low <= first.modified <= first.time else first.time
    latest = timestamp.spell(datetime.fromisoformat(first.time) + _SKEW)
    acts = [
        each
        for each in events
        if each.name in _DEPLOYS
        and not each.error
        and each.parameters.get("endpointConfigName") == config_name(endpoint)
        and (before is None or each.time > before.time)
        and each.time <= latest
    ]
    if acts:
        return acts[-1].time, acts[-1].time, (acts[-1].id,)
    return min(low, high), high, ()


def each_model(served: Sequence[Served]) -> Iterator[tuple[ConfigItem, list[Served]]]:
    """Yield every model that is served, with the endpoints that serve it."""
    found: dict[str, tuple[ConfigItem, list[Served]]] = {}
    for each in served:
        for item in each.models.values():
            if item is not None:
                found.setdefault(item.resource.key, (item, []))[1].append(each)
    for key in sorted(found):
        yield found[key]
