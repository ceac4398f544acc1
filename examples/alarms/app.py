"""Alarms on deployments: a resource failed, a replica was left, or the function did not respond."""

import os

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns

from cdk_replicated_secret import ReplicatedSecret, ReplicationProvider

app = cdk.App()
env = cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region="us-west-2")
stack = cdk.Stack(app, "Alarms", env=env)

ReplicatedSecret(stack, "Database", regions=["eu-west-3"]).add_outputs()

# Subscribe to the topic: AWS sends you an e-mail to confirm it.
topic = sns.Topic(stack, "Operations")

# The function that serves all ReplicatedSecrets of the stack.
provider = ReplicationProvider.get_or_create(stack)
for name, metric in {
    "ResponsesFailed": provider.metric_responses_failed(),
    "ReplicasUnverified": provider.metric_replicas_unverified(),
    "ReplicasUnowned": provider.metric_replicas_unowned(),
    "FunctionErrors": provider.function.metric_errors(),
}.items():
    alarm = metric.create_alarm(
        stack,
        name,
        threshold=1,
        evaluation_periods=1,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    alarm.add_alarm_action(actions.SnsAction(topic))

app.synth()
