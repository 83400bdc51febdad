"""How long it takes to judge many changes against many more API events: the whole of `explain`, from the catalog.

A catalog is filled with the documents of a synthetic estate (endpoints, build projects, pipelines) and of a trail in
which most events are about other things. What must be concluded of every change is known beforehand, and a run that
concludes anything else is refused, not timed. No other program is known that does this: there is no peer beside it.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import ROOT, RefusedEnvironmentError, clean_environment, prepare
from benchmarks.measure import Clock, folder_bytes, load, machine
from benchmarks.results import merge
from benchmarks.table import render

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-west-1"
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
LOOKS: Final = 6  # of each resource: so it has one item more than changes
HOUR: Final = 3600
DEPLOY: Final = f"arn:aws:iam::{ACCOUNT}:role/deploy"
ADMIN: Final = f"arn:aws:iam::{ACCOUNT}:role/Engineer"
STEPS: Final = (("judged", False), ("judged and recorded", True), ("judged again", True))
"""What is timed, one after the other, and whether it goes on record."""
_ROW: Final = 1 << 40  # rows of the catalog that no entry of the ledger has


def moment(seconds: float) -> str:
    """The moment some seconds after the beginning, in the ledger's spelling."""
    return (START + timedelta(seconds=seconds)).isoformat(timespec="microseconds")[:-6] + "Z"


def key(number: int) -> tuple[str, str, str]:
    """Type, name and key of a resource of the estate."""
    kind = ("AWS::CodeBuild::Project", "AWS::SageMaker::Endpoint", "AWS::CodePipeline::Pipeline")[number % 3]
    name = f"thing-{number:06}"
    arn = (
        f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{name}",
        f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{name}",
        f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{name}",
    )[number % 3]
    return kind, name, arn


def configuration(number: int, version: int) -> dict[str, Any]:
    """What the service says of a resource in its n-th state: some 1.5 KB."""
    name = key(number)[1]
    if number % 3 == 0:
        values = [{"name": f"SETTING_{each}", "type": "PLAINTEXT", "value": f"value {each}"} for each in range(12)]
        image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/build:{version}"
        return {
            "name": name, "arn": key(number)[2], "description": "builds the model of " + name, "timeoutInMinutes": 60,
            "source": {"type": "CODECOMMIT", "location": f"https://git.example/{name}", "gitCloneDepth": 1},
            "environment": {"type": "LINUX_CONTAINER", "image": image, "environmentVariables": values},
            "serviceRole": DEPLOY, "cache": {"type": "NO_CACHE"},
        }  # fmt: skip
    if number % 3 == 1:
        variants = [{"VariantName": each, "DesiredInstanceCount": 2, "DesiredWeight": "1.0"} for each in "abc"]
        capture = {"EnableCapture": True, "DestinationS3Uri": f"s3://capture/{name}", "CurrentSamplingPercentage": 20}
        return {
            "EndpointName": name, "EndpointArn": key(number)[2], "EndpointConfigName": f"{name}-{version}",
            "ProductionVariants": variants, "DataCaptureConfig": capture,
        }  # fmt: skip
    stages = [
        {"name": f"Stage{at}", "actions": [{
            "name": f"act{at}", "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild"},
            "configuration": {"ProjectName": f"p-{at}", "Revision": str(version)}, "runOrder": 1,
        }]}
        for at in range(5)
    ]  # fmt: skip
    return {"pipeline": {"name": name, "roleArn": DEPLOY, "stages": stages}}


def asked(number: int, version: int) -> tuple[str, str, dict[str, Any]]:
    """Service, operation and parameters of the call that brings a resource into its n-th state."""
    new = configuration(number, version)
    if number % 3 == 0:
        return "codebuild", "UpdateProject", {"name": new["name"], "environment": new["environment"]}
    if number % 3 == 1:
        said = {"endpointName": new["EndpointName"], "endpointConfigName": new["EndpointConfigName"]}
        return "sagemaker", "UpdateEndpoint", said
    return "codepipeline", "UpdatePipeline", {"pipeline": new["pipeline"]}


