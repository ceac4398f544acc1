"""From the first deployment of a replicated secret to its removal. Each step checks what it shows."""

from __future__ import annotations

import json

from local.cdk import Cdk
from local.server import REGION

from .account import Account, DemoError, check
from .screen import Screen

STACK = "ReplicatedSecret"
SECONDS = 50
_IN_DETAIL = "SecretReplicationStatus"
_KEPT, _DROPPED, _ADDED = "eu-west-3", "us-east-1", "ap-southeast-2"


def play(cdk: Cdk, account: Account, screen: Screen) -> None:
    """Deploy a replicated secret, read it, change its Regions, destroy it.

    Raises:
        DemoError: If a step does not have the result that it shows.
    """
    screen.step("cdk bootstrap", "What the CDK needs in an account, once. About 3 s.")
    screen.work(cdk.bootstrap)
    _deploy(cdk, account, screen)
    _read(account, screen)
    _change(cdk, account, screen)
    _destroy(cdk, account, screen)


def _deploy(cdk: Cdk, account: Account, screen: Screen) -> None:
    screen.step(
        "cdk deploy",
        f"A new secret in {REGION}, replicated to {_KEPT} and {_DROPPED}. About 8 s, the first 3 to synthesize.",
    )
    with screen.watch(account.looks(STACK, [_KEPT, _DROPPED])) as meanwhile:
        cdk.deploy(STACK, meanwhile=meanwhile)
    outputs = account.outputs(STACK)
    for key in sorted(outputs.keys() - {_IN_DETAIL}):
        screen.quote(f"{key} = {outputs[key]}")
    reported = {entry["Region"]: entry["Status"] for entry in json.loads(outputs[_IN_DETAIL])}
    check("the outputs", reported, {_KEPT: "InSync", _DROPPED: "InSync"})


def _read(account: Account, screen: Screen) -> None:
    screen.step(f"aws secretsmanager get-secret-value --region {_KEPT}", "The same value, made for this demo.")
    values = {region: account.value(region) for region in (REGION, _KEPT)}
    for region, value in values.items():
        screen.quote(f"{region}  {value}")
    if not values[REGION]:
        raise DemoError(f"the secret in {REGION} has no value")
    check(f"the value in {_KEPT}", values[_KEPT], values[REGION])


def _change(cdk: Cdk, account: Account, screen: Screen) -> None:
    screen.step(
        f"cdk deploy -c replicaRegions={_KEPT},{_ADDED}",
        f"{_ADDED} is added, {_DROPPED} is dropped. It waits until the replica in {_DROPPED} is gone: about 23 s.",
    )
    before = account.secret(_KEPT)
    with screen.watch(account.looks(STACK, [_KEPT, _DROPPED, _ADDED])) as meanwhile:
        cdk.deploy(STACK, {"replicaRegions": f"{_KEPT},{_ADDED}"}, meanwhile)
    check("the replicas", account.statuses(), {_KEPT: "InSync", _ADDED: "InSync"})
    check(f"the secret in {_DROPPED}", account.secret(_DROPPED), None)
    after = account.secret(_KEPT)
    check(f"the replica in {_KEPT}", after and after["CreatedDate"], before and before["CreatedDate"])
    screen.quote(f"{_DROPPED} removed, {_ADDED} added, {_KEPT} untouched")


def _destroy(cdk: Cdk, account: Account, screen: Screen) -> None:
    screen.step("cdk destroy", "It removes each replica, waits until it is gone, and deletes the secret: about 18 s.")
    with screen.watch(account.looks(STACK, [_KEPT, _ADDED])) as meanwhile:
        cdk.destroy(STACK, meanwhile=meanwhile)
    for region in (REGION, _KEPT, _DROPPED, _ADDED):
        check(f"the secret in {region}", account.secret(region), None)
    screen.quote("every replica and the primary removed")
