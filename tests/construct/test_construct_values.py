"""Every form that a value can have, in every slot: docs/reference/values.md is the table, and these are the values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import Aws, Fn, Lazy, Token
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as sm
from aws_cdk import aws_ssm as ssm
from aws_cdk.assertions import Template

from cdk_replicated_secret import ReplicaRegion, ReplicatedSecret, ReplicationProvider
from tests.helpers.template import ACCOUNT, Deployment, short

Given = Callable[[cdk.Stack], Any]
NAME = "app/database"
ARN = f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:{NAME}"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
MULTI_REGION_ID = "mrk-1234abcd12ab34cd56ef1234567890ab"
KEY = f"arn:aws:kms:eu-west-3:{ACCOUNT}:key/{KEY_ID}"
KEY_HERE = KEY.replace("eu-west-3", "us-west-2")
FUNCTION = f"arn:aws:lambda:us-west-2:{ACCOUNT}:function:replication"
DUMMY = "dummy-value-for-/app/value"
DYNAMIC = "{{resolve:ssm:/app/value}}"
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "values.md"


# The forms.


def literal(value: Any) -> Given:
    return lambda _: value


def parameter(stack: cdk.Stack) -> Any:
    return cdk.CfnParameter(stack, "Text", default="").value_as_string


def parameter_of_ssm(stack: cdk.Stack) -> Any:
    return ssm.StringParameter.value_for_string_parameter(stack, "/app/value")


def list_parameter(stack: cdk.Stack) -> Any:
    return cdk.CfnParameter(stack, "List", type="CommaDelimitedList", default="").value_as_list


def either(one: Any, other: Any = Aws.NO_VALUE) -> Given:
    """One or the other, by a condition of the stack."""

    def given(stack: cdk.Stack) -> Any:
        if not stack.node.try_find_child("Yes"):
            cdk.CfnCondition(stack, "Yes", expression=Fn.condition_equals("yes", "yes"))
        return Fn.condition_if("Yes", one(stack) if callable(one) else one, other)

    return given


def text(given: Given) -> Given:
    return lambda stack: Token.as_string(given(stack))


def as_list(given: Given) -> Given:
    return lambda stack: Token.as_list(given(stack))


def attribute(stack: cdk.Stack) -> Any:
    return Token.as_string(cdk.CfnResource(stack, "Other", type="Other::Resource::Type").get_att("Value"))


def attributes(stack: cdk.Stack) -> Any:
    return Token.as_list(cdk.CfnResource(stack, "Other", type="Other::Resource::Type").get_att("Values"))


def look_up(stack: cdk.Stack) -> Any:
    return ssm.StringParameter.value_from_lookup(stack, "/app/value")


def forced(stack: cdk.Stack) -> Any:
    return ssm.StringParameter.from_string_parameter_attributes(
        stack, "Forced", parameter_name="/app/value", force_dynamic_reference=True
    ).string_value


def forced_list(stack: cdk.Stack) -> Any:
    return ssm.StringListParameter.from_string_list_parameter_name(stack, "Forced", "/app/value").string_list_value


def key(stack: cdk.Stack) -> kms.Key:
    return kms.Key(stack, "Key")


def key_there(stack: cdk.Stack) -> kms.Key:
    """A key of a stack in the replica's Region."""
    environment = cdk.Environment(account=ACCOUNT, region="eu-west-3")
    return kms.Key(cdk.Stack(root(stack), "Paris", env=environment, cross_region_references=True), "Key")


def key_id(stack: cdk.Stack) -> Any:
    return key(stack).key_id


def raw_key(stack: cdk.Stack) -> kms.CfnKey:
    return kms.CfnKey(stack, "Key")


def alias(stack: cdk.Stack) -> kms.Alias:
    return key(stack).add_alias("app")


def alias_by_name(stack: cdk.Stack) -> kms.IAlias:
    return kms.Alias.from_alias_name(stack, "Alias", "alias/app")


def alias_there(stack: cdk.Stack) -> kms.Alias:
    return key_there(stack).add_alias("app")


def asked(stack: cdk.Stack) -> Any:
    """A parameter, removed by a condition that asks whether it is blank."""
    value = parameter(stack)
    cdk.CfnCondition(stack, "HasText", expression=Fn.condition_not(Fn.condition_equals(value, "")))
    return Token.as_string(Fn.condition_if("HasText", value, Aws.NO_VALUE))


