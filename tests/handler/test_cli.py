"""The command ``replicated-secret status`` over the model of Secrets Manager."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from local.wire import Endpoint
from replicated_secret_cli import main
from tests.helpers.monitor import secrets
from tests.helpers.world import PRIMARY, World, event

PARIS, VIRGINIA = "eu-west-3", "us-east-1"


@pytest.fixture(autouse=True)
def _own_ctrl_c() -> Iterator[None]:
    """The command has its own reaction to Ctrl-C. pytest gets its own back."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """``app/database`` in two Regions, in sync, and a secret that another tool replicated."""
    made = World()
    made.succeed(event(regions=({"Region": PARIS, "KmsKeyId": "alias/app"}, VIRGINIA)))
    made.create("web/native", AddReplicaRegions=[{"Region": PARIS}])
    made.clock.sleep(3600)
    monkeypatch.setattr(main, "Boto3Secrets", partial(secrets, made))
    monkeypatch.setattr("time.time", made.clock.now)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
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
    assert shown.stdout.endswith("\n\nsecrets checked in us-west-2: 2; replicas in sync: 3; problems: 0\n")
    assert shown.exit_code == 0


def test_a_problem_has_its_message_and_advice_below_and_exit_code_1(world: World) -> None:
    world.model.break_off(PRIMARY, world.arn, PARIS, "Access to KMS key [alias/app] is not allowed.")
    shown = status()
    assert ["app/database", PARIS, "Failed", "app", "Replication", "alias/app"] in rows(shown)
    below = shown.stdout.partition("\n\n")[2]
    assert below.startswith(
        "app/database in eu-west-3: Replication failed: Access to KMS key [alias/app] is not allowed.\nTo fix this, "
    )
    assert "secrets checked in us-west-2: 2; replicas in sync: 2; problems: 1" in below
    assert shown.exit_code == 1


def test_only_problems(world: World) -> None:
    world.model.break_off(PRIMARY, world.arn, PARIS, "network error")
    shown = status("--problems")
    assert [row[:3] for row in rows(shown)] == [["app/database", PARIS, "Failed"]]
    assert shown.exit_code == 1


def test_no_problem_to_show(world: World) -> None:
    assert status("--problems").stdout == "secrets checked in us-west-2: 2; replicas in sync: 3; problems: 0\n"


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


NOTHING = "secrets checked in eu-west-3: 0; replicas in sync: 0; problems: 0\n"


def test_the_region_may_be_given(world: World) -> None:
    shown = status("--region", PARIS)
    assert (shown.stdout, shown.exit_code) == (NOTHING, 0)


def test_the_environments_region_is_the_one_of_the_aws_cli(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", PARIS)
    assert status().stdout == NOTHING


def test_a_prefix_that_no_secret_has_is_no_problem(world: World) -> None:
    shown = status("--prefix", "nothing/")
    assert shown.stdout == "secrets checked in us-west-2: 0; replicas in sync: 0; problems: 0\n"
    assert shown.exit_code == 0
    assert status("--prefix", "nothing/", "--json").stdout == "[]\n"


def test_a_piped_table_has_a_line_for_each_replica_however_long_the_name(world: World) -> None:
    name = "long/" + "n" * 500
    world.create(name, AddReplicaRegions=[{"Region": PARIS}])
    world.clock.sleep(60)
    assert [name, PARIS, "InSync", "alias/aws/secretsmanager"] in rows(status())


def test_a_narrow_terminal_hides_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "50")
    table = re.sub(r"\x1b\[[\d;?]*\w", "", status().stdout).partition("\n\n")[0]
    assert max(map(len, table.splitlines())) <= 50
    assert "…" not in table
    assert table.count(f" {PARIS} ") == 2


def test_a_name_is_shown_as_it_is(world: World) -> None:
    """Not as rich's markup, and its ARN as a shell takes it."""
    arn = world.create("rds!cluster-1_[red]@=+.x", AddReplicaRegions=[{"Region": PARIS}])
    world.clock.sleep(3600)
    world.model.break_off(PRIMARY, arn, PARIS, "network error")
    shown = status("--prefix", "rds!", "--problems")
    assert [row[:3] for row in rows(shown)] == [["rds!cluster-1_[red]@=+.x", PARIS, "Failed"]]
    assert f"--secret-id '{arn}'" in shown.stdout


def test_a_terminal_gets_colors_and_a_progress_bar(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.model.break_off(PRIMARY, world.arn, PARIS, "network error")
    assert status().stderr == ""
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "100")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = status()
    assert "\x1b[32mInSync\x1b[0m" in shown.stdout
    assert "\x1b[1;31mFailed\x1b[0m" in shown.stdout
    assert "2 secrets" in shown.stderr


KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def environment(url: str, **more: str) -> dict[str, str]:
    """With the real command, and nothing of this machine's AWS configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    made = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AWS_REGION": PRIMARY,
        "AWS_ENDPOINT_URL": url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return kept | made | more


def run(line: str, url: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command line."""
    return subprocess.run(
        ["bash", "-c", line], env=environment(url, **more), text=True, capture_output=True, check=False
    )


class Silent(Endpoint):
    """DescribeSecret gets no response."""

    asked, end = threading.Event(), threading.Event()

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        if headers["x-amz-target"].endswith("DescribeSecret"):
            self.asked.set()
            self.end.wait()
        return super().post(headers, body)


def test_ctrl_c_ends_it_even_if_a_region_is_silent() -> None:
    world = World()
    world.create("app/one", AddReplicaRegions=[{"Region": PARIS}])
    with Silent(world.model) as endpoint:
        command = ["replicated-secret", "status"]
        made = environment(endpoint.url, **KEYS)
        with subprocess.Popen(command, env=made, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert endpoint.asked.wait(30)
            process.send_signal(signal.SIGINT)
            shown = process.communicate(timeout=10)
        endpoint.end.set()
    assert (process.returncode, *shown) == (130, "", "")


@pytest.mark.parametrize("options", ["", "--json"])
def test_a_pipe_that_ends_early_is_no_error(options: str) -> None:
    world = World()
    for number in range(400):
        world.create(f"{'many/' * 40}{number:03}", AddReplicaRegions=[{"Region": PARIS}])
    world.clock.sleep(60)
    with Endpoint(world.model) as endpoint:
        done = run(f"replicated-secret status {options} | head -1", endpoint.url, **KEYS)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_without_credentials_it_says_so() -> None:
    done = run("replicated-secret status", "http://127.0.0.1:9")
    assert "The list of secrets: Unable to locate credentials" in done.stdout
    assert "To fix this, check the name of the Region and the credentials" in done.stdout
    assert done.returncode == 2


@pytest.mark.parametrize("options", ["", "--region eu-west-3"])
def test_a_profile_that_does_not_exist_is_named(options: str) -> None:
    done = run(f"replicated-secret status {options}", "http://127.0.0.1:9", AWS_REGION="", AWS_PROFILE="nope")
    assert "The config profile (nope) could not be found" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize("region", ["us-wst-2", "us west"])
def test_a_region_that_does_not_exist_is_named(region: str) -> None:
    done = run(f"replicated-secret status --region '{region}'", "http://127.0.0.1:9", **KEYS)
    assert f" in {region} on all secrets" in done.stdout
    assert "To fix this, check the name of the Region" in done.stdout
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tag", "team"], "'team': expected KEY=VALUE"),
        (["--tag", "=a"], "expected KEY=VALUE"),
        (["--tag", "team=a", "--tag", "team=b"], "team is given twice: a secret has one value of a tag"),
    ],
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
