"""Reading a TOML file, whatever it holds; what its tables must say is checked by who reads it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from infersim.domain.errors import FileContentError


def read_toml(path: Path, name: object = None) -> dict[str, Any]:
    """The tables of `path`; FileContentError, which calls it `name`, where it is no text or no TOML."""
    named = path if name is None else name
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise FileContentError(named, f"byte {error.start}", "no text", "UTF-8") from None
    except ValueError as error:  # TOML's own, and Python's word for integers of thousands of digits
        raise FileContentError(named, "the file", "damaged", f"valid TOML: {error}") from None
