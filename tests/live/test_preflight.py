"""Before anything is made: what is said, and what is rejected."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from live import preflight
from live.account import PREFIX, Account
from live.preflight import PreflightError
from live.probe import PROBES
from live.run import run
from local.secrets_manager import plausible_dialects
from tests.helpers import account as helper
from tests.helpers.account import ACCOUNT, REPLICAS, Cloud
from tests.helpers.world import PRIMARY

ME = f"arn:aws:iam::{ACCOUNT}:user/me"
ENABLED = ["ap-south-1", "eu-west-3", "us-east-1", "us-west-2"]


def test_the_plan_says_who_and_where_and_how_much() -> None:
    lines = preflight.plan(Cloud().account(), acceptance=False).lines
    assert lines[0] == f"Account {ACCOUNT}, as arn:aws:iam::{ACCOUNT}:user/admin"
    assert lines[1] == "Primaries in us-west-2, replicas in eu-west-3 and us-east-1"
    assert lines[4] == f"Costs at most {preflight.cost(acceptance=False):.2f} USD, takes about 15 minutes"
    lines = preflight.plan(Cloud().account(), acceptance=True).lines
    assert lines[4] == "Then deploys the stacks of the end-to-end tests, and destroys them"
    assert lines[5] == f"Costs at most {preflight.cost(acceptance=True):.2f} USD, takes about 60 minutes"
    assert 0.05 < preflight.cost(acceptance=False) < preflight.cost(acceptance=True) < 0.5


def test_no_run_makes_more_than_it_says() -> None:
    most = {"secrets": 0, "keys": 0, "calls": 0, "seconds": 0.0}
    for dialect in plausible_dialects():
        cloud = Cloud(dialect)
        results = run(cloud.account(), PROBES)
        secrets = sum(1 for region in (PRIMARY, *REPLICAS) for _ in cloud.model.secrets(region))
        slowest = max(result.seconds for result in results)
        made = {"secrets": secrets, "keys": len(cloud.keys), "calls": next(cloud.count), "seconds": slowest}
        most = {name: max(most[name], number) for name, number in made.items()}
        assert (len(cloud.roles), len(cloud.stacks), len(cloud.clusters)) == (4, 3, 1)
    assert preflight.SECRETS / 2 < most["secrets"] <= preflight.SECRETS
    assert preflight.KEYS / 2 < most["keys"] <= preflight.KEYS
    # The clean-up's included.
    assert preflight.CALLS / 4 < most["calls"] <= preflight.CALLS / 2
    assert most["seconds"] <= preflight.MINUTES * 60 / 2


@pytest.mark.parametrize("region", [PRIMARY, *REPLICAS])
def test_an_account_that_has_secrets_with_the_prefix_is_rejected(region: str) -> None:
    cloud = Cloud()
    cloud.model.call(region, "CreateSecret", {"Name": f"{PREFIX}/old", "SecretString": "x"})
    cloud.model.call(region, "DeleteSecret", {"SecretId": f"{PREFIX}/old"})
    with pytest.raises(PreflightError, match=f"^{region} already has the secret {PREFIX}/old"):
        preflight.plan(cloud.account(), acceptance=True)


def test_an_account_whose_secrets_cannot_be_listed_is_rejected() -> None:
    cloud = Cloud()
    cloud.model.script.error("AccessDeniedException", "no", operation="ListSecrets")
    with pytest.raises(PreflightError, match="us-west-2 are not known: AccessDeniedException: no"):
        preflight.plan(cloud.account(), acceptance=True)


@pytest.mark.parametrize(
    ("service", "operation"),
    [("Iam", "list_roles"), ("Rds", "describe_db_clusters"), ("Logs", "describe_log_groups")],
)
def test_a_role_that_may_not_list_what_a_run_makes_is_rejected_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch, service: str, operation: str
) -> None:
    def deny(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": f"User: {ME} is not authorized"}}, operation)

    monkeypatch.setattr(getattr(helper, service), operation, deny)
    cloud = Cloud()
    with pytest.raises(PreflightError) as raised:
        preflight.plan(cloud.account(), acceptance=True)
    said = f"{service.lower()} {operation}: AccessDenied: User: <iam ARN> is not authorized"
    assert str(raised.value) == f"the clean-up could not find what a run makes: {said}"
    assert cloud.left() == []


def test_a_secret_of_the_prefix_on_the_second_page_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = iter([{"SecretList": [], "NextToken": "next"}, {"SecretList": [{"Name": f"{PREFIX}/old"}]}])
    cloud = Cloud()
    monkeypatch.setattr(cloud, "secrets_manager", lambda _: SimpleNamespace(list_secrets=lambda **_: next(pages)))
    with pytest.raises(PreflightError, match=f"us-west-2 already has the secret {PREFIX}/old"):
        preflight.plan(cloud.account(), acceptance=True)


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AuthFailure", "Message": f"not able to validate {ME}"}}, "DescribeRegions"),
        ClientError({"Error": {"Code": "RequestExpired", "Message": "Request has expired."}}, "DescribeRegions"),
        EndpointConnectionError(endpoint_url="https://ec2.us-wset-2.amazonaws.com/"),
        NoCredentialsError(),
    ],
    ids=["disabled Region", "expired", "misspelt Region", "no credentials"],
)
def test_credentials_and_regions_that_do_not_work_are_said_to_be_suspect(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(helper.Ec2, "describe_regions", fail)
    with pytest.raises(PreflightError) as raised:
        preflight.regions(Cloud().account())
    assert str(raised.value).endswith("(are the credentials valid, and is us-west-2 an enabled Region?)")
    assert ACCOUNT not in str(raised.value)


def test_a_home_that_is_not_enabled_is_rejected() -> None:
    cloud = Cloud()
    account = Account(cloud.connect, cloud.clock, "run", helper.DISABLED, REPLICAS)
    with pytest.raises(
        PreflightError, match="AWS_REGION is 'eu-south-2': expected an enabled Region, such as eu-west-3"
    ):
        preflight.regions(account)


def test_only_enabled_regions_are_searched() -> None:
    assert preflight.regions(Cloud().account()) == sorted([PRIMARY, *REPLICAS])


@pytest.mark.parametrize(
    ("home", "given", "chosen"),
    [
        ("us-west-2", "", ("eu-west-3", "us-east-1")),
        ("us-east-1", "", ("eu-west-3", "ap-south-1")),
        ("us-west-2", "ap-south-1, us-east-1", ("ap-south-1", "us-east-1")),
    ],
)
def test_two_regions_are_chosen(home: str, given: str, chosen: tuple[str, str]) -> None:
    assert preflight.replicas(ENABLED, home, given) == chosen


@pytest.mark.parametrize(
    "given", ["eu-west-3", "eu-west-3,eu-west-3", "eu-west-3,us-west-2", "eu-west-3,xx-1", "a,b,c"]
)
def test_regions_that_cannot_be_used_are_rejected(given: str) -> None:
    with pytest.raises(
        PreflightError, match="expected two enabled Regions other than us-west-2, such as eu-west-3,us-east-1"
    ):
        preflight.replicas(ENABLED, "us-west-2", given)


def test_an_account_with_two_regions_is_rejected() -> None:
    with pytest.raises(PreflightError, match="three are needed"):
        preflight.replicas(["us-west-2", "us-east-1"], "us-west-2", "")
