"""The report says what was found, holds nothing that it must not, and can be read back."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from live.dialect import dialects_of, kinds, tested
from live.evidence import FACTS, raised, rows
from live.finding import State
from live.probe import PROBES
from live.report import Report, ReportError
from live.run import run
from local.secrets_manager import Dialect
from local.secrets_manager import dialect as d
from tests.helpers.account import ACCOUNT, Cloud

# A made-up report of another account.
RECORDED: dict[str, Any] = {
    "format": 1,
    "run": "20261126-abcdef",
    "when": "2026-11-26T12:00:00+00:00",
    "home": "eu-central-1",
    "replicas": ["eu-west-3", "us-east-1"],
    "seconds": 600,
    "timings": {"InSync": {"min": 1.2, "median": 2.0, "max": 9.5, "count": 30}},
    "tests": {"test_create_update_destroy": "passed"},
    "rows": [
        {
            "row": "U1",
            "about": "",
            "state": "settled",
            "value": "InvalidParameterException",
            "did": "InvalidParameterException: already there",
            "seconds": 20.0,
            "calls": [{"service": "s", "operation": "create_secret", "region": "eu-central-1", "request_id": "id-1"}],
        },
        {
            "row": "U2",
            "about": "",
            "state": "none of the known behaviors",
            "value": None,
            "did": "StrangeException: no",
            "seconds": 1.0,
            "calls": [],
        },
        {
            "row": "U10",
            "about": "",
            "state": "settled",
            "value": "Failed",
            "did": "Failed: Replication failed: Access to KMS is not allowed",
            "seconds": 1.0,
            "calls": [],
        },
        {"row": "U8", "about": "", "state": "skipped", "value": None, "did": "no VPC", "seconds": 0.0, "calls": []},
        {"row": "F14", "about": "", "state": "settled", "value": None, "did": "as known", "seconds": 0.0, "calls": []},
        {"row": "F16", "about": "", "state": "wrong", "value": None, "did": "other words", "seconds": 0.0, "calls": []},
    ],
}
DEEP = "[" * 100_000
NEWER = json.dumps(RECORDED | {"format": 2})
STRANGE = RECORDED["rows"][0] | {"state": "strange"}
EXPECTED = Dialect(other_key=d.OtherKey.ERROR, no_value=d.NoValue.FAILED)


@pytest.fixture(scope="module")
def report() -> Report:
    cloud = Cloud(EXPECTED)
    account = cloud.account()
    return Report.of(account, run(account, PROBES), {}, 12.3)


def test_the_report_names_the_dialect(report: Report) -> None:
    assert dialects_of({row["row"]: row["value"] for row in report.rows}) == [EXPECTED]
    assert "U2 InvalidParameterException" in report.verdict[0]
    assert "U7 Failed" in report.verdict[0]
    assert report.verdict[1] == (
        "U14 does not arise: after StopReplicationToReplica the primary does not list the Region any more (U9), so no "
        "call can tell what removing it would do to the promoted secret."
    )
    assert report.verdict[2].startswith("The handler is tested under these values")
    assert report.verdict[3] == "This holds for every value of U14."
    assert len(report.verdict) == 4
    assert set(report.data["timings"]) == {"InSync", "gone"}
    assert 3 <= report.data["timings"]["InSync"]["median"] <= 4
    assert 60 <= report.data["timings"]["gone"]["min"] <= 63


def test_every_row_says_what_was_asked_and_by_which_calls(report: Report) -> None:
    assert [row["row"] for row in report.rows] == list(PROBES)
    for row in report.rows:
        assert row["about"].endswith(".")
        assert row["did"]
        assert row["calls"]


def test_neither_the_account_nor_an_arn_is_in_it(report: Report) -> None:
    cloud = Cloud(EXPECTED)
    account = cloud.account()
    text = json.dumps(report.data) + report.markdown()
    assert ACCOUNT not in text
    assert "arn:aws" not in text
    assert "<secretsmanager ARN in us-west-2>" in text, "which the error of F16 has"
    assert account.run in text, "which finds what is left of it"


def test_no_value_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud()
    account = cloud.account()
    values: set[str] = set()
    call = cloud.model.call

    def listening(region: str, operation: str, parameters: Any) -> Any:
        values.add(str(parameters.get("SecretString", "")))
        return call(region, operation, parameters)

    monkeypatch.setattr(cloud.model, "call", listening)
    text = json.dumps(Report.of(account, run(account, PROBES), {}, 1).data)
    assert len(values) > 30
    assert [value for value in values if value and value in text and len(value) > 8] == []


def test_the_row_of_a_wrong_fact_is_named() -> None:
    cloud = Cloud()
    cloud.model.script.error("InvalidRequestException", "Not here.", operation="DeleteSecret", times=1)
    account = cloud.account()
    report = Report.of(account, run(account, {"F16": PROBES["F16"]}), {}, 1)
    assert report.wrong == ["F16"]
    assert "Wrong in docs/design/aws-facts.md: F16." in report.verdict


def test_exactly_a_tested_dialect_is_said_to_be() -> None:
    assert "exactly this dialect" in tested([Dialect()])
    mixed = replace(Dialect(), order=d.Order.ANY, no_value=d.NoValue.FAILED)
    assert "these values" in tested([mixed])
    assert "these values" in tested([Dialect(), mixed])


def test_what_cannot_be_told_counts_with_each_of_its_values() -> None:
    found = dialects_of({"U9": "gone", "U14": None}, ["U14"])
    assert found == [Dialect(promoted_removed=value) for value in d.PromotedRemoved]
    assert "exactly this dialect" in tested(found)


def test_every_unknown_has_its_values() -> None:
    assert list(kinds()) == [f"U{number}" for number in range(1, len(fields(Dialect)) + 1)]


def test_a_report_is_read_back(tmp_path: Path, report: Report) -> None:
    paths = report.write(tmp_path)
    assert [path.name for path in paths] == ["report.json", "report.md"]
    assert Report.read(paths[0]).data == report.data
    assert Report.read(paths[0]).markdown() == paths[1].read_text()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        "{}",
        "[]",
        pytest.param(DEEP, id="deep"),
        pytest.param(NEWER, id="newer"),
        pytest.param('{"format": 1, "rows": [1]}', id="a row that is none"),
        pytest.param(json.dumps(RECORDED | {"rows": [STRANGE]}), id="a state that is none"),
    ],
)
def test_a_file_that_is_not_a_report_is_rejected_with_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(ReportError, match=re.escape(str(path))):
        Report.read(path)


def test_a_missing_report_is_rejected_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"none\.json"):
        Report.read(tmp_path / "none.json")


def test_a_recorded_report_says_what_it_settles() -> None:
    verdict = Report(RECORDED).verdict
    assert verdict == [
        "The dialect of this account: U1 InvalidParameterException; U10 Failed.",
        "Not settled: U2, U8.",
        "The handler is not tested under what AWS did for U2.",
        "Wrong in docs/design/aws-facts.md: F16.",
    ]


def test_a_recorded_report_raises_the_rows_of_the_facts() -> None:
    text = FACTS.read_text()
    source = "R `make live` 2026-11-26, eu-central-1"
    said = list(raised(Report(RECORDED), text))
    known = rows(text)
    assert said == [
        f"{known['U1']} Observed: **InvalidParameterException** ({source}).",
        f"{known['U2']} **Observed otherwise**: StrangeException: no ({source}).",
        f"{known['U10']} Observed: **Failed** ({source}).",
        f"{known['F14']} ({source})",
        f"{known['F16']} **Observed otherwise**: other words ({source}).",
        known["F13"].replace("**U**.", f"`Failed: Replication failed: Access to KMS is not allowed` ({source})."),
    ]
    assert said[-1] != known["F13"]


def test_a_report_of_local_aws_is_evidence_of_nothing() -> None:
    report = Report(RECORDED | {"local": True})
    assert list(raised(report, FACTS.read_text())) == []
    assert report.verdict[0] == "This is local AWS, which proves nothing of AWS."


def test_a_report_says_whether_it_is_of_local_aws() -> None:
    cloud = Cloud()
    account = cloud.account()
    assert not Report.of(account, [], {}, 1).is_local
    account.is_local = True
    assert Report.of(account, [], {}, 1).is_local


def test_the_rows_of_the_facts_are_all_read() -> None:
    text = FACTS.read_text()
    assert list(rows(text)) == re.findall(r"^([FU]\d+)\. ", text, re.MULTILINE)
    assert set(PROBES) <= set(rows(text))
    assert all(row in text for row in rows(text).values())


@pytest.mark.parametrize("state", State)
def test_the_page_shows_every_state(state: State) -> None:
    row = RECORDED["rows"][3] | {"state": state.value}
    shown = "holds" if state is State.SETTLED else state.value
    assert f"| U8 | {shown} | no VPC |" in Report(RECORDED | {"rows": [row]}).markdown()
