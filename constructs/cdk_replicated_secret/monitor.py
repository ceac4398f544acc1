"""A function that checks on a schedule whether replicas are still in sync, with its metrics and alarms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aws_cdk import ArnFormat, Duration, Stack, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from .forms import is_known
from .permissions import DESCRIBE
from .provider import DEFAULT_MEMORY_SIZE, LOG_ACTIONS, LOG_RETENTION, NAMESPACE, RUNTIME, bundle

_HANDLER = "replication_monitor.main.handler"
_TIMEOUT = Duration.minutes(15)
_SHORTEST, _LONGEST = 1, 24 * 60
_MINUTE = 60
# What names of secrets consist of; a filter of ListSecrets negates what begins with an exclamation mark.
NAME_PREFIX = r"([A-Za-z0-9/_+=.@-][A-Za-z0-9/_+=.@!-]*)?"


class ReplicationMonitor(Construct):
    """Checks on a schedule whether replicas are still in sync; has metrics, alarms, and a log line for each problem.

    A deployment only shows that its replicas were in sync at that time. A replica can fail weeks later, for example if
    a key policy changes, or a person removes or promotes it. The monitor checks every replicated secret of its Region,
    whatever made the replicas: this package, ``ReplicaRegions`` of ``AWS::SecretsManager::Secret``, Terraform or the
    console. One monitor for each Region that has primaries is enough.

    Its function may call ListSecrets and DescribeSecret, and nothing else: it never writes and never reads a value. It
    stores nothing. A replica in progress is reported when neither the secret nor the replica has changed for
    ``in_progress_minutes``.

    Args:
        scope: The parent construct.
        id: The construct ID.
        schedule: The time between two checks, a minute to a day, in whole minutes. Default: one hour.
        name_prefix: Only secrets whose names start with this prefix are checked, and the function may describe only
            those. It is not a pattern. Default: all secrets.
        tags: Only secrets that have all of these tags are checked. Default: all secrets.
        in_progress_minutes: How long a replica may be in progress before it is reported. Default: 30.
        verify: Whether to check every replica in its own Region. If False, only suspicious replicas are checked there:
            those that are not InSync, or that a tag records but the primary does not list. Default: False.
        memory_size: The function's memory in MiB. Default: 512, which is enough for 10,000 secrets a minute.
        architecture: The function's architecture. Default: arm64.
        log_retention: The retention of the function's log group. Default: three months.

    Raises:
        ValueError: If the schedule is not a whole number of minutes, from one minute to one day, or ``name_prefix`` has
            characters that no secret's name can have.
        TypeError: If the schedule is not a Duration.

    Example::

        monitor = ReplicationMonitor(self, "Monitor")
        monitor.alarm(topic)
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        schedule: Duration | None = None,
        name_prefix: str = "",
        tags: Mapping[str, str] | None = None,
        in_progress_minutes: int = 30,
        verify: bool = False,
        memory_size: int | None = None,
        architecture: lambda_.Architecture | None = None,
        log_retention: logs.RetentionDays | None = None,
    ) -> None:
        super().__init__(scope, id)
        self._schedule = self._checked(schedule or Duration.hours(1))
        self._check_prefix(name_prefix)
        stack = Stack.of(self)
        log_group = logs.LogGroup(self, "Logs", retention=log_retention or LOG_RETENTION)
        self.function: lambda_.Function = lambda_.Function(
            self,
            "Handler",
            description="Checks whether the replicas of Secrets Manager secrets are in sync",
            code=lambda_.Code.from_asset(str(bundle())),
            handler=_HANDLER,
            timeout=_TIMEOUT,
            # The next check does what a failed one did not.
            retry_attempts=0,
            memory_size=DEFAULT_MEMORY_SIZE if memory_size is None else memory_size,
            architecture=architecture or lambda_.Architecture.ARM_64,
            runtime=RUNTIME,
            log_group=log_group,
            role=self._role(log_group, name_prefix),
            environment={
                "NAME_PREFIX": name_prefix,
                "TAGS": stack.to_json_string(dict(tags or {})),
                "IN_PROGRESS_MINUTES": self._as_text(in_progress_minutes),
                "VERIFY": str(verify).lower(),
            },
        )
        """The function, for example to invoke it by hand: it returns the metrics."""
        events.Rule(
            self,
            "Schedule",
            description="Runs the check of replicated secrets",
            schedule=events.Schedule.rate(self._schedule),
            targets=[targets.LambdaFunction(self.function)],
        )

    def _checked(self, schedule: Duration) -> Duration:
        # A Duration, not EventBridge's Schedule, because the alarms need the length of the interval.
        given: object = schedule
        if not isinstance(given, Duration):
            raise TypeError(
                f"{self.node.path}: schedule is {given!r}: expected a Duration, for example Duration.minutes(15)"
            )
        seconds = schedule.to_seconds()
        if seconds % _MINUTE or not _SHORTEST <= seconds / _MINUTE <= _LONGEST:
            raise ValueError(
                f"{self.node.path}: schedule is {seconds:g} seconds: expected whole minutes, from one minute to one day"
            )
        return schedule

    def _check_prefix(self, name_prefix: str) -> None:
        if is_known(name_prefix) and not re.fullmatch(NAME_PREFIX, name_prefix):
            raise ValueError(
                f"{self.node.path}: name_prefix is {name_prefix!r}: expected the first characters of names: letters, "
                "digits and /_+=.@!- (it is not a pattern)"
            )

    @staticmethod
    def _as_text(number: int) -> str:
        return Token.as_string(number) if Token.is_unresolved(number) else str(number)

    def _role(self, log_group: logs.ILogGroup, name_prefix: str) -> iam.Role:
        """ListSecrets cannot be limited to some secrets. Replicas are described in their own Regions."""
        secrets = Stack.of(self).format_arn(
            service="secretsmanager",
            region="*",
            resource="secret",
            resource_name=f"{name_prefix}*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        allowed = {
            "Logs": iam.PolicyStatement(actions=LOG_ACTIONS, resources=[log_group.log_group_arn]),
            "List": iam.PolicyStatement(actions=["secretsmanager:ListSecrets"], resources=["*"]),
            "Describe": iam.PolicyStatement(actions=list(DESCRIBE), resources=[secrets]),
        }
        return iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description="The function of ReplicationMonitor",
            inline_policies={name: iam.PolicyDocument(statements=[given]) for name, given in allowed.items()},
        )

    def alarm(self, topic: sns.ITopic | sns.Topic | None = None) -> list[cloudwatch.Alarm]:
        """Create the alarms: replicas failed, in progress, missing, promoted; checks failed; not run.

        An alarm begins with the first check that finds the problem. It ends with the first check that lists all secrets
        and does not find it. Both changes are sent to the topic. EventBridge gets them too, without further
        configuration, as events of the type ``CloudWatch Alarm State Change``. Two alarms differ: *checks failed*
        begins after two such checks in a row, and *not run* after two intervals without a check. From deployment until
        the first check, *not run* is in alarm and the others have INSUFFICIENT_DATA.

        Args:
            topic: The SNS topic to notify. Default: none.

        Returns:
            The alarms.

        Example::

            for alarm in ReplicationMonitor(self, "Monitor").alarm():
                alarm.add_alarm_action(page)
        """
        problems = {
            "Failed": (self.metric_replicas_failed(), 1, "Replicas have failed, and serve an old value"),
            "InProgress": (self.metric_replicas_in_progress(), 1, "Replicas have been in progress for too long"),
            "Missing": (self.metric_replicas_missing(), 1, "Replicas are gone"),
            "Promoted": (self.metric_replicas_promoted(), 1, "Replicas were promoted to standalone secrets"),
            "Unchecked": (self.metric_check_failed(), 2, "Secrets, or the Regions of replicas, could not be checked"),
        }
        made = [
            metric.create_alarm(
                self,
                name,
                alarm_description=f"{text}; the log of the monitor's function names them",
                threshold=1,
                evaluation_periods=periods,
                # Between two checks, the alarm keeps the state that the last one found.
                treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
            )
            for name, (metric, periods, text) in problems.items()
        ]
        made.append(
            self.metric_secrets_checked(statistic="SampleCount").create_alarm(
                self,
                "NotRun",
                alarm_description="Replicas were not checked, or not to the end; see the log of the monitor's function",
                threshold=1,
                comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                evaluation_periods=2,
                treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
            )
        )
        if topic is not None:
            notify = actions.SnsAction(topic)
            for alarm in made:
                alarm.add_alarm_action(notify)
                alarm.add_ok_action(notify)
        return made

    def dashboard_widget(self, **options: Any) -> cloudwatch.GraphWidget:
        """A graph of all metrics: problems on the left axis, secrets and replicas in sync on the right.

        Args:
            **options: The arguments of ``cloudwatch.GraphWidget``, for example ``width``.

        Example::

            cloudwatch.Dashboard(self, "Board", widgets=[[monitor.dashboard_widget(width=24)]])
        """
        problems: list[cloudwatch.IMetric] = [
            self.metric_replicas_failed(),
            self.metric_replicas_in_progress(),
            self.metric_replicas_missing(),
            self.metric_replicas_promoted(),
            self.metric_check_failed(),
        ]
        totals: list[cloudwatch.IMetric] = [self.metric_secrets_checked(), self.metric_replicas_in_sync()]
        return cloudwatch.GraphWidget(**{"title": "Secret replication", "left": problems, "right": totals, **options})

    def metric_secrets_checked(self, **options: Any) -> cloudwatch.Metric:
        """The number of replicated secrets that were checked. Statistic, as of all the monitor's metrics: Maximum.

        Args:
            **options: The arguments of ``cloudwatch.Metric``, for example ``period`` or ``statistic``.

        Example::

            monitor.metric_replicas_failed().create_alarm(stack, "Failed", threshold=1, evaluation_periods=3)
        """
        return self._metric("SecretsChecked", options)

    def metric_replicas_in_sync(self, **options: Any) -> cloudwatch.Metric:
        """The number of replicas that are InSync."""
        return self._metric("ReplicasInSync", options)

    def metric_replicas_failed(self, **options: Any) -> cloudwatch.Metric:
        """The number of replicas that are Failed."""
        return self._metric("ReplicasFailed", options)

    def metric_replicas_in_progress(self, **options: Any) -> cloudwatch.Metric:
        """The number of replicas that have been InProgress for longer than ``in_progress_minutes``."""
        return self._metric("ReplicasInProgress", options)

    def metric_replicas_missing(self, **options: Any) -> cloudwatch.Metric:
        """The number of replicas that are gone, though the primary lists them or a tag of this package records them."""
        return self._metric("ReplicasMissing", options)

    def metric_replicas_promoted(self, **options: Any) -> cloudwatch.Metric:
        """The number of replicas that were promoted to standalone secrets."""
        return self._metric("ReplicasPromoted", options)

    def metric_check_failed(self, **options: Any) -> cloudwatch.Metric:
        """The number of lists, secrets and replicas that could not be checked."""
        return self._metric("CheckFailed", options)

    def _metric(self, name: str, options: dict[str, Any]) -> cloudwatch.Metric:
        defaults = {
            "namespace": NAMESPACE,
            "dimensions_map": {"service": self.function.function_name},
            "statistic": "Maximum",
            "period": self._schedule,
        }
        return cloudwatch.Metric(metric_name=name, **{**defaults, **options}).attach_to(self)
