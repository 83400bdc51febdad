"""Retire an endpoint: from now on nothing serves there."""

from dataclasses import dataclass

from lineal.app.endpoints import current, end_process, next_start
from lineal.app.naming import parse_artifact
from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core.digest import Digest
from lineal.core.event_type import RETIRED
from lineal.core.observation import Node, Observation
from lineal.core.redaction import redact
from lineal.errors import BadInput, Refused, UnknownRef


@dataclass(frozen=True, slots=True)
class Retired:
    """The last revision of an endpoint, and whether the process started for it was ended."""

    revision: NodeView
    time: str
    ended: bool


def retire(session: Session, endpoint: str, *, reason: str, os_user: str) -> Retired:
    """Record that nothing serves at ``endpoint:NAME`` any more, and end the process that `deploy` started for it.

    Raises `UnknownRef` for an endpoint nobody deployed, `Refused` when it is retired already, `BadInput` for a reason
    left empty, and `Refused` when the clock is back before the revision began.
    """
    artifact = parse_artifact(endpoint, "endpoint")
    if not reason.strip():
        raise BadInput("retiring an endpoint needs a reason", fix="Say it with --reason.")
    catalog = session.catalog
    if not catalog.of_artifact("endpoint", artifact.name):
        raise UnknownRef(f"nothing is recorded as {artifact}")
    revision = current(catalog, artifact.name)
    if revision is None:
        raise Refused(f"{artifact} is retired already", fix=f"`lineal show {artifact}@latest` says since when.")
    moment, gaps = next_start(session, artifact.name)
    session.say(
        Observation(
            type=RETIRED,
            time=moment,
            actor=session.actor,
            basis="claimed",
            nodes=(
                Node(
                    ref=revision.canonical,
                    basis="claimed",
                    digest=None if revision.digest is None else Digest.parse(revision.digest),
                    detail={"retired": moment, "retired_by": session.actor, "retired_because": redact(reason)[0]},
                ),
            ),
            gaps=gaps,
            data={"os_user": os_user},
            subject=(revision.canonical,),
        )
    )
    return Retired(revision, moment, end_process(session.catalog, revision))
