"""What checkpoints of a model type call their modules: where a file names some, these are meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleNames:
    """Names by matrix, below `layers` and the layer's number; matrices stored as one share a name."""

    layers: str
    matrices: Mapping[str, str]
    head: str = "lm_head"

    def of(self, layer: int, matrix: str) -> str:
        """The whole name of a block's matrix."""
        return f"{self.layers}.{layer}.{self.matrices[matrix]}"


_REPLACED = {"attention_linear": "self_attn.linear_attn", "ffn_linear": "mlp.linear_mlp"}
_LATENT = {
    "q_a": "self_attn.q_a_proj",
    "q_b": "self_attn.q_b_proj",
    "kv_a": "self_attn.kv_a_proj_with_mqa",
    "kv_b": "self_attn.kv_b_proj",
    "o_gate": "self_attn.gate_proj",
    "index_q": "self_attn.indexer.wq_b",
    "index_k": "self_attn.indexer.wk",
    "index_weights": "self_attn.indexer.weights_proj",
}


def _of_experts(
    router: str = "mlp.gate",
    experts: str = "mlp.experts.0.gate_proj mlp.experts.0.up_proj mlp.experts.0.down_proj",
    shared: str = "mlp.shared_experts.gate_proj mlp.shared_experts.up_proj mlp.shared_experts.down_proj",
) -> dict[str, str]:
    """Router, the first expert for all, and the shared one, each from `gate up down` or one of both."""
    names = {"router": router}
    for prefix, text in (("expert", experts), ("shared", shared)):
        found = text.split()
        gate, up, down = (found[0], *found) if len(found) == 2 else found
        names |= {f"{prefix}_gate": gate, f"{prefix}_up": up, f"{prefix}_down": down}
    return names


def _names(
    qkv: str,
    o: str,
    ffn: str,
    *,
    layers: str = "model.layers",
    head: str = "lm_head",
    experts: Mapping[str, str] | None = None,
) -> ModuleNames:
    """From `q k v` (or the one that holds all three), `o` and `gate up down` (or `up down`)."""
    q, k, v = qkv.split() if " " in qkv else (qkv, qkv, qkv)
    names = ffn.split()
    gate, up, down = (names[0], *names) if len(names) == 2 else names
    return ModuleNames(
        layers=layers,
        matrices={
            "q": q,
            "k": k,
            "v": v,
            "o": o,
            "gate": gate,
            "up": up,
            "down": down,
            **_REPLACED,
            **_LATENT,
            **(_of_experts() if experts is None else experts),
        },
        head=head,
    )


_QKV, _O = "self_attn.q_proj self_attn.k_proj self_attn.v_proj", "self_attn.o_proj"
_GATED = "mlp.gate_proj mlp.up_proj mlp.down_proj"
_GATED_IN_ONE = "mlp.gate_up_proj mlp.down_proj"
_FOUR_H = "mlp.dense_h_to_4h mlp.dense_4h_to_h"
_H = "transformer.h"

LLAMA_NAMES = _names(_QKV, _O, _GATED)
"""Of every model type that is not among the others."""

