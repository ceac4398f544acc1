"""Report: what a request came to, as a line of the log and as metrics."""

from __future__ import annotations

from .answer import Answer
from .ports import FAILED, IN_SYNC, Log, Metrics
from .reconcile import Reconciler
from .request import Operation, Request


def report(request: Request, run: Reconciler, answer: Answer, log: Log, metrics: Metrics) -> None:
    """Tell how a request ended. It costs no call: Powertools writes metrics into the log (EMF).

    ``ReplicasInSync`` and ``ReplicasFailed`` count the declared replicas at the last look, ``ReplicasUnverified`` those
    dropped ones whose Regions could not be asked; ``SecondsToInSync`` is how long a Create or an Update that succeeded
    took.
    """
    name, regions = f"{request.operation.value} of {request.owner.logical_id}", sorted(request.declaration.replicas)
    line = {"action": "ANSWER", "region": ",".join(regions), "secret": answer.physical_id}
    if answer.reason:
        log.error(f"{name}: {answer.reason}", **line)
    else:
        log.info(f"{name}: done", **line)
    listed = run.observed.replicas if run.observed else {}
    statuses = [listed[region].status for region in regions if region in listed]
    metrics.add_metric("ReplicasInSync", "Count", statuses.count(IN_SYNC))
    metrics.add_metric("ReplicasFailed", "Count", statuses.count(FAILED))
    metrics.add_metric("ReplicasUnverified", "Count", len(run.unverified))
    if not answer.reason and request.operation is not Operation.DELETE:
        metrics.add_metric("SecondsToInSync", "Seconds", run.waited)
