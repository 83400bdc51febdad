"""Audit logs of Kubernetes, read as API events: who changed which object of a cluster.

The format is that of ``audit.k8s.io/v1`` ("Auditing", kubernetes.io): one event for each stage of a request; that of
the stage ResponseComplete says how it ended. Bodies (``requestObject``) are there from the level Request on.
"""

from typing import Any, Final

from lineal.core.api_event import ApiEvent
from lineal.core.kubernetes import CORE, type_of
from lineal.core.observation import Gap
from lineal.core.resource import make_resource
from lineal.errors import BadInput
from lineal.sources.cloudtrail_record import cut_text, read_moment

SERVICE: Final = "kubernetes"
VERSION: Final = "audit.k8s.io/v1"
_CHANGING: Final = frozenset({"create", "update", "patch", "delete", "deletecollection", "connect", "proxy"})
_DONE: Final = frozenset({"ResponseComplete", "Panic"})
# What machines write all the time, and reviews, which are questions in the form of objects.
_NOISE: Final = frozenset(
    {"leases", "events", "endpointslices", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews",
     "localsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}
)  # fmt: skip
_INSIDE: Final = frozenset({"exec", "attach", "portforward", "proxy"})  # into a pod: by GET, too, over WebSockets
_SECRET: Final = ("data", "stringData")


def read_audit(event: object, cluster: str) -> ApiEvent | Gap | None:
    """Return the API event that one audit event is; None for a stage before the last; a gap for what is none.

    Its record is the event as it came, but for what secrets hold.
    """
    if not isinstance(event, dict) or not isinstance(event.get("auditID"), str) or not event["auditID"]:
        return Gap("kubernetes.audit_broken", f"not an audit event: {str(event)[:80]!r}")
    named = event["auditID"][:100]
    about = named if named.isprintable() else ascii(named)[1:-1]
    version, stage = str(event.get("apiVersion") or VERSION), str(event.get("stage") or "ResponseComplete")
    if not version.startswith("audit.k8s.io/"):
        return Gap("kubernetes.audit_broken", f"not an audit event, but of {version[:60]!r}", about)
    if stage not in _DONE:
        return None
    when = read_moment(str(event.get("requestReceivedTimestamp") or event.get("stageTimestamp") or ""))
    verb = str(event.get("verb") or "")
    if when is None or not verb:
        return Gap("kubernetes.audit_broken", "an audit event without a verb or a time", about)
    found = event.get("objectRef")
    thing = {name: each for name, each in found.items() if isinstance(each, str)} if isinstance(found, dict) else {}
    plural = "/".join(str(thing[each]) for each in ("resource", "subresource") if thing.get(each))
    principal, session = _who(event)
    return ApiEvent(
        id=f"kubernetes:{about}",
        time=when,
        service=SERVICE,
        name=cut_text(f"{verb} {plural or event.get('requestURI') or ''}".strip()),
        account=cluster,
        region=cut_text(thing.get("namespace")),
        principal=principal,
        session=session,
        read_only=verb not in _CHANGING and thing.get("subresource") not in _INSIDE,
        error=_error(event),
        category="Data" if thing.get("resource") in _NOISE else "Management",
        targets=_targets(event, thing, cluster),
        record=_without_secrets(event, thing),
    )


def _who(event: dict[str, Any]) -> tuple[str, str]:
    """Return principal and session: who is impersonated, and who does so."""
    own, other = event.get("user"), event.get("impersonatedUser")
    name = cut_text(own.get("username")) if isinstance(own, dict) else ""
    if isinstance(other, dict) and other.get("username"):
        return cut_text(other["username"]), name
    return name, ""


def _error(event: dict[str, Any]) -> str:
    status = event.get("responseStatus")
    code = status.get("code") if isinstance(status, dict) else None
    if event.get("stage") == "Panic":
        return "Panic"
    if not isinstance(code, int) or code < 400 or not isinstance(status, dict):
        return ""
    return cut_text(f"{code} {status.get('reason') or ''}".strip())


def _targets(event: dict[str, Any], thing: dict[str, Any], cluster: str) -> tuple[str, ...]:
    plural, name = thing.get("resource"), thing.get("name")
    answer = event.get("responseObject")
    if not name and isinstance(answer, dict) and isinstance(answer.get("metadata"), dict):
        name = answer["metadata"].get("name")  # one that the server made up (generateName)
    if not isinstance(plural, str) or not isinstance(name, str) or not plural or not name:
        return ()
    kind = type_of(str(thing.get("apiGroup") or CORE), plural)
    # Of a namespace itself, the server gives the name as its namespace, too; a manifest does not.
    namespace = "" if plural == "namespaces" else str(thing.get("namespace") or "")
    try:
        return (make_resource(kind, cluster, namespace, name).key,)
    except BadInput:
        return ()


def _without_secrets(event: dict[str, Any], thing: dict[str, Any]) -> dict[str, Any]:
    """Return the event without what a secret holds: its keys stay, so that changes of them can be seen."""
    if thing.get("resource") != "secrets":
        return event
    found = dict(event)
    for body in ("requestObject", "responseObject"):
        told = found.get(body)
        if isinstance(told, dict):
            found[body] = {
                name: dict.fromkeys(value, "***") if name in _SECRET and isinstance(value, dict) else value
                for name, value in told.items()
                if name != "metadata" or not isinstance(value, dict)
            } | ({"metadata": _bare(told["metadata"])} if isinstance(told.get("metadata"), dict) else {})
        elif told is not None:
            found[body] = "***"  # a patch: a list of operations
    return found


def _bare(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata without the last applied configuration, which repeats the secret."""
    notes = metadata.get("annotations")
    if not isinstance(notes, dict):
        return metadata
    return {**metadata, "annotations": {name: "***" for name in notes if "last-applied" in name} | {
        name: value for name, value in notes.items() if "last-applied" not in name
    }}  # fmt: skip
