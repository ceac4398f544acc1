"""One function for many stacks: its owner deploys it and says what it may replicate; the others use its ARN."""

import os

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as sm

from cdk_replicated_secret import ReplicatedSecret, ReplicationProvider

EXPORT, PREFIX = "SecretReplication", "app/"

app = cdk.App()
env = cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region="us-west-2")

# The owner's stack. It knows nothing of the stacks that come, so its rights go by name: every secret under app/.
owner = cdk.Stack(app, "Replication", env=env)
provider = ReplicationProvider(owner, "Provider", memory_size=256)
secrets = f"secret:{PREFIX}*"
primaries = f"arn:{owner.partition}:secretsmanager:{owner.region}:{owner.account}:{secrets}"
everywhere = f"arn:{owner.partition}:secretsmanager:*:{owner.account}:{secrets}"
provider.grant(
    owner,
    # docs/permissions.md has the reason for each. For PROMOTE add StopReplicationToReplica, for customer keys add KMS.
    [
        iam.PolicyStatement(
            actions=["secretsmanager:ReplicateSecretToRegions", "secretsmanager:RemoveRegionsFromReplication"],
            resources=[primaries],
        ),
        iam.PolicyStatement(
            actions=["secretsmanager:TagResource", "secretsmanager:UntagResource"],
            resources=[primaries],
            conditions={"ForAllValues:StringLike": {"aws:TagKeys": ["cdk-replicated-secret:*"]}},
        ),
        iam.PolicyStatement(actions=["secretsmanager:DescribeSecret"], resources=[everywhere]),
    ],
)
cdk.CfnOutput(owner, "ServiceToken", value=provider.service_token, export_name=EXPORT)

# The stacks of others; they may as well be apps of their own. Neither has a function or a role.
for name in ("Orders", "Invoices"):
    stack = cdk.Stack(app, name, env=env)
    stack.add_stack_dependency(owner)
    secret = sm.Secret(stack, "Secret", secret_name=f"{PREFIX}{name.lower()}", removal_policy=cdk.RemovalPolicy.DESTROY)
    ReplicatedSecret(
        stack,
        "Database",
        secret=secret,
        regions=["eu-west-3"],
        provider=ReplicationProvider.from_service_token(stack, "Provider", cdk.Fn.import_value(EXPORT)),
    ).add_outputs()

app.synth()
