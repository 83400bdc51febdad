"""Kinds and plurals of Kubernetes: audit logs name resources by plurals, manifests by kinds; both mean one resource.

The type of a resource is ``Kubernetes::GROUP/Kind`` without the version of the API, ``core`` for the group that has no
name: what `make_resource` gets together with the cluster, the namespace and the name.
"""

from collections.abc import Mapping
from typing import Final

# What the API server of Kubernetes 1.33 serves by itself (`kubectl api-resources`), and what people who serve models
# add: KServe, Seldon, Knative, Argo, Kubeflow, Ray, SageMaker's operator.
_KINDS: Final[Mapping[str, str]] = {
    "apiservices": "APIService",
    "applications": "Application",
    "appprojects": "AppProject",
    "bindings": "Binding",
    "certificatesigningrequests": "CertificateSigningRequest",
    "clusterrolebindings": "ClusterRoleBinding",
    "clusterroles": "ClusterRole",
    "clusterservingruntimes": "ClusterServingRuntime",
    "componentstatuses": "ComponentStatus",
    "configmaps": "ConfigMap",
    "controllerrevisions": "ControllerRevision",
    "cronjobs": "CronJob",
    "cronworkflows": "CronWorkflow",
    "csidrivers": "CSIDriver",
    "csinodes": "CSINode",
    "csistoragecapacities": "CSIStorageCapacity",
    "customresourcedefinitions": "CustomResourceDefinition",
    "daemonsets": "DaemonSet",
    "deployments": "Deployment",
    "endpointconfigs": "EndpointConfig",
    "endpoints": "Endpoints",
    "endpointslices": "EndpointSlice",
    "events": "Event",
    "flowschemas": "FlowSchema",
    "gatewayclasses": "GatewayClass",
    "gateways": "Gateway",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "httproutes": "HTTPRoute",
    "inferencegraphs": "InferenceGraph",
    "inferenceservices": "InferenceService",
    "ingressclasses": "IngressClass",
    "ingresses": "Ingress",
    "ipaddresses": "IPAddress",
    "jobs": "Job",
    "leases": "Lease",
    "limitranges": "LimitRange",
    "localsubjectaccessreviews": "LocalSubjectAccessReview",
    "models": "Model",
    "mutatingwebhookconfigurations": "MutatingWebhookConfiguration",
    "namespaces": "Namespace",
    "networkpolicies": "NetworkPolicy",
    "nodes": "Node",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "persistentvolumes": "PersistentVolume",
    "poddisruptionbudgets": "PodDisruptionBudget",
    "pods": "Pod",
    "podtemplates": "PodTemplate",
    "priorityclasses": "PriorityClass",
    "prioritylevelconfigurations": "PriorityLevelConfiguration",
    "rayclusters": "RayCluster",
    "rayjobs": "RayJob",
    "rayservices": "RayService",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
    "resourcequotas": "ResourceQuota",
    "rolebindings": "RoleBinding",
    "roles": "Role",
    "rollouts": "Rollout",
    "runtimeclasses": "RuntimeClass",
    "scaledobjects": "ScaledObject",
    "secrets": "Secret",
    "seldondeployments": "SeldonDeployment",
    "selfsubjectaccessreviews": "SelfSubjectAccessReview",
    "selfsubjectreviews": "SelfSubjectReview",
    "selfsubjectrulesreviews": "SelfSubjectRulesReview",
    "serviceaccounts": "ServiceAccount",
    "servicecidrs": "ServiceCIDR",
    "services": "Service",
    "servingruntimes": "ServingRuntime",
    "statefulsets": "StatefulSet",
    "storageclasses": "StorageClass",
    "subjectaccessreviews": "SubjectAccessReview",
    "tokenreviews": "TokenReview",
    "trainedmodels": "TrainedModel",
    "validatingadmissionpolicies": "ValidatingAdmissionPolicy",
    "validatingadmissionpolicybindings": "ValidatingAdmissionPolicyBinding",
    "validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
    "virtualservices": "VirtualService",
    "volumeattachments": "VolumeAttachment",
    "workflows": "Workflow",
    "workflowtemplates": "WorkflowTemplate",
}
_PLURALS: Final[Mapping[str, str]] = {kind: plural for plural, kind in _KINDS.items()}
CORE: Final = "core"


def kind_of(plural: str) -> str:
    """Return the kind that a plural of the API names (``deployments``: ``Deployment``); an unknown one stays as it is.

    A name of a subresource (``deployments/scale``) is that of its resource.
    """
    bare = plural.partition("/")[0]
    return _KINDS.get(bare, bare)


def plural_of(kind: str) -> str:
    """Return the plural by which the API names a kind (``Deployment``: ``deployments``).

    Of a kind that is not known, it is what the tools that make them would choose: small letters, an English plural.
    """
    if kind in _PLURALS:
        return _PLURALS[kind]
    bare = kind.lower()
    if bare.endswith(("s", "x", "ch", "sh")):
        return bare + "es"
    return bare[:-1] + "ies" if bare.endswith("y") and bare[-2:-1] not in "aeiou" else bare + "s"


def type_of(group: str, name: str) -> str:
    """Return the type of a resource: `group` with or without a version (``apps/v1``), `name` its kind or plural.

    What an audit log says (``apps``, ``deployments``) and what a manifest says (``apps/v1``, ``Deployment``) give the
    same: a kind that has no entry in the table is spelled as its plural, which both can tell.
    """
    bare = group_of(group)
    kind = name if name in _PLURALS else kind_of(name)
    if kind not in _PLURALS:
        kind = kind if kind[:1].islower() else plural_of(kind)
    return f"Kubernetes::{bare}/{kind}"


def group_of(version: str) -> str:
    """Return the group that an ``apiVersion`` names (``apps/v1``: ``apps``); ``core`` for ``v1`` and for nothing."""
    group, slash, _ = version.partition("/")
    if slash:
        return group or CORE
    return CORE if not group or (group[0] == "v" and group[1:2].isdigit()) else group
