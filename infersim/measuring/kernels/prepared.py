"""A kernel that is ready to be timed."""

from __future__ import annotations

from dataclasses import dataclass

from infersim.measuring.devices.timing import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Calls that run the same kernel on different data, and what they say about the sample.

    - `rotating_buffers`: distinct weights (KV caches) that the calls rotate over.
    - `weight_copies`: what the samples format asks for: the same number, or None where it is so large that
      weights come from memory.
    - `includes_act_quant`: whether quantising activations is part of a call (None: nothing to quantise).
    - `captured`: whether a CUDA graph may replay the calls; not where the launch itself is what is timed.
    - `implementation`: which PyTorch function runs.
    """

    calls: tuple[Call, ...]
    implementation: str
    rotating_buffers: int = 1
    weight_copies: int | None = None
    includes_act_quant: bool | None = None
    captured: bool = True
