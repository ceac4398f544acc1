"""The stack of the monitor template: the construct's monitor and its alarms. The parameters say what it checks."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Fn
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from constructs import Construct

from cdk_replicated_secret import ReplicationMonitor
from cdk_replicated_secret.monitor import NAME_PREFIX

from .base import TemplateStack, packaged, resource_of

# A choice, because the alarms need its seconds, and CloudFormation cannot multiply. EventBridge has no "1 minutes".
_MINUTES = (5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440)
_PAIR = r' *"[^"\\]*" *: *"[^"\\]*" *'


class MonitorStack(TemplateStack):
    """The function, its schedule, and alarms.

    Args:
        scope: The app.
        id: The construct ID.
        code: The path of the function's code, which ``aws cloudformation package`` uploads.
        description: The description of the template.
    """

    def __init__(self, scope: Construct, id: str, *, code: str, description: str) -> None:
        super().__init__(scope, id, description=description)
        minutes = cdk.CfnParameter(
            self,
            "ScheduleMinutes",
            default="60",
            allowed_values=[str(number) for number in _MINUTES],
            description="Minutes between two checks",
        )
        prefix = self.text("NamePrefix", "Check only secrets whose names start with this (optional)", NAME_PREFIX)
        settings = {
            "TAGS": self.text(
                "Tags",
                'Check only secrets with all of these tags: JSON such as {"team": "orders"}',
                rf"\{{({_PAIR}(,{_PAIR})*)?\}}",
                "{}",
            ),
            "IN_PROGRESS_MINUTES": self.text(
                "InProgressMinutes", "Minutes that a replica may be in progress before it is reported", r"\d+", "30"
            ),
            "VERIFY": self.text(
                "Verify", "Check every replica in its own Region, not only suspicious ones?", "true|false", "false"
            ),
        }
        monitor = ReplicationMonitor(
            self,
            "Monitor",
            name_prefix=prefix,
            memory_size=self.memory_size(),
            architecture=self.architecture(),
        )
        function = packaged(monitor.function, code)
        for name, value in settings.items():
            function.add_property_override(f"Environment.Variables.{name}", value)
        self.limit(monitor.function.role)
        self._set_alarms(monitor, self._schedule(monitor, minutes))
        cdk.CfnOutput(
            self,
            "FunctionName",
            value=monitor.function.function_name,
            description="Invoke it to check now; it returns the metrics",
        )

    def _schedule(self, monitor: ReplicationMonitor, minutes: cdk.CfnParameter) -> str:
        """Set the time between two checks, and return it in seconds."""
        rule = resource_of(monitor.node.find_child("Schedule"), events.CfnRule)
        rule.schedule_expression = Fn.sub(f"rate(${{{minutes.logical_id}}} minutes)")
        seconds = {str(number): {"Seconds": str(number * 60)} for number in _MINUTES}
        return cdk.CfnMapping(self, "Schedules", mapping=seconds).find_in_map(minutes.value_as_string, "Seconds")

    def _set_alarms(self, monitor: ReplicationMonitor, seconds: str) -> None:
        topic = self.text(
            "TopicArn", "SNS topic to notify when an alarm begins or ends (optional)", r"(arn:aws[a-z-]*:sns:.+)?"
        )
        notified = Fn.condition_if(self.is_given("HasTopic", topic), [topic], cdk.Aws.NO_VALUE)
        for alarm in monitor.alarm():
            resource = resource_of(alarm, cloudwatch.CfnAlarm)
            resource.add_property_override("Period", seconds)
            for actions in ("AlarmActions", "OKActions"):
                resource.add_property_override(actions, notified)
