"""A CDK app whose values are parameters, conditions, dynamic references and a lookup: see test_values.py."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Aws, Fn, Token
from aws_cdk import aws_secretsmanager as sm
from aws_cdk import aws_ssm as ssm

from cdk_replicated_secret import ReplicaRegion, ReplicatedSecret

app = cdk.App()
environment = cdk.Environment(account="000000000000", region="us-west-2")
stack = cdk.Stack(app, "Values", env=environment)


def parameter(name: str, kind: str = "String") -> cdk.CfnParameter:
    return cdk.CfnParameter(stack, name, type=kind, default="")


def only_if(condition: str, region: str) -> str:
    return Token.as_string(Fn.condition_if(condition, region, Aws.NO_VALUE))


key, region, regions = parameter("Key"), parameter("Region"), parameter("Regions", "CommaDelimitedList")
answer = cdk.CfnParameter(stack, "Answer", default="Yes").value_as_string
for condition in ("Yes", "No"):
    cdk.CfnCondition(stack, condition, expression=Fn.condition_equals(answer, condition))

name = "{{resolve:ssm:/app/name}}"
forced_key = ssm.StringParameter.from_string_parameter_attributes(
    stack, "ForcedKey", parameter_name="/app/key", force_dynamic_reference=True
)
# Every value is there: the CLI looks the Regions up, and CloudFormation resolves the name and the key.
ReplicatedSecret(
    stack,
    "Given",
    secret=sm.Secret.from_secret_name_v2(stack, "ByDynamicReference", name),
    regions=[
        ReplicaRegion(only_if("Yes", "eu-west-3"), encryption_key=forced_key.string_value),
        *ssm.StringParameter.value_from_lookup(stack, "/app/regions").split(","),
    ],
).add_outputs()
# Nothing is there but a Region whose key is blank.
ReplicatedSecret(
    stack,
    "Blank",
    secret=sm.Secret.from_secret_complete_arn(
        stack, "ByParameter", ssm.StringParameter.value_for_string_parameter(stack, "/app/arn")
    ),
    regions=[
        only_if("No", "eu-west-3"),
        ReplicaRegion(only_if("No", "eu-west-1"), encryption_key="alias/app"),
        region.value_as_string,
        ReplicaRegion("us-east-1", encryption_key=key.value_as_string),
    ],
).add_outputs()
ReplicatedSecret(stack, "None", regions=regions.value_as_list).add_outputs()
app.synth()
