"""unstructured: weights are zero anywhere, as magnitude, SparseGPT or Wanda without a pattern leave them.

- Loses: single products, K and N alike in no pattern, so that no axis of a GEMM gets shorter: tensor cores
  multiply the zeros as they come. What can be saved is the bytes of the weights, where a kernel of its own
  reads them packed: with one or a few tokens, whose time is that of the bytes.
- Sparsity: the fraction of the targeted weights that is zero.
- Adds: nothing to compute; packed weights bring their positions (4 bit for each of 16, or 32 in CSR).
- Options:
  - `target`: `both` (default: all block linears, as these methods prune), `attention` or `ffn`.
  - `kernel`: `macko` (default: the one that gains from some 20 to 35 % zeros on), `cusparse` (CSR; gains from
    some 90 %) or `dense` (what engines run: zeros are stored and multiplied). Sparse kernels multiply one
    token and are of 16 bit: more tokens are one after the other, or by a dense copy that is made before,
    whichever is sooner; matrices in other formats run by their dense kernel.
"""

from __future__ import annotations

from dataclasses import replace

from infersim.cost.gemm.unstructured import SparseKernel
from infersim.pruning.families.engine_support import custom_code, needs
from infersim.pruning.families.family import Family, Pruned, check_choice
from infersim.pruning.linears import (
    BLOCK_LINEARS,
    SUBLAYER_LINEARS,
    SUBLAYER_TARGETS,
    check_plain,
    targeted_linears,
    with_linears,
)
from infersim.pruning.sublayer_pairs import Comparison, Finding, parts_of
from infersim.workload.counts import dense_values
from infersim.workload.sublayers.linear import Zeros
from infersim.workload.transformer import Linear, Transformer

NAME = "unstructured"


def unstructured(
    model: Transformer, sparsity: float, *, target: str = "both", kernel: str = SparseKernel.MACKO.value
) -> Pruned:
    """Set weights of every targeted block linear to zero; at sparsity 0 nothing is packed."""
    check_choice("target", target, SUBLAYER_TARGETS)
    check_choice("kernel", kernel, tuple(SparseKernel))
    targeted_linears(model, target)
    transformer = model
    if sparsity > 0:
        transformer = with_linears(
            model, target, lambda _, linear: with_zeros(linear, sparsity, SparseKernel(kernel))
        )
    return Pruned(transformer=transformer, sparsity_realised=sparsity, targets=SUBLAYER_LINEARS[target])


def with_zeros(linear: Linear, share: float, kernel: SparseKernel) -> Linear:
    """The matrix with a share of its weights zero; it must be a plain one."""
    check_plain(linear, NAME)
    return replace(linear, zeros=Zeros(share=share, kernel=kernel))


def _recognised(found: Comparison) -> Finding | None:
    """Matrices with zeros anywhere, each weight counting alike."""
    sparse = [pair for pair in found.survivors if any(linear.zeros for linear in pair.pruned_linears)]
    if not sparse:
        return None
    linears = [linear for pair in found.survivors for linear in pair.pruned_linears]
    total = sum(map(dense_values, linears))
    zeros = sum(dense_values(linear) * linear.zeros.share for linear in linears if linear.zeros)
    return Finding(realised=zeros / total, parts=parts_of(sparse) & BLOCK_LINEARS)


UNSTRUCTURED = Family(
    name=NAME,
    summary="single weights zero, in no pattern",
    function=unstructured,
    recognised=_recognised,
    colour="vermilion",
    marker="triangle-left",
    not_measured="no kernel of PyTorch skips single weights",
    engines=(
        *custom_code(
            "a linear layer of your own on a sparse kernel (MACKO); its own ones multiply zeros as they are",
            "docs.vllm.ai, quantization; nvidia.github.io/TensorRT-LLM, quantization; docs.sglang.io, "
            "quantization: none for single weights; github.com/vlejd/macko_spmv",
            "vllm",
            "tensorrt-llm",
            "sglang",
        ),
        needs(
            "transformers",
            "MACKO's product in the place of linear layers (macko_spmv)",
            "github.com/vlejd/macko_spmv, python_scripts/util_run_pruned_llm.py",
        ),
    ),
)
