"""Any record of AWS Config: read or refused, never lost, never an error that is not ours."""

import json

from hypothesis import given
from hypothesis import strategies as st

from lineal.core import canonical
from lineal.core.config_item import ConfigItem
from lineal.errors import BadInput
from lineal.sources.aws_config_record import read_record
from lineal.sources.aws_config_record_files import read_file
from lineal.sources.aws_config_record_shape import as_api

_WORDS = st.sampled_from(
    "Containers PrimaryContainer Image ModelDataUrl ProductionVariants ModelName EnableNetworkIsolation pipeline "  # noqa: SIM905
    "metadata name roleArn stages version pipelineType executionMode created VariantName InitialVariantWeight Tags Key "
    "Value VpcConfig configuration other".split()
)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | _WORDS
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=6), max_leaves=25
)
_TYPES = st.sampled_from(
    ["AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig", "AWS::CodePipeline::Pipeline", "AWS::IAM::Role", "X"]
)
_FIELDS = st.sampled_from(
    "tags relationships supplementaryConfiguration configurationStateId resourceCreationTime arn awsRegion accountId "  # noqa: SIM905
    "relatedEvents extra ARN version".split()
)


def _record(kind: str, configuration: object, more: dict[str, object]) -> dict[str, object]:
    fixed = {
        "resourceType": kind,
        "resourceName": "n",
        "configurationItemStatus": "OK",
        "configurationItemCaptureTime": "2026-03-01T10:00:00Z",
        "configuration": configuration,
    }
    return {**more, **fixed}


@given(_TYPES, _VALUES, st.dictionaries(_FIELDS, _VALUES, max_size=5), st.booleans())
def test_any_record_is_an_item_that_can_be_recorded_or_is_refused(
    kind: str, configuration: object, more: dict[str, object], as_text: bool
) -> None:
    try:
        item = as_api(read_record(_record(kind, json.dumps(configuration) if as_text else configuration, more)))
    except BadInput:
        return
    canonical.encode(item.describe())


@given(_VALUES | st.text(max_size=30))
def test_any_document_is_read_whole_or_said_to_be_broken(document: object) -> None:
    parsed = read_file(json.dumps(document).encode(), "f")
    assert parsed.items or parsed.broken or parsed.elsewhere or parsed.gaps or document == {"configurationItems": []}


@given(
    st.dictionaries(st.sampled_from(["Image", "Mode", "ModelDataUrl"]), st.text(max_size=5), min_size=1), st.booleans()
)
def test_what_is_said_of_a_model_is_all_there_in_the_service_s_words(container: dict[str, str], isolated: bool) -> None:
    said = {"ModelName": "n", "EnableNetworkIsolation": isolated, "PrimaryContainer": container, "VpcConfig": None}
    item: ConfigItem = as_api(read_record(_record("AWS::SageMaker::Model", said, {})))
    assert item.shape == "api"
    assert item.configuration["EnableNetworkIsolation"] is isolated
    assert set(item.configuration["PrimaryContainer"]) == set(container)
    assert "VpcConfig" not in item.configuration
