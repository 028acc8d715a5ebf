"""Errors that a user can cause; each says what was wrong, where, and what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from reprlib import Repr
from types import MappingProxyType

MAX_TEXT = 500
"""Characters of a value that a message quotes: a file or a caller may give millions."""


class _Brief(Repr):
    """Values as `repr` has them, within bounds, and integers of any length."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = self.maxarray = 20
        self.maxstring = self.maxother = self.maxlong = MAX_TEXT

    def repr_int(self, x: int, level: int) -> str:
        """Python refuses to write out integers of thousands of digits."""
        try:
            return super().repr_int(x, level)
        except ValueError:
            return f"an integer of {x.bit_length()} bits"


_BRIEF = _Brief()


def brief(value: object) -> str:
    """`value` as a message quotes it; a long one is cut in its middle."""
    try:
        return _BRIEF.repr(value)
    except Exception:  # the value's own code
        return f"a {type(value).__name__}"


class InfersimError(Exception):
    """Base of every error a user can cause; the command line prints it and exits with 2."""


class UnknownNameError(InfersimError):
    """A name that is not known, told with the closest match first and then all that is known.

    `spellings` maps other ways to write a known name to it; they help to find the closest match.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        known: Iterable[str],
        *,
        spellings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        name = str(name) if isinstance(name, str) else brief(name)  # from Python it may be anything
        self.kind, self.name, self.known = kind, name, sorted(known)
        lowered = {other.lower(): entry for other, entry in spellings.items()}
        lowered |= {entry.lower(): entry for entry in self.known}
        begun = sorted(entry for entry in lowered if name and entry.startswith(name.lower()))
        matches = begun or get_close_matches(name.lower()[:MAX_TEXT], lowered, n=3, cutoff=0.5)
        self.closest = list(dict.fromkeys(lowered[match] for match in matches))
        hint = f"did you mean {' or '.join(self.closest)}? " if self.closest else ""
        super().__init__(f"unknown {kind} {brief(name)}: {hint}known: {', '.join(self.known)}")


class InvalidValueError(InfersimError):
    """A value outside what is possible."""

    def __init__(self, key: str, value: object, expected: str) -> None:
        self.key, self.value, self.expected = key, value, expected
        super().__init__(f"{key} = {brief(value)}; expected {expected}")


class FileContentError(InfersimError):
    """A file whose content is not what it must be: `file: key = value; expected ...`."""

    def __init__(self, file: object, key: str, value: object, expected: str) -> None:
        self.file, self.key, self.value, self.expected = str(file), key, value, expected
        super().__init__(f"{file}: {_cut(str(key))} = {brief(value)}; expected {expected}")


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."


class UnsupportedError(InfersimError):
    """Something that exists but is out of scope, said plainly (state-space layers, a missing data type)."""
