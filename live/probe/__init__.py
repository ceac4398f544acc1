"""The probes: a function for each unknown, named after it, and one for each fact that a call can check."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from live.finding import Finding
from live.lab import Lab

from .again import u1, u2, u3, u12, u13
from .facts import FACTS
from .keys import f32, u10, u18
from .permissions import f30, f31
from .removal import u4, u9, u11, u14, u16
from .stacks import f27, u15, u17
from .targets import u5, u6, u7, u8

Probe = Callable[[Lab], Finding]
UNKNOWNS: tuple[Probe, ...] = (u1, u2, u3, u4, u5, u6, u7, u8, u9, u10, u11, u12, u13, u14, u15, u16, u17, u18)
_CHECKED = sorted((*FACTS, f27, f30, f31, f32), key=lambda probe: int(probe.__name__[1:]))
# By row of docs/design/aws-facts.md.
PROBES: Mapping[str, Probe] = {probe.__name__.upper(): probe for probe in (*UNKNOWNS, *_CHECKED)}

__all__ = ["FACTS", "PROBES", "UNKNOWNS", "Probe"]
