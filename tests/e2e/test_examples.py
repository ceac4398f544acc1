"""The examples: each synthesizes as its reader would do it, says what it is about, and deploys."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from local.cdk import Cdk
from local.server import ACCOUNT, REGION, clean_environment
from tests.helpers.policies import check
from tests.helpers.target import Target, target

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(path.parent.name for path in FOLDER.glob("*/cdk.json"))
# On an account it would take long and cost more.
WITH_A_DATABASE = ("rds_secret",)
PARIS, VIRGINIA = "eu-west-3", "us-east-1"
# One worker for all: what they share costs more than they do.
pytestmark = pytest.mark.xdist_group("examples")


@pytest.fixture(scope="module")
def aws(pytestconfig: pytest.Config) -> Iterator[Target]:
    with target(pytestconfig, auth=True) as started:
        yield started


@pytest.fixture(scope="module")
def assemblies(aws: Target, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What each example's own command makes, in a project outside the checkout, which has the package and no more.

    ``EXAMPLES_BIN``: where its Python is, if the package is not the checkout's: ``make compat`` has one with the wheel.
    """
    folder = tmp_path_factory.mktemp("assemblies")
    names = [name for name in EXAMPLES if not (aws.run and name in WITH_A_DATABASE)]
    with ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(partial(_synthesize, aws, folder), names))
    return {name: folder / name for name in names}


def _synthesize(aws: Target, folder: Path, name: str, **context: str) -> None:
    project = shutil.copytree(FOLDER / name, folder / "projects" / name)
    app = project / "app.py"
    app.write_text(aws.named(app.read_text()))
    command = shlex.split(json.loads((project / "cdk.json").read_text())["app"])
    python = os.environ.get("EXAMPLES_BIN") or str(Path(sys.executable).parent)
    environment = clean_environment() | {
        "CDK_OUTDIR": str(folder / name),
        "CDK_DEFAULT_ACCOUNT": aws.account,
        "CDK_CONTEXT_JSON": json.dumps(context),
        "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
    }
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=project, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr


def _arn(rest: str) -> dict[str, Any]:
    return {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, f":{rest}"]]}


class Assembly:
    """The templates of an example."""

    def __init__(self, folder: Path) -> None:
        self.stacks = {
            path.name.partition(".")[0]: json.loads(path.read_text()) for path in folder.glob("*.template.json")
        }

    def resources(self, kind: str, stack: str | None = None) -> list[dict[str, Any]]:
        return [
            resource["Properties"]
            for name, template in self.stacks.items()
            for resource in template["Resources"].values()
            if resource["Type"] == kind and stack in (None, name)
        ]

    def declared(self) -> list[list[Any]]:
        return [entry["ReplicaRegions"] for entry in self.resources("Custom::ReplicatedSecret")]


def test_the_policies_are_valid(assemblies: dict[str, Path]) -> None:
    for folder in assemblies.values():
        for template in Assembly(folder).stacks.values():
            check(template)


def test_an_existing_secret_is_named_and_not_made(assemblies: dict[str, Path]) -> None:
    example = Assembly(assemblies["existing_secret"])
    (replication,) = example.resources("Custom::ReplicatedSecret")
    assert replication["SecretId"] == "app/database"
    assert example.declared() == [[PARIS, VIRGINIA]]
    assert example.resources("AWS::SecretsManager::Secret") == []
    assert "DatabaseStatusEuWest3" in example.stacks["ExistingSecret"]["Outputs"]


def test_a_databases_secret_is_replicated_once_it_is_attached(assemblies: dict[str, Path]) -> None:
    example = Assembly(assemblies["rds_secret"])
    (replication,) = example.resources("Custom::ReplicatedSecret")
    attachment = replication["SecretId"]["Ref"]
    assert example.stacks["RdsSecret"]["Resources"][attachment]["Type"] == "AWS::SecretsManager::SecretTargetAttachment"
    assert len(example.resources("AWS::RDS::DBInstance")) == 1


