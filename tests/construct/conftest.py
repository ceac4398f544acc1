"""Each template that a test here synthesizes has valid policies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from tests.helpers.policies import check


@pytest.fixture(autouse=True)
def valid_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks them wherever a test synthesizes."""
    of_stack, of_app = Template.from_stack, cdk.App.synth

    def from_stack(stack: cdk.Stack, *arguments: Any, **more: Any) -> Template:
        template = of_stack(stack, *arguments, **more)
        check(template.to_json())
        return template

    def synth(app: cdk.App, *arguments: Any, **more: Any) -> Any:
        assembly = of_app(app, *arguments, **more)
        for path in Path(assembly.directory).rglob("*.template.json"):
            check(json.loads(path.read_text()))
        return assembly

    monkeypatch.setattr(Template, "from_stack", from_stack)
    monkeypatch.setattr(cdk.App, "synth", synth)
