"""Histories: stacks that share secrets, people who interfere and calls that fail, made up by Hypothesis.

``tests.helpers.ledger`` keeps a ledger of who made what, and says after each step what must hold.
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
from tests.helpers.ledger import REGIONS, SECRETS, Ledger, Template, replicas, secret_of
from tests.helpers.stack import RollbackFailedError, Stack
from tests.helpers.turns import Clock, Turns
from tests.helpers.world import PRIMARY, TAG, Crash, World

STACKS = ("app", "other")
LOGICAL_IDS = ("One", "Two", "Three")
# The default key, one by its id, and two aliases that AWS reports by their keys' ARNs, so that KMS has to be asked.
KEYS = ("", "key-1", "alias/one", "alias/two")
ALIASES = {alias: f"arn:aws:kms:eu-west-3:000000000000:key/{alias[6:]}" for alias in KEYS[2:]}
CALLS = ("describe", "tag", "replicate", "remove", "untag", "promote")
KINDS = ("denied", "unavailable", "response lost", "crash before", "crash after")
TROUBLE = ("network error", "Access to KMS key is not allowed.", "stalled")
POLICIES = ("Delete", "Delete", "Delete", "Retain", "Promote")
# F25: how old reads may be, and how long a person waits until no read can miss what was done.
LAGS, SETTLED = (0.0, 3.0), 4.0
# F18: until a removed replica is gone.
GONE = 100.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Calls fail: the ``first`` of their kind and so many after it."""

    call: str
    first: int
    times: int
    kind: str

    def strike(self, count: int, when: str) -> None:
        """Fail, if the count-th call is to; ``when``: ``before`` it is made, or ``after`` it was carried out."""
        if not self.first <= count < self.first + self.times:
            return
        if self.kind == f"crash {when}":
            raise Crash
        if (self.kind, when) == ("denied", "before"):
            raise AccessDeniedError("AccessDeniedException: scripted")
        if (self.kind, when) in {("unavailable", "before"), ("response lost", "after")}:
            raise UnavailableError("InternalServiceError: scripted")


stacks, secrets, regions = (st.sampled_from(names) for names in (STACKS, SECRETS, REGIONS))
faults: st.SearchStrategy[list[Fault]] = st.just([]) | st.lists(
    st.builds(Fault, st.sampled_from(CALLS), st.integers(0, 3), st.integers(1, 4), st.sampled_from(KINDS)),
    min_size=1,
    max_size=2,
)
choices = st.integers(0, len(REGIONS) - 1)
seeds = st.integers(0, 2**16)
waits = st.sampled_from([0.0, SETTLED])


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
            "ReplicaRemovalPolicy": draw(st.sampled_from(POLICIES)),
        }
    return template


