"""What 2:4 changes in the tile model of a GEMM: the tensor rate below nominal and a costlier start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from infersim.cost.gemm_tiles import Machine
from infersim.cost.parameters import KindParameters


def sparse_machine(machine: Machine, nominal_factor: float, sparse: KindParameters) -> Machine:
    """The GPU with its 2:4 tensor rate: what is nominally gained, times `sparse_efficiency`.

    At efficiency e the rate is dense x (1 + (nominal - 1) e): 1 is the datasheet, 0 is no gain.
    """
    gain = 1 + (nominal_factor - 1) * sparse.values["sparse_efficiency"]
    return replace(machine, flop_per_us_per_sm=machine.flop_per_us_per_sm * gain)


def sparse_values(values: Mapping[str, float], sparse: KindParameters) -> Mapping[str, float]:
    """Dense GEMM parameters with the sparse kernel's extra start-up and no vector kernel at m = 1."""
    launch_us = values["launch_us"] + sparse.values["sparse_launch_us"]
    return {**values, "launch_us": launch_us, "gemv_launch_us": float("inf")}
