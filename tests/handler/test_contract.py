"""The contract of the resource, in the manner of CloudFormation's own suite: each test proves the MUST sentence it has.

Each is tried with made-up properties, under every dialect of AWS in turn, through the protocol.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.secrets_manager import every_dialect
from secret_replication.errors import AccessDeniedError
from tests.helpers.stack import RollbackFailedError, Stack
from tests.helpers.turns import Clock, Turns
from tests.helpers.world import PRIMARY, TAG, Crash, World

NAME = "app/database"
REGIONS = ("eu-west-3", "us-east-1", "ap-southeast-2")
HOST = "cloudformation-custom-resource-response-uswest2.s3.us-west-2.amazonaws.com"
# F25: reads are current, or up to 3 s old.
worlds = st.builds(
    lambda dialect, lag, seed: World(dialect, direct=True, lag=lag, seed=seed),
    st.sampled_from(list(every_dialect())),
    st.sampled_from([0.0, 3.0]),
    st.integers(0, 2**16),
)
declarations = st.dictionaries(st.sampled_from(REGIONS), st.sampled_from(["", "key-1", "key-2"]), min_size=1)
names = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=255)
contract = settings(max_examples=60, deadline=None)

Account = Mapping[tuple[str, str], Any]


def properties(regions: Mapping[str, str], secret: str = NAME, **more: str) -> dict[str, Any]:
    return {
        "SecretId": secret,
        "ReplicaRegions": [{"Region": region, "KmsKeyId": key} for region, key in regions.items()],
        **more,
    }


def stack_in(world: World, name: str = "app") -> Stack:
    return Stack(name, world.deliver)


def account(world: World) -> Account:
    """All that there is in the account: by Region and name the key, what it is a replica of, and its tags."""
    return {
        (region, found.name): (
            found.arn,
            found.key,
            found.primary_region,
            dict(found.content.tags),
            list(found.entries),
        )
        for region in (PRIMARY, *REGIONS)
        for found in world.model.secrets(region)
    }


def replicas(world: World, secret: str = NAME) -> dict[str, tuple[str, str]]:
    """DescribeSecret's list: Region to status and key."""
    listed = world.model.describe(PRIMARY, secret).get("ReplicationStatus", [])
    return {entry["Region"]: (entry["Status"], entry["KmsKeyId"]) for entry in listed}


def in_sync(regions: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {region: ("InSync", key or "alias/aws/secretsmanager") for region, key in regions.items()}


def deployed(world: World, stack: Stack, template: Mapping[str, Any]) -> dict[str, Any]:
    """Deploy what must succeed; the response about its last resource."""
    assert stack.deploy(template), stack.reason
    return stack.last[list(template)[-1]][1]


@contract
@given(worlds, declarations)
def contract_create_delete(world: World, regions: dict[str, str]) -> None:
    """A stack that is created and deleted MUST leave the account as it found it."""
    before, stack = account(world), stack_in(world)
    deployed(world, stack, {"One": properties(regions)})
    assert account(world) != before
    stack.delete()
    assert account(world) == before


@contract
@given(worlds, declarations)
def contract_create_read(world: World, regions: dict[str, str]) -> None:
    """What GetAtt says after a Create MUST be what DescribeSecret says."""
    response = deployed(world, stack_in(world), {"One": properties(regions)})
    data, described = response["Data"], world.model.describe(PRIMARY, NAME)
    assert response["PhysicalResourceId"] == data["ARN"] == described["ARN"]
    listed = json.loads(data["ReplicationStatus"])
    assert listed == sorted(described["ReplicationStatus"], key=lambda entry: str(entry["Region"]))
    assert data["Regions"].split(",") == sorted(regions)
    assert (data["PrimaryRegion"], replicas(world)) == (PRIMARY, in_sync(regions))
    for region in regions:
        there = world.model.describe(region, NAME)
        assert data[f"ReplicaArn.{region}"] == there["ARN"]
        assert (data[f"Status.{region}"], data[f"KmsKeyId.{region}"]) == ("InSync", there["KmsKeyId"])


@contract
@given(worlds, declarations, declarations)
def contract_update_read(world: World, before: dict[str, str], after: dict[str, str]) -> None:
    """An Update MUST keep the id, and apply the new list in full."""
    stack = stack_in(world)
    created = deployed(world, stack, {"One": properties(before)})
    updated = deployed(world, stack, {"One": properties(after)})
    assert updated["PhysicalResourceId"] == created["PhysicalResourceId"]
    assert replicas(world) == in_sync(after)
    assert not any(world.model.find(region, NAME) for region in REGIONS if region not in after)


@contract
@given(worlds, declarations, declarations)
def contract_redelivery(world: World, before: dict[str, str], after: dict[str, str]) -> None:
    """A request that is delivered again MUST get the same response, and nothing more MUST be written."""
    stack = stack_in(world)
    for regions in (before, after):
        response = deployed(world, stack, {"One": properties(regions)})
        assert world.deliver(stack.last["One"][0]) == response
        assert world.journal.writes == []
    delete = stack.request("Delete", "One", properties(after), world.arn)
    assert world.deliver(delete) == world.deliver(delete)
    assert world.journal.writes == []


GONE: dict[str, Callable[[World], Any]] = {
    "the secret": lambda world: world.client().delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True),
    "the secret, for a while": lambda world: world.client().delete_secret(SecretId=NAME),
    "the tags": lambda world: world.client().untag_resource(
        SecretId=NAME, TagKeys=[f"{TAG}{region}" for region in REGIONS]
    ),
    "nothing else": lambda world: None,
}