def imported_key(given: Given) -> Given:
    return lambda stack: kms.Key.from_key_arn(stack, "Imported", given(stack))


def raw_secret(stack: cdk.Stack) -> sm.CfnSecret:
    return sm.CfnSecret(stack, "Raw", name=NAME)


def by_name(given: Given) -> Given:
    return lambda stack: sm.Secret.from_secret_name_v2(stack, "Imported", given(stack))


def by_arn(given: Given) -> Given:
    return lambda stack: sm.Secret.from_secret_complete_arn(stack, "Imported", given(stack))


def by_partial_arn(given: Given) -> Given:
    return lambda stack: sm.Secret.from_secret_partial_arn(stack, "Imported", given(stack))


def neighbor(stack: cdk.Stack) -> cdk.Stack:
    """Another stack in the same Region."""
    return cdk.Stack(root(stack), "Neighbor", env=cdk.Environment(account=ACCOUNT, region="us-west-2"))


def by_attributes(stack: cdk.Stack) -> sm.ISecret:
    return sm.Secret.from_secret_attributes(stack, "Imported", secret_partial_arn=ARN)


def root(stack: cdk.Stack) -> Any:
    return stack.node.root


@jsii.implements(cdk.IStableStringProducer)
class LazyText:
    def __init__(self, value: str) -> None:
        self._value = value

    def produce(self) -> str:
        return self._value


@jsii.implements(cdk.IStableListProducer)
class LazyParis:
    def produce(self) -> list[str]:
        return ["eu-west-3"]


PARIS = sm.ReplicaRegion(region="eu-west-3")

