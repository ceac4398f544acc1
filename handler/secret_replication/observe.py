"""Observe: one DescribeSecret for the primary, and one in a replica's Region only where the plan depends on it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial

from .clock import FRESH
from .errors import (
    AccessDeniedError,
    NotPrimaryError,
    RejectedError,
    ReplicationError,
    SecretDeletedError,
    SecretNotFoundError,
    ThrottledError,
    UnavailableError,
)
from .keys import same_key
from .model import Description, Desired, Observed, ReplicaState, SecretArn
from .ownership import claims
from .ports import Clock, SecretsManager


class Observer:
    """Reads what is true of a primary and its replicas. An alias is looked up once in a run."""

    def __init__(self, aws: SecretsManager, desired: Desired, clock: Clock) -> None:
        self._aws, self._desired, self._clock = aws, desired, clock
        self._key_arns: dict[tuple[str, str], str] = {}
        self._states: dict[str, tuple[ReplicaState, float]] = {}

    def observe(self, secret: SecretArn | str) -> Observed:
        """Describe the primary.

        Raises:
            SecretNotFoundError: If there is no such secret.
            SecretDeletedError: If it is scheduled for deletion.
            NotPrimaryError: If it is a replica itself (F15).
        """
        try:
            primary = self._aws.describe(secret)
        except SecretNotFoundError as error:
            advice = "check SecretId; if the secret is in another Region, give its ARN"
            raise SecretNotFoundError(f"{error}: {advice}") from error
        if primary.deleted:
            raise SecretDeletedError(
                f"SecretId {secret} is scheduled for deletion: restore it with RestoreSecret, or name another secret"
            )
        if primary.is_replica:
            raise NotPrimaryError(
                f"SecretId {secret} is a replica: its primary is in {primary.primary_region}. "
                f"Name the primary: {primary.arn.in_region(primary.primary_region)}"
            )
        found = claims(primary.tags, primary.arn.region)
        return Observed(
            primary.arn,
            primary.replicas,
            found,
            frozenset(region for region, claim in found.items() if claim.owned_by(self._desired.owner)),
            frozenset(region for region, key in self._desired.replicas.items() if self._has_key(region, key, primary)),
        )

    def _has_key(self, region: str, key: str | None, primary: Description) -> bool:
        replica = primary.replicas.get(region)
        return replica is not None and same_key(key, replica.kms_key, partial(self._key_arn, region))

    def _key_arn(self, region: str, alias: str) -> str:
        """ARN of the key behind an alias."""
        if (region, alias) not in self._key_arns:
            try:
                self._key_arns[region, alias] = self._aws.key_arn(region, alias)
            except ReplicationError as error:
                or_its_arn = ", or set KmsKeyId to the key's ARN" if alias == self._desired.replicas[region] else ""
                raise type(error)(
                    f"{region}: KMS did not return the key behind {alias}, so the function does not know whether the "
                    f"replica has the declared key. Allow kms:DescribeKey{or_its_arn}. {error}",
                    error.aws_message,
                ) from error
        return self._key_arns[region, alias]

    def ask(self, observed: Observed, regions: Collection[str]) -> Observed:
        """Ask these Regions what they have at the replica's ARN.

        While one dropped replica is still being removed, the others are assumed to be as well: the run waits for all.
        """
        there = dict(observed.in_region)
        removing = False
        for region in regions:
            leaving = region not in observed.replicas and region not in self._desired.replicas
            there[region] = ReplicaState.REPLICA if leaving and removing else self._state(observed.arn, region)
            removing |= leaving and there[region] is ReplicaState.REPLICA
        return replace(observed, in_region=there)

    def forget(self) -> None:
        """Ask again in the next round. Until then a Region's response counts for ``FRESH`` seconds.

        If calls are throttled, a round may fail after some Regions responded; the next one asks only the others.
        """
        self._states.clear()

    def _state(self, primary: SecretArn, region: str) -> ReplicaState:
        now = self._clock.now()
        state, asked = self._states.get(region, (ReplicaState.UNKNOWN, now))
        if state is ReplicaState.UNKNOWN or now - asked > FRESH:
            state = self._ask(primary.in_region(region))
            self._states[region] = state, now
        return state

    def _ask(self, replica: SecretArn) -> ReplicaState:
        try:
            found = self._aws.describe(replica)
        except (SecretNotFoundError, SecretDeletedError):
            return ReplicaState.GONE
        except ThrottledError:
            raise  # It will respond.
        except (AccessDeniedError, RejectedError, UnavailableError):
            # No permission, no such Region, not enabled, not reachable from here.
            return ReplicaState.UNKNOWN
        return ReplicaState.REPLICA if found.is_replica else ReplicaState.STANDALONE