def test_each_region_has_its_own_key(assemblies: dict[str, Path]) -> None:
    example = Assembly(assemblies["customer_keys"])
    alias = _arn(f"kms:{VIRGINIA}:{ACCOUNT}:alias/app/database")
    assert example.declared() == [
        [{"Region": PARIS, "KmsKeyId": "alias/app/database"}, {"Region": VIRGINIA, "KmsKeyId": alias}]
    ]
    assert len(example.resources("AWS::KMS::Key")) == 3
    (secret,) = example.resources("AWS::SecretsManager::Secret")
    assert list(secret["KmsKeyId"]) == ["Fn::GetAtt"]


def test_the_consumer_may_read_the_replica_only(assemblies: dict[str, Path]) -> None:
    example = Assembly(assemblies["consumer_stack"])
    (policy,) = example.resources("AWS::IAM::Policy", "Consumer")
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Resource"] == _arn(f"secretsmanager:{PARIS}:{ACCOUNT}:secret:app/consumed-??????")
    (function,) = example.resources("AWS::Lambda::Function", "Consumer")
    variables = function["Environment"]["Variables"]
    assert variables["SECRET_ARN"] == _arn(f"secretsmanager:{PARIS}:{ACCOUNT}:secret:app/consumed")


def test_two_stacks_add_their_permissions_to_one_function(assemblies: dict[str, Path]) -> None:
    example = Assembly(assemblies["one_provider"])
    assert len(example.resources("AWS::Lambda::Function")) == 1
    for stack in ("Orders", "Invoices"):
        (policy,) = example.resources("AWS::IAM::ManagedPolicy", stack)
        (role,) = policy["Roles"]
        assert "Fn::ImportValue" in role
        assert "AWS::StackId" in json.dumps(policy["PolicyDocument"])


def test_the_monitor_has_alarms_that_notify_the_topic_and_a_dashboard(assemblies: dict[str, Path]) -> None:
    example = Assembly(assemblies["monitor"])
    (topic,) = [name for name, r in example.stacks["Monitor"]["Resources"].items() if r["Type"] == "AWS::SNS::Topic"]
    alarms = example.resources("AWS::CloudWatch::Alarm")
    assert {json.dumps(alarm[kind]) for alarm in alarms for kind in ("AlarmActions", "OKActions")} == {
        json.dumps([{"Ref": topic}])
    }
    (rule,) = example.resources("AWS::Events::Rule")
    assert rule["ScheduleExpression"] == "rate(30 minutes)"
    (dashboard,) = example.resources("AWS::CloudWatch::Dashboard")
    assert "ReplicasPromoted" in json.dumps(dashboard)


def test_alarms_on_deployments_notify_the_topic(assemblies: dict[str, Path]) -> None:
    example = Assembly(assemblies["alarms"])
    (topic,) = [name for name, r in example.stacks["Alarms"]["Resources"].items() if r["Type"] == "AWS::SNS::Topic"]
    alarms = example.resources("AWS::CloudWatch::Alarm")
    assert [alarm["MetricName"] for alarm in alarms] == [
        "ResponsesFailed",
        "ReplicasUnverified",
        "ReplicasUnowned",
        "Errors",
    ]
    assert all(alarm["AlarmActions"] == [{"Ref": topic}] for alarm in alarms)


def test_the_page_shows_a_picture_of_every_example() -> None:
    page = (FOLDER / "README.md").read_text()
    parts = {name: page.partition(f"\n## {name}\n")[2].partition("\n## ")[0] for name in EXAMPLES}
    assert [name for name, part in parts.items() if f"({name}/app.py)" not in part or "```mermaid" not in part] == []


@pytest.fixture(scope="module")
def cdk(aws: Target, tmp_path_factory: pytest.TempPathFactory) -> Cdk:
    return aws.cdk(tmp_path_factory.mktemp("assembly"))


@pytest.fixture(scope="module")
def deployments(aws: Target, cdk: Cdk, assemblies: dict[str, Path]) -> Iterator[dict[str, Future[str]]]:
    """All at the same time: a deployment mostly waits."""
    if not aws.run:
        cdk.run("bootstrap", *(f"aws://{ACCOUNT}/{region}" for region in (PARIS, VIRGINIA)))
    aws.client("secretsmanager").create_secret(Name=aws.named("app/database"), SecretString="existing")

    def deploy(name: str, folder: Path) -> str:
        aws.need_bootstrapped(*(region for region in aws.replicas if region in (folder / "manifest.json").read_text()))
        return cdk.run("deploy", "--all", "--app", str(folder), "--concurrency", "2", "--require-approval", "never")

    with ThreadPoolExecutor(len(EXAMPLES)) as threads:
        yield {name: threads.submit(deploy, name, folder) for name, folder in assemblies.items()}


