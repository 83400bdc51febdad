"""An estate made by hand: resources with a configuration, what was looked at, and a ledger that has it on record."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lineal.app.config_record import observe_items
from lineal.app.session import Session
from lineal.catalog.fold_configuration import COLLECTED
from lineal.core.api_event import RECORDED, ApiEvent
from lineal.core.change import JUDGED, Judgement
from lineal.core.config_item import ConfigItem, Relationship
from lineal.core.coverage import Look, TrailSpan
from lineal.core.observation import Observation
from lineal.core.resource import make_resource
from lineal.wiring import Settings, create, open_session

ACCOUNT, REGION = "111122223333", "eu-west-1"


def day(number: int, hour: int = 0, minute: int = 0) -> str:
    """Return a moment of March 2026."""
    return f"2026-03-{number:02d}T{hour:02d}:{minute:02d}:00.000000Z"


def item(kind: str, name: str, configuration: dict[str, Any], *, time: str = day(1), **more: Any) -> ConfigItem:
    """Return what was seen of a resource; of one that is ``deleted``, nothing."""
    more.setdefault("source", "aws")
    more.setdefault("shape", "api")
    region = more.pop("region", REGION)
    resource = make_resource(kind, more.pop("account", ACCOUNT), region, name)
    return ConfigItem(resource=resource, time=time, configuration=configuration, **more)


def uses(kind: str, name: str, how: str = "uses") -> Relationship:
    return Relationship(kind, make_resource(kind, ACCOUNT, REGION, name).key, how)


def look(kind: str, *, began: str = day(1), complete: bool = True, **more: Any) -> Look:
    more = {"source": "aws", "account": ACCOUNT, "region": REGION, "ended": began, **more}
    return Look(type=kind, began=began, complete=complete, **more)


def event(name: str, *targets: str, time: str, service: str = "sagemaker.amazonaws.com", **more: Any) -> ApiEvent:
    parameters, response = more.pop("parameters", {}), more.pop("response", {})
    record = {"requestParameters": parameters, "responseElements": response}
    return ApiEvent(
        id=more.pop("id", f"{name}-{time}"),
        time=time,
        service=service,
        name=name,
        account=ACCOUNT,
        region=REGION,
        targets=targets,
        principal=more.pop("principal", "arn:aws:iam::111122223333:role/ops"),
        record=record,
        **more,
    )


class World:
    """A ledger, and what is put on record in it."""

    def __init__(self, folder: Path, session: Session) -> None:
        self.folder, self.session = folder, session

    def see(self, *items: ConfigItem) -> None:
        self.session.say_all(list(observe_items(items, "tester")))

    def cover(self, looks: Iterable[Look] = (), trail: Iterable[TrailSpan] = ()) -> None:
        data = {"looks": [each.describe() for each in looks], "trail": [each.describe() for each in trail]}
        self._say(COLLECTED, data)

    def hear(self, *events: ApiEvent) -> None:
        self._say(RECORDED, {"events": [each.describe() for each in events], "origin": "test"})

    def judge(self, *judgements: Judgement) -> None:
        self._say(JUDGED, {"judgements": [each.describe() for each in judgements]})

    def _say(self, kind: str, data: dict[str, Any]) -> None:
        time = self.session.clock()
        self.session.say(Observation(type=kind, time=time, actor="tester", basis="observed", data=data))


@contextmanager
def world_in(folder: Path) -> Iterator[World]:
    """Give a world with an empty ledger in `folder`."""
    create(Settings(), folder, "lineal.test/log")
    with open_session(Settings(ledger=str(folder), actor="tester")) as session:
        yield World(folder, session)


def states(conclusions: Sequence[Any]) -> dict[tuple[str, str], str]:
    """Return the state of each rule and the name of its resource."""
    return {(each.rule, each.more.get("name", each.resource)): each.state for each in conclusions}
