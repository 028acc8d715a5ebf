"""The GPUs and scenarios that a command is about, from what was typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from infersim.cli.lists import integers, names, settings
from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from infersim.domain.profile import HardwareProfile
    from infersim.workload.requests import Request


class Scenarios(TypedDict):
    """Arguments that `predict` and `compare` share."""

    phase: str
    batch: list[int]
    context: list[int] | None
    request: str | Request | None
    dtype: str
    kv_dtype: str | None
    execution: str
    cuda_graph: bool


def chosen_gpus(gpu: str, overrides: Sequence[str]) -> list[HardwareProfile]:
    """The profiles of `a,b`, each with the numbers that `overrides` sets."""
    from infersim.profile_files.overrides import with_overrides

    changes = settings("set", overrides)
    return [with_overrides(name, changes) for name in names("gpu", gpu)]


def chosen_scenarios(
    *,
    phase: str | None,
    batch: str,
    context: str | None,
    request: str | None,
    prompt: int | None,
    output: int | None,
    dtype: str,
    kv_dtype: str | None,
    execution: str,
    cuda_graph: bool,
) -> Scenarios:
    """What was typed as arguments of the API, which checks them; no phase is both."""
    if phase is not None and (request, prompt, output) != (None, None, None):
        raise InvalidValueError("phase", phase, "none beside a request, which has both phases")
    return Scenarios(
        phase=phase or "both",
        batch=integers("batch", batch),
        context=None if context is None else integers("context", context),
        request=_request(request, prompt, output),
        dtype=dtype,
        kv_dtype=kv_dtype,
        execution=execution,
        cuda_graph=cuda_graph,
    )


def _request(name: str | None, prompt: int | None, output: int | None) -> str | Request | None:
    """A preset's name, or lengths: both of them, and not beside a name."""
    if prompt is None and output is None:
        return name
    if name is not None:
        raise InvalidValueError("request", name, "a name, or --prompt and --output, not all of them")
    if prompt is None or output is None:
        missing = "prompt" if prompt is None else "output"
        raise InvalidValueError(missing, None, "a number of tokens: --prompt and --output come together")
    from infersim.workload.requests import Request

    return Request(prompt_len=prompt, output_len=output)
