"""The stack of the monitor template: the construct's monitor and its alarms. The parameters say what it checks."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Fn
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from cdk_replicated_secret import ReplicationMonitor

from .base import TemplateStack, packaged, resource_of


class MonitorStack(TemplateStack):
    """The function, its hourly schedule, and alarms.

    Args:
        scope: The app.
        id: The construct ID.
        code: The path of the function's code, which ``aws cloudformation package`` uploads.
        description: The description of the template.
    """

    def __init__(self, scope: Construct, id: str, *, code: str, description: str) -> None:
        super().__init__(scope, id, description=description)
        prefix = self._parameter("NamePrefix", "Check only secrets whose names start with this (optional)")
        settings = {
            "TAGS": self._parameter(
                "Tags", 'Check only secrets with all of these tags: JSON such as {"team": "orders"}', "{}"
            ),
            "IN_PROGRESS_MINUTES": self._parameter(
                "InProgressMinutes", "Minutes that a replica may be in progress before it is reported", "30", r"\d+"
            ),
            "VERIFY": self._parameter(
                "Verify", "Check every replica in its own Region, not only suspicious ones?", "false", "true|false"
            ),
        }
        memory_size = self.memory_size()
        topic = self._parameter(
            "TopicArn",
            "SNS topic to notify when an alarm begins or ends (optional)",
            pattern=r"(arn:aws[a-z-]*:sns:.+)?",
        )
        monitor = ReplicationMonitor(self, "Monitor", name_prefix=prefix.value_as_string, memory_size=memory_size)
        function = packaged(monitor.function, code)
        for name, parameter in settings.items():
            function.add_property_override(f"Environment.Variables.{name}", {"Ref": parameter.logical_id})
        self._notify(monitor, topic.value_as_string)
        cdk.CfnOutput(
            self,
            "FunctionName",
            value=monitor.function.function_name,
            description="Invoke it to check now; it returns the metrics",
        )

    def _parameter(self, name: str, description: str, default: str = "", pattern: str = ".*") -> cdk.CfnParameter:
        return cdk.CfnParameter(self, name, default=default, description=description, allowed_pattern=pattern)

    def _notify(self, monitor: ReplicationMonitor, topic: str) -> None:
        has_topic = cdk.CfnCondition(
            self, "HasTopic", expression=Fn.condition_not(Fn.condition_equals(topic, ""))
        ).logical_id
        for alarm in monitor.alarm():
            for actions in ("AlarmActions", "OKActions"):
                resource_of(alarm, cloudwatch.CfnAlarm).add_property_override(
                    actions, Fn.condition_if(has_topic, [topic], cdk.Aws.NO_VALUE)
                )
