"""What the tensors of a checkpoint are, by their names: one table for all model types, and what differs.

A tensor's name is a prefix, the list of layers and a number, a module inside the layer, and a suffix
(`weight`, `qweight`, `lora_A.weight`). Modules have roles here; suffixes are the work of `storage`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from infersim.domain.errors import FileContentError
from infersim.workload.checkpoint.expert_names import ExpertTensors
from infersim.workload.checkpoint.header import Tensor

Module = dict[str, Tensor]
"""The tensors of one module by suffix (empty: the module is a bare tensor)."""

PREFIXES = (
    "model.language_model.model.", "language_model.model.", "model.language_model.", "language_model.",
    "thinker.model.", "thinker.",
    "model.text_model.", "model.decoder.", "transformer.", "gpt_neox.", "decoder.", "model.", "",
)  # fmt: skip
"""What stands before the names of the text model's parts; the longest that fits is left out."""

LAYER = re.compile(r"(?:layers|h|blocks)\.(\d{1,5})\.(.+)")

MATRICES = {
    "q": "self_attn.q_proj attn.q_proj attn.attention.q_proj attention.wq",
    "k": "self_attn.k_proj attn.k_proj attn.attention.k_proj attention.wk",
    "v": "self_attn.v_proj attn.v_proj attn.attention.v_proj attention.wv",
    "qkv": (
        "self_attn.qkv_proj self_attn.query_key_value self_attn.W_pack attention.query_key_value "
        "self_attention.query_key_value attn.c_attn attn.qkv_proj attn.Wqkv attention.wqkv"
    ),
    "o": (
        "self_attn.o_proj self_attn.out_proj self_attn.dense attention.dense self_attention.dense "
        "attn.out_proj attn.c_proj attn.attention.out_proj attention.wo"
    ),
    "gate": "mlp.gate_proj mlp.c_fc_0 feed_forward.w1 feed_forward.gate_proj",
    "gate_up": "mlp.gate_up_proj",
    "up": (
        "mlp.up_proj mlp.fc1 mlp.fc_in mlp.c_fc mlp.c_fc_1 mlp.dense_h_to_4h ffn.up_proj fc1 feed_forward.w3 "
        "feed_forward.up_proj"
    ),
    "down": (
        "mlp.down_proj mlp.fc2 mlp.fc_out mlp.c_proj mlp.dense_4h_to_h ffn.down_proj fc2 feed_forward.w2 "
        "feed_forward.down_proj"
    ),
    "q_a": "self_attn.q_a_proj",
    "q_b": "self_attn.q_b_proj",
    "kv_a": "self_attn.kv_a_proj_with_mqa",
    "kv_b": "self_attn.kv_b_proj",
    "o_gate": "self_attn.gate_proj",
    "index_q": "self_attn.indexer.wq_b",
    "index_k": "self_attn.indexer.wk",
    "index_weights": "self_attn.indexer.weights_proj",
    "sinks": "self_attn.sinks self_attn.attention_sink_bias",
    "router": (
        "mlp.gate mlp.router mlp.router.gate mlp.gate.wg block_sparse_moe.gate block_sparse_moe.router "
        "block_sparse_moe.router.layer feed_forward.router"
    ),
    "shared_gate": (
        "mlp.shared_expert.gate_proj mlp.shared_experts.gate_proj mlp.shared_mlp.gate_proj "
        "feed_forward.shared_expert.gate_proj"
    ),
    "shared_up": (
        "mlp.shared_expert.up_proj mlp.shared_experts.up_proj mlp.shared_mlp.up_proj "
        "feed_forward.shared_expert.up_proj"
    ),
    "shared_gate_up": "shared_mlp.input_linear",
    "shared_down": (
        "mlp.shared_expert.down_proj mlp.shared_experts.down_proj mlp.shared_mlp.down_proj "
        "feed_forward.shared_expert.down_proj shared_mlp.output_linear"
    ),
    "shared_score": "mlp.shared_expert_gate",
    "attention_linear": "self_attn.linear_attn",
    "ffn_linear": "mlp.linear_mlp",
    "attention_map": "attn_shortcut_Q",
    "ffn_map": "mlp_shortcut_Q",
}
"""Role -> modules of a layer that have it, over all model types. The maps are SliceGPT's."""

NORMS = {
    "attention_norm": (
        "input_layernorm ln_1 ln_attn norm_1 self_attn_layer_norm attention_norm attention_layernorm"
    ),
    "ffn_norm": (
        "post_attention_layernorm pre_feedforward_layernorm ln_2 ln_mlp norm_2 final_layer_norm ffn_norm "
        "feedforward_layernorm pre_mlp_layernorm"
    ),
    "attention_post_norm": "post_self_attn_layernorm",
    "ffn_post_norm": "post_feedforward_layernorm post_mlp_layernorm",
    "q_norm": "self_attn.q_norm self_attn.q_layernorm self_attn.query_layernorm",
    "q_a_norm": "self_attn.q_a_layernorm",
    "kv_a_norm": "self_attn.kv_a_layernorm",
    "index_k_norm": "self_attn.indexer.k_norm",
    "k_norm": "self_attn.k_norm self_attn.k_layernorm self_attn.key_layernorm",
}
"""The same of norms."""

