"""Conformance packs: AWS's own load, their parameters count, and nothing of them is passed over in silence."""

from pathlib import Path

import pytest

from lineal.app.rule_sets import load_rules, managed_rules, shipped_packs
from lineal.change.pack import RULE, choose, read_pack
from lineal.change.rule_yaml import read_yaml
from lineal.errors import BadInput

TEMPLATE = """\
Parameters:
  Factor: {Type: String, Default: "5"}
  Topic: {Type: String, Default: ""}
  Needed: {Type: String}
Conditions:
  hasTopic: {"Fn::Not": [{"Fn::Equals": ["", {Ref: Topic}]}]}
  both: {"Fn::And": [{Condition: hasTopic}, {"Fn::Equals": [a, a]}]}
  either: {"Fn::Or": [{Condition: hasTopic}, {"Fn::Equals": [a, a]}]}
  round: {Condition: round}
Resources:
  Fanout:
    Type: AWS::Config::ConfigRule
    Properties:
      ConfigRuleName: fanout
      InputParameters: {regionFanoutFactor: {"Fn::If": [either, !Ref Factor, 9]}}
      Source: {Owner: AWS, SourceIdentifier: CODEPIPELINE_REGION_FANOUT_CHECK}
  FanoutAgain:
    Type: AWS::Config::ConfigRule
    Properties:
      ConfigRuleName: fanout-again
      InputParameters: '{"regionFanoutFactor": "7"}'
      Source: {Owner: AWS, SourceIdentifier: CODEPIPELINE_REGION_FANOUT_CHECK}
  Stack:
    Type: AWS::Config::ConfigRule
    Properties:
      ConfigRuleName: stack
      InputParameters:
        snsTopic1: {"Fn::If": [hasTopic, {Ref: Topic}, {Ref: "AWS::NoValue"}]}
        snsTopic2: {"Fn::Join": [":", [arn, {"Fn::Sub": "x${Factor}"}]]}
      Source: {Owner: AWS, SourceIdentifier: CLOUDFORMATION_STACK_NOTIFICATION_CHECK}
  Off:
    Type: AWS::Config::ConfigRule
    Condition: both
    Properties: {ConfigRuleName: "off", Source: {Owner: AWS, SourceIdentifier: ECR_REPOSITORY_TAGGED}}
  Round:
    Type: AWS::Config::ConfigRule
    Condition: round
    Properties: {ConfigRuleName: round, Source: {Owner: AWS, SourceIdentifier: ECR_REPOSITORY_TAGGED}}
  Lacks:
    Type: AWS::Config::ConfigRule
    Properties:
      ConfigRuleName: lacks
      InputParameters: {kmsKeyArns: !Ref Needed}
      Source: {Owner: AWS, SourceIdentifier: ECR_REPOSITORY_CMK_ENCRYPTION_ENABLED}
  Account:
    Type: AWS::Config::ConfigRule
    Properties:
      ConfigRuleName: account
      InputParameters: {kmsKeyArns: !Sub "arn:${AWS::AccountId}"}
      Source: {Owner: AWS, SourceIdentifier: ECR_REPOSITORY_CMK_ENCRYPTION_ENABLED}
  Other:
    Type: AWS::Config::ConfigRule
    Properties:
      ConfigRuleName: other
      InputParameters: {nobodyKnows: "1"}
      Source: {Owner: AWS, SourceIdentifier: ECR_PRIVATE_TAG_IMMUTABILITY_ENABLED}
  Unknown:
    Type: AWS::Config::ConfigRule
    Properties: {ConfigRuleName: unknown, Source: {Owner: AWS, SourceIdentifier: S3_BUCKET_LOGGING_ENABLED}}
  Guard:
    Type: AWS::Config::ConfigRule
    Properties: {ConfigRuleName: guard, Source: {Owner: CUSTOM_POLICY, CustomPolicyDetails: {PolicyText: "rule x {}"}}}
  Lambda:
    Type: AWS::Config::ConfigRule
    Properties: {ConfigRuleName: lambda, Source: {Owner: CUSTOM_LAMBDA, SourceIdentifier: "arn:aws:lambda:x"}}
  Mend:
    Type: AWS::Config::RemediationConfiguration
    Properties: {ConfigRuleName: fanout}
"""


