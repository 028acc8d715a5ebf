"""Text as a page carries it: deflated, seven bits to a character; the page's script unpacks it (`unpack.js`).

Seven bits instead of the six of base64 save an eighth: in UTF-8 all characters below 128 take one byte.
"""

from __future__ import annotations

import zlib

import numpy as np

_BITS = 7

# A parser of HTML replaces NUL, reads a carriage return as a line feed, and may see markup after `<`: letters
# that agree with them in the lowest seven bits stand in their place.
_STAND_INS = {ord(character): ord(character) + 0x180 for character in "\0\r<"}


def packed(text: str) -> str:
    """`text` as characters that stand unchanged in an element of HTML, whatever `text` holds."""
    deflated = zlib.compress(text.encode(), 9)
    bits = np.unpackbits(np.frombuffer(deflated, dtype=np.uint8))
    groups = np.pad(bits, (0, -len(bits) % _BITS)).reshape(-1, _BITS)
    sevens = np.packbits(groups, axis=1) >> (8 - _BITS)
    return sevens.tobytes().decode("ascii").translate(_STAND_INS)


def unpacked(text: str) -> str:
    """What `packed` made `text` of."""
    sevens = np.array([ord(character) for character in text], dtype=np.uint16).astype(np.uint8)
    bits = np.unpackbits(sevens[:, np.newaxis], axis=1)[:, 8 - _BITS :].reshape(-1)
    deflated = np.packbits(bits[: len(bits) // 8 * 8]).tobytes()
    return zlib.decompress(deflated).decode()
