"""Plain CloudFormation, from dist/ alone, with the AWS CLI as a user types it; with --live also on an account."""

from __future__ import annotations

import json
import re
import shutil
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from cloudformation.__main__ import build
from live.account import PREFIX
from local.server import ACCOUNT
from tests.helpers.shell import ROOT, Shell, steps
from tests.helpers.target import Target, target

EXAMPLES = ROOT / "examples" / "cloudformation"
PARIS, VIRGINIA = "eu-west-3", "us-east-1"
# A line of the examples.
VIRGINIA_TOO = f"        - {VIRGINIA}\n"
pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("plain")]

RIGHTS = (
    f"'SecretArns=arn:aws:secretsmanager:*:{ACCOUNT}:secret:app/*'",
    f"ReplicaRegions={PARIS},{VIRGINIA}",
    f"'KmsKeyArns=arn:aws:kms:*:{ACCOUNT}:key/*'",
    "AllowPromote=true",
)


@pytest.fixture(scope="module")
def shell(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("plain")
    build(folder)
    with target(pytestconfig, auth=True) as aws:
        for template in (*EXAMPLES.glob("*.yaml"), folder / "provider.template.yaml"):
            (folder / template.name).write_text(aws.named(template.read_text()))
        made = Shell(aws, folder, role=deployer(aws) if aws.run else "")
        if not aws.run:
            made.run(f"aws s3 mb s3://{made.bucket} && aws s3 mb s3://artifacts-{ACCOUNT}")
        # The page's commands, as they stand there; then with what the examples need beyond.
        for kind, text in steps("reference/custom-resource.md"):
            if kind == "command":
                made.follow(text)
        assert made.outputs("replication")["ServiceToken"].startswith(f"arn:aws:lambda:{aws.region}:")
        made.provider(*(aws.named(right) for right in RIGHTS))
        yield made


def deployer(aws: Target) -> str:
    """A role of CloudFormation's that has the documented permissions, and those for the templates' own resources."""
    page = (ROOT / "docs" / "reference" / "permissions.md").read_text().partition("\n## What the deployer needs\n")[2]
    documented = page.partition("```json\n")[2].partition("```")[0].replace("111122223333", ACCOUNT)
    # CloudFormation shortens the names of stacks in those of functions and roles.
    statements = json.loads(
        aws.named(documented).replace(":app-*", f":{PREFIX[:20]}*").replace("/app-*", f"/{PREFIX[:20]}*")
    )
    own = {
        "Effect": "Allow",
        "Action": ["secretsmanager:*", "cloudwatch:*"],
        "Resource": [f"arn:*:secretsmanager:*:*:secret:{PREFIX}/*", f"arn:*:cloudwatch:*:*:alarm:{PREFIX}-*"],
    }
    passwords = {"Effect": "Allow", "Action": "secretsmanager:GetRandomPassword", "Resource": "*"}
    statements["Statement"] += [own, passwords]
    iam, name = aws.client("iam"), aws.stack_name("deployer")
    trust = policy({**TRUST, "Principal": {"Service": "cloudformation.amazonaws.com"}})
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="documented", PolicyDocument=json.dumps(statements))
    # IAM takes some seconds.
    time.sleep(15)
    return str(made)


def secret(shell: Shell, name: str) -> str:
    created = shell.client("secretsmanager").create_secret(Name=shell.aws.named(name), SecretString="v")
    return str(created["ARN"])


def tags(shell: Shell, arn: str) -> dict[str, str]:
    """Ours among the primary's."""
    described = shell.client("secretsmanager").describe_secret(SecretId=arn)
    return {tag["Key"]: tag["Value"] for tag in described.get("Tags", []) if not tag["Key"].startswith("aws:")}


def statuses(shell: Shell, arn: str) -> dict[str, str]:
    described = shell.client("secretsmanager").describe_secret(SecretId=arn)
    return {entry["Region"]: entry["Status"] for entry in described.get("ReplicationStatus", [])}


def existing_secret(shell: Shell) -> None:
    """Replicated, changed, and left as it was."""
    arn, (paris, virginia, _) = secret(shell, "app/existing"), shell.aws.replicas
    shell.deploy("existing-secret", f"SecretId={shell.aws.named('app/existing')}")
    told = shell.outputs("existing-secret")
    assert told["Primary"] == arn
    assert told["ReplicaInParis"] == in_region(shell, arn, paris)
    assert told["StatusInParis"] == "InSync"
    assert [entry["Region"] for entry in json.loads(told["ReplicationStatus"])] == sorted([paris, virginia])

    shell.change("existing-secret", VIRGINIA_TOO, "")
    assert statuses(shell, arn) == {paris: "InSync"}
    shell.delete("existing-secret")
    assert statuses(shell, arn) == {}


