"""The permissions that the construct adds: enough for everything that it may have to do, and no more.

The handler runs over the model, and the synthesized policies are evaluated for each call, as IAM would.
"""

from __future__ import annotations

import copy
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as sm
from aws_cdk.assertions import Template
from botocore.exceptions import ClientError
from constructs import Construct, IConstruct
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from cdk_replicated_secret import ReplicaRegion, ReplicaRemovalPolicy, ReplicatedSecret, ReplicationProvider
from local.secrets_manager import Dialect
from local.secrets_manager.dialect import FailedAgain
from local.secrets_manager.state import Secret
from secret_replication.secrets_manager import Boto3SecretsManager
from tests.helpers.stack import RollbackFailedError, Stack
from tests.helpers.world import PRIMARY, Direct, World

ACCOUNT = "000000000000"
NAME = "app/database"
ARN = f"arn:aws:secretsmanager:{PRIMARY}:{ACCOUNT}:secret:{NAME}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/function"
KEY = f"arn:aws:kms:us-west-2:{ACCOUNT}:key/primary"
REPLICA_KEY = f"arn:aws:kms:eu-west-3:{ACCOUNT}:key/replica"
PERMISSIONS = Path(__file__).parents[2] / "docs" / "reference" / "permissions.md"
PROMOTE = ReplicaRemovalPolicy.PROMOTE
Build = Callable[[cdk.Stack], None]


@dataclass
class Synthesized:
    """A template's policies on the function's role, and the properties of its replicated secrets by logical ID."""

    statements: list[dict[str, Any]]
    properties: dict[str, dict[str, Any]]
    stack: Stack = field(default_factory=lambda: Stack("app", lambda _: None))


def synthesized(build: Build) -> Synthesized:
    stack = cdk.Stack(cdk.App(), "app", env=cdk.Environment(account=ACCOUNT, region=PRIMARY))
    build(stack)
    resources = Template.from_stack(stack).to_json()["Resources"]
    made = Synthesized([], {})
    for logical_id, resource in resources.items():
        known = resolved(resource["Properties"], made.stack.id) if "Properties" in resource else {}
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            made.statements += known["PolicyDocument"]["Statement"]
        if resource["Type"] == "Custom::ReplicatedSecret":
            del known["ServiceToken"]
            made.properties[logical_id] = known
    return made


