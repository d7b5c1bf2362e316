"""Writes src/bruit/models.py from a node's OpenAPI document.

    curl -s http://127.0.0.1:7448/openapi.json | python3 tools/models.py > src/bruit/models.py

A test holds the file in the repository to the document of the node it runs against.
"""

from __future__ import annotations

import json
import keyword
import re
import sys
from typing import Any

HEAD = '''"""What a node answers, one class for each schema of its OpenAPI document.

Written by tools/models.py: not to be changed by hand. Moments are milliseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Optional

from ._model import Content, Model
'''

PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None", "object": "dict[str, Any]"}


def write(document: dict[str, Any]) -> str:
    """The module for `document`."""
    schemas = document["components"]["schemas"]
    parts = [HEAD]
    # What others are made of by name comes first; classes may name each other in any order.
    words = {name: schema for name, schema in schemas.items() if "properties" not in schema}
    for name, schema in sorted(words.items()):
        parts.append(f"\n\n#: {_sentence(schema)}\n{name} = {_type(schema)}".replace("#: \n", ""))
    for name, schema in sorted(schemas.items()):
        if name not in words:
            parts.append(_class(name, schema))
    return "".join(parts) + "\n"


def _class(name: str, schema: dict[str, Any]) -> str:
    properties = schema["properties"]
    required = set(schema.get("required", []))
    base = "Content, Model" if {"body", "body_base64"} <= set(properties) else "Model"
    lines = [f'\n\n\n@dataclass(frozen=True)\nclass {name}({base}):\n    """{_sentence(schema)}"""\n']
    # A field without a default may not follow one with a default.
    for key, field in sorted(properties.items(), key=lambda item: item[0] not in required):
        kind = _type(field)
        if key not in required:
            kind = kind if kind.startswith("Optional[") or kind == "Any" else f"Optional[{kind}]"
            kind += " = None"
        lines.append(f"\n    {_name(key)}: {kind}")
        if about := _sentence(field):
            lines.append(f'\n    """{about}"""')
    return "".join(lines)


def _name(key: str) -> str:
    """A keyword gets an underscore: `from` is `from_`, and JSON has `from`."""
    return f"{key}_" if keyword.iskeyword(key) else key


def _type(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "Any"
    if reference := schema.get("$ref"):
        return str(reference.rsplit("/", 1)[1])
    if "const" in schema:
        return f"Literal[{json.dumps(schema['const'])}]"
    if "enum" in schema:
        return "Literal[" + ", ".join(json.dumps(word) for word in schema["enum"]) + "]"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return _one_of([_type(one) for one in schema[several]])
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return _one_of([_type({**schema, "type": one}) for one in kind])
    if kind == "array":
        return f"list[{_type(schema.get('items', {}))}]"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"dict[str, {_type(schema['additionalProperties'])}]"
    return PLAIN.get(kind, "Any")


def _one_of(kinds: list[str]) -> str:
    words = [kind for kind in kinds if kind.startswith("Literal[")]
    if len(words) > 1 and len(words) == len(kinds):
        return "Literal[" + ", ".join(word[8:-1] for word in words) + "]"
    others = [kind for kind in kinds if kind != "None"]
    kind = others[0] if len(others) == 1 else "Any"
    return f"Optional[{kind}]" if "None" in kinds and kind != "Any" else kind


def _sentence(schema: Any) -> str:
    text = schema.get("description", "") if isinstance(schema, dict) else ""
    text = re.sub(r"\[(`[^`]*`)\]", r"\1", " ".join(text.split()))
    return text.replace("\\", "\\\\").replace('"', "'")


if __name__ == "__main__":
    sys.stdout.write(write(json.load(sys.stdin)))
