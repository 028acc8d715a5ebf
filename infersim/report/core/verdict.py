"""A verdict: sentences with the answer first, and what to keep in mind beside it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`sentences` answer, those about one scenario together; `notes` say how far to trust the answer.

    On one screen stand the `short` sentences (none: the first of `sentences`), and one line, the `grade`, on
    what the numbers rest on.
    """

    sentences: tuple[str, ...]
    notes: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    grade: str = ""

    def __str__(self) -> str:
        """Sentences and notes, one a line."""
        return "\n".join((*self.sentences, *self.notes))


def enumeration(items: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join(", ".join(items).rsplit(", ", 1)) if len(items) > 1 else "".join(items)


def as_sentence(text: str) -> str:
    """`text` with a full stop and, unless it begins with a name (a digit or hyphen in it), a capital."""
    first = text.split(maxsplit=1)[0]
    named = any(character.isdigit() or character == "-" for character in first)
    return (text if named else text[0].upper() + text[1:]).rstrip(".") + "."
