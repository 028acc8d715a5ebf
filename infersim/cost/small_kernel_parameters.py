"""Parameters of small kernels: shared ones, and five for each kind; their defaults, fitted over GPUs."""

from __future__ import annotations

from collections.abc import Mapping

from infersim.domain.small_kernels import SmallKernel

_SHARED: Mapping[str, float] = {
    "launch_us": 1.68,
    "dram_efficiency": 0.928,
    "sm_bytes_per_clock": 18.8,
    "residency_sharpness": 2.0,
    "loop_residency": 1.1,
    "loop_sharpness": 9.52,
}

OWN_NAMES: tuple[str, ...] = ("us", "us_per_kib", "row_us", "speed", "residency")
"""Of each kind: us a kernel, and for each KiB that a row moves; us of an SM for each row; speed over
`sm_bytes_per_clock`; share of L2 that still holds its operands, in a model, when it comes."""

_OWN: Mapping[SmallKernel, tuple[float, ...]] = {
    SmallKernel.COPY: (0.2, 0.02, 0.1, 1.0, 0.4),
    SmallKernel.ADD: (1.04, 0.02, 0.1, 0.938, 0.972),
    SmallKernel.NORM: (0.213, 0.0118, 0.108, 1.13, 0.422),
    SmallKernel.ROTARY: (0.588, 0.00566, 0.122, 0.594, 0.526),
    SmallKernel.ACTIVATION: (0.183, 0.012, 0.0998, 1.18, 0.651),
    SmallKernel.GATHER: (1.1, 0.0201, 0.333, 1.0, 1.5),
    SmallKernel.QUANTISE: (0.0896, 0.0182, 0.0928, 1.22, 0.4),
    SmallKernel.QUANTISE_DYNAMIC: (0.483, 0.0482, 0.159, 0.682, 0.4),
}
"""Fitted with the shared ones over five GPUs (`calibration/fit_small_kernels.py`), each of which the others
tell to 10 to 21 % by op; COPY, which no table times, is a guess between them."""


def own_name(kernel: SmallKernel, name: str) -> str:
    """Name of a kind's own parameter in fits."""
    return f"{kernel.word}_{name}"


MEMORY_DEFAULTS: Mapping[str, float] = dict(_SHARED) | {
    own_name(kernel, name): value
    for kernel, values in _OWN.items()
    for name, value in zip(OWN_NAMES, values, strict=True)
}
"""All parameters of kind `memory` without a fit."""
