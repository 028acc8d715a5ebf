"""The GPUs and scenarios that a command is about, from what was typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from infersim.cli.lists import integers, names, settings
from infersim.cli.option_groups import PassFlags, RequestFlags, RunFlags
from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from infersim.domain.profile import HardwareProfile
    from infersim.simulation.speedups.scenarios import Scenarios
    from infersim.workload.requests import Request

NO_REQUEST = RequestFlags()


def chosen_gpus(gpu: str, overrides: Sequence[str]) -> list[HardwareProfile]:
    """The profiles of `a,b`, each with the numbers that `overrides` sets."""
    from infersim.profile_files.overrides import with_overrides

    changes = settings("set", overrides)
    return [with_overrides(name, changes) for name in names("gpu", gpu)]


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
        **asdict(runs),
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
