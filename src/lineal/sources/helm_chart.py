"""Charts of Helm as configuration items: what a chart says of itself, and the values it is installed with.

Templates are not rendered: what they make is known from ``helm template``, or ``helm get manifest``, whose output is
read as manifests. Source: helm.sh/docs/topics/charts.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lineal.core.config_item import ConfigItem, Relationship
from lineal.core.plain import plain
from lineal.core.resource import make_resource
from lineal.errors import BadInput

CHART: Final = b"Chart.yaml"
_VALUES: Final = (b"values.yaml", b"values.yml", b"values.json")
_TEMPLATES: Final = b"templates/"


def folders_of(paths: Iterator[bytes]) -> frozenset[bytes]:
    """Return the folders, with a slash at the end or empty, that are charts."""
    return frozenset(path[: -len(CHART)] for path in paths if path == CHART or path.endswith(b"/" + CHART))


def part_of(path: bytes, charts: frozenset[bytes]) -> str:
    """Return what a file is in its chart: ``chart``, ``values``, ``template``; empty where it is none of them."""
    folder = next((each for each in sorted(charts, key=len, reverse=True) if path.startswith(each)), None)
    if folder is None:
        return ""
    name = path[len(folder) :]
    if name == CHART:
        return "chart"
    if name in _VALUES or (name.startswith(b"values") and b"/" not in name and name.endswith((b".yaml", b".yml"))):
        return "values"
    return "template" if name.startswith(_TEMPLATES) else ""


def is_values(path: bytes) -> bool:
    """Return whether a file is called as files of values are, wherever it lies: ``values-prod.yaml``."""
    name = path.rpartition(b"/")[2]
    return name.startswith(b"values") and name.endswith((b".yaml", b".yml", b".json"))


def read_chart(document: object, root: str, name: str, at: str) -> ConfigItem:
    """Return the item that a ``Chart.yaml`` is, with the charts it depends on; raise `BadInput` for what is none."""
    if not isinstance(document, dict) or not isinstance(document.get("name"), str):
        raise BadInput("the metadata of a chart have no name")
    needs = document.get("dependencies")
    pairs = [each for each in needs if isinstance(each, dict)] if isinstance(needs, list) else []
    return ConfigItem(
        resource=make_resource("Helm::Chart", root, "", name),
        time=at,
        source="files",
        shape="helm",
        configuration=plain(document),
        relationships=tuple(
            Relationship("Helm::Chart", str(plain(f"{each.get('name')}@{each.get('version')}")), "depends on")
            for each in pairs
        ),
    )


def read_values(document: object, root: str, name: str, at: str) -> ConfigItem:
    """Return the item that a file of values is, with the images it names; raise `BadInput` for what is no table."""
    if not isinstance(document, dict):
        raise BadInput("values of a chart are a table of names")
    return ConfigItem(
        resource=make_resource("Helm::Values", root, "", name),
        time=at,
        source="files",
        shape="helm",
        configuration=plain(document),
        relationships=tuple(dict.fromkeys(_images(document))),
    )


def _images(document: Mapping[str, Any]) -> Iterator[Relationship]:
    waiting: list[Any] = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            image = value.get("image")
            if isinstance(image, str) and image:
                yield Relationship("Image", str(plain(image)), "runs")
            elif isinstance(image, dict) and isinstance(image.get("repository"), str):
                yield Relationship("Image", str(plain(_spell(image))), "runs")


def _spell(image: Mapping[str, Any]) -> str:
    registry = f"{image['registry']}/" if isinstance(image.get("registry"), str) and image["registry"] else ""
    tag, digest = image.get("tag"), image.get("digest")
    ending = f"@{digest}" if digest else f":{tag}" if tag not in (None, "") else ""
    return f"{registry}{image['repository']}{ending}"
