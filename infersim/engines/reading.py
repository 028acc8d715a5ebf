"""Engines by name or file: the folder of data is the registry."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from infersim.domain.arguments import a_name_or_path, checked, refused
from infersim.domain.dtypes import PRECISIONS
from infersim.domain.errors import FileContentError, InvalidValueError, UnknownNameError

if TYPE_CHECKING:
    from infersim.engines.engine import Engine

DATA = Path(__file__).resolve().parent / "data"

SUFFIX = ".toml"

WEIGHTS_ALONE = re.compile(r"w[1-8]a(?:4|8|16)")
"""Formats whose bits are in the name: quantisers have more of them than kernels are predicted by name."""


def list_engines() -> tuple[str, ...]:
    """Names of the engines that infersim ships, sorted."""
    return tuple(sorted(file.stem for file in DATA.glob(f"*{SUFFIX}")))


@checked(name_or_path=a_name_or_path)
def load_engine(name_or_path: str | Path) -> Engine:
    """The engine of that name or alias, in any case, or of a path to a `.toml`.

    Raises UnknownNameError, InvalidValueError for a path that is no file, and FileContentError for content
    that is not what it must be, a number without a source included.
    """
    path = Path(name_or_path)
    if path.suffix == SUFFIX:
        if not path.is_file():
            raise InvalidValueError("engine", str(path), f"an existing file, or {', '.join(list_engines())}")
        return read_engine(path)
    if isinstance(name_or_path, Path):
        raise InvalidValueError("engine", str(path), "a name or a path to a .toml file")
    return _shipped(name_or_path)


def an_engine(key: str, value: object) -> Engine:
    """A rule of arguments: an engine as it is, or what `load_engine` makes of its name or file."""
    from infersim.engines.engine import Engine

    if isinstance(value, Engine):
        return value
    if isinstance(value, str | Path):
        return load_engine(value)
    raise refused(key, value, "an engine: what load_engine returns, its name or a path to a .toml file")


def read_engine(path: Path) -> Engine:
    """The engine that a file states; FileContentError where it does not state one whole."""
    from infersim.engines.engine import TABLES, Engine
    from infersim.files.reading import tables_from_file

    engine = tables_from_file(path, "engine", Engine, TABLES)
    lacking = sorted(engine.numbers().keys() - engine.sources.keys())
    if lacking:
        raise FileContentError(path, f"sources.{lacking[0]}", None, "the source of that number")
    for key in engine.sources:
        if key not in engine.numbers():
            raise FileContentError(path, "sources", key, "a key of these tables, such as host.step_ms")
    for place, name in enumerate(engine.runs.formats):
        if name not in PRECISIONS and not WEIGHTS_ALONE.fullmatch(name):
            expected = f"one of {', '.join(PRECISIONS)}, or weights of fewer bits such as w3a16"
            raise FileContentError(path, f"runs.formats[{place}]", name, expected)
    return engine


def _shipped(name: str) -> Engine:
    names = list_engines()
    spelt = name.lower()
    if spelt in names:
        return _of_data(spelt)
    engines = [_of_data(known) for known in names]
    spellings = {
        alias.lower(): engine.name for engine in engines for alias in (*engine.aliases, engine.title)
    }
    if spelt in spellings:
        return _of_data(spellings[spelt])
    raise UnknownNameError("engine", name, names, spellings=spellings)


@cache
def _of_data(name: str) -> Engine:
    return read_engine(DATA / f"{name}{SUFFIX}")
