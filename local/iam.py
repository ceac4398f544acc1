"""What AWS's IAM rejects and MiniStack accepts: malformed policies, names that are taken, and exceeded quotas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import iam
from ministack.services.cloudformation import provisioners

# IAM's quotas: characters without white space; policies on a role.
_LONGEST_POLICY, _MOST_POLICIES = 6_144, 10
_VERSIONS = ("2008-10-17", "2012-10-17")
_ELEMENTS = {"Version", "Id", "Statement"}
_OF_STATEMENT = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
_OPERATOR = re.compile(
    r"Null|((ForAllValues|ForAnyValue):)?"
    r"(String(Not)?(Equals|Like)|String(Not)?EqualsIgnoreCase|(Numeric|Date)(Not)?Equals|(Numeric|Date)(Less|Greater)Than"
    r"(Equals)?|Bool|BinaryEquals|(Not)?IpAddress|Arn(Not)?(Equals|Like))(IfExists)?",
    re.IGNORECASE,
)
_ARN = re.compile(r"\*|arn:[^:]*:[^:]*:[^:]*:[^:]*:.+", re.DOTALL)
_ACTION = re.compile(r"\*|[a-z0-9-]+:[A-Za-z0-9*?]+", re.IGNORECASE)

_Document = str | Mapping[str, Any]


def complete_iam() -> None:
    """Add these checks to MiniStack, and the PermissionsBoundary to roles that a template creates."""
    validate = iam_evaluator.validate_policy_document

    def validate_policy_document(document: _Document) -> str | None:
        problem: str | None = validate(document)
        return problem or next(_problems(document), None)

    iam_evaluator.validate_policy_document = validate_policy_document
    _complete_roles()
    _complete_managed_policies()


def _problems(document: _Document) -> Iterator[str]:
    """What IAM rejects in a document that MiniStack accepts."""
    parsed: Any = json.loads(document) if isinstance(document, str) else document
    if not parsed.keys() <= _ELEMENTS or str(parsed.get("Version", _VERSIONS[0])) not in _VERSIONS:
        yield "Syntax errors in policy."
    statements = _list(parsed["Statement"])
    for statement in statements:
        if not statement.keys() <= _OF_STATEMENT:
            yield "Syntax errors in policy."
        actions, resources = (
            _list(statement.get(name, statement.get(f"Not{name}"))) for name in ("Action", "Resource")
        )
        if not actions:
            yield "Policy statement must contain actions."
        yield from (
            f"Actions/Conditions must be prefaced by a vendor: {a}" for a in actions if not _matches(_ACTION, a)
        )
        if not resources:
            yield "Policy statement must contain resources."
        yield from (f'Resource {r} must be in ARN format or "*".' for r in resources if not _matches(_ARN, r))
        for operator, keys in statement.get("Condition", {}).items():
            if not _matches(_OPERATOR, operator) or not isinstance(keys, Mapping):
                yield f"Invalid Condition type : {operator}."
    names = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(set(names)) < len(names):
        yield "Statement IDs (SID) in a single policy must be unique."


def _complete_roles() -> None:
    handler = provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"]
    create = handler["create"]

    def create_bounded(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        for policy in props.get("Policies", []):
            _check(policy["PolicyDocument"])
        made = create(logical_id, props, stack_name)
        iam._roles[made[0]]["PermissionsBoundary"] = props.get("PermissionsBoundary")
        return made

    handler["create"] = create_bounded


def _complete_managed_policies() -> None:
    handler = provisioners._RESOURCE_HANDLERS["AWS::IAM::ManagedPolicy"]
    create = handler["create"]

    def create_checked(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        _check(props["PolicyDocument"])
        if len(re.sub(r"\s", "", _text(props["PolicyDocument"]))) > _LONGEST_POLICY:
            raise ValueError(f"Cannot exceed quota for PolicySize: {_LONGEST_POLICY}")
        name = props.get("ManagedPolicyName")
        if name and f"arn:aws:iam::{get_account_id()}:policy{props.get('Path', '/')}{name}" in iam._policies:
            raise ValueError(f"A policy called {name} already exists. Duplicate names are not allowed.")
        for role in props.get("Roles") or []:
            if len(iam._roles.get(role, {}).get("AttachedPolicies", [])) >= _MOST_POLICIES:
                raise ValueError(f"Cannot exceed quota for PoliciesPerRole: {_MOST_POLICIES}")
        return create(logical_id, props, stack_name)

    handler["create"] = create_checked


def _check(document: _Document) -> None:
    if problem := iam_evaluator.validate_policy_document(document):
        raise ValueError(problem)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _text(document: _Document) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
