"""A model of Secrets Manager with multi-Region replication."""

from .dialect import Dialect, every_dialect, plausible_dialects
from .model import Call, SecretsManager
from .script import ResponseLostError, Script
from .state import ApiError, Delays, Secret

__all__ = [
    "ApiError",
    "Call",
    "Delays",
    "Dialect",
    "ResponseLostError",
    "Script",
    "Secret",
    "SecretsManager",
    "every_dialect",
    "plausible_dialects",
]
