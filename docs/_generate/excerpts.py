"""Excerpts of this repository's files: a definition of a module, a TOML file or a table of it, a fit."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

_KEPT, _CHARACTERS = 3, 60
"""How much of a fit's numbers and long texts an outline shows."""


def excerpt(question: dict[str, Any]) -> str:
    """What `"name"` defines in a `"file"` of Python, or a file of TOML, whole or one `"table"` of it."""
    file = ROOT / question["file"]
    text = file.read_text(encoding="utf-8")
    language = file.suffix.removeprefix(".").replace("py", "python")
    if "name" in question:
        found = _of_python(text, question["name"])
    else:
        found = _of_toml(text, question["table"]) if "table" in question else text
    return f"```{language}\n{found.rstrip()}\n```\n"


def fit_outline(question: dict[str, Any]) -> str:
    """A fit file with the first entries of its long parts, as JSON."""
    content = json.loads((ROOT / question["file"]).read_text(encoding="utf-8"))
    content["kinds"] = {kind: content["kinds"][kind] for kind in (question["kind"],)}
    return f"```json\n{json.dumps(_shortened(content), indent=2, ensure_ascii=False)}\n```\n"


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        kept = (
            dict(list(value.items())[:_KEPT])
            if set(map(type, value.values())) <= {float, type(None)}
            else value
        )
        return {key: _shortened(entry) for key, entry in kept.items()}
    if isinstance(value, list):
        return [_shortened(entry) for entry in value[:2]]
    return f"{value[:_CHARACTERS]}..." if isinstance(value, str) and len(value) > _CHARACTERS else value


def _of_python(text: str, name: str) -> str:
    """The statement that defines `name`, decorators and the docstring of a constant included."""
    body = ast.parse(text).body
    for place, statement in enumerate(body):
        if name in _names(statement):
            first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", []))])
            last = statement.end_lineno
            after = body[place + 1] if place + 1 < len(body) else None
            if isinstance(statement, (ast.Assign, ast.AnnAssign)) and _is_text(after):
                assert after is not None
                last = after.end_lineno
            return "\n".join(text.splitlines()[first - 1 : last])
    raise AssertionError(f"no {name!r}")


def _names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    targets = (
        [statement.target] if isinstance(statement, ast.AnnAssign) else getattr(statement, "targets", [])
    )
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _is_text(statement: ast.stmt | None) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _of_toml(text: str, table: str) -> str:
    match = re.search(rf"^\[{re.escape(table)}\]\n.*?(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    assert match is not None, f"no [{table}]"
    return match[0]
