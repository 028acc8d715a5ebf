"""The keys of a quantisation config with their checks, and the patterns by which it names modules."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from itertools import combinations
from typing import NoReturn

from infersim.domain.errors import FileContentError, UnsupportedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A matrix by every name that a file may mean it by. `outside`: it is the head."""

    names: tuple[str, ...]
    outside: bool = False


Matches = Callable[[Module], bool]

MAX_PATTERN = 500
_REPEATED_TWICE = re.compile(r"[*+}][^()]*\)+[*+{]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """An object of a config: `key` is its place in `file`, for errors."""

    file: object
    key: str
    stated: Mapping[str, object]

    def value(self, name: str, default: object = None) -> object:
        """What the key holds; a null is as good as no key."""
        found = self.stated.get(name)
        return default if found is None else found

    def choice(self, name: str, choices: Collection[object], default: object = None) -> object:
        """One of `choices`: UnsupportedError for another, FileContentError where there must be one."""
        found = self.value(name, default)
        if found is None:
            self.fail(name, None, f"one of {', '.join(map(str, choices))}")
        kinds = {type(choice) for choice in choices}
        if type(found) not in kinds or found not in choices:
            self.refuse(name, found, f"supported: {', '.join(map(str, choices))}")
        return found

    def bits(self, name: str, choices: Collection[int], default: int | None = None) -> int:
        """A number of bits among `choices`."""
        found = self.choice(name, choices, default)
        assert isinstance(found, int)
        return found

    def group(self, name: str, default: int | None = None) -> int | None:
        """Values along K that share a scale; None for all of them, which files write as -1."""
        found = self.value(name, default)
        if found is None or found == -1:
            return None
        if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= 2**16:
            self.fail(name, found, "an integer above 0, or -1 for whole rows")
        return found

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        found = self.value(name, default)
        return found if isinstance(found, bool) else self.fail(name, found, "true or false")

    def number(self, name: str, default: float | None, low: float, high: float) -> float:
        """A number in a range."""
        found = self.value(name, default)
        if isinstance(found, bool) or not isinstance(found, int | float) or not low <= found <= high:
            self.fail(name, found, f"a number from {low:g} to {high:g}")
        return float(found)

    def names(self, *keys: str) -> list[str]:
        """A list of texts, under the first of `keys` that is set; none where it is null."""
        key = next((key for key in keys if self.stated.get(key) is not None), keys[0])
        found = self.value(key, [])
        if isinstance(found, str):
            found = [found]
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            self.fail(key, found, "a list of names")
        if any(len(name) > MAX_PATTERN for name in found):
            self.fail(key, "a name of more than 500 characters", "shorter names")
        return found

    def inner(self, name: str) -> Statement | None:
        """An object inside, None where there is none."""
        found = self.value(name)
        if found is None:
            return None
        if not isinstance(found, Mapping):
            self.fail(name, found, "an object of keys and values")
        return Statement(file=self.file, key=f"{self.key}.{name}", stated=found)

    def check_keys(self, known: Collection[str]) -> None:
        """Raise UnsupportedError for a key that is set and that nobody here knows."""
        for name, found in self.stated.items():
            if name not in known and found not in (None, False, [], {}, ""):
                self.refuse(name, found, f"known keys: {', '.join(sorted(known))}")

    def fail(self, name: str, found: object, expected: str) -> NoReturn:
        """Raise FileContentError."""
        raise FileContentError(self.file, f"{self.key}.{name}", found, expected)

    def refuse(self, name: str, found: object, reason: str) -> NoReturn:
        """Raise UnsupportedError with the file, the key and the value."""
        text = repr(found)
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        raise UnsupportedError(f"{self.file}: {self.key}.{name} = {shown} is not supported; {reason}")

    def regex(self, name: str, pattern: str) -> re.Pattern[str]:
        """A pattern that is checked; one whose search could take for ever is refused."""
        if _REPEATED_TWICE.search(pattern):
            self.fail(name, pattern, "a regular expression without repetitions inside repeated groups")
        try:
            return re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            self.fail(name, pattern, f"a regular expression ({error})")


def nothing(_: Module) -> bool:
    """Matches no module."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """Finds modules by name: `whole` ones, `parts` (runs of dotted parts), `expressions` by their text."""

    whole: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()
    expressions: Mapping[str, re.Pattern[str]] = field(default_factory=dict)

    def __call__(self, module: Module) -> bool:
        return any(True for _ in self.found(module))

    def found(self, module: Module) -> Iterator[str]:
        """The patterns that find the module."""
        for name in module.names:
            yield from self.whole & {name, _ANY}
            yield from self.parts.intersection(_runs(name)) if self.parts else ()
            yield from (text for text, each in self.expressions.items() if each.match(name))

    def without_effect(self, modules: Iterable[Module]) -> list[str]:
        """The patterns that find none of the modules."""
        found = {text for module in modules for text in self.found(module)}
        return sorted((self.whole | self.parts | set(self.expressions)) - found)


_ANY = "Linear"
"""Stands for any matrix among whole names."""


def _runs(name: str) -> Iterator[str]:
    """Every run of a name's dotted parts."""
    parts = name.split(".")
    for start, end in combinations(range(len(parts) + 1), 2):
        yield ".".join(parts[start:end])


def by_part(patterns: Sequence[str]) -> Patterns:
    """Whether a run of a name's dotted parts is one of `patterns`: `lm_head`, `model.layers.0`."""
    return Patterns(parts=frozenset(patterns))


def by_wildcard(patterns: Sequence[str]) -> Patterns:
    """Whether a name, or the module around it, fits one of `patterns`: `model.layers.0*`, `lm_head`."""
    stars = [pattern for pattern in patterns if "*" in pattern]
    return Patterns(
        parts=frozenset(patterns) - set(stars),
        expressions={pattern: re.compile(translate(pattern)) for pattern in stars},
    )


def by_path(patterns: Sequence[str]) -> Patterns:
    """As `by_part`; a pattern with stars stands for all modules inside those that it fits."""
    stars = [pattern for pattern in patterns if "*" in pattern]
    return Patterns(
        parts=frozenset(patterns) - set(stars),
        expressions={each: re.compile(f"{translate(each)}|{translate(f'{each}.*')}") for each in stars},
    )


def by_name_or_regex(statement: Statement, key: str, patterns: Sequence[str]) -> Patterns:
    """Whole names, and expressions behind `re:` that match from a name's start; `Linear` is any matrix."""
    regexes = {each: statement.regex(key, each[3:]) for each in patterns if each.startswith("re:")}
    return Patterns(whole=frozenset(patterns) - set(regexes), expressions=regexes)