OUTSIDE = {
    "embedding": "embed_tokens wte word_embeddings embed_in tok_embeddings",
    "positions": "wpe embed_positions",
    "embedding_norm": "word_embeddings_layernorm",
    "project_in": "project_in",
    "project_out": "project_out",
    "final_norm": "norm ln_f norm_f final_layer_norm final_layernorm",
    "head": "lm_head embed_out output score classifier qa_outputs",
}
"""The same of what stands around the layers."""

RESULT_NORM_AFTER_ATTENTION = {"gemma2", "gemma3_text", "olmo2", "olmo3", "exaone4", "flex_olmo", "afmoe"}
"""Types whose `post_attention_layernorm` norms the result of attention, not the FFN's input."""

TRANSPOSED = {"gpt2"}
"""Types that store matrices as `[in, out]`."""

BUFFERS = re.compile(
    r"(^|\.)(rotary_emb\.(inv_freq|cos_cached|sin_cached)|inv_freq|masked_bias|(k|v|q|kv|prob_output)_scale"
    r"|attn\.bias|attention\.bias|attn\.attention\.bias|e_score_correction_bias|mlp\.expert_bias"
    r"|act_fn\.(alpha_p|alpha_n|beta|eps))$"
)
"""Tensors that no kernel here reads: tables of rotary positions, masks, scales of the KV cache, what corrects
the choice of experts, numbers of activations."""

CACHE_SCALES = re.compile(r"\.(k|v|kv)_scale$")
"""Of a KV cache in 8 bit."""

TOWERS = re.compile(
    r"^((model|thinker)\.)?(vision|visual|image|audio|multi_modal|mm_|connector|mlp1|aligner|vit)[a-z_0-9]*\."
    r"|^(talker|code2wav)\."
)
"""Of models of more than text: what is left out, as its config's reader says."""

_FACTOR = (
    re.compile(r"(?P<base>.+)_(?P<factor>u|v)(?P<end>_proj)"),
    re.compile(r"(?P<base>.+)_(?P<factor>[AaBbUuVv12])(?P<end>)"),
)


def _by_module(roles: Mapping[str, str]) -> dict[str, str]:
    return {module: role for role, modules in roles.items() for module in modules.split()}


_INSIDE = _by_module(MATRICES) | _by_module(NORMS)
_OUTSIDE = _by_module(OUTSIDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedTensors:
    """The tensors of a checkpoint by role: of each layer that is there, and around them.

    `experts` are how many each layer has that has any; one expert's tensors stand for all.
    """

    layers: dict[int, dict[str, Module]] = field(default_factory=dict)
    experts: dict[int, int] = field(default_factory=dict)
    outside: dict[str, Module] = field(default_factory=dict)
    cache_scales: list[Tensor] = field(default_factory=list)


def named(
    tensors: Iterable[Tensor], model_type: str, *, towers: bool, drafting: Collection[int] = ()
) -> NamedTensors:
    """Give each tensor its role; `towers`: the config says that the model has parts beside the text model.

    Layers of the numbers `drafting` are left out.

    Raises FileContentError for a tensor that has none: what it does is not known.
    """
    found = NamedTensors()
    experts: dict[int, ExpertTensors] = {}
    for tensor in tensors:
        if CACHE_SCALES.search(tensor.name):
            found.cache_scales.append(tensor)
        if BUFFERS.search(tensor.name) or (towers and TOWERS.search(tensor.name)):
            continue
        name = tensor.name.removeprefix(next(filter(tensor.name.startswith, PREFIXES)))
        layer = LAYER.fullmatch(name)
        if layer is None:
            place, (role, suffix) = found.outside, _role(name, _OUTSIDE)
        elif int(layer[1]) in drafting:
            continue
        else:
            place = found.layers.setdefault(int(layer[1]), {})
            if experts.setdefault(int(layer[1]), ExpertTensors()).add(layer[2], tensor):
                continue
            role, suffix = _role(layer[2], _INSIDE)
            if model_type in RESULT_NORM_AFTER_ATTENTION and layer[2].startswith("post_attention_layernorm."):
                role = "attention_post_norm"
        if not role:
            raise tensor.fail(f"a tensor that models of type {model_type!r} have")
        module = place.setdefault(role, {})
        if suffix in module:
            raise FileContentError(tensor.file, tensor.name, "there twice", f"not {module[suffix].name} too")
        module[suffix] = tensor
    for number, each in experts.items():
        modules, count = each.of_one()
        if count:
            found.layers[number] |= modules
            found.experts[number] = count
    return found


def _role(name: str, roles: Mapping[str, str]) -> tuple[str, str]:
    """The role of the module that `name` begins with, and the rest of the name; empty where there is none.

    A factor's name may be part of the module's own: `q_u_proj.weight` is `u.weight` of `q_proj`.
    """
    parts = name.split(".")
    for length in range(min(len(parts), 4), 0, -1):
        module, suffix = ".".join(parts[:length]), ".".join(parts[length:])
        if module in roles:
            return roles[module], suffix
        for pattern in _FACTOR:
            match = pattern.fullmatch(module)
            if match and match["base"] + match["end"] in roles:
                return roles[match["base"] + match["end"]], f"{match['factor']}.{suffix}".strip(".")
    return "", ""
