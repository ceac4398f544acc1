"""The least that CDK's Provider framework needs to replicate, and to wait for it."""

from typing import Any

import boto3

secrets = boto3.client("secretsmanager")


def on_event(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Replicate, or remove the replicas."""
    secret, regions = event["ResourceProperties"]["SecretId"], event["ResourceProperties"]["Regions"]
    if event["RequestType"] == "Delete":
        secrets.remove_regions_from_replication(SecretId=secret, RemoveReplicaRegions=regions)
    else:
        entries = [{"Region": region} for region in regions]
        secrets.replicate_secret_to_regions(SecretId=secret, AddReplicaRegions=entries)
    return {"PhysicalResourceId": secret}


def is_complete(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Whether every replica is InSync."""
    if event["RequestType"] == "Delete":
        return {"IsComplete": True}
    described = secrets.describe_secret(SecretId=event["ResourceProperties"]["SecretId"])
    statuses = {entry["Region"]: entry for entry in described.get("ReplicationStatus", [])}
    replicas = [statuses[region] for region in event["ResourceProperties"]["Regions"]]
    for replica in replicas:
        if replica["Status"] == "Failed":
            raise RuntimeError(f"{replica['Region']}: {replica['StatusMessage']}")
    return {"IsComplete": all(replica["Status"] == "InSync" for replica in replicas)}
