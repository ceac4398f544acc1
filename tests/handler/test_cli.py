"""The command ``replicated-secret status`` over the model of Secrets Manager."""

from __future__ import annotations

import json
from functools import partial

import pytest
from click.testing import CliRunner, Result

from replicated_secret_cli import main
from tests.helpers.monitor import secrets
from tests.helpers.world import PRIMARY, World, event

PARIS, VIRGINIA = "eu-west-3", "us-east-1"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """``app/database`` in two Regions, in sync, and a secret that another tool replicated."""
    made = World()
    made.succeed(event(regions=({"Region": PARIS, "KmsKeyId": "alias/app"}, VIRGINIA)))
    made.create("web/native", AddReplicaRegions=[{"Region": PARIS}])
    made.clock.sleep(3600)
    monkeypatch.setattr(main, "Boto3Secrets", partial(secrets, made))
    monkeypatch.setattr("time.time", made.clock.now)
    monkeypatch.setenv("AWS_DEFAULT_REGION", PRIMARY)
    return made


def status(*arguments: str) -> Result:
    return CliRunner().invoke(main.cli, ["status", *arguments])


def rows(result: Result) -> list[list[str]]:
    """The cells of the table, without its head."""
    table = result.stdout.partition("\n\n")[0].splitlines()
    return [line.split() for line in table[1:]]


def test_all_is_well(world: World) -> None:
    world.client(PARIS).get_secret_value(SecretId="app/database")
    shown = status()
    assert rows(shown) == [
        ["app/database", PARIS, "InSync", "app", "Replication", "alias/app", "2023-11-14"],
        ["app/database", VIRGINIA, "InSync", "app", "Replication", "alias/aws/secretsmanager"],
        ["web/native", PARIS, "InSync", "alias/aws/secretsmanager"],
    ]
    assert shown.stdout.endswith("\n\nsecrets checked: 2; replicas in sync: 3; problems: 0\n")
    assert shown.exit_code == 0


def test_a_problem_has_its_message_and_advice_below_and_exit_code_1(world: World) -> None:
    world.model.break_off(PRIMARY, world.arn, PARIS, "Access to KMS key [alias/app] is not allowed.")
    shown = status()
    assert ["app/database", PARIS, "Failed", "app", "Replication", "alias/app"] in rows(shown)
    below = shown.stdout.partition("\n\n")[2]
    assert below.startswith(
        "app/database in eu-west-3: Replication failed: Access to KMS key [alias/app] is not allowed.\nTo fix this, "
    )
    assert "secrets checked: 2; replicas in sync: 2; problems: 1" in below
    assert shown.exit_code == 1


def test_only_problems(world: World) -> None:
    world.model.break_off(PRIMARY, world.arn, PARIS, "network error")
    shown = status("--problems")
    assert [row[:3] for row in rows(shown)] == [["app/database", PARIS, "Failed"]]
    assert shown.exit_code == 1


def test_no_problem_to_show(world: World) -> None:
    assert status("--problems").stdout == "\nsecrets checked: 2; replicas in sync: 3; problems: 0\n"


def test_what_could_not_be_checked_has_exit_code_2(world: World) -> None:
    world.model.break_off(PRIMARY, world.arn, PARIS, "network error")
    world.model.script.error("AccessDeniedException", "denied", operation="DescribeSecret", name="web/native")
    shown = status()
    assert [row[:3] for row in rows(shown)][-1] == ["web/native", "not", "checked"]
    assert shown.exit_code == 2


def test_json_for_scripts(world: World) -> None:
    world.model.break_off(PRIMARY, world.arn, PARIS, "network error")
    shown = status("--json", "--problems")
    (problem,) = json.loads(shown.stdout)
    assert {key: problem[key] for key in ("kind", "secret", "region", "status", "owner", "problem")} == {
        "kind": "ReplicasFailed",
        "secret": "app/database",
        "region": PARIS,
        "status": "Failed",
        "owner": "app Replication",
        "problem": True,
    }
    assert shown.exit_code == 1
    assert len(json.loads(status("--json").stdout)) == 3


def test_prefix_and_tag_choose_secrets(world: World) -> None:
    world.client().tag_resource(SecretId="web/native", Tags=[{"Key": "team", "Value": "web=1"}])
    assert {row[0] for row in rows(status("--prefix", "app/"))} == {"app/database"}
    assert {row[0] for row in rows(status("--tag", "team=web=1"))} == {"web/native"}


def test_verify_asks_every_region(world: World) -> None:
    world.client(PARIS).stop_replication_to_replica(SecretId=world.arn.replace(PRIMARY, PARIS))
    found = world.model.find(VIRGINIA, "app/database")
    assert found
    world.model._store.drop(found)
    assert [row[:3] for row in rows(status("--problems"))] == [["app/database", PARIS, "not"]]
    assert [row[1] for row in rows(status("--problems", "--verify"))] == [PARIS, VIRGINIA]


def test_the_region_may_be_given(world: World) -> None:
    assert status("--region", PARIS).stdout.endswith("secrets checked: 0; replicas in sync: 0; problems: 0\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--tag", "team"], "'team': expected KEY=VALUE"), (["--tag", "=a"], "expected KEY=VALUE")],
)
def test_a_wrong_option_is_explained(world: World, arguments: list[str], message: str) -> None:
    shown = status(*arguments)
    assert shown.exit_code == 2
    assert message in shown.stderr


def test_without_a_region_it_says_how_to_give_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    shown = status()
    assert shown.exit_code == 2
    assert "use --region" in shown.stderr
