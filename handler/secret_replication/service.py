"""One request to one answer: the whole of what the function does, without the protocol around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .answer import Answer, check_that_it_fits, success
from .errors import RefusedError, ReplicationError, SecretDeletedError, SecretNotFoundError
from .ownership import Owner
from .ports import Clock, Log, Metrics, SecretsManager
from .properties import Declaration
from .reconcile import Reconciler
from .regions import SecretArn
from .report import report
from .request import Operation, Request, fallback_physical_id, parse
from .situation import Desired, Observed
from .wait import Patience

# Seconds kept back for the answer itself, out of what Lambda and ServiceTimeout allow: a PUT and its retries.
ANSWER_MARGIN = 15.0


def serve(
    event: Mapping[str, Any],
    *,
    aws: SecretsManager,
    clock: Clock,
    log: Log,
    metrics: Metrics,
    region: str,
    seconds: float,
    known: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Carry out a checked event.

    Args:
        event: the custom resource request.
        aws: Secrets Manager.
        clock: time.
        log: where the steps are told; never the event, the ResponseURL or the attributes.
        metrics: where the numbers go.
        region: where a primary given by name lives.
        seconds: what Lambda has left for this invocation.
        known: called with the primary's ARN as soon as it is known, for an answer that has to go out before the end.

    Returns:
        The answer, a failed one included: every ReplicationError becomes its reason.
    """
    try:
        request = parse(event, region=region)
    except ReplicationError as error:
        log.error(str(error), action="ANSWER", region="", secret="")  # noqa: TRY400 - the words are all there is to tell
        return Answer(fallback_physical_id(event), _reason(error))
    regions = sorted(request.declaration.replicas)

    def seen(arn: str) -> None:
        known(arn)
        check_that_it_fits(arn, regions, event)

    patience = Patience.lasting(clock, _time_to_work(request, seconds))
    run = Reconciler(aws, _desired(request), patience, log, seen)
    answer = _carry_out(request, run, lambda observed: success(observed, regions, event))
    report(request, run, answer, log, metrics)
    if request.previous and not answer.reason:
        known_ids = (answer.physical_id, request.physical_id)
        _take_back(request.owner, request.previous, known_ids, aws, patience, log)
    return answer


def _take_back(
    owner: Owner, previous: Declaration, known_ids: tuple[str, str], aws: SecretsManager, patience: Patience, log: Log
) -> None:
    """Delete what an update to another secret got done there before it failed: this is its rollback.

    CloudFormation sends Deletes for the ids that it knows, which are the answer's and the one from before; another
    secret than these it may never have heard of (P11).
    """
    try:
        other = str(aws.describe(previous.secret_id).arn)
        if other not in known_ids:
            Reconciler(aws, Desired(owner, policy=previous.policy), patience, log, lambda _: None).run(other)
    except ReplicationError as error:
        log.warning(f"the rollback could not clean up: {error}", action="ANSWER", region="", secret=previous.secret_id)


def _carry_out(request: Request, run: Reconciler, succeeded: Callable[[Observed], Answer]) -> Answer:
    deleting = request.operation is Operation.DELETE
    try:
        if request.has_nothing_to_delete:
            return Answer(request.physical_id)
        observed = run.run(request.secret_id)
        return Answer(request.physical_id) if deleting else succeeded(observed)
    except ReplicationError as error:
        # Where even the first look is refused and no Create ever answered with an ARN, that Create failed for the same.
        never_seen = not run.physical_id and SecretArn.parse(request.physical_id) is None
        never_ours = isinstance(error, RefusedError) and never_seen
        if deleting and (never_ours or isinstance(error, SecretNotFoundError | SecretDeletedError)):
            return Answer(request.physical_id)
        return Answer(run.physical_id or request.physical_id, _reason(error))


def _desired(request: Request) -> Desired:
    declaration = request.declaration
    return Desired(request.owner, declaration.replicas, declaration.force, declaration.policy)


def _time_to_work(request: Request, seconds: float) -> float:
    timeout = request.service_timeout
    if timeout is None:
        return seconds - ANSWER_MARGIN
    # A timeout that is shorter than the margin still leaves half of it for a look.
    return min(seconds - ANSWER_MARGIN, max(timeout - ANSWER_MARGIN, timeout / 2))


def _reason(error: ReplicationError) -> str:
    return f"{error.code}: {error}"
