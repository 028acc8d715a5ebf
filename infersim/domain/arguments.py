"""What public functions ask of their arguments: rules, stated at each function, applied before it runs.

    @checked(gpu=a_profile, m=whole(MAX_CONTEXT), dtype=one_of("dtype", PRECISIONS), act_quant=flag)
    def gemm_latency(gpu, m, dtype, act_quant): ...

A rule takes an argument's name and its value; it returns what the function gets, or raises an InfersimError
that names both and what was expected. A parameter without a rule is refused where the function is defined.
Rules of numbers are in `domain.numbers`; those of models, GPUs and files stand where these are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import Parameter, signature
from os import fsencode
from pathlib import Path
from typing import Any, ParamSpec, TypeAlias, TypeVar

import numpy as np

from infersim.domain.errors import InvalidValueError, UnknownNameError

P = ParamSpec("P")
R = TypeVar("R")

Rule: TypeAlias = Callable[[str, Any], Any]
"""An argument's name and value -> what the function gets."""

_LONGEST = 80
"""Characters of a value that an error shows."""

_LONGEST_NAME, _LONGEST_PATH, _LONGEST_PART = 1000, 4095, 255
"""Characters of a name, bytes of a path and of each of its parts: what file systems take."""

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def checked(**rules: Rule) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function so that each argument is what its rule makes of it.

    The rule of `**options` is applied to each of them, under its own name. Defaults are not looked at.
    """

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        parameters = signature(function).parameters
        if rules.keys() != parameters.keys():
            differing = ", ".join(sorted(rules.keys() ^ parameters.keys()))
            raise TypeError(f"{function.__name__}: a rule for each parameter is wanted; see {differing}")
        in_order = tuple(rules[name] for name, each in parameters.items() if each.kind in _POSITIONAL)
        names = tuple(name for name, each in parameters.items() if each.kind in _POSITIONAL)
        kinds = {each.kind: name for name, each in parameters.items()}
        others = rules.get(kinds.get(Parameter.VAR_KEYWORD, ""), as_it_is)
        by_name = {
            name: others if each.kind is Parameter.VAR_KEYWORD else rules[name]
            for name, each in parameters.items()
            if each.kind is not Parameter.POSITIONAL_ONLY
        }

        @wraps(function)
        def checking(*args: P.args, **kwargs: P.kwargs) -> R:
            if len(args) > len(names):  # Python's own error
                return function(*args, **kwargs)
            given = [rule(name, value) for rule, name, value in zip(in_order, names, args, strict=False)]
            named = {name: by_name.get(name, others)(name, value) for name, value in kwargs.items()}
            return function(*given, **named)

        return checking

    return decorated


class Shown(str):
    """A text that stands in errors as it is, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        """The text."""
        return str(self)


def refused(key: str, value: object, expected: str) -> InvalidValueError:
    """The error that `value` is not what was expected; what is long or strange is shown in short."""
    if value is None or isinstance(value, bool | float):
        return InvalidValueError(key, value, expected)
    return InvalidValueError(key, Shown(brief(value)), expected)


def brief(value: object) -> str:
    """One line, of a few words."""
    kind = type(value).__name__
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"{kind} of shape {tuple(shape)}"
    try:
        text = repr(value[:_LONGEST] if isinstance(value, str | bytes) else value)
    except Exception:  # a stranger's object may do as it likes
        return kind
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}... ({kind})"


def as_it_is(key: str, value: Any) -> Any:  # noqa: ARG001  # a rule
    """Checked further down, by the record that is made of it."""
    return value


def optional(rule: Rule) -> Rule:
    """None, or what `rule` asks for."""
    return lambda key, value: None if value is None else rule(key, value)


def flag(key: str, value: Any) -> bool:
    """True or false, and nothing that merely counts as such."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise refused(key, value, "True or False")


def text(key: str, value: Any) -> Any:
    """A text that is not empty."""
    if _is_name(value) and value:
        return value
    raise refused(key, value, f"a text of 1 to {_LONGEST_NAME} characters")


def one_of(kind: str, known: Iterable[str]) -> Rule:
    """A name among `known`, which is asked anew each time; `kind` is what UnknownNameError calls it."""

    def rule(key: str, value: Any) -> Any:
        names = known if isinstance(known, Mapping) else list(known)
        if not _is_name(value):
            raise refused(key, value, f"a name: {', '.join(names)}")
        if value not in names:
            raise UnknownNameError(kind, value, names)
        return value

    return rule


def a(*kinds: type, called: str) -> Rule:
    """An object of one of `kinds`."""

    def rule(key: str, value: Any) -> Any:
        if isinstance(value, kinds):
            return value
        raise refused(key, value, called)

    return rule


def a_path(key: str, value: Any) -> Any:
    """The place of a file: a text or a path."""
    if _is_path(value) and str(value):
        return value
    raise refused(key, value, f"a path, whose parts have at most {_LONGEST_PART} bytes")


def a_name_or_path(key: str, value: Any) -> Any:
    """A name that is looked up, or the place of a file."""
    if _is_path(value):
        return value
    raise refused(key, value, f"a name, or a path whose parts have at most {_LONGEST_PART} bytes")


def _is_name(value: object) -> bool:
    """A text that can be looked up, printed and written."""
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a character
        return False
    return True


def _is_path(value: object) -> bool:
    """A path that a file system takes, whether or not there is anything."""
    if not isinstance(value, str | Path):
        return False
    try:
        place = fsencode(value)
    except UnicodeEncodeError:
        return False
    short = len(place) <= _LONGEST_PATH and all(len(part) <= _LONGEST_PART for part in place.split(b"/"))
    return short and b"\0" not in place


def either(first: type, rule: Rule) -> Rule:
    """An object of `first` as it is, or what `rule` asks for."""
    return lambda key, value: value if isinstance(value, first) else rule(key, value)


def one_or_several(rule: Rule, *, at_least: int = 1, called: str = "value") -> Rule:
    """One value or several, as a tuple; each is what `rule` asks for."""

    def several(key: str, value: Any) -> tuple[Any, ...]:
        if isinstance(value, str | bytes | Mapping | Path) or not isinstance(value, Iterable):
            return (rule(key, value),)
        named: dict[str, Any] = {}  # a name is looked up once, however often it is said
        found = []
        for each in _members(key, value):
            if not isinstance(each, str):
                found.append(rule(key, each))
                continue
            if each not in named:
                named[each] = rule(key, each)
            found.append(named[each])
        if len(found) < at_least:
            raise refused(key, value, f"at least one {called}")
        return tuple(found)

    return several


def named_values(rule: Rule) -> Rule:
    """A mapping of names, each value of which is what `rule` asks for."""

    def mapping(key: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise refused(key, value, "a mapping of names to values")
        return {text(f"a name in {key}", name): rule(name, each) for name, each in value.items()}

    return mapping


def _members(key: str, value: Iterable[Any]) -> list[Any]:
    try:
        return list(value)
    except Exception:  # a 0-d array, a tensor of another device: each has its own word
        raise refused(key, value, "one value, or a list of them") from None
