"""Whether a model divides by a number of GPUs, by the rules of serving engines.

vLLM divides query heads and FFN channels evenly; KV heads too, or gives each to an equal number of GPUs;
scales of a group or block of weights are not cut (model_executor/layers: linear.py, quantization). The
vocabulary is padded (vocab_parallel_embedding.py), and so divides always.
"""

from __future__ import annotations

from collections.abc import Iterator

from infersim.domain.errors import InvalidValueError
from infersim.domain.shapes import WeightForm
from infersim.workload.transformer import (
    Attention,
    Block,
    ExpertLayer,
    FeedForward,
    LatentAttention,
    Linear,
    ReplacedSublayer,
    Transformer,
    is_dense,
)

MOST_TRIED = 72
"""Numbers of GPUs that are tried for what would do: the largest node that is sold."""

GROUP_OF_2_4 = 4
"""Values along K of which 2:4 keeps two."""


def check_divides(transformer: Transformer, gpus: int, *, expert_parallel: bool = False) -> None:
    """Raise InvalidValueError where `gpus` do not share the model evenly; it says which numbers would do.

    Also where experts are to be shared of a model of dense FFNs.
    """
    if expert_parallel and is_dense(transformer):
        raise InvalidValueError("expert_parallel", True, f"false: {transformer.name} has no experts")
    reason = obstacle(transformer, gpus, expert_parallel=expert_parallel)
    if reason:
        counts = ", ".join(map(str, dividing_counts(transformer, expert_parallel=expert_parallel)))
        raise InvalidValueError("gpus", gpus, f"{counts} for {transformer.name}: {reason}")


def dividing_counts(
    transformer: Transformer, *, expert_parallel: bool = False, most: int = MOST_TRIED
) -> tuple[int, ...]:
    """Numbers of GPUs that share the model evenly, 1 among them."""
    return tuple(
        count
        for count in range(1, most + 1)
        if count == 1 or not obstacle(transformer, count, expert_parallel=expert_parallel)
    )


def obstacle(transformer: Transformer, gpus: int, *, expert_parallel: bool = False) -> str:
    """The first thing that `gpus` cannot share; empty where they can share all."""
    if gpus == 1:
        return ""
    found = (
        text
        for block, _ in transformer.grouped_blocks()
        for text in _of_block(block, gpus, expert_parallel=expert_parallel)
    )
    return next(found, "")


def is_mxfp4(linear: Linear) -> bool:
    """Whether a matrix is of a format whose shares engines pad instead of refusing them."""
    return linear.format is not None and linear.format.name.startswith("mxfp4")


def _of_block(block: Block, gpus: int, *, expert_parallel: bool) -> Iterator[str]:
    attention, ffn = block.attention, block.ffn
    if isinstance(attention, Attention):
        yield from _of_attention(attention, gpus)
    if isinstance(attention, LatentAttention):
        yield from _of_heads(attention.num_heads, gpus)
        yield from _of_inputs("o", attention.o, gpus)
    if isinstance(ffn, FeedForward):
        yield from _of_ffn("an FFN width", ffn, gpus)
    if isinstance(ffn, ExpertLayer):
        yield from _of_experts(ffn, gpus, expert_parallel=expert_parallel)
    for sublayer in (attention, ffn):
        if isinstance(sublayer, ReplacedSublayer):
            yield from _of_inputs("a linear layer in a sublayer's place", sublayer.linear, gpus)


def _of_attention(attention: Attention, gpus: int) -> Iterator[str]:
    kv_heads = attention.num_kv_heads
    yield from _of_heads(attention.num_heads, gpus)
    if max(kv_heads, gpus) % min(kv_heads, gpus):
        yield f"{kv_heads} KV heads and {gpus} GPUs: neither is a multiple of the other"
    for name, linear in (("q", attention.q), ("k", attention.k), ("v", attention.v)):
        outputs = linear.out_features // min(gpus, kv_heads) if name != "q" else linear.out_features // gpus
        yield from _of_blocks(name, linear, outputs, gpus)
    if attention.gate is not None:
        yield from _of_blocks("o_gate", attention.gate, attention.gate.out_features // gpus, gpus)
    yield from _of_inputs("o", attention.o, gpus)


def _of_heads(heads: int, gpus: int) -> Iterator[str]:
    if heads % gpus:
        yield f"{heads} query heads are no multiple of {gpus}"


def _of_experts(layer: ExpertLayer, gpus: int, *, expert_parallel: bool) -> Iterator[str]:
    if expert_parallel:
        if layer.num_experts < gpus:
            yield f"{layer.num_experts} experts are fewer than {gpus}"
        return
    if not is_mxfp4(layer.expert.down):
        yield from _of_ffn("experts of a width", layer.expert, gpus)
    if layer.shared is not None:
        yield from _of_ffn("shared experts of a width", layer.shared, gpus)


def _of_ffn(what: str, ffn: FeedForward, gpus: int) -> Iterator[str]:
    if ffn.width % gpus:
        yield f"{what} of {ffn.width}: no multiple of {gpus}"
    for name, linear in (("gate", ffn.gate), ("up", ffn.up)):
        if linear is not None:
            yield from _of_blocks(name, linear, linear.out_features // gpus, gpus)
    yield from _of_inputs("down", ffn.down, gpus)


def _of_blocks(name: str, linear: Linear, outputs: int, gpus: int) -> Iterator[str]:
    """Blocks of scales along N."""
    stored = linear.format
    if stored is not None and stored.rows not in (None, 1) and outputs % (stored.rows or 1):
        yield (
            f"{stored.name} scales blocks of {stored.rows} rows; {outputs} of {name} on each of {gpus} GPUs "
            "cut one"
        )


def _of_inputs(name: str, linear: Linear, gpus: int) -> Iterator[str]:
    """What is split along K: evenly, and with no group of scales or of 2:4 cut."""
    if linear.in_features % gpus:
        yield f"{linear.in_features} inputs of {name} are no multiple of {gpus}"
    inputs, stored = linear.in_features // gpus, linear.format
    if stored is not None and stored.group is not None and inputs % stored.group:
        yield (
            f"{stored.name} scales groups of {stored.group} values; {inputs} inputs of {name} on each of "
            f"{gpus} GPUs cut one"
        )
    if linear.form is not WeightForm.DENSE and inputs % GROUP_OF_2_4:
        yield f"2:4 stores groups of four; {inputs} inputs of {name} on each of {gpus} GPUs cut one"
