"""What ``make dist`` builds for plain CloudFormation: the template, the zip, the schema and the rule for cfn-lint."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
import yaml
from aws_cdk.assertions import Template
from cfnlint.jsonschema import StandardValidator
from hypothesis import given
from hypothesis import strategies as st

from cdk_replicated_secret import ReplicationProvider
from cdk_replicated_secret.provider import DEFAULT_MEMORY_SIZE
from cloudformation.__main__ import BUNDLE
from cloudformation.schema import schema
from cloudformation.stack import EXPORT
from secret_replication.errors import ReplicationError
from secret_replication.ownership import Owner
from secret_replication.properties import PROPERTIES, read
from tests.helpers.policies import check
from tests.helpers.template import Deployment, lint

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "cloudformation").glob("*.yaml"))


@pytest.fixture(scope="module")
def template(dist: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((dist / "provider.template.yaml").read_text()))


def resources(template: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: resource for name, resource in template["Resources"].items() if resource["Type"] == kind}


def test_the_policies_are_valid(template: dict[str, Any]) -> None:
    secrets = ["arn:aws:secretsmanager:*:111122223333:secret:app/*"]
    check(template, {"SecretArns": secrets, "KmsKeyArns": ["arn:aws:kms:*:111122223333:key/*"]})


def test_the_function_is_the_constructs(template: dict[str, Any]) -> None:
    stack = cdk.Stack(cdk.App(), "App")
    ReplicationProvider.get_or_create(stack)
    expected = Template.from_stack(stack).find_resources("AWS::Lambda::Function")
    made = resources(template, "AWS::Lambda::Function")
    assert made.keys() == expected.keys()
    ((_, function),), ((_, ours),) = expected.items(), made.items()
    differs = {name for name in function["Properties"] if function["Properties"][name] != ours["Properties"][name]}
    assert differs == {"Architectures", "Code", "MemorySize", "Role"}
    assert ours["Properties"]["Code"] == "handler.zip"
    assert (ours["Properties"]["Architectures"], ours["Properties"]["MemorySize"]) == (
        [{"Ref": "Architecture"}],
        {"Ref": "MemorySize"},
    )


def test_the_reference_has_every_parameter_with_its_default(template: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "reference" / "custom-resource.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", page, re.MULTILINE))
    for name, parameter in template["Parameters"].items():
        default = parameter.get("Default")
        shown = {None: "", "": "none"}.get(default, f"`{default}`")
        assert rows[name].strip() == shown, name


def test_the_service_token_is_exported(template: dict[str, Any]) -> None:
    (function,) = resources(template, "AWS::Lambda::Function")
    assert template["Outputs"]["ServiceToken"]["Value"] == {"Fn::GetAtt": [function, "Arn"]}
    assert template["Outputs"]["ServiceToken"]["Export"]["Name"] == EXPORT == "ReplicatedSecretServiceToken"


def test_the_defaults_allow_neither_force_nor_promotion_nor_keys(template: dict[str, Any]) -> None:
    assert {name: given.get("Default") for name, given in template["Parameters"].items()} == {
        "SecretArns": None,
        "ReplicaRegions": None,
        "KmsKeyArns": "",
        "AllowForce": "false",
        "AllowPromote": "false",
        "PermissionsBoundaryArn": "",
        "RoleArn": "",
        "MemorySize": DEFAULT_MEMORY_SIZE,
        "Architecture": "arm64",
    }
    conditions = {resource.get("Condition") for resource in resources(template, "AWS::IAM::ManagedPolicy").values()}
    assert conditions == {"CreatesRole", "MayPromote", "MayUseKeys"}


def first(actions: str | list[str]) -> str:
    return actions if isinstance(actions, str) else actions[0]


def statements(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The statement of each managed policy, by the first action."""
    found = (
        policy["Properties"]["PolicyDocument"] for policy in resources(template, "AWS::IAM::ManagedPolicy").values()
    )
    return {first(statement["Action"]): statement for document in found for statement in document["Statement"]}


def test_only_tagging_has_a_condition_on_tag_keys(template: dict[str, Any]) -> None:
    for action, statement in statements(template).items():
        assert ("aws:TagKeys" in str(statement)) == (action == "secretsmanager:TagResource")


def test_any_key_decrypts_the_secrets_that_may_be_replicated(template: dict[str, Any]) -> None:
    decrypt, encrypt = (statements(template)[action] for action in ("kms:Decrypt", "kms:Encrypt"))
    assert decrypt["Condition"]["StringLike"]["kms:EncryptionContext:SecretARN"] == {"Ref": "SecretArns"}
    assert decrypt["Resource"] == {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":kms:*:*:key/*"]]}
    assert encrypt["Resource"] == {"Ref": "KmsKeyArns"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"ReplicaRegions": ["eu-west-3"], "KmsKeyArns": ["arn:aws:kms:eu-west-3:000000000000:key/1"]},
        {"AllowForce": "true", "AllowPromote": "true"},
    ],
)
def test_iam_accepts_the_policies(template: dict[str, Any], given: dict[str, Any]) -> None:
    """Also if all that may be blank is blank, and no Region is given."""
    defaults = {name: known.get("Default", "") for name, known in template["Parameters"].items()}
    lists = {
        "SecretArns": ["arn:aws:secretsmanager:*:000000000000:secret:app"],
        "ReplicaRegions": [""],
        "KmsKeyArns": [""],
    }
    assert not list(Deployment(template, defaults | lists | given).problems_for_iam())


