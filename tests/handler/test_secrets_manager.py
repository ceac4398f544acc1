"""The boto3 adapter: AWS's errors in our words."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from secret_replication.errors import (
    AccessDeniedError,
    RejectedError,
    ReplicationError,
    SecretDeletedError,
    SecretNotFoundError,
    ThrottledError,
    UnavailableError,
)
from secret_replication.model import SecretArn
from secret_replication.secrets_manager import Boto3SecretsManager
from tests.helpers.world import PRIMARY, World

ARN = SecretArn("aws", PRIMARY, "000000000000", "app-abcdef")


def arn(world: World) -> SecretArn:
    parsed = SecretArn.parse(world.arn)
    assert parsed
    return parsed


class Raises:
    """A client whose every call raises."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, _: str) -> Callable[..., Any]:
        def call(**_: object) -> Any:
            raise self._error

        return call


def client_error(code: str, message: str = "why", status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "DescribeSecret")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client_error("ResourceNotFoundException"), SecretNotFoundError),
        (client_error("InvalidRequestException", "... because it was marked for deletion."), SecretDeletedError),
        (client_error("InvalidRequestException"), RejectedError),
        (client_error("InvalidParameterException"), RejectedError),
        (client_error("AccessDeniedException"), AccessDeniedError),
        (client_error("UnrecognizedClientException"), RejectedError),
        (client_error("ThrottlingException"), ThrottledError),
        (client_error("RequestTimeTooSkewed", status=403), UnavailableError),
        (client_error("InternalServiceError", status=500), UnavailableError),
        (EndpointConnectionError(endpoint_url="https://x"), UnavailableError),
    ],
)
def test_an_error_keeps_awss_message_and_names_the_call_and_region(
    error: Exception, kind: type[ReplicationError]
) -> None:
    aws = Boto3SecretsManager(PRIMARY, lambda *_: Raises(error))
    with pytest.raises(ReplicationError) as raised:
        aws.describe(ARN.in_region("eu-west-3"))
    assert type(raised.value) is kind
    assert "describe_secret in eu-west-3 on arn:aws:secretsmanager:eu-west-3:000000000000:secret:app-abcdef" in str(
        raised.value
    )
    if isinstance(error, ClientError):
        assert error.response["Error"]["Message"] in str(raised.value)


class RaisesOnWrites:
    def replicate_secret_to_regions(self, **_: object) -> None:
        raise client_error("AccessDeniedException")

    remove_regions_from_replication = replicate_secret_to_regions


def test_an_error_about_replicas_names_their_regions() -> None:
    aws = Boto3SecretsManager(PRIMARY, lambda *_: RaisesOnWrites())
    named = r"in us-west-2 on .*app-abcdef, for eu-west-3, us-east-1"
    with pytest.raises(AccessDeniedError, match=named):
        aws.replicate(ARN, {"us-east-1": None, "eu-west-3": None}, force=False)
    with pytest.raises(AccessDeniedError, match=named):
        aws.remove(ARN, {"us-east-1", "eu-west-3"})


def test_a_truncated_response_is_retryable() -> None:
    class CutShort:
        def describe_secret(self, **_: object) -> dict[str, Any]:
            return {"ResponseMetadata": {"HTTPStatusCode": 200}}

    with pytest.raises(UnavailableError, match=r"has no ARN \(describe_secret in us-west-2 on app/database\)"):
        Boto3SecretsManager(PRIMARY, lambda *_: CutShort()).describe("app/database")


def test_the_region_of_the_arn_decides_which_endpoint_is_called(world: World) -> None:
    asked: list[str] = []

    def make(service: str, region: str) -> Any:
        assert service == "secretsmanager"
        asked.append(region)
        return world.client(region)

    aws = Boto3SecretsManager(PRIMARY, make)
    aws.describe("app/database")
    with pytest.raises(SecretNotFoundError):
        aws.describe(arn(world).in_region("eu-west-3"))
    aws.describe(arn(world))
    assert asked == [PRIMARY, "eu-west-3"], "one client for each Region"


def test_a_description_says_what_is_a_replica(world: World) -> None:
    world.client().replicate_secret_to_regions(
        SecretId=world.arn, AddReplicaRegions=[{"Region": "eu-west-3", "KmsKeyId": "key-1"}]
    )
    world.clock.sleep(5)
    world.client("eu-west-3").get_secret_value(SecretId="app/database")
    aws = world.journal.inner
    primary, replica = aws.describe(arn(world)), aws.describe(arn(world).in_region("eu-west-3"))
    assert not primary.is_replica
    assert replica.is_replica
    status = primary.replicas["eu-west-3"]
    assert (status.status, status.kms_key, status.message, status.last_accessed) == (
        "InSync",
        "key-1",
        "Replication succeeded",
        "2023-11-14",
    )


def test_a_response_without_optional_members_is_read() -> None:
    bare = SimpleNamespace(describe_secret=lambda **_: {"ARN": str(ARN), "Tags": [{"Key": "team"}]})
    assert Boto3SecretsManager(PRIMARY, lambda *_: bare).describe(ARN).tags == {"team": ""}


def test_a_response_of_kms_that_was_cut_short_is_retryable() -> None:
    cut_short = SimpleNamespace(describe_key=lambda **_: {})
    with pytest.raises(UnavailableError, match="the response has no KeyMetadata"):
        Boto3SecretsManager(PRIMARY, lambda *_: cut_short).key_arn(PRIMARY, "alias/app")
