"""Histories: stacks that share secrets, people who interfere and calls that fail, made up by Hypothesis.

The machine keeps books of its own on who made which replica, without asking the tags, and compares after each step.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from local.secrets_manager import Dialect, every_dialect
from secret_replication.errors import AccessDeniedError, UnavailableError
from tests.helpers.stack import Properties, RollbackFailedError, Stack
from tests.helpers.turns import Clock, Turns
from tests.helpers.world import PRIMARY, TAG, VALUE, Crash, World

SECRETS = ("app/database", "app/other")
REGIONS = ("eu-west-3", "us-east-1", "ap-southeast-2")
STACKS = ("app", "other")
LOGICAL_IDS = ("One", "Two", "Three")
DEFAULT_KEY = "alias/aws/secretsmanager"
# The default key, one by its id, and two aliases that AWS reports by their keys' ARNs, so that they cannot be compared.
KEYS = ("", "key-1", "alias/one", "alias/two")
ALIASES = {alias: f"arn:aws:kms:eu-west-3:000000000000:key/{alias[6:]}" for alias in KEYS[2:]}
HAND = "by hand"
CALLS = ("describe", "tag", "replicate", "remove", "untag", "promote")
KINDS = ("denied", "unavailable", "answer lost", "crash before", "crash after")
TROUBLE = ("network error", "Access to KMS key is not allowed.", "stalled")

Template = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Calls fail: the ``first`` of their kind and so many after it."""

    call: str
    first: int
    times: int
    kind: str

    def strike(self, count: int, when: str) -> None:
        """Fail, if the count-th call is to; ``when`` it is about to be made, or was carried out."""
        if not self.first <= count < self.first + self.times:
            return
        if self.kind == f"crash {when}":
            raise Crash
        if (self.kind, when) == ("denied", "before"):
            raise AccessDeniedError("AccessDeniedException: scripted")
        if (self.kind, when) in {("unavailable", "before"), ("answer lost", "after")}:
            raise UnavailableError("InternalServiceError: scripted")


@dataclass(frozen=True, slots=True)
class Place:
    """A secret outside the primary's Region, as it is."""

    created: float
    key: str
    primary_region: str | None
    failed: bool
    going: bool


stacks, secrets, regions = (st.sampled_from(names) for names in (STACKS, SECRETS, REGIONS))
faults: st.SearchStrategy[list[Fault]] = st.just([]) | st.lists(
    st.builds(Fault, st.sampled_from(CALLS), st.integers(0, 3), st.integers(1, 4), st.sampled_from(KINDS)),
    min_size=1, max_size=2,
)  # fmt: skip
choices = st.integers(0, len(REGIONS) - 1)
seeds = st.none() | st.integers(0, 2**16)


@st.composite
def templates(draw: st.DrawFn) -> Template:
    """A resource or two, which may share replicas. A SecretId of ``arn:<name>`` stands for the ARN."""
    template: Template = {}
    keys: dict[tuple[str, str], str] = {}
    for logical_id in draw(st.lists(st.sampled_from(LOGICAL_IDS), unique=True, min_size=1, max_size=2)):
        secret = draw(st.sampled_from([SECRETS[0], *SECRETS]))
        declared = draw(st.dictionaries(regions, st.sampled_from(KEYS), min_size=1))
        # Those who share a replica agree on its key.
        declared = {region: keys.setdefault((secret, region), key) for region, key in declared.items()}
        template[logical_id] = {
            "SecretId": draw(st.sampled_from(["", "arn:"])) + secret,
            "ReplicaRegions": [{"Region": region, "KmsKeyId": key} for region, key in declared.items()],
            "ForceOverwriteReplicaSecret": draw(st.sampled_from(["false", "false", "true"])),
            "ReplicaRemovalPolicy": draw(st.sampled_from(["Delete", "Delete", "Delete", "Retain", "Promote"])),
        }
    return template


def secret_of(properties: Properties) -> str:
    """The name of the secret that is meant, by whatever it is called."""
    return next(secret for secret in SECRETS if secret in properties["SecretId"])


def replicas(properties: Properties) -> dict[tuple[str, str], str]:
    """What is declared: secret and Region, to the key."""
    return {(secret_of(properties), entry["Region"]): entry["KmsKeyId"] for entry in properties["ReplicaRegions"]}


