"""boto3's clients, of an account or of local AWS."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config

from .account import Connect, Credentials

# Many probes at the same time reach AWS's rate limits.
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 10})
_NAMES = {
    "AccessKeyId": "aws_access_key_id",
    "SecretAccessKey": "aws_secret_access_key",
    "SessionToken": "aws_session_token",
}


def connector(endpoint: str | None = None, own: Credentials | None = None) -> Connect:
    """Clients with the environment's credentials.

    Args:
        endpoint: the URL of local AWS. Default: AWS itself.
        own: other credentials than the environment's.
    """

    def connect(service: str, region: str, credentials: Credentials | None) -> Any:
        given = {_NAMES[name]: value for name, value in (credentials or own or {}).items()}
        return boto3.Session().client(service, region_name=region, endpoint_url=endpoint, config=_CONFIG, **given)

    return connect


def home_region() -> str | None:
    """The configured Region. boto3 itself does not read AWS_REGION."""
    region: str | None = os.environ.get("AWS_REGION") or boto3.Session().region_name
    return region
