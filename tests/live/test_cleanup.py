"""Whatever happens to a run, a clean-up leaves nothing of it, and touches nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from live.account import PREFIX, TAG, Account
from live.cleanup import Cleanup
from live.finding import State
from live.probe import PROBES
from live.run import run
from local.secrets_manager import Dialect, SecretsManager
from local.secrets_manager import dialect as d
from tests.helpers.account import ACCOUNT, REPLICAS, Cloud, CloudFormation
from tests.helpers.world import PRIMARY, Crash

REGIONS = (PRIMARY, *REPLICAS)
STRANGE = Dialect(
    after_stop=d.AfterStop.IN_SYNC,
    promoted_removed=d.PromotedRemoved.DELETED,
    deleted_there=d.DeletedThere.FORCE_TAKES_IT,
    while_removing=d.WhileRemoving.WAITS,
    bad_region=d.BadRegion.FAILED,
    imported=d.Imported.REMOVED,
)


def clean(cloud: Cloud, run_id: str = "") -> list[str]:
    cloud.before = lambda _: None
    return Cleanup(cloud.account("cleaner"), REGIONS, run_id).run()


@pytest.mark.parametrize("dialect", [Dialect(), STRANGE], ids=["default", "strange"])
@pytest.mark.parametrize("row", PROBES)
def test_nothing_is_left_after_a_crash_at_any_call(row: str, dialect: Dialect) -> None:
    """Before each call: after one is before the next."""
    crashed, number = True, 0
    while crashed:
        number += 1
        cloud = Cloud(dialect)

        def crash(count: int, last: int = number) -> None:
            if count == last:
                raise Crash

        cloud.before = crash
        try:
            run(cloud.account(), {row: PROBES[row]})
            crashed = False
        except Crash:
            pass
        assert clean(cloud) == []
        assert cloud.left() == [], f"after a crash before call {number}"
    assert number > 1


@pytest.mark.parametrize("dialect", [Dialect(), STRANGE], ids=["default", "strange"])
def test_nothing_that_the_probes_made_is_left_and_everything_else_stays(dialect: Dialect) -> None:
    cloud = Cloud(dialect)
    foreign = make_foreign(cloud.model)
    before = {arn: cloud.model.describe(region, arn) for region, arn in foreign}
    run(cloud.account(), PROBES)
    assert clean(cloud, "another run") == []
    assert len(cloud.left()) > len(foreign), "another run's clean-up touches none of it"
    assert clean(cloud, "run") == []
    assert len(cloud.left()) == len(foreign)
    assert {arn: cloud.model.describe(region, arn) for region, arn in foreign} == before


def make_foreign(model: SecretsManager) -> list[tuple[str, str]]:
    """Secrets with a replica, and with names and tags like those of a run."""
    made = []
    for name, tag in (("app/database", "team"), ("cdk-replicated-secret-live/mine", f"{TAG}-not")):
        given = {"Name": name, "SecretString": "foreign", "Tags": [{"Key": tag, "Value": "run"}]}
        arn = model.call(PRIMARY, "CreateSecret", given)["ARN"]
        add = {"SecretId": arn, "AddReplicaRegions": [{"Region": REPLICAS[0]}]}
        model.call(PRIMARY, "ReplicateSecretToRegions", add)
        made += [(PRIMARY, arn), (REPLICAS[0], arn.replace(PRIMARY, REPLICAS[0]))]
    model.clock.sleep(60)
    return made


def test_every_write_is_to_a_secret_with_the_tag_and_every_value_read_is_its_own() -> None:
    cloud = Cloud()
    make_foreign(cloud.model)
    del cloud.model.journal[:]
    assert {result.finding.state for result in run(cloud.account(), PROBES)} <= {State.SETTLED, State.MOOT}
    clean(cloud)
    reads = {"DescribeSecret", "ListSecrets", "GetSecretValue"}
    ours = ("cdk-replicated-secret-live/run/", "rds!cluster-")
    for call in cloud.model.journal:
        name = str(call.parameters.get("SecretId") or call.parameters.get("Name")).rpartition(":secret:")[2]
        assert call.operation == "ListSecrets" or name.startswith(ours), call
        assert call.operation in reads or call.outcome != "AccessDeniedException"
    assert [call for call in cloud.model.journal if call.operation == "GetSecretValue"]


@pytest.mark.parametrize("number", range(1, 60, 7))
def test_a_clean_up_that_is_interrupted_is_completed_by_the_next(number: int) -> None:
    cloud = Cloud(STRANGE)
    run(cloud.account(), PROBES)
    started = next(cloud.count)

    def interrupt(count: int) -> None:
        if count == started + number:
            raise KeyboardInterrupt

    cloud.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        Cleanup(cloud.account("cleaner"), REGIONS).run()
    assert clean(cloud) == []
    assert cloud.left() == []


def test_a_replica_that_was_stranded_is_promoted_and_deleted() -> None:
    cloud = Cloud()
    (result,) = run(cloud.account(), {"F11": PROBES["F11"]})
    assert result.finding.state is State.SETTLED
    (primary,) = cloud.model.secrets(PRIMARY)
    cloud.model._store.drop(primary)
    assert clean(cloud) == []
    assert cloud.left() == []


def test_what_cannot_be_removed_is_said() -> None:
    cloud = Cloud()
    run(cloud.account(), {"F10": PROBES["F10"]})
    cloud.model.script.error("AccessDeniedException", "no", operation="DeleteSecret", times=None)
    left = clean(cloud)
    assert any("secret cdk-replicated-secret-live/run/f10-1" in line for line in left)
    assert any("delete_secret: AccessDeniedException: no" in line for line in left)


def test_a_log_group_with_the_tag_is_deleted_and_another_is_not() -> None:
    cloud = Cloud()
    names = (f"{PREFIX}-run-App-ReplicatedSecretProviderLogs1", f"{PREFIX}-theirs")
    cloud.log_groups = {names[0]: {TAG: "run"}, names[1]: {"team": "run"}, "another": {TAG: "run"}}
    assert clean(cloud) == []
    assert list(cloud.log_groups) == [names[1], "another"]


def test_what_has_another_tag_or_none_stays_whatever_its_name() -> None:
    cloud, name = Cloud(), f"{PREFIX}-theirs"
    other = [{"Key": f"{TAG}-not", "Value": "run"}]
    arn = f"arn:aws:kms:{PRIMARY}:{ACCOUNT}:key/theirs"
    cloud.keys[arn] = {"KeyState": "Enabled", "Arn": arn, "Tags": [{"TagKey": TAG.upper(), "TagValue": "run"}]}
    cloud.roles[name] = {"RoleName": name, "Tags": [], "policies": {"theirs"}}
    cloud.stacks[name] = {"StackName": name, "StackStatus": "CREATE_COMPLETE", "Tags": other, "Region": PRIMARY}
    cloud.clusters[name] = {"DBClusterIdentifier": name, "TagList": other, "Region": PRIMARY}
    cloud.log_groups[name] = {}
    assert clean(cloud) == []
    assert cloud.left() == [arn, name, name, name, name]
    assert cloud.roles[name]["policies"] == {"theirs"}


def test_a_role_stays_until_the_stacks_are_gone_that_may_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud()
    run(cloud.account(), {row: PROBES[row] for row in ("U15", "F34")})
    delete, roles = CloudFormation.delete_stack, []

    def fail_at_first(service: CloudFormation, **parameters: Any) -> Any:
        roles.append(list(cloud.roles))
        cloud.stacks[parameters["StackName"]]["StackStatus"] = "DELETE_FAILED"
        if len(roles) > 2:
            delete(service, **parameters)

    monkeypatch.setattr(CloudFormation, "delete_stack", fail_at_first)
    assert clean(cloud) == []
    assert [len(there) for there in roles] == [1, 1, 1]
    assert cloud.left() == []


def test_a_region_that_cannot_be_reached_does_not_keep_the_others() -> None:
    cloud = Cloud()
    run(cloud.account(), {"F10": PROBES["F10"]})
    connect = cloud.connect

    def broken(service: str, region: str, credentials: Any = None) -> Any:
        if service == "rds":
            raise EndpointConnectionError(endpoint_url="https://rds.example")
        return connect(service, region, credentials)

    left = Cleanup(Account(broken, cloud.clock, "cleaner", PRIMARY, REPLICAS), REGIONS).run()
    assert (
        left
        == [
            'rds describe_db_clusters: EndpointConnectionError: Could not connect to the endpoint URL: "https://rds.example"'
        ]
        * 3
    )
    assert cloud.left() == []


class ListsNothingYet(Cloud):
    """AWS may not list what is new."""

    def connect(self, service: str, region: str, credentials: Any = None) -> Any:
        if service == "resourcegroupstaggingapi":
            return SimpleNamespace(get_resources=lambda **_: {"ResourceTagMappingList": []})
        return super().connect(service, region, credentials)

    def secrets_manager(self, region: str) -> Any:
        client = super().secrets_manager(region)
        client.list_secrets = lambda **_: {"SecretList": []}
        return client


def test_a_run_cleans_up_what_is_not_listed_yet() -> None:
    cloud = ListsNothingYet(STRANGE)
    account = cloud.account()
    run(account, {row: PROBES[row] for row in PROBES if row != "U8"})
    assert Cleanup(account, REGIONS, account.run).run() == []
    assert cloud.left() == []
