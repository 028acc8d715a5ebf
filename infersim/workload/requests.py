"""Requests: a prompt and the tokens generated after it, and at which contexts to time their decode steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infersim.domain.arguments import text
from infersim.domain.arrays import Array
from infersim.domain.errors import UnknownNameError
from infersim.domain.numbers import count
from infersim.workload.scenario import MAX_CONTEXT

_LENGTH = count(MAX_CONTEXT)

DECODE_POINTS = 16
"""Most contexts that decode is timed at; enough to follow a step cost with several kinks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`prompt_len` tokens read at once, `output_len` generated: the first by prefill, the rest by decode.

    Parameters
    ----------
    prompt_len, output_len
        Tokens.
    name
        What tables call it.

    Raises
    ------
    InvalidValueError
        For lengths that are no positive, plausible integers (1024.0 is none).

    Examples
    --------
    >>> import infersim as sim
    >>> sim.Request(prompt_len=1024, output_len=256).decode_steps
    255
    """

    prompt_len: int
    output_len: int
    name: str = "custom"

    def __post_init__(self) -> None:
        """Check all fields; numpy's integers become Python's."""
        for key, rule in (("prompt_len", _LENGTH), ("output_len", _LENGTH), ("name", text)):
            object.__setattr__(self, key, rule(key, getattr(self, key)))

    @property
    def decode_steps(self) -> int:
        """Steps after prefill, which has made the first token."""
        return self.output_len - 1


REQUESTS: dict[str, Request] = {
    request.name: request
    for request in (
        Request(name="classification", prompt_len=1024, output_len=1),
        Request(name="generation", prompt_len=1024, output_len=256),
        Request(name="reasoning", prompt_len=1024, output_len=8192),
    )
}
"""Presets by name: prefill alone, a chat's answer, a long chain of thought."""


def request_named(name: str) -> Request:
    """Look up a preset; raises UnknownNameError that lists the known ones."""
    try:
        return REQUESTS[name]
    except KeyError:
        raise UnknownNameError("request", name, REQUESTS) from None


def decode_points(request: Request) -> tuple[Array, Array]:
    """Contexts at which to time a decode step, and how many steps each stands for.

    Step i of the n = output_len - 1 steps sees prompt_len + i tokens, its own included. The steps are cut
    into at most DECODE_POINTS runs of odd length, each timed at its middle step (the composite midpoint
    rule): all contexts are whole, the weights sum to n, and a cost linear in the context is summed exactly.
    Both arrays are empty for a request without decode.
    """
    steps = request.decode_steps
    # Odd lengths sum to n only if their number has the parity of n.
    runs = steps if steps <= DECODE_POINTS else DECODE_POINTS - (steps - DECODE_POINTS) % 2
    pairs = np.diff(np.linspace(0, (steps - runs) // 2, runs + 1).round())
    weights = 1 + 2 * pairs
    middles = np.cumsum(weights) - pairs
    return request.prompt_len + middles, weights
