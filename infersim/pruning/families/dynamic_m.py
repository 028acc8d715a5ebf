"""dynamic-m: a router decides for each token whether it passes through a sublayer (SkipGPT, 2506.04179).

- Loses: M of the sublayer's GEMMs: in expectation (1 - s) of the tokens remain. In attention, queries of
  skipped tokens go (q, attention, o); k and v stay dense, so that later tokens can attend to skipped ones.
  In decode a weight is read if any token of the batch uses it, so small batches save nothing but luck.
- Sparsity: the fraction of token executions of the targeted sublayers that is skipped.
- Adds: a router for each sublayer, the compaction of its mask, and what the execution needs.
- Options:
  - `target`: `both` (default: attention and FFN are routed apart), `attention` or `ffn`.
  - `router_width`: bottleneck of the router, 16 (default: what the source paper's code runs), 0 for one
    linear layer hidden -> 2.
  - `dense_kv`: true (default, as above); false skips k and v too.
  - `execution`: `blocks` (default: what the source paper measured, and the one way that fits into a CUDA
    graph while the number of kept tokens is known to the GPU alone): generated kernels skip tiles of rows,
    results are filled with zeros before, and norms, activation and residual adds see all tokens. `gather`:
    kept rows are copied together, library kernels work on them, and a scatter adds their results; it
    presumes that a fixed number of tokens is kept, as Mixture-of-Depths does (arXiv 2404.02258).
  - `forecaster`: 0 (default: what is skipped adds nothing), or the rank of two layers that approximate it for
    each token, 100 in the source (informed routing, arXiv 2510.13831): hidden -> rank -> hidden.
  - `early_exit`: false (default: each sublayer routes on its own), or true: a token that skips a layer skips
    all after it, and one router a layer decides for both sublayers. The skip rate rises with the depth x,
    from 0 to 1, as x^((1 - s) / s), whose mean is s: at one half exits lie evenly over the layers. k and v of
    the layers that are left out are still computed, unless `dense_kv` is false.
"""

from __future__ import annotations

from dataclasses import replace
from math import exp

from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.pruning.families.engine_support import custom_code, needs, runs
from infersim.pruning.families.family import Family, Pruned, check_choice, check_flag, check_integer
from infersim.pruning.linears import SUBLAYER_PARTS, SUBLAYER_TARGETS, refuse_latent, refuse_second_router
from infersim.pruning.sublayer_pairs import Comparison, Finding, SublayerPair, skipped
from infersim.workload.transformer import (
    Attention,
    Block,
    ExpertLayer,
    FeedForward,
    SkipExecution,
    TokenSkip,
    Transformer,
)

ROUTER_WIDTH = 16
"""The bottleneck of a router where none is given, also in plan files."""


def dynamic_m(
    model: Transformer,
    sparsity: float,
    *,
    target: str = "both",
    router_width: int = ROUTER_WIDTH,
    dense_kv: bool = True,
    execution: str = SkipExecution.BLOCKS.value,
    forecaster: int = 0,
    early_exit: bool = False,
) -> Pruned:
    """Route tokens around the targeted sublayers of every block; at rate 0 the router still runs."""
    check_choice("target", target, SUBLAYER_TARGETS)
    check_integer("router_width", router_width, low=0)
    check_flag("dense_kv", dense_kv)
    check_choice("execution", execution, tuple(SkipExecution))
    check_integer("forecaster", forecaster, low=0)
    check_flag("early_exit", early_exit)
    if early_exit and target != "both":
        raise InvalidValueError("target", target, "both: a token that leaves skips whole layers")
    skip = TokenSkip(
        rate=sparsity,
        router_width=router_width or None,
        dense_kv=dense_kv,
        execution=SkipExecution(execution),
        forecaster=forecaster or None,
    )
    layers = len(model.blocks)
    rates = exit_rates(sparsity, layers) if early_exit else (sparsity,) * layers
    transformer = model.with_blocks(
        tuple(
            _routed(block, replace(skip, rate=rate), target, one_router=early_exit)
            for block, rate in zip(model.blocks, rates, strict=True)
        )
    )
    if transformer.blocks == model.blocks:
        raise UnsupportedError(f"{model.name} has no {target} sublayer that tokens could skip")
    return Pruned(transformer=transformer, sparsity_realised=sparsity, targets=SUBLAYER_PARTS[target])


BISECTIONS = 80
"""Halvings of the exponent's range, on a logarithmic scale."""


def exit_rates(sparsity: float, layers: int) -> tuple[float, ...]:
    """The share of tokens that has left before each layer: x^a at the middle x of each, with this mean."""
    if sparsity == 0:
        return (0.0,) * layers
    depths = [(layer + 0.5) / layers for layer in range(layers)]
    low, high = -20.0, 20.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        mean = sum(depth ** exp(middle) for depth in depths) / layers
        low, high = (middle, high) if mean > sparsity else (low, middle)
    return tuple(depth ** exp(low) for depth in depths)


def _routed(block: Block, skip: TokenSkip, target: str, *, one_router: bool) -> Block:
    attention, ffn = block.attention, block.ffn
    if target != "ffn":
        refuse_latent(block, "dynamic-m")
    if target != "ffn" and isinstance(attention, Attention):
        refuse_second_router(attention)
        attention = replace(attention, skip=skip)
    if target != "attention" and isinstance(ffn, FeedForward | ExpertLayer):
        refuse_second_router(ffn)
        decides = not (one_router and isinstance(block.attention, Attention))
        ffn = replace(ffn, skip=replace(skip, decides=decides))
    return replace(block, attention=attention, ffn=ffn)


def _recognised(found: Comparison) -> Finding | None:
    """Token executions skipped, out of those of the kinds of sublayer that are routed anywhere."""
    return skipped(found, _skip_rate)


def _skip_rate(pair: SublayerPair) -> float | None:
    if isinstance(pair.pruned, Attention | FeedForward | ExpertLayer) and pair.pruned.skip is not None:
        return pair.pruned.skip.rate
    return None


DYNAMIC_M = Family(
    name="dynamic-m",
    summary="tokens routed around attention and FFN sublayers",
    function=dynamic_m,
    recognised=_recognised,
    colour="sky",
    marker="cross",
    measured_with={"execution": SkipExecution.GATHER.value},
    engines=(
        *custom_code(
            "a model of your own whose blocks run some of the tokens, and CUDA graphs that stand it",
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
