"""TOML files read as pydantic tables, with errors that name file, key, value and expectation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from infersim.domain.errors import InvalidValueError
from infersim.profile_files.toml_files import read_toml
from infersim.pruning.plan_file_errors import schema_error
from infersim.pruning.plan_tables import Table

TableT = TypeVar("TableT", bound=Table)


def tables_from_file(file: Path, key: str, root: type[TableT], nested: Mapping[str, type[Table]]) -> TableT:
    """The whole `file` as `root`; `key` is what the user calls it, `nested` as in `schema_error`.

    Raises InvalidValueError where there is no such file, FileContentError for what it must not hold.
    """
    if not file.is_file():
        raise InvalidValueError(key, str(file), "a TOML file")
    return checked_tables(read_toml(file), file, root, nested)


def checked_tables(
    content: Mapping[str, object], file: object, root: type[TableT], nested: Mapping[str, type[Table]]
) -> TableT:
    """`content`, which errors call `file`, as `root`; raises FileContentError."""
    try:
        return root.model_validate(content)
    except ValidationError as error:
        raise schema_error(file, error, root, nested) from None
