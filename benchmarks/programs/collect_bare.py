"""The calls that a listing of six types with tags needs at least, by boto3 with eight threads; nothing is kept."""

import json
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import boto3
from botocore.config import Config

session = boto3.Session(region_name=os.environ["AWS_REGION"])


def client(service: str) -> Any:
    return session.client(service, config=Config(max_pool_connections=16))


def listed(service: Any, operation: str, key: str) -> list[Any]:
    return [each for page in service.get_paginator(operation).paginate() for each in page[key]]


sagemaker, pipelines, builds, images = (client(each) for each in ("sagemaker", "codepipeline", "codebuild", "ecr"))


def thing(describe: Callable[..., Any], name: str, value: str, arn: str) -> dict[str, Any]:
    told = describe(**{name: value})
    return {"name": value, "told": told, "tags": sagemaker.list_tags(ResourceArn=arn)["Tags"]}


def pipeline(name: str) -> dict[str, Any]:
    return {"name": name, "told": pipelines.get_pipeline(name=name)}


with ThreadPoolExecutor(8) as pool:
    waiting: list[Any] = []
    for word, small in (("Model", "model"), ("EndpointConfig", "endpoint_config"), ("Endpoint", "endpoint")):
        ask = partial(thing, getattr(sagemaker, f"describe_{small}"), f"{word}Name")
        every = listed(sagemaker, f"list_{small}s", f"{word}s")
        waiting += [pool.submit(ask, each[f"{word}Name"], each[f"{word}Arn"]) for each in every]
    every = listed(pipelines, "list_pipelines", "pipelines")
    waiting += [pool.submit(pipeline, each["name"]) for each in every]
    names = listed(builds, "list_projects", "projects")
    found: list[Any] = []
    for start in range(0, len(names), 100):
        found += builds.batch_get_projects(names=names[start : start + 100])["projects"]
    every = listed(images, "describe_repositories", "repositories")
    found += [{**each, "name": each["repositoryName"]} for each in every]
    found += [each.result() for each in waiting]


def named(every: Iterable[Any]) -> list[str]:
    return sorted(str(each["name"]) for each in every)


json.dump(named(found), open(sys.argv[1], "w"))  # noqa: SIM115
