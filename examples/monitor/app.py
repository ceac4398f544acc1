"""A monitor of every replicated secret of the Region, whatever tool made it, with alarms and a dashboard."""

import os

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns

from cdk_replicated_secret import ReplicatedSecret, ReplicationMonitor

app = cdk.App()
env = cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region="us-west-2")
stack = cdk.Stack(app, "Monitor", env=env)

ReplicatedSecret(stack, "Database", regions=["eu-west-3"]).add_outputs()

# Subscribe to the topic: AWS sends you an e-mail to confirm it.
topic = sns.Topic(stack, "Operations")

# The alarms begin if a replica is not in sync, is gone or was promoted, and if the monitor did not run.
monitor = ReplicationMonitor(stack, "Replicas", schedule=cdk.Duration.minutes(30))
monitor.alarm(topic)
cloudwatch.Dashboard(stack, "Dashboard").add_widgets(monitor.dashboard_widget(width=24))

cdk.CfnOutput(stack, "MonitorName", value=monitor.function.function_name)
app.synth()
