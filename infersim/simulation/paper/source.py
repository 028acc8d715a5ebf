"""What the source paper reports of itself, as cited facts: Figure 2, its mean speedups, its claims.

"Beyond FLOPs: Benchmarking Real Inference Acceleration of LLM Pruning under a GEMM-Centric Taxonomy"
(arXiv:2606.09080). `infersim reproduce beyond-flops` prints these beside infersim's own numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from io import StringIO

from infersim.domain.shapes import Phase
from infersim.files.locations import data_folder
from infersim.files.opening import read_text
from infersim.pruning.plan import OptionValue
from infersim.simulation.measured.files import load_published
from infersim.simulation.measured.table import MeasuredSpeedup, Scope

SOURCE = "arXiv:2606.09080"

# github.com/Sophie10001b/pruning_wrapper@2288489 is public code that bears the paper's methods, settings and
# batch sizes, read here as facts on what was run. Whether every number of the paper comes from just this
# version is not stated.

SHORT_CONTEXT = 1024
"""The only length in that code's example run, with batches 1, 8, 16 and 32."""

METHOD_OPTIONS: Mapping[str, Mapping[str, OptionValue]] = {
    "dynamic-nk": {"estimate": "scores"},
    "static-k-2:4": {"result": "transposed"},
}
"""Options of families where that code differs from their defaults.

Its 2:4 matrices take cuSPARSELt's result as a transposed view (`ops/mlp/semi_sparse_pruning.py`). Its
block-sparse attention is set to BLASST, which computes all scores and leaves out only the softmax and the
product with V (`wrapper/token_dynamic/sparse_attention.yaml`), though the paper's table names SeerAttention.
"""


class Quantity(StrEnum):
    """What a claim is about; all are fractions (0.35 is 35 %)."""

    STATIC_M_EQUIVALENT = "static_m_equivalent"
    NON_GEMM_OVERHEAD_GROWTH = "non_gemm_overhead_growth"
    GEMM_AND_LM_HEAD_SHARE = "gemm_and_lm_head_share"
    GAIN_LOST_OFF_ALIGNMENT = "gain_lost_off_alignment"
    FRONTIER_LOSS_LOW = "frontier_loss_low"
    FRONTIER_LOSS_HIGH = "frontier_loss_high"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentTime:
    """One part of Figure 2: its share of the dense model's `total_ms`.

    `component` is one of infersim's parts, or `launch`. `upper_limit` marks a share that the paper only
    bounds from above ("< 0.1 %").
    """

    gpu: str
    model: str
    dtype: str
    phase: Phase
    batch: int
    context: int
    component: str
    share: float
    upper_limit: bool
    total_ms: float

    @property
    def time_ms(self) -> float:
        """The share in milliseconds."""
        return self.share * self.total_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One number of the paper's text. None: the paper names no single phase, family or sparsity for it."""

    quantity: Quantity
    value: float
    phase: Phase | None
    family: str | None
    sparsity: float | None
    locator: str
    note: str


@cache
def load_figure2() -> tuple[ComponentTime, ...]:
    """Time by component of the dense Llama-3.1-8B, batch 1, 32768 tokens, in both phases."""
    return tuple(
        ComponentTime(
            gpu=cells["gpu"],
            model=cells["model"],
            dtype=cells["dtype"],
            phase=Phase(cells["phase"]),
            batch=int(cells["batch"]),
            context=int(cells["context"]),
            component=cells["component"],
            share=float(cells["share"]),
            upper_limit=cells["relation"] == "<",
            total_ms=float(cells["total_ms"]),
        )
        for cells in _rows("beyond_flops_figure2.csv")
    )


@cache
def load_claims() -> tuple[Claim, ...]:
    """Equivalents, overheads and limits that the paper states outside its tables."""
    return tuple(
        Claim(
            quantity=Quantity(cells["quantity"]),
            value=float(cells["value"]),
            phase=Phase(cells["phase"]) if cells["phase"] else None,
            family=cells["family"] or None,
            sparsity=float(cells["sparsity"]) if cells["sparsity"] else None,
            locator=cells["locator"],
            note=cells["note"],
        )
        for cells in _rows("beyond_flops_claims.csv")
    )


@cache
def load_mean_speedups() -> tuple[MeasuredSpeedup, ...]:
    """Table 2 (and the one mean of section 5.2): means over a grid that the paper does not state."""
    return tuple(row for row in load_published().rows if row.source == SOURCE and row.scope is Scope.MEAN)


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(read_text(data_folder("calibration") / name), newline="")))
