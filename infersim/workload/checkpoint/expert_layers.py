"""Layers of experts, and latent attention, from their tensors: widths, counts and ranks of their own."""

from __future__ import annotations

from dataclasses import replace

from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.workload.checkpoint.layer import Layer
from infersim.workload.checkpoint.matrices import Matrix
from infersim.workload.checkpoint.stored import Hint
from infersim.workload.sublayers.latent_attention import Indexer
from infersim.workload.transformer import ExpertLayer, FeedForward, LatentAttention

EXPERT_ROLES = ("expert_gate", "expert_up", "expert_gate_up", "expert_down")
LATENT_ROLES = ("q_a", "q_b", "kv_a", "kv_b")
INDEX_ROLES = ("index_q", "index_k", "index_weights", "index_k_norm")


def read_experts(layer: Layer, like: ExpertLayer) -> ExpertLayer:
    """The layer of experts of a layer's tensors; what these do not say is as in `like`."""
    layer.all_of(("router", "expert_down"))
    hidden = layer.hidden
    router = layer.matrix("router", Hint(n=layer.experts, k=hidden))
    try:
        return replace(
            like,
            router=replace(router.linear, sixteen_bit=True),
            num_experts=layer.experts,
            expert=_expert(layer, like.expert),
            shared=_shared(layer, like),
            shared_gate=_has_gate_of_shared(layer, like),
            norm=layer.norm("ffn_norm", like.norm),
            post_norm=layer.norm("ffn_post_norm", like.post_norm),
        )
    except InvalidValueError as error:
        if error.key != "top_k":
            raise
        raise FileContentError(
            layer.tensor.file, f"layer {layer.number}", f"{layer.experts} experts",
            f"at least {like.top_k}, which each token runs by the config",
        ) from None  # fmt: skip


