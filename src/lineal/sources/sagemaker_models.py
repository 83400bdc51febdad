"""Models and model packages, as model versions; decisions about packages, as approvals."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lineal.core import canonical, path
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.sources.sagemaker_data import Found, Places
from lineal.sources.sagemaker_words import Arn, moment, person, plain, text

CREATED: Final = "sagemaker.model_created/1"
REGISTERED: Final = "model.registered/1"
UPDATED: Final = "sagemaker.package_updated/1"
NOBODY: Final = "somebody whom SageMaker does not name"
_WORDS: Final = {"Approved": "approved", "Rejected": "rejected", "PendingManualApproval": "withdrawn"}
_MEANING: Final = {
    "approved": "approved for production use",
    "rejected": "not to be used in production",
    "withdrawn": "the approval was taken back: pending manual approval",
}
# What UpdateModelPackage can change: it is no part of what was registered.
_MUTABLE: Final = ("CustomerMetadataProperties", "ModelLifeCycle", "ModelApprovalStatus", "ApprovalDescription")
_ABOUT_STATE: Final = ("LastModifiedTime", "LastModifiedBy", "ModelPackageStatus", "ModelPackageStatusDetails")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody decided about a model package, and when: ``approved``, ``rejected`` or ``withdrawn``."""

    word: str
    time: str
    by: str
    reason: str
    source: str


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
        nodes=_nodes(
            Node(ref=ref, basis="observed", digest=_digest(ref), detail=detail, aliases=arn.named(given)), content
        ),
        edges=_edges(ref, content),
        gaps=content.gaps,
        subject=(ref,),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One version of a model package group, as Describe tells of it."""

    arn: Arn
    group: str
    version: str | None
    time: str
    status: str
    body: Mapping[str, Any]

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Package":
        """Return the package that the answer of DescribeModelPackage describes; one without a group is its own."""
        arn = Arn.parse(str(body["ModelPackageArn"]))
        version = body.get("ModelPackageVersion")
        group = str(body.get("ModelPackageGroupName") or body.get("ModelPackageName") or arn.rest)
        return cls(
            arn=arn,
            group=group,
            version=None if version is None else str(version),
            time=moment(body.get("CreationTime")) or "",
            status=str(body.get("ModelApprovalStatus") or ""),
            body=body,
        )

    @property
    def aliases(self) -> tuple[str, ...]:
        """The package's ARN and, for the latest version to be found by it, that of its group."""
        group = () if self.version is None else self.arn.sibling("model-package-group", self.group)
        return (*self.arn.named(self.group), *group)

    def registrar(self) -> str:
        """Return who created it."""
        return person(self.body.get("CreatedBy"), f"{NOBODY} (created {self.group})")


@dataclass(frozen=True, slots=True)
class Kept:
    """The bytes of a model, which were fetched and stored: their digest and number."""

    digest: Digest
    size: int


def read_package(package: Package, places: Places) -> Content:
    """Return what the containers of a package hold."""
    containers = (package.body.get("InferenceSpecification") or {}).get("Containers") or ()
    return read_content(containers, places, package.time, package.arn)


def registration(
    package: Package, places: Places, name: str, *, kept: Kept | None = None, is_taken: bool = False
) -> Observation:
    """Return the observation ``model.registered/1`` of a package, as a version of ``model:NAME``.

    `kept` are its bytes, if they were fetched; `is_taken` says that another version has the same content: then what is
    said of this one is its identity.
    """
    body = package.body
    content = read_package(package, places)
    digest = content.digest(**({"package": package.arn.text} if is_taken else {}))
    digest = kept.digest if kept is not None and not is_taken else digest
    artifact = f"model:{path.spell(name.encode())}"
    ref, label = f"{artifact}@{digest}", package.version or "1"
    said = body.get("MetadataProperties") or {}
    code = _code(said, places, package.time)
    described = {key: value for key, value in body.items() if key not in {*_MUTABLE, *_ABOUT_STATE}}
    detail: dict[str, Any] = {
        "sagemaker": {
            "kind": "model-package", "name": text(package.group), "arn": package.arn.text,
            "region": package.arn.region, "account": package.arn.account, "containers": content.document,
            "metadata": plain(said), "described": plain(described),
        }
    }  # fmt: skip
    if body.get("ModelPackageDescription"):
        detail["intended_use"] = text(str(body["ModelPackageDescription"]))
    if kept is not None and digest == kept.digest:
        detail.update(stored="object", bytes=kept.size)
    edges = [*_edges(ref, content, kept), *(Edge(each.ref, ref, "derived_from") for each in code)]
    return Observation(
        type=REGISTERED,
        time=package.time,
        actor=package.registrar(),
        basis="observed",
        nodes=_nodes(
            Node(ref=ref, basis="observed", version=label, digest=digest, detail=detail, aliases=package.aliases),
            content,
            *code,
        ),
        edges=tuple(dict.fromkeys(edges)),
        gaps=content.gaps,
        subject=(ref, f"{artifact}@{label}"),
        claims=(f"{artifact}@{label}", f"{REGISTERED} {ref}"),
    )


