"""The statement that a deployment makes."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lineal.app.endpoints import next_start
from lineal.app.naming import next_number
from lineal.app.registry import Approval
from lineal.app.run_code import read_code
from lineal.app.run_record import environment_node
from lineal.app.serving import Process
from lineal.app.session import Session
from lineal.capture.environment import read_environment
from lineal.capture.file_roles import Plan
from lineal.capture.git import read_git
from lineal.capture.pylock import lock_text
from lineal.catalog.reader import NodeView
from lineal.core import canonical
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.event_type import DEPLOYED
from lineal.core.observation import Gap, Node, Observation
from lineal.core.redaction import redact, redact_argv, strip_url
from lineal.core.ref import ArtifactRef


@dataclass(slots=True, kw_only=True)
class Deployment:
    """All that is to be said of one deployment; filled while it is carried out."""

    artifact: ArtifactRef
    model: NodeView
    approval: Approval | None
    unapproved: str | None
    container: NodeView | None
    config: dict[str, Any]
    command: tuple[str, ...]
    run: str
    url: str | None
    os_user: str
    process: Process | None = None
    model_check: str = "not asked"
    exchanges: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    clock_gaps: tuple[Gap, ...] = ()
    revision: str = ""
    surroundings: "tuple[tuple[Node, ...], tuple[Gap, ...]] | None" = None


def observe(session: Session, deployment: Deployment) -> Observation:
    """Return the observation ``endpoint.deployed/1``: the revision, the run that deployed it, and what it used.

    Raises what `next_start` raises.
    """
    number = next_number(session.catalog, deployment.artifact)
    endpoint = f"{deployment.artifact}@{number}"
    deployment.revision = endpoint
    run = f"run:{deployment.run}"
    command = redact_argv(deployment.command)[0]
    configuration = _configuration(deployment, command)
    if deployment.surroundings is None:
        deployment.surroundings = _read_surroundings(session, deployment)
    beside, gaps = deployment.surroundings
    if deployment.url is None:
        gaps = (Gap("endpoint.not_probed", "no address is known: nobody asked the endpoint anything"), *gaps)
    used = [deployment.model.canonical, *(node.ref for node in beside)]
    if deployment.container is not None:
        used.append(deployment.container.canonical)
    said = _describe(deployment, configuration)
    begins, deployment.clock_gaps = next_start(session, deployment.artifact.name)
    act = {"activity": "deployment", "name": f"deploy {deployment.artifact.name}", "argv": command}
    return Observation(
        type=DEPLOYED,
        time=begins,
        actor=session.actor,
        basis="observed",
        nodes=(
            Node(
                ref=endpoint,
                basis="observed",
                version=str(number),
                digest=Digest.of(canonical.encode(configuration)),
                detail=said,
                aliases=() if deployment.url is None else (strip_url(deployment.url)[0],),
            ),
            Node(
                ref=run,
                basis="observed",
                detail={**act, "cwd": _here(), "os_user": deployment.os_user, "state": "finished"},
            ),
            *beside,
        ),
        edges=(*(Edge(each, run, "used") for each in used), Edge(run, endpoint, "deployed")),
        gaps=tuple(
            Gap(gap.code, gap.explanation, gap.about or endpoint)
            for gap in (*deployment.gaps, *deployment.clock_gaps, *gaps)
        ),
        data={"os_user": deployment.os_user},
        subject=(endpoint, deployment.model.canonical, deployment.model.ref, run),
        claims=(endpoint,),
    )


def _configuration(deployment: Deployment, command: list[str]) -> dict[str, Any]:
    """Return the document whose SHA-256 is the identity of what was configured."""
    container = deployment.container
    return {
        "model": deployment.model.canonical,
        "digest": deployment.model.digest,
        "container": None if container is None else container.canonical,
        "config": deployment.config,
        "command": command,
    }


def _describe(deployment: Deployment, configuration: dict[str, Any]) -> dict[str, Any]:
    approval = deployment.approval
    found: dict[str, Any] = {
        "model": deployment.model.ref,
        "configuration": configuration,
        "url": None if deployment.url is None else strip_url(deployment.url)[0],
        "model_check": deployment.model_check,
        "probes": deployment.exchanges,
        "approval": None
        if approval is None
        else {
            "decision": approval.decision,
            "by": approval.by,
            "time": approval.time,
            "meaning": approval.meaning,
            "entry": approval.entry,
        },
        "os_user": deployment.os_user,
    }
    if deployment.unapproved is not None:
        found["unapproved"] = {"code": "endpoint.unapproved", "reason": redact(deployment.unapproved)[0]}
    if deployment.process is not None:
        found["process"] = {"pid": deployment.process.pid, "mark": deployment.process.mark}
    return found


def _read_surroundings(session: Session, deployment: Deployment) -> tuple[tuple[Node, ...], tuple[Gap, ...]]:
    """Return the code and the environment that the server runs with, where it was started from here."""
    if not deployment.command:
        gap = Gap(
            "endpoint.environment_unknown", "the server was not started here: its code and environment are unknown"
        )
        return (), (gap,)
    cwd = Path.cwd()
    environment = read_environment(deployment.command, cwd=cwd, env=os.environ)
    scripts = tuple(os.fsencode(word) for word in deployment.command if (cwd / word).is_file())
    state = read_git(cwd)
    with session.objects.batch() as batch:
        plan = Plan(source=tuple(os.path.join(os.fsencode(cwd), each) for each in scripts))
        code = read_code(batch, state, cwd, plan)
        lock = {} if environment.interpreter is None else {"pylock": batch.put_bytes(lock_text(environment).encode())}
    nodes = (environment_node(environment, lock), *(() if code.node is None else (code.node,)))
    return nodes, (*environment.gaps, *code.gaps)


def _here() -> str:
    return paths.spell(os.fsencode(Path.cwd()))
