"""Random weights for the records of a transformer: one tensor for each matrix, however it will be executed.

Kernels take as long on random weights as on trained ones, and the reference that executors are tested
against reads the very same tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from infersim.domain.errors import UnsupportedError
from infersim.domain.shapes import WeightForm
from infersim.workload.ops.token_skip import router
from infersim.workload.transformer import (
    Attention,
    AttentionSublayer,
    Block,
    ExpertLayer,
    FeedForward,
    FfnSublayer,
    LatentAttention,
    Linear,
    ReplacedSublayer,
    TokenSkip,
    Transformer,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatrixWeights:
    """Of a matrix `W[N, K]`: itself, or its low-rank factors `[rank, K]` and `[N, rank]`; and its bias.

    In 2:4 form two of each four values along K are zero already.
    """

    factors: tuple[torch.Tensor, ...]
    bias: torch.Tensor | None = None
    form: WeightForm = WeightForm.DENSE

    @property
    def dense(self) -> torch.Tensor:
        """The matrix `[N, K]` that it amounts to."""
        first, *second = self.factors
        return second[0] @ first if second else first


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionWeights:
    """Of an attention sublayer. `gate` projects pooled q and k for the block mask: `[gate_dim, head_dim]`."""

    norm: torch.Tensor
    q: MatrixWeights
    k: MatrixWeights
    v: MatrixWeights
    o: MatrixWeights
    q_norm: torch.Tensor | None
    k_norm: torch.Tensor | None
    router: MatrixWeights | None
    gate: torch.Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeedForwardWeights:
    """Of a feed-forward sublayer; without `gate` a plain one of two matrices."""

    norm: torch.Tensor
    gate: MatrixWeights | None
    up: MatrixWeights
    down: MatrixWeights
    router: MatrixWeights | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplacedWeights:
    """Of a sublayer that became one linear layer."""

    norm: torch.Tensor
    linear: MatrixWeights


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockWeights:
    """Of one block; the maps `[hidden, hidden]` are on the residual stream after attention and after FFN."""

    attention: AttentionWeights | ReplacedWeights | None
    ffn: FeedForwardWeights | ReplacedWeights | None
    attention_map: MatrixWeights | None
    ffn_map: MatrixWeights | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OuterWeights:
    """Outside the blocks: embedding and LM head `[vocab, hidden]` (one tensor where tied), final norm."""

    embedding: torch.Tensor
    final_norm: torch.Tensor
    head: MatrixWeights


class WeightSource:
    """Draws weights on a device: matrices of variance 1/K, so that activations stay near 1, norms near 1."""

    def __init__(self, device: torch.device, dtype: torch.dtype, seed: int = 0) -> None:
        self._device, self._dtype = device, dtype
        self._generator = torch.Generator(device).manual_seed(seed)

    def outer(self, transformer: Transformer) -> OuterWeights:
        """What is outside the blocks."""
        shape = transformer.vocab, transformer.hidden
        embedding = self.normal(*shape)
        head = embedding if transformer.tied_embeddings else self.normal(*shape, scale=shape[1] ** -0.5)
        return OuterWeights(
            embedding=embedding, final_norm=self._norm(shape[1]), head=MatrixWeights(factors=(head,))
        )

    def block(self, block: Block, hidden: int) -> BlockWeights:
        """One block's weights."""
        square = Linear(out_features=hidden, in_features=hidden)
        return BlockWeights(
            attention=self._attention(block.attention, hidden),
            ffn=self._ffn(block.ffn, hidden),
            attention_map=self.matrix(square) if block.residual_maps >= 1 else None,
            ffn_map=self.matrix(square) if block.residual_maps >= 2 else None,
        )

    def matrix(self, linear: Linear) -> MatrixWeights:
        """The matrix as it is stored: whole or as two factors, with the zeros of a 2:4 form."""
        n, k = linear.out_features, linear.in_features
        shapes = [(n, k)] if linear.rank is None else [(linear.rank, k), (n, linear.rank)]
        factors = tuple(self.normal(*shape, scale=shape[1] ** -0.5) for shape in shapes)
        if linear.form is WeightForm.SPARSE_2_4:
            factors = tuple(two_of_four(factor) for factor in factors)
        bias = self.normal(n, scale=0.1) if linear.bias else None
        return MatrixWeights(factors=factors, bias=bias, form=linear.form)

    def normal(self, *shape: int, scale: float = 1.0) -> torch.Tensor:
        """Normal values of standard deviation `scale`."""
        values = torch.empty(shape, device=self._device, dtype=self._dtype)
        return values.normal_(std=scale, generator=self._generator)

    def _norm(self, width: int) -> torch.Tensor:
        return 1 + self.normal(width, scale=0.1)

    def _attention(
        self, attention: AttentionSublayer | None, hidden: int
    ) -> AttentionWeights | ReplacedWeights | None:
        if isinstance(attention, LatentAttention):
            raise UnsupportedError("latent attention is predicted only")
        if not isinstance(attention, Attention):
            return None if attention is None else self._replaced(attention, hidden)
        sparsity, head_dim = attention.block_sparsity, attention.head_dim
        return AttentionWeights(
            norm=self._norm(hidden),
            q=self.matrix(attention.q),
            k=self.matrix(attention.k),
            v=self.matrix(attention.v),
            o=self.matrix(attention.o),
            q_norm=self._norm(head_dim) if attention.qk_norm is not None else None,
            k_norm=self._norm(head_dim) if attention.qk_norm is not None else None,
            router=self._router(attention.skip, hidden),
            gate=None if sparsity is None else self.normal(sparsity.gate_dim, head_dim, scale=head_dim**-0.5),
        )

    def _ffn(self, ffn: FfnSublayer | None, hidden: int) -> FeedForwardWeights | ReplacedWeights | None:
        if isinstance(ffn, ExpertLayer):
            raise UnsupportedError("layers of experts are predicted only")
        if not isinstance(ffn, FeedForward):
            return None if ffn is None else self._replaced(ffn, hidden)
        return FeedForwardWeights(
            norm=self._norm(hidden),
            gate=None if ffn.gate is None else self.matrix(ffn.gate),
            up=self.matrix(ffn.up),
            down=self.matrix(ffn.down),
            router=self._router(ffn.skip, hidden),
        )

    def _replaced(self, sublayer: ReplacedSublayer, hidden: int) -> ReplacedWeights:
        return ReplacedWeights(norm=self._norm(hidden), linear=self.matrix(sublayer.linear))

    def _router(self, skip: TokenSkip | None, hidden: int) -> MatrixWeights | None:
        return None if skip is None else self.matrix(router(skip, hidden))


def two_of_four(weight: torch.Tensor) -> torch.Tensor:
    """`weight[N, K]` with the two smaller of each four consecutive values along K set to zero."""
    groups = weight.unflatten(1, (-1, 4))
    kept = groups.abs().topk(2, dim=-1).indices
    mask = torch.zeros_like(groups, dtype=torch.bool).scatter_(-1, kept, value=True)
    zeroed: torch.Tensor = (groups * mask).flatten(1)
    return zeroed
