"""A model of Secrets Manager with multi-Region replication: no HTTP, no threads, a clock that is passed in.

What it does follows docs/local-aws.md; the numbers in the comments (F18) are the rows there.
State changes with time only when it is looked at: each call first brings it up to now.
"""

from __future__ import annotations

import secrets as randomness
import string
import uuid
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from .clock import Clock

DEFAULT_KEY = "alias/aws/secretsmanager"
_SUFFIX_LENGTH = 6
_DAY = 86400

Parameters = Mapping[str, Any]
Answer = dict[str, Any]


class ApiError(Exception):
    """An error as the API answers it: code, message, HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds that AWS takes: until a replica is InSync (F22), and until a removed one is gone (F18)."""

    in_sync: float = 3.0
    gone: float = 60.0

    def scaled(self, factor: float) -> Delays:
        """The same, ``factor`` times as long."""
        return Delays(self.in_sync * factor, self.gone * factor)


@dataclass(slots=True)
class Version:
    """One version of a value."""

    created: float
    stages: set[str]
    string: str | None = None
    binary: str | None = None


@dataclass(slots=True)
class Content:
    """What replicas share with their primary: everything but the key (F20)."""

    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    policy: str | None = None
    rotation: dict[str, Any] = field(default_factory=dict)
    changed: float = 0.0


@dataclass(slots=True)
class Entry:
    """One entry of a primary's ReplicationStatus. Until ``settles`` it is InProgress, then ``outcome``."""

    region: str
    key: str
    settles: float
    outcome: str = "InSync"
    message: str = "Replication succeeded"  # F11


@dataclass(slots=True)
class Secret:
    """A secret in a Region: a primary, a standalone one, or a replica (``primary_region`` set)."""

    arn: str
    name: str
    region: str
    created: float
    content: Content
    key: str | None = None
    primary_region: str | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    deleted: float | None = None
    accessed: float | None = None
    goes: float | None = None

    @property
    def is_replica(self) -> bool:
        """Whether another Region has its primary."""
        return self.primary_region is not None

    def arn_in(self, region: str) -> str:
        """The same name and suffix in another Region (F19)."""
        head, _, tail = self.arn.partition(f":{self.region}:")
        return f"{head}:{region}:{tail}"


