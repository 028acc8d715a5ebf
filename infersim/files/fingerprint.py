"""Fingerprints of records: equal content has an equal one, in every process and on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path

import numpy as np

from infersim.files.opening import read_bytes

_PACKAGE = Path(__file__).resolve().parents[2]
_COMPUTING = ("domain", "cost", "profile_files", "workload", "pruning", "simulation")
"""The packages that decide what a table holds."""


def fingerprint(value: object) -> str:
    """SHA-256 over a value's content: dataclasses, mappings, sequences, arrays, texts and numbers."""
    digest = hashlib.sha256()
    for part in _parts(value):
        digest.update(part)
    return digest.hexdigest()


@cache
def code_fingerprint() -> str:
    """SHA-256 over the code that predicts: between releases it changes while the version does not."""
    digest = hashlib.sha256()
    for package in _COMPUTING:
        for file in sorted((_PACKAGE / package).rglob("*.py")):
            digest.update(f"{file.relative_to(_PACKAGE).as_posix()}\0".encode())
            digest.update(read_bytes(file))
    return digest.hexdigest()


def _parts(value: object) -> Iterator[bytes]:
    """The content as bytes, each part with its type and its length before it."""
    if is_dataclass(value) and not isinstance(value, type):
        compared = [field.name for field in fields(value) if field.init]
        yield _framed(type(value).__name__, str(len(compared)).encode())
        for name in compared:
            yield _framed("field", name.encode())
            yield from _parts(getattr(value, name))
    elif isinstance(value, Mapping):
        yield _framed("mapping", str(len(value)).encode())
        for key in sorted(value, key=str):
            yield from _parts(key)
            yield from _parts(value[key])
    elif isinstance(value, np.ndarray):
        yield _framed(f"array {value.dtype.str} {value.shape}", np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Set):
        yield from _parts(sorted(value, key=str))
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield _framed("sequence", str(len(value)).encode())
        for member in value:
            yield from _parts(member)
    elif isinstance(value, Enum):
        yield _framed(type(value).__name__, str(value.value).encode())
    elif isinstance(value, np.generic):
        yield from _parts(value.item())
    elif value is None or isinstance(value, str | int | float):
        yield _framed(type(value).__name__, repr(value).encode())
    else:
        raise TypeError(f"{type(value).__name__} has no fingerprint")


def _framed(kind: str, content: bytes) -> bytes:
    return f"{kind} {len(content)}\0".encode() + content