GIVEN: dict[str, dict[str, Given]] = {
    "secret": {
        "literal": literal(NAME),
        "literal name": by_name(literal(NAME)),
        "literal ARN": by_arn(literal(f"{ARN}-AbCdEf")),
        "literal partial ARN": by_partial_arn(literal(ARN)),
        "parameter, a name": by_name(parameter),
        "parameter, an ARN": by_arn(parameter_of_ssm),
        "Fn::If, NoValue": by_name(text(either(NAME))),
        "Fn::If, NoValue, ARN": by_arn(text(either(f"{ARN}-AbCdEf"))),
        "Fn::If, two names": by_name(text(either("a", "b"))),
        "partial ARN, parameter": by_partial_arn(parameter_of_ssm),
        "attributes": by_attributes,
        "of another stack": lambda s: sm.Secret(neighbor(s), "Secret"),
        "of another stack, L1": by_arn(lambda s: raw_secret(neighbor(s)).ref),
        "Ref": by_arn(lambda s: raw_secret(s).ref),
        "GetAtt": by_name(attribute),
        "list token": list_parameter,
        "lookup": by_name(look_up),
        "dynamic reference": literal(DYNAMIC),
        "dynamic reference, a name": by_name(literal(DYNAMIC)),
        "dynamic reference, forced name": by_name(forced),
        "dynamic reference, an ARN": by_arn(forced),
        "dynamic reference, secure": by_name(literal("{{resolve:ssm-secure:/app/value}}")),
        "alias": alias,
        "L1": raw_secret,
        "sm.ReplicaRegion": literal(PARIS),
        "ReplicatedSecret": lambda s: ReplicatedSecret(s, "First", regions=["eu-west-3"]),
        "bytes": literal(b"app"),
    },
    "regions": {
        "literal": literal(["eu-west-3"]),
        "none": literal([]),
        "blank": literal([""]),
        "parameter": list_parameter,
        "parameter, split": lambda s: Fn.split(",", parameter(s)),
        "parameter, not split": parameter,
        "parameter itself": lambda s: cdk.CfnParameter(s, "List"),
        "Fn::If, NoValue": as_list(either(["eu-west-3"])),
        "Fn::If, NoValue, no token": either(["eu-west-3"]),
        "Fn::If, none": as_list(either(["eu-west-3"], [])),
        "Fn::If, none, no token": either(["eu-west-3"], []),
        "GetAtt": attributes,
        "list token": lambda s: ssm.StringListParameter.value_for_typed_list_parameter(s, "/app/value"),
        "list token and more": lambda s: [*list_parameter(s), "eu-west-3"],
        "lazy": lambda _: Lazy.list(LazyParis()),
        "lookup": lambda s: look_up(s).split(","),
        "lookup, not split": look_up,
        "dynamic reference": forced_list,
        "dynamic reference, not split": literal(DYNAMIC),
        "alias": alias,
        "L1": lambda s: sm.CfnSecret.ReplicaRegionProperty(region="eu-west-3"),
        "sm.ReplicaRegion": literal(PARIS),
        "None": literal(None),
    },
    "region": {
        "literal": literal("eu-west-3"),
        "blank": literal(""),
        "with spaces": literal(" eu-west-3"),
        "parameter": parameter,
        "parameter itself": lambda s: cdk.CfnParameter(s, "Text"),
        "Fn::If, NoValue": text(either("eu-west-3")),
        "Fn::If, NoValue, no token": either("eu-west-3"),
        "GetAtt": attribute,
        "the stack's own": lambda _: Aws.REGION,
        "list token": list_parameter,
        "lazy": lambda _: Lazy.string(LazyText("eu-west-3")),
        "lookup": look_up,
        "dynamic reference": literal(DYNAMIC),
        "dynamic reference, forced": forced,
        "dynamic reference, secure": literal("{{resolve:ssm-secure:/app/value}}"),
        "alias": alias,
        "L1": lambda s: sm.CfnSecret.ReplicaRegionProperty(region="eu-west-3"),
        "sm.ReplicaRegion": literal(PARIS),
        "sm.ReplicaRegion, token": lambda s: sm.ReplicaRegion(region=parameter(s)),
        "number": literal(3),
        "None": literal(None),
        "bytes": literal(b"eu-west-3"),
    },
    "region with a key": {
        "literal": literal("eu-west-3"),
        "parameter": parameter,
        "Fn::If, NoValue": text(either("eu-west-3")),
        "GetAtt": attribute,
        "lookup": look_up,
        "dynamic reference": forced,
    },
    "key": {
        "none": literal(None),
        "blank": literal(""),
        "literal ARN": literal(KEY),
        "literal ID": literal(KEY_ID),
        "literal ID, multi-Region": literal(MULTI_REGION_ID),
        "literal alias": literal("alias/app"),
        "literal name": literal("app"),
        "literal ID with a prefix": literal(f"key/{KEY_ID}"),
        "literal ARN of something else": literal(FUNCTION),
        "parameter": parameter,
        "parameter in an alias": lambda s: f"alias/{parameter(s)}",
        "parameter of SSM": parameter_of_ssm,
        "parameter itself": lambda s: cdk.CfnParameter(s, "Text"),
        "Fn::If, NoValue": text(either(KEY)),
        "Fn::If, NoValue, no token": either(KEY),
        "Fn::If, blank": text(either(KEY, "")),
        "Fn::If, an ID": text(either(KEY_ID)),
        "Fn::If, an alias": text(either("alias/app")),
        "Fn::If, a parameter": text(either(parameter)),
        "Fn::If, a parameter that it asks": asked,
        "Fn::If, two": lambda s: Token.as_string(Fn.condition_if("Yes", text(either(KEY))(s), KEY_ID)),
        "GetAtt": lambda s: kms.CfnKey(s, "Key").attr_arn,
        "GetAtt of another stack": lambda s: key_there(s).key_arn,
        "Ref of another stack": lambda s: key_there(s).key_id,
        "construct there": key_there,
        "alias there": alias_there,
        "Fn::If, construct there": lambda s: Token.as_string(either(key_there(s).key_arn)(s)),
        "Ref": key_id,
        "list token": list_parameter,
        "lazy alias": lambda _: Lazy.string(LazyText("alias/app")),
        "lookup": look_up,
        "lookup of a key": lambda s: kms.Key.from_lookup(s, "Key", alias_name="alias/app"),
        "dynamic reference": literal(DYNAMIC),
        "dynamic reference, forced": forced,
        "imported": imported_key(literal(KEY)),
        "imported, its ID": lambda s: imported_key(parameter_of_ssm)(s).key_id,
        "construct": key,
        "alias": alias,
        "alias by name": alias_by_name,
        "alias, its name": lambda s: alias(s).alias_name,
        "L1": raw_key,
        "L1 alias": lambda s: kms.CfnAlias(s, "Alias", alias_name="alias/app", target_key_id=KEY_ID),
        "L1 alias, Ref": lambda s: kms.CfnAlias(s, "Alias", alias_name="alias/app", target_key_id=KEY_ID).ref,
        "sm.ReplicaRegion": literal(PARIS),
        "number": literal(5),
        "bytes": literal(b"alias/app"),
        "with spaces": literal(" alias/app"),
    },
    "primary's key": {
        "none": literal(None),
        "literal": literal("alias/app"),
        "literal name": literal("app"),
        "literal ARN": imported_key(literal(KEY_HERE)),
        "literal ARN, elsewhere": imported_key(literal(KEY)),
        "parameter": imported_key(parameter),
        "Fn::If, NoValue": imported_key(text(either(KEY_HERE))),
        "GetAtt": imported_key(attribute),
        "list token": list_parameter,
        "lookup": lambda s: kms.Key.from_lookup(s, "Key", alias_name="alias/app"),
        "dynamic reference": imported_key(forced),
        "construct": key,
        "alias": alias,
        "alias by name": alias_by_name,
        "L1": raw_key,
        "sm.ReplicaRegion": literal(PARIS),
    },
    "service token": {
        "literal": literal(FUNCTION),
        "blank": literal(""),
        "parameter": parameter,
        "Fn::If, NoValue": text(either(FUNCTION)),
        "Fn::If": either(FUNCTION, FUNCTION),
        "GetAtt": attribute,
        "import": lambda _: Fn.import_value("Token"),
        "list token": list_parameter,
        "lookup": look_up,
        "dynamic reference": literal(DYNAMIC),
        "alias": alias,
        "L1": raw_secret,
        "sm.ReplicaRegion": literal(PARIS),
        "bytes": literal(FUNCTION.encode()),
    },
}


