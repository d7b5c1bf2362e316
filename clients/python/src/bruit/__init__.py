"""The client of a bruit node: publish, subscribe, validate, keep values, send letters."""

from . import models
from .aio import AsyncClient
from .client import Client, Validator
from .errors import ApiError, BruitError, Disconnected, NotFound, Refused, TimedOut, Unauthorised

__all__ = [
    "ApiError",
    "AsyncClient",
    "BruitError",
    "Client",
    "Disconnected",
    "NotFound",
    "Refused",
    "TimedOut",
    "Unauthorised",
    "Validator",
    "models",
]
__version__ = "0.1.0"
