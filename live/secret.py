"""A secret of the run's own, and what is done to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .account import Credentials, Reply
from .caller import POLL_OFTEN, POLL_SELDOM, SETTLES_WITHIN, Caller
from .finding import SkipError

# F18: a removed replica is gone after 40 to 90 s.
GONE_WITHIN = 180.0
# What DescribeSecret says of a replica that is gone (U16).
NOT_THERE = ("ResourceNotFoundException", "AccessDeniedException")


class Secret:
    """A secret of the run's own, and what is done to it."""

    def __init__(self, caller: Caller, arn: str, name: str, region: str, value: str = "") -> None:
        self._caller, self.arn, self.name, self.region, self.value = caller, arn, name, region, value

    def arn_in(self, region: str) -> str:
        """Its replica's ARN (F19)."""
        return self.arn.replace(f":{self.region}:", f":{region}:", 1)

    def replicate(self, *regions: str, key: str = "", force: bool = False) -> Reply:
        """ReplicateSecretToRegions."""
        adds = [{"Region": region} | ({"KmsKeyId": key} if key else {}) for region in regions]
        forced = {"ForceOverwriteReplicaSecret": True} if force else {}
        return self.call("replicate_secret_to_regions", AddReplicaRegions=adds, **forced)

    def remove(self, region: str) -> Reply:
        """RemoveRegionsFromReplication."""
        return self.call("remove_regions_from_replication", RemoveReplicaRegions=[region])

    def promote(self, region: str) -> None:
        """StopReplicationToReplica."""
        operation = "stop_replication_to_replica"
        self._caller.need("secretsmanager", operation, region, SecretId=self.arn_in(region))

    def delete(self, region: str = "", **how: Any) -> Reply:
        """DeleteSecret of whatever has its name in a Region."""
        return self._caller.call("secretsmanager", "delete_secret", region or self.region, SecretId=self.name, **how)

    def describe(self, region: str = "", credentials: Credentials | None = None) -> Reply:
        """DescribeSecret by full ARN; in another Region that of its replica."""
        region = region or self.region
        more: dict[str, Any] = {"credentials": credentials} if credentials else {}
        return self._caller.call("secretsmanager", "describe_secret", region, SecretId=self.arn_in(region), **more)

    def entry(self, region: str) -> Mapping[str, Any]:
        """A Region's entry in ReplicationStatus; empty if there is none."""
        return entry_of(self._read(self.region), region)

    def exists(self, region: str) -> bool:
        """Whether something is at its ARN in a Region."""
        return not self._read(region).code

    def settled(self, region: str, within: float = SETTLES_WITHIN) -> Mapping[str, Any]:
        """A Region's entry, once it is no longer in progress or time has run out."""
        return self._caller.settle(
            lambda: self.entry(region), lambda entry: entry.get("Status") != "InProgress", within
        )

    def in_sync(self, region: str, since: float) -> None:
        """Wait until a Region is InSync, and record how long that took.

        Raises:
            SkipError: If it does not become InSync.
        """
        entry: Mapping[str, Any] = {}
        while entry.get("Status") != "InSync":
            if self._caller.now() - since >= SETTLES_WITHIN or entry.get("Status") == "Failed":
                raise SkipError(f"a first replication to {region} did not become InSync: {said(entry)}")
            entry = self.entry(region)
            if entry.get("Status") == "InSync":
                self._caller.timings.in_sync.append(self._caller.now() - since)
            self._caller.wait(POLL_OFTEN)
        self.settled(region)
        self._caller.settle(lambda: self.exists(region), bool)

    def gone(self, region: str, since: float) -> bool:
        """Wait until a Region's replica is gone, and record how long that took. False if it stays."""
        while self.exists(region):
            if self._caller.now() - since >= GONE_WITHIN:
                return False
            self._caller.wait(POLL_OFTEN)
        self._caller.timings.gone.append(self._caller.now() - since)
        return not self._caller.settle(lambda: self.exists(region), lambda there: not there)

    def stays(self, region: str) -> bool:
        """Whether what is at its ARN in a Region is still there after as long as any removal takes."""
        end = self._caller.now() + GONE_WITHIN
        while self._caller.now() < end:
            self._caller.wait(POLL_SELDOM)
        return self._caller.settle(lambda: self.exists(region), bool, within=0)

    def _read(self, region: str) -> Reply:
        reply = self.describe(region)
        if reply.code and reply.code not in NOT_THERE:
            raise SkipError(f"DescribeSecret in {region}: {reply.words}")
        return reply

    def call(self, operation: str, **parameters: Any) -> Reply:
        """Any other call about the secret, in its own Region."""
        return self._caller.call("secretsmanager", operation, self.region, SecretId=self.arn, **parameters)


def entry_of(reply: Reply, region: str) -> Mapping[str, Any]:
    """A Region's entry in a response's ReplicationStatus; empty if there is none."""
    listed: list[Mapping[str, Any]] = reply.response.get("ReplicationStatus") or []
    return next((entry for entry in listed if entry["Region"] == region), {})


def said(entry: Mapping[str, Any]) -> str:
    """An entry in words."""
    if not entry:
        return "not listed"
    message = entry.get("StatusMessage")
    return f"{entry['Status']}: {message}" if message else str(entry["Status"])