def rows() -> dict[tuple[str, str], tuple[str, str]]:
    """The page's tables: a slot and a form, and what the template and the policy have."""
    sections = re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return {
        (slot.lower(), form): (template, policy)
        for slot, section in sections
        for form, template, policy in re.findall(r"^\| (.+?) \| (.+?) \| (.+) \|$", section, re.MULTILINE)
        if form != "Form"
    }


ROWS = rows()
RENDERED = [row for row, (template, _) in ROWS.items() if template != "error"]
REJECTED = [row for row, (template, _) in ROWS.items() if template == "error"]


def new_stack() -> cdk.Stack:
    environment = cdk.Environment(account=ACCOUNT, region="us-west-2")
    return cdk.Stack(cdk.App(), "App", env=environment, cross_region_references=True)


@pytest.fixture
def stack() -> cdk.Stack:
    return new_stack()


def declare(stack: cdk.Stack, slot: str, form: str) -> None:
    """A ReplicatedSecret with the value in the slot."""
    value = GIVEN[slot][form](stack)
    arguments: dict[str, Any] = {"regions": ["us-east-1"]}
    if slot == "secret":
        arguments["secret"] = value
    elif slot == "regions":
        arguments["regions"] = value
    elif slot == "region":
        arguments["regions"] = [value]
    elif slot == "region with a key":
        arguments["regions"] = [ReplicaRegion(value, encryption_key="alias/app")]
    elif slot == "key":
        arguments["regions"] = [ReplicaRegion("eu-west-3", encryption_key=value)]
    elif slot == "primary's key":
        arguments["encryption_key"] = value
    else:
        arguments["provider"] = ReplicationProvider.from_service_token(stack, "Provider", value)
    ReplicatedSecret(stack, "Database", **arguments)


def properties(template: Template, kind: str) -> dict[str, Any]:
    return dict(list(template.find_resources(kind).values())[-1]["Properties"])


def rendered(template: Template, slot: str) -> Any:
    """What the template has of the value in a slot."""
    if slot == "primary's key":
        return properties(template, "AWS::SecretsManager::Secret").get("KmsKeyId")
    resource = properties(template, "Custom::ReplicatedSecret")
    if slot == "secret":
        return resource["SecretId"]
    if slot == "service token":
        return resource["ServiceToken"]
    regions = resource["ReplicaRegions"]
    if slot == "regions":
        return regions
    if slot == "key":
        (entry,) = regions
        return entry.get("KmsKeyId") if isinstance(entry, dict) else None
    return regions[0] if regions else None


