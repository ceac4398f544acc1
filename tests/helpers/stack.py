"""CloudFormation, as far as custom resources go: what it asks for when a stack's template changes (P1 to P6)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.helpers.world import event

Properties = Mapping[str, Any]
Template = Mapping[str, Properties]
# The response to a request, None where none came: then it has failed, and its id was never learnt.
Deliver = Callable[[dict[str, Any]], dict[str, Any] | None]

# How often a clean-up is tried before CloudFormation forgets about it.
_CLEAN_UPS = 3


@dataclass(frozen=True, slots=True)
class Resource:
    """What CloudFormation knows of a resource."""

    physical_id: str
    properties: Properties


class RollbackFailedError(Exception):
    """UPDATE_ROLLBACK_FAILED or DELETE_FAILED: a person has to fix the cause and call ``resume``."""


class Stack:
    """A stack whose resources are all ``Custom::ReplicatedSecret``, by logical ID.

    Args:
        name: its name; its id is made of it.
        deliver: delivers a request, and returns the response.
        failed_id_counts: P11, whether the id in a FAILED response to an Update becomes the resource's.

    ``reason``: why the last ``deploy`` failed, or empty. ``forgotten``: clean-ups that failed for good. ``last``: each
    resource's last Create or Update, and its response. ``tried``: the properties of its last success and of what has
    failed since.
    """

    def __init__(self, name: str, deliver: Deliver, *, failed_id_counts: bool = False) -> None:
        self._name, self._lives = name, 0
        self._deliver, self._failed_id_counts = deliver, failed_id_counts
        self._requests = 0
        self._to_do: list[Callable[[], None]] = []
        self.resources: dict[str, Resource] = {}
        self.reason = ""
        self.forgotten: list[Resource] = []
        self.last: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self.tried: dict[str, list[Properties]] = {}

    @property
    def id(self) -> str:
        """A stack that is deleted and recreated has another."""
        unique = uuid.uuid5(uuid.NAMESPACE_DNS, f"{self._name} {self._lives}")
        return f"arn:aws:cloudformation:us-west-2:000000000000:stack/{self._name}/{unique}"

    @property
    def is_stuck(self) -> bool:
        """Whether a rollback or a deletion has not come to its end."""
        return bool(self._to_do)

    def deploy(self, template: Template) -> bool:
        """Bring the stack to a template, or back to where it was. Whether it got there.

        Raises:
            RollbackFailedError: it is neither there nor back.
        """
        before, self.reason, tried = dict(self.resources), "", {}
        for logical_id, properties in template.items():
            tried[logical_id] = properties
            if not self._reached(logical_id, properties):
                self._roll_back(before, tried)
                return False
        for logical_id, old in before.items():
            if logical_id not in template:
                del self.resources[logical_id], self.last[logical_id], self.tried[logical_id]
                self._clean_up(logical_id, old)
            elif self.resources[logical_id].physical_id != old.physical_id:
                self._clean_up(logical_id, old)
        return True

    def delete(self) -> None:
        """Delete the stack.

        Raises:
            RollbackFailedError: a resource could not be deleted; the others were.
        """
        self._to_do = [partial(self._delete, name) for name in self.resources]
        self._to_do.append(self._end)
        self.resume()

    def resume(self) -> None:
        """Try again what a rollback or a deletion has left to do.

        Raises:
            RollbackFailedError: it failed again.
        """
        while self._to_do:
            self._to_do[0]()
            self._to_do.pop(0)

    def request(
        self,
        operation: str,
        logical_id: str,
        properties: Properties,
        physical_id: str = "",
        old: Properties | None = None,
    ) -> dict[str, Any]:
        """A request about a resource."""
        self._requests += 1
        known = {"PhysicalResourceId": physical_id} if physical_id else {}
        previous = {} if old is None else {"OldResourceProperties": dict(old)}
        made = event(operation, StackId=self.id, LogicalResourceId=logical_id, RequestId=str(self._requests))
        return made | known | previous | {"ResourceProperties": {"ServiceToken": "token", **properties}}

    def invented_id(self, logical_id: str) -> str:
        """What CloudFormation calls a resource that has not responded with its ID (P4)."""
        return f"{self.id.split('/')[1]}-{logical_id}-1X2Y3Z"

    def _reached(self, logical_id: str, properties: Properties) -> bool:
        """Create or update a resource, where the template asks for it. Whether that succeeded."""
        known = self.resources.get(logical_id)
        if known and known.properties == properties:
            return True
        if known:
            asked = self.request("Update", logical_id, properties, known.physical_id, known.properties)
        else:
            asked = self.request("Create", logical_id, properties)
        response = self._send(asked)
        succeeded: bool = response["Status"] == "SUCCESS"
        if succeeded or known is None:
            self.resources[logical_id] = Resource(response["PhysicalResourceId"], properties)
        elif self._failed_id_counts:
            self.resources[logical_id] = Resource(response["PhysicalResourceId"], known.properties)
        self.reason = self.reason or response.get("Reason", "")
        return succeeded

    def _roll_back(self, before: Mapping[str, Resource], tried: dict[str, Properties]) -> None:
        for logical_id in reversed(tried):
            old, now = before.get(logical_id), self.resources.get(logical_id)
            if now and old is None:
                self._to_do.append(partial(self._delete, logical_id))
            elif now and old and old.properties != tried[logical_id]:
                self._to_do.append(partial(self._restore, logical_id, old, tried[logical_id]))
        self.resume()

    def _restore(self, logical_id: str, old: Resource, tried: Properties) -> None:
        now = self.resources[logical_id].physical_id
        response = self._send(self.request("Update", logical_id, old.properties, now, tried))
        if response["Status"] == "FAILED":
            raise RollbackFailedError(response["Reason"])
        self.resources[logical_id] = Resource(response["PhysicalResourceId"], old.properties)
        if response["PhysicalResourceId"] != now:
            self._clean_up(logical_id, Resource(now, tried))

    def _delete(self, logical_id: str) -> None:
        known = self.resources[logical_id]
        response = self._send(self.request("Delete", logical_id, known.properties, known.physical_id))
        if response["Status"] == "FAILED":
            raise RollbackFailedError(response["Reason"])
        del self.resources[logical_id], self.last[logical_id], self.tried[logical_id]

    def _end(self) -> None:
        self.forgotten.clear()
        self._lives += 1

    def _clean_up(self, logical_id: str, old: Resource) -> None:
        for _ in range(_CLEAN_UPS):
            if self._send(self.request("Delete", logical_id, old.properties, old.physical_id))["Status"] == "SUCCESS":
                return
        self.forgotten.append(old)

    def _send(self, asked: dict[str, Any]) -> dict[str, Any]:
        response, logical_id = self._deliver(asked), asked["LogicalResourceId"]
        if response is None:
            known = asked.get("PhysicalResourceId") or self.invented_id(logical_id)
            response = {"Status": "FAILED", "Reason": "no response", "PhysicalResourceId": known}
        if asked["RequestType"] != "Delete":
            self.last[logical_id] = asked, response
            before = [] if response["Status"] == "SUCCESS" else self.tried.get(logical_id, [])
            self.tried[logical_id] = [*before, asked["ResourceProperties"]]
        return response
