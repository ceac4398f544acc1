"""The forms that a value can have: text, or what becomes text at deployment. docs/reference/values.md is the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

import jsii
from aws_cdk import (
    CfnCondition,
    CfnElement,
    CfnParameter,
    Fn,
    IAnyProducer,
    IResolveContext,
    Lazy,
    Reference,
    Stack,
    Token,
    Tokenization,
)
from constructs import IConstruct

NO_VALUE = {"Ref": "AWS::NoValue"}
_DYNAMIC_REFERENCE = "{{resolve:"
# Dynamic references that CloudFormation does not resolve in custom resources.
_SECURE = ("{{resolve:ssm-secure:", "{{resolve:secretsmanager:")
NOT_RESOLVED = "a dynamic reference that CloudFormation does not resolve in a custom resource: use one of the type ssm"
# The CDK returns this for a context lookup until its CLI has retrieved the value.
_LOOK_UP = "dummy-value-for-"
# The other types are those of SSM, whose values are never blank.
_TEXT = "String"
_IS_GIVEN = "IsGiven"


def is_known(text: str) -> bool:
    """Whether text is known at synthesis: not a token, a dynamic reference or a lookup placeholder."""
    return not (Token.is_unresolved(text) or _DYNAMIC_REFERENCE in text or _LOOK_UP in text)


def differ(one: str, other: str) -> bool:
    """Whether two texts are known, and not the same."""
    return is_known(one) and is_known(other) and one != other


def as_text(value: Any) -> Any:
    """A token object, such as that of ``Fn.condition_if``, as a text token; any other value unchanged."""
    return Token.as_string(value) if _is_token_object(value) else value


def as_list(value: Any) -> Any:
    """A token object as a list token; any other value unchanged."""
    return Token.as_list(value) if _is_token_object(value) else value


def _is_token_object(value: Any) -> bool:
    return hasattr(value, "resolve") and hasattr(value, "type_hint")


def may_be_removed(stack: Stack, value: str | list[str]) -> bool:
    """Whether the value may resolve to AWS::NoValue."""
    return Token.is_unresolved(value) and json.dumps(NO_VALUE) in json.dumps(stack.resolve(value))


def dynamic_reference(stack: Stack, value: Any) -> str | None:
    """The dynamic reference, if the value is one or is split from one; else None."""
    found = stack.resolve(value) if Token.is_unresolved(value) else value
    if isinstance(found, dict) and "Fn::Split" in found:
        found = found["Fn::Split"][1]
    return found if isinstance(found, str) and found.startswith(_DYNAMIC_REFERENCE) else None


def is_secure(stack: Stack, text: str) -> bool:
    """Whether this is a dynamic reference that a custom resource would get as it is written."""
    return (dynamic_reference(stack, text) or "").startswith(_SECURE)


def target_of(token: str) -> tuple[IConstruct | None, str]:
    """The construct that a token refers to, and the name of the attribute; no construct for any other text."""
    if not Token.is_unresolved(token):
        return None, ""
    fragments = Tokenization.reverse_string(token)
    first = fragments.first_token
    return (first.target, first.display_name) if fragments.length == 1 and isinstance(first, Reference) else (None, "")


def in_each_case(stack: Stack, text: str, render: Callable[[str], Any]) -> Any:
    """Text that may be blank or removed at deployment, rendered for each case; the deployment decides between them.

    Args:
        stack: The stack whose template it is for.
        text: The text, or a token.
        render: Renders a case: given text or a token, or an empty string if it is blank or removed.
    """
    found = stack.resolve(text) if Token.is_unresolved(text) else text
    references = {case["Ref"] for case in _cases(found) if isinstance(case, dict) and "Ref" in case}
    given = _given(stack, references, set(_conditions(found))) if references else {}
    if given or _is_conditional(found):
        return Lazy.uncached_any(_Cases(text, render, given))
    return render(text)


def cases(stack: Stack, text: str) -> list[str]:
    """The texts in the cases of an Fn::If, as far as they are known; empty for other text."""
    found = stack.resolve(text) if Token.is_unresolved(text) else text
    return [case for case in _cases(found) if isinstance(case, str)] if _is_conditional(found) else []


def blank_parameter(text: str) -> CfnParameter | None:
    """The parameter that a token is the Ref of, if its default is blank; else None."""
    target, _ = target_of(text)
    return target if isinstance(target, CfnParameter) and target.default == "" else None


def parameter_elsewhere(stack: Stack, text: str) -> str | None:
    """The problem with a parameter of another stack that may be blank: a condition cannot refer to it."""
    parameter = blank_parameter(text)
    if parameter is None or _is_in(stack, parameter):
        return None
    return f"{parameter.node.path}, a parameter of another stack with a blank default: declare it in this stack"


def _cases(value: Any) -> Iterator[Any]:
    if _is_conditional(value):
        for case in value["Fn::If"][1:]:
            yield from _cases(case)
    else:
        yield value


def _is_conditional(value: Any) -> bool:
    return isinstance(value, dict) and "Fn::If" in value


def _conditions(value: Any) -> Iterator[str]:
    if _is_conditional(value):
        name, *others = value["Fn::If"]
        yield name
        for case in others:
            yield from _conditions(case)


def _given(stack: Stack, references: Container[str], conditions: Container[str]) -> dict[str, str]:
    """The parameters among references that no condition tests yet, each with a condition that it is not blank."""
    found = [element for element in stack.node.find_all() if isinstance(element, CfnElement) and _is_in(stack, element)]
    named = {stack.resolve(element.logical_id): element for element in found}
    expressions = [
        element.expression
        for name, element in named.items()
        if name in conditions and isinstance(element, CfnCondition)
    ]
    asked = json.dumps(stack.resolve(expressions))
    return {
        name: _is_given(parameter)
        for name, parameter in named.items()
        if name in references and isinstance(parameter, CfnParameter) and parameter.type == _TEXT
        if json.dumps({"Ref": name}) not in asked
    }


def _is_in(stack: Stack, construct: IConstruct) -> bool:
    return Stack.of(construct).node.path == stack.node.path


def _is_given(parameter: CfnParameter) -> str:
    found = parameter.node.try_find_child(_IS_GIVEN)
    if not isinstance(found, CfnCondition):
        blank = Fn.condition_equals(parameter.value_as_string, "")
        found = CfnCondition(parameter, _IS_GIVEN, expression=Fn.condition_not(blank))
    return found.logical_id


@jsii.implements(IAnyProducer)
class _Cases:
    """Each case of a value rendered: produced late, when references to other stacks are known."""

    def __init__(self, text: str, render: Callable[[str], Any], given: Mapping[str, str]) -> None:
        self._text, self._render, self._given = text, render, given

    def produce(self, context: IResolveContext) -> Any:
        return self._case(context.resolve(self._text))

    def _case(self, value: Any) -> Any:
        if _is_conditional(value):
            condition, *others = value["Fn::If"]
            return {"Fn::If": [condition, *map(self._case, others)]}
        rendered = self._render("" if value == NO_VALUE else Token.as_string(value))
        condition = self._given.get(value.get("Ref", "")) if isinstance(value, dict) else None
        return {"Fn::If": [condition, rendered, self._render("")]} if condition else rendered