def resolved(value: Any, stack_id: str) -> Any:
    """What CloudFormation makes of a value. Ref of a secret is its name, which the model accepts as well."""
    if isinstance(value, list):
        return [resolved(entry, stack_id) for entry in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((function, argument),) = value.items()
        if function in FUNCTIONS:
            return FUNCTIONS[function](resolved(argument, stack_id), stack_id)
    return {key: resolved(entry, stack_id) for key, entry in value.items()}


PSEUDO_PARAMETERS = {"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}
FUNCTIONS: dict[str, Callable[[Any, str], Any]] = {
    "Ref": lambda name, stack_id: stack_id if name == "AWS::StackId" else PSEUDO_PARAMETERS.get(name, NAME),
    "Fn::GetAtt": lambda *_: KEY,
    "Fn::ImportValue": lambda *_: f"{ARN}-of-the-other-stack-abcdefghijkl-AbCdEf",
    "Fn::Join": lambda argument, _: str(argument[0]).join(argument[1]),
    "Fn::Split": lambda argument, _: argument[1].split(argument[0]),
    "Fn::Select": lambda argument, _: argument[1][argument[0]],
}


def decryption(region: str, secret_arn: str) -> dict[str, Any]:
    """The condition keys of the kms:Decrypt that Secrets Manager makes for its caller: F32."""
    return {
        "kms:viaservice": f"secretsmanager.{region}.amazonaws.com",
        "kms:encryptioncontext:secretarn": secret_arn,
    }


class Guarded(Direct):
    """A client whose calls are authorized by IAM policies: F30 and F31."""

    statements: list[dict[str, Any]]

    def __init__(self, world: World, region: str, statements: list[dict[str, Any]]) -> None:
        super().__init__(world.model, region)
        self._world, self._statements = world, [parse_policy_document({"Statement": statements})]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = super().__getattr__(name)

        def guarded(**parameters: Any) -> Any:
            self._world.model.script._before.clear()
            if problem := self.problem("".join(word.title() for word in name.split("_")), parameters):
                self._world.model.script.error("AccessDeniedException", problem)
            return call(**parameters)

        return guarded

    def problem(self, operation: str, parameters: Mapping[str, Any]) -> str:
        """What IAM denies, or an empty string."""
        found = self._world.model.find(self._region, parameters["SecretId"])
        context: dict[str, Any] = {}
        if found:
            context["secretsmanager:secretprimaryregion"] = found.primary_region or found.region
            # AWS does not document whether replicas have CloudFormation's tags: here they do not.
            tags = {k: v for k, v in found.content.tags.items() if not (found.is_replica and k.startswith("aws:"))}
            context |= {f"aws:resourcetag/{key.lower()}": value for key, value in tags.items()}
        if "AddReplicaRegions" in parameters:
            context["secretsmanager:addreplicaregions"] = [entry["Region"] for entry in parameters["AddReplicaRegions"]]
            forces = str(parameters["ForceOverwriteReplicaSecret"]).lower()
            context["secretsmanager:forceoverwritereplicasecret"] = forces
        keys = [*parameters.get("TagKeys", []), *(tag["Key"] for tag in parameters.get("Tags", []))]
        if keys:
            context["aws:tagkeys"] = keys
        arn = found.arn if found else str(parameters["SecretId"])
        asked = [(f"secretsmanager:{operation}", arn, context)]
        if operation == "ReplicateSecretToRegions" and found:
            asked += list(self._keys(found, parameters["AddReplicaRegions"]))
        return "; ".join(f"{action} on {arn}" for action, arn, known in asked if not self.allows(action, arn, known))

    def _keys(self, primary: Secret, replicas: list[Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if key := primary.key:
            yield "kms:Decrypt", key, decryption(self._region, primary.arn)
        for replica in replicas:
            if named := replica.get("KmsKeyId"):
                via: dict[str, Any] = {"kms:viaservice": f"secretsmanager.{replica['Region']}.amazonaws.com"}
                if named.startswith("alias/"):
                    via["kms:resourcealiases"] = [named]
                    named = REPLICA_KEY
                yield "kms:Encrypt", named, via
                yield "kms:GenerateDataKey", named, via

    def allows(self, action: str, arn: str, context: dict[str, Any]) -> bool:
        asked = EvalContext(ROLE, "AssumedRole", ACCOUNT, action, arn, self._region, service_context=context)
        return bool(evaluate(asked, self._statements).decision == "Allow")


class GuardedKeys(Guarded):
    """The same for KMS: the only call is DescribeKey of an alias."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        assert name == "describe_key"

        def describe_key(*, KeyId: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
            if not self.allows("kms:DescribeKey", REPLICA_KEY, {"kms:resourcealiases": [KeyId]}):
                error: Any = {
                    "Error": {"Code": "AccessDeniedException", "Message": "kms:DescribeKey"},
                    "ResponseMetadata": {"HTTPStatusCode": 400},
                }
                raise ClientError(error, "DescribeKey")
            return {"KeyMetadata": {"Arn": self._world.model.script.key_behind(KeyId)}}

        return describe_key


def named(secret: Callable[[cdk.Stack], sm.ISecret] | None = None, **arguments: Any) -> Build:
    """A template with one replicated secret, and a second Region that the update drops."""
    first: list[Any] = arguments.pop("regions", ["eu-west-3", "us-east-1"])

    def build(stack: cdk.Stack) -> None:
        primary = secret(stack) if secret else None
        ReplicatedSecret(stack, "Database", secret=primary, regions=first, **arguments)

    return build


def by_name(stack: cdk.Stack) -> sm.ISecret:
    return sm.Secret.from_secret_name_v2(stack, "Imported", NAME)


def by_arn(stack: cdk.Stack) -> sm.ISecret:
    return sm.Secret.from_secret_complete_arn(stack, "Imported", f"{ARN}-AbCdEf")


def by_arn_without_suffix(stack: cdk.Stack) -> sm.ISecret:
    return sm.Secret.from_secret_partial_arn(stack, "Imported", ARN)


def with_its_key(stack: cdk.Stack) -> sm.ISecret:
    return sm.Secret(stack, "Own", encryption_key=kms.Key.from_key_arn(stack, "Key", KEY))


def by_name_with_its_key(stack: cdk.Stack) -> None:
    key = kms.Key.from_key_arn(stack, "Key", KEY)
    ReplicatedSecret(stack, "Database", secret=by_name(stack), regions=["eu-west-3", "us-east-1"], encryption_key=key)


def with_an_alias(stack: cdk.Stack) -> None:
    alias = kms.Key(stack, "Key").add_alias("app")
    ReplicatedSecret(stack, "Database", regions=["eu-west-3", "us-east-1"], encryption_key=alias)


CASES: dict[str, Build] = {
    "the stack's own": named(),
    "by name": named(by_name),
    "by ARN": named(by_arn),
    "by ARN without suffix": named(by_arn_without_suffix),
    "the stack's own, promoted": named(replica_removal_policy=PROMOTE),
    "by name, promoted": named(by_name, replica_removal_policy=PROMOTE),
    "the stack's own, by force": named(force_overwrite=True),
    "a key on each side": named(
        with_its_key, regions=[ReplicaRegion("eu-west-3", encryption_key=REPLICA_KEY), "us-east-1"]
    ),
    "by name with its key": by_name_with_its_key,
    "the primary's key by alias": with_an_alias,
    "a key by alias": named(by_name, regions=[ReplicaRegion("eu-west-3", encryption_key="alias/app"), "us-east-1"]),
}


def lives(made: Synthesized, statements: list[dict[str, Any]], tagged_by: str = "") -> bool:
    """Whether a stack can be created, lose a Region, and be deleted, with nothing left that could not be verified.

    The secret has CloudFormation's tag of the stack, or of the one that ``tagged_by`` names.
    """
    ((logical_id, properties),) = made.properties.items()
    # A replica that fails once, over which AWS does not replicate, has to be removed and added again (U3).
    world = World(Dialect(failed_again=FailedAgain.ERROR), direct=True)
    world.model.script.fail("network error", times=1)
    own = {"KmsKeyId": KEY} if any("kms:Decrypt" in s["Action"] for s in made.statements) else {}
    tags = [{"Key": "aws:cloudformation:stack-id", "Value": tagged_by or made.stack.id}]
    world.client().delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True)
    world.arn = world.create(Tags=tags, **own)
    secret = world.model.find(PRIMARY, NAME)
    assert secret
    secret.arn = world.arn = f"{ARN}-AbCdEf"
    if properties["ForceOverwriteReplicaSecret"]:
        world.create(region="eu-west-3")
    world.model.script.point_alias("alias/app", REPLICA_KEY)

    def client(service: str, region: str) -> Guarded:
        return (GuardedKeys if service == "kms" else Guarded)(world, region, statements)

    world.journal.inner = Boto3SecretsManager(PRIMARY, client)
    stack = Stack("app", world.deliver)
    fewer = properties | {"ReplicaRegions": properties["ReplicaRegions"][:1]}
    for template in ({logical_id: properties}, {logical_id: fewer}, {}):
        try:
            if not stack.deploy(template) or stack.forgotten or world.metrics.get("ReplicasUnverified"):
                return False
        except RollbackFailedError:
            return False
        # A person reads the events, and deploys again.
        world.clock.sleep(60)
        for entry in secret.entries.values():
            if entry.key == REPLICA_KEY:
                entry.key = "alias/app"  # AWS may call it by an alias (F21).
    return not world.tags()


@pytest.mark.parametrize("case", CASES)
def test_the_permissions_suffice_for_the_whole_life_of_a_stack(case: str) -> None:
    made = synthesized(CASES[case])
    assert lives(made, made.statements)


@pytest.mark.parametrize("case", CASES)
def test_every_permission_is_needed(case: str) -> None:
    made = synthesized(CASES[case])
    for index, statement in enumerate(made.statements):
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        for action in actions:
            fewer = copy.deepcopy(made.statements)
            fewer[index]["Action"] = [other for other in actions if other != action] or ["none:AtAll"]
            assert not lives(made, fewer), f"{action} of {statement} is not needed"


@pytest.mark.parametrize(("case", "works"), [("the stack's own", False), ("by name", True)])
def test_a_secret_with_an_old_stacks_tag_has_to_be_named(case: str, works: bool) -> None:
    """A secret that was imported into the stack keeps the tag of the stack that it came from: F28."""
    made = synthesized(CASES[case])
    assert lives(made, made.statements, tagged_by="an old stack") == works


def test_the_page_says_how_to_name_an_imported_secret() -> None:
    section = PERMISSIONS.read_text().partition("\n## A secret that was imported into the stack\n")[2]
    code = section.partition("```python\n")[2].partition("```")[0]

    def build(stack: cdk.Stack) -> None:
        exec(code, {"sm": sm, "ReplicatedSecret": ReplicatedSecret, "self": stack})

    made = synthesized(build)
    assert [properties["SecretId"] for properties in made.properties.values()] == ["app/orders"]
    named = f"arn:aws:secretsmanager:*:{ACCOUNT}:secret:app/orders-??????"
    of_secrets = [s for s in made.statements if "kms:Decrypt" not in s["Action"]]
    assert {s["Resource"] for s in of_secrets} == {named}
    (resource,) = [r for r in policies(build).values() if r["Type"] == "Custom::ReplicatedSecret"]
    (secret,) = [name for name, r in policies(build).items() if r["Type"] == "AWS::SecretsManager::Secret"]
    assert secret in resource["DependsOn"]


def test_each_action_has_its_reason_in_the_docs() -> None:
    given: set[str] = set()
    for build in CASES.values():
        for statement in synthesized(build).statements:
            actions = statement["Action"]
            given |= {actions} if isinstance(actions, str) else set(actions)
    rows = [line for line in PERMISSIONS.read_text().splitlines() if line.startswith("| `")]
    explained = {action for row in rows for action in re.findall(r"`((?:secretsmanager|kms):\w+)`", row)}
    assert explained == given


def test_the_function_may_neither_read_a_value_nor_write_foreign_tags() -> None:
    made = synthesized(CASES["by name"])
    world = World(direct=True)
    client = Guarded(world, PRIMARY, made.statements)
    assert client.problem("GetSecretValue", {"SecretId": world.arn})
    assert client.problem("DeleteSecret", {"SecretId": world.arn})
    assert client.problem("TagResource", {"SecretId": world.arn, "Tags": [{"Key": "team", "Value": "x"}]})
    ours = [{"Key": "cdk-replicated-secret:eu-west-3", "Value": "x"}]
    assert not client.problem("TagResource", {"SecretId": world.arn, "Tags": ours})


@pytest.mark.parametrize(
    ("region", "force", "allowed"),
    [("eu-west-3", False, True), ("sa-east-1", False, False), ("eu-west-3", True, False)],
)
@pytest.mark.parametrize("case", ["the stack's own", "by name"])
def test_it_may_replicate_only_to_declared_regions_and_force_only_if_declared(
    case: str, region: str, force: bool, allowed: bool
) -> None:
    made = synthesized(CASES[case])
    world = World(direct=True)
    arn = world.arn
    world.client().tag_resource(SecretId=arn, Tags=[{"Key": "aws:cloudformation:stack-id", "Value": made.stack.id}])
    asked = {"SecretId": arn, "AddReplicaRegions": [{"Region": region}], "ForceOverwriteReplicaSecret": force}
    problem = Guarded(world, PRIMARY, made.statements).problem("ReplicateSecretToRegions", asked)
    assert (problem == "") == allowed


@pytest.mark.parametrize("case", ["by name", "by ARN", "by ARN without suffix"])
def test_the_unknown_key_of_an_imported_secret_decrypts_only_that_secret(case: str) -> None:
    made = synthesized(CASES[case])
    client = Guarded(World(direct=True), PRIMARY, made.statements)
    key = "arn:aws:kms:us-west-2:999999999999:key/of-the-security-account"
    allowed = decryption(PRIMARY, f"{ARN}-AbCdEf")
    assert client.allows("kms:Decrypt", key, allowed)
    for name in allowed:
        assert not client.allows("kms:Decrypt", key, {k: v for k, v in allowed.items() if k != name})
    assert not client.allows("kms:Decrypt", key, decryption(PRIMARY, f"{ARN}-of-others-AbCdEf"))
    assert not client.allows("kms:Decrypt", key.replace(PRIMARY, "eu-west-3"), allowed)
    assert not client.allows("kms:Encrypt", key, allowed)


def test_the_unknown_keys_of_several_secrets_share_a_statement() -> None:
    def build(stack: cdk.Stack) -> None:
        for name in (NAME, f"{NAME}-2"):
            secret = sm.Secret.from_secret_name_v2(stack, name, name)
            ReplicatedSecret(stack, f"Database-{name}", secret=secret, regions=["eu-west-3"])

    statements = synthesized(build).statements
    (decrypt,) = [s for s in statements if "kms:Decrypt" in s["Action"]]
    # Account and name suffice: kms:ViaService has the service and the Region.
    named = decrypt["Condition"]["StringLike"]["kms:EncryptionContext:SecretARN"]
    assert named == [f"*:{ACCOUNT}:secret:{NAME}{end}-??????" for end in ("", "-2")]
    client = Guarded(World(direct=True), PRIMARY, statements)
    assert all(client.allows("kms:Decrypt", KEY, decryption(PRIMARY, f"{ARN}{end}-AbCdEf")) for end in ("", "-2"))
    assert not client.allows("kms:Decrypt", KEY, decryption(PRIMARY, f"{ARN}-3-AbCdEf"))


@pytest.mark.parametrize("case", ["the stack's own", "by name with its key"])
def test_a_known_key_needs_no_wildcard(case: str) -> None:
    statements = synthesized(CASES[case]).statements
    assert not [s for s in statements if "kms:Decrypt" in s["Action"] and s["Resource"] != KEY]


@pytest.mark.parametrize("case", CASES)
def test_only_tagging_has_a_condition_on_tag_keys(case: str) -> None:
    for statement in synthesized(CASES[case]).statements:
        tags = [action for action in statement["Action"] if action.endswith("tagResource") or "TagResource" in action]
        assert bool(tags) == ("aws:TagKeys" in json.dumps(statement.get("Condition", {})))
        assert not tags or len(tags) == len(statement["Action"])


@pytest.mark.parametrize(
    ("region", "services"),
    [
        ("eu-west-3", ["secretsmanager.eu-west-3.amazonaws.com"]),
        ("cn-north-1", ["secretsmanager.cn-north-1.amazonaws.com", "secretsmanager.cn-north-1.amazonaws.com.cn"]),
    ],
)
def test_a_key_is_used_through_secrets_manager_under_either_of_its_names(region: str, services: object) -> None:
    primary = {"eu-west-3": PRIMARY, "cn-north-1": "cn-northwest-1"}[region]
    stack = cdk.Stack(cdk.App(), "app", env=cdk.Environment(account=ACCOUNT, region=primary))
    ReplicatedSecret(stack, "Database", regions=[ReplicaRegion(region, encryption_key="alias/app")])
    (policy,) = Template.from_stack(stack).find_resources("AWS::IAM::ManagedPolicy").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    (encrypt,) = [s for s in statements if "kms:Encrypt" in s["Action"]]
    assert encrypt["Condition"]["StringEquals"]["kms:ViaService"] == services


@pytest.mark.parametrize("secret_name", [NAME, cdk.PhysicalName.GENERATE_IF_NEEDED], ids=["named", "generated"])
@pytest.mark.parametrize(("account", "region"), [(ACCOUNT, "eu-west-3"), ("111122223333", PRIMARY)])
def test_the_arn_of_a_named_secret_elsewhere_gets_a_suffix(secret_name: str, account: str, region: str) -> None:
    """CDK refers to it by an ARN without the suffix, which IAM does not match."""
    app = cdk.App()
    other = cdk.Stack(app, "other", env=cdk.Environment(account=account, region=region))
    stack = cdk.Stack(app, "app", env=cdk.Environment(account=ACCOUNT, region=PRIMARY))
    secret = sm.Secret(other, "Secret", secret_name=secret_name)
    ReplicatedSecret(stack, "Database", secret=secret, regions=["us-east-1"])
    (policy,) = Template.from_stack(stack).find_resources("AWS::IAM::ManagedPolicy").values()
    name = str(Template.from_stack(other).to_json()["Resources"].popitem()[1]["Properties"]["Name"])
    found = [resolved(s["Resource"], "stack") for s in policy["Properties"]["PolicyDocument"]["Statement"]]
    assert found
    assert set(found) == {f"arn:aws:secretsmanager:*:{account}:secret:{name}-??????"}


@pytest.mark.parametrize("case", ["the stack's own", "by name"])
def test_another_secret_cannot_be_accessed(case: str) -> None:
    made = synthesized(CASES[case])
    world = World(direct=True)
    arn = world.create("app/other", Tags=[{"Key": "aws:cloudformation:stack-id", "Value": "another stack's"}])
    client = Guarded(world, PRIMARY, made.statements)
    for operation, parameters in (
        ("DescribeSecret", {}),
        ("RemoveRegionsFromReplication", {"RemoveReplicaRegions": ["eu-west-3"]}),
        ("UntagResource", {"TagKeys": ["cdk-replicated-secret:eu-west-3"]}),
    ):
        assert client.problem(operation, {"SecretId": arn, **parameters})


# Many in one stack.

MOST_IN_A_POLICY, MOST_POLICIES = 6144, 10


def many(count: int, kind: str) -> tuple[dict[str, Any], list[int]]:
    """A template with so many, and the lengths of its policies as IAM counts them."""
    app = cdk.App()
    stack = cdk.Stack(app, "app", env=cdk.Environment(account=ACCOUNT, region=PRIMARY))
    other = cdk.Stack(app, "other", env=cdk.Environment(account=ACCOUNT, region=PRIMARY))
    for number in range(count):
        name = f"application/database/{number:03}"
        secret: sm.ISecret | None = None
        if kind == "imported":
            secret = sm.Secret.from_secret_name_v2(stack, f"Imported{number}", name)
        if kind == "with a key each":
            secret = sm.Secret(stack, f"Secret{number}", encryption_key=kms.Key(stack, f"Key{number}"))
        if kind == "another stack's":
            secret = sm.Secret(other, f"ApplicationDatabaseCredentials{number}")
        ReplicatedSecret(stack, f"Database{number}", secret=secret, regions=["eu-west-3", "us-east-1"])
    template = dict(Template.from_stack(stack).to_json())
    managed = [r for r in template["Resources"].values() if r["Type"] == "AWS::IAM::ManagedPolicy"]
    documents = [resolved(policy["Properties"]["PolicyDocument"], "s" * 120) for policy in managed]
    texts = [json.dumps(document, separators=(",", ":")) for document in documents]
    return template, [len(text.replace("key/primary", f"key/{uuid.uuid4()}")) for text in texts]


@pytest.mark.parametrize(
    ("count", "kind", "policies"),
    [
        (1, "new", 1),
        (100, "new", 1),
        (240, "new", 1),
        (100, "imported", 5),
        (240, "imported", 10),
        (90, "with a key each", 3),
        (90, "another stack's", 6),
    ],
)
def test_many_in_one_stack_stay_within_the_limits_of_iam_and_cloudformation(
    count: int, kind: str, policies: int
) -> None:
    template, lengths = many(count, kind)
    assert len(lengths) <= policies <= MOST_POLICIES
    assert max(lengths) <= MOST_IN_A_POLICY
    assert len(template["Resources"]) <= 500
    assert len(json.dumps(template)) <= 1_000_000


def test_without_declared_regions_nothing_may_be_replicated() -> None:
    made = synthesized(named(regions=[]))
    assert not [s for s in made.statements if "secretsmanager:ReplicateSecretToRegions" in s["Action"]]
    assert lives(made, made.statements)


def test_a_list_token_limits_the_regions_too() -> None:
    def build(stack: cdk.Stack) -> None:
        regions = cdk.CfnParameter(stack, "Regions", type="CommaDelimitedList").value_as_list
        ReplicatedSecret(stack, "Database", regions=regions)

    (policy,) = [r for r in policies(build).values() if r["Type"] == "AWS::IAM::ManagedPolicy"]
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    (adding,) = [s for s in statements if "secretsmanager:ReplicateSecretToRegions" in s["Action"]]
    condition = adding["Condition"]["ForAllValues:StringEquals"]
    assert condition == {"secretsmanager:AddReplicaRegions": {"Ref": "Regions"}}


def test_permissions_on_the_stacks_own_secrets_do_not_grow_with_their_number() -> None:
    assert many(2, "new")[1] == many(30, "new")[1]


# The policies exist for as long as they are needed.


def policies(build: Build) -> dict[str, Any]:
    stack = cdk.Stack(cdk.App(), "app", env=cdk.Environment(account=ACCOUNT, region=PRIMARY))
    build(stack)
    return dict(Template.from_stack(stack).to_json()["Resources"])


def test_a_resource_depends_on_its_policy() -> None:
    resources = policies(CASES["by name"])
    (resource,) = [r for r in resources.values() if r["Type"] == "Custom::ReplicatedSecret"]
    (policy,) = [name for name, r in resources.items() if r["Type"] == "AWS::IAM::ManagedPolicy"]
    assert policy in resource["DependsOn"]


def test_a_superseded_policy_is_deleted_whatever_the_app_retains() -> None:
    """Otherwise each update leaves one attached to the role, which holds ten."""
    app = cdk.App()
    stack = cdk.Stack(app, "app", env=cdk.Environment(account=ACCOUNT, region=PRIMARY))
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    cdk.RemovalPolicies.of(app).retain()
    template = Template.from_stack(stack)
    (secret,) = template.find_resources("AWS::SecretsManager::Secret").values()
    assert secret["DeletionPolicy"] == "Retain"
    (policy,) = template.find_resources("AWS::IAM::ManagedPolicy").values()
    assert {policy.get("DeletionPolicy", "Delete"), policy.get("UpdateReplacePolicy", "Delete")} == {"Delete"}


@jsii.implements(cdk.IAspect)
class NamePolicies:
    def visit(self, node: IConstruct) -> None:
        if isinstance(node, iam.CfnManagedPolicy):
            node.managed_policy_name = "replication"


def test_a_fixed_name_of_a_policy_fails_synthesis() -> None:
    """During an update two versions of the policy exist."""
    app = cdk.App()
    stack = cdk.Stack(app, "app", env=cdk.Environment(account=ACCOUNT, region=PRIMARY))
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    aspect: Any = NamePolicies()
    cdk.Aspects.of(app).add(aspect)
    message = r"app/ReplicatedSecretProvider/Policies\] Policy0 has the fixed name 'replication': .* remove the name"
    with pytest.raises(RuntimeError, match=message):
        app.synth()


def deep(scope: Construct) -> Construct:
    for level in range(12):
        scope = Construct(scope, f"{level}".rjust(2, "L") * 12)
    return scope


def test_logical_ids_of_a_deep_construct_stay_within_the_limit() -> None:
    ids: set[str] = set()
    for leaf in ("Database", "Databases"):
        stack = cdk.Stack(cdk.App(), "app", env=cdk.Environment(account=ACCOUNT, region=PRIMARY))
        provider = ReplicationProvider(deep(stack), "Provider")
        ReplicatedSecret(
            deep(Construct(stack, "Elsewhere")), leaf, regions=["eu-west-3"], provider=provider
        ).add_outputs()
        template = Template.from_stack(stack)
        found = {*template.find_resources("AWS::IAM::ManagedPolicy"), *template.find_outputs("*")}
        assert len(found) == 4
        assert max(len(logical_id) for logical_id in found) <= 255
        ids |= found
    # The policies are the same; no output is mistaken for another.
    assert len(ids) == 7


def test_a_changed_policy_gets_another_logical_id() -> None:
    """So the old one stays until CloudFormation has updated the resource that depended on it."""
    ids = [
        {name for name, r in policies(CASES[case]).items() if r["Type"] == "AWS::IAM::ManagedPolicy"}
        for case in ("by name", "by ARN", "by name")
    ]
    assert ids[0] == ids[2]
    assert not ids[0] & ids[1]
