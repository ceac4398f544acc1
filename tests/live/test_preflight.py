"""Before anything is made: what is said, and what is refused."""

from __future__ import annotations

import pytest

from live import preflight
from live.account import PREFIX
from live.preflight import RefusedError
from live.probe import PROBES
from live.run import run
from local.secrets_manager import plausible_dialects
from tests.helpers.account import ACCOUNT, REPLICAS, Cloud
from tests.helpers.world import PRIMARY

ENABLED = ["ap-south-1", "eu-west-3", "us-east-1", "us-west-2"]


def test_the_plan_says_who_and_where_and_how_much() -> None:
    lines = preflight.plan(Cloud().account()).lines
    assert lines[0] == f"Account {ACCOUNT}, as arn:aws:iam::{ACCOUNT}:user/admin"
    assert lines[1] == "Primaries in us-west-2, replicas in eu-west-3 and us-east-1"
    assert f"{preflight.cost():.2f} USD" in lines[4]
    assert 0.05 < preflight.cost() < 0.5


def test_no_run_makes_more_than_it_says() -> None:
    most = {"secrets": 0, "keys": 0, "calls": 0, "seconds": 0.0}
    for dialect in plausible_dialects():
        cloud = Cloud(dialect)
        results = run(cloud.account(), PROBES)
        secrets = sum(1 for region in (PRIMARY, *REPLICAS) for _ in cloud.model.secrets(region))
        slowest = max(result.seconds for result in results)
        made = {"secrets": secrets, "keys": len(cloud.keys), "calls": next(cloud.count), "seconds": slowest}
        most = {name: max(most[name], number) for name, number in made.items()}
        assert (len(cloud.roles), len(cloud.stacks), len(cloud.clusters)) == (4, 2, 1)
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
    with pytest.raises(RefusedError, match=f"^{region} already has the secret {PREFIX}/old"):
        preflight.plan(cloud.account())


def test_an_account_whose_secrets_cannot_be_listed_is_rejected() -> None:
    cloud = Cloud()
    cloud.model.script.error("AccessDeniedException", "no", operation="ListSecrets")
    with pytest.raises(RefusedError, match="us-west-2 could not be listed: AccessDeniedException: no"):
        preflight.plan(cloud.account())


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
        RefusedError, match="expected two enabled Regions other than us-west-2, such as eu-west-3,us-east-1"
    ):
        preflight.replicas(ENABLED, "us-west-2", given)


def test_an_account_with_two_regions_is_rejected() -> None:
    with pytest.raises(RefusedError, match="three are needed"):
        preflight.replicas(["us-west-2", "us-east-1"], "us-west-2", "")
