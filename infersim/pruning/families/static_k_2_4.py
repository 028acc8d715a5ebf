"""static-k-2:4: of each group of four consecutive weights along K, two are zero (semi-structured sparsity).

- Loses: half of K in every targeted block GEMM. N, M and all activations keep their shape, so nothing
  propagates: sparse tensor cores skip the zeros, and weights shrink to 9/16 of their bytes in 16 bit.
- Sparsity: the fraction of the targeted weights that is zero: 0.5, fixed by the hardware's pattern.
- Adds: nothing, or the copies of the option `result`.
- Options:
  - `target`: `both` (default: all block linears, as 2:4 methods prune), `attention` or `ffn`.
  - `result`: `rows` (default: what kernels of serving engines write) or `transposed`: cuSPARSELt multiplies
    W by the transposed activations, and where its result is not transposed within the kernel, those of q, k,
    v, o and down are copied into rows for attention and norms; gate and up can stay as they are.
"""

from __future__ import annotations

from dataclasses import replace

from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.domain.shapes import WeightForm
from infersim.pruning.families.engine_support import dropped, needs, runs
from infersim.pruning.families.family import Family, Pruned, check_choice
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

NAME = "static-k-2:4"
FIXED_SPARSITY = 0.5
"""Two of four."""

RESULTS = ("rows", "transposed")
NEEDED_IN_ROWS = frozenset({"q", "k", "v", "o", "down"})
"""Matrices whose results go to attention, to the cache or to a norm; the activation takes any order."""


def static_k_2_4(
    model: Transformer, sparsity: float, *, target: str = "both", result: str = "rows"
) -> Pruned:
    """Bring every targeted block linear into 2:4 form; any sparsity but 0.5 is an error."""
    if sparsity != FIXED_SPARSITY:
        raise InvalidValueError(
            "sparsity", sparsity, f"{FIXED_SPARSITY} for {NAME} (other values are not applicable)"
        )
    check_choice("target", target, SUBLAYER_TARGETS)
    check_choice("result", result, RESULTS)
    targeted_linears(model, target)

    def sparse(name: str, linear: Linear) -> Linear:
        transposed = result == "transposed" and name in NEEDED_IN_ROWS
        return replace(semi_structured(linear), transposed_result=transposed)

    return Pruned(
        transformer=with_linears(model, target, sparse),
        sparsity_realised=FIXED_SPARSITY,
        targets=SUBLAYER_LINEARS[target],
    )


def semi_structured(linear: Linear) -> Linear:
    """The matrix in 2:4 form; it must be a plain one whose K divides into groups of four."""
    check_plain(linear, NAME)
    if linear.in_features % 4:
        raise UnsupportedError(f"{NAME} needs K in groups of four, and a matrix has K = {linear.in_features}")
    return replace(linear, form=WeightForm.SPARSE_2_4)


def _recognised(found: Comparison) -> Finding | None:
    """Matrices in 2:4 form."""
    sparse = [pair for pair in found.survivors if any(map(_is_2_4, pair.pruned_linears))]
    if not sparse:
        return None
    linears = [linear for pair in found.survivors for linear in pair.pruned_linears]
    plain = [replace(linear, form=WeightForm.DENSE) for linear in linears]
    return Finding(realised=removed_share(plain, linears), parts=parts_of(sparse) & BLOCK_LINEARS)


def _is_2_4(linear: Linear) -> bool:
    return linear.form is WeightForm.SPARSE_2_4


STATIC_K_2_4 = Family(
    name=NAME,
    summary="half of K zero, two of each four weights",
    function=static_k_2_4,
    recognised=_recognised,
    colour="vermilion",
    marker="square",
    fixed_sparsity=FIXED_SPARSITY,
    engines=(
        dropped(
            "vllm",
            "github.com/vllm-project/vllm/pull/10995 (added), /pull/36799 (removed)",
            since="0.6.6",
            until="0.19",
            instead="an older version, or a linear layer of your own on cuSPARSELt",
        ),
        needs(
            "tensorrt-llm",
            "the TensorRT backend (trtllm-build --weight_sparsity): the PyTorch one has no 2:4 linear layer",
            "nvidia.github.io/TensorRT-LLM, trtllm-build",
        ),
        needs("sglang", "a linear layer of your own on cuSPARSELt", "docs.sglang.io, quantization: no 2:4"),
        needs(
            "transformers",
            "torchao's semi-structured linear layer",
            "github.com/pytorch/ao, sparsity",
        ),
        runs("pruninginfersim", "arXiv:2606.09080", per_layer=True),
    ),
)
