"""Errors that a user can cause; each says what was wrong, where, and what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType


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
        name = str(name)  # from Python it may be anything
        self.kind, self.name, self.known = kind, name, sorted(known)
        lowered = {other.lower(): entry for other, entry in spellings.items()}
        lowered |= {entry.lower(): entry for entry in self.known}
        begun = sorted(entry for entry in lowered if name and entry.startswith(name.lower()))
        matches = begun or get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
        self.closest = list(dict.fromkeys(lowered[match] for match in matches))
        hint = f"did you mean {' or '.join(self.closest)}? " if self.closest else ""
        super().__init__(f"unknown {kind} {name!r}: {hint}known: {', '.join(self.known)}")


class InvalidValueError(InfersimError):
    """A value outside what is possible."""

    def __init__(self, key: str, value: object, expected: str) -> None:
        self.key, self.value, self.expected = key, value, expected
        super().__init__(f"{key} = {value!r}; expected {expected}")


class FileContentError(InfersimError):
    """A file whose content is not what it must be: `file: key = value; expected ...`."""

    def __init__(self, file: object, key: str, value: object, expected: str) -> None:
        self.file, self.key, self.value, self.expected = str(file), key, value, expected
        super().__init__(f"{file}: {key} = {value!r}; expected {expected}")


class UnsupportedError(InfersimError):
    """Something that exists but is out of scope, said plainly (mixture of experts, a missing data type)."""
