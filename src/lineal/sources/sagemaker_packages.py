"""Model packages, as numbered model versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lineal.core import path
from lineal.core.edge import Edge
from lineal.core.event_type import REGISTERED
from lineal.core.observation import Node, Observation
from lineal.core.ref import is_one_word
from lineal.sources.sagemaker_data import Places
from lineal.sources.sagemaker_found import Found, digest_of
from lineal.sources.sagemaker_models import Content, Kept, edges_of, nodes_of, read_content
from lineal.sources.sagemaker_words import Arn, moment, person, plain, text

UPDATED: Final = "sagemaker.package_updated/1"
NOBODY: Final = "somebody whom SageMaker does not name"
# What UpdateModelPackage can change: it is no part of what was registered.
_MUTABLE: Final = ("CustomerMetadataProperties", "ModelLifeCycle", "ModelApprovalStatus", "ApprovalDescription")
_ABOUT_STATE: Final = ("LastModifiedTime", "LastModifiedBy", "ModelPackageStatus", "ModelPackageStatusDetails")


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
    edges = [*edges_of(ref, content, kept), *(Edge(each.ref, ref, "derived_from") for each in code)]
    return Observation(
        type=REGISTERED,
        time=package.time,
        actor=package.registrar(),
        basis="observed",
        nodes=nodes_of(
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
    if not commit or not is_one_word(commit):
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
        nodes=(Node(ref=ref, basis="observed", digest=digest_of(ref), detail=detail),),
        subject=(ref,),
    )
