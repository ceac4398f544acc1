"""The monitor over the model of Secrets Manager: it finds each kind of problem, and survives what goes wrong."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import replication_monitor.main
from replication_monitor import scan as scanning
from replication_monitor.model import Entry, Kind, Rules, Secret
from replication_monitor.secrets_manager import Boto3Secrets
from secret_replication.errors import SecretNotFoundError, UnavailableError
from secret_replication.model import SecretArn
from tests.helpers.monitor import findings, scan, secrets
from tests.helpers.world import PRIMARY, TAG, World, event

PARIS, VIRGINIA = "eu-west-3", "us-east-1"
K = Kind
HOUR = 3600


def found(world: World, **more: Any) -> dict[tuple[str, str], Kind]:
    return {(finding.secret, finding.region): finding.kind for finding in findings(scan(world, **more))}


def replicated(world: World, name: str, *regions: str) -> str:
    """A secret that another tool replicated, in sync."""
    arn = world.create(name, AddReplicaRegions=[{"Region": region} for region in regions])
    world.clock.sleep(60)
    return arn


def test_a_replicated_secret_is_found_whatever_tool_made_it(world: World) -> None:
    world.succeed(event(regions=(PARIS,)))
    replicated(world, "native", PARIS, VIRGINIA)
    world.create("alone")
    assert found(world) == {
        ("app/database", PARIS): K.IN_SYNC,
        ("native", PARIS): K.IN_SYNC,
        ("native", VIRGINIA): K.IN_SYNC,
    }


def test_a_replica_is_judged_in_its_primarys_region_only(world: World) -> None:
    world.succeed(event(regions=(PARIS,)))
    assert found(world, region=PARIS) == {}


def test_a_replica_that_turns_failed_is_found_with_the_message_of_aws_and_its_owner(world: World) -> None:
    world.succeed(event(regions=(PARIS,)))
    world.model.break_off(PRIMARY, world.arn, PARIS, "Access to KMS key alias/app is not allowed.")
    (finding,) = findings(scan(world))
    assert (finding.kind, finding.region, finding.arn) == (K.FAILED, PARIS, world.arn)
    assert finding.message == "Replication failed: Access to KMS key alias/app is not allowed."
    assert finding.owner == "app Replication"
    assert "kms:GenerateDataKey" in finding.advice


def test_a_replica_may_be_in_progress_for_half_an_hour(world: World) -> None:
    world.model.script.stall(PARIS)
    arn = world.create("slow", AddReplicaRegions=[{"Region": PARIS}])
    assert found(world) == {("slow", PARIS): K.CHANGING}
    world.clock.sleep(29 * 60)
    assert found(world) == {("slow", PARIS): K.CHANGING}
    world.clock.sleep(2 * 60)
    assert found(world) == {("slow", PARIS): K.IN_PROGRESS}
    assert found(world, rules=Rules(minutes=60)) == {("slow", PARIS): K.CHANGING}
    # A replica that is added to an old secret.
    world.model.script.stall(VIRGINIA)
    world.client().replicate_secret_to_regions(SecretId=arn, AddReplicaRegions=[{"Region": VIRGINIA}])
    assert found(world) == {("slow", PARIS): K.IN_PROGRESS, ("slow", VIRGINIA): K.CHANGING}


def test_a_promoted_replica_is_found_and_its_tag_in_its_own_region(world: World) -> None:
    world.succeed(event(regions=(PARIS,)))
    world.client(PARIS).stop_replication_to_replica(SecretId=world.arn.replace(PRIMARY, PARIS))
    assert found(world) == {("app/database", PARIS): K.PROMOTED}
    assert found(world, region=PARIS) == {("app/database", PARIS): K.LEFTOVER}


def test_a_promoted_replica_that_is_about_to_be_deleted_is_said_to_be(world: World) -> None:
    """It may hold the only current value."""
    world.succeed(event(regions=(PARIS,)))
    world.client(PARIS).stop_replication_to_replica(SecretId=world.arn.replace(PRIMARY, PARIS))
    (before,) = findings(scan(world))
    world.client(PARIS).delete_secret(SecretId="app/database")
    (after,) = findings(scan(world))
    assert (before.kind, after.kind) == (K.PROMOTED, K.PROMOTED)
    assert "deletion" not in before.message
    assert after.message.endswith("it was promoted, and is scheduled for deletion")


def test_a_promoted_replica_may_have_replicas_of_its_own(world: World) -> None:
    world.succeed(event(regions=(PARIS,)))
    world.client(PARIS).stop_replication_to_replica(SecretId=world.arn.replace(PRIMARY, PARIS))
    again = [{"Region": VIRGINIA}]
    world.client(PARIS).replicate_secret_to_regions(SecretId="app/database", AddReplicaRegions=again)
    assert found(world) == {("app/database", PARIS): K.PROMOTED}


def test_a_replica_of_another_primary_is_missing(world: World) -> None:
    """After a failover to Paris, which then replicates to Virginia, where the lost Region had a replica before."""
    world.succeed(event(regions=(PARIS, VIRGINIA)))
    for region in (PARIS, VIRGINIA):
        world.client(region).stop_replication_to_replica(SecretId=world.arn.replace(PRIMARY, region))
    world.client(VIRGINIA).delete_secret(SecretId="app/database", ForceDeleteWithoutRecovery=True)
    again = [{"Region": VIRGINIA}]
    world.client(PARIS).replicate_secret_to_regions(SecretId="app/database", AddReplicaRegions=again)
    world.clock.sleep(HOUR)
    in_paris, in_virginia = findings(scan(world))
    assert (in_paris.kind, in_virginia.kind) == (K.PROMOTED, K.MISSING)
    assert in_virginia.message == f"its Region has a replica of the primary in {PARIS}"
    assert "aws" not in in_virginia.advice


def test_a_replica_that_a_person_removed_is_missing_once_its_region_does_not_have_it(world: World) -> None:
    world.succeed(event(regions=(PARIS,)))
    world.clock.sleep(HOUR)
    world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=[PARIS])
    assert found(world) == {("app/database", PARIS): K.CHANGING}
    world.clock.sleep(100)
    (finding,) = findings(scan(world))
    assert finding.kind is K.MISSING
    command = f"replicate-secret-to-regions --region us-west-2 --secret-id {world.arn} --add-replica-regions Region="
    assert f"{command}{PARIS} (with ,KmsKeyId=KEY if it had a customer key); or" in finding.advice


def test_listed_replicas_are_verified_in_their_regions_only_with_verify(world: World) -> None:
    replicated(world, "native", PARIS)
    found_there = world.model.find(PARIS, "native")
    assert found_there
    world.model._store.drop(found_there)
    assert found(world) == {("native", PARIS): K.IN_SYNC}
    assert found(world, rules=Rules(verify=True)) == {("native", PARIS): K.MISSING}


def test_the_secrets_are_filtered_by_prefix_and_by_tags(world: World) -> None:
    for name, team in (("app/one", "a"), ("app/two", "b"), ("web/one", "a")):
        arn = replicated(world, name, PARIS)
        tags = [{"Key": "team", "Value": team}, {"Key": "stage", "Value": "live"}]
        world.client().tag_resource(SecretId=arn, Tags=tags)
    assert {name for name, _ in found(world, name_prefix="app/")} == {"app/one", "app/two"}
    assert {name for name, _ in found(world, tags={"team": "a"})} == {"app/one", "web/one"}
    assert {name for name, _ in found(world, tags={"stage": "live", "team": "b"})} == {"app/two"}
    filters = [call.parameters.get("Filters") for call in world.model.journal if call.operation == "ListSecrets"]
    assert filters[0] == [{"Key": "name", "Values": ["app/"]}]
    assert filters[1] == [{"Key": "tag-key", "Values": ["team"]}]


def test_aws_filters_by_what_its_filters_accept(world: World) -> None:
    """The key of a tag may have letters of any language."""
    arn = replicated(world, "app/one", PARIS)
    replicated(world, "app/two", PARIS)
    world.client().tag_resource(SecretId=arn, Tags=[{"Key": "équipe", "Value": "a"}])
    assert {name for name, _ in found(world, tags={"équipe": "a"})} == {"app/one"}
    (listed,) = [call.parameters for call in world.model.journal if call.operation == "ListSecrets"]
    assert listed["Filters"] == []


@pytest.fixture
def many() -> World:
    """250 secrets on three pages, of which the last is Failed."""
    world = World()
    for number in range(250):
        world.create(f"many/{number:03}", AddReplicaRegions=[{"Region": PARIS}])
    world.clock.sleep(60)
    world.model.break_off(PRIMARY, "many/249", PARIS, "network error")
    return world


def test_every_page_is_read(many: World) -> None:
    run = scan(many)
    kinds = [finding.kind for finding in findings(run)]
    assert (kinds.count(K.IN_SYNC), kinds.count(K.FAILED), len(kinds), run.checked) == (249, 1, 250, 250)


def test_a_page_that_fails_ends_the_list_and_what_was_listed_is_judged(many: World) -> None:
    lists = 0
    real = many.client().list_secrets

    def list_secrets(**parameters: Any) -> Any:
        nonlocal lists
        lists += 1
        if lists == 3:
            many.model.script.error("InternalServiceError", operation="ListSecrets", status=500)
        return real(**parameters)

    many.client().list_secrets = list_secrets
    run = scan(many)
    told = findings(run)
    assert run.checked == 199  # One of the 200 has no replicas.
    assert [finding.kind for finding in told[:199]] == [K.IN_SYNC] * 199
    (unchecked,) = told[199:]
    assert (unchecked.kind, unchecked.arn) == (K.UNCHECKED, "")
    assert "InternalServiceError" in unchecked.message
    assert "allow" not in unchecked.advice
    assert "The remaining secrets were not checked" in unchecked.message


def test_the_secrets_that_time_does_not_suffice_for_are_reported_as_unchecked(many: World) -> None:
    left = iter(range(120))
    run = scan(many, has_time=lambda: next(left, None) is not None)
    told = findings(run)
    assert 100 < run.checked <= 120
    assert [finding.kind for finding in told].count(K.UNCHECKED) == 1
    assert "time ran out before" in told[-1].message
    assert "memory" in told[-1].advice


def test_a_scan_that_is_abandoned_reads_no_more_secrets(many: World) -> None:
    run: Any = scan(many).run()
    next(run)
    run.close()
    reads = [call for call in many.model.journal if call.operation == "DescribeSecret"]
    assert len(reads) < 4 * scanning.THREADS


def test_a_secret_that_may_not_be_read_does_not_keep_the_others_from_being_judged(world: World) -> None:
    for name in ("a", "b", "c"):
        replicated(world, name, PARIS)
    world.model.script.error("AccessDeniedException", "not authorized", operation="DescribeSecret", name="b")
    told = {finding.secret: finding for finding in findings(scan(world))}
    assert {name: finding.kind for name, finding in told.items()} == {
        "a": K.IN_SYNC,
        "b": K.UNCHECKED,
        "c": K.IN_SYNC,
    }
    assert "not authorized" in told["b"].message
    assert "secretsmanager:DescribeSecret" in told["b"].advice


def test_a_secret_that_is_deleted_after_it_was_listed_is_no_problem(world: World) -> None:
    for name in ("a", "b"):
        replicated(world, name, PARIS)
    world.model.script.error("ResourceNotFoundException", operation="DescribeSecret", region=PRIMARY, name="a")
    run = scan(world)
    assert {(finding.secret, finding.kind) for finding in findings(run)} == {("a", K.DELETED), ("b", K.IN_SYNC)}
    assert run.checked == 1


def test_a_region_that_does_not_respond_is_given_up_and_the_others_are_judged(world: World) -> None:
    for number in range(60):
        world.create(f"app/{number}", AddReplicaRegions=[{"Region": PARIS}, {"Region": VIRGINIA}])
    world.clock.sleep(60)
    world.model.script.lose_response(operation="DescribeSecret", region=PARIS, times=None)
    told = findings(scan(world, rules=Rules(verify=True)))
    kinds = [(finding.region, finding.kind) for finding in told]
    assert kinds.count((VIRGINIA, K.IN_SYNC)) == kinds.count((PARIS, K.IN_SYNC)) == 60
    assert kinds.count((PARIS, K.UNCHECKED)) == 60
    asked = [call for call in world.model.journal if (call.region, call.operation) == (PARIS, "DescribeSecret")]
    assert len(asked) < 3 + scanning.THREADS


def test_a_region_that_fails_now_and_then_is_not_given_up(world: World) -> None:
    """Failures between which others respond, more of them than a silent Region is allowed."""
    for number in range(100):
        world.create(f"app/{number:02}", AddReplicaRegions=[{"Region": PARIS}])
    world.clock.sleep(60)
    for number in range(0, 100, 20):
        name = f"app/{number:02}"
        world.model.script.error(
            "InternalServiceError", operation="DescribeSecret", region=PARIS, name=name, status=500
        )
    told = findings(scan(world, rules=Rules(verify=True)))
    assert [finding.kind for finding in told].count(K.UNCHECKED) == 5


def test_a_region_that_was_disabled_is_said_not_to_be_checked(world: World) -> None:
    world.succeed(event(regions=(PARIS, VIRGINIA)))
    message = "The security token included in the request is invalid."
    world.model.script.error("UnrecognizedClientException", message, region=PARIS, operation="DescribeSecret")
    told = findings(scan(world, rules=Rules(verify=True)))
    assert [(finding.region, finding.kind) for finding in told] == [
        (PARIS, K.IN_SYNC),
        (VIRGINIA, K.IN_SYNC),
        (PARIS, K.UNCHECKED),
    ]
    assert message in told[-1].message
    assert "the Region is enabled" in told[-1].advice


def test_the_list_may_be_forbidden(world: World) -> None:
    world.model.script.error("AccessDeniedException", "not authorized", operation="ListSecrets")
    (finding,) = findings(scan(world))
    assert finding.kind is K.UNCHECKED
    assert "secretsmanager:ListSecrets" in finding.advice


def test_a_secret_that_lost_its_replicas_after_it_was_listed_does_not_count(world: World) -> None:
    world.create("app/tagged", Tags=[{"Key": f"{TAG}{PARIS}", "Value": "created us-west-2 1b2f6d3a Database"}])

    def untag() -> bool:
        world.client().untag_resource(SecretId="app/tagged", TagKeys=[f"{TAG}{PARIS}"])
        return True

    run = scan(world, has_time=untag)
    assert (findings(run), run.checked) == ([], 0)


def test_a_secret_is_read_with_the_date_of_its_last_change_and_whether_it_is_deleted(world: World) -> None:
    aws, arn = secrets(world), SecretArn.parse(world.arn)
    assert arn
    before = aws.read(arn)
    world.clock.sleep(HOUR)
    world.client().put_secret_value(SecretId=world.arn, SecretString="other")
    world.client().delete_secret(SecretId=world.arn)
    after = aws.read(arn)
    assert (before.name, before.deleted, after.deleted) == ("app/database", False, True)
    assert after.changed - before.changed == HOUR


def test_a_response_that_was_cut_short_is_not_a_secret(world: World) -> None:
    arn = SecretArn.parse(world.arn)
    assert arn
    aws = Boto3Secrets(PRIMARY, lambda *_: SimpleNamespace(describe_secret=lambda **_: {}))
    with pytest.raises(UnavailableError, match="has no ARN"):
        aws.read(arn)


def test_a_page_that_was_cut_short_is_not_the_end_of_the_list(many: World) -> None:
    real = many.client().list_secrets
    many.client().list_secrets = lambda **parameters: {} if "NextToken" in parameters else real(**parameters)
    run = scan(many)
    told = findings(run)
    assert run.checked == 99  # One of the 100 has no replicas.
    assert "the response has no SecretList (list_secrets in us-west-2 on all secrets)" in told[-1].message


class Endless:
    """A Region with very many secrets."""

    def __init__(self, secrets: int) -> None:
        self._secrets = secrets

    def pages(self, name_prefix: str, tag_key: str) -> Iterator[Sequence[Entry]]:
        for number in range(0, self._secrets, 100):
            yield [self._entry(n) for n in range(number, number + 100)]

    def _entry(self, number: int) -> Entry:
        return Entry(SecretArn("aws", PRIMARY, "111122223333", f"{number}-AbCdEf"), PRIMARY)

    def read(self, arn: SecretArn) -> Secret:
        raise SecretNotFoundError(str(arn))


def test_the_memory_of_a_scan_does_not_grow_with_the_number_of_secrets() -> None:
    aws, listed, most = Endless(3000), 0, 0

    def has_time() -> bool:
        nonlocal listed
        listed += 1
        return True

    run = scanning.Scan(aws, PRIMARY, Rules(), lambda: 0.0, has_time=has_time)
    for done, _ in enumerate(run.run(), 1):
        most = max(most, listed - done)
    assert listed == 3000
    assert most <= 5 * scanning.THREADS


def test_the_function_writes_a_line_for_each_problem_and_every_metric(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.succeed(event(regions=(PARIS, VIRGINIA)))
    world.model.break_off(PRIMARY, world.arn, PARIS, "network error")
    monkeypatch.setattr(replication_monitor.main, "_scan", lambda *_: scan(world))
    numbers = replication_monitor.main.handler({}, SimpleNamespace(function_name="monitor"))
    assert numbers == {
        "SecretsChecked": 1,
        "ReplicasInSync": 1,
        "ReplicasFailed": 1,
        "ReplicasInProgress": 0,
        "ReplicasMissing": 0,
        "ReplicasPromoted": 0,
        "CheckFailed": 0,
    }
    lines = [ast.literal_eval(line.replace("true", "True")) for line in capsys.readouterr().out.splitlines()]
    (problem,) = [line for line in lines if line.get("level") == "WARNING"]
    assert {key: problem[key] for key in ("kind", "secret", "region", "status", "owner")} == {
        "kind": "ReplicasFailed",
        "secret": world.arn,
        "region": PARIS,
        "status": "Failed",
        "owner": "app Replication",
    }
    assert problem["message"] == f"app/database in {PARIS}: Failed: Replication failed: network error"
    assert problem["advice"]
    (metrics,) = [line for line in lines if "_aws" in line]
    assert metrics["service"] == "monitor"
    assert {name: metrics[name] for name in numbers} == {name: [float(value)] for name, value in numbers.items()}


def test_an_alarm_does_not_end_because_the_secrets_could_not_be_listed(
    many: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Zeros would end it."""
    many.model.break_off(PRIMARY, "many/000", PARIS, "network error")
    left = iter(range(120))
    run = scan(many, has_time=lambda: next(left, None) is not None)
    monkeypatch.setattr(replication_monitor.main, "_scan", lambda *_: run)
    numbers = replication_monitor.main.handler({}, SimpleNamespace(function_name="monitor"))
    (metrics,) = [line for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    written = {name for name in numbers if f'"{name}":[' in metrics}
    assert written == {"SecretsChecked", "ReplicasInSync", "ReplicasFailed", "CheckFailed"}


@pytest.mark.parametrize("tags", ["team=a", '["team"]', '{"team": 1}'])
def test_tags_in_another_form_are_explained(tags: str) -> None:
    settings = {"AWS_REGION": PRIMARY, "TAGS": tags}
    with pytest.raises(ValueError, match=r'TAGS is .*: expected JSON such as {"team": "orders"}'):
        replication_monitor.main._scan(settings, SimpleNamespace())


def test_the_environment_says_what_to_check(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "AWS_REGION": PRIMARY,
        "NAME_PREFIX": "app/",
        "TAGS": '{"team": "a"}',
        "IN_PROGRESS_MINUTES": "5",
        "VERIFY": "true",
    }
    made = replication_monitor.main._scan(settings, SimpleNamespace(get_remaining_time_in_millis=lambda: 60_001))
    assert (made._name_prefix, made._tags, made._rules) == ("app/", {"team": "a"}, Rules(5, verify=True))
    assert made._has_time()
    late = replication_monitor.main._scan(settings, SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000))
    assert not late._has_time()
    default = replication_monitor.main._scan({"AWS_REGION": PRIMARY}, SimpleNamespace())
    assert (default._name_prefix, default._tags, default._rules) == ("", {}, Rules(30))


def test_the_custom_resource_does_not_load_the_monitor() -> None:
    handler = Path(replication_monitor.main.__file__).parents[1] / "secret_replication"
    assert [path for path in handler.glob("*.py") if "replication_monitor" in path.read_text()] == []
