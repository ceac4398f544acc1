"""The monitor's judgement, as a table: what AWS reports of a replica -> what it is found to be."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from replication_monitor.judge import has_replicas, judge, to_ask
from replication_monitor.model import Finding, InRegion, Kind, Rules, Secret
from secret_replication.model import ReplicaState, ReplicaStatus, SecretArn

ARN = SecretArn("aws", "us-west-2", "111122223333", "app/database-AbCdEf")
PARIS, VIRGINIA = "eu-west-3", "us-east-1"
TAG = f"cdk-replicated-secret:{PARIS}"
OURS = {TAG: "created us-west-2 1b2f6d3a Database App"}
NOW = 1_000_000.0
LONG_AGO, JUST_NOW = NOW - 31 * 60, NOW - 29 * 60
GONE, REPLICA, STANDALONE, UNKNOWN = (
    InRegion(state)
    for state in (ReplicaState.GONE, ReplicaState.REPLICA, ReplicaState.STANDALONE, ReplicaState.UNKNOWN)
)
RECENT = InRegion(ReplicaState.REPLICA, created=JUST_NOW)
OTHER = InRegion(ReplicaState.GONE, reason="its Region has a replica of the primary in eu-west-1")
COLLISION = "Replication failed: Secret name app/database already exists in region eu-west-3."
K = Kind


def primary(status: str | None, tags: dict[str, str] | None = None, changed: float = LONG_AGO) -> Secret:
    replicas = {PARIS: ReplicaStatus(PARIS, status, "alias/app", COLLISION)} if status else {}
    return Secret(ARN, "app/database", changed, ARN.region, tags=tags or {}, replicas=replicas)


def kinds(findings: list[Finding]) -> list[Kind]:
    return [finding.kind for finding in findings]


@pytest.mark.parametrize(
    ("status", "tags", "there", "changed", "expected"),
    [
        # Listed by the primary.
        ("InSync", {}, None, LONG_AGO, [K.IN_SYNC]),
        ("InSync", OURS, REPLICA, LONG_AGO, [K.IN_SYNC]),
        ("InSync", OURS, GONE, LONG_AGO, [K.MISSING]),
        ("InSync", OURS, GONE, JUST_NOW, [K.MISSING]),
        ("InSync", OURS, STANDALONE, LONG_AGO, [K.PROMOTED]),
        ("InSync", OURS, UNKNOWN, LONG_AGO, [K.IN_SYNC, K.UNCHECKED]),
        ("InSync", OURS, OTHER, LONG_AGO, [K.MISSING]),
        ("Failed", {}, REPLICA, LONG_AGO, [K.FAILED]),
        ("Failed", {}, REPLICA, JUST_NOW, [K.FAILED]),
        ("Failed", {}, GONE, LONG_AGO, [K.FAILED]),
        ("Failed", {}, STANDALONE, LONG_AGO, [K.PROMOTED]),
        ("Failed", {}, UNKNOWN, LONG_AGO, [K.FAILED, K.UNCHECKED]),
        ("InProgress", {}, REPLICA, LONG_AGO, [K.IN_PROGRESS]),
        ("InProgress", {}, REPLICA, JUST_NOW, [K.CHANGING]),
        ("InProgress", {}, RECENT, LONG_AGO, [K.CHANGING]),
        ("InProgress", {}, GONE, LONG_AGO, [K.MISSING]),
        ("InProgress", {}, GONE, JUST_NOW, [K.CHANGING]),
        ("InProgress", {}, UNKNOWN, LONG_AGO, [K.IN_PROGRESS, K.UNCHECKED]),
        ("Pending", {}, REPLICA, LONG_AGO, [K.IN_PROGRESS]),
        # Recorded by our tag alone.
        (None, OURS, GONE, LONG_AGO, [K.MISSING]),
        (None, OURS, GONE, JUST_NOW, [K.CHANGING]),
        (None, OURS, REPLICA, LONG_AGO, [K.CHANGING]),
        (None, OURS, OTHER, LONG_AGO, [K.MISSING]),
        (None, OURS, OTHER, JUST_NOW, [K.CHANGING]),
        (None, OURS, STANDALONE, LONG_AGO, [K.PROMOTED]),
        (None, OURS, UNKNOWN, LONG_AGO, [K.UNCHECKED]),
        (None, {TAG: "in a form that nobody knows"}, GONE, LONG_AGO, [K.MISSING]),
        # Of another primary.
        (None, {TAG: "created eu-west-1 1b2f6d3a Database App"}, None, LONG_AGO, [K.LEFTOVER]),
        ("InSync", {TAG: "created eu-west-1 1b2f6d3a Database App"}, None, LONG_AGO, [K.IN_SYNC, K.LEFTOVER]),
        (None, {}, None, LONG_AGO, []),
    ],
)
def test_what_a_replica_is_found_to_be(
    status: str | None, tags: dict[str, str], there: InRegion | None, changed: float, expected: list[Kind]
) -> None:
    in_region = {PARIS: there} if there else {}
    assert kinds(judge(primary(status, tags, changed), in_region, NOW, Rules())) == expected


@pytest.mark.parametrize(
    ("status", "tags", "verify", "expected"),
    [
        ("InSync", OURS, False, []),
        ("InSync", OURS, True, [PARIS]),
        ("Failed", {}, False, [PARIS]),
        ("InProgress", {}, False, [PARIS]),
        (None, OURS, False, [PARIS]),
        (None, {TAG: "created eu-west-1 1b2f6d3a Database App"}, True, []),
    ],
)
def test_only_the_regions_of_suspicious_replicas_are_asked(
    status: str | None, tags: dict[str, str], verify: bool, expected: list[str]
) -> None:
    assert to_ask(primary(status, tags), Rules(verify=verify)) == expected


@pytest.mark.parametrize(
    ("primary_region", "tags", "expected"),
    [("us-west-2", {}, True), ("", OURS, True), ("", {"team": "a"}, False), ("eu-west-1", OURS, False)],
)
def test_a_secret_is_judged_in_its_primarys_region(primary_region: str, tags: dict[str, str], expected: bool) -> None:
    assert has_replicas(primary_region, "us-west-2", tags) is expected


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        (OURS, "App Database"),
        ({TAG: "created us-west-2 1b2f6d3a Orders/Invoices"}, "1b2f6d3a Orders/Invoices"),
        ({"aws:cloudformation:stack-name": "Native", "aws:cloudformation:logical-id": "Secret"}, "Native Secret"),
        ({}, ""),
    ],
)
def test_the_owner_is_the_replicas_or_else_the_secrets(tags: dict[str, str], owner: str) -> None:
    (finding,) = judge(primary("InSync", tags), {}, NOW, Rules())
    assert finding.owner == owner


def test_a_failed_replica_has_the_message_of_aws_its_key_and_our_advice() -> None:
    (finding,) = judge(primary("Failed"), {PARIS: GONE}, NOW, Rules())
    assert (finding.message, finding.key) == (COLLISION, "alias/app")
    assert "aws secretsmanager delete-secret --region eu-west-3 --secret-id app/database" in finding.advice
    assert finding.advice.endswith(
        f"replicate-secret-to-regions --region us-west-2 --secret-id {ARN} "
        "--add-replica-regions Region=eu-west-3,KmsKeyId=alias/app"
    )


def test_a_shell_takes_a_command_as_it_is_shown() -> None:
    """The names of secrets that a service manages have an exclamation mark."""
    arn = replace(ARN, resource="rds!db-1-AbCdEf")
    secret = replace(primary("InSync", {TAG: "created eu-west-1 1b2f6d3a Database App"}), arn=arn)
    missing, leftover = judge(secret, {PARIS: GONE}, NOW, Rules())
    for finding in (missing, leftover):
        words = shlex.split(finding.advice.replace(",", " "), posix=True)
        assert str(arn) in words
        assert f"'{arn}'" in finding.advice


def test_every_problem_has_a_message_and_advice() -> None:
    leftover = {TAG: "created eu-west-1 1b2f6d3a Database App"}
    states = [GONE, OTHER, REPLICA, STANDALONE, replace(UNKNOWN, reason="no response")]
    cases = [
        (primary(status, tags), there)
        for status in ("InSync", "Failed", "InProgress", None)
        for tags in ({}, OURS, leftover)
        for there in states
    ]
    problems = [
        finding
        for secret, there in cases
        for finding in judge(secret, {PARIS: there}, NOW, Rules())
        if finding.kind.is_problem
    ]
    assert {finding.kind for finding in problems} == {kind for kind in Kind if kind.is_problem}
    assert [finding for finding in problems if not (finding.message and finding.advice)] == []
    # After "To fix this, ".
    verbs = {finding.advice.split()[0] for finding in problems}
    assert verbs == {"allow", "check", "decide", "delete", "run"}


def test_a_secret_that_is_scheduled_for_deletion_is_no_problem() -> None:
    assert kinds(judge(replace(primary("Failed", OURS), deleted=True), {}, NOW, Rules())) == [K.DELETED]


def test_a_secret_that_became_a_replica_after_it_was_listed_is_judged_elsewhere() -> None:
    copied = {TAG: "created eu-west-1 1b2f6d3a Database App"}
    assert judge(replace(primary(None, copied), primary_region="eu-west-1"), {}, NOW, Rules()) == []


def test_replicas_are_judged_one_by_one() -> None:
    replicas = {region: ReplicaStatus(region, status) for region, status in ((VIRGINIA, "InSync"), (PARIS, "Failed"))}
    found = judge(replace(primary(None), replicas=replicas), {PARIS: GONE}, NOW, Rules())
    assert [(finding.region, finding.kind) for finding in found] == [(PARIS, K.FAILED), (VIRGINIA, K.IN_SYNC)]
