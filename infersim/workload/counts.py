"""Parameters of a transformer and the bytes that its weights take."""

from __future__ import annotations

from collections.abc import Iterator

from infersim.cost.floor import weight_bytes_each
from infersim.cost.gemm.unstructured import packed_bytes, runs_sparse
from infersim.domain.shapes import WeightForm
from infersim.workload.ends import final_width
from infersim.workload.formats import as_stored
from infersim.workload.ops.group_skip import group_router
from infersim.workload.ops.token_skip import forecaster, router
from infersim.workload.scenario import Execution
from infersim.workload.transformer import (
    Attention,
    AttentionSublayer,
    Block,
    ExpertLayer,
    FeedForward,
    FfnSublayer,
    LatentAttention,
    Linear,
    Transformer,
    weights_of,
)


def dense_values(linear: Linear) -> int:
    """Values of the matrix or of its two low-rank factors, r (N + K), zeros of a 2:4 form included."""
    n, k, rank, inner = linear.out_features, linear.in_features, linear.rank, linear.read_rank
    return n * k if rank is None or inner is None else rank * k + inner * n


def stored_values(linear: Linear) -> int:
    """Values kept in memory, without the bias: in 2:4 form half of the dense ones, packed those not zero."""
    dense = dense_values(linear)
    if linear.zeros is not None and linear.zeros.packed:
        return round(dense * (1 - linear.zeros.share))
    return dense if linear.form is WeightForm.DENSE else dense // 2


def parameters(transformer: Transformer) -> int:
    """All stored values: embedding, LM head (unless tied), block linears, biases, norms, routers, maps."""
    return sum(parameters_by_part(transformer).values())


def active_parameters(transformer: Transformer) -> int:
    """The parameters that one token passes through: of the experts of a layer, those that it runs.

    Embedding and LM head count whole, as published figures have it.
    """
    idle = sum(
        times * (stored - run) * (stored_values(linear) + linear.bias * linear.out_features)
        for block, times in transformer.grouped_blocks()
        if isinstance(block.ffn, ExpertLayer)
        for (linear, stored), (_, run) in zip(block.ffn.weights(), block.ffn.active(), strict=True)
    )
    return parameters(transformer) - idle


def parameters_by_part(transformer: Transformer) -> dict[str, int]:
    """Stored values of `embedding`, `attention`, `ffn` (their biases included), `norms`, `head`, `extra`.

    A tied LM head has none of its own but a bias. `extra` are routers that pruning adds and residual maps; a
    model's own router of experts is part of its `ffn`. A sublayer that is one linear layer counts where it
    stands.
    """
    hidden = transformer.hidden
    counted = {
        "embedding": _embedding_values(transformer),
        "attention": 0,
        "ffn": 0,
        "norms": sum(
            norm.values(width)
            for norm, width in (
                (transformer.embedding.norm, hidden),
                (transformer.final_norm, final_width(transformer.head, hidden)),
            )
            if norm
        ),
        "head": _head_values(transformer),
        "extra": 0,
    }
    for block, times in transformer.grouped_blocks():
        counted["attention"] += times * _sublayer_values(block.attention)
        counted["ffn"] += times * _sublayer_values(block.ffn)
        counted["norms"] += times * _norm_values(block, hidden)
        counted["extra"] += times * _extra_values(block, hidden)
    return counted


def block_linear_parameters(transformer: Transformer) -> int:
    """Stored values of the weight matrices in blocks: what most sparsities are a fraction of.

    Biases, norms, routers that pruning adds and residual maps are not among them.
    """
    return sum(
        times * sum(copies * stored_values(linear) for linear, copies in block.weights())
        for block, times in transformer.grouped_blocks()
    )


def weight_bytes(transformer: Transformer, execution: Execution) -> float:
    """Bytes of all weights: block linears in the execution's precision, everything else in 16 bit.

    What a checkpoint states of a matrix outranks both. A 2:4 matrix takes 9/16 of its dense bytes in 16 bit
    and 5/8 in 8 bit: its positions are stored too. So are those of packed weights that are not zero.
    """
    execution = as_stored(execution, transformer)
    linears = sum(
        times * copies * linear_bytes(linear, execution)
        for block, times in transformer.grouped_blocks()
        for linear, copies in block.weights()
    )
    unquantised = parameters(transformer) - block_linear_parameters(transformer)
    head, head_bytes = transformer.head, 0.0
    if head is not None and head.format is not None:
        outputs, width = transformer.head_outputs, transformer.embedding.width or transformer.hidden
        head_bytes = head.format.stored_bytes(outputs, width)
        unquantised -= _head_values(transformer) - outputs * head.bias
    return linears + unquantised * execution.activation_bytes + head_bytes


