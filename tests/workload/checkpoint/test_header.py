"""Headers: the real writer's are read as they are, hostile ones are refused soon and by name."""

from __future__ import annotations

import io
import json
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.domain.errors import FileContentError
from infersim.workload.checkpoint.header import MAX_BRACKETS, MAX_HEADER_BYTES, Tensor, read_header
from tests.workload.checkpoint.writing import write_shard

FILE = "some.safetensors"


def raw(header: str | bytes, values: bytes = b"", length: int | None = None) -> bytes:
    """A file with this header, of the length that it claims."""
    encoded = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(encoded) if length is None else length) + encoded + values


def read(content: bytes) -> dict[str, Tensor]:
    return read_header(io.BytesIO(content), len(content), FILE)


def entry(dtype: Any = "U8", shape: Any = (2, 3), offsets: Any = (0, 6)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_the_real_writer_s_file(tmp_path: Path) -> None:
    path = tmp_path / FILE
    shapes = {"b": ("BF16", (3, 5)), "a": ("F8_E4M3", (7,)), "scalar": ("I64", ()), "none": ("F32", (0, 4))}
    write_shard(path, shapes)
    with path.open("rb") as stream:
        found = read_header(stream, path.stat().st_size, FILE)
        assert stream.tell() < path.stat().st_size
    assert {name: (tensor.dtype, tensor.shape) for name, tensor in found.items()} == shapes
    assert found["b"].stored_bytes == 30


def test_padding_and_metadata() -> None:
    header = json.dumps({"__metadata__": {"format": "pt"}, "a": entry()}) + "   "
    assert read(raw(header, bytes(6)))["a"].shape == (2, 3)


HOSTILE = [
    (b"\x01\x02", "size = 2; expected at least 8 bytes"),
    (raw("{}", length=2**40), rf"header length = {2**40}; expected at most 2, what follows"),
    (raw("{}", length=2**63), "header length = .*; expected at most 2"),
    (raw("[1]"), "header = '\\[1\\]'; expected a JSON object"),
    (raw(" {}"), "header = ' {}'; expected a JSON object"),
    (raw(""), "header = ''; expected a JSON object"),
    (raw('{"a"'), "header = 'unreadable'; expected JSON in UTF-8"),
    (raw(b'{"\xff": 1}'), "header = 'unreadable'; expected JSON in UTF-8"),
    (raw('{"a": ' + "9" * 5000 + "}"), "header = 'unreadable'"),
    (raw('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}"), "header = 'nested too deeply'"),
    (raw('{"a": ' + '{"a":' * 200_000 + "1" + "}" * 200_001), "header = 'nested too deeply'"),
    (raw('{"a": [' + "[]," * MAX_BRACKETS + "1]}"), "header = .*expected at most 1048576 objects and lists"),
    (raw('{"a": 1, "b": 2, "a": 3}'), "a = 'there twice'; expected each name once"),
    (raw('{"a": {"dtype": "U8", "dtype": "I8"}}'), "dtype = 'there twice'"),
    (raw('{"a": 1}'), "a = '1'; expected an object of data_offsets, dtype, shape"),
    (raw(json.dumps({"a": {"dtype": "U8", "shape": [1]}})), "a = .*expected an object of"),
    (raw(json.dumps({"a": {**entry(), "more": 1}}), bytes(6)), "a = .*expected an object of"),
    (raw(json.dumps({"__metadata__": {"a": 1}})), "__metadata__ = .* expected an object of texts"),
    (raw(json.dumps({"__metadata__": 1})), "__metadata__ = '1'"),
    (raw(json.dumps({"a": entry(dtype="Q4_K")})), "a.dtype = 'Q4_K'; expected one of BOOL, U8"),
    (raw(json.dumps({"a": entry(dtype=["U8"])})), "a.dtype ="),
    (raw(json.dumps({"a": entry(shape=[-1, 3])})), "a.shape = .*expected a list of integers from 0"),
    (raw(json.dumps({"a": entry(shape=[2.0, 3])})), "a.shape ="),
    (raw(json.dumps({"a": entry(shape=[True, 6])})), "a.shape ="),
    (raw(json.dumps({"a": entry(shape="6")})), "a.shape ="),
    (raw(json.dumps({"a": entry(shape=[2**40, 2**40])})), "a.shape = .*expected at most 281474976710656"),
    (raw(json.dumps({"a": entry(shape=[2**40] * 100_000)})), "a.shape ="),
    (raw(json.dumps({"a": entry(offsets=[0, 5])}), bytes(5)), "a.data_offsets = .* an end 6 bytes after"),
    (raw(json.dumps({"a": entry(offsets=[6, 0])}), bytes(6)), "a.data_offsets ="),
    (raw(json.dumps({"a": entry(offsets=[0])}), bytes(6)), "a.data_offsets ="),
    (raw(json.dumps({"a": entry(offsets=[0, 6, 6])}), bytes(6)), "a.data_offsets ="),
    (raw(json.dumps({"a": entry(offsets=[2, 8])}), bytes(8)), "a.data_offsets = .* to begin at 0"),
    (
        raw(json.dumps({"a": entry(), "b": entry(offsets=[3, 9])}), bytes(9)),
        r"b.data_offsets = \[3, 9\]; expected to begin at 6",
    ),
    (
        raw(json.dumps({"a": entry(), "b": entry()}), bytes(12)),
        r"b.data_offsets = \[0, 6\]; expected to begin at 6",
    ),
    (raw(json.dumps({"a": entry()}), bytes(5)), "size = '5 bytes of values'; expected 6"),
    (raw(json.dumps({"a": entry()}), bytes(7)), "size = '7 bytes of values'; expected 6"),
]
"""Files, and what is said of them."""


@pytest.mark.parametrize(("content", "message"), HOSTILE, ids=map(str, range(len(HOSTILE))))
def test_a_hostile_header_is_refused(content: bytes, message: str) -> None:
    began = time.monotonic()
    with pytest.raises(FileContentError, match=f"^{FILE}: {message}"):
        read(content)
    assert time.monotonic() - began < 5


def test_a_header_of_100_mb_is_not_even_read() -> None:
    class Endless(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size == 8
            return super().read(size)

    stream = Endless(struct.pack("<Q", 100_000_000))
    with pytest.raises(
        FileContentError, match=f"header length = 100000000; expected at most {MAX_HEADER_BYTES}"
    ):
        read_header(stream, 200_000_000, FILE)


@pytest.mark.slow
def test_memory_is_bounded() -> None:
    # As many bytes and brackets as are let through: what they become stays within some hundred MB.
    header = '{"a": [' + "[]," * (MAX_BRACKETS - 10) + '1], "b": "' + "x" * 12_000_000 + '"}'
    content = raw(header)
    tracemalloc.start()
    try:
        with pytest.raises(FileContentError, match="a = "):
            read(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200_000_000


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for whole in (content, raw(content), raw(b'{"a":' + content + b"}", bytes(6))):
        try:
            found = read(whole)
        except FileContentError:
            continue
        assert found == {}
