"""The JSON Schema of the properties of ``Custom::ReplicatedSecret``, from the constants of the handler's parser."""

from __future__ import annotations

from typing import Any

from secret_replication.model import REGION_MAX_LENGTH, REGION_PATTERN, RemovalPolicy
from secret_replication.properties import (
    KMS_KEY_ID_MAX_LENGTH,
    PROPERTIES,
    REPLICA_KEYS,
    SECRET_ID_MAX_LENGTH,
)

# CloudFormation resolves it before the function gets it.
_DYNAMIC_REFERENCE = r"\{\{resolve:.+\}\}"
_ABOUT: dict[str, dict[str, Any]] = {
    "SecretId": {
        "type": "string",
        "minLength": 1,
        "maxLength": SECRET_ID_MAX_LENGTH,
        "description": "ARN or name of the primary. A name is looked up in the function's Region.",
    },
    "ReplicaRegions": {
        "type": "array",
        "items": {"anyOf": [{"$ref": "#/definitions/Region"}, {"$ref": "#/definitions/Replica"}, {"const": ""}]},
        "description": "Regions to replicate to, each once and not the primary's own. Blank entries are ignored.",
    },
    "ForceOverwriteReplicaSecret": {
        "anyOf": [{"type": "boolean"}, {"type": "string", "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$"}],
        "description": "Overwrite an unrelated secret of the same name in a replica Region. Default: false.",
    },
    "ReplicaRemovalPolicy": {
        "type": "string",
        "enum": [policy.value for policy in RemovalPolicy],
        "description": "What happens to a replica that is no longer declared. Default: Delete.",
    },
}
_REPLICA: dict[str, dict[str, Any]] = {
    "Region": {"$ref": "#/definitions/Region"},
    "KmsKeyId": {
        "type": "string",
        "maxLength": KMS_KEY_ID_MAX_LENGTH,
        "description": "ARN, ID or alias of a key in that Region. Default, also if empty: aws/secretsmanager.",
    },
}


def schema() -> dict[str, Any]:
    """The schema, as a JSON document."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Custom::ReplicatedSecret",
        "description": "Replicates a Secrets Manager secret to other Regions, and waits until every replica is InSync.",
        "type": "object",
        "definitions": {
            "Region": {
                "type": "string",
                "pattern": f"^({REGION_PATTERN.pattern}|{_DYNAMIC_REFERENCE})$",
                "maxLength": REGION_MAX_LENGTH,
            },
            "Replica": {
                "type": "object",
                "properties": {name: _REPLICA[name] for name in REPLICA_KEYS},
                "required": ["Region"],
                "additionalProperties": False,
            },
        },
        "properties": {
            "ServiceToken": {
                "type": "string",
                "description": "ARN of the function.",
            },
            "ServiceTimeout": {"type": ["integer", "string"], "description": "Seconds that CloudFormation waits."},
        }
        | {name: _ABOUT[name] for name in PROPERTIES},
        "required": ["ServiceToken", *PROPERTIES[:2]],
        "additionalProperties": False,
    }
