"""What a kernel costs on a GPU: its work, its floor, its predicted time, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array
from infersim.domain.errors import UnsupportedError


class Limiter(StrEnum):
    """What bounds a kernel's predicted time."""

    COMPUTE = "compute"
    CHAIN = "latency chain"
    L2 = "L2 bandwidth"
    MEMORY = "memory bandwidth"
    LAUNCH = "launch"
    LINK = "link bandwidth"


LIMITERS: tuple[Limiter, ...] = tuple(Limiter)
"""Limiters in the order of the integer codes that cost arrays carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelCost:
    """Cost of one execution of a kernel shape; arrays over the scenario axis.

    - `flop`: FLOPs done (2:4 counts the half it does); `peak_flop_per_s`: dense peak at the highest
      clock; `matrix_floor_s`: those FLOPs at the nominal rate (2:4 at the nominal sparse rate).
    - `model_bytes`: compulsory bytes inside a model (weights, KV cache), 0 for those that a timing loop may
      keep hot: no cache saves reading them; `kernel_bytes`: operands and result of the kernel on its own.
    - `kernel_s`: predicted time without launch, never below `matrix_floor_s` nor `model_bytes` over
      bandwidth; `launch_s`: predicted launch cost.
    - `log_half_width`: half-width of the 80 % interval of log(kernel_s + launch_s);
      `pair_log_half_width`: the same for the log ratio of two such kernels on the same GPU.
    - `limiter`: index into LIMITERS; `in_range`: inside the region that was calibrated.
    - `error_group`: kernels whose errors move together ("gemm", "attention", "memory").
    """

    flop: Array
    peak_flop_per_s: float
    matrix_floor_s: Array
    model_bytes: Array
    kernel_bytes: Array
    kernel_s: Array
    launch_s: Array
    log_half_width: Array
    pair_log_half_width: Array
    limiter: npt.NDArray[np.int8]
    in_range: npt.NDArray[np.bool_]
    error_group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """The power of a board while kernels run: `energy_j` works it out, anew each time it is called.

    `calibration` is `fitted` where kernels of the GPU itself were metered, else `transferred`;
    `log_half_width` is that of the 80 % interval of a mean power.
    """

    energy_j: Callable[[], Array] = field(repr=False)
    calibration: str
    log_half_width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Latency of single kernels with its 80 % interval, floor, reason and parts; arrays over shapes.

    `latency_s` includes launch. `lower_s` and `upper_s` bound the 80 % interval; none of the three is
    below `floor_s`. `parts` names seconds by cause. `calibration` is `none`, `borrowed`, `transferred`
    or `fitted`; `kernels` names the engine whose kernels were measured, where that is known. `limiter` names
    what bounds each; `limiter_codes`, its index into LIMITERS, takes a byte. `energy_j` and `watts` are the
    board's, worked out when they are asked for.
    """

    latency_s: Array
    lower_s: Array
    upper_s: Array
    floor_s: Array
    limiter_codes: npt.NDArray[np.int8]
    in_range: npt.NDArray[np.bool_]
    calibration: str
    kernels: str | None = None
    parts: Mapping[str, Array] = field(default_factory=dict)
    power: Power | None = field(default=None, repr=False, compare=False)

    @property
    def energy_j(self) -> Array:
        """Joules that the board draws over each kernel, launch included.

        Raises UnsupportedError where nobody states the board's power limit.
        """
        if self.power is None:
            raise UnsupportedError("no energy: nobody states the board's power limit (chip.tdp_w)")
        return self.power.energy_j()

    @property
    def watts(self) -> Array:
        """Mean power of the board over each kernel, never above its limit; raises what `energy_j` raises."""
        mean_w: Array = self.energy_j / self.latency_s
        return mean_w

    @property
    def limiter(self) -> npt.NDArray[np.str_]:
        """What bounds each kernel's time, by name."""
        names: npt.NDArray[np.str_] = np.array([limiter.value for limiter in LIMITERS])[self.limiter_codes]
        return names
