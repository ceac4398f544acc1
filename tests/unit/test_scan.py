"""``make scan`` itself takes too long for ``make test``; what it calls settled does not."""

from __future__ import annotations

from tools.scan.__main__ import Finding, acknowledged, judge

FOUND = Finding("checkov", "CKV_AWS_117", "ReplicatedSecretProvider/Handler")


def test_a_finding_with_a_reason_is_settled() -> None:
    assert judge({FOUND: {"New"}}, {FOUND: "because"}) == []


def test_a_finding_without_a_reason_is_not_settled() -> None:
    (problem,) = judge({FOUND: {"New", "Keys"}}, {FOUND._replace(at="Elsewhere"): "because"})[:1]
    assert problem.startswith("checkov: CKV_AWS_117 at ReplicatedSecretProvider/Handler in Keys, New: settle it")


def test_an_unused_reason_is_not_settled() -> None:
    (problem,) = judge({}, {FOUND: "because"})
    assert "is not found any more: remove it from tools/scan/acknowledged.toml" in problem


def test_an_empty_reason_is_not_settled() -> None:
    assert judge({FOUND: {"New"}}, {FOUND: " "}) == [
        "checkov: CKV_AWS_117 at ReplicatedSecretProvider/Handler: the reason is empty"
    ]


def test_every_reason_in_the_file_says_something() -> None:
    reasons = acknowledged()
    assert reasons
    assert judge({finding: {"New"} for finding in reasons}, reasons) == []
