"""An account for ``make live`` without AWS: the model of Secrets Manager, and as much of other services as it calls."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from live.account import Account
from local.clock import VirtualClock
from local.secrets_manager import Delays, Dialect, SecretsManager
from tests.helpers.world import PRIMARY, Direct

ACCOUNT = "000000000000"
DISABLED = "eu-south-2"
REPLICAS = ("eu-west-3", "us-east-1")
_ADMIN = f"arn:aws:iam::{ACCOUNT}:user/admin"


class Cloud:
    """All of an account.

    ``before`` is called with the number of each call before it is carried out.
    """

    def __init__(self, dialect: Dialect | None = None, lag: float = 0.0, seed: int = 0) -> None:
        self.clock = VirtualClock()
        self.model = SecretsManager(self.clock, Delays(), ACCOUNT, dialect)
        self.model.script.lag(lag, seed)
        self.model.script.disable_region(DISABLED)
        self.keys: dict[str, dict[str, Any]] = {}
        self.roles: dict[str, dict[str, Any]] = {}
        self.stacks: dict[str, dict[str, Any]] = {}
        self.clusters: dict[str, dict[str, Any]] = {}
        self.log_groups: dict[str, dict[str, str]] = {}
        self.count = itertools.count(1)
        self.before: Callable[[int], None] = lambda _: None

    def connect(self, service: str, region: str, credentials: Any = None) -> Any:
        services: dict[str, Callable[[], Any]] = {"secretsmanager": lambda: self.secrets_manager(region)}
        services |= {each.__name__.lower(): partial(each, self, region) for each in _SERVICES}
        client = services[service]()
        return _Counted(self, _Limited(client, json.loads(credentials["SessionToken"])) if credentials else client)

    def secrets_manager(self, region: str) -> Any:
        return Direct(self.model, region)

    def account(self, run: str = "run") -> Account:
        return Account(self.connect, self.clock, run, PRIMARY, REPLICAS)

    def left(self) -> list[str]:
        """What is there, but for keys that are scheduled for deletion."""
        self.clock.sleep(600)
        regions = (PRIMARY, *REPLICAS)
        secrets = [f"{region} {secret.name}" for region in regions for secret in self.model.secrets(region)]
        keys = [arn for arn, key in self.keys.items() if key["KeyState"] == "Enabled"]
        return [*secrets, *keys, *self.roles, *self.stacks, *self.clusters, *self.log_groups]


class _Counted:
    def __init__(self, cloud: Cloud, client: Any) -> None:
        self._cloud, self._client = cloud, client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            number = next(self._cloud.count)
            self._cloud.before(number)
            return getattr(self._client, name)(**parameters)

        return call


class _Limited:
    """A client of a session, which may do what its policy says, if it has one."""

    def __init__(self, client: Any, policy: dict[str, Any]) -> None:
        self._client, self._statements = client, policy["Statement"]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = "".join(word.title() for word in name.split("_"))

        def call(**parameters: Any) -> Any:
            if self._statements and not any(_allows(each, operation, parameters) for each in self._statements):
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, operation)
            return getattr(self._client, name)(**parameters)

        return call


def _allows(statement: dict[str, Any], operation: str, parameters: dict[str, Any]) -> bool:
    conditions = statement.get("Condition", {})
    regions = conditions.get("ForAllValues:StringEquals", {}).get("secretsmanager:AddReplicaRegions")
    asked = {entry["Region"] for entry in parameters.get("AddReplicaRegions", [])}
    forced = "BoolIfExists" in conditions and parameters.get("ForceOverwriteReplicaSecret")
    return (
        f"secretsmanager:{operation}" in statement["Action"] and not forced and (not regions or asked <= set(regions))
    )


class _Service:
    def __init__(self, cloud: Cloud, region: str) -> None:
        self._cloud, self._region = cloud, region


class Sts(_Service):
    def get_caller_identity(self) -> Any:
        return {"Arn": _ADMIN, "Account": ACCOUNT}

    def assume_role(self, **parameters: Any) -> Any:
        """A token that is the session's policy."""
        everything = json.dumps({"Statement": []})
        token = parameters.get("Policy", everything)
        return {"Credentials": {"AccessKeyId": "role", "SecretAccessKey": "role", "SessionToken": token}}


class Ec2(_Service):
    def describe_regions(self, **parameters: Any) -> Any:
        disabled = [{"RegionName": DISABLED, "OptInStatus": "not-opted-in"}]
        enabled = [{"RegionName": name, "OptInStatus": "opt-in-not-required"} for name in (*REPLICAS, PRIMARY)]
        return {"Regions": [*enabled, *(disabled if parameters.get("AllRegions") else [])]}