class SecretsManager:
    """All Regions of one account.

    Args:
        clock: what time it is, in epoch seconds.
        delays: how long replication takes.
        account: the account's id, for ARNs.
    """

    def __init__(self, clock: Clock, delays: Delays | None = None, account: str = "000000000000") -> None:
        self._clock = clock
        self._delays = delays or Delays()
        self._account = account
        self._secrets: dict[tuple[str, str], Secret] = {}
        self._operations: dict[str, Callable[[str, Parameters], Answer]] = {
            "CreateSecret": self._create,
            "DescribeSecret": self._describe,
            "GetSecretValue": self._get_value,
            "PutSecretValue": self._put_value,
            "UpdateSecret": self._update,
            "DeleteSecret": self._delete,
            "RestoreSecret": self._restore,
            "ListSecrets": self._list,
            "ListSecretVersionIds": self._list_versions,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "PutResourcePolicy": self._put_policy,
            "GetResourcePolicy": self._get_policy,
            "DeleteResourcePolicy": self._delete_policy,
            "GetRandomPassword": self._random_password,
            "ReplicateSecretToRegions": self._replicate,
            "RemoveRegionsFromReplication": self._remove_regions,
            "StopReplicationToReplica": self._stop_replication,
        }

    def call(self, region: str, operation: str, parameters: Parameters) -> Answer:
        """Carry out one API call.

        Args:
            region: the endpoint's Region.
            operation: its name, as ``DescribeSecret``.
            parameters: as the API's JSON; timestamps in answers are epoch seconds, binaries base64 text.

        Raises:
            ApiError: as the API would answer.
        """
        if operation not in self._operations:
            raise ApiError("InvalidAction", f"local AWS has no {operation}; it has {', '.join(self._operations)}")
        self._advance()
        return self._operations[operation](region, parameters)

    def secrets(self, region: str) -> Iterator[Secret]:
        """The secrets in a Region, as they are now."""
        self._advance()
        yield from [secret for (where, _), secret in sorted(self._secrets.items()) if where == region]

    def find(self, region: str, secret_id: str) -> Secret | None:
        """A secret by name, ARN or ARN without suffix, as it is now."""
        self._advance()
        return self._lookup(region, secret_id)

    # Time

    def _advance(self) -> None:
        now = self._clock.now()
        for place, secret in list(self._secrets.items()):
            gone = secret.goes is not None and secret.goes <= now
            expired = secret.deleted is not None and secret.deleted <= now
            if gone or expired:
                del self._secrets[place]

    def _status(self, entry: Entry) -> tuple[str, str]:
        if self._clock.now() < entry.settles:
            return "InProgress", ""  # F10: no message
        return entry.outcome, entry.message

    # Lookup

    def _lookup(self, region: str, secret_id: str) -> Secret | None:
        if not secret_id.startswith("arn:"):
            return self._secrets.get((region, secret_id))
        for (where, _), secret in self._secrets.items():
            if where == region and secret_id in (secret.arn, secret.arn[: -_SUFFIX_LENGTH - 1]):
                return secret
        return None

    def _get(self, region: str, parameters: Parameters, *, usable: bool = True) -> Secret:
        secret = self._lookup(region, parameters.get("SecretId", ""))
        if secret is None:
            raise ApiError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")  # F17
        if usable and secret.deleted is not None:
            raise ApiError(
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",  # F17
            )
        return secret

    def _get_primary(self, region: str, parameters: Parameters) -> Secret:
        secret = self._get(region, parameters)
        if secret.is_replica:
            raise ApiError(
                "InvalidParameterException",
                "Operation not permitted on a replica secret. Call must be made in primary secret's region.",  # F15
            )
        return secret

    # Secrets

    def _create(self, region: str, parameters: Parameters) -> Answer:
        name = parameters["Name"]
        if (region, name) in self._secrets:
            held = self._secrets[region, name]
            if held.deleted is not None:
                raise ApiError(
                    "InvalidRequestException",
                    "You can't create this secret because a secret with this name is already scheduled for deletion.",
                )
            raise ApiError("ResourceExistsException", f"The operation failed because the secret {name} already exists.")
        now = self._clock.now()
        arn = f"arn:aws:secretsmanager:{region}:{self._account}:secret:{name}-{_suffix()}"
        content = Content(parameters.get("Description", ""), _tags(parameters), changed=now)
        secret = Secret(arn, name, region, now, content, key=parameters.get("KmsKeyId"))
        answer: Answer = {"ARN": arn, "Name": name}
        if "SecretString" in parameters or "SecretBinary" in parameters:
            answer["VersionId"] = self._new_version(content, parameters)
        self._secrets[region, name] = secret
        if parameters.get("AddReplicaRegions"):
            answer["ReplicationStatus"] = self._add_replicas(secret, parameters)
        return answer

    def _describe(self, region: str, parameters: Parameters) -> Answer:
        secret = self._get(region, parameters, usable=False)
        answer = self._summary(secret) | {"VersionIdsToStages": _stages(secret.content)}
        if secret.entries:
            answer["ReplicationStatus"] = self._replication_status(secret)
        return answer

    def _summary(self, secret: Secret) -> Answer:
        """What DescribeSecret and ListSecrets both say."""
        content = secret.content
        answer: Answer = {
            "ARN": secret.arn,
            "Name": secret.name,
            "Description": content.description,
            "CreatedDate": secret.created,
            "LastChangedDate": content.changed,
            "Tags": [{"Key": key, "Value": value} for key, value in content.tags.items()],
        }
        key = secret.key or (DEFAULT_KEY if secret.is_replica else None)  # F4, F19
        primary_region = secret.primary_region or (secret.region if secret.entries else None)
        optional = {
            "KmsKeyId": key,
            "PrimaryRegion": primary_region,
            "DeletedDate": secret.deleted,
            "LastAccessedDate": secret.accessed,
        } | content.rotation
        return answer | {name: value for name, value in optional.items() if value is not None}

    def _get_value(self, region: str, parameters: Parameters) -> Answer:
        secret = self._get(region, parameters)
        wanted, stage = parameters.get("VersionId"), parameters.get("VersionStage", "AWSCURRENT")
        for version_id, version in secret.content.versions.items():
            if version_id == wanted or (wanted is None and stage in version.stages):
                secret.accessed = _day(self._clock.now())
                value = {"SecretString": version.string, "SecretBinary": version.binary}
                return {
                    "ARN": secret.arn,
                    "Name": secret.name,
                    "VersionId": version_id,
                    "VersionStages": sorted(version.stages),
                    "CreatedDate": version.created,
                } | {name: text for name, text in value.items() if text is not None}
        raise ApiError(
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret value "
            f"for {'VersionId: ' + wanted if wanted else 'staging label: ' + stage}",
        )

    def _put_value(self, region: str, parameters: Parameters) -> Answer:
        secret = self._get_primary(region, parameters)
        version_id = self._new_version(secret.content, parameters)
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": version_id,
            "VersionStages": sorted(secret.content.versions[version_id].stages),
        }

    def _update(self, region: str, parameters: Parameters) -> Answer:
        secret = self._get_primary(region, parameters)
        secret.content.description = parameters.get("Description", secret.content.description)
        secret.key = parameters.get("KmsKeyId", secret.key)
        secret.content.changed = self._clock.now()
        answer: Answer = {"ARN": secret.arn, "Name": secret.name}
        if "SecretString" in parameters or "SecretBinary" in parameters:
            answer["VersionId"] = self._new_version(secret.content, parameters)
        return answer

    def _delete(self, region: str, parameters: Parameters) -> Answer:
        force = parameters.get("ForceDeleteWithoutRecovery", False)
        now = self._clock.now()
        if force and self._lookup(region, parameters.get("SecretId", "")) is None:
            return {"Name": parameters.get("SecretId", ""), "DeletionDate": now}  # F5
        secret = self._get(region, parameters, usable=not force)
        if secret.is_replica:
            self._get_primary(region, parameters)
        if secret.entries:
            raise ApiError(
                "InvalidParameterException",
                f"You can't delete secret {secret.arn} that still has replica regions [{', '.join(secret.entries)}].",
            )  # F16
        secret.deleted = now if force else now + parameters.get("RecoveryWindowInDays", 30) * _DAY
        if force:
            del self._secrets[region, secret.name]
        return {"ARN": secret.arn, "Name": secret.name, "DeletionDate": secret.deleted}

    def _restore(self, region: str, parameters: Parameters) -> Answer:
        secret = self._get(region, parameters, usable=False)
        secret.deleted = None
        return {"ARN": secret.arn, "Name": secret.name}

    def _list(self, region: str, parameters: Parameters) -> Answer:
        found = [
            self._summary(secret) | {"SecretVersionsToStages": _stages(secret.content)}
            for (where, _), secret in sorted(self._secrets.items())
            if where == region and (secret.deleted is None or parameters.get("IncludePlannedDeletion"))
        ]
        for wanted in parameters.get("Filters", []):
            found = [summary for summary in found if _matches(summary, wanted["Key"], wanted["Values"])]
        start, size = int(parameters.get("NextToken", 0)), parameters.get("MaxResults", 100)
        answer: Answer = {"SecretList": found[start : start + size]}
        if start + size < len(found):
            answer["NextToken"] = str(start + size)
        return answer

    def _list_versions(self, region: str, parameters: Parameters) -> Answer:
        secret = self._get(region, parameters)
        versions = [
            {"VersionId": version_id, "VersionStages": sorted(version.stages), "CreatedDate": version.created}
            for version_id, version in secret.content.versions.items()
            if version.stages or parameters.get("IncludeDeprecated")
        ]
        return {"ARN": secret.arn, "Name": secret.name, "Versions": versions}

    def _tag(self, region: str, parameters: Parameters) -> Answer:
        self._get_primary(region, parameters).content.tags.update(_tags(parameters))
        return {}

    def _untag(self, region: str, parameters: Parameters) -> Answer:
        tags = self._get_primary(region, parameters).content.tags
        for key in parameters["TagKeys"]:
            tags.pop(key, None)
        return {}

    def _put_policy(self, region: str, parameters: Parameters) -> Answer:
        secret = self._get_primary(region, parameters)
        secret.content.policy = parameters["ResourcePolicy"]
        return {"ARN": secret.arn, "Name": secret.name}

    def _get_policy(self, region: str, parameters: Parameters) -> Answer:
        secret = self._get(region, parameters)
        policy = {"ResourcePolicy": secret.content.policy} if secret.content.policy else {}
        return {"ARN": secret.arn, "Name": secret.name} | policy

    def _delete_policy(self, region: str, parameters: Parameters) -> Answer:
        secret = self._get_primary(region, parameters)
        secret.content.policy = None
        return {"ARN": secret.arn, "Name": secret.name}

    def _random_password(self, region: str, parameters: Parameters) -> Answer:
        excluded = set(parameters.get("ExcludeCharacters", ""))
        kinds = {
            "ExcludeLowercase": string.ascii_lowercase,
            "ExcludeUppercase": string.ascii_uppercase,
            "ExcludeNumbers": string.digits,
            "ExcludePunctuation": string.punctuation,
        }
        allowed = [c for kind, characters in kinds.items() if not parameters.get(kind) for c in characters]
        allowed = [c for c in [*allowed, *(" " if parameters.get("IncludeSpace") else "")] if c not in excluded]
        return {
            "RandomPassword": "".join(randomness.choice(allowed) for _ in range(parameters.get("PasswordLength", 32)))
        }

    def _new_version(self, content: Content, parameters: Parameters) -> str:
        version_id = parameters.get("ClientRequestToken") or str(uuid.uuid4())
        stages = set(parameters.get("VersionStages", ["AWSCURRENT"]))
        for version in content.versions.values():
            if "AWSCURRENT" in stages:
                version.stages.discard("AWSPREVIOUS")
                if "AWSCURRENT" in version.stages:
                    version.stages.add("AWSPREVIOUS")
            version.stages -= stages
        now = self._clock.now()
        content.versions[version_id] = Version(
            now, stages, parameters.get("SecretString"), parameters.get("SecretBinary")
        )
        content.changed = now
        return version_id

    # Replication

    def _replicate(self, region: str, parameters: Parameters) -> Answer:
        secret = self._get_primary(region, parameters)
        return {"ARN": secret.arn, "ReplicationStatus": self._add_replicas(secret, parameters)}

    def _add_replicas(self, primary: Secret, parameters: Parameters) -> list[Answer]:
        wanted = parameters["AddReplicaRegions"]
        if any(entry["Region"] == primary.region for entry in wanted):
            raise ApiError("InvalidParameterException", "Invalid replica region.")  # F14
        for entry in wanted:
            force = parameters.get("ForceOverwriteReplicaSecret", parameters.get("ForceOverwriteReplica", False))
            self._add_replica(primary, entry["Region"], entry.get("KmsKeyId") or DEFAULT_KEY, force=force)
        return self._replication_status(primary)

    def _add_replica(self, primary: Secret, region: str, key: str, *, force: bool) -> None:
        now = self._clock.now()
        known = primary.entries.get(region)
        if known and known.key == key and self._status(known)[0] != "Failed":
            return
        entry = primary.entries[region] = Entry(region, key, now + self._delays.in_sync)
        held = self._secrets.get((region, primary.name))
        obstacle = self._obstacle(primary, held, force=force) if held else None
        if obstacle:
            entry.outcome, entry.message = "Failed", f"Replication failed: {obstacle}"  # F12: later, after a 200
            return
        self._secrets[region, primary.name] = Secret(
            primary.arn_in(region), primary.name, region, now, primary.content, key=key, primary_region=primary.region
        )

    def _obstacle(self, primary: Secret, held: Secret, *, force: bool) -> str | None:
        """Why the secret of that name in the replica's Region is in the way, in AWS's words (F13)."""
        ours = held.arn == primary.arn_in(held.region)
        if held.is_replica and held.primary_region == primary.region:
            if ours and held.goes is None:
                return None
            return f"Secret name {held.name} is currently replicated to {held.region} with a different arn"  # F18
        if not force:
            return f"Secret name {held.name} already exists in region {held.region}."
        if held.entries:
            return f"Can't overwrite secret {held.name} that is currently replicated to other region(s)."
        if held.is_replica:
            return f"Can't overwrite secret {held.name} that is currently replicated from {held.primary_region}."
        return None

    def _remove_regions(self, region: str, parameters: Parameters) -> Answer:
        primary = self._get_primary(region, parameters)
        for gone in parameters["RemoveReplicaRegions"]:
            if primary.entries.pop(gone, None) is None:
                continue
            replica = self._secrets.get((gone, primary.name))
            if replica and replica.arn == primary.arn_in(gone) and replica.is_replica:
                replica.goes = self._clock.now() + self._delays.gone  # F18
        return {"ARN": primary.arn, "ReplicationStatus": self._replication_status(primary)}

    def _stop_replication(self, region: str, parameters: Parameters) -> Answer:
        replica = self._get(region, parameters)
        if not replica.is_replica or replica.goes is not None:
            raise ApiError("InvalidParameterException", "Operation not permitted on a secret that is not a replica.")
        primary = self._secrets.get((replica.primary_region or "", replica.name))
        if primary:
            primary.entries.pop(region, None)
        replica.primary_region, replica.content = None, deepcopy(replica.content)  # F23
        return {"ARN": replica.arn}

    def _replication_status(self, primary: Secret) -> list[Answer]:
        statuses = []
        for entry in primary.entries.values():
            status, message = self._status(entry)
            replica = self._secrets.get((entry.region, primary.name))
            accessed = replica.accessed if replica and replica.is_replica else None
            optional: Answer = {"StatusMessage": message or None, "LastAccessedDate": accessed}
            statuses.append(
                {"Region": entry.region, "KmsKeyId": entry.key, "Status": status}
                | {name: value for name, value in optional.items() if value is not None}
            )
        return statuses


