"""Before anything is made: where the run happens, what it makes, and what that costs at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError

from .account import PREFIX, Account, Call
from .cleanup import Cleanup
from .redact import redact

# What all probes make at most; tests/live/test_preflight.py counts.
SECRETS, KEYS, CALLS, MINUTES = 140, 8, 3_000, 15
# And the end-to-end tests.
ACCEPTANCE_SECRETS, ACCEPTANCE_KEYS, ACCEPTANCE_MINUTES = 60, 10, 45
# However long it lasts, it is billed for these.
_HOURS = 2
_HOURS_OF_A_MONTH = 730
# USD, from AWS's price lists of 2026; a cluster without an instance costs less than a cent.
_SECRET_MONTH, _KEY_MONTH, _CALL, _CLUSTER = 0.40, 1.00, 0.05 / 10_000, 0.01
PREFERRED = ("eu-west-3", "us-east-1")


class PreflightError(Exception):
    """The run cannot start; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is about to do."""

    caller: str
    account_id: str
    home: str
    replicas: tuple[str, str]
    acceptance: bool

    @property
    def lines(self) -> list[str]:
        """For the user, who decides."""
        tests = ["Then deploys the stacks of the end-to-end tests, and destroys them"] if self.acceptance else []
        minutes = MINUTES + ACCEPTANCE_MINUTES * self.acceptance
        return [
            f"Account {self.account_id}, as {self.caller}",
            f"Primaries in {self.home}, replicas in {' and '.join(self.replicas)}",
            f"Makes at most {SECRETS} secrets and replicas named {PREFIX}/..., and {KEYS} KMS keys",
            "Makes 4 roles, 3 stacks and a database cluster without an instance",
            *tests,
            f"Costs at most {cost(acceptance=self.acceptance):.2f} USD, takes about {minutes} minutes",
            "Removes everything at the end; AWS deletes the keys after 7 days or more, which costs nothing",
        ]


def cost(*, acceptance: bool) -> float:
    """USD for what all probes make, and the end-to-end tests."""
    secrets, keys = SECRETS + ACCEPTANCE_SECRETS * acceptance, KEYS + ACCEPTANCE_KEYS * acceptance
    monthly = secrets * _SECRET_MONTH + keys * _KEY_MONTH
    return monthly * _HOURS / _HOURS_OF_A_MONTH + CALLS * _CALL + _CLUSTER


def regions(account: Account) -> list[str]:
    """The Regions that are enabled.

    Raises:
        PreflightError: If they cannot be listed, or the primaries' Region is not one of them.
    """
    hint = f"are the credentials valid, and is {account.home} an enabled Region?"
    try:
        reply = account.call([], "ec2", "describe_regions")
    except BotoCoreError as error:
        raise PreflightError(f"the account's Regions are not known: {error} ({hint})") from error
    if reply.code:
        raise PreflightError(f"the account's Regions could not be listed: {redact(reply.words)} ({hint})")
    enabled = sorted(region["RegionName"] for region in reply.response["Regions"])
    if account.home not in enabled:
        raise PreflightError(f"AWS_REGION is {account.home!r}: expected an enabled Region, such as {enabled[0]}")
    return enabled


def replicas(enabled: Sequence[str], home: str, given: str) -> tuple[str, str]:
    """Two Regions for replicas.

    Args:
        enabled: the account's.
        home: the primaries'.
        given: the user's choice, for example ``eu-west-3,us-east-1``; empty for any two.

    Raises:
        PreflightError: If there are no two such Regions.
    """
    if given:
        chosen = [region.strip() for region in given.split(",")]
        wrong = [region for region in chosen if region not in enabled or region == home]
        if wrong or len(set(chosen)) != len(chosen) or len(chosen) != len(PREFERRED):
            raise PreflightError(
                f"REPLICAS is {given!r}: expected two enabled Regions other than {home}, such as "
                f"{','.join(replicas(enabled, home, ''))}"
            )
    else:
        others = [region for region in (*PREFERRED, *enabled) if region in enabled and region != home]
        chosen = list(dict.fromkeys(others))[:2]
        if len(chosen) < len(PREFERRED):
            raise PreflightError(
                f"the account has {len(chosen) + 1} enabled Regions, but three are needed: enable more"
            )
    return chosen[0], chosen[1]


def plan(account: Account, *, acceptance: bool) -> Plan:
    """What the run is about to do.

    Args:
        account: where.
        acceptance: whether the end-to-end tests run too.

    Raises:
        PreflightError: If the account already has secrets with the prefix, or they cannot be listed.
    """
    calls: list[Call] = []
    caller = account.call(calls, "sts", "get_caller_identity")
    if caller.code:
        raise PreflightError(f"the credentials do not work: {redact(caller.words)}")
    for region in account.regions:
        if found := _named(account, region):
            raise PreflightError(
                f"{region} already has the secret {found[0]}, from an earlier run or from someone else: run "
                "`make live CLEAN=1`, which removes what earlier runs left behind, or delete it yourself"
            )
    # Nothing is the new run's yet: the clean-up only lists.
    if problems := Cleanup(account, account.regions, account.run).run():
        raise PreflightError(f"the clean-up could not find what a run makes: {redact(problems[0])}")
    return Plan(caller.response["Arn"], caller.response["Account"], account.home, account.replicas, acceptance)


def _named(account: Account, region: str) -> list[str]:
    """The secrets of the prefix, also those that are scheduled for deletion."""
    found: list[str] = []
    asked: dict[str, Any] = {"Filters": [{"Key": "name", "Values": [PREFIX]}], "IncludePlannedDeletion": True}
    while True:
        reply = account.call([], "secretsmanager", "list_secrets", region, **asked)
        if reply.code:
            raise PreflightError(f"the secrets of {region} are not known: {redact(reply.words)}")
        found += [secret["Name"] for secret in reply.response["SecretList"]]
        if not reply.response.get("NextToken"):
            return found
        asked["NextToken"] = reply.response["NextToken"]
