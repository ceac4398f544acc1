"""Who owns a replica: one tag on the primary for each, written before the replica is touched.

Key: ``cdk-replicated-secret:<region>``.
Value: ``<created|adopted> <primary region> <stack id's UUID> <logical id>[/<taken from>] <key> <stack name>``.
``<key>`` is ``default``, a fingerprint, or of a key that is being changed ``<old>/<new>/<what AWS called the old>``.

DescribeSecret returns tags, so one call shows the whole state. Tags are copied to replicas and stay on a
promoted one, so the value names the primary's Region: a tag that names another one is a leftover (F20, F23).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from .keys import fingerprint

TAG_PREFIX = "cdk-replicated-secret:"
_VALUE_MAX_LENGTH = 256
# Logical ids are alphanumeric and up to 255 characters. What is longer, or could not stand in a tag, keeps its head
# and gets a digest, so that the value fits and stays unique.
_LOGICAL_ID = re.compile(r"[A-Za-z0-9-]{1,80}")
_HEAD_LENGTH = 63
_DIGEST_LENGTH = 16
_NONE = "-"
_VALUE = re.compile(
    r"(?P<origin>created|adopted) (?P<region>\S+) (?P<stack>\S+) (?P<logical_id>[^ /]+)(/(?P<taken_from>\S+))?"
    r"( (?P<key>[^ /]+)(/(?P<new_key>[^ /]+)/(?P<reported>\S+))?( (?P<stack_name>.+))?)?"
)


class Origin(Enum):
    """Whether this resource made the replica or found it already there."""

    CREATED = "created"
    ADOPTED = "adopted"


@dataclass(frozen=True, slots=True)
class Owner:
    """A resource in a stack. ``stack`` is the UUID of the stack id; ``stack_name`` is for readers only."""

    stack: str
    logical_id: str
    stack_name: str = ""

    @classmethod
    def of(cls, stack_id: str, logical_id: str) -> Owner:
        """From a stack id: ``arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/NAME/UUID``."""
        _, _, rest = stack_id.partition("/")
        name, _, uuid = rest.partition("/")
        if not _LOGICAL_ID.fullmatch(logical_id):
            digest = hashlib.sha256(logical_id.encode(errors="backslashreplace")).hexdigest()[:_DIGEST_LENGTH]
            logical_id = f"{re.sub('[^A-Za-z0-9]', '-', logical_id)[:_HEAD_LENGTH]}-{digest}"
        return cls(uuid or name or stack_id, logical_id, name)

    def same_resource(self, other: Owner) -> bool:
        """Whether both are one resource."""
        return self.same_stack(other) and self.logical_id == other.logical_id

    def same_stack(self, other: Owner) -> bool:
        """Whether both are resources of one stack."""
        return self.stack == other.stack


@dataclass(frozen=True, slots=True)
class Claim:
    """A replica's tag, read.

    ``taken_from``: the logical id of the resource that had it before, as long as that resource may still exist: after a
    rename its Delete is on the way, or the rename is rolled back and it gets the replica again (P5).
    ``key``: fingerprint of the KmsKeyId that the replica was given, or was adopted with. ``new_key``: of the one
    that it is being given, ``reported``: of what AWS called its key before that.
    """

    origin: Origin
    primary_region: str
    owner: Owner
    taken_from: str = ""
    key: str = ""
    new_key: str = ""
    reported: str = ""

    @property
    def value(self) -> str:
        """The tag's value, at most 256 characters."""
        resource = "/".join(filter(None, (self.owner.logical_id, self.taken_from)))
        key = "/".join(filter(None, (self.key or _NONE, self.new_key, self.reported)))
        fields = (self.origin.value, self.primary_region, self.owner.stack, resource, key, self.owner.stack_name)
        return " ".join(fields)[:_VALUE_MAX_LENGTH].rstrip()

    def key_given(self, reported: str) -> str:
        """Fingerprint of the KmsKeyId that the replica has, by what AWS calls its key now (F21).

        A change has been carried out once that is another name than before; until then it may not have been.
        """
        return self.new_key if self.new_key and fingerprint(reported) != self.reported else self.key

    def given(self, key: str | None) -> Claim:
        """The same of a replica that has this KmsKeyId."""
        return replace(self, key=fingerprint(key), new_key="", reported="")

    def being_given(self, key: str | None, reported: str) -> Claim:
        """The same of a replica that is asked to change to this KmsKeyId, and whose key AWS calls ``reported``."""
        old = self.key_given(reported)
        if not old or old == fingerprint(key):
            return self
        return replace(self, key=old, new_key=fingerprint(key), reported=fingerprint(reported))


def tag_key(region: str) -> str:
    """The tag that records the replica in ``region``."""
    return TAG_PREFIX + region


def claims(tags: Mapping[str, str], primary_region: str) -> dict[str, Claim]:
    """The claims among a primary's tags, by Region. Leftovers of another primary count for nothing."""
    found = {key.removeprefix(TAG_PREFIX): _parse(value) for key, value in tags.items() if key.startswith(TAG_PREFIX)}
    return {region: claim for region, claim in found.items() if claim.primary_region in (primary_region, "")}


def _parse(value: str) -> Claim:
    """A value that somebody else wrote is a claim of an unknown owner: never ours, never to be overwritten."""
    found = _VALUE.fullmatch(value)
    if found is None:
        return Claim(Origin.ADOPTED, "", Owner(value, ""))
    part = found.groupdict("")
    owner = Owner(part["stack"], part["logical_id"], part["stack_name"])
    key = "" if part["key"] == _NONE else part["key"]
    return Claim(
        Origin(part["origin"]), part["region"], owner, part["taken_from"], key, part["new_key"], part["reported"]
    )
