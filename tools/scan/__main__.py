"""Scan the stacks: a finding without a reason in acknowledged.toml fails, and so does a reason without a finding.

The reasons are matched here and not handed to each tool: the tools would not say which reasons are no longer needed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
ACKNOWLEDGED = Path(__file__).with_name("acknowledged.toml")
CHECKOV = ROOT / "build" / "checkov-venv" / "bin" / "checkov"
PACKS = {"AwsSolutions", "NIST.800.53.R5"}


class Finding(NamedTuple):
    """What a tool says of a construct; ``at`` is the construct's path in its stack."""

    tool: str
    id: str
    at: str


Found = Mapping[Finding, set[str]]


def main() -> int:
    """Scan, and print what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        found = defaultdict(set)
        paths = _synthesize(out)
        for scan in (_cdk_nag, _cfn_lint, _checkov):
            for finding, stack in scan(out, paths):
                found[finding].add(stack)
    problems = judge(found, acknowledged())
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    sys.stdout.write(f"{len(found)} findings in {len(paths)} stacks; problems: {len(problems)}\n")
    return 1 if problems else 0


def acknowledged() -> dict[Finding, str]:
    """The reasons of acknowledged.toml."""
    return {
        Finding(tool, entry["id"], at): entry["reason"]
        for tool, entries in tomllib.loads(ACKNOWLEDGED.read_text()).items()
        for entry in entries
        for at in entry["at"]
    }


def judge(found: Found, reasons: Mapping[Finding, str]) -> list[str]:
    """A line for each finding without a reason, and for each reason without a finding."""
    unexplained = [
        f"{finding.tool}: {finding.id} at {finding.at} in {', '.join(sorted(found[finding]))}: "
        f"fix it, or give a reason in {ACKNOWLEDGED.relative_to(ROOT)}"
        for finding in sorted(found.keys() - reasons.keys())
    ]
    stale = [
        f"{finding.tool}: {finding.id} at {finding.at} is no longer found: "
        f"remove it from {ACKNOWLEDGED.relative_to(ROOT)}"
        for finding in sorted(reasons.keys() - found.keys())
    ]
    empty = [
        f"{finding.tool}: {finding.id} at {finding.at}: the reason is empty"
        for finding in sorted(reasons)
        if not reasons[finding].strip()
    ]
    return unexplained + stale + empty


def _synthesize(out: Path) -> dict[str, dict[str, str]]:
    """Write the templates to ``out``. Returns the path of each logical ID, by stack."""
    environment = dict(os.environ) | {"PYTHONPATH": f"{ROOT}:{ROOT / 'constructs'}"}
    run = subprocess.run(
        [sys.executable, "-m", "tools.scan.app", out],
        cwd=ROOT,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )
    # It fails if there are findings, and writes them to a report. Without a report it failed for another reason.
    if not (out / "validation-report.json").exists():
        sys.exit(run.stdout + run.stderr)
    paths = {}
    for path in sorted(out.glob("*.template.json")):
        stack = path.name.removesuffix(".template.json")
        resources = json.loads(path.read_text())["Resources"]
        paths[stack] = {name: _within(resource["Metadata"]["aws:cdk:path"]) for name, resource in resources.items()}
    return paths


def _within(path: str) -> str:
    return path.partition("/")[2].removesuffix("/Resource")


def _cdk_nag(out: Path, _: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[Finding, str]]:
    reports = json.loads((out / "validation-report.json").read_text())["pluginReports"]
    if missing := PACKS - {report["pluginName"] for report in reports}:
        sys.exit(f"cdk-nag did not report on {', '.join(sorted(missing))}")
    for report in reports:
        for violation in report["violations"]:
            for construct in violation["violatingConstructs"]:
                path = construct["constructPath"]
                yield Finding("cdk-nag", violation["ruleName"], _within(path)), path.partition("/")[0]


def _cfn_lint(out: Path, paths: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[Finding, str]]:
    command: list[Path | str] = [Path(sys.executable).with_name("cfn-lint"), "--format", "json"]
    for match in _json(command, out):
        stack = Path(match["Filename"]).name.removesuffix(".template.json")
        section, name = [*match["Location"]["Path"], "", ""][:2]
        at = paths[stack][name] if section == "Resources" else f"{section}/{name}"
        yield Finding("cfn-lint", match["Rule"]["Id"], at), stack


def _checkov(out: Path, paths: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[Finding, str]]:
    options = ["--framework", "cloudformation", "--compact", "--quiet", "--skip-download", "--output", "json", "--file"]
    report = _json([CHECKOV, *options], out)
    if report["summary"]["parsing_errors"] or not report["summary"]["passed"]:
        sys.exit(f"checkov could not read the templates: {report['summary']}")
    for check in report["results"]["failed_checks"]:
        stack = Path(check["file_path"]).name.removesuffix(".template.json")
        yield Finding("checkov", check["check_id"], paths[stack][check["resource"].partition(".")[2]]), stack


def _json(command: list[Path | str], out: Path) -> Any:
    """Run a tool over the templates. Its exit code only says that it found something, so its output has to be JSON."""
    templates = sorted(out.glob("*.template.json"))
    run = subprocess.run([*command, *templates], text=True, capture_output=True, check=False)
    try:
        return json.loads(run.stdout)
    except json.JSONDecodeError:
        sys.exit(f"{command[0]} failed with exit code {run.returncode}:\n{run.stdout}{run.stderr}")


if __name__ == "__main__":
    sys.exit(main())
