"""What importers of JSON files share: the rows of a file, tables inside them, and shapes named in texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from infersim.domain.errors import FileContentError
from infersim.files.foreign import MIB, read_json
from infersim.fitting.importers.source import SourceFile
from infersim.fitting.samples.reading import whole_characters
from infersim.fitting.samples.spellings import dtype_named

MAX_BYTES = 128 * MIB
"""Traces of a few steps of a large model have some tens of MB."""

_DIMENSION = re.compile(r"(?<![\w.])([mnkMNK])\s*[=:]\s*(\d{1,12})(?![\w.])", re.ASCII)
_WORD = re.compile(r"[A-Za-z_][\w.:]*", re.ASCII)


def json_file(
    rows_of: Callable[[object, Path], Iterable[Mapping[str, object]]],
) -> Callable[[Path], SourceFile]:
    """A reader of JSON files whose content `rows_of` turns into rows; rows count from 1."""

    def read(path: Path) -> SourceFile:
        content = read_json(path, "path", MAX_BYTES)
        with whole_characters(path):
            return SourceFile(path=path, frame=pd.DataFrame(list(rows_of(content, path))), first_line=1)

    return read


def table_of(value: object, path: object, key: str) -> Mapping[str, Any]:
    """`value` as a table; FileContentError else."""
    if not isinstance(value, Mapping):
        raise FileContentError(path, key, _brief(value), "a table")
    return value


def list_of(value: object, path: object, key: str) -> list[Any]:
    """`value` as a list, null as an empty one; FileContentError else."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise FileContentError(path, key, _brief(value), "a list")
    return value


def dimensions_in(text: str) -> dict[str, int]:
    """`m=16, n=4096, k=4096` in any case and order; empty unless all three are there, each once."""
    found = [(name.lower(), int(size)) for name, size in _DIMENSION.findall(text)]
    return dict(found) if sorted(name for name, _ in found) == ["k", "m", "n"] else {}


def dtypes_in(text: str) -> set[str]:
    """Our names of all data types that a text names."""
    return {name for word in _WORD.findall(text) if (name := dtype_named(word)) is not None}


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
