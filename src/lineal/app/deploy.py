"""Deploy an approved model version to an endpoint: one more revision of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from lineal.app import probe as probing
from lineal.app import serving
from lineal.app.deploy_record import Deployment, observe
from lineal.app.endpoints import end_replaced, next_start, serving_intervals
from lineal.app.naming import new_run_id, parse_artifact
from lineal.app.registry import Approval, approval_of, hold_against_log, registered_model, stated
from lineal.app.session import Session
from lineal.capture.parameters import read_parameter_file
from lineal.catalog.reader import NodeView
from lineal.core.digest import Digest
from lineal.core.event_type import APPROVED
from lineal.core.observation import Gap
from lineal.core.redaction import redact_value
from lineal.core.ref import ArtifactRef
from lineal.datasets.restore import restore
from lineal.errors import BadInput, BadRef, DigestMismatch, Refused

MODEL_WORD: Final = "{model}"
PORT_WORD: Final = "{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployOptions:
    """How to deploy: a `command` to start or the `url` of a server that runs, and what to record beside it.

    In `command`, ``{model}`` stands for the model's path and ``{port}`` for a free port. `probes` is a JSON file,
    `config` a JSON, YAML or TOML file; `unapproved` the reason to deploy what nobody approved; `wait` in seconds.
    """

    command: tuple[str, ...] = ()
    url: str | None = None
    config: Path | None = None
    probes: Path | None = None
    container: str | None = None
    unapproved: str | None = None
    wait: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A new revision of an endpoint; `replaced` is the one that served before, `ended` whether its process was."""

    revision: NodeView
    model: NodeView
    approval: Approval | None
    url: str | None
    pid: int | None
    probes: tuple[dict[str, Any], ...]
    model_check: str
    replaced: NodeView | None
    ended: bool
    gaps: tuple[Gap, ...] = field(default=())


def deploy(session: Session, endpoint: str, model: str, options: DeployOptions, *, os_user: str) -> Deployed:
    """Put the model version `model` into service at ``endpoint:NAME`` and record the revision with its evidence.

    The model's bytes come from the object store, checked; the server must answer, and must not say that it loaded
    other bytes. The revision begins when it is recorded; the one before ends then, and its process is ended. Raises
    `Refused` for what is not approved and for a clock that went back, `InconsistentStore` where the catalog disagrees
    with the log about the model, `NotServing`, `DigestMismatch`, `BadInput`, `BadRef` and the store's errors; then
    nothing is recorded and no process left.
    """
    artifact = parse_artifact(endpoint, "endpoint")
    version = registered_model(session, model)
    approval = _check_approval(session, version, options.unapproved)
    next_start(session, artifact.name)  # refuses early: before a server is started
    deployment = _plan(session, artifact, version, approval, options, os_user)
    probes = () if options.probes is None else probing.read_probes(options.probes)
    process: serving.Process | None = None
    try:
        if options.command:
            process = _start(session, artifact, version, options, deployment)
        if deployment.url is not None:
            _examine(deployment, probes)
        session.say_numbered(lambda: observe(session, deployment))
    except BaseException:
        if process is not None:
            serving.end(process)
        raise
    catalog = session.catalog
    revision = catalog.resolve(deployment.revision)
    before = [each.revision for each in serving_intervals(catalog, artifact.name) if each.valid_to == revision.time]
    ended = end_replaced(catalog, artifact.name)
    return Deployed(
        revision=revision,
        model=version,
        approval=approval,
        url=deployment.url,
        pid=None if process is None else process.pid,
        probes=tuple(deployment.exchanges),
        model_check=deployment.model_check,
        replaced=before[-1] if before else None,
        ended=bool(ended),
        gaps=(*deployment.gaps, *deployment.clock_gaps),
    )


def _check_approval(session: Session, version: NodeView, reason: str | None) -> Approval | None:
    last = hold_against_log(session, version)
    approval = approval_of(session.catalog, version)
    if reason is not None and not reason.strip():
        raise BadInput("deploying what is not approved needs a reason", fix="Say it with --unapproved REASON.")
    approved = approval is not None and approval.approved
    if (approved and last == APPROVED) or reason is not None:
        return approval
    why = "nobody has approved it" if approval is None else f"{approval.by} rejected it: {approval.reason}"
    if approved:
        why = "it was rejected last, though what was said then has been erased"
    raise Refused(
        f"{version.ref} cannot be deployed: {why}",
        fix=f"A second person decides: lineal approve {version.ref} --as SOMEBODY --reason TEXT.",
    )