class Acts(RuleBasedStateMachine):
    """What stacks and people do, in detail."""

    world: World
    stacks: dict[str, Stack]
    ledger: Ledger
    is_troubled = False
    seed: int | None = None

    @contextmanager
    def acting(self, name: str, template: Template, faults: list[Fault], *, may_fail: bool) -> Iterator[Stack]:
        """A stack does something, while calls fail. A rollback or a deletion may get stuck, or must not."""
        with self.ledger.watching(name, template), self.striking(faults):
            try:
                yield self.stacks[name]
            except RollbackFailedError:
                if not may_fail:
                    raise
        # CloudFormation's next operation begins later than that, its next request does not.
        self.world.clock.sleep(SETTLED)

    @contextmanager
    def striking(self, faults: list[Fault]) -> Iterator[None]:
        counts = {(fault, when): 0 for fault in faults for when in ("before", "after")}

        def strike(call: str, when: str) -> None:
            for fault in faults:
                if call.startswith(fault.call):
                    counts[fault, when] += 1
                    fault.strike(counts[fault, when] - 1, when)

        journal = self.world.journal
        journal.before, journal.after = (lambda call: strike(call, "before")), (lambda call: strike(call, "after"))
        try:
            yield
        finally:
            journal.before = journal.after = lambda _: None

    def send(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Deliver a request; with a seed twice, concurrently."""
        if self.seed is None:
            return self.world.deliver(request)
        turns = Turns(self.world.clock, random.Random(self.seed).randrange)
        response: dict[str, Any] = turns.take([lambda clock: self.world.deliver(request, clock)] * 2)[0]
        return response

    def with_arns(self, template: Template) -> Template:
        for properties in template.values():
            if properties["SecretId"].startswith("arn:"):
                properties["SecretId"] = self.ledger.arns[properties["SecretId"].removeprefix("arn:")]
        return template

    def must_converge(self, name: str, template: Template, faults: list[Fault]) -> bool:
        """Whether nothing prevents a rollback. A promoted replica does not come back."""
        properties = [*template.values(), *self.ledger.declared(name)]
        promoted = any(p["ReplicaRemovalPolicy"] == "Promote" for p in properties)
        known = {(name, logical_id) for logical_id in self.stacks[name].resources}
        return not (faults or self.is_troubled or promoted) and known <= self.ledger.good

    def create_and_delete(self, stack: Stack, logical_id: str, properties: dict[str, Any], pause: float) -> list[Any]:
        """A Create and its Delete, which comes ``pause`` seconds after the first tag."""
        create = stack.request("Create", logical_id, properties)
        delete = stack.request("Delete", logical_id, properties, stack.invented_id(logical_id))
        is_over = []

        def creating(clock: Clock) -> Any:
            response = self.world.deliver(create, clock)
            is_over.append(True)
            return response

        def deleting(clock: Clock) -> Any:
            # What is deleted before anything was tagged, and then made, is not known to anyone.
            # A Create that waits goes on only when time does.
            for turn in count(1):
                if is_over or self.ledger.tagged(stack.id, logical_id):
                    break
                clock.sleep(0 if turn % 20 else 0.1)
            clock.sleep(pause)
            return self.world.deliver(delete, clock)

        return Turns(self.world.clock, random.Random(self.seed).randrange).take([creating, deleting])

    def new_resource(self, name: str, template: Template) -> tuple[str, dict[str, Any]] | None:
        """A resource of the template that the stack does not have, and that shares no replica with one it has."""
        taken = {replica for known in self.ledger.declared(name) for replica in replicas(known)}
        for logical_id, properties in template.items():
            if logical_id not in self.stacks[name].resources and not replicas(properties).keys() & taken:
                return logical_id, properties | {"SecretId": secret_of(properties)}
        return None

    def by_hand(self, secret: str, operation: str, region: str = PRIMARY, *, wait: float = 0.0, **more: Any) -> None:
        """A person calls AWS about a secret, or about what is at its replica's place in a Region, and waits."""
        arn = self.ledger.arns[secret].replace(PRIMARY, region)
        getattr(self.world.client(region), operation)(SecretId=arn, **more)
        self.ledger.touched(secret)
        self.world.clock.sleep(wait)
        self.ledger.touched(secret, ago=wait)

    def promote(self, secret: str, region: str) -> None:
        self.by_hand(secret, "stop_replication_to_replica", region)

    def write(self, secret: str, region: str, arn: str) -> None:
        """A person writes a value that nothing else holds."""
        value = f"written by a person, number {len(self.ledger.values)}, at {self.world.clock.now()}"
        self.world.client(region).put_secret_value(SecretId=arn, SecretString=value)
        self.ledger.values[region, arn] = value
        self.ledger.touched(secret)

    def discard(self, region: str, arn: str) -> None:
        """A person deletes a secret that is not a replica."""
        self.world.client(region).delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
        self.ledger.values.pop((region, arn), None)
        self.ledger.touched(next(secret for secret in SECRETS if secret in arn))


class Histories(Acts):
    """Two stacks over two secrets, and people with a console."""

    @initialize(
        dialect=st.sampled_from(list(every_dialect())), failed_id_counts=st.booleans(),
        lag=st.sampled_from(LAGS), lag_seed=seeds,
    )  # fmt: skip
    def begin(self, dialect: Dialect, failed_id_counts: bool, lag: float, lag_seed: int) -> None:
        self.world = World(dialect, direct=True, lag=lag, seed=lag_seed)
        for alias, arn in ALIASES.items():
            self.world.model.script.point_alias(alias, arn)
        self.stacks = {name: Stack(name, self.send, failed_id_counts=failed_id_counts) for name in STACKS}
        self.ledger = Ledger(self.world, self.stacks)

    # What stacks do.

    @rule(name=stacks, template=templates(), faults=faults)
    def deploy(self, name: str, template: Template, faults: list[Fault]) -> None:
        """A stack that is stuck has to go on first."""
        may_fail = not self.must_converge(name, self.with_arns(template), faults)
        if self.stacks[name].is_stuck:
            with self.acting(name, {}, faults, may_fail=True) as stack:
                stack.resume()
            return
        with self.acting(name, template, faults, may_fail=may_fail) as stack:
            stack.deploy(template)
        if set(stack.resources) != set(template) or stack.is_stuck or stack.reason:
            self.ledger.keys_may_have_moved(name, template)

    @rule(name=stacks, template=templates(), seed=seeds)
    def deploy_with_each_request_delivered_twice(self, name: str, template: Template, seed: int) -> None:
        self.seed = seed
        self.deploy(name, template, [])
        self.seed = None

    @rule(name=stacks, faults=faults)
    def delete(self, name: str, faults: list[Fault]) -> None:
        with self.acting(name, {}, faults, may_fail=bool(faults)) as stack:
            stack.delete()

    @rule(name=stacks, template=templates(), seed=seeds, pause=st.sampled_from([0.0, 0.1, 1.0, 4.0, 30.0]))
    def delete_while_create_runs(self, name: str, template: Template, seed: int, pause: float) -> None:
        """P4: another resource fails while a Create runs; its Delete comes with an id that CloudFormation made up."""
        if not (new := self.new_resource(name, template)):
            return
        self.seed = seed
        with self.acting(name, template, [], may_fail=False) as stack:
            _, response = self.create_and_delete(stack, *new, pause)
            assert response["Status"] == "SUCCESS", response["Reason"]
            assert not self.ledger.tagged(stack.id, new[0])
            # What the Create added after the Delete had observed, the Create has removed.
            self.world.clock.sleep(GONE)
        self.seed = None

    @rule(name=stacks)
    def deliver_again(self, name: str) -> None:
        for logical_id, (request, response) in list(self.stacks[name].last.items()):
            if (name, logical_id) in self.ledger.good:
                assert self.world.deliver(request) == response
                assert self.world.journal.writes == [], "nothing to change, nothing written"

    # What people do.

    @rule(secret=secrets, region=regions, key=st.sampled_from(KEYS[:3]))
    def a_person_makes_a_replica(self, secret: str, region: str, key: str) -> None:
        # One that replaces a stack's replica and has its key looks the same.
        known = {**self.ledger.entries(secret), **self.ledger.tags(secret)}
        if region not in known and not self.world.model.find(region, secret):
            entry = {"Region": region} | ({"KmsKeyId": key} if key else {})
            self.by_hand(secret, "replicate_secret_to_regions", AddReplicaRegions=[entry], wait=SETTLED)

    @rule(secret=secrets, choice=choices, wait=st.sampled_from([0.0, GONE]))
    def a_person_removes_a_replica(self, secret: str, choice: int, wait: float) -> None:
        if entries := sorted(self.ledger.entries(secret)):
            region = entries[choice % len(entries)]
            self.by_hand(secret, "remove_regions_from_replication", RemoveReplicaRegions=[region], wait=wait)

    @rule(secret=secrets, choice=choices, wait=waits)
    def a_person_promotes_a_replica_and_writes_a_newer_value_to_it(self, secret: str, choice: int, wait: float) -> None:
        if there := self.ledger.replicas_of(secret):
            region = there[choice % len(there)]
            self.promote(secret, region)
            self.write(secret, *self.ledger.place(secret, region))
            self.world.clock.sleep(wait)

    @rule(secret=secrets, choice=choices)
    def a_person_promotes_a_replica_and_deletes_it(self, secret: str, choice: int) -> None:
        if there := self.ledger.replicas_of(secret):
            region = there[choice % len(there)]
            self.promote(secret, region)
            self.discard(*self.ledger.place(secret, region))

    @rule(secret=secrets)
    def a_person_strips_our_tags(self, secret: str) -> None:
        if keys := [f"{TAG}{region}" for region in self.ledger.tags(secret)]:
            self.by_hand(secret, "untag_resource", TagKeys=keys, wait=SETTLED)
            self.ledger.tags_are_lost(secret)

    @rule(secret=secrets, region=regions)
    def a_person_makes_a_secret_of_the_name(self, secret: str, region: str) -> None:
        if not self.world.model.find(region, secret):
            self.write(secret, region, self.world.create(secret, region))

    @rule(choice=choices)
    def a_person_deletes_a_secret_that_is_no_replica(self, choice: int) -> None:
        if alone := sorted(place for place, found in self.ledger.found().items() if found.primary_region is None):
            self.discard(*alone[choice % len(alone)])

    @rule(secret=secrets)
    def a_person_makes_the_secret_again(self, secret: str) -> None:
        """It is deleted, as far as AWS allows it, and recreated under its name."""
        for region in list(self.ledger.entries(secret)):
            self.by_hand(secret, "remove_regions_from_replication", RemoveReplicaRegions=[region])
        self.world.clock.sleep(GONE)
        self.world.client().delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
        self.ledger.arns[secret] = self.world.create(secret)
        self.world.clock.sleep(SETTLED)
        self.ledger.touched(secret)

    # What happens.

    @rule(secret=secrets, choice=choices)
    def a_replica_breaks(self, secret: str, choice: int) -> None:
        if entries := sorted(self.ledger.entries(secret)):
            self.world.model.break_off(PRIMARY, secret, entries[choice % len(entries)], "network error")
            self.ledger.touched(secret)

    @rule(region=regions, trouble=st.sampled_from(TROUBLE), times=st.integers(1, 3))
    def the_next_replications_fail_or_hang(self, region: str, trouble: str, times: int) -> None:
        script, self.is_troubled = self.world.model.script, True
        if trouble == "stalled":
            script.stall(region, times=1)
        else:
            script.fail(trouble, region, times=times)

    @rule()
    def the_trouble_is_over(self) -> None:
        self.world.model.script.heal()
        self.is_troubled = False

    # What always holds.

    @invariant()
    def what_was_told_success_is_in_sync_with_its_key(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.what_was_told_success_is_in_sync_with_its_key()

    @invariant()
    def no_value_that_a_person_wrote_is_lost(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.no_value_is_lost()

    # At rest: the trouble is over, and whatever nothing prevents converges.

    def teardown(self) -> None:
        if not hasattr(self, "ledger"):
            return
        self.the_trouble_is_over()
        for name in STACKS:
            with self.acting(name, {}, [], may_fail=True) as stack:
                stack.resume()
            for logical_id, resource in list(stack.resources.items()):
                if not stack.is_stuck and not self.ledger.is_in_the_way(stack, resource.properties):
                    self.converges(name, logical_id)
        for name, stack in self.stacks.items():
            stack_id, is_sure = stack.id, not stack.forgotten
            is_sure &= all(resource.physical_id in self.ledger.arns.values() for resource in stack.resources.values())
            # CloudFormation sends one Delete, and a resource that could not be rolled back may have two secrets.
            is_sure &= all(len({secret_of(tried) for tried in stack.tried[known]}) == 1 for known in stack.resources)
            with self.ledger.watching(name, {}):
                stack.delete()
            assert not is_sure or not self.ledger.tagged(stack_id)
            self.no_value_that_a_person_wrote_is_lost()

    def converges(self, name: str, logical_id: str) -> None:
        """An update that changes nothing of ours makes true again what a resource declares."""
        stack = self.stacks[name]
        template = {known: dict(resource.properties) for known, resource in stack.resources.items()}
        template[logical_id]["ServiceTimeout"] = "3600"
        with self.ledger.watching(name, {}):
            assert stack.deploy(template), stack.reason
        self.what_was_told_success_is_in_sync_with_its_key()
