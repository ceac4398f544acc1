"""Observe: one DescribeSecret for the primary, and one in a replica's Region only where the list cannot tell."""

from __future__ import annotations

from collections.abc import Collection

from .errors import AccessDeniedError, RefusedError, SecretDeletedError, SecretNotFoundError, UnavailableError
from .ownership import claims
from .ports import SecretsManager
from .properties import RemovalPolicy
from .regions import SecretArn
from .situation import Desired, Elsewhere, Observed


def observe(aws: SecretsManager, secret_id: str, desired: Desired, sure: Collection[str] = ()) -> Observed:
    """What is true of the primary and of the replicas that ``desired.owner`` manages.

    Args:
        aws: Secrets Manager.
        secret_id: ARN or name of the primary.
        desired: decides which replica Regions are worth a question.
        sure: Regions that this run was the first to tag: nothing is left there from before.

    Raises:
        SecretNotFoundError: there is no such secret.
        SecretDeletedError: it is scheduled for deletion.
        RefusedError: it is a replica itself (F15).
    """
    try:
        primary = aws.describe(secret_id)
    except SecretNotFoundError as error:
        advice = "check SecretId; if the secret is in another Region, give its ARN"
        raise SecretNotFoundError(f"{error}: {advice}") from error
    if primary.deleted:
        raise SecretDeletedError(
            f"SecretId {secret_id} is scheduled for deletion: restore it with RestoreSecret, or name another secret"
        )
    if primary.is_replica:
        raise RefusedError(
            f"SecretId {secret_id} is a replica: its primary is in {primary.primary_region}. "
            f"Name the primary: {primary.arn.in_region(primary.primary_region)}"
        )
    owned = claims(primary.tags, primary.arn.region)
    elsewhere: dict[str, Elsewhere] = {}
    leaving = False
    for region, claim in owned.items():
        if not claim.owner.same_resource(desired.owner):
            continue
        listed, dropped = region in primary.replicas, region not in desired.replicas
        # A removal leaves the primary's list at once and the Region later (F18); a promotion is seen only there.
        if (not listed and region not in sure) or (dropped and desired.policy is RemovalPolicy.PROMOTE):
            # All that leave are waited for: while one is still there, the others need not be asked.
            known = leaving and dropped and not listed
            elsewhere[region] = Elsewhere.REPLICA if known else _ask(aws, primary.arn.in_region(region))
        leaving |= dropped and not listed and elsewhere.get(region) is Elsewhere.REPLICA
    return Observed(primary.arn, primary.replicas, owned, elsewhere)


def _ask(aws: SecretsManager, replica: SecretArn) -> Elsewhere:
    try:
        found = aws.describe(str(replica))
    except (SecretNotFoundError, SecretDeletedError):
        return Elsewhere.GONE
    except (AccessDeniedError, RefusedError, UnavailableError):
        # No right, no such Region, not enabled, not reachable from here.
        return Elsewhere.UNVERIFIED
    return Elsewhere.REPLICA if found.is_replica else Elsewhere.STANDALONE
