"""How answers become objects: keys a class does not know are left out, so that newer nodes are understood."""

from __future__ import annotations

import base64
import functools
import keyword
import typing
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

T = TypeVar("T")


class Model:
    """An answer with keys."""


class Content:
    """Something with contents, which travel as text where they are UTF-8 and as base64 otherwise."""

    body: str | None
    body_base64: str | None

    @property
    def content(self) -> bytes:
        """The contents as bytes."""
        if self.body_base64 is not None:
            return base64.b64decode(self.body_base64)
        return (self.body or "").encode()


def encode(content: str | bytes) -> dict[str, str]:
    """The keys of contents in a request."""
    if isinstance(content, str):
        return {"body": content}
    return {"body_base64": base64.b64encode(content).decode("ascii")}


def decode(kind: type[T] | Any, value: Any) -> Any:
    """`value`, read from JSON, as a `kind`."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Union and type(None) in inside:
        others = [one for one in inside if one is not type(None)]
        return None if value is None else decode(others[0], value)
    if origin is list:
        return [decode(inside[0], one) for one in value]
    if origin is dict:
        return {key: decode(inside[1], one) for key, one in value.items()}
    if is_dataclass(kind) and isinstance(value, dict):
        known = {name: decode(type_, value[key]) for name, key, type_ in _fields(kind) if key in value}
        return typing.cast(Any, kind)(**known)
    return value


@functools.cache
def _fields(kind: Any) -> list[tuple[str, str, Any]]:
    hints = typing.get_type_hints(kind)
    names = (field.name for field in fields(kind))
    return [(name, _key(name), hints[name]) for name in names]


def _key(name: str) -> str:
    bare = name.removesuffix("_")
    return bare if keyword.iskeyword(bare) else name
