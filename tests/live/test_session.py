"""A run leaves nothing behind, whatever ends it; and the command line."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

import live.__main__ as command
import live.session
from live.account import TAG, Account
from live.evidence import FACTS, raised
from live.finding import State
from live.probe import PROBES
from live.report import Report
from live.run import run
from live.session import clean, session
from live.terminal import Terminal
from tests.helpers.account import Cloud
from tests.live.test_report import RECORDED

FEW = {row: PROBES[row] for row in ("U4", "U12", "U18", "F34")}


def quiet() -> Terminal:
    return Terminal(Console(file=io.StringIO(), width=120))


def interrupting(cloud: Cloud, number: int) -> Callable[[int], None]:
    def interrupt(count: int) -> None:
        if count == number:
            cloud.before = lambda _: None
            raise KeyboardInterrupt

    return interrupt


def test_nothing_is_left_after_a_run() -> None:
    cloud = Cloud()
    report = session(cloud.account(), PROBES, quiet())
    assert report.wrong == []
    assert cloud.left() == []


def test_nothing_is_left_after_ctrl_c_at_any_call() -> None:
    calls = Cloud()
    session(calls.account(), FEW, quiet())
    total = next(calls.count)
    interrupted = 0
    for number in range(1, total):
        cloud = Cloud()
        cloud.before = interrupting(cloud, number)
        try:
            session(cloud.account(), FEW, quiet())
        except KeyboardInterrupt:
            interrupted += 1
            left = cloud.left()
            if left:
                # It came during the clean-up: the next one goes on.
                clean(cloud.account("cleaner"), cloud.account().regions, quiet())
                left = cloud.left()
            assert left == [], f"after Ctrl-C at call {number}"
    assert interrupted > 100


def test_ctrl_c_ends_the_probes_that_run_at_the_same_time() -> None:
    cloud = Cloud()
    cloud.before = interrupting(cloud, 40)
    account = cloud.account()
    with pytest.raises(KeyboardInterrupt):
        session(account, PROBES, quiet(), parallel=4)
    assert cloud.left() == []


def test_nothing_is_left_when_the_acceptance_tests_crash() -> None:
    cloud = Cloud()
    with pytest.raises(RuntimeError, match="crashed"):
        session(cloud.account(), FEW, quiet(), acceptance=crash)
    assert cloud.left() == []


def test_what_the_end_to_end_tests_leave_in_a_third_region_is_removed() -> None:
    cloud = Cloud()
    account = Account(cloud.connect, cloud.clock, "run", "us-west-2", ("eu-west-3", "us-east-1"), "ap-south-1")

    def leaving(_: object) -> dict[str, str]:
        tags = [{"Key": TAG, "Value": "run"}]
        cloud.model.call("ap-south-1", "CreateSecret", {"Name": "left", "SecretString": "x", "Tags": tags})
        return {"test": "passed"}

    report = session(account, {"U4": PROBES["U4"]}, quiet(), acceptance=leaving)
    assert report.data["tests"] == {"test": "passed"}
    assert [*cloud.model.secrets("ap-south-1")] == []


def crash(_: object) -> dict[str, str]:
    raise RuntimeError("crashed")


def test_what_is_left_is_named() -> None:
    cloud = Cloud()
    cloud.model.script.error("AccessDeniedException", "no", operation="DeleteSecret", times=None)
    shown = io.StringIO()
    report = session(cloud.account(), {"U4": PROBES["U4"]}, Terminal(Console(file=shown, width=200)))
    assert re.search(r"make live CLEAN=1(?s:.*)secret cdk-replicated-secret-live/run/u4-1", shown.getvalue())
    assert "secret cdk-replicated-secret-live/run/u4-1" in report.verdict[-1]


@pytest.mark.parametrize("ended", ["the tests", "the clean-up"])
def test_the_report_is_written_before_what_may_be_interrupted(
    invoke: Callable[..., int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ended: str
) -> None:
    cloud = Cloud()

    def interrupt(*_: object, **__: object) -> dict[str, str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "PROBES", {"U4": PROBES["U4"]})
    if ended == "the tests":
        monkeypatch.setattr(command, "accept", interrupt)
    else:
        monkeypatch.setattr(live.session, "clean", interrupt)
        monkeypatch.setattr(command, "accept", lambda *_, **__: {"test": "passed"})
    assert invoke("--yes", cloud=cloud) == 130
    written = json.loads((tmp_path / "build" / "live" / "report.json").read_text())
    assert [row["row"] for row in written["rows"]] == ["U4"]
    assert written["tests"] == ({} if ended == "the tests" else {"test": "passed"})


def test_at_the_end_of_stdin_nothing_is_made(
    invoke: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    cloud = Cloud()
    assert invoke(cloud=cloud) == 1
    assert "YES=1 continues without asking" in capsys.readouterr().out
    assert cloud.left() == []


def test_clean_asks_because_another_run_may_go_on(
    invoke: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud = Cloud()
    run(cloud.account(), FEW)
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert invoke("--clean", cloud=cloud) == 1
    assert "even a run that is still going on" in capsys.readouterr().out
    assert cloud.left() != []


def test_a_list_that_is_denied_is_not_taken_for_empty(invoke: Callable[..., int]) -> None:
    cloud = Cloud()
    run(cloud.account(), {"U4": PROBES["U4"]})
    cloud.model.script.error("AccessDeniedException", "no", operation="ListSecrets", times=None)
    assert invoke("--clean", "--yes", cloud=cloud) == 1


def test_the_terminal_shows_the_table_and_the_verdict() -> None:
    cloud, shown = Cloud(), io.StringIO()
    terminal = Terminal(Console(file=shown, width=200))
    terminal.show(session(cloud.account(), FEW, terminal))
    text = shown.getvalue()
    assert all(row in text for row in FEW)
    assert "holds" in text
    assert "The handler is tested under exactly this dialect." in text
    assert "For what is not settled, the default is assumed." in text


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """The command, on an account that is made up."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_REGION", "us-west-2")

    def invoked(*arguments: str, cloud: Cloud | None = None) -> int:
        made = cloud or Cloud()
        monkeypatch.setattr(command, "connector", lambda: made.connect)
        monkeypatch.setattr(command, "SystemClock", lambda: made.clock)
        monkeypatch.setattr(command, "_AT_ONCE", 1)
        monkeypatch.setattr(sys, "argv", ["live", *arguments])
        return command.main()

    return invoked


