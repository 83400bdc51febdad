"""What a model consists of; SageMaker Models, as model versions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lineal.core import canonical, path
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.sources.sagemaker_data import Places
from lineal.sources.sagemaker_found import Found, digest_of
from lineal.sources.sagemaker_words import Arn, moment, plain, text

CREATED: Final = "sagemaker.model_created/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a model consists of: its containers in plain words, the model data, and what it all stands for."""

    document: list[dict[str, Any]]
    data: tuple[Found, ...]
    images: tuple[Found, ...]
    packages: tuple[Found, ...]
    gaps: tuple[Gap, ...] = ()

    @property
    def parts(self) -> tuple[Found, ...]:
        """Everything in it."""
        return (*self.data, *self.images, *self.packages)

    def digest(self, **more: Any) -> Digest:
        """Return its identity: that of the one object it is, where that is fixed, else that of what is said of it."""
        if len(self.document) == 1 and len(self.data) == 1 and self.data[0].fixed and self.data[0].digest and not more:
            return self.data[0].digest
        return Digest.of(canonical.encode({"containers": self.document, **more}))


@dataclass(frozen=True, slots=True)
class Kept:
    """The bytes of a model, which were fetched and stored: their digest and number."""

    digest: Digest
    size: int


def read_content(containers: Sequence[Mapping[str, Any]], places: Places, at: str, arn: Arn) -> Content:
    """Return what the `containers` of a model or package hold, as of the moment `at`."""
    document: list[dict[str, Any]] = []
    data: list[Found] = []
    images: list[Found] = []
    packages: list[Found] = []
    gaps: list[Gap] = []
    for each in containers:
        said = plain({name: value for name, value in each.items() if name != "ModelInput"})
        address = each.get("ModelDataUrl") or ((each.get("ModelDataSource") or {}).get("S3DataSource") or {}).get(
            "S3Uri"
        )
        if address:
            found = places.read(str(address), at)
            said["data"] = found.ref
            data.append(found)
            gaps += _check_etag(each, found, arn)
        if each.get("Image"):
            address, digest = str(each["Image"]), str(each.get("ImageDigest") or "")
            plain_image = address.partition("@")[0]
            resolved = f"{plain_image}@{digest}" if digest.startswith("sha256:") else None
            images.append(places.image(address, at, resolved))
            said["container"] = images[-1].ref
        if each.get("ModelPackageName"):
            name = str(each["ModelPackageName"])
            package = places.known(
                (name, name.lower()) if name.startswith("arn:") else arn.sibling("model-package", name), at
            )
            if package is None:
                gaps.append(Gap("sagemaker.package_unknown", "the model package is not on record", text(name)))
            else:
                said["package"] = package.ref
                packages.append(package)
        document.append(said)
    gaps += [gap for each in (*data, *images) for gap in each.gaps]
    return Content(
        document=document, data=tuple(data), images=tuple(images), packages=tuple(packages), gaps=tuple(gaps)
    )


def _check_etag(container: Mapping[str, Any], found: Found, arn: Arn) -> Iterator[Gap]:
    """SageMaker keeps the ETag that the model data of a package had: what is there now can be another object."""
    said = str(container.get("ModelDataETag") or "").strip('"')
    now = next((str(node.detail["etag"]) for node in found.nodes if "etag" in node.detail), said)
    if said and now != said:
        yield Gap("sagemaker.data_changed", f"the model data had the ETag {said}, and has {now} now", arn.text)


def observe_model(
    body: Mapping[str, Any], places: Places, name: str, *, known: str | None = None
) -> Iterator[Observation | Gap]:
    """Yield the observation of a SageMaker Model, as a version of ``model:NAME``; `known` is its reference."""
    arn, time = Arn.parse(str(body["ModelArn"])), moment(body.get("CreationTime")) or ""
    given = str(body["ModelName"])
    containers = [
        *([body["PrimaryContainer"]] if body.get("PrimaryContainer") else []),
        *(body.get("Containers") or ()),
    ]
    content = read_content(containers, places, time, arn)
    ref = known or f"model:{path.spell(name.encode())}@{content.digest()}"
    detail = {
        "sagemaker": {
            "kind": "model", "name": text(given), "arn": arn.text, "region": arn.region, "account": arn.account,
            "role": text(str(body.get("ExecutionRoleArn") or "")), "containers": content.document,
            "described": plain({key: body[key] for key in body if key not in {"PrimaryContainer", "Containers"}}),
        }
    }  # fmt: skip
    yield Observation(
        type=CREATED,
        time=time,
        actor="sagemaker.amazonaws.com",
        basis="observed",
        nodes=nodes_of(
            Node(ref=ref, basis="observed", digest=digest_of(ref), detail=detail, aliases=arn.named(given)), content
        ),
        edges=edges_of(ref, content),
        gaps=content.gaps,
        subject=(ref,),
    )


def nodes_of(own: Node, content: Content, *more: Found) -> tuple[Node, ...]:
    """Return a version and everything in it, each once."""
    found = {own.ref: own}
    for each in (*content.parts, *more):
        for node in each.nodes:
            found.setdefault(node.ref, node)
    return tuple(found.values())


def edges_of(ref: str, content: Content, kept: Kept | None = None) -> tuple[Edge, ...]:
    """Return what the model `ref` was made of: the same bytes as its one object, or from several things."""
    edges = [edge for each in content.parts for edge in each.edges]
    for each in content.data:
        same = ref.rpartition("@")[2] in {str(each.digest), str(kept.digest) if kept is not None else None}
        edges.append(Edge(each.ref, ref, "same_as" if same else "derived_from"))
    edges += [Edge(each.ref, ref, "derived_from") for each in (*content.images, *content.packages)]
    return tuple(dict.fromkeys(edge for edge in edges if edge.source != edge.target))
