"""A rule for cfn-lint: the properties of ``Custom::ReplicatedSecret``. ``cfn-lint --append-rules FOLDER``."""

from __future__ import annotations

import json
from pathlib import Path

from cfnlint.rules.jsonschema.CfnLintJsonSchema import CfnLintJsonSchema


class CustomReplicatedSecret(CfnLintJsonSchema):  # type: ignore[misc]
    """Checks the properties with the schema beside this file."""

    id = "E9101"
    shortdesc = "Properties of Custom::ReplicatedSecret"
    description = "Checks the properties with a schema made from the constants of the function's parser"
    source_url = "https://pypi.org/project/cdk-replicated-secret/"
    tags = ("resources",)

    def __init__(self) -> None:
        super().__init__(keywords=["Resources/Custom::ReplicatedSecret/Properties"], all_matches=True)
        self._schema = json.loads((Path(__file__).parent / "custom-replicatedsecret.json").read_text())
        self._use_schema_arg = False
