"""The model inside MiniStack: it replaces MiniStack's Secrets Manager; the other services stay as they are.

MiniStack authorizes a request before it passes it to the service. So the model replaces the service, and does not stand
in front of the whole app: with ``AUTH=true``, calls of the model are authorized too. Other parts of MiniStack that use
Secrets Manager (CloudFormation, RDS, tagging, dynamic references) call the same few functions, which are replaced here.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from ministack import app as ministack
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region, set_request_region
from ministack.core.router import extract_access_key_id
from ministack.services import cloudformation, kms, lambda_svc
from ministack.services import secretsmanager as service
from ministack.services.cloudformation import (
    changesets,
    custom_resource,
    engine,
    handlers,
    helpers,
    provisioners,
    stacks,
)

from .clock import SystemClock
from .iam import complete_iam
from .secrets_manager import ApiError, Delays, Secret, SecretsManager
from .secrets_manager.state import new_suffix
from .wire import CONTENT_TYPE, respond

# P1: the longest response that CloudFormation accepts.
_LONGEST_RESPONSE = 4096
_AWS_KEY = "alias/aws/secretsmanager"
_NOT_UPDATABLE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED")
_ENCRYPTING = ("GenerateDataKey", "Encrypt")
_Response = tuple[int, dict[str, str], bytes]
_Record = dict[str, Any]


class _Models:
    """One model for each account, as MiniStack keeps them apart."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays
        self._models: dict[str, SecretsManager] = {}

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        return self.current.call(get_region(), operation, parameters)

    def tried(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
        """The same; None if the API rejects the call."""
        try:
            return self.call(operation, parameters)
        except ApiError:
            return None

    @property
    def current(self) -> SecretsManager:
        account = get_account_id()
        if account not in self._models:
            self._models[account] = SecretsManager(SystemClock(), self._delays, account)
        return self._models[account]

    def reset(self) -> None:
        self._models.clear()


class _Records:
    """The model's secrets as the records that MiniStack's other services read."""

    def __init__(self, models: _Models) -> None:
        self._models = models

    def get(self, secret_id: str) -> _Record | None:
        secret = self._models.current.find(get_region(), secret_id)
        return _record(secret) if secret else None

    def values(self) -> Iterator[_Record]:
        return map(_record, self._models.current.secrets(get_region()))


def app(delays: Delays) -> Callable[..., Awaitable[None]]:
    """MiniStack's ASGI app, with the model in it.

    Args:
        delays: how long replication takes.
    """
    models = _Models(delays)
    _replace_service(models, _Authorization(models))
    _replace_resource(models)
    _complete_custom_resources()
    _complete_invocations()
    _complete_conditions()
    _complete_states()
    complete_iam()
    serve: Callable[..., Awaitable[None]] = ministack.app
    return serve


def _replace_service(models: _Models, authorization: _Authorization) -> None:
    records = _Records(models)

    async def handle_request(method: str, path: str, headers: dict[str, str], body: bytes, query: object) -> _Response:
        authorization.check_keys(headers, body)
        status, content = respond(models.current, get_region(), headers, body)
        return status, {"Content-Type": CONTENT_TYPE}, content

    def resolve(secret_id: str, *, use_arn_scope: bool = False) -> tuple[str | None, _Record | None]:
        parts = secret_id.split(":")
        region = parts[3] if use_arn_scope and len(parts) > 3 else get_region()
        secret = models.current.find(region, secret_id)
        return (secret.name, _record(secret)) if secret else (None, None)

    def create(name: str, secret_string: str, description: str = "") -> str | None:
        parameters = {"Name": name, "SecretString": secret_string, "Description": description}
        return (models.tried("CreateSecret", parameters) or {}).get("ARN")

    def put(secret_id: str, secret_string: str) -> bool:
        parameters = {"SecretId": secret_id, "SecretString": secret_string}
        return models.tried("PutSecretValue", parameters) is not None

    def put_value(parameters: dict[str, Any]) -> _Response:
        """How ``AWS::SecretsManager::SecretTargetAttachment`` adds a database's host and port."""
        try:
            models.call("PutSecretValue", parameters)
        except ApiError as error:
            return error.status, {}, error.message.encode()
        return 200, {}, b""

    def delete(secret_id: str) -> bool:
        parameters = {"SecretId": secret_id, "ForceDeleteWithoutRecovery": True}
        return models.tried("DeleteSecret", parameters) is not None

    def policy(resource_arn: str) -> tuple[str, str] | None:
        secret = models.current.find(get_region(), resource_arn)
        return (secret.content.policy or "", get_account_id()) if secret else None

    service.handle_request = handle_request
    service._secrets = records
    service._resolve = resolve
    service.create_secret_in_process = create
    service.put_secret_value_in_process = put
    service._put_secret_value = put_value
    service.delete_secret_in_process = delete
    service.secret_policy_for_arn = policy
    service.reset = models.reset


def _record(secret: Secret) -> _Record:
    return {
        "ARN": secret.arn,
        "Name": secret.name,
        "Description": secret.content.description,
        "Tags": [{"Key": key, "Value": value} for key, value in secret.content.tags.items()],
        "DeletedDate": secret.deleted,
        "Versions": {
            version_id: {
                "SecretString": version.string,
                "SecretBinary": version.binary,
                "Stages": sorted(version.stages),
            }
            for version_id, version in secret.content.versions.items()
        },
    }


class _Authorization:
    """What MiniStack's IAM enforcement (``AUTH=true``) does not know about Secrets Manager: condition keys, and KMS.

    A key that a request does not have is absent, as on AWS: ``StringEquals`` is then false, ``...IfExists`` and
    ``ForAllValues`` are true.
    """

    def __init__(self, models: _Models) -> None:
        self._models = models
        self._request_tags = iam_actions.request_tag_context
        self._resource_arn = iam_actions.extract_resource_arn
        # The bootstrap bucket rejects plain HTTP, so loopback counts as TLS.
        pin = ministack.pin_request_origin
        ministack.pin_request_origin = lambda address, secure: pin(address, secure_transport=True)
        iam_actions.request_tag_context = self._context
        iam_actions.extract_resource_arn = self._resource

    def _resource(self, service_name: str, *request: Any) -> str:
        """The resource to authorize.

        A secret that does not exist has a made-up suffix (F34). For several SSM parameters, this is the first that is
        denied, so that each is checked.
        """
        arn = str(self._resource_arn(service_name, *request))
        _, _, headers, body, params, region, account = request
        names, secret_id = [], ""
        with contextlib.suppress(ValueError):
            asked = json.loads(body or b"{}") if service_name in {"secretsmanager", "ssm"} else {}
            names, secret_id = asked.get("Names", []), asked.get("SecretId", "")
        is_name = bool(secret_id) and not secret_id.startswith("arn:")
        if service_name == "secretsmanager" and is_name and self._models.current.find(region, secret_id) is None:
            return f"{arn}-{new_suffix()}"
        if service_name != "ssm" or arn != "*":
            return arn
        arns = [f"arn:aws:ssm:{region}:{account}:parameter/{name.lstrip('/')}" for name in names]
        caller, action = extract_access_key_id(headers, params), headers["x-amz-target"].replace("AmazonSSM.", "ssm:")
        denied = (arn for arn in arns if iam_evaluator.enforce(caller, action, "ssm", region, resource_arn=arn))
        return next(denied, arns[0] if arns else "*")

    def _context(self, name: str, action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
        context: dict[str, Any] = self._request_tags(name, action, body, params)
        if name == "secretsmanager":
            with contextlib.suppress(ValueError):
                context |= self._secret_keys(json.loads(body or b"{}"))
        return context

    def _secret_keys(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """F31: the condition keys that a policy can test, from the request and from the secret that it names."""
        keys: dict[str, Any] = {"secretsmanager:SecretId": request.get("SecretId")}
        keys["secretsmanager:Name"] = request.get("Name")
        if "AddReplicaRegions" in request:
            keys["secretsmanager:AddReplicaRegions"] = [entry["Region"] for entry in request["AddReplicaRegions"]]
        if "ForceOverwriteReplicaSecret" in request:
            keys["secretsmanager:ForceOverwriteReplicaSecret"] = str(request["ForceOverwriteReplicaSecret"]).lower()
        if secret := self._models.current.find(get_region(), request.get("SecretId") or ""):
            keys["secretsmanager:SecretPrimaryRegion"] = secret.primary_region or secret.region
            for tag, value in secret.content.tags.items():
                keys[f"aws:ResourceTag/{tag}"] = keys[f"secretsmanager:ResourceTag/{tag}"] = value
        return {key: value for key, value in keys.items() if value is not None}

    def check_keys(self, headers: Mapping[str, str], body: bytes) -> None:
        """F30: the caller's own permissions for customer keys, checked before a replication."""
        request = json.loads(body or b"{}")
        secret = self._models.current.find(get_region(), request.get("SecretId") or "")
        if not ministack.AUTH or secret is None or not request.get("AddReplicaRegions"):
            return
        script, caller = self._models.current.script, extract_access_key_id(dict(headers), {})
        decrypts = _may_use_key(caller, secret.region, secret.key, "kms:Decrypt", secret.arn)
        for entry in request["AddReplicaRegions"]:
            key = entry.get("KmsKeyId") or _AWS_KEY
            replica = secret.arn.replace(secret.region, entry["Region"], 1)
            encrypts = all(_may_use_key(caller, entry["Region"], key, f"kms:{verb}", replica) for verb in _ENCRYPTING)
            (script.allow_key if decrypts and encrypts else script.deny_key)(key)


def _may_use_key(caller: str, region: str, key: str | None, action: str, secret_arn: str) -> bool:
    """Whether IAM allows this through Secrets Manager in that Region, and the key's policy if MiniStack has the key."""
    if not key or key == _AWS_KEY:
        return True
    here = get_region()
    set_request_region(region)
    try:
        record = kms._resolve_key(key)
        arn = record["Arn"] if record else key if key.startswith("arn:") else _key_arn(region, key)
        context = {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com", "kms:CallerAccount": get_account_id()}
        context["kms:EncryptionContext:SecretARN"] = secret_arn
        if aliases := [
            name.partition(f"{get_account_id()}:")[2]
            for name, of in kms._aliases.items()
            if record and of == record["KeyId"]
        ]:
            context["kms:ResourceAliases"] = aliases
        return iam_evaluator.enforce(caller, action, "kms", region, resource_arn=arn, service_context=context) is None
    finally:
        set_request_region(here)


def _key_arn(region: str, key: str) -> str:
    return f"arn:aws:kms:{region}:{get_account_id()}:key/{key.removeprefix('key/')}"


def _replace_resource(models: _Models) -> None:
    """``AWS::SecretsManager::Secret``: Ref is the ARN, ReplicaRegions works, a primary with replicas is not deleted."""

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        name = props.get("Name") or provisioners._physical_name(stack_name, logical_id)
        created = models.call(
            "CreateSecret",
            {
                "Name": name,
                "Tags": props.get("Tags"),
                "Description": props.get("Description", ""),
                "KmsKeyId": props.get("KmsKeyId"),
                "AddReplicaRegions": props.get("ReplicaRegions"),
            }
            | _value(models, props),
        )
        return created["ARN"], {"Id": created["ARN"]}

    def update(
        arn: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
    ) -> tuple[str, dict[str, str]]:
        if new.get("Name") != old.get("Name"):
            created = create(logical_id or arn, new, stack_name)
            provisioners._delete_predecessor(delete, arn, old)
            return created
        changed: dict[str, Any] = {"SecretId": arn}
        changed |= {key: new.get(key, "") for key in ("Description", "KmsKeyId") if new.get(key) != old.get(key)}
        if any(new.get(key) != old.get(key) for key in ("SecretString", "GenerateSecretString")):
            changed |= _value(models, new)
        models.call("UpdateSecret", changed)
        models.call("TagResource", {"SecretId": arn, "Tags": new.get("Tags")})
        dropped = _regions(old) - _regions(new)
        if dropped:
            models.call("RemoveRegionsFromReplication", {"SecretId": arn, "RemoveReplicaRegions": sorted(dropped)})
        if new.get("ReplicaRegions", []) != old.get("ReplicaRegions", []) and new.get("ReplicaRegions"):
            models.call("ReplicateSecretToRegions", {"SecretId": arn, "AddReplicaRegions": new["ReplicaRegions"]})
        return arn, {"Id": arn}

    def delete(arn: str, props: dict[str, Any]) -> None:
        with contextlib.suppress(ApiError):
            if declared := _regions(props):
                models.call("RemoveRegionsFromReplication", {"SecretId": arn, "RemoveReplicaRegions": sorted(declared)})
        models.call("DeleteSecret", {"SecretId": arn, "ForceDeleteWithoutRecovery": True})

    def adopt(identifier: dict[str, str]) -> tuple[str, dict[str, str]]:
        arn = models.call("DescribeSecret", {"SecretId": identifier["Id"]})["ARN"]
        return arn, {"Id": arn}

    provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"] = {
        "create": create,
        "update": update,
        "delete": delete,
        "import": adopt,
    }


def _value(models: _Models, props: dict[str, Any]) -> dict[str, str]:
    """SecretString, or what GenerateSecretString asks for; empty without either, for a secret without a value."""
    if "SecretString" in props:
        return {"SecretString": props["SecretString"]}
    if "GenerateSecretString" not in props:
        return {}
    wanted = props["GenerateSecretString"]
    password = models.call("GetRandomPassword", wanted)["RandomPassword"]
    if "SecretStringTemplate" not in wanted:
        return {"SecretString": password}
    template = json.loads(wanted["SecretStringTemplate"])
    return {"SecretString": json.dumps(template | {wanted["GenerateStringKey"]: password})}


def _regions(props: dict[str, Any]) -> set[str]:
    return {entry["Region"] for entry in props.get("ReplicaRegions") or []}


def _complete_custom_resources() -> None:
    """What CloudFormation does and MiniStack does not: see P1 and P4 in docs/design/protocol.md.

    A response over 4,096 bytes fails. A resource whose Create failed is sent a Delete with the id of its response. If
    that fails, it is sent another when the stack is deleted.
    """
    invoke, deliver = custom_resource.invoke_custom_resource, custom_resource.deliver_response
    delete_stack = handlers._delete_stack_async
    failed: dict[tuple[str, str], str] = {}
    undeleted: dict[str, dict[str, Any]] = {}

    def deliver_response(token: str, response: dict[str, Any]) -> bool:
        size = len(json.dumps(response, separators=(",", ":")).encode())
        if size > _LONGEST_RESPONSE:
            response = response | {"Status": "FAILED", "Reason": "Response object is too long.", "Data": {}}
        if response.get("Status") == "FAILED":
            failed[response.get("StackId", ""), response.get("LogicalResourceId", "")] = response.get(
                "PhysicalResourceId", ""
            )
        delivered: bool = deliver(token, response)
        return delivered

    def invoke_custom_resource(
        request_type: str,
        logical_id: str,
        props: dict[str, Any],
        stack_name: str,
        stack_id: str,
        resource_type: str,
        **more: Any,
    ) -> Any:
        try:
            return invoke(request_type, logical_id, props, stack_name, stack_id, resource_type, **more)
        except (RuntimeError, TimeoutError):
            if request_type == "Create":
                physical_id = failed.get((stack_id, logical_id)) or f"{stack_name}-{logical_id}-failed"
                try:
                    invoke("Delete", logical_id, props, stack_name, stack_id, resource_type, physical_id=physical_id)
                except (RuntimeError, TimeoutError) as error:
                    logging.getLogger("cloudformation").warning("Delete of the failed %s failed: %s", logical_id, error)
                    left = {"ResourceType": resource_type, "Properties": props, "PhysicalResourceId": physical_id}
                    undeleted.setdefault(stack_id, {})[logical_id] = left
            raise

    async def delete_stack_with_what_is_left(stack_name: str, stack_id: str, *more: Any, **others: Any) -> None:
        cloudformation._stacks[stack_name]["_resources"].update(undeleted.pop(stack_id, {}))
        await delete_stack(stack_name, stack_id, *more, **others)

    handlers._delete_stack_async = delete_stack_with_what_is_left
    custom_resource.deliver_response = deliver_response
    custom_resource.invoke_custom_resource = invoke_custom_resource


def _complete_invocations() -> None:
    """A custom resource's function that fails is called twice more: see P6 in docs/design/protocol.md.

    CloudFormation's own call is the first with its ResponseURL. A function may pass the request on, as the CDK's
    Provider framework does; that is an ordinary call.
    """
    execute, make_url = lambda_svc._execute_function_with_config_scope, custom_resource._response_url
    fresh: set[str] = set()

    def response_url(token: str) -> str:
        url: str = make_url(token)
        fresh.add(url)
        return url

    def execute_again(function: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
        url = request.get("ResponseURL") if isinstance(request, dict) else None
        if url not in fresh:
            return dict(execute(function, request))
        fresh.remove(url)
        lambda_svc.invoke_async_with_retry(function, request)
        return {}

    custom_resource._response_url = response_url
    lambda_svc._execute_function_with_config_scope = execute_again


def _complete_conditions() -> None:
    """Support ``Fn::Join`` of a list parameter in a condition."""
    evaluate = engine._evaluate_conditions

    def evaluate_joined(template: dict[str, Any], params: dict[str, Any]) -> Any:
        def joined(value: Any) -> Any:
            if isinstance(value, list):
                return [joined(entry) for entry in value]
            if not isinstance(value, dict):
                return value
            match value:
                case {"Fn::Join": [str(separator), {"Ref": str(name)}]} if name in params:
                    return separator.join(params[name]["Value"].split(","))
            return {key: joined(entry) for key, entry in value.items()}

        return evaluate(template | {"Conditions": joined(template.get("Conditions", {}))}, params)

    for module in (engine, changesets, handlers, stacks):
        if hasattr(module, "_evaluate_conditions"):
            module._evaluate_conditions = evaluate_joined


def _complete_states() -> None:
    """A stack whose Create or rollback failed can only be deleted."""
    actions = handlers._ACTION_HANDLERS
    create, update, change = (actions[name] for name in ("CreateStack", "UpdateStack", "CreateChangeSet"))

    def rejected(params: Mapping[str, Any], *, creates: bool) -> Any:
        """The error, or None if the stack's state allows the call."""
        name = helpers._p(params, "StackName")
        stack = handlers._resolve_stack(name) or {"StackStatus": ""}
        status = stack["StackStatus"]
        if creates and status == "ROLLBACK_COMPLETE":
            change_set = helpers._p(params, "ChangeSetName")
            again = f" and cannot be created again with the changeSet [{change_set}]" if change_set else ""
            code = "ValidationError" if change_set else "AlreadyExistsException"
            return helpers._error(code, f"Stack [{name}] already exists{again}")
        if not creates and status in _NOT_UPDATABLE:
            message = f"Stack:{stack['StackId']} is in {status} state and can not be updated."
            return helpers._error("ValidationError", message)
        return None

    def create_stack(params: Mapping[str, Any]) -> Any:
        return rejected(params, creates=True) or create(params)

    def update_stack(params: Mapping[str, Any]) -> Any:
        return rejected(params, creates=False) or update(params)

    def create_change_set(params: Mapping[str, Any]) -> Any:
        creates = helpers._p(params, "ChangeSetType", "UPDATE") == "CREATE"
        return rejected(params, creates=creates) or change(params)

    actions.update(CreateStack=create_stack, UpdateStack=update_stack, CreateChangeSet=create_change_set)