def outputs(aws: Target, stack: str, region: str = "") -> dict[str, str]:
    described = aws.client("cloudformation", region).describe_stacks(StackName=aws.stack_name(stack))["Stacks"][0]
    assert described["StackStatus"] == "CREATE_COMPLETE"
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def value(aws: Target, secret_id: str, region: str) -> str:
    return str(aws.client("secretsmanager", region).get_secret_value(SecretId=secret_id)["SecretString"])


@pytest.mark.live
@pytest.mark.e2e
def test_an_existing_secret_comes_to_two_regions(aws: Target, deployments: dict[str, Future[str]]) -> None:
    deployed = deployments["existing_secret"].result()
    for region in aws.replicas[:2]:
        output = "DatabaseStatus" + "".join(word.capitalize() for word in region.split("-"))
        assert f"{aws.stack_name('ExistingSecret')}.{output} = InSync" in deployed
        assert value(aws, aws.named("app/database"), region) == "existing"


@pytest.mark.e2e
def test_the_replica_of_a_databases_secret_has_its_password(aws: Target, deployments: dict[str, Future[str]]) -> None:
    deployments["rds_secret"].result()
    arn = outputs(aws, "RdsSecret")["ReplicatedArn"]
    replica = value(aws, arn.replace(REGION, PARIS), PARIS)
    assert replica == value(aws, arn, REGION)
    assert {"username", "password", "engine", "host", "port"} <= set(json.loads(replica))


@pytest.mark.e2e
def test_a_replica_of_a_generated_name_is_read_in_its_region(
    aws: Target, cdk: Cdk, assemblies: dict[str, Path], deployments: dict[str, Future[str]]
) -> None:
    """Its ARN reaches the other Region by a function of the CDK's, which writes an SSM parameter there."""
    deployments["rds_secret"].result()
    reader = outputs(aws, "RdsReader", PARIS)["ReaderName"]
    response = json.load(aws.client("lambda", PARIS).invoke(FunctionName=reader)["Payload"])
    assert response["arn"] == outputs(aws, "RdsSecret")["ReplicatedArn"].replace(REGION, PARIS)
    assert {"username", "password", "engine", "host", "port"} <= set(response["keys"])
    assert exports(aws, PARIS) == [response["arn"].replace(PARIS, REGION)]
    assert exports(aws, REGION) == []
    cdk.run("destroy", "--all", "--force", "--app", str(assemblies["rds_secret"]))
    assert exports(aws, PARIS) == []
    assert response["arn"] not in [e["ARN"] for e in aws.client("secretsmanager", PARIS).list_secrets()["SecretList"]]


def exports(aws: Target, region: str) -> list[str]:
    """What the CDK passes to a Region."""
    parameters = aws.client("ssm", region).get_parameters_by_path(Path="/cdk/exports", Recursive=True)["Parameters"]
    return [entry["Value"] for entry in parameters]


@pytest.mark.live
@pytest.mark.e2e
def test_each_replica_has_the_key_of_its_region(aws: Target, deployments: dict[str, Future[str]]) -> None:
    deployments["customer_keys"].result()
    arn = outputs(aws, "CustomerKeys")["DatabaseArn"]
    described = aws.client("secretsmanager").describe_secret(SecretId=arn)
    assert {entry["Region"]: entry["KmsKeyId"] for entry in described["ReplicationStatus"]} == {
        aws.replicas[0]: aws.named("alias/app/database"),
        aws.replicas[1]: aws.named(f"arn:aws:kms:{VIRGINIA}:{ACCOUNT}:alias/app/database"),
    }
    key = aws.client("kms").describe_key(KeyId=described["KmsKeyId"])["KeyMetadata"]
    assert key["KeyManager"] == "CUSTOMER"


