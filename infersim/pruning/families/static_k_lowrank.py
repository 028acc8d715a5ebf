"""static-k-lowrank: a matrix becomes two factors, K -> r -> N, with r far below both (SVD methods).

- Loses: each targeted GEMM `M x N x K` becomes `M x r x K` (pair `.a`) and `M x N x r` (pair `.b`). The
  outer N and K stay, so nothing propagates to neighbours.
- Sparsity: the fraction of the block linears' parameters that is removed. A pair stores r (N + K) values,
  so r = (1 - s) N K / (N + K), rounded to the nearest multiple of `align`, at least `align`. A matrix whose
  pair would be no smaller stays dense.
- Adds: a second GEMM for each matrix, and the write and read of the r-wide activation between the two.
- Options:
  - `target`: `both` (default), `attention` or `ffn`.
  - `align`: 16 (default: what the source paper's code rounds ranks to; tensor cores multiply 16-bit values in
    steps of 16 along K).
  - `fused`: false (default: two GEMMs of the library); true: both factors in one generated kernel, which
    saves a launch and pays with the library's efficiency.
"""

from __future__ import annotations

from dataclasses import replace

from infersim.domain.shapes import WeightForm
from infersim.pruning.families.engine_support import custom_code, needs, runs
from infersim.pruning.families.family import (
    Family,
    Pruned,
    check_choice,
    check_flag,
    check_integer,
    nearest_multiple,
)
from infersim.pruning.linears import (
    BLOCK_LINEARS,
    SUBLAYER_LINEARS,
    SUBLAYER_TARGETS,
    check_plain,
    removed_share,
    targeted_linears,
    with_linears,
)
from infersim.pruning.sublayer_pairs import Comparison, Finding, parts_of
from infersim.workload.transformer import Linear, Transformer

NAME = "static-k-lowrank"


def static_k_lowrank(
    model: Transformer, sparsity: float, *, target: str = "both", align: int = 16, fused: bool = False
) -> Pruned:
    """Factorise every targeted block linear so that (1 - s) of its parameters stay."""
    check_choice("target", target, SUBLAYER_TARGETS)
    check_integer("align", align, low=1)
    check_flag("fused", fused)
    before = targeted_linears(model, target)
    transformer = model
    if sparsity > 0:
        transformer = with_linears(
            model, target, lambda _, linear: factorised(linear, sparsity=sparsity, align=align, fused=fused)
        )
    return Pruned(
        transformer=transformer,
        sparsity_realised=removed_share(before, targeted_linears(transformer, target)),
        targets=SUBLAYER_LINEARS[target],
    )


def factorised(linear: Linear, *, sparsity: float, align: int, fused: bool = False) -> Linear:
    """The matrix as a low-rank pair, or as it was where the pair would be no smaller."""
    check_plain(linear, NAME)
    break_even = break_even_rank(linear)
    rank = nearest_multiple((1 - sparsity) * break_even, align)
    return replace(linear, rank=rank, fused_pair=fused) if rank < break_even else linear


def break_even_rank(linear: Linear) -> float:
    """N K / (N + K): the rank at which a pair stores as many values as the matrix."""
    n, k = linear.out_features, linear.in_features
    return n * k / (n + k)


def _recognised(found: Comparison) -> Finding | None:
    """Matrices in two factors; what their 2:4 form saves is counted apart."""
    pairs_of_factors = [
        pair for pair in found.survivors if any(linear.rank is not None for linear in pair.pruned_linears)
    ]
    if not pairs_of_factors:
        return None
    linears = [
        replace(linear, form=WeightForm.DENSE) for pair in found.survivors for linear in pair.pruned_linears
    ]
    plain = [replace(linear, rank=None) for linear in linears]
    return Finding(realised=removed_share(plain, linears), parts=parts_of(pairs_of_factors) & BLOCK_LINEARS)


STATIC_K_LOWRANK = Family(
    name=NAME,
    summary="each matrix replaced by two low-rank factors",
    function=static_k_lowrank,
    recognised=_recognised,
    colour="green",
    marker="diamond",
    engines=(
        *custom_code(
            "a model of your own with two linear layers in place of one",
            "docs.vllm.ai, registering a model; nvidia.github.io/TensorRT-LLM, adding a new model; "
            "docs.sglang.io, supporting new models",
            "vllm",
            "tensorrt-llm",
            "sglang",
        ),
        needs(
            "transformers",
            "a modeling file beside the weights (trust_remote_code)",
            "huggingface.co/docs/transformers, custom models",
        ),
        runs("pruninginfersim", "arXiv:2606.09080", per_layer=True),
    ),
)