def _code(said: Mapping[str, Any], places: Places, at: str) -> tuple[Found, ...]:
    commit = str(said.get("CommitId") or "")
    if not commit or any(char.isspace() for char in commit) or not commit.isprintable():
        return ()
    return (places.code(text(commit), str(said.get("Repository") or "") or None, at),)


def code_of_run(package: Package, places: Places, run: str, generated: str | None) -> Observation | None:
    """Return the claim that the run which made a package's model data used the commit that the package names."""
    said = package.body.get("MetadataProperties") or {}
    found = _code(said, places, package.time)
    if not found or (generated is not None and generated != run):
        return None
    return Observation(
        type="sagemaker.code_claimed/1",
        time=package.time,
        actor=package.registrar(),
        basis="claimed",
        nodes=(Node(ref=run, basis="claimed", detail={"commit": text(str(said["CommitId"]))}), *found[0].nodes),
        edges=(Edge(found[0].ref, run, "used"),),
        subject=(run, found[0].ref),
    )


def update(package: Package, ref: str) -> Observation | None:
    """Return what of a package can change, if it was changed: customer metadata, stage of its life."""
    changed = moment(package.body.get("LastModifiedTime"))
    mutable = {key: package.body[key] for key in _MUTABLE[:2] if package.body.get(key)}
    if changed is None or not mutable:
        return None
    detail = {"sagemaker_state": plain(mutable)}
    return Observation(
        type=UPDATED,
        time=changed,
        actor=person(package.body.get("LastModifiedBy"), NOBODY),
        basis="observed",
        nodes=(Node(ref=ref, basis="observed", digest=_digest(ref), detail=detail),),
        subject=(ref,),
    )


def current_decision(package: Package, *, decided_before: bool) -> Decision | None:
    """Return the decision that stands according to Describe; None where nobody has decided.

    That a package waits for approval is a decision only where one was made before (`decided_before`).
    """
    word = _WORDS.get(package.status)
    if word is None or (word == "withdrawn" and not decided_before):
        return None
    changed = moment(package.body.get("LastModifiedTime"))
    who = package.body.get("LastModifiedBy") if changed else package.body.get("CreatedBy")
    return Decision(
        word=word,
        time=max(changed or package.time, package.time),
        by=person(who, f"{NOBODY} (decided on {package.group})"),
        reason=text(str(package.body.get("ApprovalDescription") or "no reason is given in SageMaker")),
        source="DescribeModelPackage",
    )


def decision_event(package: Package, ref: str, shown: str, decision: Decision) -> Observation:
    """Return the observation of a decision, in the words of `lineal approve`; `shown` is the reference people type."""
    run = package.arn.run(package.group, package.version or "", decision.word, decision.time)
    detail = {
        "decision": "rejected" if decision.word == "withdrawn" else decision.word,
        "meaning": _MEANING[decision.word],
        "reason": decision.reason,
        "by": decision.by,
        "sagemaker": {"arn": package.arn.text, "status": decision.word, "told_by": decision.source},
    }
    approved = decision.word == "approved"
    act = {"activity": "approval", "name": f"approval of {shown}", **detail}
    gaps: tuple[Gap, ...] = ()
    if decision.by.startswith(NOBODY):
        gaps = (Gap("sagemaker.approver_unknown", "SageMaker does not say who decided", package.arn.text),)
    return Observation(
        type="model.approved/1" if approved else "model.rejected/1",
        time=decision.time,
        actor=decision.by,
        basis="observed",
        nodes=(
            Node(ref=ref, basis="observed", digest=_digest(ref), detail=detail),
            Node(ref=run, basis="observed", detail=act),
        ),
        edges=(Edge(run, ref, "approved"),) if approved else (),
        gaps=gaps,
        subject=(ref, shown, run),
    )


def _digest(ref: str) -> Digest:
    return Digest.parse(ref.rpartition("@")[2])


def _nodes(own: Node, content: Content, *more: Found) -> tuple[Node, ...]:
    found = {own.ref: own}
    for each in (*content.parts, *more):
        for node in each.nodes:
            found.setdefault(node.ref, node)
    return tuple(found.values())


def _edges(ref: str, content: Content, kept: Kept | None = None) -> tuple[Edge, ...]:
    """Return what the model `ref` was made of: the same bytes as its one object, or from several things."""
    edges = [edge for each in content.parts for edge in each.edges]
    for each in content.data:
        same = ref.rpartition("@")[2] in {str(each.digest), str(kept.digest) if kept is not None else None}
        edges.append(Edge(each.ref, ref, "same_as" if same else "derived_from"))
    edges += [Edge(each.ref, ref, "derived_from") for each in (*content.images, *content.packages)]
    return tuple(dict.fromkeys(edge for edge in edges if edge.source != edge.target))
