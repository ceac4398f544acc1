"""The one module that speaks to AWS: boto3 in, our words out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError, ParamValidationError

from .errors import (
    AccessDeniedError,
    RefusedError,
    ReplicationError,
    SecretDeletedError,
    SecretNotFoundError,
    ThrottledError,
    UnavailableError,
)
from .ports import Description, ReplicaStatus
from .regions import SecretArn

# Secrets Manager answers in well under a second; a Region that does not must not eat the deadline. Two attempts: the
# run itself goes on looking, with pauses.
CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 2},
    user_agent_extra="cdk-replicated-secret",
)
_ERRORS: Mapping[str, type[ReplicationError]] = {
    "ResourceNotFoundException": SecretNotFoundError,
    "AccessDeniedException": AccessDeniedError,
    **dict.fromkeys(
        ("ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "Throttling"), ThrottledError
    ),
    # The machine's clock, which is put right while the function runs.
    **dict.fromkeys(("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"), UnavailableError),
}
_SERVER_ERROR = 500
# F17: InvalidRequestException is also what a secret scheduled for deletion answers.
_MARKED_FOR_DELETION = "marked for deletion"


class Boto3SecretsManager:
    """``ports.SecretsManager`` over boto3. One client for each Region, made when it is first needed.

    Args:
        region: where a secret given by name lives.
        client: makes a Secrets Manager client for a Region.
    """

    def __init__(self, region: str, client: Callable[[str], Any] | None = None) -> None:
        self._region = region
        self._make = client or _client
        self._clients: dict[str, Any] = {}

    def describe(self, secret_id: str) -> Description:
        """DescribeSecret."""
        arn = SecretArn.parse(secret_id)
        answer = self._call(arn.region if arn else self._region, "describe_secret", secret_id, SecretId=secret_id)
        if "ARN" not in answer:
            # botocore takes an answer that was cut short on the way for an empty one.
            raise UnavailableError(f"DescribeSecret on {secret_id} was answered without an ARN")
        found = SecretArn.parse(answer["ARN"])
        if found is None:
            raise RefusedError(f"DescribeSecret on {secret_id} answered {answer['ARN']}, which is no secret's ARN")
        return Description(
            found,
            primary_region=answer.get("PrimaryRegion", ""),
            deleted="DeletedDate" in answer,
            tags={tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])},
            replicas={entry["Region"]: _status(entry) for entry in answer.get("ReplicationStatus", [])},
        )

    def replicate(self, primary: SecretArn, replicas: Mapping[str, str | None], *, force: bool) -> None:
        """ReplicateSecretToRegions."""
        regions = [
            {"Region": region, "KmsKeyId": key} if key else {"Region": region}
            for region, key in sorted(replicas.items())
        ]
        self._write(
            "replicate_secret_to_regions", primary, AddReplicaRegions=regions, ForceOverwriteReplicaSecret=force
        )

    def remove(self, primary: SecretArn, regions: Collection[str]) -> None:
        """RemoveRegionsFromReplication."""
        self._write("remove_regions_from_replication", primary, RemoveReplicaRegions=sorted(regions))

    def promote(self, replica: SecretArn) -> None:
        """StopReplicationToReplica."""
        self._write("stop_replication_to_replica", replica)

    def tag(self, primary: SecretArn, tags: Mapping[str, str]) -> None:
        """TagResource."""
        self._write("tag_resource", primary, Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())])

    def untag(self, primary: SecretArn, keys: Collection[str]) -> None:
        """UntagResource."""
        self._write("untag_resource", primary, TagKeys=sorted(keys))

    def _write(self, operation: str, arn: SecretArn, **parameters: object) -> None:
        self._call(arn.region, operation, str(arn), SecretId=str(arn), **parameters)

    def _call(self, region: str, operation: str, subject: str, **parameters: object) -> dict[str, Any]:
        """One call, its errors in our words: the verb, the secret, the Region, then AWS's own."""
        what = f"{operation} on {subject} in {region}"
        try:
            if region not in self._clients:
                self._clients[region] = self._make(region)
            answer: dict[str, Any] = getattr(self._clients[region], operation)(**parameters)
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            passing = error.response["ResponseMetadata"]["HTTPStatusCode"] >= _SERVER_ERROR
            kind = _ERRORS.get(code, UnavailableError if passing else RefusedError)
            if kind is RefusedError and _MARKED_FOR_DELETION in message:
                kind = SecretDeletedError
            raise kind(f"{code}: {message} ({what})", f"{code}: {message}") from error
        except (ParamValidationError, NoRegionError) as error:
            raise RefusedError(f"{error} ({what})") from error
        except BotoCoreError as error:
            raise UnavailableError(f"{error} ({what})") from error
        return answer


def _client(region: str) -> Any:
    return boto3.client("secretsmanager", region_name=region, config=CONFIG)


def _status(entry: Mapping[str, Any]) -> ReplicaStatus:
    accessed = entry.get("LastAccessedDate")
    return ReplicaStatus(
        entry["Region"],
        entry.get("Status", ""),
        entry.get("KmsKeyId", ""),
        entry.get("StatusMessage", ""),
        accessed.date().isoformat() if accessed else "",
    )