@pytest.mark.live
@pytest.mark.e2e
def test_the_consumers_function_reads_the_replica(aws: Target, deployments: dict[str, Future[str]]) -> None:
    deployments["consumer_stack"].result()
    paris, *_ = aws.replicas
    reader = outputs(aws, "Consumer", paris)["ReaderName"]
    response = json.load(aws.client("lambda", paris).invoke(FunctionName=reader)["Payload"])
    assert response["arn"].startswith(aws.named(f"arn:aws:secretsmanager:{PARIS}:{ACCOUNT}:secret:app/consumed-"))
    assert response["length"] == 32


@pytest.mark.live
@pytest.mark.e2e
def test_two_stacks_share_a_function_and_take_their_replicas_with_them(
    aws: Target, cdk: Cdk, assemblies: dict[str, Path], deployments: dict[str, Future[str]]
) -> None:
    deployments["one_provider"].result()
    paris, *_ = aws.replicas
    arns = [outputs(aws, stack)["DatabaseArn"] for stack in ("Orders", "Invoices")]
    for stack, arn in zip(("Orders", "Invoices"), arns, strict=True):
        assert "InSync" in outputs(aws, stack).values()
        assert value(aws, arn.replace(aws.region, paris), paris) == value(aws, arn, aws.region)
    cdk.run("destroy", "--all", "--force", "--app", str(assemblies["one_provider"]))
    secrets = aws.client("secretsmanager", paris)
    for arn in arns:
        with pytest.raises(secrets.exceptions.ResourceNotFoundException):
            secrets.describe_secret(SecretId=arn.replace(aws.region, paris))


@pytest.mark.live
@pytest.mark.e2e
def test_the_monitors_function_finds_the_replica_in_sync(aws: Target, deployments: dict[str, Future[str]]) -> None:
    deployments["monitor"].result()
    function = outputs(aws, "Monitor")["MonitorName"]
    counted = json.load(aws.client("lambda").invoke(FunctionName=function)["Payload"])
    assert counted["SecretsChecked"] >= 1
    assert counted["ReplicasInSync"] >= 1


@pytest.mark.live
@pytest.mark.e2e
def test_a_stack_adopts_native_replicas_and_leaves_them_when_it_is_deleted(
    aws: Target, cdk: Cdk, assemblies: dict[str, Path], deployments: dict[str, Future[str]]
) -> None:
    deployments["adopted_replicas"].result()
    statuses = [text for name, text in outputs(aws, "AdoptedReplicas").items() if "Status" in name]
    assert statuses.count("InSync") == 2
    app = str(assemblies["adopted_replicas"])
    cdk.run("destroy", aws.stack_name("AdoptedReplicas"), "--force", "--app", app)
    assert replicas(aws, "app/native") == dict.fromkeys(aws.replicas[:2], "InSync")


@pytest.mark.live
@pytest.mark.e2e
def test_a_drill_fails_over_and_back(
    aws: Target, cdk: Cdk, assemblies: dict[str, Path], deployments: dict[str, Future[str]], tmp_path: Path
) -> None:
    deployments["failover"].result()
    paris, virginia, *_ = aws.replicas
    secrets, name = aws.client("secretsmanager", paris), aws.named("app/drill")
    secrets.stop_replication_to_replica(SecretId=name)
    _synthesize(aws, tmp_path, "failover", promoted=paris)
    deploy = ("deploy", "--require-approval", "never", "--app")
    cdk.run(*deploy, str(tmp_path / "failover"))
    assert replicas(aws, "app/drill") == {virginia: "InSync"}
    assert "PrimaryRegion" not in secrets.describe_secret(SecretId=name)
    assert value(aws, name, paris) == value(aws, name, aws.region)
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    cdk.run(*deploy, str(assemblies["failover"]))
    assert replicas(aws, "app/drill") == {paris: "InSync", virginia: "InSync"}


def replicas(aws: Target, name: str) -> dict[str, str]:
    """The status of each replica of a secret."""
    described = aws.client("secretsmanager").describe_secret(SecretId=aws.named(name))
    return {entry["Region"]: entry["Status"] for entry in described["ReplicationStatus"]}
