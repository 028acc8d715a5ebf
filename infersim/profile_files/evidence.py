"""Where each number of a datasheet comes from: patterns of `sources` and `unverified` over dotted keys."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase

from infersim.domain.errors import FileContentError


def unverified_keys(file: object, patterns: Iterable[str], keys: Collection[str]) -> tuple[str, ...]:
    """The keys that a pattern of `unverified` names; FileContentError for a pattern that names none."""
    named = {key for pattern in patterns for key in _matches(file, "unverified", pattern, keys)}
    return tuple(key for key in keys if key in named)


def sources_by_key(
    file: object, sources: Mapping[str, str], keys: Collection[str], unverified: Collection[str]
) -> dict[str, str]:
    """The source of each key that has one, from its longest (most telling) matching pattern.

    What a pattern says of many numbers does not hold for those that are listed as unverified: these have a
    source only where one is given for the very key. FileContentError for a pattern that matches nothing.
    """
    sources_of: dict[str, str] = {}
    for pattern in sorted(sources, key=len):
        for key in _matches(file, "sources", pattern, keys):
            if key not in unverified or key == pattern:
                sources_of[key] = sources[pattern]
    return {key: sources_of[key] for key in keys if key in sources_of}


def require_evidence(file: object, numbers: Mapping[str, float], accounted_for: Collection[str]) -> None:
    """FileContentError for the first number with neither a source nor an entry under `unverified`."""
    for key, value in numbers.items():
        if key not in accounted_for:
            expected = 'a source for it under [sources], or its key in the list "unverified"'
            raise FileContentError(file, key, value, expected)


def _matches(file: object, table: str, pattern: str, keys: Collection[str]) -> list[str]:
    matching = [key for key in keys if fnmatchcase(key, pattern)]
    if not matching:
        expected = "a number's key, or a pattern such as matrix.*.sparse_factor that matches one"
        raise FileContentError(file, table, pattern, expected)
    return matching
