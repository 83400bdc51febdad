"""Objects of Kubernetes as configuration items: what a manifest, a list, or the output of kustomize and kubectl says.

Values of secrets are never recorded: of a ``Secret`` the names of its entries are kept. What the API server adds to an
object (``status``, ``managedFields``, counters) is no configuration; it is kept beside it. Source: the Kubernetes API,
"Objects In Kubernetes" (kubernetes.io/docs/concepts/overview/working-with-objects).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lineal.core import timestamp
from lineal.core.config_item import ConfigItem, Relationship
from lineal.core.kubernetes import type_of
from lineal.core.plain import plain
from lineal.core.redaction import MARK
from lineal.core.resource import Resource, make_resource
from lineal.errors import BadInput, BadTime
from lineal.sources.config_files_text import read_json

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_SERVER: Final = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
# Kinds that have no namespace (`kubectl api-resources --namespaced=false`); of others a definition in the root says it.
_CLUSTERED: Final = frozenset(
    "APIService CertificateSigningRequest ClusterIssuer ClusterRole ClusterRoleBinding ClusterServingRuntime "  # noqa: SIM905
    "ComponentStatus CSIDriver CSINode CustomResourceDefinition FlowSchema GatewayClass IngressClass IPAddress "
    "MutatingWebhookConfiguration Namespace Node PersistentVolume PriorityClass PriorityLevelConfiguration "
    "RuntimeClass SelfSubjectAccessReview ServiceCIDR StorageClass SubjectAccessReview TokenReview "
    "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration VolumeAttachment".split()
)
_IMAGE_FIELDS: Final = frozenset({"image", "runtimeImage"})
_LONGEST: Final = 253  # of a name in Kubernetes: RFC 1123
_PLACES: Final = frozenset({"storageUri", "modelUri", "model_uri"})
# Where a manifest names another object of its namespace: field -> (kind, field with the name).
_NAMED: Final[Mapping[str, tuple[str, str]]] = {
    "configMapRef": ("ConfigMap", "name"),
    "configMapKeyRef": ("ConfigMap", "name"),
    "configMap": ("ConfigMap", "name"),
    "secretRef": ("Secret", "name"),
    "secretKeyRef": ("Secret", "name"),
    "secret": ("Secret", "secretName"),
    "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What manifests do not say themselves: the `name` of the cluster, and the `namespace` of what names none.

    `scopes` is what definitions of custom kinds say, by (group, kind): whether objects have a namespace.
    """

    name: str = "default"
    namespace: str = "default"
    scopes: Mapping[tuple[str, str], bool]


def is_object(document: object) -> bool:
    """Return whether a document says of itself that it is an object of Kubernetes, or a list of some."""
    return (
        isinstance(document, dict)
        and isinstance(document.get("apiVersion"), str)
        and isinstance(document.get("kind"), str)
        and (_is_list(document) or isinstance(document.get("metadata"), dict))
        and "kustomize.config.k8s.io" not in document["apiVersion"]
    )


