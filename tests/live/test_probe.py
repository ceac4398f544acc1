"""The probes name the dialect that they meet, value by value; and they notice a fact that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from enum import Enum
from typing import Any

import pytest
from botocore.exceptions import ClientError

from live.evidence import FACTS, rows
from live.finding import State
from live.probe import PROBES, UNKNOWNS
from live.run import Result, run
from local.secrets_manager import Delays, Dialect, every_dialect, plausible_dialects
from local.secrets_manager import dialect as d
from tests.helpers import account
from tests.helpers.account import Cloud

DIALECTS = list(plausible_dialects())
NAMES = [field.name for field in fields(Dialect)]
ROWS = dict(zip((probe.__name__.upper() for probe in UNKNOWNS), NAMES, strict=True))


def expected(dialect: Dialect, row: str) -> Enum | None:
    """What a probe is to say; None where the question does not arise."""
    if row == "U14" and dialect.after_stop is d.AfterStop.GONE:
        return None
    value: Enum = getattr(dialect, ROWS[row])
    return value


def differences(dialect: Dialect, results: list[Result]) -> dict[str, str]:
    found = {}
    for result in results:
        if result.row in ROWS:
            wanted = expected(dialect, result.row)
            right = (result.finding.value, result.finding.state) == (wanted, State.SETTLED if wanted else State.MOOT)
        else:
            right = result.finding.state in (State.SETTLED, State.MOOT)
        if not right:
            found[result.row] = f"{result.finding}"
    return found


@pytest.mark.parametrize("number", range(len(DIALECTS)))
def test_each_row_is_settled_as_the_dialect_has_it(number: int) -> None:
    dialect = DIALECTS[number]
    cloud = Cloud(dialect)
    assert differences(dialect, run(cloud.account(), PROBES)) == {}


def test_every_dialect_is_named() -> None:
    for dialect in every_dialect():
        unknowns = {row: PROBES[row] for row in ROWS}
        assert differences(dialect, run(Cloud(dialect).account(), unknowns)) == {}, dialect


@pytest.mark.parametrize(("lag", "seed"), [(2.0, 0), (10.0, 1), (10.0, 2)])
def test_reads_that_lag_change_nothing(lag: float, seed: int) -> None:
    for dialect in DIALECTS:
        cloud = Cloud(dialect, lag, seed)
        assert differences(dialect, run(cloud.account(), PROBES)) == {}, dialect


Response = dict[str, Any]


class Liar(Cloud):
    """AWS in an account where something is otherwise: what an operation returns goes through a function."""

    def __init__(self, operation: str, change: Callable[[Response], Response | None], dialect: Dialect) -> None:
        super().__init__(dialect)
        self._operation, self._change = operation, change

    def secrets_manager(self, region: str) -> Any:
        client = super().secrets_manager(region)
        tell = getattr(client, self._operation)

        def lie(**parameters: Any) -> Any:
            try:
                response: Response = tell(**parameters)
            except ClientError as error:
                said = error.response["Error"]
                changed = self._change(dict(said)) or said
                raise ClientError({"Error": changed}, self._operation) from error
            return self._change(response) or response

        setattr(client, self._operation, lie)
        return client


def having(**values: Any) -> Callable[[Response], Response]:
    """Other values, of a response or an error; None: without."""
    return lambda response: {name: value for name, value in (response | values).items() if value is not None}


def entries_having(**values: Any) -> Callable[[Response], Response]:
    """The same of each Region's entry."""
    key = "ReplicationStatus"
    return lambda response: (
        response | ({key: [having(**values)(each) for each in response[key]]} if key in response else {})
    )


def error_having(**values: Any) -> Callable[[Response], Response | None]:
    """The same of an error alone."""
    return lambda response: having(**values)(response) if "Code" in response else None


def failing(response: Response) -> Response | None:
    raise ClientError({"Error": {"Code": "InternalServiceError", "Message": "no"}}, "operation")


REPLICATE, REMOVE, DESCRIBE = "replicate_secret_to_regions", "remove_regions_from_replication", "describe_secret"
LIES: list[tuple[str, str, Callable[[Response], Response | None]]] = [
    ("F4", DESCRIBE, having(KmsKeyId="alias/aws/secretsmanager")),
    ("F4", "list_secrets", lambda response: {"SecretList": [{"Name": "x", "ReplicationStatus": [{}]}]}),
    ("F5", "delete_secret", failing),
    ("F6", DESCRIBE, having(Code="InvalidParameterException")),
    ("F10", REPLICATE, entries_having(Status="Pending")),
    ("F10", REPLICATE, entries_having(StatusMessage="Replication started")),
    ("F10", REPLICATE, entries_having(KmsKeyId="aws/secretsmanager")),
    ("F11", DESCRIBE, entries_having(StatusMessage="Done")),
    ("F13", DESCRIBE, entries_having(StatusMessage="Replication failed: Sorry.")),
    ("F14", REPLICATE, error_having(Message="Wrong region.")),
    ("F14", REPLICATE, error_having(Code="ValidationException")),
    ("F15", REPLICATE, error_having(Message="This is a replica.")),
    ("F16", "delete_secret", error_having(Message="It has replicas.")),
    ("F17", DESCRIBE, error_having(Message="Not found.")),
    ("F17", REPLICATE, error_having(Message="Deleted.")),
    ("F18", REMOVE, having(ReplicationStatus=[{"Region": "eu-west-3", "Status": "InProgress"}])),
    ("F18", REMOVE, failing),
    ("F18", DESCRIBE, having(PrimaryRegion="us-west-2")),
    ("F19", DESCRIBE, having(PrimaryRegion=None)),
    ("F19", DESCRIBE, having(ARN="arn:aws:secretsmanager:eu-west-3:000000000000:secret:other")),
    ("F20", "get_secret_value", having(SecretString="old")),
    ("F20", DESCRIBE, having(Description="old")),
    ("F21", DESCRIBE, entries_having(KmsKeyId="key-1")),
    ("F23", DESCRIBE, entries_having(StatusMessage="Replication failed: Sorry.")),
    ("F26", DESCRIBE, having(PrimaryRegion="us-west-2")),
    ("F26", DESCRIBE, having(ARN="arn:aws:secretsmanager:eu-west-3:000000000000:secret:other")),
    ("F27", DESCRIBE, having(Tags=[{"Key": "after", "Value": ""}])),
    ("F30", "tag_resource", failing),
    ("F32", DESCRIBE, entries_having(Status="Failed")),
    ("F34", DESCRIBE, error_having(Code="AccessDeniedException")),
]