def test_keys_are_used_through_secrets_manager_under_either_of_its_names(template: dict[str, Any]) -> None:
    for action, statement in statements(template).items():
        if action in ("kms:Decrypt", "kms:Encrypt"):
            partition = {"Fn::Join": ["", ["secretsmanager.*.", {"Ref": "AWS::URLSuffix"}]]}
            assert statement["Condition"]["StringLike"]["kms:ViaService"] == [
                "secretsmanager.*.amazonaws.com",
                partition,
            ]


def test_cfn_lint_finds_nothing_but_that_the_code_is_to_be_packaged(dist: Path) -> None:
    found = lint("--template", dist / "provider.template.yaml")
    assert found.splitlines()[0] == "W3002 This code may only work with 'package' cli command"
    assert len(found.split("\n\n")) == 2


def test_the_zip_is_the_bundle(dist: Path) -> None:
    assert (dist / "handler.zip").read_bytes() == BUNDLE.read_bytes()


def test_the_examples_pass_the_rule(dist: Path) -> None:
    assert EXAMPLES
    assert lint("--append-rules", dist / "cfn-lint", "--template", *EXAMPLES) == ""


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"SecretID": "app"}, "'SecretID' was unexpected. Did you mean 'SecretId'?"),
        ({"ReplicaRegions": ["Paris"]}, "'Paris' does not match"),
        ({"ReplicaRegions": [{"Region": "eu-west-3", "Key": "k"}]}, "'Key' was unexpected"),
        ({"ReplicaRemovalPolicy": "Snapshot"}, "'Snapshot' is not one of ['Delete', 'Retain', 'Promote']"),
        ({"ForceOverwriteReplicaSecret": "yes"}, "'yes' does not match"),
    ],
)
def test_the_rule_names_what_is_wrong(dist: Path, tmp_path: Path, properties: dict[str, Any], problem: str) -> None:
    right = {"ServiceToken": "token", "SecretId": "app", "ReplicaRegions": ["eu-west-3"]}
    resource = {"Type": "Custom::ReplicatedSecret", "Properties": right | properties}
    (tmp_path / "template.yaml").write_text(yaml.safe_dump({"Resources": {"Replication": resource}}))
    found = lint("--append-rules", dist / "cfn-lint", "--template", tmp_path / "template.yaml")
    assert problem in found
    assert "E9101" in found


_FORMS = """
Parameters:
  Key: {Type: String, Default: ""}
  Region: {Type: String, Default: ""}
  Regions: {Type: CommaDelimitedList, Default: ""}
  Answer: {Type: String, Default: "yes"}
Conditions:
  Answered: !Equals [!Ref Answer, "yes"]
Resources:
  Each:
    Type: Custom::ReplicatedSecret
    Properties:
      ServiceToken: !ImportValue Token
      SecretId: "{{resolve:ssm:/app/name}}"
      ReplicaRegions:
        - !If [Answered, eu-west-3, !Ref AWS::NoValue]
        - !If [Answered, {Region: eu-west-1, KmsKeyId: !Ref Key}, !Ref AWS::NoValue]
        - {Region: us-east-1, KmsKeyId: !If [Answered, alias/app, !Ref AWS::NoValue]}
        - !Ref Region
        - "{{resolve:ssm:/app/region}}"
  Whole:
    Type: Custom::ReplicatedSecret
    Properties: {ServiceToken: token, SecretId: !Ref Answer, ReplicaRegions: !Ref Regions}
  Either:
    Type: Custom::ReplicatedSecret
    Properties: {ServiceToken: token, SecretId: app, ReplicaRegions: !If [Answered, [eu-west-3], []]}
  Split:
    Type: Custom::ReplicatedSecret
    Properties: {ServiceToken: token, SecretId: app, ReplicaRegions: !Split [",", !Ref Region]}
"""


def test_the_rule_accepts_values_that_only_a_deployment_knows(dist: Path, tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(_FORMS)
    assert lint("--append-rules", dist / "cfn-lint", "--template", tmp_path / "template.yaml") == ""


def is_valid(properties: dict[str, Any]) -> bool:
    return not list(StandardValidator(schema()).iter_errors({"ServiceToken": "token", **properties}))


def is_read(properties: dict[str, Any]) -> bool:
    try:
        read(properties, Owner("stack", "Replication"), "us-west-2")
    except ReplicationError:
        return False
    return True


REGION = st.sampled_from(["eu-west-3", "us-gov-east-1", "Paris", "", "eu-west-", "a" * 128 + "-1"])
KEY = st.sampled_from(["", "alias/app", "k" * 2048, "k" * 2049]) | st.integers(0, 1)
REPLICA = (
    REGION | st.fixed_dictionaries({}, optional={"Region": REGION, "KmsKeyId": KEY, "Key": KEY}) | st.integers(0, 1)
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "SecretId": st.sampled_from(["app", "", "s" * 2048, "s" * 2049, 1]),
            "ReplicaRegions": st.lists(REPLICA, max_size=1) | st.just("eu-west-3"),
            "ForceOverwriteReplicaSecret": st.sampled_from([True, False, "true", "False", "yes", 1, ""]),
            "ReplicaRemovalPolicy": st.sampled_from(["Delete", "Retain", "Promote", "delete", "", 1]),
            "Unknown": st.just("x"),
        },
    )
)
def test_the_schema_accepts_what_the_parser_accepts(properties: dict[str, Any]) -> None:
    """But for what a schema cannot say: an ARN in full, a Region listed twice, the primary's own."""
    assert is_valid(properties) == is_read(properties)


def test_the_schema_describes_each_property() -> None:
    assert set(schema()["properties"]) == {*PROPERTIES, "ServiceToken", "ServiceTimeout"}
    assert all(prop["description"] for prop in schema()["properties"].values())
    assert json.loads(json.dumps(schema())) == schema()
