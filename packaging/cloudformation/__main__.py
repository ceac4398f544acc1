"""``python -m cloudformation dist`` writes two templates, handler.zip, and cfn-lint/ with the schema into dist/."""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
from pathlib import Path

import aws_cdk as cdk
import yaml

from .monitor import MonitorStack
from .schema import schema
from .stack import ProviderStack

ROOT = Path(__file__).parents[2]
CODE = "handler.zip"
_TEMPLATES = {
    "provider.template.yaml": (
        ProviderStack,
        "function of Custom::ReplicatedSecret; deploy once per account and Region",
    ),
    "monitor.template.yaml": (MonitorStack, "scheduled check of replicated secrets; deploy where the primaries are"),
}
BUNDLE = ROOT / "build" / CODE
RULES, SCHEMA = "cfn-lint", "custom-replicatedsecret.json"


def build(target: Path) -> None:
    """Write them all into this folder."""
    rules = target / RULES
    rules.mkdir(parents=True, exist_ok=True)
    for name in _TEMPLATES:
        (target / name).write_text(template(name))
    (rules / SCHEMA).write_text(json.dumps(schema(), indent=2) + "\n")
    shutil.copy(Path(__file__).parent / "cfn_lint_rule.py", rules)
    shutil.copy(BUNDLE, target / CODE)


def template(name: str) -> str:
    """One of the templates, in YAML."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    app = cdk.App(analytics_reporting=False, context={"aws:cdk:disable-asset-staging": True})
    kind, what = _TEMPLATES[name]
    about = f"cdk-replicated-secret {version}: {what}"
    stack = kind(app, name.partition(".")[0].title(), code=CODE, description=about)
    made = app.synth().get_stack_by_name(stack.stack_name).template
    for resource in made["Resources"].values():
        resource.pop("Metadata", None)
    return str(yaml.safe_dump(made, sort_keys=False, width=120))


if __name__ == "__main__":
    build(Path(sys.argv[1]))
