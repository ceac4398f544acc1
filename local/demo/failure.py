"""A replica's name is taken: the stack rolls back and says why; with the native property it is complete."""

from __future__ import annotations

import time

from local.cdk import Cdk, CdkError
from local.server import REGION

from .account import Account, DemoError, check
from .screen import Screen

SECONDS = 40
_NAME, _STACK, _NATIVE = "app/database", "ReplicatedSecret-app-database", "Native"
_FREE, _TAKEN = "eu-west-3", "us-east-1"
_OTHERS = "another team's value"
_REASON = (
    f"NotStabilized: {_TAKEN}: Replication failed: Secret name {_NAME} already exists in region {_TAKEN}. To fix this, "
)
_TEMPLATE = f"""\
Resources:
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties:
      Name: {_NAME}
      GenerateSecretString: {{}}
      ReplicaRegions: [{{Region: {_FREE}}}, {{Region: {_TAKEN}}}]"""
_LOOK_EVERY = 0.25
_SETTLES_WITHIN = 30.0


def play(cdk: Cdk, account: Account, screen: Screen) -> None:
    """Deploy where the name is taken: with this resource, and with the native property.

    Raises:
        DemoError: If a step does not have the result that it shows.
    """
    screen.step("cdk bootstrap", "What the CDK needs in an account, once. About 3 s.")
    screen.work(cdk.bootstrap)
    screen.step(
        f"aws secretsmanager create-secret --name {_NAME}",
        f"A secret in {REGION} to replicate, and in {_TAKEN} another team's secret of the same name.",
    )
    account.client("secretsmanager").create_secret(Name=_NAME, SecretString="ours")
    account.client("secretsmanager", _TAKEN).create_secret(Name=_NAME, SecretString=_OTHERS)
    _replicated(cdk, account, screen)
    _native(account, screen)


def _replicated(cdk: Cdk, account: Account, screen: Screen) -> None:
    screen.step(
        f"cdk deploy -c secretId={_NAME}",
        f"To {_FREE} and {_TAKEN}. It retries, fails, and waits until what it added is gone: about 32 s.",
    )
    try:
        with screen.watch(account.looks(_STACK, [_FREE, _TAKEN])) as meanwhile:
            cdk.deploy(_STACK, {"secretId": _NAME}, meanwhile)
    except CdkError:
        pass
    else:
        raise DemoError("cdk deploy succeeded, although the name is taken")
    reason = account.reason(_STACK)
    screen.quote(reason, "red")
    check("the stack", account.stack_status(_STACK), "ROLLBACK_COMPLETE")
    check("the reason", reason[: len(_REASON)], _REASON)
    check("the replicas", account.statuses(), {})
    check(f"the replica in {_FREE}", account.secret(_FREE), None)
    check(f"the value in {_TAKEN}", account.value(_TAKEN), _OTHERS)
    screen.quote(f"Nothing is left in {_FREE}, and the other team's secret is untouched.")


def _native(account: Account, screen: Screen) -> None:
    secrets, cloudformation = account.client("secretsmanager"), account.client("cloudformation")
    secrets.delete_secret(SecretId=_NAME, ForceDeleteWithoutRecovery=True)
    screen.step(
        f"aws cloudformation create-stack --stack-name {_NATIVE}",
        "The same name with the native property, which can replicate only a secret that its stack creates. About 1 s.",
    )
    screen.quote(_TEMPLATE)
    with screen.watch(account.looks(_NATIVE, [_FREE, _TAKEN])) as meanwhile:
        cloudformation.create_stack(StackName=_NATIVE, TemplateBody=_TEMPLATE)
        give_up = time.monotonic() + _SETTLES_WITHIN
        while not _is_settled(account):
            if time.monotonic() > give_up:
                raise DemoError(f"the replicas are not settled after {_SETTLES_WITHIN:g} s: {account.statuses()}")
            meanwhile()
            time.sleep(_LOOK_EVERY)
    (failed,) = (entry for entry in account.replication() if entry["Status"] == "Failed")
    screen.quote(f"{failed['Region']} {failed['Status']}: {failed['StatusMessage']}", "red")
    check("the native stack", account.stack_status(_NATIVE), "CREATE_COMPLETE")
    check("the native replicas", account.statuses(), {_FREE: "InSync", _TAKEN: "Failed"})
    screen.say(f"\n{'what replicates':24}{'the stack says':20}DescribeSecret says", "bold")
    screen.say(f"{'ReplicatedSecret':24}{account.stack_status(_STACK):20}no replicas, nothing left behind")
    replicas = ", ".join(f"{region} {status}" for region, status in account.statuses().items())
    screen.say(f"{'native ReplicaRegions':24}{account.stack_status(_NATIVE):20}{replicas}")
    screen.say("Local AWS models the native property as documented (docs/design/aws-facts.md, F12).", "dim")


def _is_settled(account: Account) -> bool:
    in_progress = account.stack_status(_NATIVE).endswith("_IN_PROGRESS")
    return not in_progress and "InProgress" not in account.statuses().values()