def test_a_run_writes_its_report(invoke: Callable[..., int], tmp_path: Path) -> None:
    cloud = Cloud()
    assert invoke("--yes", "--only", "u4,F5", cloud=cloud) == 0
    written = json.loads((tmp_path / "build" / "live" / "report.json").read_text())
    assert [row["row"] for row in written["rows"]] == ["U4", "F5"]
    assert (tmp_path / "build" / "live" / "report.md").exists()
    assert cloud.left() == []


@pytest.mark.parametrize("said", ["", "n", "what?"])
def test_nothing_is_made_unless_the_user_says_yes(
    invoke: Callable[..., int], monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    cloud = Cloud()
    monkeypatch.setattr("builtins.input", lambda *_: said)
    assert invoke(cloud=cloud) == 1
    assert {call.operation for call in cloud.model.journal} == {"ListSecrets"}


def test_a_wrong_fact_makes_it_fail(invoke: Callable[..., int]) -> None:
    cloud = Cloud()
    cloud.model.script.error("InternalServiceError", "no", operation="DeleteSecret")
    assert invoke("--yes", "--only", "F5", cloud=cloud) == 1


def test_clean_removes_what_is_left(invoke: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    cloud = Cloud()
    run(cloud.account(), FEW)
    assert invoke("--clean", "--yes", cloud=cloud) == 0
    assert "Nothing is left" in capsys.readouterr().out
    assert cloud.left() == []


def test_a_report_is_read(invoke: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps(RECORDED))
    assert invoke("--report", str(path)) == 0
    shown = capsys.readouterr().out
    assert "The dialect of this account: U1 InvalidParameterException; U10 Failed." in shown
    assert "test_create_update_destroy: passed" in shown
    (first, *_) = raised(Report(RECORDED), FACTS.read_text())
    assert f"\n{first}\n" in shown, "a row is one line, ready to paste"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--report", "none.json"], "none.json is not a report"),
        (["--replicas", "eu-west-3"], "expected two enabled Regions"),
    ],
)
def test_an_argument_that_cannot_work_is_rejected_with_a_sentence(
    invoke: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert invoke(*arguments) == 1
    output = capsys.readouterr().err
    assert said in output
    assert "Traceback" not in output


def test_a_missing_region_is_said(
    invoke: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    assert invoke() == 1
    assert "set AWS_REGION" in capsys.readouterr().err


def test_an_unknown_row_is_rejected(invoke: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        invoke("--only", "U99")
    assert "--only names U99" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["U4, F5", " u4,f5 ", "U4,F5,"])
def test_rows_may_be_written_with_spaces(invoke: Callable[..., int], tmp_path: Path, given: str) -> None:
    assert invoke("--yes", "--only", given) == 0
    written = json.loads((tmp_path / "build" / "live" / "report.json").read_text())
    assert [row["row"] for row in written["rows"]] == ["U4", "F5"]


def test_states_are_styled() -> None:
    terminal = quiet()
    cloud = Cloud()
    report = session(cloud.account(), {"U4": PROBES["U4"]}, terminal)
    for state in State:
        row = {**report.rows[0], "state": state.value, "value": None}
        terminal.show(Report({**report.data, "rows": [row]}))
