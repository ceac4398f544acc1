"""Stacks of several Regions, and who reads in them."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

ACCOUNT = "000000000000"


def stack_in(region: str, app: cdk.App | None = None, *, cross_region_references: bool = False) -> cdk.Stack:
    """A stack that is named after its Region."""
    environment = cdk.Environment(account=ACCOUNT, region=region)
    return cdk.Stack(app or cdk.App(), region, env=environment, cross_region_references=cross_region_references)


def reader(stack: cdk.Stack) -> iam.Role:
    """A role that reads."""
    return iam.Role(stack, "Reader", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