@pytest.mark.parametrize(
    ("row", "operation", "change"), LIES, ids=[f"{row}-{number}" for number, (row, *_) in enumerate(LIES)]
)
def test_a_fact_that_is_otherwise_is_noticed(
    row: str, operation: str, change: Callable[[Response], Response | None]
) -> None:
    (result,) = run(Liar(operation, change, Dialect()).account(), {row: PROBES[row]})
    assert result.finding.state is State.WRONG, result.finding


def test_a_replication_that_takes_minutes_is_noticed() -> None:
    cloud = Cloud()
    cloud.model.replication.delays = Delays(in_sync=70)
    (result,) = run(cloud.account(), {"F22": PROBES["F22"]})
    assert result.finding.state is State.WRONG


def test_a_condition_that_does_not_count_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "_allows", lambda *_: True)
    results = run(Cloud().account(), {row: PROBES[row] for row in ("F30", "F31")})
    assert [result.finding.state for result in results] == [State.WRONG, State.WRONG]
    assert "DescribeSecret without its permission: accepted" in results[0].finding.did


@pytest.mark.parametrize("value", d.PromotedRemoved)
def test_u14_says_why_it_cannot_be_told_where_a_promoted_region_is_not_listed(value: d.PromotedRemoved) -> None:
    dialect = Dialect(after_stop=d.AfterStop.GONE, promoted_removed=value)
    (result,) = run(Cloud(dialect).account(), {"U14": PROBES["U14"]})
    assert (result.finding.state, result.finding.value) == (State.MOOT, None)
    assert "(U9), so no call can tell" in result.finding.did


# What no call of a few minutes can check, or what is seen with another row.
NOT_PROBED = {
    "F1": "the service model",
    "F2": "the service model",
    "F3": "the service model",
    "F12": "seen with U5, U10, U18 and F13",
    "F24": "local AWS has no replica that fails long after it was InSync",
    "F25": "no bound can be measured; every read here is settled",
    "F28": "seen with U17",
    "F29": "seen with U8",
    "F33": "the encryption context is seen with U18",
    "F35": "it needs a VPC",
    "F36": "it needs an organization",
    "F37": "it needs a drift",
    "F40": "limits",
    "F41": "limits",
}


def test_every_row_of_the_facts_is_probed_or_it_is_said_why_not() -> None:
    assert set(rows(FACTS.read_text())) == {*PROBES, *NOT_PROBED}
    assert not set(PROBES) & set(NOT_PROBED)


def test_every_fact_is_lied_about() -> None:
    assert {*(row for row, *_ in LIES), "F22", "F31"} == set(PROBES) - set(ROWS)


ERRORS = Dialect(
    same_key_again=d.SameKeyAgain.INVALID_PARAMETER,
    other_key=d.OtherKey.ERROR,
    failed_again=d.FailedAgain.ERROR,
    remove_absent=d.RemoveAbsent.ERROR,
    bad_region=d.BadRegion.ERROR,
    service_managed=d.ServiceManaged.ERROR,
    key_denied=d.KeyDenied.ERROR,
    after_stop=d.AfterStop.IN_SYNC,
)


@pytest.mark.parametrize(
    ("row", "operation", "change"),
    [
        *((row, REPLICATE, error_having(Code="StrangeException")) for row in ("U1", "U2", "U3", "U5", "U8", "U10")),
        ("U4", REMOVE, error_having(Code="StrangeException")),
        ("U6", DESCRIBE, entries_having(Status="InSync")),
        ("U7", DESCRIBE, entries_having(Status="Pending")),
        ("U11", REMOVE, failing),
        ("U14", REMOVE, failing),
        ("U15", DESCRIBE, having(Tags=[])),
        ("U17", DESCRIBE, having(Tags=[])),
        ("U18", DESCRIBE, entries_having(Status="InSync")),
        ("U18", DESCRIBE, entries_having(Status="Failed")),
    ],
)
def test_what_no_dialect_has_is_noticed(
    row: str, operation: str, change: Callable[[Response], Response | None]
) -> None:
    dialect = Dialect() if row == "U18" else ERRORS
    (result,) = run(Liar(operation, change, dialect).account(), {row: PROBES[row]})
    assert (result.finding.state, result.finding.value) == (State.UNEXPECTED, None)
    assert result.finding.did


def test_a_probe_without_a_permission_that_it_needs_is_skipped_and_says_why() -> None:
    cloud = Cloud()
    cloud.model.script.error("AccessDeniedException", "not authorized", operation="CreateSecret")
    results = run(cloud.account(), {row: PROBES[row] for row in ("U1", "U4")})
    assert results[0].finding.state is State.SKIPPED
    assert results[0].finding.did == "secretsmanager create_secret: AccessDeniedException: not authorized"
    assert results[1].finding.state is State.SETTLED