class Kms(_Service):
    """Keys decrypt as their policies say: the model's script gets them."""

    def create_key(self, **parameters: Any) -> Any:
        arn = f"arn:aws:kms:{self._region}:{ACCOUNT}:key/{uuid.uuid4()}"
        self._cloud.keys[arn] = {"KeyState": "Enabled", "Arn": arn, "Tags": parameters["Tags"]}
        self.put_key_policy(KeyId=arn, Policy=parameters["Policy"])
        return {"KeyMetadata": self._cloud.keys[arn]}

    def put_key_policy(self, **parameters: Any) -> Any:
        key, script = parameters["KeyId"], self._cloud.model.script
        denied = [each for each in json.loads(parameters["Policy"])["Statement"] if each["Effect"] == "Deny"]
        for statement in denied:
            if "Condition" not in statement:
                script.deny_key(key)
                continue
            ((operator, condition),) = statement["Condition"].items()
            assert operator in {"StringNotEquals", "Null"}
            if through := condition.get("kms:ViaService"):
                if f"secretsmanager.{self._region}.amazonaws.com" not in through:
                    script.deny_key(key)
                continue
            (value,) = condition.values()
            script.guard_key(key, value if operator == "StringNotEquals" else None)

    def describe_key(self, **parameters: Any) -> Any:
        return {"KeyMetadata": self._cloud.keys[parameters["KeyId"]]}

    def schedule_key_deletion(self, **parameters: Any) -> Any:
        key = self._cloud.keys[parameters["KeyId"]]
        assert key["KeyState"] == "Enabled"
        key["KeyState"] = "PendingDeletion"


class ResourceGroupsTaggingApi(_Service):
    def get_resources(self, **parameters: Any) -> Any:
        (wanted,) = parameters["TagFilters"]
        assert parameters["ResourceTypeFilters"] == ["kms:key"]
        found = self._cloud.keys
        listed = [
            {"ResourceARN": arn, "Tags": tags}
            for arn, made in found.items()
            if arn.split(":")[3] == self._region
            and (tags := [_tag(tag) for tag in made["Tags"]])
            and wanted["Key"] in {tag["Key"] for tag in tags}
        ]
        return {"ResourceTagMappingList": listed}


def _tag(tag: dict[str, str]) -> dict[str, str]:
    """KMS has names of its own for a tag's key and value."""
    return {name.removeprefix("Tag"): value for name, value in tag.items()}


class Iam(_Service):
    def create_role(self, **parameters: Any) -> Any:
        name = parameters["RoleName"]
        assert len(name) <= 64
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        self._cloud.roles[name] = {"Arn": arn, **parameters, "policies": set()}
        return {"Role": self._cloud.roles[name]}

    def put_role_policy(self, **parameters: Any) -> Any:
        self._cloud.roles[parameters["RoleName"]]["policies"].add(parameters["PolicyName"])

    def list_roles(self) -> Any:
        return {"Roles": list(self._cloud.roles.values())}

    def list_role_tags(self, **parameters: Any) -> Any:
        return {"Tags": self._cloud.roles[parameters["RoleName"]]["Tags"]}

    def list_role_policies(self, **parameters: Any) -> Any:
        return {"PolicyNames": sorted(self._cloud.roles[parameters["RoleName"]]["policies"])}

    def delete_role_policy(self, **parameters: Any) -> Any:
        self._cloud.roles[parameters["RoleName"]]["policies"].remove(parameters["PolicyName"])

    def delete_role(self, **parameters: Any) -> Any:
        assert not self._cloud.roles[parameters["RoleName"]]["policies"]
        del self._cloud.roles[parameters["RoleName"]]


