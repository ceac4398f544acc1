"""The Lambda's entry: ``secret_replication.main.handler``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from .answer import Answer
from .cloudformation import CustomResource
from .secrets_manager import Boto3SecretsManager
from .service import serve
from .wait import SystemClock

_NAME = "cdk-replicated-secret"


def handler(event: dict[str, Any], context: Any) -> None:
    """Answer one custom resource request of CloudFormation.

    Args:
        event: the request.
        context: Lambda's context object.

    Raises:
        MalformedEventError: the event is not CloudFormation's; nobody was answered.
        AnswerNotDeliveredError: CloudFormation did not take the answer; Lambda tries again.
    """
    region = os.environ["AWS_REGION"]
    aws = Boto3SecretsManager(region)
    log, metrics = Logger(service=_NAME), EphemeralMetrics(namespace=_NAME, service=_NAME)

    def work(checked: Mapping[str, Any], seconds: float, known: Callable[[str], None]) -> Answer:
        operation = checked["RequestType"]
        # Never the event itself: it carries the ResponseURL.
        log.append_keys(
            stack=checked["StackId"],
            logical_id=checked["LogicalResourceId"],
            operation=operation,
            request_id=checked["RequestId"],
        )
        # A set of its own, beside the service alone: alarms take one or the other.
        metrics.add_dimensions(service=_NAME, operation=operation)
        return serve(
            checked, aws=aws, clock=SystemClock(), log=log, metrics=metrics, region=region, seconds=seconds, known=known
        )

    resource = CustomResource(work)
    try:
        resource(event, context)
    finally:
        metrics.add_metric("AnswersFailed", "Count", int(not resource.succeeded))
        metrics.flush_metrics()
