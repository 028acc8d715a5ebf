"""Residual grids as text: base64 of deflated little-endian int16, in units of a power of two.

A power of two is exact in binary, so that reading and writing again changes nothing.
"""

from __future__ import annotations

import base64
import binascii
import math
import zlib

import numpy as np
import numpy.typing as npt

_LARGEST = np.iinfo(np.int16).max
_SMALLEST_EXPONENT = -8
"""Corrections are kept to 2**-8, 0.4 % of a latency: finer steps would be noise and would not deflate."""


def encode_grid(values: npt.NDArray[np.float32]) -> tuple[int, str]:
    """The exponent of the unit, and the text. Rounding costs half a unit."""
    largest = float(np.max(np.abs(values), initial=0.0))
    exponent = math.ceil(math.log2(largest / _LARGEST)) if largest > 0 else 0
    exponent = max(exponent, _SMALLEST_EXPONENT)
    whole = np.rint(np.ldexp(values.astype(np.float64), -exponent)).astype("<i2")
    return exponent, base64.b64encode(zlib.compress(whole.tobytes(), 9)).decode("ascii")


def decode_grid(exponent: int, text: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """The grid of `shape`; raises ValueError that says what is wrong with the text."""
    try:
        raw = zlib.decompress(base64.b64decode(text, validate=True))
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"not deflated base64: {error}") from None
    expected = math.prod(shape) * 2
    if len(raw) != expected:
        raise ValueError(f"{len(raw)} bytes, where {' x '.join(map(str, shape))} values take {expected}")
    whole = np.frombuffer(raw, dtype="<i2").reshape(shape)
    return np.ldexp(whole.astype(np.float32), exponent).astype(np.float32)
