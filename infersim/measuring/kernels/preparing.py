"""The one entrance: what runs for a row of a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infersim.fitting.samples.schema import Kind
from infersim.measuring.kernels.attention import prepare_attention
from infersim.measuring.kernels.bench import Bench, Row
from infersim.measuring.kernels.gemm import prepare_gemm
from infersim.measuring.kernels.launch import prepare_launch
from infersim.measuring.kernels.memory_bound import prepare_memory_bound
from infersim.measuring.kernels.prepared import Prepared
from infersim.measuring.kernels.sparse_gemm import prepare_sparse_gemm

KINDS: Mapping[Kind, Callable[[Row, Bench], Prepared]] = {
    Kind.GEMM: prepare_gemm,
    Kind.SPARSE_GEMM: prepare_sparse_gemm,
    Kind.ATTENTION: prepare_attention,
    Kind.MEMORY: prepare_memory_bound,
    Kind.LAUNCH: prepare_launch,
}


def prepare(row: Row, bench: Bench) -> Prepared:
    """The calls that run the kernel of `row`; UnsupportedError where the device or PyTorch has none."""
    return KINDS[Kind(row["kind"])](row, bench)
