"""A rule for cfn-lint: the properties of ``Custom::ReplicatedSecret``. ``cfn-lint --append-rules FOLDER``."""

from __future__ import annotations

import json
from pathlib import Path

from cfnlint.rules.jsonschema.CfnLintJsonSchema import CfnLintJsonSchema


class CustomReplicatedSecret(CfnLintJsonSchema):  # type: ignore[misc]
    """Checks them with the schema that lies beside this file."""

    id = "E9101"
    shortdesc = "Properties of Custom::ReplicatedSecret"
    description = "They are checked with the schema that the function's own parser is made of"
    source_url = "https://pypi.org/project/cdk-replicated-secret/"
    tags = ("resources",)

    def __init__(self) -> None:
        super().__init__(keywords=["Resources/Custom::ReplicatedSecret/Properties"], all_matches=True)
        self._schema = json.loads((Path(__file__).parent / "custom-replicatedsecret.json").read_text())
        self._use_schema_arg = False
