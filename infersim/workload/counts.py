"""Parameters of a transformer and the bytes that its weights take."""

from __future__ import annotations

from infersim.cost.floor import weight_bytes_each
from infersim.domain.shapes import WeightForm
from infersim.workload.scenario import Execution
from infersim.workload.token_skip_ops import router
from infersim.workload.transformer import Attention, Block, FeedForward, Linear, Transformer


def dense_values(linear: Linear) -> int:
    """Values of the matrix or of its two low-rank factors, r (N + K), zeros of a 2:4 form included."""
    n, k = linear.out_features, linear.in_features
    return n * k if linear.rank is None else linear.rank * (n + k)


def stored_values(linear: Linear) -> int:
    """Values kept in memory, without the bias: in 2:4 form half of the dense ones."""
    dense = dense_values(linear)
    return dense if linear.form is WeightForm.DENSE else dense // 2


def parameters(transformer: Transformer) -> int:
    """All stored values: embedding, LM head (unless tied), block linears, biases, norms, routers, maps."""
    linears = block_linear_parameters(transformer)
    return _embedding_values(transformer) + linears + _small_values(transformer)


def block_linear_parameters(transformer: Transformer) -> int:
    """Stored values of the weight matrices in blocks: what most sparsities are a fraction of.

    Biases, norms, routers and residual maps are not among them.
    """
    return sum(
        times * sum(stored_values(linear) for linear in block.linears)
        for block, times in transformer.grouped_blocks()
    )


def weight_bytes(transformer: Transformer, execution: Execution) -> float:
    """Bytes of all weights: block linears in the execution's precision, everything else in 16 bit.

    A 2:4 matrix takes 9/16 of its dense bytes in 16 bit and 5/8 in 8 bit: its positions are stored too.
    """
    linears = sum(
        times * dense_values(linear) * weight_bytes_each(execution.precision, linear.form)
        for block, times in transformer.grouped_blocks()
        for linear in block.linears
    )
    unquantised = _embedding_values(transformer) + _small_values(transformer)
    return linears + unquantised * execution.activation_bytes


def _embedding_values(transformer: Transformer) -> int:
    tables = 1 if transformer.tied_embeddings else 2
    return tables * transformer.vocab * transformer.hidden


def _small_values(transformer: Transformer) -> int:
    """What is in no block linear and no embedding; the final norm has one value for each channel."""
    hidden = transformer.hidden
    in_blocks = sum(
        times * _small_block_values(block, hidden) for block, times in transformer.grouped_blocks()
    )
    return hidden + in_blocks


def _small_block_values(block: Block, hidden: int) -> int:
    values = block.residual_maps * hidden**2
    values += sum(stored_values(linear) for work in block.added for linear in work.linears)
    values += sum(linear.out_features for linear in block.linears if linear.bias)
    for sublayer in (block.attention, block.ffn):
        values += hidden if sublayer is not None else 0
        if isinstance(sublayer, Attention | FeedForward) and sublayer.skip is not None:
            values += stored_values(router(sublayer.skip, hidden))
    if isinstance(block.attention, Attention) and block.attention.qk_norm:
        values += 2 * block.attention.head_dim
    return values
