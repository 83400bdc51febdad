"""Templates of CloudFormation become documents; what is none stays text."""

import json

import pytest

from lineal.sources.items_template import read_template


def test_short_forms_are_what_they_stand_for() -> None:
    text = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Condition: Prod
    Properties:
      Name: !Sub '${AWS::StackName}-role'
      Ref: !Ref Name
      Arn: !GetAtt Other.Arn
      Deep: !GetAtt Other.Outputs.Arn
      List: !GetAtt [Other, Arn]
      Joined: !Join ['-', [a, !Ref B]]
      If: !If [Prod, {a: !Ref C}, !Ref 'AWS::NoValue']
      Both: !And [!Condition One, !Equals [a, b]]
Outputs: {A: {Value: !ImportValue {'Fn::Sub': x}}}
"""
    found = read_template(text)
    properties = found["Resources"]["Role"]["Properties"]
    assert properties == {
        "Name": {"Fn::Sub": "${AWS::StackName}-role"},
        "Ref": {"Ref": "Name"},
        "Arn": {"Fn::GetAtt": ["Other", "Arn"]},
        "Deep": {"Fn::GetAtt": ["Other", "Outputs.Arn"]},
        "List": {"Fn::GetAtt": ["Other", "Arn"]},
        "Joined": {"Fn::Join": ["-", ["a", {"Ref": "B"}]]},
        "If": {"Fn::If": ["Prod", {"a": {"Ref": "C"}}, {"Ref": "AWS::NoValue"}]},
        "Both": {"Fn::And": [{"Condition": "One"}, {"Fn::Equals": ["a", "b"]}]},
    }
    assert found["Outputs"]["A"]["Value"] == {"Fn::ImportValue": {"Fn::Sub": "x"}}


def test_dates_are_text_and_numbers_are_keys_as_text() -> None:
    found = read_template("AWSTemplateFormatVersion: 2010-09-09\nMappings: {M: {123: {a: 1}}}\n")
    assert found == {"AWSTemplateFormatVersion": "2010-09-09", "Mappings": {"M": {"123": {"a": 1}}}}


def test_json_is_read_as_json() -> None:
    document = {"Resources": {"A": {"Type": "AWS::SNS::Topic"}}}
    assert read_template(json.dumps(document)) == document
    assert read_template(document) == document


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x\n",
        "a: 1\na: 2\n",
        "a: !!python/object/apply:os.system ['true']\n",
        "just words",
        "[1, 2",
        "a: [",
        "- 1\n- 2\n",
        "",
        "a: " + "[" * 3000,
        "\x00",
    ],
)
def test_what_is_no_template_stays_text(text: str) -> None:
    assert read_template(text) == text


def test_a_bomb_does_not_go_off() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    text = "\n".join(lines)
    assert read_template(text) == text