def new_secret(shell: Shell) -> None:
    """Of the same template."""
    shell.deploy("new-secret")
    told = shell.outputs("new-secret")
    assert told["Status"] == "InSync"
    paris, virginia, _ = shell.aws.replicas
    replica = shell.client("secretsmanager", paris).get_secret_value(SecretId=in_region(shell, told["Database"], paris))
    assert json.loads(replica["SecretString"])["username"] == "app"
    shell.change("new-secret", "- Region: eu-west-3\n", f"- Region: eu-west-3\n{VIRGINIA_TOO}")
    assert statuses(shell, told["Database"]) == {paris: "InSync", virginia: "InSync"}
    shell.delete("new-secret")


def each_region(shell: Shell) -> None:
    """Outputs that are written once."""
    arn, (paris, virginia, _) = secret(shell, "app/each"), shell.aws.replicas
    in_paris, in_virginia = (f"StatusIn{region.replace('-', '')}" for region in (paris, virginia))
    shell.deploy("each-region", f"SecretId={arn}")
    assert shell.outputs("each-region") == {in_paris: "InSync", in_virginia: "InSync"}
    shell.deploy("each-region", f"ReplicaRegions={virginia}")
    assert shell.outputs("each-region") == {in_virginia: "InSync"}
    assert statuses(shell, arn) == {virginia: "InSync"}
    shell.delete("each-region")
    assert statuses(shell, arn) == {}


def customer_keys(shell: Shell) -> None:
    """Each replica with the key of its Region."""
    arn, (paris, virginia, _) = secret(shell, "app/keys"), shell.aws.replicas
    keys = {region: shell.client("kms", region).create_key()["KeyMetadata"]["Arn"] for region in (paris, virginia)}
    shell.deploy("customer-keys", f"SecretId={arn}", f"KeyInParis={keys[paris]}", f"KeyInVirginia={keys[virginia]}")
    assert shell.outputs("customer-keys") == {"KeyInParis": keys[paris]}
    another = shell.client("kms", paris).create_key()["KeyMetadata"]["Arn"]
    shell.deploy("customer-keys", f"KeyInParis={another}")
    assert shell.outputs("customer-keys") == {"KeyInParis": another}
    shell.delete("customer-keys")


def promote_on_delete(shell: Shell) -> None:
    """The replica becomes a secret of its own."""
    arn = secret(shell, "app/promoted")
    shell.deploy("promote-on-delete", f"SecretId={arn}")
    shell.change("promote-on-delete", "- eu-west-3\n", f"- eu-west-3\n{VIRGINIA_TOO}")
    shell.delete("promote-on-delete")
    for region in shell.aws.replicas[:2]:
        promoted = shell.client("secretsmanager", region).describe_secret(SecretId=in_region(shell, arn, region))
        assert "PrimaryRegion" not in promoted
    assert statuses(shell, arn) == {}


def a_secret_that_is_not_there(shell: Shell) -> None:
    """The events say why."""
    shutil.copy(shell.folder / "existing-secret.yaml", shell.folder / "missing.yaml")
    shell.deploy("missing", f"SecretId={shell.aws.named('app/missing')}", fails=True)
    events = shell.run(f"aws cloudformation describe-stack-events --stack-name {shell.aws.stack_name('missing')}")
    assert "can't find the specified secret" in events
    shell.delete("missing")


def alarms(shell: Shell) -> None:
    """As docs/guide/operations.md has it; then with another topic."""
    (deploy,) = (text for _, text in steps("guide/operations.md", "What to alarm on") if "deploy" in text)
    function = shell.outputs("replication")["ServiceToken"].rpartition(":")[2]
    named = {"AlarmNamePrefix": f"{shell.aws.stack_name('replication-alarms')}-"}
    for topic in ("operations", "others"):
        shell.follow(deploy.replace(":operations", f":{topic}"))
        told = shell.client("cloudwatch").describe_alarms(**named)["MetricAlarms"]
        assert {alarm["AlarmActions"][0].rpartition(":")[2] for alarm in told} == {topic}
        assert [alarm["Dimensions"] for alarm in told if alarm["MetricName"] == "Errors"] == [
            [{"Name": "FunctionName", "Value": function}]
        ]
    shell.delete("replication-alarms")
    assert shell.client("cloudwatch").describe_alarms(**named)["MetricAlarms"] == []


def getting_started(shell: Shell) -> None:
    """The page's template; its provider is that of the reference, which is deployed already."""
    *provider, template, deploy = (text for _, text in steps("guide/getting-started.md", "In plain CloudFormation"))
    assert provider == [text for kind, text in steps("reference/custom-resource.md") if kind == "command"]
    secret(shell, "app/started")
    (shell.folder / "orders-replicas.yaml").write_text(shell.aws.named(template))
    shell.follow(deploy)
    assert shell.outputs("orders-replicas") == {"Paris": "InSync"}
    shell.delete("orders-replicas")


