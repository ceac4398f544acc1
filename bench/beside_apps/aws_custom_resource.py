"""Replicated with the API's calls, made by the CDK's AwsCustomResource."""

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as sm
from aws_cdk import custom_resources as cr

REGIONS = ["eu-west-3", "us-east-1"]

app = cdk.App()
stack = cdk.Stack(app, app.node.get_context("stack"), env=cdk.Environment(region="us-west-2"))
secret = sm.Secret.from_secret_name_v2(stack, "Existing", app.node.get_context("secret"))
replicate = cr.AwsSdkCall(
    service="SecretsManager",
    action="replicateSecretToRegions",
    parameters={"SecretId": secret.secret_name, "AddReplicaRegions": [{"Region": region} for region in REGIONS]},
    physical_resource_id=cr.PhysicalResourceId.of(secret.secret_name),
)
remove = cr.AwsSdkCall(
    service="SecretsManager",
    action="removeRegionsFromReplication",
    parameters={"SecretId": secret.secret_name, "RemoveReplicaRegions": REGIONS},
)
cr.AwsCustomResource(
    stack,
    "Replicated",
    on_create=replicate,
    on_update=replicate,
    on_delete=remove,
    policy=cr.AwsCustomResourcePolicy.from_sdk_calls(resources=[f"{secret.secret_arn}-??????"]),
    # With True, the CDK's default, the function installs the SDK with npm at each cold start.
    install_latest_aws_sdk=False,
)
app.synth()
