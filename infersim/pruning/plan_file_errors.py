"""Errors of files of tables (plans of prunings, of sweeps): each names file, key, value and expectation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pydantic import ValidationError

from infersim.domain.errors import FileContentError, InvalidValueError, UnknownNameError, UnsupportedError
from infersim.profile_files.validation import content_error
from infersim.pruning.plan_tables import Table


def schema_error(
    file: object, error: ValidationError, root: type[Table], nested: Mapping[str, type[Table]]
) -> FileContentError:
    """The first complaint of pydantic; for an unknown key, those there are.

    `root` is the table that the whole file is, `nested` are tables by the key they stand under.
    """
    first_error = content_error(file, error)
    first = error.errors(include_url=False)[0]
    if first["type"] != "extra_forbidden":
        return first_error
    tables = [nested[part] for part in first["loc"][:-1] if isinstance(part, str) and part in nested]
    known = (tables or [root])[-1].model_fields
    return FileContentError(file, first_error.key, first_error.value, f"one of the keys {', '.join(known)}")


@contextmanager
def located(file: object, table: str) -> Iterator[None]:
    """Add file and table to what pruning refuses inside."""
    try:
        yield
    except InvalidValueError as error:
        raise FileContentError(file, f"{table}.{error.key}", error.value, error.expected) from None
    except UnknownNameError as error:
        known = ", ".join(dict.fromkeys((*error.closest, *error.known)))
        raise FileContentError(file, table, error.name, f"a known {error.kind}: {known}") from None
    except UnsupportedError as error:
        raise UnsupportedError(f"{file}: {table}: {error}") from None
