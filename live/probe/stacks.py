"""Secrets that CloudFormation stacks make or import."""

from __future__ import annotations

import json
from typing import Any

from live.finding import Finding, holds, settled, settled_by, unexpected
from live.lab import Lab
from live.secret import Secret, said
from local.secrets_manager.dialect import Imported, SystemTags

_SYSTEM_TAG = "aws:cloudformation:stack-id"
_FOREIGN_TAG = "foreign"
_TYPE = "AWS::SecretsManager::Secret"


def u15(lab: Lab) -> Finding:
    """Replicate a secret that a stack made, and search the replica for the stack's system tags."""
    name = lab.name()
    properties = {"Name": name, "GenerateSecretString": {}}
    stack = lab.stack({"Resources": {"Secret": {"Type": _TYPE, "Properties": properties}}})
    resource = lab.need("cloudformation", "describe_stack_resource", StackName=stack, LogicalResourceId="Secret")
    secret = Secret(lab, resource["StackResourceDetail"]["PhysicalResourceId"], name, lab.home)
    if _SYSTEM_TAG not in lab.settle(lambda: _tags(secret, lab.home), bool):
        return unexpected(f"the primary has no tag {_SYSTEM_TAG}")
    started = lab.now()
    reply = secret.replicate(lab.first)
    if reply.code:
        return unexpected(reply.words)
    secret.in_sync(lab.first, since=started)
    tags = lab.settle(lambda: _tags(secret, lab.first), bool)
    if _SYSTEM_TAG in tags:
        return settled(SystemTags.COPIED, f"the replica has {' '.join(sorted(tags))}")
    return settled(SystemTags.NOT_COPIED, f"the replica has {' '.join(sorted(tags)) or 'no tags'}")


def f27(lab: Lab) -> Finding:
    """A stack that changes the tags of its secret leaves those that others have added."""
    name = lab.name()
    stack = lab.stack(_with_tag(name, "before"))
    resource = lab.need("cloudformation", "describe_stack_resource", StackName=stack, LogicalResourceId="Secret")
    secret = Secret(lab, resource["StackResourceDetail"]["PhysicalResourceId"], name, lab.home)
    tag = {"Key": _FOREIGN_TAG, "Value": "kept?"}
    lab.need("secretsmanager", "tag_resource", SecretId=secret.arn, Tags=[tag])
    lab.need("cloudformation", "update_stack", StackName=stack, TemplateBody=json.dumps(_with_tag(name, "after")))
    lab.stack_until(stack, "UPDATE_COMPLETE")
    tags = lab.settle(lambda: _tags(secret, lab.home), lambda tags: "after" in tags)
    did = f"the tag {'stayed' if _FOREIGN_TAG in tags else 'was removed'}, and the secret has {' '.join(sorted(tags))}"
    return holds(did, so={_FOREIGN_TAG, "after"} <= tags)


def _with_tag(name: str, tag: str) -> dict[str, Any]:
    properties = {"Name": name, "GenerateSecretString": {}, "Tags": [{"Key": tag, "Value": "declared"}]}
    return {"Resources": {"Secret": {"Type": _TYPE, "Properties": properties}}}


def u17(lab: Lab) -> Finding:
    """Import a secret with a replica and a tag into a stack whose template declares neither."""
    secret = lab.replicated()
    tag = {"Key": _FOREIGN_TAG, "Value": "kept?"}
    lab.need("secretsmanager", "tag_resource", SecretId=secret.arn, Tags=[tag])
    # An import cannot set the stack's tags. So the stack exists before, with the run's tag and a dummy resource.
    nothing = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    stack = lab.stack({"Resources": {"Nothing": nothing}})
    tags = [{"Key": key, "Value": value} for key, value in lab.account.tag.items()]
    properties = {"Name": secret.name, "Tags": tags}
    declared = {"Type": _TYPE, "DeletionPolicy": "Retain", "Properties": properties}
    change = {"StackName": stack, "ChangeSetName": "import"}
    imported = {
        "ResourceType": _TYPE,
        "LogicalResourceId": "Secret",
        "ResourceIdentifier": {"Id": secret.arn},
    }
    lab.need(
        "cloudformation",
        "create_change_set",
        **change,
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps({"Resources": {"Nothing": nothing, "Secret": declared}}),
        ResourcesToImport=[imported],
    )
    lab.change_set_until(stack, "import")
    lab.need("cloudformation", "execute_change_set", **change)
    lab.stack_until(stack, "IMPORT_COMPLETE")
    found, entry = lab.settle(lambda: (_tags(secret, lab.home), secret.entry(lab.first)), bool)
    did = f"the tag {'stayed' if _FOREIGN_TAG in found else 'was removed'}, the replica's entry is {said(entry)}"
    values = {(True, True): Imported.STAY, (False, False): Imported.REMOVED}
    return settled_by(values, (_FOREIGN_TAG in found, bool(entry)), did)


def _tags(secret: Secret, region: str) -> frozenset[str]:
    return frozenset(tag["Key"] for tag in secret.describe(region).response.get("Tags", []))
