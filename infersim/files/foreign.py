"""Reading files of other people's programs: text, JSON and YAML, with bounds on size, nesting and references.

What the content must say is checked by who reads it. A file here may be damaged or hostile: it costs bounded
memory and time, and errors name file, place and expectation.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from infersim.domain.errors import FileContentError
from infersim.files import opening
from infersim.files.bounds import check_bounds, too_deep
from infersim.files.opening import chosen_limit, opened, too_large

if TYPE_CHECKING:
    from yaml.error import MarkedYAMLError

MIB = opening.MIB
MAX_TEXT_BYTES = opening.TEXT_LIMIT
MAX_YAML_BYTES = MIB // 8
"""YAML is parsed at some 100 kB a second; plans hold a few kB."""


def read_text(path: Path, key: str, limit: int = MAX_TEXT_BYTES) -> str:
    """The text of `path` (unpacked, if it ends in `.gz`); `key` is what the user calls the file.

    Raises InvalidValueError for a path that is no readable file, FileContentError for one that is larger
    than `limit` or no UTF-8.
    """
    if path.suffix != ".gz":
        return opening.read_text(path, key, limit)
    most = chosen_limit(limit)
    with opened(path, key, limit) as packed:
        try:
            content = gzip.GzipFile(fileobj=packed).read(most + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise FileContentError(path, "the file", "damaged", f"whole gzip data: {error}") from None
    if len(content) > most:
        raise too_large(path, most)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileContentError(path, f"byte {error.start}", "no text", "UTF-8") from None


def read_json(path: Path, key: str, limit: int = MAX_TEXT_BYTES) -> object:
    """The JSON value in `path`; errors as in `read_text`, and for JSON that is damaged or repeats a key."""
    return parse_json(read_text(path, key, limit), path)


def parse_json(text: str, named: object) -> object:
    """`text` as a JSON value; FileContentError, which calls its source `named`, where it is none."""

    def no_number(word: str) -> NoReturn:
        raise FileContentError(named, "a number", word, "a finite number")

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        return each_once(pairs, named)

    try:
        value: object = json.loads(text, object_pairs_hook=unique, parse_constant=no_number)
    except json.JSONDecodeError as error:
        place, near = f"line {error.lineno}, column {error.colno}", text[error.pos : error.pos + 20]
        raise FileContentError(named, place, near, f"valid JSON ({error.msg})") from None
    except RecursionError:
        raise too_deep(named) from None
    except ValueError as error:  # Python's word for integers of thousands of digits
        raise FileContentError(named, "a number", "thousands of digits", str(error)) from None
    check_bounds(value, named)
    return value


def each_once(pairs: Iterable[tuple[str, object]], named: object) -> dict[str, object]:
    """Keys and values as an object; FileContentError, which calls it `named`, for a key there twice."""
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise FileContentError(named, name, "there twice", "each key once")
        found[name] = value
    return found


def read_yaml(path: Path, key: str) -> object:
    """The YAML value in `path`: plain data only, without anchors and references; errors as in `read_json`."""
    from yaml.error import MarkedYAMLError, YAMLError

    text = read_text(path, key, MAX_YAML_BYTES)
    try:
        return _plain_yaml(text, path)
    except MarkedYAMLError as error:
        raise _yaml_error(path, error) from None
    except YAMLError as error:
        raise FileContentError(path, "the file", "damaged", f"valid YAML: {error}") from None
    except RecursionError:
        raise too_deep(path) from None
    except (ValueError, TypeError) as error:  # numbers of thousands of digits, dates that are none, keys
        raise FileContentError(path, "a value", "impossible", f"plain YAML: {error}") from None


def _plain_yaml(text: str, path: Path) -> object:
    from yaml import AnchorToken, SafeLoader
    from yaml.nodes import MappingNode

    class PlainLoader(SafeLoader):
        """YAML whose size in memory is that of its text, and whose keys stand once."""

        def fetch_more_tokens(self) -> None:
            super().fetch_more_tokens()
            if self.tokens and isinstance(self.tokens[-1], AnchorToken):
                line = self.tokens[-1].start_mark.line + 1
                raise FileContentError(path, f"line {line}", "an anchor (&)", "values written out")

        def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[object, object]:
            each_once(((repr(self.construct_object(name, deep=True)), 0) for name, _ in node.value), path)
            return super().construct_mapping(node, deep=deep)

    loader = PlainLoader(text)
    try:
        value: object = loader.get_single_data()
        return value
    finally:
        loader.dispose()


def _yaml_error(path: Path, error: MarkedYAMLError) -> FileContentError:
    mark = error.problem_mark
    place = "the file" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"
    return FileContentError(path, place, "damaged", f"valid YAML ({error.problem})")
