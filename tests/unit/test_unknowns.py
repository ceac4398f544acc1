"""The switches for what is not known about AWS (U1 to U18), value by value."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import fields, replace
from enum import Enum
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.secrets_manager import Dialect, every_dialect, plausible_dialects
from local.secrets_manager import dialect as d
from tests.helpers.world import PRIMARY, World

Outcome = str
FACTS = Path(__file__).parents[2] / "docs" / "design" / "aws-facts.md"


def replicate(world: World, region: str = "eu-west-3", key: str = "", **more: Any) -> Outcome:
    """Replicate, wait, and say what came of it: an error's code, or the Region's status."""
    entry = {"Region": region} | ({"KmsKeyId": key} if key else {})
    try:
        world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[entry], **more)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    first = world.statuses().get(region)
    world.clock.sleep(5)
    return f"{first} {world.statuses().get(region)}"


def u1(world: World) -> Outcome:
    replicate(world)
    return replicate(world)


def u2(world: World) -> Outcome:
    replicate(world)
    outcome = replicate(world, key="key-1")
    (entry,) = world.client().describe_secret(SecretId=world.arn)["ReplicationStatus"]
    return f"{outcome} {entry['KmsKeyId']}"


def u3(world: World) -> Outcome:
    world.model.script.fail("network error", times=1)
    replicate(world)
    return replicate(world)


def u4(world: World) -> Outcome:
    try:
        world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=["eu-west-3"])
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "ok"


def u5(world: World) -> Outcome:
    world.model.script.disable_region("eu-south-2")
    return f"{replicate(world, 'eu-south-2')}, {replicate(world, 'cn-north-1')}"


def u6(world: World) -> Outcome:
    world.create(region="eu-west-3")
    world.client("eu-west-3").delete_secret(SecretId="app/database")
    without = replicate(world)
    return f"{without}, {replicate(world, ForceOverwriteReplicaSecret=True)}"


def u7(world: World) -> Outcome:
    world.arn = world.client().create_secret(Name="empty")["ARN"]
    return replicate(world)


def u8(world: World) -> Outcome:
    world.arn = world.create("rds!cluster")
    return replicate(world)


def u9(world: World) -> Outcome:
    replicate(world)
    world.client("eu-west-3").stop_replication_to_replica(SecretId="app/database")
    return str(world.statuses())


def u10(world: World) -> Outcome:
    world.model.script.deny_key("key-1")
    return replicate(world, key="key-1")


def u11(world: World) -> Outcome:
    world.create(region="eu-west-3")
    replicate(world)
    world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=["eu-west-3"])
    world.clock.sleep(100)
    return f"{world.statuses()} {world.exists('eu-west-3')}"


def u12(world: World) -> Outcome:
    replicate(world)
    world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=["eu-west-3"])
    outcome = replicate(world)
    world.clock.sleep(100)
    return f"{outcome} {world.statuses()['eu-west-3']} {world.exists('eu-west-3')}"


def u13(world: World) -> Outcome:
    for region in ("us-east-1", "eu-west-3"):
        replicate(world, region)
    return " ".join(world.statuses())


def u14(world: World) -> Outcome:
    replicate(world)
    world.client("eu-west-3").stop_replication_to_replica(SecretId="app/database")
    world.client("eu-west-3").put_secret_value(SecretId="app/database", SecretString="newer")
    world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=["eu-west-3"])
    world.clock.sleep(100)
    return f"{world.statuses()} {world.exists('eu-west-3')}"


def u15(world: World) -> Outcome:
    tags = [{"Key": key, "Value": "x"} for key in ("aws:cloudformation:stack-id", "team")]
    world.client().tag_resource(SecretId=world.arn, Tags=tags)
    replicate(world)
    described = world.client("eu-west-3").describe_secret(SecretId=world.arn.replace(PRIMARY, "eu-west-3"))
    assert len(world.client().describe_secret(SecretId=world.arn)["Tags"]) == 2
    return " ".join(tag["Key"] for tag in described["Tags"])


def u16(world: World) -> Outcome:
    """Only a removed replica differs: what was never there is not found."""
    replicate(world)
    world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=["eu-west-3"])
    world.clock.sleep(100)
    codes = []
    for region in ("eu-west-3", "us-east-1"):
        with pytest.raises(ClientError) as error:
            world.client(region).describe_secret(SecretId=world.arn.replace(PRIMARY, region))
        codes.append(error.value.response["Error"]["Code"])
    return " ".join(codes)


def u17(world: World) -> Outcome:
    tags = [{"Key": key, "Value": "x"} for key in ("aws:cloudformation:stack-id", "team", "declared")]
    world.client().tag_resource(SecretId=world.arn, Tags=tags)
    replicate(world)
    properties = {"Name": "app/database", "Tags": [{"Key": "declared", "Value": "x"}]}
    world.model.import_into_stack(PRIMARY, world.arn, properties)
    left = world.client().describe_secret(SecretId=world.arn)["Tags"]
    return " ".join([*(tag["Key"] for tag in left), *world.statuses()])


def u18(world: World) -> Outcome:
    """Which of three guards on the primary's key lets a replication through."""
    passed = []
    for context in ("primary", "replica", "none"):
        world.arn = world.create(context, KmsKeyId=f"key-{context}")
        arns = {"primary": world.arn, "replica": world.arn.replace(PRIMARY, "eu-west-3")}
        world.model.script.guard_key(f"key-{context}", arns.get(context))
        passed += [context] * (replicate(world) == AGAIN)
    return " ".join(passed)


