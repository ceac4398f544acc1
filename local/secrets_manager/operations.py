"""The API's operations on secrets and replicas. Each takes an endpoint's Region and parameters, and responds."""

from __future__ import annotations

import json
import secrets as randomness
import string
import uuid
from collections.abc import Callable

from local.clock import Clock

from .dialect import RemovedReplica, SystemTags
from .replication import DEFAULT_KEY, Replication
from .state import ApiError, Content, Parameters, Response, Secret, Store, Version, new_suffix

_DAY = 86400
_MOST_TAGS = 50
_SHORTEST_WINDOW, _LONGEST_WINDOW = 7, 30


class Operations:
    """The operations over a store; ``table`` has them by name."""

    def __init__(self, store: Store, clock: Clock, replication: Replication, account: str) -> None:
        self._store, self._clock, self._replication, self._account = store, clock, replication, account
        self.table: dict[str, Callable[[str, Parameters], Response]] = {
            "BatchGetSecretValue": self._batch_get_value,
            "CancelRotateSecret": self._cancel_rotation,
            "CreateSecret": self._create,
            "DeleteResourcePolicy": self._delete_policy,
            "DeleteSecret": self._delete,
            "DescribeSecret": self._describe,
            "GetRandomPassword": self._random_password,
            "GetResourcePolicy": self._get_policy,
            "GetSecretValue": self._get_value,
            "ListSecretVersionIds": self._list_versions,
            "ListSecrets": self._list,
            "PutResourcePolicy": self._put_policy,
            "PutSecretValue": self._put_value,
            "RemoveRegionsFromReplication": self._remove_regions,
            "ReplicateSecretToRegions": self._replicate,
            "RestoreSecret": self._restore,
            "RotateSecret": self._rotate,
            "StopReplicationToReplica": self._stop_replication,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "UpdateSecret": self._update,
            "UpdateSecretVersionStage": self._update_stage,
            "ValidateResourcePolicy": self._validate_policy,
        }

    # Lookup

    def _get(self, region: str, parameters: Parameters, *, usable: bool = True) -> Secret:
        secret = self._store.find(region, parameters.get("SecretId", ""))
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

    def _create(self, region: str, parameters: Parameters) -> Response:
        name = parameters["Name"]
        if held := self._store.at(region, name):
            if held.deleted is not None:
                raise ApiError(
                    "InvalidRequestException",
                    "You can't create this secret because a secret with this name is already scheduled for deletion.",
                )
            raise ApiError("ResourceExistsException", f"The operation failed because the secret {name} already exists.")
        now = self._clock.now()
        arn = f"arn:aws:secretsmanager:{region}:{self._account}:secret:{name}-{new_suffix()}"
        content = Content(parameters.get("Description", ""), _tags(parameters), changed=now)
        secret = Secret(arn, name, region, now, content, key=parameters.get("KmsKeyId"))
        response: Response = {"ARN": arn, "Name": name}
        if "SecretString" in parameters or "SecretBinary" in parameters:
            response["VersionId"] = self._new_version(content, parameters)
        self._store.put(secret)
        if parameters.get("AddReplicaRegions"):
            force = parameters.get("ForceOverwriteReplicaSecret", False)
            adding = {"AddReplicaRegions": parameters["AddReplicaRegions"], "ForceOverwriteReplicaSecret": force}
            try:
                response["ReplicationStatus"] = self._replication.add(secret, adding)
            except ApiError:
                self._store.drop(secret)
                raise
        return response

    def _describe(self, region: str, parameters: Parameters) -> Response:
        denied = self._replication.dialect.removed_replica is RemovedReplica.ACCESS_DENIED
        secret_id = parameters.get("SecretId", "")
        if denied and secret_id in self._store.removed and self._store.find(region, secret_id) is None:
            raise ApiError("AccessDeniedException", f"not authorized to perform DescribeSecret on {secret_id}")  # U16
        secret = self._get(region, parameters, usable=False)
        response = self._summary(secret) | {"VersionIdsToStages": _stages(secret.content)}
        if secret.entries:
            response["ReplicationStatus"] = self._replication.statuses(secret)
        return response

    def _summary(self, secret: Secret) -> Response:
        """What DescribeSecret and ListSecrets both return."""
        content, system_tags = secret.content, self._replication.dialect.system_tags
        hidden = "aws:" if secret.is_replica and system_tags is SystemTags.NOT_COPIED else "\0"  # U15
        response: Response = {
            "ARN": secret.arn,
            "Name": secret.name,
            "Description": content.description,
            "CreatedDate": secret.created,
            "LastChangedDate": content.changed,
            "Tags": [{"Key": k, "Value": value} for k, value in content.tags.items() if not k.startswith(hidden)],
        }
        key = secret.key or (DEFAULT_KEY if secret.is_replica else None)  # F4, F19
        primary_region = secret.primary_region or (secret.region if secret.entries else None)
        optional = {
            "KmsKeyId": key,
            "PrimaryRegion": primary_region,
            "OwningService": secret.owning_service,
            "DeletedDate": secret.deleted,
            "LastAccessedDate": secret.accessed,
        } | content.rotation
        return response | {name: value for name, value in optional.items() if value is not None}

    def _get_value(self, region: str, parameters: Parameters) -> Response:
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

    def _put_value(self, region: str, parameters: Parameters) -> Response:
        secret = self._get_primary(region, parameters)
        if not {"SecretString", "SecretBinary"} & set(parameters):
            raise ApiError("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
        version_id = self._new_version(secret.content, parameters)
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": version_id,
            "VersionStages": sorted(secret.content.versions[version_id].stages),
        }

    def _update(self, region: str, parameters: Parameters) -> Response:
        secret = self._get_primary(region, parameters)
        secret.content.description = parameters.get("Description", secret.content.description)
        secret.key = parameters.get("KmsKeyId", secret.key)
        secret.content.changed = self._clock.now()
        response: Response = {"ARN": secret.arn, "Name": secret.name}
        if "SecretString" in parameters or "SecretBinary" in parameters:
            response["VersionId"] = self._new_version(secret.content, parameters)
        return response

    def _delete(self, region: str, parameters: Parameters) -> Response:
        force, window = parameters.get("ForceDeleteWithoutRecovery", False), parameters.get("RecoveryWindowInDays")
        if window is not None and (force or not _SHORTEST_WINDOW <= window <= _LONGEST_WINDOW):
            raise ApiError(
                "InvalidParameterException",
                "RecoveryWindowInDays is 7 to 30, and does not go with ForceDeleteWithoutRecovery.",
            )
        now = self._clock.now()
        if force and self._store.find(region, parameters.get("SecretId", "")) is None:
            return {"Name": parameters.get("SecretId", ""), "DeletionDate": now}  # F5
        secret = self._get(region, parameters, usable=not force)
        if secret.is_replica:
            self._get_primary(region, parameters)
        if secret.entries:
            raise ApiError(
                "InvalidParameterException",
                f"You can't delete secret {secret.arn} that still has replica regions [{', '.join(secret.entries)}].",
            )  # F16
        secret.deleted = now if force else now + (window or _LONGEST_WINDOW) * _DAY
        if force:
            self._store.drop(secret)
        return {"ARN": secret.arn, "Name": secret.name, "DeletionDate": secret.deleted}

    def _restore(self, region: str, parameters: Parameters) -> Response:
        secret = self._get(region, parameters, usable=False)
        secret.deleted = None
        return {"ARN": secret.arn, "Name": secret.name}

    def _list(self, region: str, parameters: Parameters) -> Response:
        found = [
            self._summary(secret) | {"SecretVersionsToStages": _stages(secret.content)}
            for secret in self._store.within(region)
            if secret.deleted is None or parameters.get("IncludePlannedDeletion")
        ]
        for wanted in parameters.get("Filters", []):
            found = [summary for summary in found if _matches(summary, wanted["Key"], wanted["Values"])]
        start, size = int(parameters.get("NextToken", 0)), parameters.get("MaxResults", 100)
        response: Response = {"SecretList": found[start : start + size]}
        if start + size < len(found):
            response["NextToken"] = str(start + size)
        return response

    def _list_versions(self, region: str, parameters: Parameters) -> Response:
        secret = self._get(region, parameters)
        versions = [
            {"VersionId": version_id, "VersionStages": sorted(version.stages), "CreatedDate": version.created}
            for version_id, version in secret.content.versions.items()
            if version.stages or parameters.get("IncludeDeprecated")
        ]
        return {"ARN": secret.arn, "Name": secret.name, "Versions": versions}

    def _batch_get_value(self, region: str, parameters: Parameters) -> Response:
        wanted = parameters.get("SecretIdList") or [
            summary["ARN"] for summary in self._list(region, {"Filters": parameters.get("Filters", [])})["SecretList"]
        ]
        response: Response = {"SecretValues": [], "Errors": []}
        for secret_id in wanted:
            try:
                response["SecretValues"].append(self._get_value(region, {"SecretId": secret_id}))
            except ApiError as error:
                response["Errors"].append({"SecretId": secret_id, "ErrorCode": error.code, "Message": error.message})
        return response

    def _update_stage(self, region: str, parameters: Parameters) -> Response:
        secret = self._get_primary(region, parameters)
        stage, source, target = (
            parameters.get(name) for name in ("VersionStage", "RemoveFromVersionId", "MoveToVersionId")
        )
        versions = secret.content.versions
        holder = next((version_id for version_id, version in versions.items() if stage in version.stages), None)
        if not {source, target} - {None} <= set(versions):
            raise ApiError("ResourceNotFoundException", "Secrets Manager can't find the specified secret version.")
        if holder not in (None, target, source):
            raise ApiError(
                "InvalidParameterException",
                f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to "
                f"version {holder}, so you must explicitly reference that version in RemoveFromVersionId.",
            )
        if holder and holder != target:
            versions[holder].stages.discard(str(stage))
            if stage == "AWSCURRENT" and target:
                for version in versions.values():
                    version.stages.discard("AWSPREVIOUS")
                versions[holder].stages.add("AWSPREVIOUS")
        if target:
            versions[target].stages.add(str(stage))
        return {"ARN": secret.arn, "Name": secret.name}

    def _rotate(self, region: str, parameters: Parameters) -> Response:
        """Store the settings only: no function is called, and the value does not change."""
        secret = self._get_primary(region, parameters)
        settings = {name: parameters[name] for name in ("RotationLambdaARN", "RotationRules") if name in parameters}
        secret.content.rotation = secret.content.rotation | settings | {"RotationEnabled": True}
        return {"ARN": secret.arn, "Name": secret.name}

    def _cancel_rotation(self, region: str, parameters: Parameters) -> Response:
        secret = self._get_primary(region, parameters)
        secret.content.rotation["RotationEnabled"] = False
        return {"ARN": secret.arn, "Name": secret.name}

    def _validate_policy(self, region: str, parameters: Parameters) -> Response:
        """Check only that it is JSON."""
        try:
            json.loads(parameters["ResourcePolicy"])
        except json.JSONDecodeError as error:
            problem = {"CheckName": "JSON", "ErrorMessage": str(error)}
            return {"PolicyValidationPassed": False, "ValidationErrors": [problem]}
        return {"PolicyValidationPassed": True, "ValidationErrors": []}

    def _tag(self, region: str, parameters: Parameters) -> Response:
        content = self._get_primary(region, parameters).content
        tags = content.tags | _tags(parameters)
        if len(tags) > _MOST_TAGS:
            raise ApiError("InvalidParameterException", f"A secret can have at most {_MOST_TAGS} tags.")  # F40
        content.tags = tags
        return {}

    def _untag(self, region: str, parameters: Parameters) -> Response:
        tags = self._get_primary(region, parameters).content.tags
        for key in parameters["TagKeys"]:
            tags.pop(key, None)
        return {}

    def _put_policy(self, region: str, parameters: Parameters) -> Response:
        secret = self._get_primary(region, parameters)
        secret.content.policy = parameters["ResourcePolicy"]
        return {"ARN": secret.arn, "Name": secret.name}

    def _get_policy(self, region: str, parameters: Parameters) -> Response:
        secret = self._get(region, parameters)
        policy = {"ResourcePolicy": secret.content.policy} if secret.content.policy else {}
        return {"ARN": secret.arn, "Name": secret.name} | policy

    def _delete_policy(self, region: str, parameters: Parameters) -> Response:
        secret = self._get_primary(region, parameters)
        secret.content.policy = None
        return {"ARN": secret.arn, "Name": secret.name}

    def _random_password(self, region: str, parameters: Parameters) -> Response:
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
        given = (parameters.get("SecretString"), parameters.get("SecretBinary"))
        if known := content.versions.get(version_id):
            if (known.string, known.binary) != given:
                raise ApiError("ResourceExistsException", f"You can't use ClientRequestToken {version_id} again.")
            return version_id
        stages = set(parameters.get("VersionStages", ["AWSCURRENT"]))
        for version in content.versions.values():
            if "AWSCURRENT" in stages:
                version.stages.discard("AWSPREVIOUS")
                if "AWSCURRENT" in version.stages:
                    version.stages.add("AWSPREVIOUS")
            version.stages -= stages
        now = self._clock.now()
        content.versions[version_id] = Version(now, stages, *given)
        content.changed = now
        return version_id

    # Replication

    def _replicate(self, region: str, parameters: Parameters) -> Response:
        primary = self._get_primary(region, parameters)
        return {"ARN": primary.arn, "ReplicationStatus": self._replication.add(primary, parameters)}

    def _remove_regions(self, region: str, parameters: Parameters) -> Response:
        primary = self._get_primary(region, parameters)
        return {"ARN": primary.arn, "ReplicationStatus": self._replication.remove(primary, parameters)}

    def _stop_replication(self, region: str, parameters: Parameters) -> Response:
        replica = self._get(region, parameters)
        self._replication.stop(replica)
        return {"ARN": replica.arn}


def _day(time: float) -> float:
    """F11: dates of access have day granularity."""
    return time - time % _DAY


def _tags(parameters: Parameters) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in parameters.get("Tags") or []}


def _stages(content: Content) -> dict[str, list[str]]:
    return {version_id: sorted(version.stages) for version_id, version in content.versions.items() if version.stages}


def _matches(summary: Response, key: str, values: list[str]) -> bool:
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
