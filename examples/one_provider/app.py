"""One function for many stacks: each stack that uses it gives it the rights to its own secrets."""

import os

import aws_cdk as cdk

from cdk_replicated_secret import ReplicatedSecret, ReplicationProvider

app = cdk.App()
env = cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region="us-west-2")

owner = cdk.Stack(app, "Replication", env=env)
provider = ReplicationProvider(owner, "Provider", memory_size=256)

# They have no function and no role, only a policy on the function's role. In an app of its own a stack would take
# ReplicationProvider.from_service_token(...), and the rights would be for the owner of the function to give.
for name in ("Orders", "Invoices"):
    stack = cdk.Stack(app, name, env=env)
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"], provider=provider).add_outputs()

app.synth()
