"""What a test says happens next: a script that the model follows."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

from .state import ApiError

# F40: one limit for these in a Region, another for tagging.
WRITES = frozenset(
    {
        "PutSecretValue",
        "UpdateSecret",
        "ReplicateSecretToRegions",
        "RemoveRegionsFromReplication",
        "StopReplicationToReplica",
        "UpdateSecretVersionStage",
    }
)
TAGGING = frozenset({"TagResource", "UntagResource"})
DEFAULT_WRITES_PER_SECOND = 50.0


class ResponseLostError(Exception):
    """The call was carried out, but the caller gets no response: the connection breaks."""


@dataclass(slots=True)
class _Rule:
    """Something that happens to matching calls or replications, ``times`` times (None: always)."""

    region: str | None
    name: str | None
    times: int | None
    operation: str | None = None
    error: ApiError | None = None
    message: str = ""
    seconds: float = 0.0

    def applies(self, region: str, name: str, operation: str | None = None) -> bool:
        wanted = ((self.region, region), (self.name, name), (self.operation, operation))
        return self.times != 0 and all(want in (None, have) for want, have in wanted)

    def use(self) -> None:
        if self.times is not None:
            self.times -= 1


@dataclass(slots=True)
class Script:
    """What is to happen.

    ``region`` is a replica's for the replications, the endpoint's for the calls; ``name`` is a secret's. Default: any.
    Rules of a kind apply in the order in which they were given.
    """

    writes_per_second: float = DEFAULT_WRITES_PER_SECOND
    lag_seconds: float = 0.0
    _random: random.Random = field(default_factory=random.Random)
    _stalls: list[_Rule] = field(default_factory=list)
    _failures: list[_Rule] = field(default_factory=list)
    _before: list[_Rule] = field(default_factory=list)
    _lost: list[_Rule] = field(default_factory=list)
    _latencies: list[_Rule] = field(default_factory=list)
    _ready: dict[str, float] = field(default_factory=dict)
    _denied: set[str] = field(default_factory=set)
    _guards: dict[str, str | None] = field(default_factory=dict)
    _aliases: dict[str, str] = field(default_factory=dict)
    _disabled: set[str] = field(default_factory=set)
    _recent: dict[tuple[str, bool], deque[float]] = field(default_factory=dict)

    # Replications

    def stall(self, region: str | None = None, name: str | None = None, times: int | None = None) -> None:
        """The next replications stay InProgress forever (F22)."""
        self._stalls.append(_Rule(region, name, times))

    def fail(self, message: str, region: str | None = None, name: str | None = None, times: int | None = None) -> None:
        """The next ``times`` replications fail with this message, and then they heal; None: always."""
        self._failures.append(_Rule(region, name, times, message=message))

    def create_key(self, key: str, ready_at: float) -> None:
        """A KMS key is still being created until then (epoch seconds): replications with it fail."""
        self._ready[key] = ready_at

    def point_alias(self, alias: str, key: str) -> None:
        """From now on AWS reports another name, such as an ARN, for the key of replications with this alias (F21)."""
        self._aliases[alias] = key

    def deny_key(self, key: str) -> None:
        """The caller has no permission to use a KMS key."""
        self._denied.add(key)

    def allow_key(self, key: str) -> None:
        """The caller has the permission again."""
        self._denied.discard(key)

    def guard_key(self, key: str, secret_arn: str | None) -> None:
        """A key decrypts only with this SecretARN in the encryption context; None: only without any."""
        self._guards[key] = secret_arn

    def disable_region(self, region: str) -> None:
        """The account has not enabled a Region."""
        self._disabled.add(region)

    def enable_region(self, region: str) -> None:
        """The account has enabled it now."""
        self._disabled.discard(region)

    # Calls

    def error(
        self,
        code: str,
        message: str = "scripted",
        *,
        operation: str | None = None,
        region: str | None = None,
        name: str | None = None,
        times: int | None = 1,
        status: int = 400,
    ) -> None:
        """The next calls are rejected and not carried out."""
        self._before.append(_Rule(region, name, times, operation, ApiError(code, message, status)))

    def lose_response(
        self,
        *,
        operation: str | None = None,
        region: str | None = None,
        name: str | None = None,
        times: int | None = 1,
    ) -> None:
        """The next calls are carried out, but their responses are lost."""
        self._lost.append(_Rule(region, name, times, operation))

    def latency(self, seconds: float, *, operation: str | None = None, region: str | None = None) -> None:
        """Calls take this long."""
        self._latencies.append(_Rule(region, None, None, operation, seconds=seconds))

    def lag(self, seconds: float, seed: int = 0) -> None:
        """F25: DescribeSecret reports any moment of the last ``seconds``, in any order. Own writes lag as well.

        Args:
            seconds: the longest lag; 0 for none.
            seed: of the random choice of moments.
        """
        self.lag_seconds, self._random = seconds, random.Random(seed)  # noqa: S311 - to be repeated

    def heal(self) -> None:
        """From now on nothing goes wrong. Aliases stay where they point, and reads still lag: that is not a fault."""
        for rules in (self._stalls, self._failures, self._before, self._lost, self._latencies):
            rules.clear()
        self._ready.clear()
        self._denied.clear()
        self._guards.clear()
        self._disabled.clear()

    # What the model asks

    def region_is_disabled(self, region: str) -> bool:
        """Whether the account has not enabled a Region."""
        return region in self._disabled

    def key_behind(self, key: str) -> str:
        """The name under which AWS reports a key that is given by this name."""
        return self._aliases.get(key, key)

    def key_is_denied(self, key: str) -> bool:
        """Whether the caller has no permission to use a key."""
        return key in self._denied

    def decrypt_is_denied(self, key: str | None, context: str | None) -> bool:
        """Whether a key does not decrypt with this SecretARN in the encryption context."""
        return key in self._guards and self._guards[key] != context

    def failure(self, region: str, name: str, key: str, now: float) -> str | None:
        """Why a replication that begins now fails."""
        if now < self._ready.get(key, 0.0):
            return f"KMS key {key} is being created."
        for rule in self._failures:
            if rule.applies(region, name):
                rule.use()
                return rule.message
        return None

    def stalls(self, region: str, name: str) -> bool:
        """Whether a replication that begins now stays InProgress."""
        for rule in self._stalls:
            if rule.applies(region, name):
                rule.use()
                return True
        return False

    def moment(self, now: float) -> float:
        """The moment that a read reports now. The oldest and the newest are the most likely to show a mistake."""
        return now - self.lag_seconds * self._random.choice((0.0, self._random.random(), 1.0))

    def pause(self, region: str, operation: str) -> float:
        """How many seconds a call takes."""
        return sum(rule.seconds for rule in self._latencies if rule.applies(region, "", operation))

    def check(self, region: str, name: str, operation: str, now: float) -> None:
        """Reject a call that should not be carried out.

        Raises:
            ApiError: as scripted, or ThrottlingException over the limit.
        """
        for rule in self._before:
            if rule.error and rule.applies(region, name, operation):
                rule.use()
                raise rule.error
        if operation in WRITES | TAGGING:
            recent = self._recent.setdefault((region, operation in TAGGING), deque())
            while recent and recent[0] <= now - 1.0:
                recent.popleft()
            if len(recent) >= self.writes_per_second:
                raise ApiError("ThrottlingException", "Rate exceeded")
            recent.append(now)

    def check_response(self, region: str, name: str, operation: str) -> None:
        """Lose the response to a call that was carried out.

        Raises:
            ResponseLostError: as scripted.
        """
        for rule in self._lost:
            if rule.applies(region, name, operation):
                rule.use()
                raise ResponseLostError(f"{operation} in {region}")
