"""The one entrance: what runs for a row of a plan.

Launches are kernels that do next to nothing, issued by the host one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch

from infersim.domain.errors import UnsupportedError
from infersim.fitting.samples.schema import Kind
from infersim.measuring.kernels.attention import prepare_attention
from infersim.measuring.kernels.bench import Bench, Prepared, Row
from infersim.measuring.kernels.gemm import prepare_gemm
from infersim.measuring.kernels.memory_bound import prepare_memory_bound
from infersim.measuring.kernels.sparse_gemm import prepare_sparse_gemm


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


def _exchange(row: Row, _: Bench) -> Prepared:
    """Exchanges take several GPUs, which programs of their own time; their tables can be imported."""
    raise UnsupportedError(f"{row['exchange']}: one GPU is measured here; import a table of exchanges")


def _experts(row: Row, _: Bench) -> Prepared:
    """PyTorch has no kernel for a layer of experts; engines have, and tables of theirs can be imported."""
    experts = f"{row['num_experts']} experts"
    raise UnsupportedError(
        f"{experts}: PyTorch has no kernel of expert layers; import a table of an engine's"
    )


KINDS: Mapping[Kind, Callable[[Row, Bench], Prepared]] = {
    Kind.GEMM: prepare_gemm,
    Kind.SPARSE_GEMM: prepare_sparse_gemm,
    Kind.ATTENTION: prepare_attention,
    Kind.MEMORY: prepare_memory_bound,
    Kind.LAUNCH: prepare_launch,
    Kind.COLLECTIVE: _exchange,
    Kind.MOE: _experts,
}


def prepare(row: Row, bench: Bench) -> Prepared:
    """The calls that run the kernel of `row`; UnsupportedError where the device or PyTorch has none."""
    return KINDS[Kind(row["kind"])](row, bench)
