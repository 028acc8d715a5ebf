"""A weight matrix: its size, its form and format."""

from __future__ import annotations

from dataclasses import dataclass

from infersim.cost.gemm.unstructured import SparseKernel
from infersim.domain.shapes import WeightForm
from infersim.workload.weight_format import WeightFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Zeros:
    """A `share` of a matrix's weights is zero, in no pattern; `kernel` multiplies by them."""

    share: float
    kernel: SparseKernel

    @property
    def packed(self) -> bool:
        """Whether the zeros are left out in memory."""
        return self.kernel is not SparseKernel.DENSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A weight matrix `W[out_features, in_features]` (N x K).

    `rank` set: stored as two factors, K -> rank -> N (low rank); `fused_pair` runs both in one launch. `form`
    2:4: half of each group of four along K is zero. Both None / DENSE: a plain matrix. `transposed_result`:
    the kernel leaves its result by columns, and a kernel of its own copies it into rows. `format` is what a
    checkpoint states of its values (None: nothing, and the execution's precision holds, or 16 bit where the
    matrix is `sixteen_bit`, as routers are). `inner` (None: the rank): what the second factor reads, where
    GPUs that share a pair exchange between its factors. `zeros`: weights that are zero anywhere, in a plain
    matrix.
    """

    out_features: int
    in_features: int
    bias: bool = False
    form: WeightForm = WeightForm.DENSE
    rank: int | None = None
    fused_pair: bool = False
    transposed_result: bool = False
    format: WeightFormat | None = None
    sixteen_bit: bool = False
    zeros: Zeros | None = None
    inner: int | None = None

    @property
    def read_rank(self) -> int | None:
        """K of the second factor; None without one."""
        return self.rank if self.inner is None else self.inner
