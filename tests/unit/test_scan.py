"""``make scan`` itself takes too long for ``make test``; what it calls settled does not."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import aws_cdk as cdk
import cdk_nag
from aws_cdk import aws_secretsmanager as sm
from constructs import IConstruct

from cdk_replicated_secret import ReplicatedSecret, ReplicationMonitor, ReplicationProvider
from tools.scan.__main__ import PACKS, Finding, acknowledged, judge
from tools.scan.app import ACCOUNT, FLAGS, REGION
from tools.scan.page import PAGE, with_table

FOUND = Finding("checkov", "CKV_AWS_117", "ReplicatedSecretProvider/Handler")


def test_a_finding_with_a_reason_is_settled() -> None:
    assert judge({FOUND: {"New"}}, {FOUND: "because"}) == []


def test_a_finding_without_a_reason_is_not_settled() -> None:
    (problem,) = judge({FOUND: {"New", "Keys"}}, {FOUND._replace(at="Elsewhere"): "because"})[:1]
    assert problem.startswith("checkov: CKV_AWS_117 at ReplicatedSecretProvider/Handler in Keys, New: fix it")


def test_an_unused_reason_is_not_settled() -> None:
    (problem,) = judge({}, {FOUND: "because"})
    assert "is no longer found: remove it from tools/scan/acknowledged.toml" in problem


def test_an_empty_reason_is_not_settled() -> None:
    assert judge({FOUND: {"New"}}, {FOUND: " "}) == [
        "checkov: CKV_AWS_117 at ReplicatedSecretProvider/Handler: the reason is empty"
    ]


def test_every_reason_in_the_file_says_something() -> None:
    reasons = acknowledged()
    assert reasons
    assert judge({finding: {"New"} for finding in reasons}, reasons) == []


# docs/reference/findings.md.

BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_page_has_each_finding_and_its_reason() -> None:
    assert PAGE.read_text() == with_table(PAGE.read_text()), "run `make docs`"


def test_the_page_says_how_to_acknowledge_each_finding() -> None:
    """Except for those of IAM, whose ids depend on the secret: one of each kind is enough."""
    section = PAGE.read_text().partition("\n## Acknowledge them\n")[2]
    ids = {finding.id for finding in acknowledged() if finding.tool != "cfn-lint"}
    assert [id for id in sorted(ids) if "IAM5" not in id and id not in section] == []
    shown = set(re.findall(r'"((?:AwsSolutions-|NIST\.|CKV_)[^"]+)"', "".join(BLOCKS)))
    assert shown <= ids


def test_what_the_page_says_settles_the_findings(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path), context={"aws:cdk:enable-path-metadata": True} | FLAGS)
    packs = cdk_nag.AwsSolutionsChecks(app), cdk_nag.NIST80053R5Checks(app)
    cdk.Validations.of(app).add_plugins(*packs)
    stack = cdk.Stack(app, "app", env=cdk.Environment(account=ACCOUNT, region=REGION))
    existing = sm.Secret.from_secret_name_v2(stack, "Existing", "app/database")
    ReplicatedSecret(stack, "Database", secret=existing, regions=["eu-west-3", "us-east-1"])
    names = {"cdk": cdk, "IConstruct": IConstruct, "ReplicationProvider": ReplicationProvider, "stack": stack}
    names["ReplicationMonitor"] = ReplicationMonitor
    names["replicated"] = ReplicatedSecret(stack, "New", regions=["eu-west-3"])
    # Nothing is acknowledged here.
    ReplicatedSecret(cdk.Stack(app, "Other"), "New", regions=["eu-west-3"])
    exec("\n".join(BLOCKS), names)
    with contextlib.suppress(RuntimeError):
        app.synth()
    reports = json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
    found = {
        (violation["ruleName"], construct["constructPath"])
        for report in reports
        if report["pluginName"] in PACKS
        for violation in report["violations"]
        for construct in violation["violatingConstructs"]
    }
    assert {report["pluginName"] for report in reports} >= PACKS
    assert [(rule, path) for rule, path in found if not path.startswith("Other/")] == []
    assert any(path.startswith("Other/") for _, path in found)
    resources = json.loads((tmp_path / "app.template.json").read_text())["Resources"].values()
    skipped = {skip["id"] for r in resources for skip in r.get("Metadata", {}).get("checkov", {}).get("skip", [])}
    assert skipped == {f"CKV_AWS_{number}" for number in (115, 116, 117, 149, 158, 173)}
