"""Histories of stacks that share a secret, made up by Hypothesis: what must hold after each step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from local.secrets_manager import Dialect, plausible_dialects
from secret_replication.answer import Answer
from secret_replication.errors import AccessDeniedError, UnavailableError
from tests.support import OTHER_STACK, STACK, Crash, World, event

REGIONS = ("eu-west-3", "us-east-1", "ap-southeast-2")
MANUAL = "sa-east-1"
DIALECTS = list(plausible_dialects())
STACKS = {"app": STACK, "other": OTHER_STACK}
# Keys by their ids, so that names can always be compared; "" is the default key.
KEYS = ("", "key-1", "key-2")
CALLS = ("describe", "tag", "replicate", "remove", "untag", "promote")

declarations = st.dictionaries(st.sampled_from(REGIONS), st.sampled_from(KEYS))
stacks = st.sampled_from(sorted(STACKS))
faults = st.none() | st.tuples(
    st.sampled_from(CALLS), st.integers(0, 3), st.sampled_from(["denied", "unavailable", "crash", "crash after"])
)


@dataclass
class Resource:
    """A resource as CloudFormation sees it."""

    logical_id: str
    regions: dict[str, str] = field(default_factory=dict)


class Histories(RuleBasedStateMachine):
    """One resource in each of two stacks, which also are renamed; a replica that was made by hand."""

    @initialize(dialect=st.sampled_from(DIALECTS), manual_key=st.sampled_from(KEYS))
    def begin(self, dialect: Dialect, manual_key: str) -> None:
        self.world = World()
        self.world.model.replication.dialect = dialect
        self.resources: dict[str, Resource] = {}
        self.names = 0
        entry = {"Region": MANUAL} | ({"KmsKeyId": manual_key} if manual_key else {})
        self.world.client().replicate_secret_to_regions(SecretId=self.world.arn, AddReplicaRegions=[entry])
        self.world.clock.sleep(5)
        self.manual = self.describe(MANUAL)

    def describe(self, region: str) -> dict[str, Any] | None:
        found = self.world.model.find(region, "app/database")
        return {"arn": found.arn, "key": found.key, "created": found.created} if found else None

    def request(
        self, operation: str, stack: str, logical_id: str, regions: dict[str, str], **more: Any
    ) -> dict[str, Any]:
        listed = [{"Region": region, "KmsKeyId": key} for region, key in regions.items()]
        known = {"PhysicalResourceId": self.world.arn} if operation != "Create" else {}
        return event(operation, listed, StackId=STACKS[stack], LogicalResourceId=logical_id, **known, **more)

    def deliver(self, request: dict[str, Any], fault: tuple[str, int, str] | None) -> Answer:
        """Deliver a request once, or twice where Lambda is killed the first time; a call may fail once."""
        journal, left = self.world.journal, [fault[1] if fault else 0]

        def strike(when: str, call: str) -> None:
            if fault and call.startswith(fault[0]) and (fault[2] == "crash after") == (when == "after"):
                left[0] -= 1
                if left[0] == -1 and "crash" in fault[2]:
                    raise Crash
                if left[0] == -1:
                    raise AccessDeniedError("no") if fault[2] == "denied" else UnavailableError("no")

        journal.before, journal.after = (lambda call: strike("before", call)), (lambda call: strike("after", call))
        try:
            return self.world.serve(request)
        except Crash:
            return self.world.serve(request)
        finally:
            journal.before = journal.after = lambda _: None

    def name(self) -> str:
        self.names += 1
        return f"Replication{self.names}"

    @rule(stack=stacks, regions=declarations, fault=faults)
    def create(self, stack: str, regions: dict[str, str], fault: tuple[str, int, str] | None) -> None:
        if stack in self.resources:
            return
        name = self.name()
        if self.deliver(self.request("Create", stack, name, regions), fault).reason:
            self.delete_it(stack, name, regions)
        else:
            self.resources[stack] = Resource(name, regions)

    @precondition(lambda self: self.resources)
    @rule(data=st.data(), regions=declarations, fault=faults)
    def update(self, data: st.DataObject, regions: dict[str, str], fault: tuple[str, int, str] | None) -> None:
        stack = data.draw(st.sampled_from(sorted(self.resources)))
        resource = self.resources[stack]
        new = self.request("Update", stack, resource.logical_id, regions)
        old = self.request("Update", stack, resource.logical_id, resource.regions)
        new["OldResourceProperties"], old["OldResourceProperties"] = (
            old["ResourceProperties"],
            new["ResourceProperties"],
        )
        if self.deliver(new, fault).reason:
            assert self.deliver(old, None).reason == "", "a rollback converges"
        else:
            resource.regions = regions

    @precondition(lambda self: self.resources)
    @rule(data=st.data(), fault=faults, rolled_back=st.booleans())
    def rename(self, data: st.DataObject, fault: tuple[str, int, str] | None, rolled_back: bool) -> None:
        stack = data.draw(st.sampled_from(sorted(self.resources)))
        resource, name = self.resources[stack], self.name()
        created = self.deliver(self.request("Create", stack, name, resource.regions), fault)
        if created.reason or rolled_back:
            self.delete_it(stack, name, resource.regions)
        else:
            self.delete_it(stack, resource.logical_id, resource.regions)
            resource.logical_id = name

    @precondition(lambda self: self.resources)
    @rule(data=st.data(), fault=faults, policy=st.sampled_from(["Delete", "Retain", "Promote"]))
    def delete(self, data: st.DataObject, fault: tuple[str, int, str] | None, policy: str) -> None:
        stack = data.draw(st.sampled_from(sorted(self.resources)))
        resource = self.resources.pop(stack)
        owned = [region for region, by in self.world.tags().items() if by == f"created by {resource.logical_id}"]
        request = self.request("Delete", stack, resource.logical_id, resource.regions, ReplicaRemovalPolicy=policy)
        assert self.deliver(request, fault).reason == ""
        for region in owned:
            assert self.world.exists(region) == (policy != "Delete")
            # What is nobody's any more goes, so that it is in no later step's way.
            self.clear(region)
        self.forget_the_adopted(resource)

    def delete_it(self, stack: str, name: str, regions: dict[str, str]) -> None:
        assert self.deliver(self.request("Delete", stack, name, regions), None).reason == ""
        assert not [by for by in self.world.tags().values() if by.split(" by ")[1].split("/")[0] == name]

    def forget_the_adopted(self, resource: Resource) -> None:
        for region in set(resource.regions) & set(self.world.statuses()):
            if region not in self.world.tags():
                self.clear(region)

    def clear(self, region: str) -> None:
        client, there = self.world.client(), self.world.client(region)
        if region in self.world.statuses():
            client.remove_regions_from_replication(SecretId=self.world.arn, RemoveReplicaRegions=[region])
            self.world.clock.sleep(100)
        if self.world.exists(region):
            there.delete_secret(SecretId="app/database", ForceDeleteWithoutRecovery=True)

    @precondition(lambda self: self.resources)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        stack = data.draw(st.sampled_from(sorted(self.resources)))
        resource = self.resources[stack]
        request = self.request("Update", stack, resource.logical_id, resource.regions)
        assert self.deliver(request, None).reason == ""
        assert self.world.journal.writes == [], "nothing to change, nothing written"

    @invariant()
    def what_was_made_by_hand_is_as_it_was(self) -> None:
        if hasattr(self, "manual"):
            assert self.describe(MANUAL) == self.manual
            assert self.world.statuses()[MANUAL] == "InSync"

    @invariant()
    def what_is_declared_is_in_sync_with_its_key(self) -> None:
        if not hasattr(self, "resources"):
            return
        described = self.world.client().describe_secret(SecretId=self.world.arn).get("ReplicationStatus", [])
        found = {entry["Region"]: (entry["Status"], entry["KmsKeyId"]) for entry in described}
        for resource in self.resources.values():
            for region, key in resource.regions.items():
                assert found.get(region) == ("InSync", key or "alias/aws/secretsmanager")

    @invariant()
    def the_primary_and_its_value_are_there(self) -> None:
        if hasattr(self, "world"):
            assert self.world.client().get_secret_value(SecretId=self.world.arn)["SecretString"] == "value"


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=150, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
