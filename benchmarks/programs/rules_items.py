"""Configurations of endpoints, some 2 KB each, of which four in ten comply with the rule that is measured."""

from typing import Any


def build(count: int) -> list[dict[str, Any]]:
    """Return `count` configurations as DescribeEndpointConfig says them."""
    return [_one(number) for number in range(count)]


def complies(found: dict[str, Any]) -> bool:
    """The rule as a plain function: a KMS key, data captured, two instances or more of every variant."""
    capture = found.get("DataCaptureConfig") or {}
    variants = found.get("ProductionVariants") or []
    return (
        bool(found.get("KmsKeyId"))
        and capture.get("EnableCapture") is True
        and all(each.get("InitialInstanceCount", 0) >= 2 for each in variants)
    )


def _one(number: int) -> dict[str, Any]:
    account = "arn:aws:sagemaker:eu-west-1:111122223333"
    good = number % 10 < 4
    broken = number % 3
    found = {
        "EndpointConfigName": f"risk-scorer-{number:05d}",
        "EndpointConfigArn": f"{account}:endpoint-config/risk-scorer-{number:05d}",
        "CreationTime": "2026-03-01T12:00:00.000000Z",
        "ExecutionRoleArn": "arn:aws:iam::111122223333:role/sagemaker-execution",
        "EnableNetworkIsolation": True,
        "ProductionVariants": [_variant(number, each, 2 if good or broken != 2 else 1) for each in range(3)],
        "DataCaptureConfig": {
            "EnableCapture": good or broken != 1,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://captured-data-eu-west-1/endpoints/risk-scorer-{number:05d}",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
        },
        "VpcConfig": {
            "SecurityGroupIds": ["sg-0a1b2c3d4e5f60718"],
            "Subnets": ["subnet-0a1b2c3d4e5f60718", "subnet-1a1b2c3d4e5f60718"],
        },
    }
    if good or broken != 0:
        found["KmsKeyId"] = "arn:aws:kms:eu-west-1:111122223333:key/4f1b8a52-0a1b-4c3d-8e5f-607182930a4b"
    return found


def _variant(number: int, each: int, count: int) -> dict[str, Any]:
    return {
        "VariantName": f"variant-{each}",
        "ModelName": f"risk-model-{number:05d}-{each}",
        "InitialInstanceCount": count,
        "InstanceType": "ml.m5.xlarge",
        "InitialVariantWeight": "1",
        "ContainerStartupHealthCheckTimeoutInSeconds": 600,
        "ManagedInstanceScaling": {"Status": "ENABLED", "MinInstanceCount": 2, "MaxInstanceCount": 6},
        "RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
    }
