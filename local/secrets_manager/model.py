"""A model of Secrets Manager with multi-Region replication: no HTTP, no threads, a clock that is passed in.

What it does follows docs/design/aws-facts.md; the numbers in the comments (F18) are rows there.
State changes with time only when it is looked at: each call first brings it up to now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from local.clock import Clock, VirtualClock

from .dialect import Dialect, Imported
from .operations import Operations
from .past import Past
from .replication import Replication
from .script import ResponseLostError, Script
from .state import ApiError, Delays, Parameters, Response, Secret, Store


@dataclass(frozen=True, slots=True)
class Call:
    """A line of the journal. ``outcome``: ``ok``, an error's code, or ``response lost``. ``time``: epoch seconds."""

    time: float
    region: str
    operation: str
    parameters: Parameters
    outcome: str


class SecretsManager:
    """All Regions of one account.

    Args:
        clock: what time it is, in epoch seconds.
        delays: how long replication takes.
        account: the account's id, for ARNs.
        dialect: a choice for each thing that is not known about AWS.

    ``script`` says what goes wrong next, ``journal`` what was called.
    """

    def __init__(
        self,
        clock: Clock,
        delays: Delays | None = None,
        account: str = "000000000000",
        dialect: Dialect | None = None,
    ) -> None:
        self.clock = clock
        self._store, self._account = Store(), account
        self._past = Past(self._store)
        self.script = Script()
        self.journal: list[Call] = []
        self.replication = Replication(self._store, clock, delays or Delays(), dialect or Dialect(), self.script)
        self._operations = Operations(self._store, clock, self.replication, account).table

    def call(self, region: str, operation: str, parameters: Parameters) -> Response:
        """Carry out one API call, unless the script says otherwise.

        Args:
            region: the endpoint's Region.
            operation: its name, as ``DescribeSecret``.
            parameters: as the API's JSON; timestamps in responses are epoch seconds, binaries base64 text.

        Raises:
            ApiError: As the API returns it.
            ResponseLostError: If it was carried out, but the script loses the response.
        """
        outcome = "ok"
        try:
            return self._carry_out(region, operation, parameters)
        except ApiError as error:
            outcome = error.code
            raise
        except ResponseLostError:
            outcome = "response lost"
            raise
        finally:
            self.journal.append(Call(self.clock.now(), region, operation, parameters, outcome))

    def secrets(self, region: str) -> Iterator[Secret]:
        """The secrets in a Region, as they are now."""
        self._store.advance(self.clock.now())
        return self._store.within(region)

    def find(self, region: str, secret_id: str) -> Secret | None:
        """A secret by name, ARN or ARN without suffix, as it is now."""
        self._store.advance(self.clock.now())
        return self._store.find(region, secret_id)

    def break_off(self, primary_region: str, secret_id: str, replica_region: str, message: str) -> None:
        """Turn a replica that was InSync into a Failed one, as if its key were disabled long after (F24)."""
        primary = self.find(primary_region, secret_id)
        if primary is None:
            raise ValueError(f"there is no secret {secret_id} in {primary_region}")
        self.replication.break_off(primary, replica_region, message)
        self._past.note(self.clock.now(), self.script.lag_seconds)

    def import_into_stack(self, region: str, secret_id: str, properties: Parameters) -> None:
        """What CloudFormation does with a secret that a stack imports (U17).

        Args:
            region: the stack's.
            secret_id: the secret's ARN or name.
            properties: of the ``AWS::SecretsManager::Secret`` in its template.
        """
        secret = self.find(region, secret_id)
        if secret is None or self.replication.dialect.imported is Imported.STAY:
            return
        declared = {tag["Key"] for tag in properties.get("Tags", [])}
        kept = {entry["Region"] for entry in properties.get("ReplicaRegions", [])}
        undeclared = [key for key in secret.content.tags if key not in declared and not key.startswith("aws:")]
        self.call(region, "UntagResource", {"SecretId": secret.arn, "TagKeys": undeclared})
        regions = [entry for entry in secret.entries if entry not in kept]
        self.call(region, "RemoveRegionsFromReplication", {"SecretId": secret.arn, "RemoveReplicaRegions": regions})

    def describe(self, region: str, secret_id: str, moment: float | None = None) -> Response:
        """DescribeSecret's response about things as they are now, or were at a moment: for tests, without the script.

        Raises:
            ApiError: As the API returns it.
        """
        if moment is None:
            self._store.advance(self.clock.now())
            return self._operations["DescribeSecret"](region, {"SecretId": secret_id})
        store, clock = self._past.at(moment), VirtualClock(moment)
        replication = Replication(store, clock, self.replication.delays, self.replication.dialect, self.script)
        return Operations(store, clock, replication, self._account).table["DescribeSecret"](
            region, {"SecretId": secret_id}
        )

    def _carry_out(self, region: str, operation: str, parameters: Parameters) -> Response:
        if operation not in self._operations:
            raise ApiError("InvalidAction", f"local AWS has no {operation}; it has {', '.join(self._operations)}")
        self.clock.sleep(self.script.pause(region, operation))
        now = self.clock.now()
        self._store.advance(now)
        secret_id = str(parameters.get("SecretId") or parameters.get("Name") or "")
        found = self._store.find(region, secret_id)
        name = found.name if found else secret_id
        self.script.check(region, name, operation, now)
        lag = self.script.lag_seconds
        if lag and operation == "DescribeSecret":
            response = self.describe(region, secret_id, self.script.moment(now))
        else:
            response = self._operations[operation](region, parameters)
            self._past.note(now, lag)
        self.script.check_response(region, name, operation)
        return response