@pytest.mark.parametrize("gone", GONE)
@contract
@given(worlds, declarations, st.sampled_from(["Delete", "Retain", "Promote"]))
def contract_delete_of_a_secret_that_is_gone(gone: str, world: World, regions: dict[str, str], policy: str) -> None:
    """A Delete of what is gone already MUST succeed (P10)."""
    stack = stack_in(world)
    deployed(world, stack, {"One": properties(regions, ReplicaRemovalPolicy=policy)})
    world.client().remove_regions_from_replication(SecretId=NAME, RemoveReplicaRegions=list(regions))
    world.clock.sleep(100)
    GONE[gone](world)
    stack.delete()


@contract
@given(worlds, declarations, st.sampled_from(["Delete", "Retain", "Promote"]))
def contract_delete_without_access_to_a_region(world: World, regions: dict[str, str], policy: str) -> None:
    """A Delete MUST NOT be held up by a Region that can no longer be asked."""
    stack, lost = stack_in(world), min(regions)
    deployed(world, stack, {"One": properties(regions, ReplicaRemovalPolicy=policy)})
    world.fail_calls(f"describe {lost}", AccessDeniedError("AccessDeniedException: not authorized"))
    stack.delete()
    assert world.tags() == {}


@pytest.mark.parametrize("gone", ["the secret", "the secret, for a while"])
@contract
@given(worlds, declarations, declarations)
def contract_update_of_a_secret_that_is_gone(
    gone: str, world: World, before: dict[str, str], after: dict[str, str]
) -> None:
    """A Create or an Update whose secret is gone MUST fail, name it, and write nothing."""
    stack = stack_in(world)
    deployed(world, stack, {"One": properties(before)})
    world.client().remove_regions_from_replication(SecretId=NAME, RemoveReplicaRegions=list(before))
    GONE[gone](world)
    # A call that is made before then is rejected.
    world.clock.sleep(world.model.script.lag_seconds)
    for request in (
        stack.request("Update", "One", properties(after), world.arn, properties(before)),
        stack.request("Create", "Two", properties(after)),
    ):
        response = world.deliver(request)
        assert response
        assert (response["Status"], response["Reason"].split(":")[0], NAME in response["Reason"]) == (
            "FAILED",
            "NotFound",
            True,
        )
        assert world.journal.writes == []


@contract
@given(worlds, declarations, declarations)
def contract_create_after_delete(world: World, before: dict[str, str], after: dict[str, str]) -> None:
    """It MUST be possible to create immediately what was just deleted."""
    stack = stack_in(world)
    deployed(world, stack, {"One": properties(before)})
    stack.delete()
    deployed(world, stack, {"One": properties(after)})
    assert replicas(world) == in_sync(after)


@contract
@given(worlds, declarations, declarations, st.sampled_from(REGIONS))
def contract_rollback(world: World, before: dict[str, str], after: dict[str, str], taken: str) -> None:
    """An Update that fails MUST be rolled back to what was (P3), and MUST NOT have removed a replica that was good."""
    before.pop(taken, None)
    stack = stack_in(world)
    deployed(world, stack, {"One": properties(before)})
    world.create(region=taken)
    as_it_was = account(world)
    there = {region: world.model.find(region, NAME) for region in before}
    assert not stack.deploy({"One": properties(after | {taken: ""})})
    assert taken in stack.reason
    assert replicas(world) == in_sync(before)
    assert {place: found[:3] for place, found in account(world).items()} == {
        place: found[:3] for place, found in as_it_was.items()
    }
    kept = [region for region in before if region not in after or after[region] == before[region]]
    assert all(world.model.find(region, NAME) is there[region] for region in kept)


