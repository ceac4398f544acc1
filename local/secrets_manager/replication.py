"""Replication: what ReplicateSecretToRegions, RemoveRegionsFromReplication and StopReplicationToReplica do."""

from __future__ import annotations

import functools
import re
from dataclasses import replace

import botocore.session

from local.clock import Clock

from .dialect import (
    AfterStop,
    BadRegion,
    DecryptContext,
    DeletedThere,
    Dialect,
    FailedAgain,
    KeyDenied,
    NoValue,
    Order,
    OtherKey,
    PromotedRemoved,
    RemoveAbsent,
    SameKeyAgain,
    ServiceManaged,
    WhileRemoving,
)
from .script import Script
from .state import NEVER, ApiError, Delays, Entry, Parameters, Response, Secret, Store, detach

DEFAULT_KEY = "alias/aws/secretsmanager"  # F10
_PREFIX = "Replication failed: "
_REGION = r"^([a-z]+-)+\d+$"  # F1


class Replication:
    """The rules of replication over a store of secrets."""

    def __init__(self, store: Store, clock: Clock, delays: Delays, dialect: Dialect, script: Script) -> None:
        self._store, self._clock, self._script = store, clock, script
        self.delays, self.dialect = delays, dialect

    def add(self, primary: Secret, parameters: Parameters) -> list[Response]:
        """ReplicateSecretToRegions, and CreateSecret with AddReplicaRegions.

        Raises:
            ApiError: If the API rejects the request; then nothing is changed.
        """
        for index, entry in enumerate(parameters["AddReplicaRegions"], 1):
            _validate(index, entry["Region"])
        wanted = {
            entry["Region"]: self._script.key_behind(entry.get("KmsKeyId") or DEFAULT_KEY)
            for entry in parameters["AddReplicaRegions"]
        }
        for region, key in wanted.items():
            self._reject(primary, region, key)
        force = parameters.get("ForceOverwriteReplicaSecret", False)
        for region, key in wanted.items():
            self._begin(primary, region, key, force=force)
        self._store.advance(self._clock.now())
        return self.statuses(primary)

    def remove(self, primary: Secret, parameters: Parameters) -> list[Response]:
        """RemoveRegionsFromReplication: the entry disappears immediately, the replica later (F18)."""
        regions = parameters["RemoveReplicaRegions"]
        absent = [region for region in regions if region not in primary.entries]
        if absent and self.dialect.remove_absent is RemoveAbsent.ERROR:
            raise ApiError("InvalidParameterException", f"Secret is not replicated to {', '.join(absent)}.")
        for region in regions:
            if primary.entries.pop(region, None) and (replica := self._to_remove(primary, region)):
                replica.goes = self._clock.now() + self.delays.gone
        return self.statuses(primary)

    def _to_remove(self, primary: Secret, region: str) -> Secret | None:
        """What a removal deletes: the replica, and in one dialect even the secret that it was promoted to (U14)."""
        there = self._store.at(region, primary.name)
        if there is None or there.arn != primary.arn_in(region):
            return None  # U11: a foreign secret stays.
        return there if there.is_replica or self.dialect.promoted_removed is PromotedRemoved.DELETED else None

    def stop(self, replica: Secret) -> None:
        """StopReplicationToReplica: the replica becomes a standalone secret (F23)."""
        if not replica.is_replica or replica.is_going:
            raise ApiError("InvalidParameterException", "Operation not permitted on a secret that is not a replica.")
        primary = self._store.at(replica.primary_region or "", replica.name)
        detach(replica)
        replica.primary_region = None
        if primary and (entry := primary.entries.get(replica.region)):
            if self.dialect.after_stop is AfterStop.GONE:
                del primary.entries[replica.region]
            elif self.dialect.after_stop is AfterStop.FAILED:
                entry.outcome, entry.message = "Failed", f"{_PREFIX}Replica secret was promoted."

    def break_off(self, primary: Secret, region: str, message: str) -> None:
        """A replica turns Failed long after the deployment: it stays readable, and stale (F24)."""
        if region not in primary.entries:
            raise ValueError(f"{primary.name} is not replicated to {region}: its Regions are {list(primary.entries)}")
        entry = primary.entries[region]
        entry.outcome, entry.message, entry.settles = "Failed", _PREFIX + message, self._clock.now()
        if replica := self._store.replica_of(primary, region):
            detach(replica)

    def statuses(self, primary: Secret) -> list[Response]:
        """ReplicationStatus (F3)."""
        entries = [self._status(primary, entry) for entry in primary.entries.values()]
        # Any order but the one asked for, and the same each time.
        return entries if self.dialect.order is Order.REQUEST else entries[::-1]

    def _status(self, primary: Secret, entry: Entry) -> Response:
        status, message = entry.status(self._clock.now())
        response: Response = {"Region": entry.region, "KmsKeyId": entry.key, "Status": status}
        if message:
            response["StatusMessage"] = message
        replica = self._store.replica_of(primary, entry.region)
        if replica and replica.accessed is not None:
            response["LastAccessedDate"] = replica.accessed
        return response

    def _reject(self, primary: Secret, region: str, key: str) -> None:
        """Raise the errors that AWS returns immediately."""
        if region == primary.region:
            raise ApiError("InvalidParameterException", "Invalid replica region.")  # F14
        if self._is_bad(primary, region) and self.dialect.bad_region is BadRegion.ERROR:
            raise ApiError("InvalidParameterException", f"Invalid replica region {region}.")
        if primary.owning_service and self.dialect.service_managed is ServiceManaged.ERROR:
            raise ApiError("InvalidRequestException", "Another service manages this secret.")
        if self._key_is_denied(primary, region, key) and self.dialect.key_denied is KeyDenied.ERROR:
            raise ApiError("AccessDeniedException", f"Access to KMS key {key} is not allowed")
        known = primary.entries.get(region)
        if known:
            self._reject_again(known, key)

    def _reject_again(self, known: Entry, key: str) -> None:
        failed = known.status(self._clock.now())[0] == "Failed"
        again, other = self.dialect.same_key_again, self.dialect.other_key
        message = f"Secret is already replicated to {known.region}."
        if failed and self.dialect.failed_again is FailedAgain.ERROR:
            raise ApiError("InvalidParameterException", message)
        if not failed and known.key != key and other is OtherKey.ERROR:
            raise ApiError("InvalidParameterException", message)
        if not failed and known.key == key and again in (SameKeyAgain.INVALID_PARAMETER, SameKeyAgain.INVALID_REQUEST):
            raise ApiError(again.value, message)

    def _key_is_denied(self, primary: Secret, region: str, key: str) -> bool:
        """Whether the caller lacks permission to encrypt with the replica's key or decrypt with the primary's (U18)."""
        contexts = {
            DecryptContext.PRIMARY: primary.arn,
            DecryptContext.REPLICA: primary.arn_in(region),
            DecryptContext.NONE: None,
        }
        context = contexts[self.dialect.decrypt_context]
        return self._script.key_is_denied(key) or self._script.decrypt_is_denied(primary.key, context)

    def _is_bad(self, primary: Secret, region: str) -> bool:
        return region not in _regions(primary.arn.split(":")[1]) or self._script.region_is_disabled(region)

    def _begin(self, primary: Secret, region: str, key: str, *, force: bool) -> None:
        now = self._clock.now()
        known = primary.entries.get(region)
        if known and known.status(now)[0] != "Failed":
            self._change(primary, known, key)
            return
        entry = Entry(region, key, now, now + self.delays.in_sync)
        primary.entries[region] = entry
        held = self._store.at(region, primary.name)
        waits = self.dialect.while_removing is WhileRemoving.WAITS
        if waits and held and held.is_going and self._is_ours(primary, held):
            entry.starts, entry.settles, held = held.goes, held.goes + self.delays.in_sync, None
        obstacle = self._obstacle(primary, entry, held, force=force)
        if obstacle:
            entry.outcome, entry.message = "Failed", _PREFIX + obstacle  # F12: later, after a 200
            return
        if self._stays_in_progress(primary, region):
            entry.settles = NEVER
        if held:
            self._store.put_replica(primary, entry)

    def _change(self, primary: Secret, known: Entry, key: str) -> None:
        """Replicate to a Region that already has a replica: U1 with the same key, U2 with another."""
        same = known.key == key
        ignored = self.dialect.other_key is OtherKey.IGNORED
        if (same and self.dialect.same_key_again is not SameKeyAgain.IN_PROGRESS) or (not same and ignored):
            return
        entry = replace(known, key=key, settles=self._clock.now() + self.delays.in_sync)
        primary.entries[known.region] = entry
        obstacle = None if same else self._obstacle(primary, entry, None, force=False)
        if obstacle:
            entry.outcome, entry.message = "Failed", _PREFIX + obstacle
            return
        if self._stays_in_progress(primary, known.region):
            entry.settles = NEVER
        if replica := self._store.replica_of(primary, known.region):
            replica.key = key

    def _stays_in_progress(self, primary: Secret, region: str) -> bool:
        valueless = not primary.content.versions and self.dialect.no_value is NoValue.IN_PROGRESS
        return valueless or self._script.stalls(region, primary.name)

    def _is_ours(self, primary: Secret, held: Secret) -> bool:
        return held.is_replica and held.primary_region == primary.region and held.arn == primary.arn_in(held.region)

    def _obstacle(self, primary: Secret, entry: Entry, held: Secret | None, *, force: bool) -> str | None:
        """Why a replication fails, in AWS's words where they are known (F13)."""
        if self._is_bad(primary, entry.region):
            return f"Region {entry.region} is not enabled for this account."
        if self._key_is_denied(primary, entry.region, entry.key):
            return f"Access to KMS key {entry.key} is not allowed."
        if not primary.content.versions and self.dialect.no_value is NoValue.FAILED:
            return f"Secret {primary.name} has no value."
        scripted = self._script.failure(entry.region, primary.name, entry.key, self._clock.now())
        return scripted or (self._in_the_way(primary, held, force=force) if held else None)

    def _in_the_way(self, primary: Secret, held: Secret, *, force: bool) -> str | None:
        if held.is_replica and held.primary_region == primary.region:
            if self._is_ours(primary, held) and not held.is_going:
                return None
            return f"Secret name {held.name} is currently replicated to {held.region} with a different arn"  # F18
        takeable = held.deleted is None or self.dialect.deleted_there is DeletedThere.FORCE_TAKES_IT
        if not (force and takeable):
            return f"Secret name {held.name} already exists in region {held.region}."
        if held.entries:
            return f"Can't overwrite secret {held.name} that is currently replicated to other region(s)."
        if held.is_replica:
            return f"Can't overwrite secret {held.name} that is currently replicated from {held.primary_region}."
        return None


@functools.cache
def _regions(partition: str) -> frozenset[str]:
    """The Regions of a partition that have Secrets Manager."""
    return frozenset(botocore.session.get_session().get_available_regions("secretsmanager", partition))


def _validate(index: int, region: str) -> None:
    if re.fullmatch(_REGION, region) is None:
        raise ApiError(
            "ValidationException",
            f"1 validation error detected: Value '{region}' at 'addReplicaRegions.{index}.member.region' failed to "
            f"satisfy constraint: Member must satisfy regular expression pattern: {_REGION}",
        )
