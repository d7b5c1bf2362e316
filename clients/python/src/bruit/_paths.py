"""Paths and bodies of requests: what the blocking client and the one for asyncio say alike."""

from __future__ import annotations

from typing import Any, Iterable
from urllib.parse import quote, urlencode

from ._model import encode


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _query(path: str, **values: Any) -> str:
    given = {key: "true" if value is True else value for key, value in _given(**values).items() if value is not False}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def subscribe(topics: Iterable[str], since: str | None, cursor: str | None) -> str:
    names = list(topics)
    if names:
        return _query("/v1/subscribe", topic=names, since=since, cursor=cursor)
    return _query("/v1/subscribe", all=True, since=since, cursor=cursor)


def questions(topic: str, timeout: str) -> str:
    return _query("/v1/validate", topic=topic, timeout=timeout)


def publish(topic: str, content: str | bytes, rest: dict[str, Any]) -> dict[str, Any]:
    return {"topic": topic, **encode(content), **_given(**rest)}


def put(content: str | bytes, rest: dict[str, Any]) -> dict[str, Any]:
    return {**encode(content), **_given(**rest)}


def send(to: str, content: str | bytes, rest: dict[str, Any]) -> dict[str, Any]:
    return {"to": to, **encode(content), **_given(**rest)}


def value(root: str, address: str, timeout: str | None = None) -> str:
    """Of the value at `ID` or `AUTHOR/NAME`."""
    author, slash, name = address.partition("/")
    tail = quote(author, safe="") + (slash and "/" + quote(name, safe=""))
    return _query(f"{root}/{tail}", timeout=timeout)


def listed(**filters: Any) -> str:
    return _query("/v1/values", **filters)


def mail(with_held: bool) -> str:
    return _query("/v1/letters/mail", all=with_held)


def letter(id: str) -> str:
    return f"/v1/letters/{quote(id, safe='')}"
