"""The one module that calls AWS, by boto3: its responses as our value types, its errors as ours."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError, ParamValidationError

from .errors import (
    AccessDeniedError,
    RejectedError,
    ReplicationError,
    SecretDeletedError,
    SecretNotFoundError,
    ThrottledError,
    UnavailableError,
)
from .model import Description, ReplicaStatus, SecretArn

# Secrets Manager responds in well under a second, and a Region that does not must not use up the deadline. Two
# attempts suffice, because the run itself retries, with pauses.
CONFIG = Config(
    connect_timeout=3,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
    user_agent_extra="cdk-replicated-secret",
)
_ERRORS: Mapping[str, type[ReplicationError]] = {
    "ResourceNotFoundException": SecretNotFoundError,
    "AccessDeniedException": AccessDeniedError,
    **dict.fromkeys(
        ("ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "Throttling"), ThrottledError
    ),
    # The machine's clock is wrong; it is corrected while the function runs.
    **dict.fromkeys(("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"), UnavailableError),
}
_SERVER_ERROR = 500
# F17: for a secret that is scheduled for deletion, the code is also InvalidRequestException.
_MARKED_FOR_DELETION = "marked for deletion"


class Boto3SecretsManager:
    """``ports.SecretsManager`` over boto3. One client for each service and Region, made when it is first needed.

    Args:
        region: where a secret given by name lives.
        client: makes a client of a service for a Region. Default: boto3's.
    """

    def __init__(self, region: str, client: Callable[[str, str], Any] | None = None) -> None:
        self._region = region
        self._make = client or _client
        self._clients: dict[tuple[str, str], Any] = {}

    def describe(self, secret: SecretArn | str) -> Description:
        """DescribeSecret."""
        region, secret_id = (secret.region if isinstance(secret, SecretArn) else self._region), str(secret)
        response = self._call("secretsmanager", region, "describe_secret", secret_id, has="ARN", SecretId=secret_id)
        arn = SecretArn.parse(response["ARN"])
        if arn is None:
            raise RejectedError(f"DescribeSecret on {secret} returned {response['ARN']}, which is not a secret's ARN")
        return Description(
            arn,
            primary_region=response.get("PrimaryRegion", ""),
            deleted="DeletedDate" in response,
            tags={tag["Key"]: tag.get("Value", "") for tag in response.get("Tags", [])},
            replicas={entry["Region"]: status_of(entry) for entry in response.get("ReplicationStatus", [])},
        )

    def replicate(self, primary: SecretArn, replicas: Mapping[str, str | None], *, force: bool) -> None:
        """ReplicateSecretToRegions."""
        regions = [
            {"Region": region, "KmsKeyId": key} if key else {"Region": region}
            for region, key in sorted(replicas.items())
        ]
        self._write(
            "replicate_secret_to_regions",
            primary,
            f", for {', '.join(sorted(replicas))}",
            AddReplicaRegions=regions,
            ForceOverwriteReplicaSecret=force,
        )

    def remove(self, primary: SecretArn, regions: Collection[str]) -> None:
        """RemoveRegionsFromReplication."""
        names = sorted(regions)
        self._write("remove_regions_from_replication", primary, f", for {', '.join(names)}", RemoveReplicaRegions=names)

    def promote(self, replica: SecretArn) -> None:
        """StopReplicationToReplica."""
        self._write("stop_replication_to_replica", replica)

    def tag(self, primary: SecretArn, tags: Mapping[str, str]) -> None:
        """TagResource."""
        self._write("tag_resource", primary, Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())])

    def untag(self, primary: SecretArn, keys: Collection[str]) -> None:
        """UntagResource."""
        self._write("untag_resource", primary, TagKeys=sorted(keys))

    def key_arn(self, region: str, alias: str) -> str:
        """kms:DescribeKey."""
        response = self._call("kms", region, "describe_key", alias, has="KeyMetadata", KeyId=alias)
        arn: str = response["KeyMetadata"]["Arn"]
        return arn

    def _write(self, operation: str, arn: SecretArn, regions: str = "", **parameters: Any) -> None:
        self._call("secretsmanager", arn.region, operation, f"{arn}{regions}", SecretId=str(arn), **parameters)

    def _call(
        self, service: str, region: str, operation: str, subject: str, *, has: str = "", **parameters: object
    ) -> dict[str, Any]:
        """One call, its errors as ours: AWS's message, then the operation, the Region and the subject.

        ``has``: what the response must have. botocore returns an empty one if it was cut short on the way.
        """
        what = f"{operation} in {region} on {subject}"
        place = (service, region)
        try:
            if place not in self._clients:
                self._clients[place] = self._make(*place)
            response: dict[str, Any] = getattr(self._clients[place], operation)(**parameters)
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            passing = error.response["ResponseMetadata"]["HTTPStatusCode"] >= _SERVER_ERROR
            kind = _ERRORS.get(code, UnavailableError if passing else RejectedError)
            if kind is RejectedError and _MARKED_FOR_DELETION in message:
                kind = SecretDeletedError
            raise kind(f"{code}: {message} ({what})", f"{code}: {message}") from error
        except (ParamValidationError, NoRegionError) as error:
            raise RejectedError(f"{error} ({what})") from error
        except BotoCoreError as error:
            raise UnavailableError(f"{error} ({what})") from error
        if has and has not in response:
            raise UnavailableError(f"the response has no {has} ({what})")
        return response


def _client(service: str, region: str) -> Any:
    return boto3.client(service, region_name=region, config=CONFIG)


def status_of(entry: Mapping[str, Any]) -> ReplicaStatus:
    """An entry of ReplicationStatus (F3)."""
    accessed = entry.get("LastAccessedDate")
    return ReplicaStatus(
        entry["Region"],
        entry.get("Status", ""),
        entry.get("KmsKeyId", ""),
        entry.get("StatusMessage", ""),
        accessed.date().isoformat() if accessed else "",
    )