DONE, AGAIN, FAILED = "InSync InSync", "InProgress InSync", "InProgress Failed"
ROWS: list[tuple[Callable[[World], Outcome], str, Enum, Outcome]] = [
    (u1, "same_key_again", d.SameKeyAgain.NO_OP, DONE),
    (u1, "same_key_again", d.SameKeyAgain.INVALID_PARAMETER, "InvalidParameterException"),
    (u1, "same_key_again", d.SameKeyAgain.INVALID_REQUEST, "InvalidRequestException"),
    (u1, "same_key_again", d.SameKeyAgain.IN_PROGRESS, AGAIN),
    (u2, "other_key", d.OtherKey.CHANGES, f"{AGAIN} key-1"),
    (u2, "other_key", d.OtherKey.IGNORED, f"{DONE} alias/aws/secretsmanager"),
    (u2, "other_key", d.OtherKey.ERROR, "InvalidParameterException alias/aws/secretsmanager"),
    (u3, "failed_again", d.FailedAgain.RETRIED, AGAIN),
    (u3, "failed_again", d.FailedAgain.ERROR, "InvalidParameterException"),
    (u4, "remove_absent", d.RemoveAbsent.IGNORED, "ok"),
    (u4, "remove_absent", d.RemoveAbsent.ERROR, "InvalidParameterException"),
    (u5, "bad_region", d.BadRegion.ERROR, "InvalidParameterException, InvalidParameterException"),
    (u5, "bad_region", d.BadRegion.FAILED, f"{FAILED}, {FAILED}"),
    (u6, "deleted_there", d.DeletedThere.FAILED, f"{FAILED}, {FAILED}"),
    (u6, "deleted_there", d.DeletedThere.FORCE_TAKES_IT, f"{FAILED}, {AGAIN}"),
    (u7, "no_value", d.NoValue.IN_SYNC, AGAIN),
    (u7, "no_value", d.NoValue.IN_PROGRESS, "InProgress InProgress"),
    (u7, "no_value", d.NoValue.FAILED, FAILED),
    (u8, "service_managed", d.ServiceManaged.ALLOWED, AGAIN),
    (u8, "service_managed", d.ServiceManaged.ERROR, "InvalidRequestException"),
    (u9, "after_stop", d.AfterStop.GONE, "{}"),
    (u9, "after_stop", d.AfterStop.FAILED, "{'eu-west-3': 'Failed'}"),
    (u9, "after_stop", d.AfterStop.IN_SYNC, "{'eu-west-3': 'InSync'}"),
    (u10, "key_denied", d.KeyDenied.FAILED, FAILED),
    (u10, "key_denied", d.KeyDenied.ERROR, "AccessDeniedException"),
    (u11, "remove_failed", d.RemoveFailed.ENTRY_ONLY, "{} True"),
    (u12, "while_removing", d.WhileRemoving.FAILED, f"{FAILED} Failed False"),
    (u12, "while_removing", d.WhileRemoving.WAITS, "InProgress InProgress InSync True"),
    (u13, "order", d.Order.REQUEST, "us-east-1 eu-west-3"),
    (u13, "order", d.Order.ANY, "eu-west-3 us-east-1"),
    (u14, "promoted_removed", d.PromotedRemoved.STAYS, "{} True"),
    (u14, "promoted_removed", d.PromotedRemoved.DELETED, "{} False"),
    (u15, "system_tags", d.SystemTags.COPIED, "aws:cloudformation:stack-id team"),
    (u15, "system_tags", d.SystemTags.NOT_COPIED, "team"),
    (u16, "removed_replica", d.RemovedReplica.NOT_FOUND, "ResourceNotFoundException ResourceNotFoundException"),
    (u16, "removed_replica", d.RemovedReplica.ACCESS_DENIED, "AccessDeniedException ResourceNotFoundException"),
    (u17, "imported", d.Imported.STAY, "aws:cloudformation:stack-id team declared eu-west-3"),
    (u17, "imported", d.Imported.REMOVED, "aws:cloudformation:stack-id declared"),
    (u18, "decrypt_context", d.DecryptContext.PRIMARY, "primary"),
    (u18, "decrypt_context", d.DecryptContext.REPLICA, "replica"),
    (u18, "decrypt_context", d.DecryptContext.NONE, "none"),
]