def _suffix() -> str:
    return "".join(randomness.choice(string.ascii_letters + string.digits) for _ in range(_SUFFIX_LENGTH))


def _day(time: float) -> float:
    """F11: dates of access have day granularity."""
    return time - time % _DAY


def _tags(parameters: Parameters) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in parameters.get("Tags") or []}


def _stages(content: Content) -> dict[str, list[str]]:
    return {version_id: sorted(version.stages) for version_id, version in content.versions.items() if version.stages}


def _matches(summary: Answer, key: str, values: list[str]) -> bool:
    """F4: ListSecrets' filters. A value that starts with ! excludes; matching is by prefix."""
    texts = {
        "name": [summary["Name"]],
        "description": [summary["Description"]],
        "tag-key": [tag["Key"] for tag in summary["Tags"]],
        "tag-value": [tag["Value"] for tag in summary["Tags"]],
        "primary-region": [summary.get("PrimaryRegion", "")],
        "owning-service": [summary.get("OwningService", "")],
    }
    searched = texts.get(key, [text for several in texts.values() for text in several])
    wanted = [value for value in values if not value.startswith("!")]
    unwanted = [value[1:] for value in values if value.startswith("!")]
    hit = any(text.startswith(value) for text in searched for value in wanted) if wanted else True
    return hit and not any(text.startswith(value) for text in searched for value in unwanted)
