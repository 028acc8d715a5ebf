"""The GPUs and scenarios that a command is about, from what was typed.

Lists with commas, settings `key=value`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from infersim.cli.option_groups import PassFlags, RequestFlags, RunFlags
from infersim.cli.usage.examples import example_of
from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from infersim.domain.profile import HardwareProfile
    from infersim.simulation.speedups.scenarios import Scenarios
    from infersim.workload.requests import Request


Value = TypeVar("Value")

ALL = "all"
"""Stands for every name there is."""

DEFAULT_CONTEXT = "4096"
"""Tokens, where a comparison of plans is asked about neither a context nor a request."""


def names(key: str, text: str) -> list[str]:
    """`a,b` as its names, each once; InvalidValueError where there is none."""
    found = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        expected = _with_example(key, "a name, or several with commas between")
        raise InvalidValueError(key, text, expected)
    return found


def integers(key: str, text: str) -> list[int]:
    """`1,8` as integers; how large they may be is for the question to say."""
    return _parsed(key, text, int, "an integer, or several with commas between")


def fractions(key: str, text: str) -> list[float]:
    """`0.25,0.5` as numbers; which of them are possible is for the family to say."""
    return _parsed(key, text, float, "a number, or several with commas between")


def family_options(words: Sequence[str]) -> dict[str, str | int | float | bool]:
    """`["execution=gather", "align=16"]` as options; what they may be is for the family to say."""
    found: dict[str, str | int | float | bool] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise InvalidValueError("families", word, "FAMILY/OPTION=VALUE, such as dynamic-m/target=ffn")
        found[name.strip()] = _option(value.strip())
    return found


def _option(text: str) -> str | int | float | bool:
    if text in ("true", "false"):
        return text == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def settings(key: str, words: Sequence[str]) -> dict[str, float]:
    """`["memory.bandwidth_gb_s=6000"]` as numbers by name."""
    found: dict[str, float] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name.strip() in found:
            raise InvalidValueError(key, word, "each key once")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise InvalidValueError(key, word, "KEY=NUMBER, such as memory.bandwidth_gb_s=6000") from None
    return found


def _parsed(key: str, text: str, parse: Callable[[str], Value], expected: str) -> list[Value]:
    """Each value once, in the order of first mention."""
    found = []
    for part in text.split(","):
        try:
            found.append(parse(part.strip()))
        except ValueError:
            raise InvalidValueError(key, part.strip(), _with_example(key, expected)) from None
    return list(dict.fromkeys(found))


def _with_example(key: str, expected: str) -> str:
    """What was expected, and how the option is typed."""
    return ", ".join(filter(None, (expected, example_of([key]))))


NO_REQUEST = RequestFlags()


def chosen_gpus(gpu: str, overrides: Sequence[str], kernels: str | None = None) -> list[HardwareProfile]:
    """The profiles of `a,b`, each with the numbers that `overrides` sets and the kernels of an engine."""
    from infersim.profile_files.overrides import with_overrides

    changes = settings("set", overrides)
    return [with_overrides(name, changes).with_kernels(kernels) for name in names("gpu", gpu)]


def chosen_scenarios(
    passes: PassFlags,
    runs: RunFlags,
    own: RequestFlags = NO_REQUEST,
    *,
    default_context: str | None = None,
) -> Scenarios:
    """The record of what was typed; no phase is both.

    `default_context` is taken where neither a context nor a request is given.
    """
    from infersim.simulation.speedups.scenarios import Scenarios

    if passes.phase is not None and own != NO_REQUEST:
        raise InvalidValueError("phase", passes.phase, "none beside a request, which has both phases")
    context = passes.context
    if context is None and own == NO_REQUEST:
        context = default_context
    return Scenarios.of(
        phase=passes.phase or "both",
        batch=integers("batch", passes.batch),
        context=None if context is None else integers("context", context),
        request=_request(own),
        **{**asdict(runs), "gpus": integers("gpus", runs.gpus)},
    )


def _request(own: RequestFlags) -> str | Request | None:
    """A preset's name, or lengths: both of them, and not beside a name."""
    if own.prompt is None and own.output is None:
        return own.request
    if own.request is not None:
        raise InvalidValueError("request", own.request, "a name, or --prompt and --output, not all of them")
    if own.prompt is None or own.output is None:
        missing = "prompt" if own.prompt is None else "output"
        raise InvalidValueError(missing, None, "a number of tokens: --prompt and --output come together")
    from infersim.workload.requests import Request

    return Request(prompt_len=own.prompt, output_len=own.output)