class Histories(RuleBasedStateMachine):
    """Two stacks over two secrets, and somebody with a console."""

    @initialize(dialect=st.sampled_from(list(every_dialect())), failed_id_counts=st.booleans())
    def begin(self, dialect: Dialect, failed_id_counts: bool) -> None:
        self.world = World(dialect, direct=True)
        for alias, arn in ALIASES.items():
            self.world.model.script.point_alias(alias, arn)
        self.arns = {SECRETS[0]: self.world.arn, SECRETS[1]: self.world.create(SECRETS[1])}
        self.seed: int | None = None
        self.is_troubled = False
        self.stacks = {name: Stack(name, self.send, failed_id_counts=failed_id_counts) for name in STACKS}
        # Who made what is in a replica's Region, by Region and ARN: HAND, or a stack's name.
        self.makers: dict[tuple[str, str], str] = {}
        # Resources that were told SUCCESS, and whose secret nobody has touched since.
        self.good: set[tuple[str, str]] = set()

    # What stacks do.

    @rule(name=stacks, template=templates(), faults=faults, seed=seeds)
    def deploy(self, name: str, template: Template, faults: list[Fault], seed: int | None) -> None:
        """With a seed, each request is delivered twice, at the same time. What is stuck goes on first."""
        stack = self.stacks[name]
        if stack.is_stuck:
            with self.watched(name, {}, faults), self.failing(may=True):
                stack.resume()
            return
        for properties in template.values():
            if properties["SecretId"].startswith("arn:"):
                properties["SecretId"] = self.arns[properties["SecretId"].removeprefix("arn:")]
        # A replica that was promoted cannot be had back.
        promoted = any(p["ReplicaRemovalPolicy"] == "Promote" for p in (*template.values(), *self.declared(name)))
        undisturbed = not (faults or self.is_troubled or promoted)
        must_converge = undisturbed and {(name, logical_id) for logical_id in stack.resources} <= self.good
        with self.watched(name, template, [] if seed else faults):
            self.seed = seed
            with self.failing(may=not must_converge):
                stack.deploy(template)
        if set(stack.resources) != set(template) or stack.is_stuck or stack.reason:
            self.forget_keys_that_moved(name, template)

    @rule(name=stacks, faults=faults)
    def delete(self, name: str, faults: list[Fault]) -> None:
        with self.watched(name, {}, faults), self.failing(may=bool(faults)):
            self.stacks[name].delete()

    @rule(
        name=stacks, template=templates(), seed=st.integers(0, 2**16), pause=st.sampled_from([0.0, 0.1, 1.0, 4.0, 30.0])
    )
    def create_and_delete_at_once(self, name: str, template: Template, seed: int, pause: float) -> None:
        """P4: another resource fails while a Create runs; its Delete comes with an id that CloudFormation made up."""
        stack = self.stacks[name]
        new = [(logical_id, p) for logical_id, p in template.items() if logical_id not in stack.resources]
        taken = {replica for known in self.declared(name) for replica in replicas(known)}
        new = [(logical_id, p) for logical_id, p in new if not replicas(p).keys() & taken]
        if not new:
            return
        logical_id, properties = new[0]
        properties["SecretId"] = secret_of(properties)
        create = stack.request("Create", logical_id, properties)
        delete = stack.request("Delete", logical_id, properties, stack.invented_id(logical_id))
        is_over = []

        def creating(clock: Clock) -> None:
            self.world.deliver(create, clock)
            is_over.append(True)

        def deleting(clock: Clock) -> Any:
            # What is deleted before anything was tagged, and then made, nobody can know of.
            # A Create that waits goes on only when time does.
            for turn in count(1):
                if is_over or self.tagged(stack.id, logical_id):
                    break
                clock.sleep(0 if turn % 20 else 0.1)
            clock.sleep(pause)
            return self.world.deliver(delete, clock)

        with self.watched(name, template, []):
            _, answer = Turns(self.world.clock, random.Random(seed).randrange).take([creating, deleting])
            assert answer["Status"] == "SUCCESS", answer["Reason"]
            assert not self.tagged(stack.id, logical_id)
            # What the Create has added after the Delete looked, it has taken back.
            self.world.clock.sleep(100)

    @rule(name=stacks)
    def deliver_again(self, name: str) -> None:
        for logical_id, (request, answer) in list(self.stacks[name].last.items()):
            if (name, logical_id) in self.good:
                assert self.world.deliver(request) == answer
                assert self.world.journal.writes == [], "nothing to change, nothing written"

    # What people do.

    @rule(secret=secrets, region=regions, key=st.sampled_from(KEYS[:3]))
    def replicate_by_hand(self, secret: str, region: str, key: str) -> None:
        # What takes the place of one that a stack had made, and its key, nobody can tell from it.
        if self.world.model.find(region, secret) or region in {**self.entries(secret), **self.tags(secret)}:
            return
        entry = {"Region": region} | ({"KmsKeyId": key} if key else {})
        self.by_hand(secret, "replicate_secret_to_regions", AddReplicaRegions=[entry])

    @rule(secret=secrets, choice=choices, wait=st.sampled_from([0, 100]))
    def remove_by_hand(self, secret: str, choice: int, wait: float) -> None:
        if not (entries := sorted(self.entries(secret))):
            return
        region = entries[choice % len(entries)]
        self.by_hand(secret, "remove_regions_from_replication", RemoveReplicaRegions=[region])
        self.world.clock.sleep(wait)
        self.note(HAND)

    @rule(secret=secrets, region=regions)
    def put_in_the_way(self, secret: str, region: str) -> None:
        if self.world.model.find(region, secret):
            return
        self.world.create(secret, region)
        self.touched(secret)

    @rule(choice=choices)
    def clear_away(self, choice: int) -> None:
        """What is in the way of a replica, or was promoted."""
        alone = sorted((place for place, what in self.places().items() if what.primary_region is None))
        if alone:
            region, arn = alone[choice % len(alone)]
            self.world.client(region).delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
            self.touched(next(secret for secret in SECRETS if secret in arn))

    @rule(secret=secrets, choice=choices)
    def break_off(self, secret: str, choice: int) -> None:
        if entries := sorted(self.entries(secret)):
            self.world.model.break_off(PRIMARY, secret, entries[choice % len(entries)], "network error")
            self.touched(secret)

    @rule(secret=secrets)
    def make_anew(self, secret: str) -> None:
        """The secret is deleted, as far as AWS allows it, and made again under its name."""
        for region in list(self.entries(secret)):
            self.by_hand(secret, "remove_regions_from_replication", RemoveReplicaRegions=[region])
        self.world.clock.sleep(100)
        self.world.client().delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
        self.arns[secret] = self.world.create(secret)
        self.touched(secret)

    @rule(region=regions, trouble=st.sampled_from(TROUBLE), times=st.integers(1, 3))
    def trouble_ahead(self, region: str, trouble: str, times: int) -> None:
        """The next replications to a Region fail, or hang."""
        script, self.is_troubled = self.world.model.script, True
        if trouble == "stalled":
            script.stall(region, times=1)
        else:
            script.fail(trouble, region, times=times)

    @rule()
    def trouble_is_over(self) -> None:
        self.world.model.script.heal()
        self.is_troubled = False

    # The machine's books.

    def forget_keys_that_moved(self, name: str, template: Template) -> None:
        """A replica that went to another resource together with a new key, and back in the rollback, keeps that key."""
        keys = {replica: key for properties in template.values() for replica, key in replicas(properties).items()}
        for logical_id, resource in self.stacks[name].resources.items():
            if any(keys.get(replica, key) != key for replica, key in replicas(resource.properties).items()):
                self.good.discard((name, logical_id))

    @contextmanager
    def failing(self, *, may: bool) -> Iterator[None]:
        """A rollback or a deletion, which may get stuck or must not."""
        try:
            yield
        except RollbackFailedError:
            if not may:
                raise

    def send(self, request: dict[str, Any]) -> dict[str, Any] | None:
        if self.seed is None:
            return self.world.deliver(request)
        turns = Turns(self.world.clock, random.Random(self.seed).randrange)
        answer: dict[str, Any] = turns.take([lambda clock: self.world.deliver(request, clock)] * 2)[0]
        return answer

    def entries(self, secret: str) -> dict[str, tuple[str, str]]:
        """The primary's list: Region to status and key."""
        listed = self.world.client().describe_secret(SecretId=self.arns[secret]).get("ReplicationStatus", [])
        return {entry["Region"]: (entry["Status"], entry["KmsKeyId"]) for entry in listed}

    def tags(self, secret: str) -> dict[str, list[str]]:
        """Our tags: Region to the words of the value."""
        tags = self.world.client().describe_secret(SecretId=self.arns[secret])["Tags"]
        return {tag["Key"].removeprefix(TAG): tag["Value"].split() for tag in tags if tag["Key"].startswith(TAG)}

    def tagged(self, stack_id: str, logical_id: str = "") -> dict[tuple[str, str], str]:
        """What is tagged as a stack's, or a resource's: by Region and ARN, created or adopted."""
        return {
            (region, self.arns[secret].replace(PRIMARY, region)): words[0]
            for secret in SECRETS
            for region, words in self.tags(secret).items()
            if stack_id.endswith(words[2]) and (not logical_id or logical_id in words[3].split("/"))
        }

    def created(self, stack: Stack) -> set[tuple[str, str]]:
        """What is tagged as made by a stack."""
        return {place for place, origin in self.tagged(stack.id).items() if origin == "created"}

    def listed(self) -> set[tuple[str, str]]:
        """What the primaries list."""
        return {
            (region, self.arns[secret].replace(PRIMARY, region))
            for secret in SECRETS
            for region in self.entries(secret)
        }

    def declared(self, name: str) -> list[Properties]:
        return [resource.properties for resource in self.stacks[name].resources.values()]

    def places(self) -> dict[tuple[str, str], Place]:
        """What is in the replicas' Regions now."""
        failed = {
            (region, self.arns[secret].replace(PRIMARY, region))
            for secret in SECRETS
            for region, (status, _) in self.entries(secret).items()
            if status == "Failed"
        }
        return {
            (region, found.arn): Place(
                found.created, found.key or "", found.primary_region, (region, found.arn) in failed, found.is_going
            )
            for region in REGIONS
            for found in self.world.model.secrets(region)
        }

    def note(self, maker: str) -> None:
        """Write down what is new as somebody's, and what somebody else than a stack removes; forget what is gone."""
        self.makers = {
            place: HAND if maker == HAND and found.going else self.makers.get(place, maker)
            for place, found in self.places().items()
        }

    def by_hand(self, secret: str, operation: str, **parameters: Any) -> None:
        getattr(self.world.client(), operation)(SecretId=secret, **parameters)
        self.touched(secret)

    def touched(self, secret: str) -> None:
        """Somebody else than the stacks has changed something about a secret."""
        self.note(HAND)
        self.good = {
            (name, logical_id) for name, logical_id in self.good
            if secret != secret_of(self.stacks[name].resources[logical_id].properties)
        }  # fmt: skip

    @contextmanager
    def watched(self, name: str, template: Template, faults: list[Fault]) -> Iterator[None]:
        """A stack does something, while calls fail. Only its own may have changed, and nothing may be left behind."""
        stack, before = self.stacks[name], self.places()
        # CloudFormation knows a secret that is gone, and nothing of the one that is there now under its name.
        lost_sight = any(resource.physical_id not in self.arns.values() for resource in stack.resources.values())
        excused = bool(stack.forgotten) or lost_sight
        asked, listed = dict(stack.last), self.listed() - self.created(stack)
        properties = [*template.values(), *self.declared(name)]
        counts = {(fault, when): 0 for fault in faults for when in ("before", "after")}

        def strike(call: str, when: str) -> None:
            for fault in faults:
                if call.startswith(fault.call):
                    counts[fault, when] += 1
                    fault.strike(counts[fault, when] - 1, when)

        journal = self.world.journal
        journal.before, journal.after = (lambda call: strike(call, "before")), (lambda call: strike(call, "after"))
        yield
        journal.before = journal.after = lambda _: None
        self.seed = None
        for logical_id in LOGICAL_IDS:
            if logical_id not in stack.resources or stack.is_stuck:
                self.good.discard((name, logical_id))
            elif stack.last[logical_id] is not asked.get(logical_id):
                succeeded = stack.last[logical_id][1]["Status"] == "SUCCESS"
                (self.good.add if succeeded else self.good.discard)((name, logical_id))
        self.nothing_else_has_changed(name, before, properties)
        # An entry that was there already stays somebody else's, even when its replica comes only now.
        were_replicas = {place for place, was in before.items() if was.primary_region and not was.going}
        self.makers |= dict.fromkeys(listed & self.makers.keys() - were_replicas, HAND)
        if not stack.is_stuck and not stack.forgotten:
            self.nothing_is_left_behind(name, properties, excused=excused)

    def nothing_else_has_changed(
        self, name: str, before: dict[tuple[str, str], Place], properties: list[Properties]
    ) -> None:
        after = self.places()
        forcing = [p for p in properties if p["ForceOverwriteReplicaSecret"] == "true"]
        forced = {region for p in forcing for _, region in replicas(p)}
        current = {arn.replace(PRIMARY, region) for arn in self.arns.values() for region in REGIONS}
        for place, was in before.items():
            now = after.get(place)
            # A secret at a replica's own ARN has been promoted: nothing overwrites it.
            may_be_overwritten = was.primary_region is None and place[0] in forced and place[1] not in current
            if now != was and (may_be_overwritten or was.going):
                self.makers[place] = name
                continue
            if self.makers[place] == name:
                continue
            assert now, f"{place}, made by {self.makers[place]}, was removed by {name}"
            assert (now.key, now.primary_region) == (was.key, was.primary_region), f"{place} was changed by {name}"
            assert now.created == was.created or was.failed, f"{place} was made anew by {name}"
        self.note(name)

    def nothing_is_left_behind(self, name: str, properties: list[Properties], *, excused: bool) -> None:
        created = self.created(self.stacks[name])
        declared = {
            (region, self.arns[secret].replace(PRIMARY, region))
            for known in self.declared(name)
            for secret, region in replicas(known)
        }
        left = [
            place for place, maker in self.makers.items()
            if maker == name and place not in declared & created
        ]  # fmt: skip
        may_leave = excused or any(p["ReplicaRemovalPolicy"] != "Delete" for p in properties)
        assert not left or may_leave, f"left behind by {name}: {left}"
        self.makers |= dict.fromkeys(left, HAND)

    # What always holds.

    @invariant()
    def what_was_told_success_is_in_sync_with_its_key(self) -> None:
        for name, logical_id in getattr(self, "good", ()):
            properties = self.stacks[name].resources[logical_id].properties
            for (secret, region), key in replicas(properties).items():
                entries = self.entries(secret)
                assert region in entries, f"{region} of {secret} is absent"
                status, actual = entries[region]
                assert status == "InSync"
                assert actual == self.world.model.script.key_behind(key or DEFAULT_KEY)

    @invariant()
    def the_primaries_and_their_values_are_there(self) -> None:
        for arn in getattr(self, "arns", {}).values():
            assert self.world.client().get_secret_value(SecretId=arn)["SecretString"] == VALUE

    # At rest: trouble is over, and what nothing stands in the way of converges.

    def teardown(self) -> None:
        if not hasattr(self, "stacks"):
            return
        self.trouble_is_over()
        for name, stack in self.stacks.items():
            with self.watched(name, {}, []), self.failing(may=True):
                stack.resume()
            for logical_id, resource in list(stack.resources.items()):
                if not stack.is_stuck and not self.is_in_the_way(stack, resource.properties):
                    self.converges(name, logical_id)
        for name, stack in self.stacks.items():
            stack_id, is_sure = stack.id, not stack.forgotten
            is_sure &= all(resource.physical_id in self.arns.values() for resource in stack.resources.values())
            with self.watched(name, {}, []):
                stack.delete()
            assert not is_sure or not self.tagged(stack_id)

    def converges(self, name: str, logical_id: str) -> None:
        """An update that changes nothing of ours makes true again what a resource declares."""
        stack = self.stacks[name]
        template = {known: dict(resource.properties) for known, resource in stack.resources.items()}
        template[logical_id]["ServiceTimeout"] = "3600"
        with self.watched(name, {}, []):
            assert stack.deploy(template), stack.reason
        self.what_was_told_success_is_in_sync_with_its_key()

    def is_in_the_way(self, stack: Stack, properties: Properties) -> bool:
        """Whether the secret is gone, or a replica hangs, is not this stack's, or is another secret's."""
        secret = secret_of(properties)
        if properties["SecretId"] not in (secret, self.arns[secret]):
            return True
        entries, tags, there = self.entries(secret), self.tags(secret), self.places()
        for _, region in replicas(properties):
            status, _ = entries.get(region, ("", ""))
            is_ours = region in tags and stack.id.endswith(tags[region][2]) and tags[region][0] == "created"
            found = [arn for where, arn in there if where == region and secret in arn]
            strange = [arn for arn in found if arn != self.arns[secret].replace(PRIMARY, region)]
            alone = [arn for arn in found if there[region, arn].primary_region is None]
            if strange or alone or status == "InProgress" or not (is_ours or (region not in tags and not status)):
                return True
        return False
