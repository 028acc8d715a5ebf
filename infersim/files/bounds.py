"""How deep and how long what a file says may be, whatever its format: hostile content costs little.

A dotted key of TOML is nested tables, and takes memory with the square of its length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from infersim.domain.errors import FileContentError

MAX_LEVELS = 64
"""Tables and lists within each other; configs, plans and fits have ten at most."""

MAX_KEY = 512
"""Characters of a key, or of a TOML key's part."""

_HARMLESS = 500
"""So few dots and brackets take no more than a MB and a few ms, in whatever order."""

_TOKEN = re.compile(
    r'\"\"\"(?:[^"\\]++|\\.|"(?!""))*+(?:\"\"\")?'
    r"|'''(?:[^']++|'(?!''))*+(?:''')?"
    r'|"(?:[^"\\\n]++|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+"
    r"""|[^\s.,=\[\]{}"'#]++"""
    r"|[ \t]++"
    r"|.",
    re.DOTALL,
)


def check_toml(text: str, named: object) -> None:
    """Raise FileContentError for a text whose tables are nested too deeply, before it is parsed."""
    if sum(map(text.count, ".[{")) < _HARMLESS:
        return
    parts = level = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in "[{":
            level, parts = level + 1, 0
        elif token in "]}":
            level, parts = max(0, level - 1), 0
        elif token == ".":
            parts += 1
        elif token in ",=\n\r":
            parts = 0
        if max(parts, level) > MAX_LEVELS:
            raise too_deep(named)


def check_bounds(value: object, named: object) -> None:
    """Raise FileContentError for content of too many levels, or with a key that is too long."""
    below: list[object] = [value]
    for _ in range(MAX_LEVELS):
        inner: list[object] = []
        for each in below:
            if isinstance(each, Mapping):
                _check_keys(each, named)
                inner += [one for one in each.values() if isinstance(one, Mapping | list)]
            elif isinstance(each, Sequence) and not isinstance(each, str):
                inner += [one for one in each if isinstance(one, Mapping | list)]
        if not inner:
            return
        below = inner
    raise too_deep(named)


def too_deep(named: object) -> FileContentError:
    """The error of content with too many levels."""
    return FileContentError(named, "nesting", "too deep", f"at most {MAX_LEVELS} levels")


def _check_keys(table: Mapping[object, object], named: object) -> None:
    for key in table:
        if isinstance(key, str) and len(key) > MAX_KEY:
            expected = f"keys of at most {MAX_KEY} characters"
            raise FileContentError(named, f"{key[:40]}...", f"{len(key)} characters", expected)
