"""Removes what runs have made: whatever has their tag, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError

from .account import PREFIX, TAG, Account, Call, Reply

# Seconds. F18: a removed replica is gone after 40 to 90 s. One that still exists much later is stranded.
STRANDED_AFTER = 240.0
GIVE_UP_AFTER = 900.0
_POLL_EVERY = 5.0
_KEY_WINDOW_DAYS = 7
_Listed = Mapping[str, Any]


class Cleanup:
    """One clean-up.

    Args:
        account: the account.
        regions: where to search.
        run: remove what this run has made; empty for any run.
    """

    def __init__(self, account: Account, regions: Sequence[str], run: str = "") -> None:
        self._account, self._regions, self._run = account, regions, run
        self.calls: list[Call] = []
        self.problems: list[str] = []
        self._deleting = False

    def run(self) -> list[str]:
        """Remove everything, replicas before their primaries.

        Returns:
            What could not be removed in time; empty if nothing is left.
        """
        clock = self._account.clock
        started = clock.now()
        while True:
            self.problems, self._deleting = [], False
            age = clock.now() - started
            left = self._once(is_stranded=age >= STRANDED_AFTER)
            if not left or age >= GIVE_UP_AFTER:
                return [*left, *self.problems]
            clock.sleep(_POLL_EVERY)

    def _once(self, *, is_stranded: bool) -> list[str]:
        """Remove what can be removed now. Returns what was there."""
        left = [stack for region in self._regions for stack in self._stacks(region)]
        is_without_stacks = not left
        # A stack removes its own replicas and secrets.
        if self._deleting and not is_stranded:
            return left
        for region in self._regions:
            left += self._clusters(region)
        left += self._secrets(is_stranded=is_stranded)
        for region in self._regions:
            left += self._keys(region)
            left += self._log_groups(region)
        # A stack may need its role to be deleted.
        return [*left, *self._roles()] if is_without_stacks else left

    def _secrets(self, *, is_stranded: bool) -> list[str]:
        there = {region: self._list_secrets(region) for region in self._regions}
        for region, secrets in there.items():
            for secret in secrets:
                self._remove(region, secret, there, is_stranded=is_stranded)
        return [f"{region} secret {secret['Name']}" for region, secrets in there.items() for secret in secrets]

    def _remove(self, region: str, secret: _Listed, there: Mapping[str, list[_Listed]], *, is_stranded: bool) -> None:
        """Take one step towards a secret's end."""
        arn = secret["ARN"]
        described = self._call("secretsmanager", "describe_secret", region, SecretId=arn).response
        if not described or not self._is_ours(described.get("Tags", [])):
            return
        if described.get("PrimaryRegion", region) != region:
            if is_stranded:
                self._try("secretsmanager", "stop_replication_to_replica", region, SecretId=arn)
            return
        if listed := [entry["Region"] for entry in described.get("ReplicationStatus") or []]:
            self._drop(region, arn, listed)
            return
        elsewhere = [other for where, others in there.items() if where != region for other in others]
        replicas = [other for other in elsewhere if _is_replica_of(other, arn, region)]
        if not replicas and not described.get("OwningService"):
            self._try("secretsmanager", "delete_secret", region, SecretId=arn, ForceDeleteWithoutRecovery=True)

    def _drop(self, region: str, arn: str, replicas: Sequence[str]) -> None:
        """One call for each Region, so that an error for one does not keep the others."""
        for replica in replicas:
            removed = {"SecretId": arn, "RemoveReplicaRegions": [replica]}
            self._try("secretsmanager", "remove_regions_from_replication", region, **removed)

    def _list_secrets(self, region: str) -> list[_Listed]:
        filters = [{"Key": "tag-key", "Values": [TAG]}]
        more = {"Filters": filters, "IncludePlannedDeletion": True}
        pages = self._pages("secretsmanager", "list_secrets", region, "SecretList", "NextToken", **more)
        listed = {secret["ARN"]: secret for secret in pages}
        for made in self._made("secretsmanager"):
            arn = ":".join([*made.split(":")[:3], region, *made.split(":")[4:]])
            if arn not in listed:
                reply = self._call("secretsmanager", "describe_secret", region, SecretId=arn)
                listed |= {} if reply.code else {arn: reply.response}
        return [secret for secret in listed.values() if self._is_ours(secret.get("Tags", []))]

    def _stacks(self, region: str) -> Iterator[str]:
        for stack in self._pages("cloudformation", "describe_stacks", region, "Stacks", "NextToken"):
            if self._is_ours(stack.get("Tags", [])) and stack["StackStatus"] != "DELETE_COMPLETE":
                self._deleting |= stack["StackStatus"] != "DELETE_FAILED"
                if stack["StackStatus"] != "DELETE_IN_PROGRESS":
                    self._try("cloudformation", "delete_stack", region, StackName=stack["StackName"])
                yield f"{region} stack {stack['StackName']}"

    def _clusters(self, region: str) -> Iterator[str]:
        """Deleting a cluster deletes its secret, which must have no replicas by then."""
        for cluster in self._pages("rds", "describe_db_clusters", region, "DBClusters", "Marker"):
            if not self._is_ours(cluster.get("TagList", [])):
                continue
            name, secret = cluster["DBClusterIdentifier"], cluster.get("MasterUserSecret", {}).get("SecretArn")
            yield f"{region} database cluster {name}"
            if secret and self._has_replicas(region, secret):
                continue
            if cluster.get("Status") != "deleting":
                self._try("rds", "delete_db_cluster", region, DBClusterIdentifier=name, SkipFinalSnapshot=True)

    def _has_replicas(self, region: str, arn: str) -> bool:
        described = self._call("secretsmanager", "describe_secret", region, SecretId=arn).response
        if entries := described.get("ReplicationStatus"):
            self._drop(region, arn, [entry["Region"] for entry in entries])
            return True
        others = [secret for where in self._regions if where != region for secret in self._list_secrets(where)]
        return any(_is_replica_of(other, arn, region) for other in others)

    def _keys(self, region: str) -> Iterator[str]:
        made = [arn for arn in self._made("kms") if arn.split(":")[3] == region]
        for arn in dict.fromkeys([*self._tagged_keys(region), *made]):
            state = self._call("kms", "describe_key", region, KeyId=arn).response.get("KeyMetadata", {}).get("KeyState")
            if state not in (None, "PendingDeletion"):
                scheduled = {"KeyId": arn, "PendingWindowInDays": _KEY_WINDOW_DAYS}
                self._try("kms", "schedule_key_deletion", region, **scheduled)
                yield f"{region} key {arn.rpartition('/')[2]}"

    def _log_groups(self, region: str) -> Iterator[str]:
        """The stacks of the end-to-end tests leave their log groups behind. Their names contain the stack's."""
        named = {"logGroupNamePattern": f"{PREFIX}-"}
        for group in self._pages("logs", "describe_log_groups", region, "logGroups", "nextToken", **named):
            arn, name = group["arn"].removesuffix(":*"), group["logGroupName"]
            tags = self._call("logs", "list_tags_for_resource", region, resourceArn=arn).response.get("tags", {})
            if self._is_ours([{"Key": key, "Value": value} for key, value in tags.items()]):
                self._try("logs", "delete_log_group", region, logGroupName=name)
                yield f"{region} log group {name}"

    def _tagged_keys(self, region: str) -> Iterator[str]:
        more = {"TagFilters": [{"Key": TAG}], "ResourceTypeFilters": ["kms:key"]}
        operation, items = "get_resources", "ResourceTagMappingList"
        for found in self._pages("resourcegroupstaggingapi", operation, region, items, "PaginationToken", **more):
            if self._is_ours(found["Tags"]):
                yield found["ResourceARN"]

    def _roles(self) -> Iterator[str]:
        """IAM knows no Regions."""
        for role in self._pages("iam", "list_roles", "", "Roles", "Marker"):
            named = {"RoleName": role["RoleName"]}
            if not role["RoleName"].startswith(f"{PREFIX}-"):
                continue
            if not self._is_ours(self._call("iam", "list_role_tags", **named).response.get("Tags", [])):
                continue
            for policy in self._call("iam", "list_role_policies", **named).response.get("PolicyNames", []):
                self._try("iam", "delete_role_policy", **named, PolicyName=policy)
            self._try("iam", "delete_role", **named)
            yield f"role {role['RoleName']}"

    def _made(self, service: str) -> list[str]:
        """What this process made, which may not be listed yet."""
        return [arn for arn in self._account.made if arn.split(":")[2] == service]

    def _is_ours(self, tags: Iterable[Mapping[str, str]]) -> bool:
        values = [tag["Value"] for tag in tags if tag["Key"] == TAG]
        return bool(values) and self._run in ("", *values)

    def _pages(
        self, service: str, operation: str, region: str, items: str, token: str, **parameters: Any
    ) -> Iterator[_Listed]:
        more: dict[str, Any] = {}
        while True:
            reply = self._try(service, operation, region, **parameters, **more)
            yield from reply.response.get(items, [])
            if not reply.response.get(token):
                return
            more = {token: reply.response[token]}

    def _try(self, service: str, operation: str, region: str = "", **parameters: Any) -> Reply:
        """A call that may fail for now: the next round tries it again."""
        reply = self._call(service, operation, region, **parameters)
        if reply.code:
            self.problems.append(f"{service} {operation}: {reply.words}")
        return reply

    def _call(self, service: str, operation: str, region: str = "", **parameters: Any) -> Reply:
        try:
            return self._account.call(self.calls, service, operation, region, **parameters)
        except BotoCoreError as error:
            # A Region or a service that cannot be reached does not keep the others.
            return Reply(code=type(error).__name__, message=str(error))


def _is_replica_of(listed: _Listed, primary_arn: str, primary_region: str) -> bool:
    """By name and Region: also of an earlier secret of that name."""
    name = primary_arn.rpartition(":secret:")[2][:-7]
    return bool(listed["Name"] == name and listed.get("PrimaryRegion") == primary_region)
