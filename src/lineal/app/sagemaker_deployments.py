"""Endpoints of SageMaker: one revision for each thing that was seen to serve, and the end of those that are gone."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from lineal.app.endpoints import current
from lineal.app.sagemaker_lookup import Lookup
from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core import path, timestamp
from lineal.core.observation import Gap, Observation
from lineal.sources.aws_session import MISSING, Refusal
from lineal.sources.sagemaker_data import Places
from lineal.sources.sagemaker_endpoints import SETTLED, Serving, is_newer, read_serving, retirement, revision
from lineal.sources.sagemaker_lineage import Deployment, past_serving
from lineal.sources.sagemaker_reading import CONFIG, ENDPOINT, Reader
from lineal.sources.sagemaker_words import Arn


class Deployments:
    """Turns what SageMaker says of endpoints into revisions; `history` are deployments by ARN in small letters."""

    def __init__(
        self,
        session: Session,
        lookup: Lookup,
        places: Places,
        reader: Reader,
        history: Mapping[str, list[Deployment]],
    ) -> None:
        self._session, self._lookup, self._places = session, lookup, places
        self._reader, self._history = reader, history
        self._seen: set[str] = set()

    def take(self, body: Mapping[str, Any]) -> Iterator[Observation | Gap]:
        """Yield what is new of one endpoint."""
        arn = Arn.parse(str(body["EndpointArn"]))
        name = str(body["EndpointName"])
        spelled = path.spell(self._lookup.name("endpoint", arn, name).encode())
        self._seen.add(spelled)
        status = str(body.get("EndpointStatus"))
        if status != SETTLED:
            yield Gap(
                "sagemaker.endpoint_unsettled",
                f"the endpoint is {status}: what serves is told when it is in service",
                arn.text,
            )
            return
        config = self._reader.describe(CONFIG, str(body.get("EndpointConfigName")))
        last = self._last(spelled)
        last = last if last is not None and self._serves(spelled, last) else None
        if isinstance(config, Refusal) and config.kind != MISSING:
            self._reader.refused.add(ENDPOINT.name)
            yield config.gap(arn.text)
            return
        if isinstance(config, Refusal) or is_newer(config, body):
            yield Gap(
                "sagemaker.config_gone",
                "the configuration that it serves was deleted: what it held is not known",
                arn.text,
            )
            config = {"EndpointConfigName": body.get("EndpointConfigName")}
            if last is not None and config_name(last.detail) == config["EndpointConfigName"]:
                return
        serving = read_serving(body, config, self._places)
        if last is not None and _fingerprint(last) == serving.fingerprint:
            return
        before = self._last(spelled)
        after = "" if before is None else before.time or ""
        count = max((int(label or 0) for _, label, _ in self._lookup.versions("endpoint", spelled)), default=0)
        for past in self._past(serving, after):
            count += 1
            after = past.began
            yield self._say(past, spelled, count)
        if serving.began <= after:
            serving = replace(serving, began=timestamp.next_after(after))
        yield self._say(serving, spelled, count + 1)

    def ended(self, region: str, account: str) -> Iterator[Observation | Gap]:
        """Yield the end of each endpoint on record that was not listed, where SageMaker says that it is not there."""
        catalog = self._session.catalog
        names = sorted({view.name for view in catalog.all_nodes("endpoint")} - self._seen)
        for name in names:
            view = current(catalog, name)
            said = {} if view is None else view.detail.get("sagemaker")
            if view is None or not isinstance(said, dict):
                continue
            if (said.get("region"), said.get("account")) != (region, account):
                continue
            answer = self._reader.describe(ENDPOINT, str(said["name"]))
            if isinstance(answer, Refusal) and _says_gone(answer, str(said["name"])):
                now = max(self._session.clock(), view.time or "")
                yield retirement(view.canonical, view.digest, str(said["arn"]), now)
            elif isinstance(answer, Refusal):
                yield answer.gap(str(said["arn"]))

    def _last(self, spelled: str) -> NodeView | None:
        found = self._session.catalog.of_artifact("endpoint", spelled)
        return max(found, key=lambda view: (view.time or "", view.age), default=None)

    def _serves(self, spelled: str, last: NodeView) -> bool:
        now = current(self._session.catalog, spelled)
        return now is not None and now.id == last.id

    def _past(self, serving: Serving, after: str) -> Iterator[Serving]:
        """Yield what the endpoint served before, by SageMaker's own lineage, after what is on record already."""
        told = [each for each in self._history.get(serving.arn.text.lower(), ()) if after < each.time < serving.began]
        now = {model.ref for model in serving.models}
        past: list[Serving] = []
        for each in told:
            model = self._places.known((each.package, each.package.lower()), None)
            if model is None:
                continue
            if past and past[-1].models[0].ref == model.ref:
                continue
            past.append(past_serving(serving, each, model))
        # The last of them is the deployment of what serves now, if it is of the same model.
        if past and past[-1].models[0].ref in now:
            past.pop()
        yield from past

    def _say(self, serving: Serving, spelled: str, count: int) -> Observation:
        if not serving.models:
            return revision(serving, f"endpoint:{spelled}", count, None, None)
        first = serving.models[0].ref
        approval = self._lookup.approval(first, serving.began)
        return revision(serving, f"endpoint:{spelled}", count, approval, self._lookup.label(first))


def _says_gone(answer: Refusal, name: str) -> bool:
    """Return whether SageMaker itself says that this very endpoint is not there: a proxy's 404 says nothing of it."""
    return answer.kind == MISSING and name.casefold() in answer.text.casefold()


def config_name(detail: Mapping[str, Any]) -> str | None:
    """Return the name of the endpoint configuration that a revision says it serves."""
    configuration = detail.get("configuration") or {}
    return (configuration.get("config") or {}).get("endpoint_config")


def _fingerprint(view: NodeView) -> str | None:
    said = view.detail.get("sagemaker")
    return str(said.get("fingerprint")) if isinstance(said, dict) else None