_OTHERS: Mapping[str, ModuleNames] = {
    "phi3": _names("self_attn.qkv_proj", _O, _GATED_IN_ONE),
    "glm glm4 glm4v_text": _names(_QKV, _O, _GATED_IN_ONE),
    "phi": _names(_QKV, "self_attn.dense", "mlp.fc1 mlp.fc2"),
    "starcoder2": _names(_QKV, _O, "mlp.c_fc mlp.c_proj"),
    "nemotron arcee jais2 apertus": _names(_QKV, _O, "mlp.up_proj mlp.down_proj"),
    "persimmon": _names("self_attn.query_key_value", "self_attn.dense", _FOUR_H),
    "opt": _names(
        _QKV, "self_attn.out_proj", "fc1 fc2",
        layers="model.decoder.layers",
    ),
    "gpt2 gpt_bigcode": _names(
        "attn.c_attn", "attn.c_proj", "mlp.c_fc mlp.c_proj", layers=_H
    ),
    "gpt_neo": _names(
        "attn.attention.q_proj attn.attention.k_proj attn.attention.v_proj", "attn.attention.out_proj",
        "mlp.c_fc mlp.c_proj", layers=_H,
    ),
    "gptj": _names(
        "attn.q_proj attn.k_proj attn.v_proj", "attn.out_proj", "mlp.fc_in mlp.fc_out",
        layers=_H,
    ),
    "codegen": _names(
        "attn.qkv_proj", "attn.out_proj", "mlp.fc_in mlp.fc_out", layers=_H
    ),
    "gpt_neox": _names(
        "attention.query_key_value", "attention.dense", _FOUR_H,
        layers="gpt_neox.layers", head="embed_out",
    ),
    "falcon": _names(
        "self_attention.query_key_value", "self_attention.dense", _FOUR_H,
        layers=_H,
    ),
    "bloom": _names(
        "self_attention.query_key_value", "self_attention.dense", _FOUR_H,
        layers=_H,
    ),
    "mpt": _names(
        "attn.Wqkv", "attn.out_proj", "ffn.up_proj ffn.down_proj", layers="transformer.blocks"
    ),
    "internlm2": _names(
        "attention.wqkv", "attention.wo", "feed_forward.w1 feed_forward.w3 feed_forward.w2",
        head="output",
    ),
    "exaone": _names(
        "attn.attention.q_proj attn.attention.k_proj attn.attention.v_proj", "attn.attention.out_proj",
        "mlp.c_fc_0 mlp.c_fc_1 mlp.c_proj", layers=_H,
    ),
    "baichuan": _names("self_attn.W_pack", _O, _GATED),
    "mixtral phimoe minimax_m2": _names(
        _QKV, _O, _GATED, experts=_of_experts(
            "block_sparse_moe.gate",
            "block_sparse_moe.experts.0.w1 block_sparse_moe.experts.0.w3 block_sparse_moe.experts.0.w2",
        ),
    ),
    "granitemoe granitemoeshared granitemoe_swa": _names(
        _QKV, _O, _GATED, experts=_of_experts(
            "block_sparse_moe.router.layer",
            "block_sparse_moe.input_linear block_sparse_moe.output_linear",
            "shared_mlp.input_linear shared_mlp.output_linear",
        ),
    ),
    "afmoe": _names(_QKV, _O, _GATED, experts=_of_experts("mlp.router.gate")),
    "qwen2_moe": _names(
        _QKV, _O, _GATED, experts=_of_experts(
            shared="mlp.shared_expert.gate_proj mlp.shared_expert.up_proj mlp.shared_expert.down_proj"
        ),
    ),
    "gpt_oss": _names(
        _QKV, _O, _GATED,
        experts=_of_experts("mlp.router", "mlp.experts.gate_up_proj mlp.experts.down_proj"),
    ),
    "hunyuan_v1_moe": _names(
        _QKV, _O, _GATED, experts=_of_experts(
            "mlp.gate.wg",
            shared="mlp.shared_mlp.gate_proj mlp.shared_mlp.up_proj mlp.shared_mlp.down_proj",
        ),
    ),
    "llama4_text": _names(
        _QKV, _O, "feed_forward.gate_proj feed_forward.up_proj feed_forward.down_proj",
        experts=_of_experts(
            "feed_forward.router",
            "feed_forward.experts.0.gate_proj feed_forward.experts.0.up_proj "
            "feed_forward.experts.0.down_proj",
            "feed_forward.shared_expert.gate_proj feed_forward.shared_expert.up_proj "
            "feed_forward.shared_expert.down_proj",
        ),
    ),
}  # fmt: skip

MODULE_NAMES: Mapping[str, ModuleNames] = {
    name: names for types, names in _OTHERS.items() for name in types.split()
}
"""By `model_type`, where they are not LLAMA_NAMES."""


def module_names(model_type: str) -> tuple[ModuleNames, ...]:
    """The names that files of a model type may use: its first code's, and those of Llama.

    Later code of some types has Llama's (EXAONE inside the library, the head of GPT-NeoX).
    """
    own = MODULE_NAMES.get(model_type)
    return (LLAMA_NAMES,) if own is None else (own, LLAMA_NAMES)
