"""Launches: kernels that do next to nothing, issued by the host one after the other."""

from __future__ import annotations

from functools import partial

import torch

from infersim.measuring.kernels.bench import Bench, Row
from infersim.measuring.kernels.prepared import Prepared


def prepare_launch(row: Row, bench: Bench) -> Prepared:
    """`row["kernels"]` adds of one number in a row, without a CUDA graph; one call is the whole row.

    The device waits for the host, so that what passes is the host's time.
    """
    one = bench.data.tensor(1, dtype=torch.float32)
    call = partial(_in_a_row, int(row["kernels"]), one, torch.zeros_like(one))
    return Prepared(calls=(call,), implementation="add_", captured=False)


def _in_a_row(kernels: int, target: torch.Tensor, nothing: torch.Tensor) -> None:
    for _ in range(kernels):
        target.add_(nothing)
