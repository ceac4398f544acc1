"""A template as a reader and as CloudFormation see it: values in short, and what a deployment makes of them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCOUNT = "000000000000"
_PSEUDO = {"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com", "AWS::Region": "us-west-2"}
# What AWS::NoValue gives.
REMOVED = object()
# What Ref and GetAtt of a resource give.
_KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
_KEY_ARN = f"arn:aws:kms:eu-west-3:{ACCOUNT}:key/{_KEY_ID}"
_SECRET_ARN = f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:app/database-AbCdEf"
# What the CDK calls an export, or the parameter by which it refers to another Region's stack.
_EXPORT = re.compile(r"^.*?(?:FnGetAtt|Ref)([A-Za-z]+?)(?:[0-9A-F]{8})?(Arn)?[0-9A-F]{8}$")
_DYNAMIC = re.compile(r"\{\{resolve:[^}]*\}\}")
_RESOURCE_ARN = re.compile(r"\*|arn:[^:]+:[^:]+:[^:]*:[^:]*:.+")


def short(value: Any) -> Any:
    """A value of a template as text: ``${Key.Arn}``, ``If(IsGiven, a, b)``; hashes of logical IDs omitted."""
    if isinstance(value, list):
        return [short(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        return {name: short(entry) for name, entry in value.items()}
    ((name, argument),) = value.items()
    if name == "Ref":
        return "NoValue" if argument == "AWS::NoValue" else f"${{{_without_hash(argument)}}}"
    if name == "Fn::GetAtt":
        return f"${{{_without_hash(argument[0])}.{_EXPORT.sub(_exported, argument[1])}}}"
    if name == "Fn::Join":
        return argument[0].join(short(argument[1]))
    if name == "Fn::ImportValue":
        return f"ImportValue({_EXPORT.sub(_exported, argument)})"
    if name.startswith("Fn::") and isinstance(argument, list):
        return f"{name[4:]}({', '.join(_without_hash(str(short(entry))) for entry in argument)})"
    return {name: short(argument)}


def _exported(name: re.Match[str]) -> str:
    return f"{name[1]}.{name[2]}" if name[2] else name[1]


def _without_hash(logical_id: str) -> str:
    return re.sub(r"(?<=[A-Za-z])([0-9A-F]{8}|[0-9A-F]{32}Parameter)$", "", logical_id)


def lint(*arguments: str | Path) -> str:
    """What cfn-lint finds: ``--template`` and a path, and other options before it."""
    command: list[str | Path] = [
        Path(sys.executable).parent / "cfn-lint",
        "--non-zero-exit-code",
        "none",
        "--regions",
        "us-west-2",
    ]
    return subprocess.run([*command, *arguments], text=True, capture_output=True, check=True).stdout


class Functions:
    """What CloudFormation makes of the functions in a template. Subclasses say what they refer to, and what holds."""

    def resolved(self, value: Any) -> Any:
        """A value without functions.

        Raises:
            ValueError: If CloudFormation rejects it.
        """
        if isinstance(value, list):
            return [entry for entry in map(self.resolved, value) if entry is not REMOVED]
        if isinstance(value, str):
            return self._plain(value)
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._function(name, argument)
        entries = {name: self.resolved(entry) for name, entry in value.items()}
        return {name: entry for name, entry in entries.items() if entry is not REMOVED}

    def _function(self, name: str, argument: Any) -> Any:
        if name == "Ref":
            return self._ref(argument)
        if name == "Fn::GetAtt":
            return self._attribute(*(argument.split(".", 1) if isinstance(argument, str) else argument))
        if name == "Fn::ImportValue":
            return self._imported(str(argument))
        if name == "Fn::If":
            return self.resolved(argument[1] if self._condition(argument[0]) else argument[2])
        if name == "Fn::Join":
            entries = argument[1] if isinstance(argument[1], list) else self.resolved(argument[1])
            return argument[0].join(map(self._text, entries))
        if name == "Fn::Split":
            if isinstance(argument[1], str) and _DYNAMIC.search(argument[1]):
                raise ValueError(f"{argument[1]} is split before it is resolved")
            return self._text(argument[1]).split(argument[0])
        if name == "Fn::Select":
            return self.resolved(argument[1])[int(argument[0])]
        raise NotImplementedError(name)

    def _text(self, value: Any) -> str:
        text = self.resolved(value)
        if not isinstance(text, str):
            raise TypeError(f"{value} is not text")
        return text

    def _plain(self, text: str) -> str:
        return text

    def _ref(self, name: str) -> Any:
        raise NotImplementedError

    def _attribute(self, logical_id: str, name: str) -> str:
        raise NotImplementedError

    def _imported(self, export: str) -> str:
        raise NotImplementedError

    def _condition(self, name: str) -> bool:
        raise NotImplementedError


@dataclass(frozen=True)
class Deployment(Functions):
    """One way to deploy: what parameters and dynamic references are, and whether the other conditions hold."""

    template: Mapping[str, Any]
    parameters: Mapping[str, Any]
    dynamic: str = ""
    true: bool = True

    def resource(self, logical_id: str) -> Any:
        """The properties of a resource, all functions resolved.

        Raises:
            ValueError: If CloudFormation rejects a value.
        """
        return self.resolved(self.template["Resources"][logical_id]["Properties"])

    def problems_for_iam(self) -> Iterator[str]:
        """What IAM rejects in the managed policies of the template."""
        for logical_id, resource in self.template["Resources"].items():
            exists = "Condition" not in resource or self._condition(resource["Condition"])
            if resource["Type"] == "AWS::IAM::ManagedPolicy" and exists:
                for statement in self.resource(logical_id)["PolicyDocument"]["Statement"]:
                    yield from _problems(statement)

    def _plain(self, text: str) -> str:
        return _DYNAMIC.sub(self.dynamic, text)

    def _attribute(self, logical_id: str, name: str) -> str:
        return _SECRET_ARN if self._type(logical_id) == "AWS::SecretsManager::Secret" else _KEY_ARN

    def _imported(self, export: str) -> str:
        return _KEY_ARN if "Key" in export else _SECRET_ARN

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return REMOVED
        if name == "AWS::StackId":
            return f"arn:aws:cloudformation:us-west-2:{ACCOUNT}:stack/App/1"
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self.template.get("Parameters", {}):
            return self.parameters[name]
        return _SECRET_ARN if self._type(name) == "AWS::SecretsManager::Secret" else _KEY_ID

    def _type(self, logical_id: str) -> str:
        return str(self.template["Resources"][logical_id]["Type"])

    def _condition(self, name: str) -> bool:
        return self._holds(self.template["Conditions"][name])

    def _holds(self, expression: Mapping[str, Any]) -> bool:
        ((name, argument),) = expression.items()
        if name == "Condition":
            return self._condition(argument)
        if name == "Fn::Not":
            return not self._holds(argument[0])
        if name == "Fn::And":
            return all(map(self._holds, argument))
        if all(isinstance(entry, str) for entry in argument):
            return self.true
        one, other = map(self.resolved, argument)
        return bool(one == other)


def _problems(statement: Mapping[str, Any]) -> Iterator[str]:
    resources = statement.get("Resource")
    listed = resources if isinstance(resources, list) else [resources]
    for resource in listed:
        if not isinstance(resource, str) or not _RESOURCE_ARN.fullmatch(resource):
            yield f"Resource {resource!r} of {statement}"
    for operator, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():
            if not all(isinstance(value, str) for value in (values if isinstance(values, list) else [values])):
                yield f"{operator} {key} is {values!r}"
        if not keys:
            yield f"{operator} has no keys"
