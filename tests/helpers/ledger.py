"""A ledger of who made which replica and which value, kept without asking the tags, and what must hold of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.helpers.stack import Properties, Stack
from tests.helpers.world import PRIMARY, TAG, VALUE, World

SECRETS = ("app/database", "app/other")
REGIONS = ("eu-west-3", "us-east-1", "ap-southeast-2")
DEFAULT_KEY = "alias/aws/secretsmanager"
# Who makes what is in a replica's Region: a stack, by its name, or a person.
PERSON = "a person"

Template = dict[str, dict[str, Any]]
Place = tuple[str, str]  # A Region and an ARN.


@dataclass(frozen=True, slots=True)
class Found:
    """A secret outside the primary's Region, as it is."""

    created: float
    key: str
    primary_region: str | None
    failed: bool
    going: bool

    @property
    def is_replica(self) -> bool:
        """Whether it is neither standalone nor being removed."""
        return self.primary_region is not None and not self.going


def secret_of(properties: Properties) -> str:
    """The name of the declared secret, which may be declared by its ARN."""
    return next(secret for secret in SECRETS if secret in properties["SecretId"])


def replicas(properties: Properties) -> dict[tuple[str, str], str]:
    """The declared replicas: secret and Region, to the key."""
    return {(secret_of(properties), entry["Region"]): entry["KmsKeyId"] for entry in properties["ReplicaRegions"]}


