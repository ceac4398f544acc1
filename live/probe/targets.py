"""Regions that cannot be replicated to, names that are taken, and special secrets."""

from __future__ import annotations

from live.account import PREFIX
from live.caller import POLL_SELDOM, QUIET
from live.finding import Finding, SkipError, settled, settled_by, unexpected
from live.lab import Lab
from live.secret import Secret, said
from local.secrets_manager.dialect import BadRegion, DeletedThere, NoValue, ServiceManaged

_UNKNOWN = "xx-nowhere-9"
_CHINA, _VIRGINIA = "cn-north-1", "us-east-1"
_STAYS_AFTER = 90.0
_CLUSTER_WITHIN = 600.0


def u5(lab: Lab) -> Finding:
    """Replicate to an unknown Region, to one of another partition and, if there is one, to a disabled one."""
    regions = {"unknown": _UNKNOWN, "another partition's": _CHINA if lab.partition() == "aws" else _VIRGINIA}
    listed = lab.call("ec2", "describe_regions", AllRegions=True).response.get("Regions", [])
    disabled = [region["RegionName"] for region in listed if region["OptInStatus"] == "not-opted-in"]
    regions |= {"disabled": disabled[0]} if disabled else {}
    outcomes = {kind: _replicated_to(lab, region) for kind, region in regions.items()}
    did = "; ".join(f"{kind}: {words}" for kind, (_, words) in outcomes.items())
    values = {value for value, _ in outcomes.values()}
    value = values.pop() if len(values) == 1 else None
    did += "" if disabled else "; no Region is disabled in this account"
    return settled(value, did) if value else unexpected(did)


def _replicated_to(lab: Lab, region: str) -> tuple[BadRegion | None, str]:
    secret = lab.secret()
    reply = secret.replicate(region)
    if reply.code:
        return (BadRegion.ERROR if reply.code == BadRegion.ERROR.value else None), reply.words
    entry = secret.settled(region)
    return (BadRegion.FAILED if entry.get("Status") == "Failed" else None), said(entry)


def u6(lab: Lab) -> Finding:
    """Replicate to where a secret of the name is scheduled for deletion, without force and with it."""
    outcomes = []
    for force in (False, True):
        secret = lab.secret()
        lab.secret(lab.first, secret.name).delete(RecoveryWindowInDays=7)
        lab.wait(QUIET)
        reply = secret.replicate(lab.first, force=force)
        entry = {} if reply.code else secret.settled(lab.first)
        outcomes.append((entry.get("Status"), reply.words if reply.code else said(entry)))
    statuses, words = zip(*outcomes, strict=True)
    did = f"without force: {words[0]}; with it: {words[1]}"
    values = {("Failed", "Failed"): DeletedThere.FAILED, ("Failed", "InSync"): DeletedThere.FORCE_TAKES_IT}
    return settled_by(values, statuses, did)


def u7(lab: Lab) -> Finding:
    """Replicate a secret that has no value."""
    secret = lab.secret(value=False)
    reply = secret.replicate(lab.first)
    if reply.code:
        return unexpected(reply.words)
    entry = secret.settled(lab.first, within=_STAYS_AFTER)
    values = {"InSync": NoValue.IN_SYNC, "InProgress": NoValue.IN_PROGRESS, "Failed": NoValue.FAILED}
    status = entry.get("Status", "")
    did = f"after {_STAYS_AFTER:g} s the entry was {said(entry)}" if status == "InProgress" else said(entry)
    return settled_by(values, status, did)


def u8(lab: Lab) -> Finding:
    """Replicate the secret of a database cluster, which RDS manages. The cluster has no instance."""
    secret = _managed(lab)
    reply = secret.replicate(lab.first)
    if reply.code:
        return settled_by({ServiceManaged.ERROR.value: ServiceManaged.ERROR}, reply.code, reply.words)
    entry = secret.settled(lab.first)
    return settled_by({"InSync": ServiceManaged.ALLOWED}, entry.get("Status", ""), said(entry))


def _managed(lab: Lab) -> Secret:
    cluster = f"{PREFIX}-{lab.account.run}"
    lab.need(
        "rds",
        "create_db_cluster",
        DBClusterIdentifier=cluster,
        Engine="aurora-postgresql",
        MasterUsername="live",
        ManageMasterUserPassword=True,
    )
    managed = lab.until(
        lambda: lab.need("rds", "describe_db_clusters", DBClusterIdentifier=cluster)["DBClusters"][0].get(
            "MasterUserSecret", {}
        ),
        lambda managed: managed.get("SecretStatus") == "active",
        _CLUSTER_WITHIN,
        POLL_SELDOM,
    )
    if managed.get("SecretStatus") != "active":
        raise SkipError(f"the cluster's secret was not active after {_CLUSTER_WITHIN:g} s")
    arn = managed["SecretArn"]
    tags = [{"Key": key, "Value": value} for key, value in lab.account.tag.items()]
    lab.need("secretsmanager", "tag_resource", SecretId=arn, Tags=tags)
    return Secret(lab, arn, arn.rpartition(":")[2][:-7], lab.home)
