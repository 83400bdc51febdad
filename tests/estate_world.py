"""An account of AWS as somebody looked at it, said by hand on a real ledger: configurations, events, looks, trails."""

from typing import Any

from lineal.app.collect import Collection, collect
from lineal.app.config_record import observe_items
from lineal.app.session import Session
from lineal.app.timeline import Timeline, Window, timeline
from lineal.app.timeline_row import Row
from lineal.change.semantic import with_semantic
from lineal.core.api_event import RECORDED, ApiEvent
from lineal.core.config_item import ConfigItem, Relationship
from lineal.core.coverage import Look, TrailSpan
from lineal.core.digest import Digest
from lineal.core.observation import Observation
from lineal.core.resource import make_resource

ACCOUNT, REGION = "123456789012", "eu-west-1"
KIND = "AWS::SageMaker::"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/risk"
DIGESTS = [str(Digest.of(b"%d" % n)) for n in range(3)]


def day(number: int, hour: int = 0, minute: int = 0) -> str:
    return f"2026-03-{number:02}T{hour:02}:{minute:02}:00.000000Z"


def key(kind: str, name: str) -> str:
    kind = kind if "::" in kind else KIND + kind
    return make_resource(kind, ACCOUNT, REGION, name).key


class World:
    """An account as somebody looked at it, on a real ledger."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def seen(self, kind: str, name: str, time: str, *points: tuple[str, str], **more: Any) -> ConfigItem:
        """Record a configuration that points to `points` (type and name, or type and address)."""
        kind = kind if "::" in kind else KIND + kind
        related = tuple(
            Relationship(KIND + of if "::" not in of and of != "Image" else of, self.point(of, to), "uses")
            for of, to in points
        )
        said = {
            "source": "aws",
            "shape": "api",
            "relationships": related,
            "configuration": {"Uses": [to for _, to in points]},
            **more,
        }
        item = ConfigItem(resource=make_resource(kind, ACCOUNT, REGION, name), time=time, **said)
        item = with_semantic(item) if item.status == "ok" else item
        self.session.say_all(list(observe_items([item], "aws")))
        return item

    def point(self, kind: str, name: str) -> str:
        return name if kind == "Image" else key(kind, name)

    def event(self, name: str, time: str, *targets: str, by: str = "alice", **more: Any) -> None:
        record = {"sourceIPAddress": "203.0.113.7", "requestParameters": {"endpointName": "scorer"}}
        said = ApiEvent(
            id=f"{name}-{time}", time=time, name=name, account=ACCOUNT, region=REGION, targets=targets,
            principal=f"arn:aws:iam::{ACCOUNT}:role/{by}",
            **{"record": record, "service": "sagemaker.amazonaws.com", **more},
        )  # fmt: skip
        self.say(RECORDED, time, {"events": [said.describe()]})

    def say(self, kind: str, time: str, data: dict[str, Any] | None = None, **more: Any) -> None:
        said = {"type": kind, "time": time, "actor": "alice", "basis": "observed", "data": data or {}, **more}
        self.session.say(Observation(**said))

    def looked(self, *times: str, kind: str = "*", complete: bool = True, region: str = REGION) -> None:
        found = Collection("aws", "all")
        for each in times:
            found.looks.append(
                Look(source="aws", account=ACCOUNT, region=region, type=kind, began=each, ended=each, complete=complete)
            )
        collect(self.session, found, [])

    def trail(self, since: str, until: str, **more: Any) -> None:
        found = Collection("cloudtrail", "all")
        said = {"account": ACCOUNT, "region": REGION, "since": since, "until": until, "proof": "digest", **more}
        found.trail.append(TrailSpan(**said))
        collect(self.session, found, [])

    def rows(self, text: str, **more: Any) -> list[Row]:
        return list(self.ask(text, **more).rows)

    def ask(self, text: str, **more: Any) -> Timeline:
        window = {name: more.pop(name) for name in ("since", "until", "kinds", "limit", "reverse") if name in more}
        return timeline(self.session, text, window=Window(**window), **more)


def serve(world: World) -> None:
    """The endpoint serves configuration 1 from the 2nd, 2 from the 10th; each with a model, a package and an image."""
    for number, on in ((1, 1), (2, 9)):
        image = f"{IMAGE}@{DIGESTS[number]}"
        world.seen("ModelPackage", f"risk/{number}", day(on), ("Image", image), created=day(on))
        world.seen("Model", f"m{number}", day(on, 1), ("ModelPackage", f"risk/{number}"), created=day(on, 1))
        world.seen("EndpointConfig", f"c{number}", day(on, 2), ("Model", f"m{number}"), created=day(on, 2))
        world.seen("AWS::ECR::Image", f"risk@{DIGESTS[number]}", day(on))
    made: dict[str, Any] = {"created": day(2), "configuration": {"EndpointConfigName": "c1"}}
    world.seen("Endpoint", "scorer", day(2), ("EndpointConfig", "c1"), **made)
    made["configuration"] = {"EndpointConfigName": "c2"}
    world.seen("Endpoint", "scorer", day(10), ("EndpointConfig", "c2"), modified=day(9, 23), **made)
