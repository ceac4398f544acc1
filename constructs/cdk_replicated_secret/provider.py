"""The Lambda behind the custom resource: one for each stack."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

_HANDLER = "secret_replication.main.handler"
# Lambda's longest: a replica can take minutes, and waiting costs next to nothing.
_TIMEOUT = Duration.minutes(15)
# An answer older than this is of no use to anybody: the ResponseURL expires after two hours.
_EVENT_AGE = Duration.hours(1)
# The newest runtime that the handler's tests have run under.
_RUNTIME = lambda_.Runtime.PYTHON_3_13
_ID = "ReplicatedSecretProvider"


class ReplicationProvider(Construct):
    """The Lambda function that replicates for the ``ReplicatedSecret`` constructs of a stack.

    ``ReplicatedSecret`` finds or makes it; make one yourself only to pass it to several.

    Example::

        provider = ReplicationProvider.get_or_create(stack)
    """

    def __init__(self, scope: Construct, id: str) -> None:  # noqa: A002 - CDK's name
        super().__init__(scope, id)
        log_group = logs.LogGroup(self, "Logs", retention=logs.RetentionDays.THREE_MONTHS)
        self.function = lambda_.Function(
            self,
            "Handler",
            description="Replicates Secrets Manager secrets for Custom::ReplicatedSecret",
            code=lambda_.Code.from_asset(str(_bundle()), exclude=["**/__pycache__", "**/*.pyc"]),
            handler=_HANDLER,
            runtime=_RUNTIME,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=_TIMEOUT,
            max_event_age=_EVENT_AGE,
            log_group=log_group,
        )

    @classmethod
    def get_or_create(cls, scope: Construct) -> ReplicationProvider:
        """The provider of the stack that ``scope`` is in. Its logical id never changes: a ServiceToken may not."""
        stack = Stack.of(scope)
        found = stack.node.try_find_child(_ID)
        return found if isinstance(found, ReplicationProvider) else cls(stack, _ID)

    @property
    def service_token(self) -> str:
        """What ``Custom::ReplicatedSecret`` takes as ServiceToken: the function's ARN."""
        return self.function.function_arn

    def grant(self, scope: Construct, statements: list[iam.PolicyStatement]) -> iam.Policy:
        """Give the function rights by a policy in ``scope``: what depends on it depends on no other secret's rights.

        Make the custom resource depend on the policy, so that it is there before the first call and until the last.
        """
        role = self.function.role
        return iam.Policy(scope, "Rights", statements=statements, roles=[role] if role else [])


def _bundle() -> Path:
    """The handler with its dependencies: inside the wheel, or built in the checkout.

    Raises:
        FileNotFoundError: the checkout's was not built yet.
    """
    here = Path(__file__).parent
    for bundle in (here / "_handler", here.parent.parent / "build" / "handler"):
        if (bundle / "secret_replication").is_dir():
            return bundle
    raise FileNotFoundError("the Lambda's bundle is missing: run `make bundle` in the checkout, or install the wheel")
