"""The Lambda behind ``Custom::ReplicatedSecret``: request, observe, plan, apply, wait, answer."""