def test_what_a_pack_says_is_understood_and_the_rest_is_listed() -> None:
    pack = read_pack(read_yaml(TEMPLATE, "pack"))
    rules, unsupported = choose(pack, managed_rules())
    values = {rule.id: {name: each.value for name, each in rule.parameters.items() if each.value} for rule in rules}
    assert values == {
        "CODEPIPELINE_REGION_FANOUT_CHECK": {"regionFanoutFactor": 5},
        "CODEPIPELINE_REGION_FANOUT_CHECK:fanout-again": {"regionFanoutFactor": 7},
        "CLOUDFORMATION_STACK_NOTIFICATION_CHECK": {"snsTopic2": "arn:x5"},
    }
    assert {each.name: each.why for each in unsupported} == {
        "off": "switched off by the condition both",
        "round": "the condition round rests on itself",
        "lacks": "the parameter Needed of the pack has no value",
        "account": "it refers to AWS::AccountId, which only AWS knows",
        "other": "rule ECR_PRIVATE_TAG_IMMUTABILITY_ENABLED has no parameter 'nobodyKnows' (it has: none)",
        "unknown": "no equivalent here",
        "guard": "a rule in the language Guard, which is not evaluated here",
        "lambda": "a rule that a Lambda function evaluates, which is not called from here",
    }
    assert len(pack.rules) == len(rules) + len(unsupported)
    assert pack.others == {"AWS::Config::RemediationConfiguration": 1}


@pytest.mark.parametrize(
    ("name", "rules", "unsupported"),
    [
        ("sagemaker-ai", 15, 72), ("sagemaker", 3, 0), ("codebuild", 6, 0), ("ecr", 3, 0), ("cloudtrail", 6, 1),
        ("devops", 14, 14), ("ai-infrastructure", 3, 63),
    ],
)  # fmt: skip
def test_the_packs_of_aws_load(name: str, rules: int, unsupported: int) -> None:
    found = load_rules([name])
    assert (len(found.rules), len(found.unsupported)) == (rules, unsupported)
    assert {each.why for each in found.unsupported} <= {"no equivalent here"}


def test_every_shipped_pack_is_tested() -> None:
    assert shipped_packs() == [
        "ai-infrastructure",
        "cloudtrail",
        "codebuild",
        "devops",
        "ecr",
        "sagemaker",
        "sagemaker-ai",
    ]


def test_the_parameters_of_a_shipped_pack_count() -> None:
    platform = {rule.id: rule for rule in load_rules(["sagemaker-ai"]).rules}[
        "SAGEMAKER_NOTEBOOK_INSTANCE_PLATFORM_VERSION"
    ]
    assert platform.parameters["supportedPlatformIdentifierVersions"].value == ["notebook-al2-v2"]


def test_sets_with_the_same_rule_ask_it_once_unless_its_parameters_differ(tmp_path: Path) -> None:
    assert len(load_rules(["codebuild", "aws-managed"]).rules) == len(load_rules(["aws-managed"]).rules)
    pack = tmp_path / "pack.yaml"
    pack.write_text(TEMPLATE)
    ids = [rule.id for rule in load_rules(["aws-managed", str(pack)]).rules]
    assert [each for each in ids if "FANOUT" in each] == [
        "CODEPIPELINE_REGION_FANOUT_CHECK",
        f"CODEPIPELINE_REGION_FANOUT_CHECK:{pack}",
        "CODEPIPELINE_REGION_FANOUT_CHECK:fanout-again",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Resources: {}", "no rule in the conformance pack"),
        ("Resources: []", "no rule"),
        ("Resources: {A: 3}", "p:1: A is no resource"),
        ("Resources: {A: {Type: 'AWS::Config::ConfigRule'}}", "rule A has no Source"),
        (
            "Resources: {A: {Type: 'AWS::Config::ConfigRule', Properties: {Source: {Owner: AWS}}}}",
            "no SourceIdentifier",
        ),
        (
            f"Resources: {{A: {{Type: '{RULE}', Properties: {{ConfigRuleName: \"\\e\", Source: {{Owner: X}}}}}}}}",
            "not the name of a rule",
        ),
        ("Parameters: [a]\nResources: {A: {Type: x}}", "Parameters must be a mapping"),
        ("a: 1", "no conformance pack"),
    ],
)
def test_a_malformed_pack_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_pack(read_yaml(text, "p"))


def test_what_is_nowhere_is_refused_with_the_names_of_the_sets(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_rules(["sagemaker-al"])
    assert "sagemaker-ai" in caught.value.hint
    with pytest.raises(BadInput, match="no rules at"):
        load_rules([str(tmp_path)])
    (tmp_path / "latin.yaml").write_bytes(b"rules: [\xe9]")
    with pytest.raises(BadInput, match="not UTF-8"):
        load_rules([str(tmp_path / "latin.yaml")])
    with pytest.raises(BadInput):
        load_rules(["a\0b"])