@pytest.mark.parametrize(
    ("act", "name", "value", "outcome"), ROWS, ids=[f"{act.__name__}-{value.value}" for act, _, value, _ in ROWS]
)
def test_each_switch_does_what_its_value_says(
    world: World, act: Callable[[World], Outcome], name: str, value: Enum, outcome: Outcome
) -> None:
    changed: Any = {name: value}
    if name == "promoted_removed":
        changed["after_stop"] = d.AfterStop.IN_SYNC  # The Region is still listed.
    world.model.replication.dialect = replace(Dialect(), **changed)
    assert act(world) == outcome


def test_every_value_of_every_unknown_is_tried_here() -> None:
    kinds: list[type[Enum]] = [type(getattr(Dialect(), field.name)) for field in fields(Dialect)]
    values = {value for kind in kinds for value in kind}
    assert values == {value for _, _, value, _ in ROWS}


def test_every_unknown_of_the_facts_has_a_switch() -> None:
    facts = re.findall(r"^U(\d+)\. ", FACTS.read_text(), re.MULTILINE)
    switches = [re.match(r"U(\d+)\.", str(type(getattr(Dialect(), field.name)).__doc__)) for field in fields(Dialect)]
    assert [int(fact) for fact in facts] == [int(switch[1]) for switch in switches if switch]


def test_every_dialect_holds_each_combination_of_a_promotion_and_a_removal_after_it() -> None:
    pairs = {(dialect.after_stop, dialect.promoted_removed) for dialect in every_dialect()}
    assert pairs == set(itertools.product(d.AfterStop, d.PromotedRemoved))


def test_the_plausible_dialects_hold_every_pair_of_values() -> None:
    dialects = list(plausible_dialects())
    assert dialects[0] == Dialect()
    assert len(dialects) < 30
    for one, other in combinations([field.name for field in fields(Dialect)], 2):
        kinds = (type(getattr(Dialect(), one)), type(getattr(Dialect(), other)))
        wanted = {(a, b) for a in kinds[0] for b in kinds[1]}
        assert wanted == {(getattr(dialect, one), getattr(dialect, other)) for dialect in dialects}


def test_dialects_are_distinct() -> None:
    dialects = list(every_dialect())
    assert len(set(dialects)) == len(dialects) > 500
    assert Dialect() in dialects


def test_a_cross_partition_region_is_seen_from_both_sides() -> None:
    world = World()
    assert replicate(world, "us-gov-west-1") == "InvalidParameterException"
    assert PRIMARY == "us-west-2"
