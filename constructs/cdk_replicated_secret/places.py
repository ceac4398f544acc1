"""Where a construct is: its app, its Region and account, and what the CDK can refer to from there."""

from __future__ import annotations

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as sm
from constructs import Construct, IConstruct

from .forms import is_known


def place(stack: Stack) -> str:
    """A stack's Region and account, for a message."""
    region, account = (part if is_known(part) else "unknown" for part in (stack.region, stack.account))
    return f"Region {region} of account {account}"


def stack_of(grantee: iam.IGrantable) -> Stack | None:
    """The stack of a grantee, also of an imported one; None if it is in no stack, such as an ArnPrincipal."""
    known: Any = grantee
    return Stack.of(known) if hasattr(known, "node") else None


def is_out_of_reach(stack: Stack, token: str) -> bool:
    """Whether the CDK cannot refer to this from the stack: its name is generated in another Region or account."""
    try:
        stack.resolve(token)
    except RuntimeError:
        return True
    return False


def check_app(construct: Construct, argument: str, other: IConstruct) -> None:
    """Check that a value belongs to the construct's own App.

    Raises:
        ValueError: If it belongs to another one.
    """
    if other.node.root is not construct.node.root:
        raise ValueError(
            f"{construct.node.path}: {argument} is {other.node.path}, which belongs to another App: "
            "create or import it in this one"
        )


def check_reader(path: str, grantee: iam.IGrantable, primary: sm.ISecret, instead: str = "") -> None:
    """Check that the CDK can name the primary in the policy of a reader.

    Args:
        path: The path of the construct that is read, for the message.
        grantee: The reader.
        primary: The primary.
        instead: What else to do if it cannot.

    Raises:
        ValueError: If the primary's name is generated, and the reader's stack is in another Region or account.
    """
    reader = stack_of(grantee)
    if reader and is_out_of_reach(reader, primary.secret_arn):
        raise ValueError(
            f"{path}: the grantee is in {reader.node.path}, a stack in {place(reader)}, which cannot know "
            f"the primary's generated name: {instead}set cross_region_references=True in both stacks, "
            "each with its Region in env, or give the secret a secret_name"
        )


def check_reader_of_key(path: str, grantee: iam.IGrantable, key: kms.IKey | None) -> None:
    """Check that the policy of the primary's key, if the app creates the key, can name a reader's role.

    Args:
        path: The path of the construct that is read, for the message.
        grantee: The reader.
        key: The primary's key.

    Raises:
        ValueError: If the reader's stack is in another Region or account, and its role's name is generated.
    """
    reader = stack_of(grantee)
    if reader is None or not isinstance(key, kms.Key) or Stack.of(key).environment == reader.environment:
        return
    role: Any = grantee.grant_principal
    if not _has_known_name(Stack.of(key), role):
        raise ValueError(
            f"{path}: the grantee is in {reader.node.path}, a stack in {place(reader)}, and the policy of the "
            "primary's key cannot name its role: grant only the replica, with replica(...).grant_read(...), or give "
            "the role a role_name and omit cross_region_references"
        )


def _has_known_name(stack: Stack, role: Any) -> bool:
    try:
        return isinstance(stack.resolve(getattr(role, "role_name", "")), str)
    except RuntimeError:
        return False