def _expert(layer: Layer, like: FeedForward) -> FeedForward:
    """One expert; a tensor of all experts may hold it either way round."""
    if "expert_gate_up" in layer.roles:
        fused = layer.matrix("expert_gate_up", _hint(layer, "expert_gate_up"))
        if fused.linear.out_features % 2:
            raise fused.tensor.fail("an even N: gate and up, one after the other")
        half = layer.split(fused, fused.linear.out_features // 2)
        gate, up = half, half
    else:
        layer.all_of(("expert_gate", "expert_up"))
        gate, up = (layer.matrix(role, _hint(layer, role)) for role in ("expert_gate", "expert_up"))
    return _with_matrices(layer, like, gate, up, "expert_down")


def _with_matrices(layer: Layer, like: FeedForward, gate: Matrix, up: Matrix, down: str) -> FeedForward:
    width = up.linear.out_features
    if gate.linear.out_features != width:
        raise gate.tensor.fail(f"N = {width}, as {up.tensor.name}")
    outward = _hint(layer, down)
    read = layer.matrix(down, replace(outward, k=width))
    return replace(like, gate=gate.linear, up=up.linear, down=read.linear)


def _hint(layer: Layer, role: str) -> Hint:
    """Which side of the matrix is the residual stream's, and whether it is stored the other way round."""
    hidden, outward = layer.hidden, role.endswith("down")
    weight = layer.roles[role].get("weight")
    sides = () if weight is None else weight.shape
    stream, other = (0, 1) if outward else (1, 0)
    turned = False
    if len(sides) == 2 and weight is not None and weight.dtype != "U8":
        fits, fits_turned = sides[stream] == hidden, sides[other] == hidden
        turned = fits_turned and (not fits or layer.transposed_experts)
    return Hint(n=hidden if outward else None, k=None if outward else hidden, transposed=turned)


def _shared(layer: Layer, like: ExpertLayer) -> FeedForward | None:
    roles = {"shared_gate", "shared_up", "shared_gate_up", "shared_down"} & set(layer.roles)
    if not roles:
        return None
    if like.shared is None:
        raise layer.error("shared experts", "none, by the config")
    layer.all_of(("shared_down",))
    inward = Hint(k=layer.hidden)
    if "shared_gate_up" in layer.roles:
        fused = layer.matrix("shared_gate_up", inward)
        half = layer.split(fused, fused.linear.out_features // 2)
        return _with_matrices(layer, like.shared, half, half, "shared_down")
    layer.all_of(("shared_gate", "shared_up"))
    gate, up = layer.matrix("shared_gate", inward), layer.matrix("shared_up", inward)
    return _with_matrices(layer, like.shared, gate, up, "shared_down")


def _has_gate_of_shared(layer: Layer, like: ExpertLayer) -> bool:
    if "shared_score" not in layer.roles:
        return False
    if not like.shared_gate:
        raise layer.error("a gate of the shared expert", "none, by the config's model type")
    return True


def read_latent(layer: Layer, like: LatentAttention) -> LatentAttention:
    """Latent attention of a layer's tensors, with as many heads as they hold."""
    layer.all_of(("kv_a", "kv_b", "o"))
    hidden = layer.hidden
    kv_a = layer.matrix("kv_a", Hint(k=hidden))
    rank = kv_a.linear.out_features - like.qk_rope_head_dim
    kv_b = layer.matrix("kv_b", Hint(k=rank))
    a_head = like.qk_nope_head_dim + like.v_head_dim
    heads, rest = divmod(kv_b.linear.out_features, a_head)
    if rest:
        raise kv_b.tensor.fail(f"a multiple of {a_head}: a head's K and V")
    queries = Hint(n=heads * like.head_dim, k=hidden)
    q_a = None
    if like.q_a is None:
        layer.all_of(("q",))
        q_b = layer.matrix("q", queries)
    else:
        layer.all_of(("q_a", "q_b"))
        q_a = layer.matrix("q_a", Hint(k=hidden))
        q_b = layer.matrix("q_b", replace(queries, k=q_a.linear.out_features))
    _check_latent_norms(layer, rank, None if q_a is None else q_a.linear.out_features)
    return replace(
        like,
        q_a=None if q_a is None else q_a.linear,
        q_b=q_b.linear,
        kv_a=kv_a.linear,
        kv_b=kv_b.linear,
        o=layer.matrix("o", Hint(n=hidden, k=heads * like.v_head_dim)).linear,
        num_heads=heads,
        kv_lora_rank=rank,
        indexer=_indexer(layer, like.indexer, 0 if q_a is None else q_a.linear.out_features),
        norm=layer.norm("attention_norm", like.norm),
        post_norm=layer.norm("attention_post_norm", like.post_norm),
    )


def _check_latent_norms(layer: Layer, kv_rank: int, q_rank: int | None) -> None:
    """The norms of both latent vectors, as wide as these are."""
    for role, width in (("kv_a_norm", kv_rank), ("q_a_norm", q_rank)):
        if width is None:
            continue
        layer.all_of((role,))
        _check_width(layer, role, width, "the latent vector")


def _check_width(layer: Layer, role: str, width: int, what: str) -> None:
    for tensor in layer.roles[role].values():
        if tensor.shape != (width,):
            raise tensor.fail(f"[{width}], as {what} that it norms")


def _indexer(layer: Layer, like: Indexer | None, q_rank: int) -> Indexer | None:
    """The indexer, which must be there where the config says so; its queries read `q_rank` values."""
    if like is None:
        layer.none_of("attention without an indexer, by the config", INDEX_ROLES)
        return None
    layer.all_of(INDEX_ROLES)
    k = layer.matrix("index_k", Hint(k=layer.hidden))
    weights = layer.matrix("index_weights", Hint(k=layer.hidden))
    heads, head_dim = weights.linear.out_features, k.linear.out_features
    q = layer.matrix("index_q", Hint(n=heads * head_dim, k=q_rank))
    _check_width(layer, "index_k_norm", head_dim, "the key")
    return replace(
        like,
        q=q.linear,
        k=k.linear,
        weights=replace(weights.linear, sixteen_bit=True),
        num_heads=heads,
        head_dim=head_dim,
    )