def record(name: str, service: str, when: str, parameters: dict[str, Any], who: str, session: str) -> dict[str, Any]:
    """A record as the trail has it, without what the ledger says of it."""
    return {
        "eventVersion": "1.11", "eventTime": when[:19] + "Z", "eventName": name, "awsRegion": REGION,
        "eventSource": f"{service}.amazonaws.com", "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2.15.0",
        "eventType": "AwsApiCall", "managementEvent": True, "recipientAccountId": ACCOUNT,
        "requestParameters": parameters, "responseElements": None, "requestID": "b1a9a3b8-3cf4-43a2-8c74-000000000000",
        "userIdentity": {
            "type": "AssumedRole", "arn": f"{who.replace(':role/', ':assumed-role/')}/{session}",
            "accountId": ACCOUNT, "sessionContext": {"sessionIssuer": {"type": "Role", "arn": who, "userName": "x"}},
        },
    }  # fmt: skip


class Estate:
    """What the catalog is filled with, and what must be concluded of it."""

    def __init__(self, changes: int, events: int, seed: int = 7) -> None:
        self.resources = changes // (LOOKS - 1)
        self.events = events
        self.random = random.Random(seed)
        self.expected: Counter[str] = Counter()
        self.end = LOOKS * HOUR * 24
        self._made = 0

    def items(self) -> Iterator[tuple[Any, ...]]:
        """Rows of configuration items."""
        from lineal.change.semantic import with_semantic
        from lineal.core import canonical
        from lineal.core.config_item import ConfigItem
        from lineal.core.resource import Resource

        for number in range(self.resources):
            kind, name, arn = key(number)
            of = Resource(kind, ACCOUNT, REGION, name, arn)
            for look in range(LOOKS):
                when = moment(look * 24 * HOUR)
                item = with_semantic(
                    ConfigItem(
                        resource=of,
                        time=when,
                        source="aws",
                        shape="api",
                        configuration=configuration(number, look),
                        tags={"team": "risk"},
                        created=moment(-HOUR),
                    )
                )
                document = canonical.encode(item.describe()).decode()
                at = (_ROW + number, look)
                yield (*at, arn, kind, ACCOUNT, REGION, name, when, when, "ok", "aws", "api", item.semantic, document)

    def trail(self) -> Iterator[tuple[tuple[Any, ...], list[str]]]:
        """Rows of events, each with the resources that it is about: those behind changes first, then all others."""
        for number in range(self.resources):
            for look in range(1, LOOKS):
                draw = self.random.random()
                if draw < 0.02:
                    self.expected["UNEXPLAINED"] += 1
                    continue
                who = DEPLOY if draw < 0.9 else ADMIN
                self.expected["APPROVED" if who == DEPLOY else "ATTRIBUTED_UNAPPROVED"] += 1
                when = (look - 1) * 24 * HOUR + self.random.randrange(HOUR, 23 * HOUR)
                service, name, said = asked(number, look)
                yield self._row(name, service, when, said, who, [key(number)[2]], reads=False)
        while self._made < self.events:
            about = key(self.random.randrange(self.resources))
            when = self.random.randrange(0, self.end)
            if self.random.random() < 0.35:  # somebody looks at what is watched
                yield self._row("Describe", "sagemaker", when, {"name": about[1]}, ADMIN, [about[2]], reads=True)
            else:  # somebody changes what is not
                number = self.random.randrange(10**6)
                target = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/{number}"
                yield self._row(
                    "CreateLogStream", "logs", when, {"logGroupName": str(number)}, ADMIN, [target], reads=False
                )

    def _row(
        self,
        name: str,
        service: str,
        seconds: float,
        said: dict[str, Any],
        who: str,
        targets: list[str],
        *,
        reads: bool,
    ) -> tuple[tuple[Any, ...], list[str]]:
        from lineal.core import canonical
        from lineal.core.api_event import ApiEvent

        when = moment(seconds)
        self._made += 1
        session, identity = f"build-{self._made}", f"{self._made:08x}-0000-4000-8000-000000000000"
        event = ApiEvent(
            id=identity, time=when, service=f"{service}.amazonaws.com", name=name,
            account=ACCOUNT, region=REGION, principal=who, session=session, read_only=reads, targets=tuple(targets),
            record=record(name, service, when, said, who, session),
        )  # fmt: skip
        document = canonical.encode(event.describe()).decode()
        at = (_ROW + self._made, 0)
        row = (*at, event.id, when, when, event.service, name, ACCOUNT, REGION, who, False, reads, "", False, document)
        return row, targets