def in_policy(template: Template, slot: str) -> Any:
    """What the policies of the function have of the value in a slot."""
    if slot == "service token":
        return None
    managed = template.find_resources("AWS::IAM::ManagedPolicy").values()
    statements = [entry for policy in managed for entry in policy["Properties"]["PolicyDocument"]["Statement"]]
    slots = {"key": "kms:Encrypt", "region with a key": "kms:Encrypt", "primary's key": "kms:Decrypt"}
    action = slots.get(slot, "secretsmanager:ReplicateSecretToRegions")
    found = [entry for entry in statements if action in entry["Action"]]
    if not found:
        return None
    if not slot.startswith("region") or slot == "region with a key":
        return found[0]["Resource"]
    regions = found[0]["Condition"]["ForAllValues:StringEquals"]["secretsmanager:AddReplicaRegions"]
    return regions if slot == "regions" else regions[0]


def as_on_the_page(value: Any) -> str:
    """A value as the page writes it: without partition, account and the digits of keys."""
    if value is None:
        return "-"
    text = str(short(value))
    for long, brief in (("arn:aws:", ""), ("arn:${AWS::Partition}:", ""), (f":{ACCOUNT}:", ":")):
        text = text.replace(long, brief)
    return f"`{text.replace(KEY_ID, 'ID').replace(MULTI_REGION_ID, 'mrk-ID')}`"


def test_the_table_is_complete() -> None:
    assert set(ROWS) == {(slot, form) for slot, forms in GIVEN.items() for form in forms}


@cache
def synthesized(slot: str, form: str) -> Template:
    stack = new_stack()
    declare(stack, slot, form)
    return Template.from_stack(stack)


@pytest.fixture(autouse=True)
def valid_policies() -> None:
    """Instead of conftest's: here policies are checked for each value of each parameter."""


@pytest.mark.parametrize(("slot", "form"), RENDERED)
def test_a_value_is_rendered(slot: str, form: str) -> None:
    template = synthesized(slot, form)
    assert (as_on_the_page(rendered(template, slot)), as_on_the_page(in_policy(template, slot))) == ROWS[slot, form]


@pytest.mark.parametrize(
    ("slot", "form"),
    # A template with the dummy of a lookup is never deployed.
    [row for row in RENDERED if not row[1].startswith("lookup")],
)
def test_iam_accepts_the_policies(slot: str, form: str) -> None:
    """Whether the parameters are blank or given, and whatever the condition."""
    template = synthesized(slot, form).to_json()
    text = {"secret": f"{ARN}-AbCdEf", "key": KEY, "primary's key": KEY_HERE}.get(slot, "us-east-2")
    for given, true in ((False, False), (False, True), (True, True)):
        values: dict[str, Any] = {}
        for name, known in template.get("Parameters", {}).items():
            value = text if given or known["Type"].startswith("AWS::SSM") else ""
            values[name] = value.split(",") if "List" in known["Type"] else value
        deployment = Deployment(template, values, dynamic=text, true=true)
        assert not list(deployment.problems_for_iam()), (given, true)


@pytest.mark.parametrize(("slot", "form"), REJECTED)
def test_a_value_that_cannot_work_is_rejected(stack: cdk.Stack, slot: str, form: str) -> None:
    message = ".*".join(re.escape(part) for part in ROWS[slot, form][1].split("..."))
    with pytest.raises((TypeError, ValueError), match=message) as error_info:
        declare(stack, slot, form)
    assert re.match(r"App/\w+: ", str(error_info.value))


FOUND = f"ssm:account={ACCOUNT}:parameterName=/app/value:region=us-west-2"


def test_a_look_up_runs_and_its_value_is_checked(stack: cdk.Stack) -> None:
    """The first synthesis tells the CLI what to look up; the next one has it in its context."""
    ReplicatedSecret(stack, "Database", regions=look_up(stack).split(","))
    manifest = json.loads((Path(root(stack).synth().directory) / "manifest.json").read_text())
    assert [missing["key"] for missing in manifest["missing"]] == [FOUND]
    app = cdk.App(context={FOUND: "eu-west-3,Europe"})
    again = cdk.Stack(app, "App", env=cdk.Environment(account=ACCOUNT, region="us-west-2"))
    with pytest.raises(ValueError, match="regions contains 'Europe', which is not a Region name"):
        ReplicatedSecret(again, "Database", regions=look_up(again).split(","))
