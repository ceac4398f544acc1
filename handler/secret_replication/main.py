"""The Lambda's entry point: ``secret_replication.main.handler``."""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from .clock import SystemClock
from .cloudformation import CustomResource
from .secrets_manager import Boto3SecretsManager
from .service import NAME, Service


def handler(event: dict[str, Any], context: Any) -> None:
    """Serve one custom resource request of CloudFormation.

    Args:
        event: the request.
        context: Lambda's context object.

    Raises:
        MalformedEventError: If the event is not CloudFormation's; no response is sent.
        ResponseNotDeliveredError: If CloudFormation did not accept the response; Lambda retries.
    """
    region = os.environ["AWS_REGION"]
    log, metrics = Logger(service=NAME, location=None), EphemeralMetrics(namespace=NAME, service=NAME)
    service = Service(Boto3SecretsManager(region), SystemClock(), log, metrics, region)
    resource = CustomResource(service)
    try:
        resource(event, context)
    finally:
        metrics.add_metric("ResponsesFailed", "Count", int(not resource.succeeded))
        metrics.flush_metrics()