def fill(database: Any, estate: Estate) -> None:
    """Write the estate into the tables of a catalog, as if the ledger had said it."""
    from lineal.catalog import tables
    from lineal.core.change import ChangeApproval
    from lineal.ledger.database import insert_rows

    allowed = ChangeApproval(
        id="standing", ticket="CHG-1", types=("AWS::*",), principals=("deploy",), not_before=moment(-HOUR),
        not_after=moment(estate.end), decided=moment(-2 * HOUR), approver="cab@bank.example",
    )  # fmt: skip
    began, ended = moment(-HOUR), moment(estate.end + HOUR)
    with database.writing() as connection:
        document = json.dumps(allowed.describe())
        insert_rows(connection, tables.approval, [
            (_ROW, 0, allowed.id, allowed.not_before, allowed.not_after, began, began, document)
        ])  # fmt: skip
        insert_rows(connection, tables.trail, [(_ROW, 0, ACCOUNT, REGION, began, ended, "digest", False, "", began)])
        insert_rows(connection, tables.look, [
            (_ROW, look, "aws", ACCOUNT, REGION, "*", moment(look * 24 * HOUR), moment(look * 24 * HOUR), True, began)
            for look in range(LOOKS)
        ])  # fmt: skip
    for batch in _batches(estate.items()):
        with database.writing() as connection:
            insert_rows(connection, tables.config, batch)
    for pairs in _batches(estate.trail()):
        with database.writing() as connection:
            insert_rows(connection, tables.api, [row for row, _ in pairs])
            targets = [(each, row[3], row[0], row[1]) for row, found in pairs for each in found]
            insert_rows(connection, tables.api_target, targets)


def _batches(rows: Iterator[Any], size: int = 20_000) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


def measure(changes: int, events: int, folder: Path) -> dict[str, Any]:
    """Judge the estate, first only looking, then with every judgement going on record; then again, all known."""
    from lineal.app.explain import explain
    from lineal.wiring import Settings, create, open_session

    create(Settings(), folder, "lineal.test/benchmark")
    estate = Estate(changes, events)
    settings: dict[str, Any] = {"events": events}
    rows: list[dict[str, Any]] = []
    with open_session(Settings(ledger=str(folder / ".lineal"), actor="benchmark")) as session:
        filling = Clock()
        with filling.running():
            fill(session.catalog_database, estate)
        settings |= {"fill_seconds": round(filling.wall, 1), "mib": folder_bytes(folder) // 2**20}
        for name, record in STEPS:
            clock = Clock()
            with clock.running():
                found = explain(session, now=moment(estate.end + HOUR), record=record)
            counts = Counter(each.verdict for each in found.judgements)
            settings["changes"] = len(found.changes)
            taken = {"wall": clock.wall, "cpu": clock.cpu, "recorded": found.recorded, "load": load()}
            row: dict[str, Any] = {"name": name, "samples": [taken]}
            if counts != estate.expected:
                row["refused"] = f"{dict(counts)} where {dict(estate.expected)} was to be concluded"
            rows.append(row)
    settings["verdicts"] = dict(estate.expected)
    settings["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"settings": settings, "rows": rows}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain", description=__doc__)
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="merge the result into this file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        if given.inside is not None:
            given.inside.write_text(json.dumps(measure(given.changes, given.events, folder)))
            return 0
        result = _run(given.changes, given.events, folder) | {"machine": machine(folder)}
    print(render("explain", result))
    if given.json:
        merge(given.json, "explain", result)
    return int(any("refused" in row for row in result["rows"]))


def _run(changes: int, events: int, folder: Path) -> dict[str, Any]:
    """This program once more, in the environment that Lineal is in."""
    settings = {"changes": changes, "events": events}
    out = folder / "out.json"
    try:
        command = [str(prepare("lineal")), "-m", "benchmarks.explain", "--inside", str(out)]
        command += ["--changes", str(changes), "--events", str(events)]
        subprocess.run(command, cwd=ROOT.parent, env=clean_environment(), check=True, capture_output=True, text=True)
    except (RefusedEnvironmentError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", None) or str(error)
        rows = [{"name": name, "samples": [], "refused": told.strip().splitlines()[-1]} for name, _ in STEPS]
        return {"settings": settings, "rows": rows}
    return dict(json.loads(out.read_text()))


if __name__ == "__main__":
    sys.exit(main())
