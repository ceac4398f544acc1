"""A model of Secrets Manager with multi-Region replication."""

from .dialect import Dialect, every_dialect, plausible_dialects
from .model import Call, SecretsManager
from .script import AnswerLostError, Script
from .state import ApiError, Delays, Secret

__all__ = [
    "AnswerLostError",
    "ApiError",
    "Call",
    "Delays",
    "Dialect",
    "Script",
    "Secret",
    "SecretsManager",
    "every_dialect",
    "plausible_dialects",
]