class Ledger:
    """Who made what.

    Attributes:
        arns: the primaries', by name.
        makers: who made what is in a replica's Region: ``PERSON``, or a stack's name.
        values: what people wrote to secrets outside the primary's Region.
        good: resources with a SUCCESS, whose secret no person has touched since.
    """

    def __init__(self, world: World, stacks: Mapping[str, Stack]) -> None:
        self.world, self.stacks = world, stacks
        self.arns = {SECRETS[0]: world.arn, SECRETS[1]: world.create(SECRETS[1])}
        self.makers: dict[Place, str] = {}
        self.values: dict[Place, str] = {}
        self.good: set[tuple[str, str]] = set()
        self._touched_at: dict[str, float] = {}

    # What there is.

    def place(self, secret: str, region: str) -> Place:
        """Where a primary's replica is."""
        return region, self.arns[secret].replace(PRIMARY, region)

    def entries(self, secret: str) -> dict[str, tuple[str, str]]:
        """The primary's list: Region to status and key."""
        listed = self.world.model.describe(PRIMARY, self.arns[secret]).get("ReplicationStatus", [])
        return {entry["Region"]: (entry["Status"], entry["KmsKeyId"]) for entry in listed}

    def tags(self, secret: str) -> dict[str, list[str]]:
        """Our tags: Region to the words of the value."""
        tags = self.world.model.describe(PRIMARY, self.arns[secret])["Tags"]
        return {tag["Key"].removeprefix(TAG): tag["Value"].split() for tag in tags if tag["Key"].startswith(TAG)}

    def tagged(self, stack_id: str, logical_id: str = "") -> dict[Place, str]:
        """The places tagged as a stack's, or a resource's: created or adopted."""
        return {
            self.place(secret, region): words[0]
            for secret in SECRETS
            for region, words in self.tags(secret).items()
            if stack_id.endswith(words[2]) and (not logical_id or logical_id in words[3].split("/"))
        }

    def created(self, stack: Stack) -> set[Place]:
        """The places tagged as created by a stack."""
        return {place for place, origin in self.tagged(stack.id).items() if origin == "created"}

    def listed(self) -> dict[Place, str]:
        """What the primaries list: place to status."""
        return {
            self.place(secret, region): status
            for secret in SECRETS
            for region, (status, _) in self.entries(secret).items()
        }

    def declared(self, name: str) -> list[Properties]:
        """The properties of a stack's resources."""
        return [resource.properties for resource in self.stacks[name].resources.values()]

    def found(self) -> dict[Place, Found]:
        """What is in the replicas' Regions now."""
        failed = {place for place, status in self.listed().items() if status == "Failed"}
        return {
            (region, one.arn): Found(
                one.created, one.key or "", one.primary_region, (region, one.arn) in failed, one.is_going
            )
            for region in REGIONS
            for one in self.world.model.secrets(region)
        }

    def replicas_of(self, secret: str) -> list[str]:
        """The Regions that have a replica of a secret which is not being removed."""
        places = {self.place(secret, region): region for region in REGIONS}
        return [places[place] for place, found in self.found().items() if place in places and found.is_replica]

    # What is written down.

    def note(self, maker: str) -> None:
        """Write down who made what is new; what a person removes or promotes is that person's. Forget what is gone."""
        self.makers = {
            place: PERSON if maker == PERSON and not found.is_replica else self.makers.get(place, maker)
            for place, found in self.found().items()
        }

    def touched(self, secret: str, ago: float = 0.0) -> None:
        """A person has changed something about a secret, so many seconds ago."""
        self.note(PERSON)
        self._touched_at[secret] = self.world.clock.now() - ago
        # What a person deletes is not lost, even if all that the person did was to remove the Region (U14).
        going = {place for place, found in self.found().items() if found.going}
        self.values = {place: value for place, value in self.values.items() if place in self.makers.keys() - going}
        self.good = {
            (name, logical_id)
            for name, logical_id in self.good
            if secret != secret_of(self.stacks[name].resources[logical_id].properties)
        }

    def tags_are_lost(self, secret: str) -> None:
        """No tag says who made the replicas of a secret: they are adopted at best, and may stay behind."""
        lost = {self.place(secret, region) for region in self.replicas_of(secret)}
        self.makers |= dict.fromkeys(lost, PERSON)
        self.touched(secret)

    def keys_may_have_moved(self, name: str, template: Template) -> None:
        """A replica that went to another resource together with a new key, and back in the rollback, keeps that key."""
        keys = {replica: key for properties in template.values() for replica, key in replicas(properties).items()}
        for logical_id, resource in self.stacks[name].resources.items():
            if any(keys.get(replica, key) != key for replica, key in replicas(resource.properties).items()):
                self.good.discard((name, logical_id))

    @contextmanager
    def watching(self, name: str, template: Template) -> Iterator[None]:
        """A stack does something. Nothing but what it made may change, and it may leave nothing behind."""
        stack, before = self.stacks[name], self.found()
        # What a person did moments ago may be missing in every read of a deployment that changes nothing (F25).
        since = self.world.clock.now() - self.world.model.script.lag_seconds
        unseen = {secret for secret, at in self._touched_at.items() if at > since}
        # CloudFormation knows a secret that is gone, and nothing of the one that is there now under its name.
        lost_sight = any(resource.physical_id not in self.arns.values() for resource in stack.resources.values())
        excused = bool(stack.forgotten) or lost_sight
        asked, listed = dict(stack.last), self.listed().keys() - self.created(stack)
        # A rollback that is resumed undoes what an earlier template declared, by the policy that stood there.
        tried = [properties for failed in stack.tried.values() for properties in failed]
        properties = [*template.values(), *self.declared(name), *tried]
        yield
        for logical_id in {*asked, *stack.last}:
            if logical_id not in stack.resources or stack.is_stuck:
                self.good.discard((name, logical_id))
            elif stack.last[logical_id] is not asked.get(logical_id):
                succeeded = stack.last[logical_id][1]["Status"] == "SUCCESS"
                known = secret_of(stack.resources[logical_id].properties) not in unseen
                (self.good.add if succeeded and known else self.good.discard)((name, logical_id))
        self.nothing_else_has_changed(name, before, properties)
        # An entry that was there already is another's, even if its replica comes only now.
        were_replicas = {place for place, was in before.items() if was.is_replica}
        self.makers |= dict.fromkeys(listed & self.makers.keys() - were_replicas, PERSON)
        if not stack.is_stuck and not stack.forgotten:
            self.nothing_is_left_behind(name, properties, excused=excused)

    # What must hold.

    def nothing_else_has_changed(self, name: str, before: dict[Place, Found], properties: list[Properties]) -> None:
        """A stack changes what it made, what was being removed, and what it overwrites by force: nothing else."""
        after = self.found()
        forcing = [p for p in properties if p["ForceOverwriteReplicaSecret"] == "true"]
        forced = {region for p in forcing for _, region in replicas(p)}
        current = {self.place(secret, region) for secret in SECRETS for region in REGIONS}
        for place, was in before.items():
            now = after.get(place)
            # A secret at a replica's own ARN has been promoted: nothing overwrites it.
            may_be_overwritten = was.primary_region is None and place[0] in forced and place not in current
            if now != was and (may_be_overwritten or was.going):
                self.makers[place] = name
                self.values.pop(place, None)
                continue
            if self.makers[place] == name:
                continue
            assert now, f"{place}, made by {self.makers[place]}, was removed by {name}"
            assert (now.key, now.primary_region) == (was.key, was.primary_region), f"{place} was changed by {name}"
            assert now.created == was.created or was.failed, f"{place} was made again by {name}"
        self.note(name)

    def nothing_is_left_behind(self, name: str, properties: list[Properties], *, excused: bool) -> None:
        """What a stack made is declared, and tagged as created."""
        declared = {self.place(*replica) for known in self.declared(name) for replica in replicas(known)}
        kept = declared & self.created(self.stacks[name])
        left = [place for place, maker in self.makers.items() if maker == name and place not in kept]
        may_leave = excused or any(p["ReplicaRemovalPolicy"] != "Delete" for p in properties)
        assert not left or may_leave, f"left behind by {name}: {left}"
        self.makers |= dict.fromkeys(left, PERSON)

    def what_was_told_success_is_in_sync_with_its_key(self) -> None:
        """Whatever a response said SUCCESS about."""
        for name, logical_id in self.good:
            properties = self.stacks[name].resources[logical_id].properties
            for (secret, region), key in replicas(properties).items():
                status, actual = self.entries(secret).get(region, ("absent", ""))
                assert status == "InSync", f"{region} of {secret} is {status}"
                assert actual == self.world.model.script.key_behind(key or DEFAULT_KEY)

    def no_value_is_lost(self) -> None:
        """The primaries' values, and those that people wrote elsewhere."""
        primaries = {(PRIMARY, arn): VALUE for arn in self.arns.values()}
        for (region, arn), value in (primaries | self.values).items():
            found = self.world.model.find(region, arn)
            assert found, f"{arn} with the value {value} was deleted"
            assert not found.is_replica
            assert not found.is_going, f"{arn} with the value {value} is being deleted"
            current = [one.string for one in found.content.versions.values() if "AWSCURRENT" in one.stages]
            assert current == [value], f"the value {value} of {arn} was overwritten"

    def is_in_the_way(self, stack: Stack, properties: Properties) -> bool:
        """Whether the secret is gone, or a replica hangs, is not this stack's, or is another secret's."""
        secret = secret_of(properties)
        if properties["SecretId"] not in (secret, self.arns[secret]):
            return True
        entries, tags, there = self.entries(secret), self.tags(secret), self.found()
        for _, region in replicas(properties):
            status, _ = entries.get(region, ("", ""))
            is_ours = region in tags and stack.id.endswith(tags[region][2]) and tags[region][0] == "created"
            found = [place for place in there if place[0] == region and secret in place[1]]
            strange = [place for place in found if place != self.place(secret, region)]
            alone = [place for place in found if there[place].primary_region is None]
            if strange or alone or status == "InProgress" or not (is_ours or (region not in tags and not status)):
                return True
        return False