def objects_in(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the object that `document` is, or the objects of the list that it is, lists in it too.

    Raises `BadInput` for a list that holds something else.
    """
    waiting = [document]
    while waiting:
        each = waiting.pop()
        if not _is_list(each):
            yield each
            continue
        if not all(isinstance(item, dict) for item in each["items"]):
            raise BadInput("a list of objects holds something else")
        kind = str(each["kind"]).removesuffix("List")
        # A list of one kind leaves kind and version away in its items.
        known = {"apiVersion": each["apiVersion"], "kind": kind} if kind else {}
        waiting += [{**known, **item} for item in reversed(each["items"])]


def scopes_of(objects: Iterator[Mapping[str, Any]]) -> dict[tuple[str, str], bool]:
    """Return whether objects of custom kinds have a namespace, as the definitions among `objects` say."""
    found: dict[tuple[str, str], bool] = {}
    for each in objects:
        spec = each.get("spec")
        if each.get("kind") == "CustomResourceDefinition" and isinstance(spec, dict):
            names = spec.get("names")
            kind = names.get("kind") if isinstance(names, dict) else None
            found[str(spec.get("group")), str(kind)] = spec.get("scope") != "Cluster"
    return found


def read_object(document: Mapping[str, Any], cluster: Cluster, at: str) -> ConfigItem:
    """Return the item that one object is, seen at the moment `at`; raise `BadInput` for one without a usable name."""
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str):
        kind = str(document.get("kind"))[:80]
        raise BadInput(f"an object of the kind {kind!r} has no name: which object it is cannot be told")
    resource = _resource(document, metadata, name, cluster)
    said, held = _split(document)
    created = _moment(metadata.get("creationTimestamp"))
    tags = {str(key): str(value) for key, value in plain(_table(metadata.get("labels"))).items()}
    return ConfigItem(
        resource=resource,
        time=at,
        source="files",
        shape="kubernetes",
        configuration=plain(said),
        tags=tags,
        relationships=tuple(dict.fromkeys(_relationships(document, resource))),
        created=created,
        extra={"apiVersion": str(document["apiVersion"]), **({"server": plain(held)} if held else {})},
    )


def _resource(document: Mapping[str, Any], metadata: Mapping[str, Any], name: str, cluster: Cluster) -> Resource:
    version, kind = str(document["apiVersion"]), str(document["kind"])
    group = version.partition("/")[0] if "/" in version else ""
    has_namespace = cluster.scopes.get((group, kind), kind not in _CLUSTERED)
    namespace = metadata.get("namespace")
    for word in (version, kind, namespace):
        if isinstance(word, str) and (not word.isprintable() or len(word) > _LONGEST):
            raise BadInput(f"not a word of Kubernetes: {word[:80]!r}")
    said = namespace if isinstance(namespace, str) and namespace else cluster.namespace
    return make_resource(type_of(version, kind), cluster.name, said if has_namespace else "", name)


def _split(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what was configured, without the values of secrets, and what the server says beside it."""
    said = {key: value for key, value in document.items() if key != "status"}
    metadata = dict(document["metadata"])
    held = {key: metadata.pop(key) for key in _SERVER if key in metadata}
    if "status" in document:
        held["status"] = document["status"]
    is_secret = document["kind"] == "Secret"
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict) and LAST_APPLIED in annotations:
        held["lastApplied"] = MARK if is_secret else _json(annotations[LAST_APPLIED])
        metadata["annotations"] = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
    said["metadata"] = metadata
    if is_secret:
        for field in ("data", "stringData"):
            if field in said:
                said[field] = hide(said[field])
    return said, held


def hide(value: Any) -> Any:
    """Return the entries of a secret without their values: whether each holds something is all that is said."""
    if isinstance(value, dict):
        return {str(key): MARK if each not in (None, "") else each for key, each in value.items()}
    return None if value is None else MARK


def _json(text: Any) -> Any:
    try:
        (found,) = read_json(text)
    except (TypeError, BadInput):
        return MARK
    return found


def _relationships(document: Mapping[str, Any], resource: Resource) -> Iterator[Relationship]:
    """Yield what an object points to: images, models in buckets, configuration and secrets, its account."""
    waiting: list[Any] = [document.get(key) for key in ("spec", "template", "subjects", "roleRef")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            for field, held in value.items():
                if field in _IMAGE_FIELDS and isinstance(held, str) and held:
                    yield Relationship("Image", str(plain(held)), "runs")
                elif field in _PLACES and isinstance(held, str) and "://" in held:
                    yield Relationship("S3" if held.startswith("s3://") else "URI", str(plain(held)), "loads")
                elif field == "serviceAccountName" and isinstance(held, str) and held:
                    yield from _named("ServiceAccount", held, resource, "acts as")
                elif field in _NAMED and isinstance(held, dict):
                    kind, inner = _NAMED[field]
                    yield from _named(kind, held.get(inner), resource, "reads")


def _named(kind: str, name: Any, of: Resource, word: str) -> Iterator[Relationship]:
    if isinstance(name, str) and name.isprintable() and name:
        found = make_resource(type_of("v1", kind), of.account, of.region, name[:500])
        yield Relationship(found.type, found.key, word)


def _moment(value: Any) -> str | None:
    try:
        return timestamp.read(value, datetime.now(UTC)) if isinstance(value, str) else None
    except BadTime:
        return None


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_list(document: Mapping[str, Any]) -> bool:
    return str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list)
