"""The Lambda's entry point: ``replication_monitor.main.handler``. EventBridge calls it on a schedule."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from secret_replication.ports import Log

from .model import Finding, Kind, Rules
from .scan import Scan
from .secrets_manager import Boto3Secrets

NAMESPACE = "cdk-replicated-secret"
# Written zeros included: an alarm ends when its metric is zero again.
_METRICS = (
    Kind.IN_SYNC,
    Kind.FAILED,
    Kind.IN_PROGRESS,
    Kind.MISSING,
    Kind.PROMOTED,
    Kind.UNCHECKED,
)
# The part of Lambda's time that is kept for the secrets that are being read, and for the metrics.
_MARGIN_MS = 60_000


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Check every replicated secret of the Region: a log line for each problem, and the metrics.

    Args:
        event: EventBridge's event, which is ignored.
        context: Lambda's context object.

    Returns:
        The metrics, for a person who invokes the function by hand.
    """
    log: Log = Logger(service=NAMESPACE, location=None)
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=context.function_name)
    scan = _scan(os.environ, context)
    counts: Counter[Kind] = Counter()
    all_listed = True
    for findings in scan.run():
        for finding in findings:
            counts[finding.kind] += 1
            all_listed &= bool(finding.arn)
            if finding.kind.is_problem:
                log.warning(_line(finding), **_keys(finding))
    numbers: dict[str, Any] = {"SecretsChecked": scan.checked, **{kind.value: counts[kind] for kind in _METRICS}}
    log.info(f"checked {scan.checked} secrets", action="CHECK", **numbers)
    for name, number in numbers.items():
        # What was not listed may have the problem still: its alarm must not end.
        if number or all_listed:
            metrics.add_metric(name, "Count", number)
    metrics.flush_metrics()
    return numbers


def _scan(settings: Mapping[str, str], context: Any) -> Scan:
    """The environment says what to check; the construct writes it."""
    region = settings["AWS_REGION"]
    rules = Rules(float(settings.get("IN_PROGRESS_MINUTES", "30")), settings.get("VERIFY") == "true")
    return Scan(
        Boto3Secrets(region),
        region,
        rules,
        time.time,
        name_prefix=settings.get("NAME_PREFIX", ""),
        tags=_tags(settings.get("TAGS", "{}")),
        has_time=lambda: context.get_remaining_time_in_millis() > _MARGIN_MS,
    )


def _tags(text: str) -> dict[str, str]:
    with contextlib.suppress(json.JSONDecodeError):
        tags = json.loads(text)
        if isinstance(tags, dict) and all(isinstance(value, str) for value in tags.values()):
            return tags
    raise ValueError(f'TAGS is {text}: expected JSON such as {{"team": "orders"}}')


def _line(finding: Finding) -> str:
    return f"{finding.place or 'secrets'}: {finding.status}: {finding.message or 'AWS gives no reason'}"


def _keys(finding: Finding) -> dict[str, Any]:
    return {
        "action": "CHECK",
        "kind": finding.kind.value,
        "secret": finding.arn,
        "region": finding.region,
        "status": finding.status,
        "owner": finding.owner,
        "advice": finding.advice,
    }