@contract
@given(worlds, declarations, declarations)
def contract_replacement(world: World, before: dict[str, str], after: dict[str, str]) -> None:
    """Another secret MUST be another id, and the Delete for the old id (P3) MUST remove the old replicas only."""
    stack, other = stack_in(world), world.create("app/other")
    deployed(world, stack, {"One": properties(before)})
    response = deployed(world, stack, {"One": properties(after, "app/other")})
    assert response["PhysicalResourceId"] == other
    assert replicas(world, "app/other") == in_sync(after)
    assert (replicas(world), world.tags()) == ({}, {})
    assert not any(world.model.find(region, NAME) for region in REGIONS)


@contract
@given(worlds, declarations, declarations, st.booleans())
def contract_rollback_of_a_replacement(
    world: World, before: dict[str, str], after: dict[str, str], failed_id_counts: bool
) -> None:
    """A failed Update to another secret MUST leave nothing there, whatever CloudFormation makes of its id (P11)."""
    other = world.create("app/other")
    stack = Stack("app", world.deliver, failed_id_counts=failed_id_counts)
    deployed(world, stack, {"One": properties(before)})
    as_it_was = account(world)
    assert not stack.deploy({"One": properties(after, "app/other"), "Two": properties({}, "missing")})
    assert stack.resources["One"].physical_id == world.arn
    assert account(world) == as_it_was
    assert world.deliver(stack.request("Delete", "One", properties(after, "app/other"), other))
    assert account(world) == as_it_was


@contract
@given(worlds, declarations, st.booleans(), st.booleans())
def contract_rollback_of_a_replacement_that_failed(
    world: World, before: dict[str, str], made_anew: bool, failed_id_counts: bool
) -> None:
    """A rollback MUST undo what a failed Update did to another secret, even if its own was recreated."""
    world.create("app/other")
    world.create("app/other", "us-east-1")
    stack = Stack("app", world.deliver, failed_id_counts=failed_id_counts)
    deployed(world, stack, {"One": properties({} if made_anew else before)})
    if made_anew:
        world.client().delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True)
        world.arn = world.create()
    assert not stack.deploy({"One": properties({"eu-west-3": "", "us-east-1": ""}, "app/other")})
    assert replicas(world, "app/other") == {}
    assert world.model.find("eu-west-3", "app/other") is None
    assert stack.resources["One"].physical_id == world.arn


@contract
@given(worlds, names, names, declarations, st.booleans())
def contract_p1_one_response(world: World, stack: str, logical_id: str, regions: dict[str, str], exists: bool) -> None:
    """P1: there MUST be one response of at most 4,096 bytes, with the ids, and with a Reason where it is FAILED."""
    made = stack_in(world, stack[:128])
    request = made.request("Create", logical_id, properties(regions, NAME if exists else "missing"))
    response = world.deliver(request)  # It checks the number and the size.
    assert response
    assert [response[key] for key in ("StackId", "RequestId", "LogicalResourceId")] == [made.id, "1", logical_id]
    assert 1 <= len(response["PhysicalResourceId"]) <= 1024
    assert response["Status"] == ("SUCCESS" if exists else "FAILED")
    assert bool(response.get("Reason")) != exists
    assert all(isinstance(value, str) for value in response.get("Data", {}).values())


@contract
@given(worlds, declarations, st.sampled_from(["true", "True", "false"]))
def contract_p2_strings(world: World, regions: dict[str, str], force: str) -> None:
    """P2: booleans MUST be understood as strings, and properties that CloudFormation adds MUST be passed over."""
    given_ = properties(regions, ForceOverwriteReplicaSecret=force, ServiceTimeout="3600", ServiceToken="token")
    deployed(world, stack_in(world), {"One": given_})
    assert replicas(world) == in_sync(regions)


@contract
@given(worlds, declarations, st.integers(0, 2**16), st.sampled_from(["Delete", "Retain", "Promote"]))
def contract_p4_delete_while_create_runs(world: World, regions: dict[str, str], seed: int, policy: str) -> None:
    """P4: a Delete that comes while Create runs, with an id that CloudFormation made up, MUST leave no tag.

    With the policy Delete it MUST leave nothing at all.
    """
    before, stack = account(world), stack_in(world)
    declared = properties(regions, ReplicaRemovalPolicy=policy)
    create, delete = (
        stack.request("Create", "One", declared),
        stack.request("Delete", "One", declared, stack.invented_id("One")),
    )

    def deleting(clock: Clock) -> Any:
        while not world.tags():
            clock.sleep(0)
        clock.sleep(seed % 7)
        return world.deliver(delete, clock)

    runs = [lambda clock: world.deliver(create, clock), deleting]
    _, response = Turns(world.clock, random.Random(seed).randrange).take(runs)
    assert response["Status"] == "SUCCESS", response["Reason"]
    assert world.tags() == {}
    world.clock.sleep(100)
    assert policy != "Delete" or account(world) == before


