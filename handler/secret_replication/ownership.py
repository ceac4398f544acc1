"""Who owns a replica: one tag on the primary for each, written before the replica is touched.

Key: ``cdk-replicated-secret:<region>``.
Value: ``<created|adopted> <primary region> <stack ID's UUID> <logical ID>[/<logical ID>...] <stack name>``.

The logical IDs are the replica's owners, resources of one stack. A resource that declares the replica joins them, one
that drops it leaves, and the last one to leave applies its removal policy.

DescribeSecret returns tags, so one call shows the whole state. Tags are copied to replicas and stay on a
promoted one, so the value names the primary's Region: a tag that names another one is ignored (F20, F23).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

TAG_PREFIX = "cdk-replicated-secret:"
_VALUE_MAX_LENGTH = 256
# Logical IDs are alphanumeric and up to 255 characters. A longer one, or one that a tag cannot hold, is cut, and a
# digest is appended, so that the value fits and stays unique.
_LOGICAL_ID = re.compile(r"[A-Za-z0-9-]{1,80}")
_HEAD_LENGTH = 63
_DIGEST_LENGTH = 16
# Version 0.1 had one more field, about the replica's key, before the stack's name.
_VALUE = re.compile(
    r"(?P<origin>created|adopted) (?P<region>\S+) (?P<stack>\S+) (?P<owners>[^ /]+(?:/[^ /]+)*)"
    r"(?: (?:\S+ )?(?P<stack_name>\S+))?"
)


class Origin(Enum):
    """Whether this resource made the replica or found it already there."""

    CREATED = "created"
    ADOPTED = "adopted"


@dataclass(frozen=True, slots=True)
class Owner:
    """A resource in a stack. ``stack`` is the UUID of the stack ID; ``stack_name`` is for readers only."""

    stack: str
    logical_id: str
    stack_name: str = ""

    @classmethod
    def of(cls, stack_id: str, logical_id: str) -> Owner:
        """From a stack ID: ``arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/NAME/UUID``."""
        _, _, rest = stack_id.partition("/")
        name, _, uuid = rest.partition("/")
        if not _LOGICAL_ID.fullmatch(logical_id):
            digest = hashlib.sha256(logical_id.encode(errors="backslashreplace")).hexdigest()[:_DIGEST_LENGTH]
            logical_id = f"{re.sub('[^A-Za-z0-9]', '-', logical_id)[:_HEAD_LENGTH]}-{digest}"
        return cls(uuid or name or stack_id, logical_id, name)


@dataclass(frozen=True, slots=True)
class Claim:
    """A replica's tag. ``owners``: logical IDs of resources of ``stack``, in the order in which they joined."""

    origin: Origin
    primary_region: str
    stack: str
    owners: tuple[str, ...] = ()
    stack_name: str = ""

    @classmethod
    def by(cls, owner: Owner, origin: Origin, primary_region: str) -> Claim:
        """A first owner's."""
        return cls(origin, primary_region, owner.stack, (owner.logical_id,), owner.stack_name)

    @property
    def value(self) -> str:
        """The tag's value. The stack's name is cut where it does not fit; the rest must fit, see ``fits``."""
        return f"{self._required} {self.stack_name}"[:_VALUE_MAX_LENGTH].rstrip()

    @property
    def fits(self) -> bool:
        """Whether a tag can hold all owners."""
        return len(self._required) <= _VALUE_MAX_LENGTH

    @property
    def _required(self) -> str:
        return f"{self.origin.value} {self.primary_region} {self.stack} {'/'.join(self.owners)}"

    def owned_by(self, owner: Owner) -> bool:
        """Whether a resource is among the owners."""
        return self.stack == owner.stack and owner.logical_id in self.owners

    def joined_by(self, owner: Owner) -> Claim:
        """The same with one owner more."""
        return replace(self, owners=(*self.owners, owner.logical_id))

    def left_by(self, owner: Owner) -> Claim:
        """The same without that owner."""
        return replace(self, owners=tuple(known for known in self.owners if known != owner.logical_id))


def tag_key(region: str) -> str:
    """The key of the tag that records the replica in ``region``."""
    return TAG_PREFIX + region


def claims(tags: Mapping[str, str], primary_region: str) -> dict[str, Claim]:
    """The claims among a primary's tags, by Region. Those of another primary are ignored."""
    found = {key.removeprefix(TAG_PREFIX): _parse(value) for key, value in tags.items() if key.startswith(TAG_PREFIX)}
    return {region: claim for region, claim in found.items() if claim.primary_region in (primary_region, "")}


def _parse(value: str) -> Claim:
    """A value in another form is a claim of an unknown owner: never ours, never to be overwritten."""
    found = _VALUE.fullmatch(value)
    if found is None:
        return Claim(Origin.ADOPTED, "", value)
    owners = tuple(dict.fromkeys(found["owners"].split("/")))
    return Claim(Origin(found["origin"]), found["region"], found["stack"], owners, found["stack_name"] or "")
