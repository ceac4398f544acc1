"""Events that no service sends: each one gets a response or is rejected, without a crash."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from secret_replication.errors import MalformedEventError
from secret_replication.response import MAX_BYTES
from tests.helpers.world import OTHER_STACK, PRIMARY, World, event

LONGEST_ID = 1024
OTHER_ACCOUNT = f"arn:aws:secretsmanager:{PRIMARY}:999999999999:secret:app/database-AbCdEf"
# What an attacker puts into a property to break out of it.
HOSTILE = (
    OTHER_ACCOUNT,
    "*",
    "arn:aws:secretsmanager:*:*:secret:*",
    "a" * 2048,
    "a" * 2049,
    "app/database\x00",
    "\u202e",
    "app/database\r\nX-Amz-Target: secretsmanager.DeleteSecret",
    '{"SecretId": "app/other"}',
    "../../app/other",
    "${SecretId}",
    "{{resolve:secretsmanager:app/other}}",
    "'; untag",
    "eu-west-3,us-east-1",
    " eu-west-3",
    "",
    "\ud800",
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.sampled_from(HOSTILE),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(HOSTILE), inner, max_size=4)
    ),
    max_leaves=8,
)
_OWN = ("RequestType", "StackId", "RequestId", "LogicalResourceId", "PhysicalResourceId", "OldResourceProperties")
_PROPERTIES = (
    *("SecretId", "ReplicaRegions", "ForceOverwriteReplicaSecret", "ReplicaRemovalPolicy", "ServiceTimeout"),
    *("ServiceToken", "Unknown"),
)


@st.composite
def events(draw: st.DrawFn) -> Any:
    """Anything, or an event of CloudFormation in which some of it is anything."""
    if draw(st.integers(0, 9)) == 0:
        return draw(_JSON)
    request: dict[str, Any] = event(draw(st.sampled_from(["Create", "Update", "Delete"])), StackId=OTHER_STACK)
    # CloudFormation sends no id longer than 1,024 characters, and the response repeats them.
    own = draw(st.dictionaries(st.sampled_from(_OWN), _JSON, max_size=2))
    request |= {key: value for key, value in own.items() if len(json.dumps(value)) <= LONGEST_ID}
    properties = draw(st.dictionaries(st.sampled_from(_PROPERTIES), _JSON, max_size=3))
    request["ResourceProperties"] |= properties
    if draw(st.booleans()):
        request["ResourceProperties"] = draw(_JSON | st.just(properties))
    return request


def check(request: Any) -> None:
    """It gets a response as CloudFormation expects it, or is rejected, and no other secret is touched."""
    world = World(direct=True)
    bystander = world.create("app/other")
    before = repr(world.model.find(PRIMARY, bystander))
    try:
        response = world.deliver(request)
    except MalformedEventError:
        response = None
    else:
        assert response is not None, "no response"
        assert response["Status"] in ("SUCCESS", "FAILED")
        assert response["PhysicalResourceId"]
        assert response["Status"] == "SUCCESS" or response["Reason"]
        assert len(json.dumps(response, separators=(",", ":"))) <= MAX_BYTES
    assert repr(world.model.find(PRIMARY, bystander)) == before
