"""An account of AWS as moto plays it, in a process of its own: prints its variables; for each line, the calls since.

A line says how many seconds late every answer comes from then on; an empty one, as late as before.
"""

import json
import sys
import time
from typing import Any

import aws_estate as estate

from servers import moto as played

count = int(sys.argv[1])
calls = 0
late = 0.0


def note(_self: Any, _code: int | str = "-", _size: int | str = "-") -> None:
    global calls
    calls += 1


def wait(self: Any, environ: Any, start: Any, _ordinary: Any = played.DomainDispatcherApplication.__call__) -> Any:
    time.sleep(late)
    return _ordinary(self, environ, start)


played._Quiet.log_request = note  # type: ignore[method-assign]
played.DomainDispatcherApplication.__call__ = wait
with played.moto_server() as moto:
    estate.role(moto)
    estate.models(moto, count)
    pipelines, repositories = moto.client("codepipeline"), moto.client("ecr")
    for number in range(count):
        estate.project(moto, f"builds-{number}")
        pipelines.create_pipeline(
            pipeline={**estate.pipeline_of(f"builds-{number}"), "name": f"release-{number}"},
            tags=[{"key": "team", "value": "risk"}],
        )
        repositories.create_repository(repositoryName=f"serve/{number}", tags=[{"Key": "team", "Value": "risk"}])
    calls = 0
    print(json.dumps(moto.environment()), flush=True)
    for line in sys.stdin:
        late = float(line.strip() or late)
        print(calls, flush=True)
        calls = 0
