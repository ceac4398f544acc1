"""Before anything is made: where the run happens, what it makes, and what that costs at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .account import PREFIX, Account, Call
from .redact import redact

# What all probes make at most; tests/live/test_preflight.py counts.
SECRETS, KEYS, CALLS, MINUTES = 140, 8, 3_000, 15
_HOURS = 1
_HOURS_OF_A_MONTH = 730
# USD, from AWS's price lists of 2026; a cluster without an instance costs less than a cent.
_SECRET_MONTH, _KEY_MONTH, _CALL, _CLUSTER = 0.40, 1.00, 0.05 / 10_000, 0.01
_PREFERRED = ("eu-west-3", "us-east-1")


class RefusedError(Exception):
    """The run cannot start; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is about to do."""

    caller: str
    account_id: str
    home: str
    replicas: tuple[str, str]

    @property
    def lines(self) -> list[str]:
        """For the user, who decides."""
        return [
            f"Account {self.account_id}, as {self.caller}",
            f"Primaries in {self.home}, replicas in {' and '.join(self.replicas)}",
            f"Makes at most {SECRETS} secrets and replicas named {PREFIX}/..., and {KEYS} KMS keys",
            "Makes 4 roles, 2 stacks and a database cluster without an instance",
            f"Costs at most {cost():.2f} USD, takes about {MINUTES} minutes",
            "Removes everything at the end; AWS deletes the keys after 7 days, which costs nothing",
        ]


def cost() -> float:
    """USD for what all probes make, if it lasts for an hour."""
    monthly = SECRETS * _SECRET_MONTH + KEYS * _KEY_MONTH
    return monthly * _HOURS / _HOURS_OF_A_MONTH + CALLS * _CALL + _CLUSTER


def regions(account: Account) -> list[str]:
    """The Regions that are enabled.

    Raises:
        RefusedError: If they cannot be listed.
    """
    calls: list[Call] = []
    reply = account.call(calls, "ec2", "describe_regions")
    if reply.code:
        raise RefusedError(f"the account's Regions could not be listed: {reply.words}")
    return sorted(region["RegionName"] for region in reply.answer["Regions"])


def replicas(enabled: Sequence[str], home: str, given: str) -> tuple[str, str]:
    """Two Regions for replicas.

    Args:
        enabled: the account's.
        home: the primaries'.
        given: the user's choice, for example ``eu-west-3,us-east-1``; empty for any two.

    Raises:
        RefusedError: If there are no two such Regions.
    """
    if given:
        chosen = [region.strip() for region in given.split(",")]
        wrong = [region for region in chosen if region not in enabled or region == home]
        if wrong or len(set(chosen)) != len(chosen) or len(chosen) != len(_PREFERRED):
            raise RefusedError(
                f"REPLICAS is {given!r}: expected two enabled Regions other than {home}, such as "
                f"{','.join(replicas(enabled, home, ''))}"
            )
    else:
        others = [region for region in (*_PREFERRED, *enabled) if region in enabled and region != home]
        chosen = list(dict.fromkeys(others))[:2]
        if len(chosen) < len(_PREFERRED):
            raise RefusedError(f"the account has {len(chosen) + 1} enabled Regions, but three are needed: enable more")
    return chosen[0], chosen[1]


def plan(account: Account) -> Plan:
    """What the run is about to do.

    Raises:
        RefusedError: If the account already has secrets with the prefix, or they cannot be listed.
    """
    calls: list[Call] = []
    caller = account.call(calls, "sts", "get_caller_identity")
    if caller.code:
        raise RefusedError(f"the credentials do not work: {redact(caller.words)}")
    for region in account.regions:
        filters = [{"Key": "name", "Values": [PREFIX]}]
        reply = account.call(
            calls, "secretsmanager", "list_secrets", region, Filters=filters, IncludePlannedDeletion=True
        )
        if reply.code:
            raise RefusedError(f"the secrets in {region} could not be listed: {redact(reply.words)}")
        if found := [secret["Name"] for secret in reply.answer["SecretList"]]:
            raise RefusedError(
                f"{region} already has the secret {found[0]}, from an earlier run or from someone else: run "
                "`make live CLEAN=1`, which removes what earlier runs left behind, or delete it yourself"
            )
    return Plan(caller.answer["Arn"], caller.answer["Account"], account.home, account.replicas)
