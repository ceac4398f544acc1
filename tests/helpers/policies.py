"""An independent check of IAM policies: parliament knows AWS's actions, resources and condition keys.

Sizes, and the condition keys that all services share, which parliament accepts for every action, are checked here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import parliament
from parliament.statement import get_privilege_info, is_condition_key_match

from tests.helpers.template import REMOVED, Functions

# F41: characters, without white space.
MOST_IN_A_MANAGED_POLICY, MOST_INLINE = 6_144, 10_240
_UNKNOWN = "UNKNOWN_CONDITION_FOR_ACTION: Unknown condition"
_INTERFACES = (
    "AssignPrivateIpAddresses",
    "CreateNetworkInterface",
    "DeleteNetworkInterface",
    "UnassignPrivateIpAddresses",
)
# Findings that stay, with the reason.
ACCEPTED = {
    **dict.fromkeys(
        [
            f"{_UNKNOWN} kms:ResourceAliases for action kms:{action}"
            for action in ("Decrypt", "Encrypt", "GenerateDataKey", "DescribeKey")
        ],
        "AWS lists this key for the resource type, a KMS key; parliament reads only those of the action.",
    ),
    **dict.fromkeys(
        [
            f"{_UNKNOWN} secretsmanager:{key} for action secretsmanager:{action}"
            for key in ("AddReplicaRegions", "ForceOverwriteReplicaSecret")
            for action in ("DescribeSecret", "RemoveRegionsFromReplication")
        ],
        "Conditions on the parameters of ReplicateSecretToRegions, by ForAllValues and IfExists: they hold for "
        "requests without these parameters. So one statement names each secret once for all three actions.",
    ),
    f"{_UNKNOWN} secretsmanager:VersionStage for action secretsmanager:DescribeSecret": (
        "CDK's own grant_read with version stages, for a reader and not for the function."
    ),
    f"RESOURCE_STAR: {[f'ec2:{action}' for action in _INTERFACES]}": (
        "In a VPC only: Lambda creates and deletes its network interfaces, whose IDs are not known before."
    ),
}
_SHARED = re.compile(r"aws:(TagKeys|RequestTag/|ResourceTag/)", re.IGNORECASE)
_BOOLEAN = re.compile(r"Bool(IfExists)?$")
# What stands for a key that is not given, and what the CDK CLI or CloudFormation resolves later.
_NO_KEY = ":alias/aws/secretsmanager"
_UNRESOLVED = re.compile(r"dummy-value-for-|\{\{resolve:")

_PSEUDO: dict[str, Any] = {
    "AWS::AccountId": "111122223333",
    "AWS::NoValue": REMOVED,
    "AWS::Partition": "aws",
    "AWS::Region": "us-west-2",
    "AWS::StackId": "arn:aws:cloudformation:us-west-2:111122223333:stack/app/51af3dc0-da77-11e4-872e-1234567db123",
    "AWS::StackName": "app",
    "AWS::URLSuffix": "amazonaws.com",
}
_HERE = "us-west-2:111122223333"
_SECRET, _KEY = f"arn:aws:secretsmanager:{_HERE}:secret:app/database-AbCdEf", f"arn:aws:kms:{_HERE}:key/1234abcd"
# What Ref and GetAtt of a resource mean, as far as a policy refers to it. An unknown type is an error.
_ARNS = {
    "AWS::CloudFormation::CustomResource": _SECRET,
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{_HERE}:table/app",
    "AWS::EC2::Vpc": f"arn:aws:ec2:{_HERE}:vpc/vpc-1a2b3c4d",
    "AWS::ECS::Cluster": f"arn:aws:ecs:{_HERE}:cluster/app",
    "AWS::IAM::Role": "arn:aws:iam::111122223333:role/app",
    "AWS::KMS::Key": _KEY,
    "AWS::Lambda::Function": f"arn:aws:lambda:{_HERE}:function:app",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{_HERE}:log-group:app:*",
    "AWS::S3::Bucket": "arn:aws:s3:::app",
    "AWS::SNS::Topic": f"arn:aws:sns:{_HERE}:app",
    "AWS::SQS::Queue": f"arn:aws:sqs:{_HERE}:app",
    "AWS::SecretsManager::Secret": _SECRET,
    "AWS::SecretsManager::SecretTargetAttachment": _SECRET,
    "Custom::CrossRegionExportReader": _SECRET,
    "Custom::ReplicatedSecret": _SECRET,
}


def check(template: Mapping[str, Any], parameters: Mapping[str, Any] | None = None) -> None:
    """Fail if a policy of the template has a finding that is not accepted."""
    wrong = sorted(findings(template, parameters) - ACCEPTED.keys())
    assert not wrong, "\n".join(wrong)


def findings(template: Mapping[str, Any], parameters: Mapping[str, Any] | None = None) -> set[str]:
    """What is wrong with the policies on identities, under either branch of each condition."""
    found: set[str] = set()
    for branch in (True, False):
        for limit, documents in _documents(template, _Values(template, parameters or {}, branch=branch)):
            found |= {finding for document in documents for finding in judge(document)}
            length = sum(len(re.sub(r"\s", "", json.dumps(document))) for document in documents)
            if length > limit:
                found.add(f"TOO_LONG: {length} characters, and {limit} are allowed")
    return found


def judge(document: dict[str, Any]) -> Iterator[str]:
    """The findings on one document."""
    for finding in parliament.analyze_policy_string(json.dumps(_for_parliament(document))).findings:
        yield f"{finding.issue}: {finding.detail or finding.location.get('string', '')}"
    statements = document.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        yield from _empty(statement)
        yield from _shared_keys(statement)


def _empty(statement: Mapping[str, Any]) -> Iterator[str]:
    for element in ("Action", "Resource"):
        value = statement.get(element, "*")
        if not value or "" in value if isinstance(value, list) else not value:
            yield f"EMPTY: {element} of {statement}"
    for operator, keys in statement.get("Condition", {}).items():
        for key, value in keys.items():
            if value in ("", [], {}):
                yield f"EMPTY: {operator} {key}"


def _shared_keys(statement: Mapping[str, Any]) -> Iterator[str]:
    keys = {key for keys in statement.get("Condition", {}).values() for key in keys if _SHARED.match(key)}
    for action in _list(statement.get("Action", [])) if keys else ():
        try:
            named = parliament.expand_action(action)
        except (parliament.UnknownActionException, parliament.UnknownPrefixException):
            continue  # A finding of parliament's already.
        for one in named:
            types = get_privilege_info(one["service"], one["action"])["resource_types"]
            known = [known for entry in types for known in entry["condition_keys"]]
            for key in keys:
                if not any(is_condition_key_match(name, key) for name in known):
                    yield f"UNKNOWN_CONDITION_FOR_ACTION: {key} for action {one['service']}:{one['action']}"


def _for_parliament(document: dict[str, Any]) -> dict[str, Any]:
    """The same in the forms that parliament knows.

    With one value for each condition on a boolean: parliament cannot read a list there, which IAM accepts. Without the
    alias that stands for a key that is not given (docs/reference/values.md), and with a key for what is known at
    deployment.
    """
    statements = []
    for given in _list(document.get("Statement", [])):
        statement = given
        if "Resource" in given:
            resources = [_KEY if _UNRESOLVED.match(one) else one for one in _list(given["Resource"])]
            statement = given | {"Resource": [one for one in resources if not one.endswith(_NO_KEY)] or _KEY}
        conditions = {
            operator: {key: _list(value)[0] for key, value in keys.items()} if _BOOLEAN.search(operator) else keys
            for operator, keys in statement.get("Condition", {}).items()
        }
        statements.append(statement | ({"Condition": conditions} if conditions else {}))
    return document | {"Statement": statements}


def _documents(template: Mapping[str, Any], values: _Values) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Documents that share a limit, with it."""
    inline: list[dict[str, Any]] = []
    for resource in template.get("Resources", {}).values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            yield MOST_IN_A_MANAGED_POLICY, [values.resolved(properties["PolicyDocument"])]
        if resource["Type"] == "AWS::IAM::Policy":
            inline.append(values.resolved(properties["PolicyDocument"]))
        if resource["Type"] == "AWS::IAM::Role":
            of_role = [values.resolved(policy["PolicyDocument"]) for policy in properties.get("Policies", [])]
            yield MOST_INLINE, of_role
    yield from ((MOST_INLINE, [document]) for document in inline)


class _Values(Functions):
    """The same values for all resources of a type, and one branch of every condition."""

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, Any], *, branch: bool) -> None:
        self._types = {name: resource["Type"] for name, resource in template.get("Resources", {}).items()}
        self._branch = branch
        self._parameters = {
            name: parameters.get(name, _default(name, parameter))
            for name, parameter in template.get("Parameters", {}).items()
        }

    def _condition(self, name: str) -> bool:
        return self._branch

    def _ref(self, name: str) -> Any:
        if name in self._types:
            return _ARNS[self._types[name]]
        return self._parameters[name] if name in self._parameters else _PSEUDO[name]

    def _attribute(self, logical_id: str, name: str) -> str:
        return _KEY if "Key" in name else _ARNS[self._types[logical_id]]

    def _imported(self, export: str) -> str:
        return _KEY if ":key" in export.lower() or "Key" in export else _SECRET


def _default(name: str, parameter: Mapping[str, Any]) -> Any:
    value = parameter.get("Default") or (_KEY if "Key" in name else "eu-west-3" if "Region" in name else _SECRET)
    return str(value).split(",") if parameter["Type"] == "CommaDelimitedList" else value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
