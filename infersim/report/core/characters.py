"""What characters become on a terminal, whoever prints them: no escape code of a name is obeyed."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """`text` with a replacement character for each control character but line breaks."""
    return "".join("\ufffd" if unicodedata.category(c) == "Cc" and c != "\n" else c for c in text)


def kept_together(text: str) -> str:
    """No line break between a number and its percent sign: `wrap` does not break at this space."""
    return text.replace(" %", "\u00a0%")