def _plan(
    session: Session,
    artifact: ArtifactRef,
    version: NodeView,
    approval: Approval | None,
    options: DeployOptions,
    os_user: str,
) -> Deployment:
    if options.command and options.url is None and not any(PORT_WORD in word for word in options.command):
        raise BadInput(
            f"the command says nowhere which port the server takes: no {PORT_WORD} in it",
            fix="Write {port} where the port goes, or give the server's address with --url.",
        )
    container = None if options.container is None else session.catalog.resolve(options.container)
    if container is not None and container.kind != "container":
        raise BadRef(f"{container.ref} is not a container", fix="`lineal add container NAME IMAGE@sha256:…` adds one.")
    return Deployment(
        artifact=artifact,
        model=version,
        approval=approval,
        unapproved=options.unapproved,
        container=container,
        config={} if options.config is None else _read_config(options.config),
        command=options.command,
        run=new_run_id(f"deploy-{artifact.name}"),
        url=None if options.url is None else probing.check_url(options.url),
        os_user=os_user,
    )


def _read_config(file: Path) -> dict[str, Any]:
    """Return the values of a configuration file by dotted name, as text, without secrets."""

    def kept(name: str, value: str | list[str]) -> str | list[str]:
        return (
            redact_value(name, value)[0] if isinstance(value, str) else [redact_value(name, each)[0] for each in value]
        )

    return {name: kept(name, value) for name, value in read_parameter_file(file).items()}


def _start(
    session: Session, artifact: ArtifactRef, version: NodeView, options: DeployOptions, deployment: Deployment
) -> serving.Process:
    """Fetch the model, start the server and wait until it answers; leave no process behind on any error."""
    folder = session.ledger.home.root / "serving" / quote(artifact.name, safe="").replace(".", "%2E")
    file = _fetch(session, version, folder)
    port = serving.free_port()
    words = [word.replace(MODEL_WORD, str(file)).replace(PORT_WORD, str(port)) for word in options.command]
    url = deployment.url if deployment.url is not None else f"http://127.0.0.1:{port}"
    if deployment.url is not None and probing.answers(url):
        raise BadInput(f"something answers at {url} already: it is not the server to be started")
    output = folder / f"{deployment.run}.log"
    process = serving.start(words, output)
    try:
        serving.wait_until(lambda left: probing.answers(url, timeout=left), process, output, timeout=options.wait)
        if not serving.is_running(process):
            raise BadInput("the server ended right after it answered; nothing was recorded")
    except BaseException:
        serving.end(process)
        raise
    deployment.url = url
    deployment.process = process
    return process


def _fetch(session: Session, version: NodeView, folder: Path) -> Path:
    """Write the model's bytes, checked, below `folder` and return where they stand."""
    digest = Digest.parse(version.digest or "")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / digest.hex
    target.mkdir(exist_ok=True)
    said = stated(session.catalog, version)
    if said.get("stored") == "dataset":
        restore(digest, session.objects, target, force=True)
        return target
    name = quote(Path(str(said.get("path") or "model")).name, safe="") or "model"
    session.objects.fetch(digest, target / name, mode=0o444)
    return target / name


def _examine(deployment: Deployment, probes: Sequence[probing.Probe]) -> None:
    """Ask the server which model it loaded, and send it the probes."""
    url = deployment.url or ""
    said = probing.model_stated_by(url)
    if said is None:
        deployment.model_check = "not stated"
        deployment.gaps.append(
            Gap("endpoint.model_not_stated", "the server does not say which model it loaded (model_digest)")
        )
    elif str(said) != deployment.model.digest:
        raise DigestMismatch(
            f"the server loaded {said}, not {deployment.model.ref} ({deployment.model.digest}); nothing was recorded",
            fix="Start the server with the file that Lineal gives it: write {model} in its command.",
        )
    else:
        deployment.model_check = "match"
    deployment.exchanges = [probing.describe_exchange(probe, probing.ask(url, probe)) for probe in probes]
    if not probes:
        deployment.gaps.append(Gap("endpoint.not_probed", "no request was sent and recorded: no --probe file"))
