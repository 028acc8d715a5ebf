"""Tensor parallelism: what one of several GPUs has of a model, as a transformer of its own.

| what | a GPU's share |
|---|---|
| query heads (q, a gate of the result, and K of o) | an even part |
| KV heads (k, v and their cache) | an even part; fewer than GPUs: one, of which others have copies |
| FFN channels (gate, up, and K of down) | an even part |
| factors of low-rank pairs | see `splitting` |
| a linear layer in a sublayer's place | an even part of its inputs |
| maps of the residual stream | an even part of their outputs |
| vocabulary (embedding, LM head) | an even part of it, padded to `VOCABULARY_STEP` |
| experts, shared ones too | an even part of the width of each; mxfp4: rounded up to `MXFP4_STEP` |
| with `expert_parallel` | as many whole experts as the GPU with most; shared ones whole if tokens are sent |
| latent attention | heads (q_b, kv_b, and K of o); q_a, kv_a, the latent cache and an indexer whole |
| norms, residual stream, routers, positions, a classifier's head | all of it |

2:4 matrices and quantised ones are split like dense ones; no group is cut (`dividing`).
"""

from __future__ import annotations

from dataclasses import replace

from infersim.workload.ops.residual_map import ResidualMap
from infersim.workload.parallel.dividing import check_divides, is_mxfp4
from infersim.workload.parallel.splitting import by_inputs, by_outputs, share
from infersim.workload.scenario import Execution
from infersim.workload.transformer import (
    AddedWork,
    Attention,
    AttentionSublayer,
    Block,
    ExpertLayer,
    FeedForward,
    FfnSublayer,
    LatentAttention,
    Linear,
    ReplacedSublayer,
    Transformer,
)

VOCABULARY_STEP = 64
"""vLLM pads the vocabulary to a multiple of it before it splits it (`DEFAULT_VOCAB_PADDING_SIZE`)."""

MXFP4_STEP = 128
"""vLLM rounds a GPU's width of mxfp4 experts up to it where Marlin runs them (quantization/mxfp4.py)."""


def gpu_share(transformer: Transformer, execution: Execution) -> Transformer:
    """What each of the execution's GPUs has; the transformer itself on one.

    Raises InvalidValueError where so many do not share it evenly.
    """
    gpus = execution.gpus
    if gpus == 1:
        return transformer
    check_divides(transformer, gpus, expert_parallel=execution.expert_parallel)
    shared = {
        block: _block(block, transformer.hidden, execution) for block, _ in transformer.grouped_blocks()
    }
    of_one = transformer.with_blocks(tuple(shared[block] for block in transformer.blocks))
    padded = share(transformer.vocab, 1, VOCABULARY_STEP)
    return replace(of_one, vocab=share(padded, gpus))


def _block(block: Block, hidden: int, execution: Execution) -> Block:
    gpus = execution.gpus
    maps = tuple(_square_map(op, hidden) for op in _MAPS[: block.residual_maps])
    return replace(
        block,
        attention=_attention_of_any_kind(block.attention, gpus),
        ffn=_ffn_of_any_kind(block.ffn, execution),
        residual_maps=0,
        added=tuple(_added(work, gpus) for work in (*maps, *block.added)),
    )


def _attention_of_any_kind(attention: AttentionSublayer | None, gpus: int) -> AttentionSublayer | None:
    match attention:
        case Attention():
            return _attention(attention, gpus)
        case LatentAttention():
            return _latent(attention, gpus)
        case ReplacedSublayer():
            return replace(attention, linear=by_inputs(attention.linear, gpus))
        case None:
            return None


def _ffn_of_any_kind(ffn: FfnSublayer | None, execution: Execution) -> FfnSublayer | None:
    match ffn:
        case FeedForward():
            return _ffn(ffn, execution.gpus)
        case ExpertLayer():
            return _experts(ffn, execution)
        case ReplacedSublayer():
            return replace(ffn, linear=by_inputs(ffn.linear, execution.gpus))
        case None:
            return None


def _attention(attention: Attention, gpus: int) -> Attention:
    kv_heads = max(1, attention.num_kv_heads // gpus)
    # What a head has of k and v; v may have another width than k.
    keys, values = (
        linear.out_features // attention.num_kv_heads * kv_heads for linear in (attention.k, attention.v)
    )
    return replace(
        attention,
        q=by_outputs(attention.q, gpus),
        k=by_outputs(attention.k, gpus, keys),
        v=by_outputs(attention.v, gpus, values),
        o=by_inputs(attention.o, gpus),
        gate=attention.gate and by_outputs(attention.gate, gpus),
        num_heads=attention.num_heads // gpus,
        num_kv_heads=kv_heads,
    )


def _latent(attention: LatentAttention, gpus: int) -> LatentAttention:
    return replace(
        attention,
        q_b=by_outputs(attention.q_b, gpus),
        kv_b=by_outputs(attention.kv_b, gpus),
        o=by_inputs(attention.o, gpus),
        num_heads=attention.num_heads // gpus,
    )


def _ffn(ffn: FeedForward, gpus: int, step: int = 1) -> FeedForward:
    return replace(
        ffn,
        gate=None if ffn.gate is None else by_outputs(ffn.gate, gpus, step=step),
        up=by_outputs(ffn.up, gpus, step=step),
        down=by_inputs(ffn.down, gpus, step=step),
    )


def _experts(layer: ExpertLayer, execution: Execution) -> ExpertLayer:
    gpus, shared = execution.gpus, layer.shared
    if shared is not None and not execution.sends_tokens:
        shared = _ffn(shared, gpus)
    if execution.expert_parallel:
        return replace(layer, local=share(layer.num_experts, gpus), shared=shared)
    step = MXFP4_STEP if is_mxfp4(layer.expert.down) else 1
    return replace(layer, expert=_ffn(layer.expert, gpus, step), shared=shared)


_MAPS = ("attn_residual_map", "ffn_residual_map")
"""Names of the ops of the maps of a block."""


def _square_map(op: str, hidden: int) -> ResidualMap:
    return ResidualMap(linear=Linear(out_features=hidden, in_features=hidden), op=op)


def _added(work: AddedWork, gpus: int) -> AddedWork:
    """Maps are split; any other work of a family is small, and each GPU does all of it."""
    if isinstance(work, ResidualMap):
        return replace(work, linear=by_outputs(work.linear, gpus), shared=True)
    return work
