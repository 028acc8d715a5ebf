"""The header of a safetensors file: names, types and shapes, in bounded time and memory.

The file begins with the header's length in eight bytes, then the header in JSON, then the values without a
gap. The safetensors library keeps the last of several tensors of one name and takes 15 s and 1.5 GB for a
hostile header of 87 MB, so this is read by hand: every key is checked, nothing is guessed, no value is read.
"""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from infersim.domain.errors import FileContentError

MAX_HEADER_BYTES = 16 * 2**20
"""Headers of the largest published models take less than 2 MiB a file."""

MAX_BRACKETS = 2**20
"""Objects and lists of a header: three for each tensor."""

_LENGTH = struct.Struct("<Q")
_MAX_DIMENSIONS = 8
_MAX_SIZE = 2**48
_METADATA = "__metadata__"
_KEYS = {"dtype", "shape", "data_offsets"}

BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
}  # fmt: skip
"""Bits of a value of each type that the format has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """What a header says of one tensor; `file` is where it lies."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str

    @property
    def values(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)

    @property
    def stored_bytes(self) -> int:
        """Bytes that it takes."""
        return self.values * BITS[self.dtype] // 8

    def fail(self, expected: str) -> FileContentError:
        """An error that names the file, the tensor and what was expected."""
        return FileContentError(self.file, self.name, f"{self.dtype} {list(self.shape)}", expected)


def read_header(stream: BinaryIO, size: int, file: str) -> dict[str, Tensor]:
    """All tensors of an open file of `size` bytes by name; FileContentError for what breaks the format."""
    if size < _LENGTH.size:
        raise FileContentError(file, "size", size, f"at least {_LENGTH.size} bytes: the header's length")
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size, file))
    values = size - _LENGTH.size - length
    if values < 0:
        raise FileContentError(
            file,
            "header length",
            length,
            f"at most {size - _LENGTH.size}, what follows in a file of {size} bytes",
        )
    if length > MAX_HEADER_BYTES:
        raise FileContentError(file, "header length", length, f"at most {MAX_HEADER_BYTES} bytes")
    entries = json_object(_exactly(stream, length, file), file, "header")
    _check_metadata(entries.pop(_METADATA, {}), file)
    tensors: dict[str, Tensor] = {}
    spans: list[tuple[int, int, Tensor]] = []
    for name, entry in entries.items():
        tensor, begin, end = _tensor(name, entry, file)
        tensors[name] = tensor
        spans.append((begin, end, tensor))
    _check_spans(spans, values, file)
    return tensors


def json_object(raw: bytes, file: str, what: str) -> dict[str, object]:
    """A JSON object in which no key is there twice, of a bounded number of objects and lists."""
    if not raw.startswith(b"{"):
        raise FileContentError(
            file, what, raw[:20].decode("ascii", "replace"), "a JSON object, which begins with {"
        )
    brackets = raw.count(b"{") + raw.count(b"[")
    if brackets > MAX_BRACKETS:
        raise FileContentError(
            file, what, f"{brackets} brackets", f"at most {MAX_BRACKETS} objects and lists"
        )

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
            raise FileContentError(file, _brief(twice), "there twice", "each name once")
        return found

    try:
        content = json.loads(raw.decode("utf-8"), object_pairs_hook=once)
    except FileContentError:
        raise
    except RecursionError:
        raise FileContentError(file, what, "nested too deeply", "an object of tensors") from None
    except ValueError as error:
        raise FileContentError(file, what, "unreadable", f"JSON in UTF-8 ({error})") from None
    assert isinstance(content, dict)  # it begins with {
    return content


def _exactly(stream: BinaryIO, count: int, file: str) -> bytes:
    read = stream.read(count)
    if len(read) != count:
        raise FileContentError(file, "size", "cut short while it was read", f"{count} more bytes")
    return read


def _check_metadata(entry: object, file: str) -> None:
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        raise FileContentError(file, _METADATA, _brief(entry), "an object of texts")


def _tensor(name: str, entry: object, file: str) -> tuple[Tensor, int, int]:
    """A tensor with where its values begin and end."""
    key = _brief(name)
    if not isinstance(entry, Mapping) or set(entry) != _KEYS:
        raise FileContentError(file, key, _brief(entry), f"an object of {', '.join(sorted(_KEYS))}")
    dtype = entry["dtype"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise FileContentError(file, f"{key}.dtype", _brief(dtype), f"one of {', '.join(BITS)}")
    shape = _whole_numbers(entry["shape"], f"{key}.shape", file)
    offsets = _whole_numbers(entry["data_offsets"], f"{key}.data_offsets", file)
    if len(shape) > _MAX_DIMENSIONS or math.prod(shape) > _MAX_SIZE:
        raise FileContentError(file, f"{key}.shape", list(shape), f"at most {_MAX_SIZE} values")
    tensor = Tensor(name=name, dtype=dtype, shape=shape, file=file)
    needed = -(-math.prod(shape) * BITS[dtype] // 8)
    if len(offsets) != 2 or offsets[1] - offsets[0] != needed:
        expected = f"a begin, and an end {needed} bytes after it: {dtype} of shape {list(shape)}"
        raise FileContentError(file, f"{key}.data_offsets", list(offsets), expected)
    return tensor, offsets[0], offsets[1]


def _whole_numbers(value: object, key: str, file: str) -> tuple[int, ...]:
    good = isinstance(value, list) and all(
        isinstance(each, int) and not isinstance(each, bool) and 0 <= each <= _MAX_SIZE for each in value
    )
    if not good or not isinstance(value, list):
        raise FileContentError(file, key, _brief(value), f"a list of integers from 0 to {_MAX_SIZE}")
    return tuple(value)


def _check_spans(spans: Sequence[tuple[int, int, Tensor]], size: int, file: str) -> None:
    """Values lie one after the other, without gap or overlap, to the end of the file."""
    reached = 0
    for begin, end, tensor in sorted(spans, key=lambda span: span[:2]):
        if begin != reached:
            expected = f"to begin at {reached}, where the tensor before it ends"
            raise FileContentError(file, f"{_brief(tensor.name)}.data_offsets", [begin, end], expected)
        reached = end
    if reached != size:
        raise FileContentError(file, "size", f"{size} bytes of values", f"{reached}, by the header's tensors")


def _brief(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
