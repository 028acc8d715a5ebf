"""One layer from its tensors: what is there, with its own widths and heads; what is missing is gone.

The config's block says what shapes do not: head size, windows, rotary positions, kinds of norms, activation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from infersim.workload.checkpoint.expert_layers import (
    EXPERT_ROLES,
    INDEX_ROLES,
    LATENT_ROLES,
    read_experts,
    read_latent,
)
from infersim.workload.checkpoint.heads import head_sizes
from infersim.workload.checkpoint.layer import Layer
from infersim.workload.checkpoint.matrices import Matrix, matrix_of
from infersim.workload.checkpoint.names import Module
from infersim.workload.checkpoint.norms import qk_norm_of
from infersim.workload.checkpoint.stored import Hint, Stored
from infersim.workload.ops.residual_map import ResidualMap
from infersim.workload.sublayers.norms import Norm
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
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReader:
    """Reads the layers of one checkpoint.

    `hidden` is the width of the residual stream, `stored_norms` whether layers have norms with parameters at
    all, `transposed` whether matrices are stored as `[in, out]`, and `transposed_experts` whether a tensor of
    all experts is. `stored` collects how each matrix is stored, by layer and role.
    """

    hidden: int
    transposed: bool
    stored_norms: bool
    transposed_experts: bool = False
    stored: dict[tuple[int, str], tuple[Stored, ...]] = field(default_factory=dict)

    def block(
        self, number: int, roles: Mapping[str, Module], stated: Block, *, last: bool, experts: int = 0
    ) -> Block:
        """The block of layer `number`; without sublayers where nothing of them is there."""
        layer = Layer(
            number=number,
            roles=roles,
            experts=experts,
            hidden=self.hidden,
            stored_norms=self.stored_norms,
            transposed_experts=self.transposed_experts,
            stored=self.stored,
        )
        attention, ffn = self._attention(layer, stated), self._ffn(layer, stated, last=last)
        parallel = stated.parallel and attention is not None and ffn is not None
        if stated.shares_norm and attention is None and ffn is not None and stated.attention is not None:
            ffn = replace(ffn, norm=layer.norm("attention_norm", stated.attention.norm))
        maps, added = self._maps(layer, last=last)
        return Block(attention=attention, ffn=ffn, parallel=parallel, residual_maps=maps, added=added)

    def _attention(self, layer: Layer, stated: Block) -> AttentionSublayer | None:
        inward = self._inward
        latent = (*LATENT_ROLES, *INDEX_ROLES)
        if set(latent) & set(layer.roles):
            if not isinstance(stated.attention, LatentAttention):
                raise layer.first_of(latent).fail("no latent attention: the config has none here")
            layer.none_of("latent attention", ("k", "v", "qkv", "attention_linear"))
            return read_latent(layer, stated.attention)
        if "attention_linear" in layer.roles:
            layer.none_of("attention_linear", ("q", "k", "v", "qkv", "o"))
            norm = layer.norm("attention_norm", _norm(stated.attention))
            return ReplacedSublayer(linear=layer.matrix("attention_linear", inward).linear, norm=norm)
        if not {"q", "k", "v", "qkv", "o"} & set(layer.roles):
            return None
        if not isinstance(stated.attention, Attention):
            raise layer.error("attention", "none, by the config: it says nothing of these heads")
        like = stated.attention
        q, k, v, o = self._projections(layer, narrow_v=like.value_dim is not None)
        sizes = head_sizes(q, k, v, o, like, layer.roles.get("q_norm"))
        return replace(
            like,
            q=q.linear,
            k=k.linear,
            v=v.linear,
            o=o.linear,
            num_heads=sizes.heads,
            num_kv_heads=sizes.kv_heads,
            head_dim=sizes.head_dim,
            qk_norm=qk_norm_of(layer.roles, like.qk_norm, q.linear, k.linear, sizes.head_dim, q.tensor),
            sinks=layer.sinks(sizes.heads, expected=like.sinks),
            gate=self._gate_of_result(layer, like, o),
            norm=layer.norm("attention_norm", like.norm),
            post_norm=layer.norm("attention_post_norm", like.post_norm),
        )

    def _projections(self, layer: Layer, *, narrow_v: bool) -> tuple[Matrix, Matrix, Matrix, Matrix]:
        """q, k, v and o; of one joined matrix q has as many outputs as o inputs, k and v share the rest.

        Where heads of V are narrower than K's, nothing tells what is whose in a joined one.
        """
        if "qkv" not in layer.roles or narrow_v:
            layer.all_of(("q", "k", "v", "o"))
            q, k, v = (layer.matrix(role, self._inward) for role in ("q", "k", "v"))
            reads = None if narrow_v else q.linear.out_features
            return q, k, v, layer.matrix("o", self._outward(k=reads))
        layer.none_of("qkv", ("q", "k", "v"))
        layer.all_of(("qkv", "o"))
        fused, o = layer.matrix("qkv", self._inward), layer.matrix("o", self._outward())
        query = o.linear.in_features
        rest = fused.linear.out_features - query
        if rest < 2 or rest % 2:
            raise fused.tensor.fail(f"N = {query} of q, which o reads, and twice as many of k as of v")
        q, k = (layer.split(fused, n) for n in (query, rest // 2))
        return q, k, k, o

    def _gate_of_result(self, layer: Layer, like: Attention, o: Matrix) -> Linear | None:
        """As wide as what `o` reads, and there where the config says so."""
        if like.gate is None:
            layer.none_of("attention without a gate, by the config", ("o_gate",))
            return None
        layer.all_of(("o_gate",))
        hint = Hint(n=o.linear.in_features, k=self.hidden, transposed=self.transposed)
        return layer.matrix("o_gate", hint).linear

    def _ffn(self, layer: Layer, stated: Block, *, last: bool) -> FfnSublayer | None:
        matrices = ("gate", "up", "gate_up", "down")
        if {"router", *EXPERT_ROLES} & set(layer.roles):
            if not isinstance(stated.ffn, ExpertLayer):
                raise layer.first_of(("router", *EXPERT_ROLES)).fail("no experts: the config has none here")
            layer.none_of("experts", (*matrices, "ffn_linear"))
            return read_experts(layer, stated.ffn)
        if "ffn_linear" in layer.roles:
            layer.none_of("ffn_linear", matrices)
            norm = layer.norm("ffn_norm", _norm(stated.ffn))
            return ReplacedSublayer(linear=layer.matrix("ffn_linear", self._inward).linear, norm=norm)
        if not set(matrices) & set(layer.roles):
            return None
        if not isinstance(stated.ffn, FeedForward):
            raise layer.error("FFN", "none, by the config: it says nothing of its activation")
        like = stated.ffn
        gate, up = self._gate_and_up(layer, gated=like.gate is not None)
        width = up.linear.out_features
        layer.all_of(("down",))
        down = layer.matrix(
            "down", Hint(n=None if last else self.hidden, k=width, transposed=self.transposed)
        )
        for matrix in (gate,) if gate else ():
            if matrix.linear.out_features != width:
                raise matrix.tensor.fail(f"N = {width}, as {up.tensor.name}")
        if down.linear.in_features != width:
            raise down.tensor.fail(f"K = {width}, as {up.tensor.name} gives")
        return replace(
            like,
            gate=None if gate is None else gate.linear,
            up=up.linear,
            down=down.linear,
            norm=layer.norm("ffn_norm", like.norm),
            post_norm=layer.norm("ffn_post_norm", like.post_norm),
        )

    def _gate_and_up(self, layer: Layer, *, gated: bool) -> tuple[Matrix | None, Matrix]:
        if not gated:
            layer.none_of("an FFN without a gate", ("gate", "gate_up"))
            layer.all_of(("up",))
            return None, layer.matrix("up", self._inward)
        if "gate_up" not in layer.roles:
            layer.all_of(("gate", "up"))
            return layer.matrix("gate", self._inward), layer.matrix("up", self._inward)
        layer.none_of("gate_up", ("gate", "up"))
        fused = layer.matrix("gate_up", self._inward)
        if fused.linear.out_features % 2:
            raise fused.tensor.fail("an even N: gate and up, one after the other")
        half = layer.split(fused, fused.linear.out_features // 2)
        return half, half

    def _maps(self, layer: Layer, *, last: bool) -> tuple[int, tuple[AddedWork, ...]]:
        """Square maps of the residual stream, and the last layer's own where it leads to another width."""
        square, added = 0, []
        for role in ("attention_map", "ffn_map"):
            if role not in layer.roles:
                continue
            # SliceGPT's maps are stored as [in, out].
            found = matrix_of(layer.roles[role], Hint(transposed=True))
            n, k = found.linear.out_features, found.linear.in_features
            if k != self.hidden or (n != self.hidden and not (last and role == "ffn_map")):
                raise found.tensor.fail(f"[{self.hidden}, {self.hidden}]: the width of the residual stream")
            if n == self.hidden:
                square += 1
            else:
                added.append(ResidualMap(linear=found.linear))
        return square, tuple(added)

    @property
    def _inward(self) -> Hint:
        return Hint(k=self.hidden, transposed=self.transposed)

    def _outward(self, k: int | None = None) -> Hint:
        return Hint(n=self.hidden, k=k, transposed=self.transposed)


def _norm(sublayer: AttentionSublayer | FfnSublayer | None) -> Norm | None:
    return None if sublayer is None else sublayer.norm
