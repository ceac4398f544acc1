"""One function for many stacks: each stack adds the permissions for its own secrets."""

import os

import aws_cdk as cdk

from cdk_replicated_secret import ReplicatedSecret, ReplicationProvider

app = cdk.App()
env = cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region="us-west-2")

owner = cdk.Stack(app, "Replication", env=env)
provider = ReplicationProvider(owner, "Provider", memory_size=512)

# These stacks have no function and no role, only a policy on the function's role. A stack in another app would use
# ReplicationProvider.from_service_token(...), and the function's owner would manage its permissions.
for name in ("Orders", "Invoices"):
    stack = cdk.Stack(app, name, env=env)
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"], provider=provider).add_outputs()

app.synth()
