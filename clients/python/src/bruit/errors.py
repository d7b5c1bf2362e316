"""What may go wrong, by whose fault it is."""

from __future__ import annotations

import json


class BruitError(Exception):
    """Anything that went wrong."""


class Disconnected(BruitError):
    """The node is not there, or broke off."""


class ApiError(BruitError):
    """The node refuses; `code` says why in a word, `fix` what to do about it."""

    def __init__(self, status: int, code: str, message: str, fix: str) -> None:
        super().__init__(f"{message} ({fix})" if fix else message)
        self.status, self.code, self.message, self.fix = status, code, message, fix


class NotFound(ApiError):
    """Nothing of that name or id is held here, or was found."""


class Unauthorised(ApiError):
    """No token, or one that is for less."""


class Refused(ApiError):
    """The node's or the network's rules say no: too big, price too low, expired, full, too many at once."""


class TimedOut(ApiError):
    """What was waited for did not happen in time."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorised,
    402: Refused,
    403: Unauthorised,
    404: NotFound,
    409: Refused,
    413: Refused,
    422: Refused,
    429: Refused,
    504: TimedOut,
    507: Refused,
}


def error_of(status: int, body: bytes) -> ApiError:
    """The error that an answer tells of."""
    try:
        error = json.loads(body)["error"]
        code, message, fix = error["code"], error["message"], error["fix"]
    except (ValueError, KeyError, TypeError):
        code, message, fix = "http", f"the node answered {status}", ""
    return _BY_STATUS.get(status, ApiError)(status, code, message, fix)
