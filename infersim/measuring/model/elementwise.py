"""Norms, rotary embedding and activations, as a fused runtime or as eager PyTorch runs them.

On a GPU the fused ones are compiled to one kernel each; on a CPU, where compiling needs a C++ compiler that
a user may lack, they are the fewest eager calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from infersim.workload.scenario import Layout

EPSILON = 1e-5
"""Of RMSNorm, as in Llama."""

ROTARY_BASE = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Elementwise:
    """The functions of one layout on one kind of device.

    `add_norm(x, delta, weight)` gives `x + delta` and its norm; `rotate(x[..., heads, head_dim], cos, sin)`
    with tables that broadcast to x; `gated(gate, up)` and `plain(up)` are the activations.
    """

    norm: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    add_norm: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
    rotate: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
    gated: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    plain: Callable[[torch.Tensor], torch.Tensor]


def elementwise_of(layout: Layout, device: torch.device) -> Elementwise:
    """Fused: compiled on a GPU, few eager calls on a CPU. Separate: eager PyTorch."""
    if layout is Layout.SEPARATE:
        return _EAGER
    if device.type == "cpu":
        return _FEW_CALLS
    return Elementwise(
        norm=torch.compile(rms_norm, dynamic=True),
        add_norm=torch.compile(add_rms_norm, dynamic=True),
        rotate=torch.compile(rotated, dynamic=True),
        gated=torch.compile(swiglu, dynamic=True),
        plain=functional.silu,
    )


def rms_norm(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """RMSNorm over the last axis."""
    return functional.rms_norm(x, weight.shape, weight, EPSILON)


def add_rms_norm(
    x: torch.Tensor, delta: torch.Tensor, weight: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """`x + delta` and its norm."""
    total = x + delta
    return total, rms_norm(total, weight)


def rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary embedding as eager code has it: `x cos + rotate_half(x) sin`."""
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos + turned * sin


def swiglu(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """`silu(gate) up`."""
    return functional.silu(gate) * up


def rotary_tables(
    positions: torch.Tensor, head_dim: int, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines `[*positions, 1, head_dim]`, in the half-and-half order of `rotated`."""
    exponents = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float64) / head_dim
    frequencies = ROTARY_BASE**-exponents
    angles = positions[..., None, None] * torch.cat((frequencies, frequencies))
    return angles.cos().to(dtype), angles.sin().to(dtype)


def _rotated_in_place(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """`rotated` in three calls: a product, and each half's share of the other added to it."""
    half = x.shape[-1] // 2
    result = x * cos
    result[..., :half].addcmul_(x[..., half:], sin[..., :half], value=-1)
    result[..., half:].addcmul_(x[..., :half], sin[..., half:])
    return result


def _swiglu_in_place(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    return functional.silu(gate).mul_(up)


_EAGER = Elementwise(
    norm=rms_norm, add_norm=add_rms_norm, rotate=rotated, gated=swiglu, plain=functional.silu
)
_FEW_CALLS = Elementwise(
    norm=rms_norm,
    add_norm=add_rms_norm,
    rotate=_rotated_in_place,
    gated=_swiglu_in_place,
    plain=functional.silu,
)