class CloudFormation(_Service):
    """Stacks of which each has one secret at most, made or imported."""

    def create_stack(self, **parameters: Any) -> Any:
        name = parameters["StackName"]
        stack = {
            "StackName": name,
            "StackStatus": "CREATE_COMPLETE",
            "Tags": parameters["Tags"],
            "Region": self._region,
            "Resource": {},
            "Secret": "",
        }
        self._cloud.stacks[name] = stack
        if declared := _declared(parameters["TemplateBody"]):
            stack["Resource"] = declared
            system = {"Key": "aws:cloudformation:stack-id", "Value": name}
            tags = [*declared["Properties"].get("Tags", []), *parameters["Tags"], system]
            made = declared["Properties"] | {"SecretString": "generated", "Tags": tags}
            stack["Secret"] = self._cloud.model.call(self._region, "CreateSecret", made)["ARN"]

    def update_stack(self, **parameters: Any) -> Any:
        """Works on the difference of the declared tags (F27)."""
        stack = self._cloud.stacks[parameters["StackName"]]
        old, stack["Resource"] = stack["Resource"], _declared(parameters["TemplateBody"])
        before, after = ({tag["Key"]: tag for tag in each["Properties"]["Tags"]} for each in (old, stack["Resource"]))
        arn = {"SecretId": stack["Secret"]}
        self._cloud.model.call(self._region, "TagResource", {**arn, "Tags": list(after.values())})
        gone = [key for key in before if key not in after]
        self._cloud.model.call(self._region, "UntagResource", {**arn, "TagKeys": gone})
        stack["StackStatus"] = "UPDATE_COMPLETE"

    def create_change_set(self, **parameters: Any) -> Any:
        assert "Tags" not in parameters, "CloudFormation refuses them for an import"
        stack = self._cloud.stacks[parameters["StackName"]]
        (imported,) = parameters["ResourcesToImport"]
        stack["Import"] = (_declared(parameters["TemplateBody"]), imported["ResourceIdentifier"]["Id"])

    def describe_change_set(self, **_: Any) -> Any:
        return {"Status": "CREATE_COMPLETE"}

    def execute_change_set(self, **parameters: Any) -> Any:
        stack = self._cloud.stacks[parameters["StackName"]]
        stack["Resource"], stack["Secret"] = stack["Import"]
        self._cloud.model.import_into_stack(self._region, stack["Secret"], stack["Resource"]["Properties"])
        stack["StackStatus"] = "IMPORT_COMPLETE"

    def describe_stacks(self, **parameters: Any) -> Any:
        if not (name := parameters.get("StackName")):
            return {"Stacks": [stack for stack in self._cloud.stacks.values() if stack["Region"] == self._region]}
        return {"Stacks": [self._cloud.stacks[name]]}

    def describe_stack_resource(self, **parameters: Any) -> Any:
        secret = self._cloud.stacks[parameters["StackName"]]["Secret"]
        return {"StackResourceDetail": {"PhysicalResourceId": secret}}

    def delete_stack(self, **parameters: Any) -> Any:
        stack = self._cloud.stacks.pop(parameters["StackName"])
        secret = self._cloud.model.find(self._region, stack["Secret"])
        if secret and stack["Resource"].get("DeletionPolicy") != "Retain":
            if secret.entries:
                removed = {"SecretId": secret.arn, "RemoveReplicaRegions": list(secret.entries)}
                self._cloud.model.call(self._region, "RemoveRegionsFromReplication", removed)
            forced = {"SecretId": secret.arn, "ForceDeleteWithoutRecovery": True}
            self._cloud.model.call(self._region, "DeleteSecret", forced)


def _declared(template: str) -> dict[str, Any]:
    """A template's secret."""
    resources = json.loads(template)["Resources"].values()
    return next((each for each in resources if each["Type"] == "AWS::SecretsManager::Secret"), {})


class Rds(_Service):
    """A cluster with a secret that RDS manages."""

    def create_db_cluster(self, **parameters: Any) -> Any:
        name = parameters["DBClusterIdentifier"]
        made = {"Name": f"rds!cluster-{uuid.uuid4()}", "SecretString": "password"}
        arn = self._cloud.model.call(self._region, "CreateSecret", made)["ARN"]
        secret = {"SecretArn": arn, "SecretStatus": "active"}
        cluster = {"DBClusterIdentifier": name, "TagList": parameters["Tags"], "MasterUserSecret": secret}
        cluster |= {"Region": self._region}
        self._cloud.clusters[name] = cluster
        return {"DBCluster": cluster}

    def describe_db_clusters(self, **parameters: Any) -> Any:
        name = parameters.get("DBClusterIdentifier")
        here = [each for each in self._cloud.clusters.values() if each["Region"] == self._region]
        return {"DBClusters": [self._cloud.clusters[name]] if name else here}

    def delete_db_cluster(self, **parameters: Any) -> Any:
        cluster = self._cloud.clusters.pop(parameters["DBClusterIdentifier"])
        deleted = {"SecretId": cluster["MasterUserSecret"]["SecretArn"], "ForceDeleteWithoutRecovery": True}
        self._cloud.model.call(self._region, "DeleteSecret", deleted)


class Ssm(_Service):
    """An account that is not bootstrapped."""

    def get_parameter(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": "ParameterNotFound", "Message": "no"}}, "GetParameter")


class Logs(_Service):
    def describe_log_groups(self, **parameters: Any) -> Any:
        arn = f"arn:aws:logs:{self._region}:{ACCOUNT}:log-group:"
        names = [name for name in self._cloud.log_groups if parameters["logGroupNamePattern"] in name]
        here = names if self._region == PRIMARY else []
        return {"logGroups": [{"arn": f"{arn}{name}:*", "logGroupName": name} for name in here]}

    def list_tags_for_resource(self, **parameters: Any) -> Any:
        return {"tags": self._cloud.log_groups[parameters["resourceArn"].rpartition(":")[2]]}

    def delete_log_group(self, **parameters: Any) -> Any:
        del self._cloud.log_groups[parameters["logGroupName"]]


_SERVICES = (Sts, Ec2, Kms, ResourceGroupsTaggingApi, Iam, CloudFormation, Rds, Ssm, Logs)