@contract
@given(worlds, declarations, st.booleans())
def contract_p5_rename(world: World, regions: dict[str, str], rolled_back: bool) -> None:
    """P5: a renamed logical ID MUST leave every replica as it is, whether the rename is completed or rolled back."""
    stack, other = stack_in(world), world.create("app/other")
    deployed(world, stack, {"One": properties(regions)})
    there = [world.model.find(region, NAME) for region in regions]
    fails = {"Three": properties({"eu-west-3": ""}, "missing")} if rolled_back else {}
    assert stack.deploy({"Two": properties(regions)} | fails) == (not rolled_back)
    assert all(world.model.find(region, NAME) is found for region, found in zip(regions, there, strict=True))
    assert set(world.tags().values()) == {f"created by {'One' if rolled_back else 'Two'}"}
    assert replicas(world, other) == {}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", ["describe", "tag", "replicate", "remove", "untag"])
@contract
@given(worlds, declarations, declarations, st.integers(0, 3))
def contract_p6_crash(
    call: str, when: str, world: World, before: dict[str, str], after: dict[str, str], count: int
) -> None:
    """P6: a run that ends at any call, before it or after it was carried out, and is tried again MUST end the same."""
    left = count

    def crash(made: str) -> None:
        nonlocal left
        if made.startswith(call):
            left -= 1
            if left == -1:
                raise Crash

    stack, empty = stack_in(world), account(world)
    setattr(world.journal, when, crash)
    for template in ({"One": properties(before)}, {"One": properties(after)}):
        deployed(world, stack, template)
        left = count
    assert replicas(world) == in_sync(after)
    stack.delete()
    assert account(world) == empty


@contract
@given(worlds, declarations, names)
def contract_p7_service_token(world: World, regions: dict[str, str], token: str) -> None:
    """P7: what a resource owns MUST NOT depend on the provider that serves it."""
    stack = stack_in(world)
    deployed(world, stack, {"One": properties(regions)})
    before = account(world)
    deployed(world, stack, {"One": properties(regions, ServiceToken=token)})
    assert account(world) == before


@contract
@given(worlds, declarations, declarations)
def contract_p8_attributes(world: World, before: dict[str, str], after: dict[str, str]) -> None:
    """P8: Create and Update MUST return the same attributes for the same Regions."""
    stack = stack_in(world)
    created = deployed(world, stack, {"One": properties(before)})
    deployed(world, stack, {"One": properties(after)})
    again = deployed(world, stack, {"One": properties(before)})
    assert created["Data"] == again["Data"]
    assert {key.split(".")[0] for key in created["Data"]} == {
        "ARN", "PrimaryRegion", "ReplicationStatus", "Regions", "Status", "ReplicaArn", "KmsKeyId",
    }  # fmt: skip


@contract
@given(
    worlds, declarations, st.sampled_from(["Create", "Update", "Delete", "Frobnicate"]), st.sampled_from([NAME, "x"])
)
def contract_p9_response_url(world: World, regions: dict[str, str], operation: str, secret: str) -> None:
    """P9: neither the ResponseURL nor an attribute MUST be in the log."""
    request = stack_in(world).request(operation, "One", properties(regions, secret), world.arn)
    response = world.deliver(request)
    assert response
    told = json.dumps(world.log.lines)
    assert HOST in request["ResponseURL"]
    assert HOST not in told
    assert not any(value in told for key, value in response.get("Data", {}).items() if key == "ReplicationStatus")


def contract_tests_assert() -> None:
    """The suite MUST be able to fail: with a function that does nothing it does."""
    world = World(direct=True)
    stack = Stack("app", lambda request: {"Status": "SUCCESS", "PhysicalResourceId": "id", "Data": {}})
    deployed(world, stack, {"One": properties({"eu-west-3": ""})})
    assert replicas(world) != in_sync({"eu-west-3": ""})
    failing = Stack("app", lambda request: None)
    with pytest.raises(RollbackFailedError):
        failing.deploy({"One": properties({"eu-west-3": ""})})
