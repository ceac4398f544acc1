"""From one request to one response: everything that the function does, without the protocol around it."""

from __future__ import annotations

from dataclasses import replace

from .clock import Deadline
from .errors import (
    AccessDeniedError,
    NotPrimaryError,
    RejectedError,
    ReplicationError,
    SecretDeletedError,
    SecretNotFoundError,
)
from .model import FAILED, IN_SYNC, Desired, RemovalPolicy
from .ownership import tag_key
from .ports import Clock, Log, Metrics, SecretsManager
from .properties import read, read_to_delete, regions_in, service_timeout
from .reconcile import Reconciler
from .request import Request, RequestType
from .response import Response, check_size, deleted, failed, succeeded

NAME = "cdk-replicated-secret"
# Seconds kept back from Lambda's timeout and ServiceTimeout for the response: a PUT and its retries.
RESPONSE_MARGIN = 15.0


class Service:
    """Serves one request.

    Args:
        aws: Secrets Manager and KMS.
        clock: time.
        log: gets a line for each step; never the event, the ResponseURL or the attributes.
        metrics: gets the numbers.
        region: where a primary given by name lives.
    """

    def __init__(self, aws: SecretsManager, clock: Clock, log: Log, metrics: Metrics, region: str) -> None:
        self._aws, self._clock, self._log, self._metrics, self._region = aws, clock, log, metrics, region
        self._run: Reconciler | None = None

    @property
    def _primary(self) -> str:
        """The primary's ARN, which is the resource's id; empty until it was observed."""
        return str(self._run.observed.arn) if self._run and self._run.observed else ""

    def failed_id(self, request: Request) -> str:
        """The id of a FAILED response: the one that the resource has (P11), or the primary's ARN if it has none yet."""
        return request.physical_id if request.primary else self._primary or request.physical_id

    def handle(self, request: Request, seconds: float) -> Response:
        """Carry out a request.

        Args:
            request: CloudFormation's.
            seconds: what Lambda has left for this invocation.

        Returns:
            The response. A ReplicationError becomes its reason.
        """
        self._log.append_keys(
            stack=request.stack_id,
            logical_id=request.logical_id,
            request_type=request.request_type,
            request_id=request.request_id,
        )
        # A second set of dimensions, beside the service alone: an alarm uses one or the other.
        self._metrics.add_dimensions(service=NAME, request_type=str(request.request_type))
        deadline = Deadline(self._clock, _time_to_work(request, seconds))
        desired = None
        try:
            desired = self._desired(request)
            response = self._respond(request, desired, deadline)
        except ReplicationError as error:
            response = failed(request, self.failed_id(request), f"{error.code}: {error}")
        self._report(request, desired, response, deadline)
        if desired and not response.reason and request.type is RequestType.UPDATE:
            self._clean_up_other_secret(request, desired, response, deadline)
        return response

    def _desired(self, request: Request) -> Desired:
        if request.type is RequestType.DELETE:
            # The ARN that its Create responded with, never the name, which may be reused.
            desired = read_to_delete(request.properties, request.owner)
            return replace(desired, secret=request.primary or desired.secret)
        desired = read(request.properties, request.owner, self._region)
        check_size(request, desired, self._region)
        return desired

    def _respond(self, request: Request, desired: Desired, deadline: Deadline) -> Response:
        if request.type is RequestType.DELETE:
            return self._delete(request, desired, deadline)
        self._run = Reconciler(self._aws, desired, deadline, self._log)
        return succeeded(request, self._run.run(), desired.replicas)

    def _delete(self, request: Request, desired: Desired, deadline: Deadline) -> Response:
        if request.has_placeholder_id or not desired.secret:
            return deleted(request)
        self._run = Reconciler(self._aws, desired, deadline, self._log)
        try:
            self._run.run()
        except (SecretNotFoundError, SecretDeletedError, NotPrimaryError):
            return deleted(request)
        except (AccessDeniedError, RejectedError) as error:
            if self._run.only_tags_left:
                self._warn(f"{error} The tags stay. To remove them: {self._untag_command()}", self._primary)
                return deleted(request)
            # If AWS rejects even the first call, and no Create has responded with an ARN, the Create failed likewise.
            if isinstance(error, AccessDeniedError) or self._run.observed or request.primary:
                raise
        return deleted(request)

    def _untag_command(self) -> str:
        observed = self._run and self._run.observed
        if not observed:
            return ""
        keys = " ".join(tag_key(region) for region in sorted(observed.owned))
        arn = observed.arn
        return f"aws secretsmanager untag-resource --region {arn.region} --secret-id {arn} --tag-keys {keys}"

    def _clean_up_other_secret(
        self, request: Request, desired: Desired, response: Response, deadline: Deadline
    ) -> None:
        """If this is the rollback of an update to another secret, delete what that update did there before it failed.

        CloudFormation sends Deletes for the ids that it knows: the response's and the previous one. It may not know of
        any other secret (P11).
        """
        previous = read_to_delete(request.old_properties, request.owner)
        if previous.secret in ("", desired.secret):
            return
        try:
            other = self._aws.describe(previous.secret).arn
            if str(other) not in (response.physical_id, request.physical_id):
                Reconciler(self._aws, replace(previous, secret=other), deadline, self._log).run()
        except ReplicationError as error:
            self._warn(f"the rollback could not clean up: {error}", str(previous.secret))

    def _warn(self, text: str, secret: str, region: str = "") -> None:
        self._log.warning(text, action="RESPOND", region=region, secret=secret)

    def _report(self, request: Request, desired: Desired | None, response: Response, deadline: Deadline) -> None:
        """Log how the request ended, and count.

        ``ReplicasInSync`` and ``ReplicasFailed`` count the declared replicas when last observed, ``ReplicasUnverified``
        the dropped ones whose Regions could not be asked, ``ReplicasUnowned`` those that have no tag;
        ``SecondsToInSync`` is how long a Create or an Update took.
        """
        regions = sorted(desired.replicas) if desired else []
        name = f"{request.request_type} of {request.owner.logical_id}"
        line = {"action": "RESPOND", "region": ",".join(regions), "secret": response.physical_id}
        if response.reason:
            self._log.error(f"{name}: {response.reason}", **line)
        else:
            self._log.info(f"{name} succeeded", **line)
        listed = self._run.observed.replicas if self._run and self._run.observed else {}
        statuses = [listed[region].status for region in regions if region in listed]
        counts = {
            "ReplicasInSync": statuses.count(IN_SYNC),
            "ReplicasFailed": statuses.count(FAILED),
            "ReplicasUnverified": len(self._run.unverified) if self._run else 0,
            "ReplicasUnowned": self._report_unowned(request, desired),
        }
        for metric, count in counts.items():
            # Zeros are not written: in a log the metrics would drown the line with the reason.
            if count:
                self._metrics.add_metric(metric, "Count", count)
        if not response.reason and request.type is not RequestType.DELETE:
            self._metrics.add_metric("SecondsToInSync", "Seconds", deadline.waited)

    def _report_unowned(self, request: Request, desired: Desired | None) -> int:
        """Warn of replicas that this resource declared before, and that have no tag. How many there are."""
        first = self._run.first if self._run else None
        if first is None or desired is None or desired.policy is RemovalPolicy.RETAIN:
            return 0
        known = request.properties if request.type is RequestType.DELETE else request.old_properties
        unowned = sorted(r for r in regions_in(known) if r in first.replicas and r not in first.claims)
        for region in unowned:
            self._warn(
                f"{region}: no tag records who owns the replica, so it stays when it is dropped. Either a tool removed "
                "the tag, or this resource never owned the replica. To remove a replica of yours: aws secretsmanager "
                f"remove-regions-from-replication --region {first.arn.region} --secret-id {first.arn} "
                f"--remove-replica-regions {region}",
                str(first.arn),
                region,
            )
        return len(unowned)


def _time_to_work(request: Request, seconds: float) -> float:
    timeout = service_timeout(request.properties)
    if timeout is None:
        return seconds - RESPONSE_MARGIN
    # If the timeout is shorter than the margin, half of the timeout is still left for one round.
    return min(seconds - RESPONSE_MARGIN, max(timeout - RESPONSE_MARGIN, timeout / 2))
