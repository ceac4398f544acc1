"""The Lambda behind ``Custom::ReplicatedSecret``: request, observe, plan, apply, wait, answer."""

import gc

# A cold start makes some 100,000 objects that stay. To look through them again and again is a tenth of its CPU.
gc.set_threshold(100_000)