def handed_over(shell: Shell) -> None:
    """To another stack, which then owns the replica, as docs/guide/migrating.md has it; the other replica stays."""
    done = list(steps("guide/migrating.md", "Hand a replica over to another stack"))
    arn, tag = secret(shell, "app/payments"), f"cdk-replicated-secret:{PARIS}"
    files = iter([text for kind, text in done if kind == "file"])
    before = done[0][1].replace("      ReplicaRemovalPolicy: Retain\n", "")
    create(shell, "payments", before.replace(VIRGINIA_TOO, f"{VIRGINIA_TOO}        - {PARIS}\n"))
    made, owner = replica(shell, arn), []
    for kind, text in done:
        if kind == "command":
            stack = re.search("--stack-name (\\w+)", text)
            if stack:
                (shell.folder / f"{stack[1]}.yaml").write_text(next(files))
            shell.run(text)
            owner.append(tags(shell, arn).get(tag, "nobody").partition(" ")[0])
            assert replica(shell, arn) == made
    assert owner == ["nobody", "nobody", "adopted", "created"]
    shell.delete("payments")
    assert replica(shell, arn) == made
    assert statuses(shell, arn) == {PARIS: "InSync"}
    shell.delete("reporting")
    assert statuses(shell, arn) == {}


def from_native_regions(shell: Shell) -> None:
    """The replica is the same one after each step of docs/guide/migrating.md."""
    done = list(steps("guide/migrating.md", "From `ReplicaRegions` of AWS::SecretsManager::Secret"))
    create(shell, "orders", "\n".join(line for line in done[0][1].splitlines() if "Policy: Retain" not in line))
    arn = shell.client("secretsmanager").describe_secret(SecretId="app/orders")["ARN"]
    made = replica(shell, arn)
    for kind, text in done:
        step = text.replace(f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:app/orders-AbCdEf", arn)
        if kind == "file":
            (shell.folder / "orders.yaml").write_text(step)
        else:
            shell.run(step)
            if "-resource-policy" in step:
                assert may_remove(shell, arn) == ("delete-resource-policy" in step)
            assert replica(shell, arn) == made
            assert statuses(shell, arn) == {PARIS: "InSync"}
    assert tags(shell, arn)[f"cdk-replicated-secret:{PARIS}"].startswith("adopted ")
    shell.delete("orders")
    assert replica(shell, arn) == made


def may_remove(shell: Shell, arn: str) -> bool:
    """Whether a user who is allowed everything may remove the replica, or a tag; asked with what is not there."""
    iam = shell.client("iam")
    if "remover" not in {user["UserName"] for user in iam.list_users()["Users"]}:
        iam.create_user(UserName="remover")
        everything = policy({"Effect": "Allow", "Action": "*", "Resource": "*"})
        iam.put_user_policy(UserName="remover", PolicyName="everything", PolicyDocument=everything)
    key = iam.create_access_key(UserName="remover")["AccessKey"]
    client = boto3.client(
        "secretsmanager",
        region_name=shell.region,
        endpoint_url=shell.client("secretsmanager").meta.endpoint_url,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    client.describe_secret(SecretId=arn)
    denied = []
    for call, parameters in (
        (client.remove_regions_from_replication, {"RemoveReplicaRegions": ["sa-east-1"]}),
        (client.untag_resource, {"TagKeys": ["none"]}),
    ):
        try:
            call(SecretId=arn, **parameters)
            denied.append(False)
        except ClientError as error:
            denied.append(error.response["Error"]["Code"] == "AccessDeniedException")
    assert denied[0] == denied[1]
    return not denied[0]


def create(shell: Shell, stack: str, template: str) -> None:
    """What the reader has before."""
    cloudformation = shell.client("cloudformation")
    cloudformation.create_stack(StackName=stack, TemplateBody=template)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})


TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
ALLOW = {"Effect": "Allow", "Action": ["secretsmanager:*", "logs:*"], "Resource": "*"}