def linear_bytes(linear: Linear, execution: Execution) -> float:
    """Bytes of a matrix, or of its two factors, without the bias."""
    stored, zeros = linear.format, linear.zeros
    if zeros is not None and stored is None and runs_sparse(zeros.kernel, execution.precision):
        n, k = linear.out_features, linear.in_features
        return float(packed_bytes(n, k, 1 - zeros.share, zeros.kernel))
    if stored is None:
        precision = execution.head_precision if linear.sixteen_bit else execution.precision
        return dense_values(linear) * weight_bytes_each(precision, linear.form)
    n, k, rank, inner = linear.out_features, linear.in_features, linear.rank, linear.read_rank
    if rank is None or inner is None:
        return stored.stored_bytes(n, k, linear.form)
    return stored.stored_bytes(rank, k, linear.form) + stored.stored_bytes(n, inner, linear.form)


def _embedding_values(transformer: Transformer) -> int:
    """Tables of tokens and positions, and the matrices between the table's width and the hidden size."""
    embedding, hidden = transformer.embedding, transformer.hidden
    width = embedding.width or hidden
    projections = 2 * width * hidden if width != hidden else 0
    return transformer.vocab * width + embedding.positions * hidden + projections


def _head_values(transformer: Transformer) -> int:
    head = transformer.head
    if head is None:
        return 0
    is_table = head.labels is None and transformer.tied_embeddings
    width = 0 if is_table else head.in_features or transformer.embedding.width or transformer.hidden
    return transformer.head_outputs * (width + head.bias)


def _sublayer_values(sublayer: AttentionSublayer | FfnSublayer | None) -> int:
    """Matrices and biases, and what else a sublayer learns beside its norms."""
    values = sum(
        copies * (stored_values(linear) + linear.bias * linear.out_features)
        for linear, copies in weights_of(sublayer)
    )
    if isinstance(sublayer, Attention):
        return values + sublayer.sinks * sublayer.num_heads
    if isinstance(sublayer, FeedForward):
        return values + sublayer.activation.learned
    return values + (_router_extras(sublayer) if isinstance(sublayer, ExpertLayer) else 0)


def _router_extras(layer: ExpertLayer) -> int:
    """The gate of the shared expert, and the values that correct the choice of experts."""
    return layer.shared_gate * layer.router.in_features + layer.correction * layer.num_experts


def _norm_values(block: Block, hidden: int) -> int:
    sublayers = [sublayer for sublayer in (block.attention, block.ffn) if sublayer is not None]
    norms = [
        norm for sublayer in sublayers for norm in (sublayer.norm, sublayer.post_norm) if norm is not None
    ]
    values = sum(norm.values(hidden) for norm in norms)
    attention = block.attention
    if isinstance(attention, Attention) and attention.qk_norm is not None:
        values += attention.qk_norm.values(
            query=attention.q.out_features, key=attention.k.out_features, head_dim=attention.head_dim
        )
    return values + (attention.latent_norm_values if isinstance(attention, LatentAttention) else 0)


def _extra_values(block: Block, hidden: int) -> int:
    skips = [
        sublayer.skip
        for sublayer in (block.attention, block.ffn)
        if isinstance(sublayer, Attention | FeedForward | ExpertLayer) and sublayer.skip is not None
    ]
    added = sum(stored_values(linear) for work in block.added for linear in work.linears)
    added += sum(stored_values(linear) for linear in _group_routers(block, hidden))
    added += sum(stored_values(router(skip, hidden)) for skip in skips if skip.decides)
    added += sum(stored_values(forecaster(skip.forecaster, hidden)) for skip in skips if skip.forecaster)
    return added + block.residual_maps * hidden**2


def _group_routers(block: Block, hidden: int) -> Iterator[Linear]:
    attention, ffn = block.attention, block.ffn
    if isinstance(attention, Attention) and attention.groups is not None:
        yield group_router(attention.groups, attention.num_heads, hidden)
    if isinstance(ffn, FeedForward) and ffn.groups is not None:
        yield group_router(ffn.groups, ffn.width, hidden)
