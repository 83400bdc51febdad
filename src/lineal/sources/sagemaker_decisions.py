"""Decisions about model packages, as approvals and rejections."""

from dataclasses import dataclass
from typing import Final

from lineal.core.edge import Edge
from lineal.core.event_type import APPROVED, REJECTED
from lineal.core.observation import Gap, Node, Observation
from lineal.sources.sagemaker_found import digest_of
from lineal.sources.sagemaker_packages import NOBODY, Package
from lineal.sources.sagemaker_words import moment, person, text

_WORDS: Final = {"Approved": "approved", "Rejected": "rejected", "PendingManualApproval": "withdrawn"}
_MEANING: Final = {
    "approved": "approved for production use",
    "rejected": "not to be used in production",
    "withdrawn": "the approval was taken back: pending manual approval",
}


LAST_CHANGE: Final = "DescribeModelPackage, last change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody decided about a model package, and when: ``approved``, ``rejected`` or ``withdrawn``."""

    word: str
    time: str
    by: str
    reason: str
    source: str


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
        source="DescribeModelPackage" if changed is None else LAST_CHANGE,
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
    gaps: list[Gap] = []
    if decision.by.startswith(NOBODY):
        gaps.append(Gap("sagemaker.approver_unknown", "SageMaker does not say who decided", package.arn.text))
    if decision.source == LAST_CHANGE:
        gaps.append(
            Gap(
                "sagemaker.decided_before",
                "when and by whom the package was last changed is known: the decision can be older, and another's",
                package.arn.text,
            )
        )
    return Observation(
        type=APPROVED if approved else REJECTED,
        time=decision.time,
        actor=decision.by,
        basis="observed",
        nodes=(
            Node(ref=ref, basis="observed", digest=digest_of(ref), detail=detail),
            Node(ref=run, basis="observed", detail=act),
        ),
        edges=(Edge(run, ref, "approved"),) if approved else (),
        gaps=tuple(gaps),
        subject=(ref, shown, run),
    )