def a_role_and_a_boundary_of_ones_own(shell: Shell) -> None:
    """In another Region; of another stack name, since MiniStack makes the names of roles and policies of that alone."""
    there = shell.elsewhere("eu-central-1")
    there.run(f"aws s3 mb s3://{there.bucket}")
    iam = shell.client("iam")
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=policy(ALLOW))["Policy"]["Arn"]
    own = iam.create_role(RoleName="own", AssumeRolePolicyDocument=policy(TRUST))["Role"]["Arn"]
    iam.attach_role_policy(RoleName="own", PolicyArn=boundary)

    def role() -> str:
        function = there.outputs("frankfurt")["ServiceToken"]
        return str(there.client("lambda").get_function(FunctionName=function)["Configuration"]["Role"])

    there.provider(*RIGHTS, f"PermissionsBoundaryArn={boundary}", stack="frankfurt")
    made = role().rpartition("/")[2]
    assert iam.get_role(RoleName=made)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    arn = secret(there, "app/own")
    there.deploy("promote-on-delete", f"SecretId={arn}")
    there.provider(*RIGHTS, "PermissionsBoundaryArn=", f"RoleArn={own}", stack="frankfurt")
    assert role() == own
    there.delete("promote-on-delete")
    assert "ReplicationStatus" not in there.client("secretsmanager").describe_secret(SecretId=arn)


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


ON_AN_ACCOUNT = (
    existing_secret,
    new_secret,
    each_region,
    customer_keys,
    promote_on_delete,
    a_secret_that_is_not_there,
    alarms,
    getting_started,
)
LIVES = (
    *ON_AN_ACCOUNT,
    handed_over,
    from_native_regions,
    a_role_and_a_boundary_of_ones_own,
)


@pytest.fixture(scope="module")
def lives(shell: Shell) -> Iterator[dict[str, Future[None]]]:
    """All at the same time: the AWS CLI polls a stack only every 30 s."""
    with ThreadPoolExecutor(len(LIVES)) as threads:
        yield {life.__name__: threads.submit(life, shell) for life in (ON_AN_ACCOUNT if shell.aws.run else LIVES)}


@pytest.mark.parametrize(
    "life", [pytest.param(life.__name__, marks=[pytest.mark.live] * (life in ON_AN_ACCOUNT)) for life in LIVES]
)
def test_the_life_of_a_template(lives: dict[str, Future[None]], life: str) -> None:
    lives[life].result()


def test_a_newer_provider_replaces_nothing_and_touches_no_replica(shell: Shell, lives: dict[str, Future[None]]) -> None:
    """Upgrade: what is there stays, and an update after it is carried out by the new code."""
    for life in lives.values():
        life.exception()
    arn = secret(shell, "app/upgraded")
    template = shell.folder / "upgraded.yaml"
    template.write_text((EXAMPLES / "existing-secret.yaml").read_text())
    shell.deploy("upgraded", "SecretId=app/upgraded")
    before = provider(shell), replica(shell, arn)

    newer = shell.folder / "handler.zip"
    with zipfile.ZipFile(newer, "a") as archive:
        archive.writestr("newer.txt", "a newer build")
    shell.provider(*RIGHTS)
    token, code = provider(shell)
    assert (token, replica(shell, arn)) == (before[0][0], before[1])
    assert code != before[0][1]

    shell.change("upgraded", VIRGINIA_TOO, "")
    assert shell.outputs("upgraded")["Primary"] == arn
    assert replica(shell, arn) == before[1]
    assert statuses(shell, arn) == {PARIS: "InSync"}
    assert not any(change["ResourceStatus"].startswith("DELETE") for change in events(shell, "upgraded"))


def test_the_aws_cli_takes_the_stackset_of_the_page(shell: Shell) -> None:
    """Local AWS has no StackSets; the AWS CLI checks the parameters by itself."""
    for kind, text in steps("guide/operations.md", "For an organization"):
        if kind == "file":
            (shell.folder / "bucket-policy.json").write_text(text)
        else:
            shell.run(f"{text} --generate-cli-skeleton output" if "stack-set" in text else text)


def test_the_provider_is_deleted_after_its_resources(shell: Shell) -> None:
    """Uninstall, as the page has it."""
    shell.delete("upgraded")
    for _, command in steps("guide/upgrading.md", "Uninstall"):
        shell.run(command)
    stacks = shell.client("cloudformation").describe_stacks()["Stacks"]
    assert "replication" not in {stack["StackName"] for stack in stacks}


def in_region(shell: Shell, arn: str, region: str) -> str:
    """The ARN of a replica."""
    return arn.replace(f":{shell.region}:", f":{region}:")


def provider(shell: Shell) -> tuple[str, str]:
    """The ServiceToken, and a digest of the code behind it."""
    token = shell.outputs("replication")["ServiceToken"]
    function = shell.client("lambda").get_function(FunctionName=token)
    return token, function["Configuration"]["CodeSha256"]


def replica(shell: Shell, arn: str) -> Any:
    """When it was made, which another in its place would not have."""
    return shell.client("secretsmanager", PARIS).describe_secret(SecretId=arn.replace("us-west-2", PARIS))[
        "CreatedDate"
    ]


def events(shell: Shell, stack: str) -> list[dict[str, Any]]:
    return list(shell.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"])
