"""Norms, rotary embedding and activations, as a fused runtime or as eager PyTorch runs them.

On a GPU the fused ones are compiled to one kernel each. On a CPU, where compiling needs a C++ compiler that a
user may lack, they are the fewest eager calls: what a call costs there, a fused runtime would not pay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from infersim.measuring.devices.torch_tools import compiled
from infersim.workload.scenario import Layout

EPSILON = 1e-5
"""Of RMSNorm, as in Llama."""

ROTARY_BASE = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Elementwise:
    """The functions of one layout on one kind of device.

    `add_norm(x, delta, weight)` gives `x + delta` and its norm; `tables(positions, head_dim, dtype)` are the
    `[*positions, 1, ...]` that `rotate(x[..., heads, head_dim], *tables)` takes; `gated(gate, up)` and
    `plain(up)` are the activations. `interleaved`: rotary pairs are neighbours, as in Llama's first code,
    instead of half the head apart; trained weights would be stored accordingly.
    """

    norm: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    add_norm: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
    rotate: Callable[..., torch.Tensor]
    tables: Callable[[torch.Tensor, int, torch.dtype], tuple[torch.Tensor, ...]]
    gated: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    plain: Callable[[torch.Tensor], torch.Tensor]
    interleaved: bool = False


def elementwise_of(layout: Layout, device: torch.device, dtype: torch.dtype) -> Elementwise:
    """Fused: compiled on a GPU, few eager calls on a CPU. Separate, or 16-bit on a CPU: eager PyTorch."""
    if layout is Layout.SEPARATE:
        return _EAGER
    if device.type == "cpu":
        # There are no complex numbers of two 16-bit ones.
        return _FEW_CALLS if dtype in _COMPLEX else _EAGER
    return Elementwise(
        norm=compiled(rms_norm),
        add_norm=compiled(add_rms_norm),
        rotate=compiled(rotated),
        tables=rotary_tables,
        gated=compiled(swiglu),
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
    frequencies = _frequencies(positions, head_dim)
    angles = positions[..., None, None] * torch.cat((frequencies, frequencies))
    return angles.cos().to(dtype), angles.sin().to(dtype)


def _frequencies(positions: torch.Tensor, head_dim: int) -> torch.Tensor:
    """Radians a position of each of the `head_dim / 2` pairs."""
    exponents = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float64) / head_dim
    frequencies: torch.Tensor = ROTARY_BASE**-exponents
    return frequencies


def _complex_table(positions: torch.Tensor, head_dim: int, dtype: torch.dtype) -> tuple[torch.Tensor]:
    """The turn of each pair as a complex number: `[*positions, 1, head_dim / 2]`."""
    angles = positions[..., None, None] * _frequencies(positions, head_dim)
    return (torch.polar(torch.ones_like(angles), angles).to(_COMPLEX[dtype]),)


def _rotated_as_complex(x: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Each pair of neighbours as one complex number, turned by one product."""
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turns).flatten(-2)


def _rms_norm_by_length(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`x weight / sqrt(mean(x^2) + eps)`, the root as a hypotenuse: x's length / sqrt(n), sqrt(eps)."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True).mul_(x.shape[-1] ** -0.5)
    return (x * weight).div_(torch.hypot(length, length.new_tensor(EPSILON**0.5)))


def _add_norm_by_length(
    x: torch.Tensor, delta: torch.Tensor, weight: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    total = x + delta
    return total, _rms_norm_by_length(total, weight)


def _swiglu_in_place(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    return functional.silu(gate).mul_(up)


_COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}
_EAGER = Elementwise(
    norm=rms_norm,
    add_norm=add_rms_norm,
    rotate=rotated,
    tables=rotary_tables,
    gated=swiglu,
    plain=functional.silu,
)
_FEW_CALLS = Elementwise(
    norm=_rms_norm_by_length,
    add_norm=_add_norm_by_length,
    rotate=_rotated_as_complex,
    tables=_complex_table,
    gated=_swiglu_in_place,
    plain=functional.silu,
    interleaved=True,
)
