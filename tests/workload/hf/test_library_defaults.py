"""What the library's configuration classes take for keys that are missing or null, and their layer lists."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from infersim.domain.errors import FileContentError
from infersim.workload.hf.entries import ARCHITECTURES
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.transformer import (
    Attention,
    ExpertLayer,
    FeedForward,
    LatentAttention,
    Transformer,
)
from tests.workload.hf.library import NoNullError, library_config, library_model, spelt, transformers
from tests.workload.hf.sizes import LATENT, MODEL_TYPES, small

pytestmark = pytest.mark.filterwarnings("ignore")

NOT_IN_THE_CLASS = {
    # Read by the models' code with a getattr, or in files alone.
    "head_dim", "layer_types", "attention_bias", "max_position_embeddings", "intermediate_size", "hidden_act",
    "num_key_value_heads", "sliding_window_pattern",
    "index_topk_pattern", "index_topk_freq", "index_skip_topk_offset",
    "sliding_window_size", "swa_num_key_value_heads", "hybrid_layer_pattern", "moe_layer_freq",
}  # fmt: skip


def class_defaults(model_type: str) -> dict[str, Any]:
    fields = dataclasses.fields(transformers.CONFIG_MAPPING[model_type])
    return {field.name: field.default for field in fields}


def own_key(model_type: str, name: str) -> str:
    """Our name as the class spells it: the first spelling that it has."""
    spellings = ARCHITECTURES[model_type].spellings.get(name, (name,))
    return next((key for key in spellings if key in class_defaults(model_type)), spellings[0])


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_defaults_are_the_class_s(model_type: str) -> None:
    theirs, compared = class_defaults(model_type), 0
    for name, value in ARCHITECTURES[model_type].defaults.items():
        key = own_key(model_type, name)
        if key not in theirs:
            assert name in NOT_IN_THE_CLASS, f"{name} is no key of the class"
        elif name != "attention_types":  # the class fills it in later
            assert value == theirs[key], name
            compared += 1
    assert compared >= 5


def attention_of(model: Transformer, layer: int = 0) -> Attention:
    found = model.blocks[layer].attention
    assert isinstance(found, Attention)
    return found


OF_HEADS = [name for name in MODEL_TYPES if name not in LATENT]

NULLS = [
    (name, key)
    for name in OF_HEADS
    for key in ("num_key_value_heads", "head_dim", "intermediate_size", "sliding_window")
    if own_key(name, key) in class_defaults(name)
    # These classes keep a null, and no model of theirs can be built then.
    and (name, key) not in (("glm", "head_dim"), ("afmoe", "head_dim"), ("exaone4", "sliding_window"))
]


@pytest.mark.parametrize(("model_type", "key"), NULLS)
def test_null_means_what_the_class_makes_of_it(model_type: str, key: str) -> None:
    own = own_key(model_type, key)
    sizes = {name: value for name, value in small(model_type).items() if name != key}
    config = spelt(model_type, **sizes) | {own: None}
    try:
        theirs = library_config(config)
    except NoNullError:
        # The class takes no null (older ones made as many KV heads as heads of it).
        if key in ("head_dim", "intermediate_size"):
            with pytest.raises(FileContentError):
                transformer_from_config(config)
        return
    model = transformer_from_config(config)
    attention, ffn = attention_of(model), model.blocks[0].ffn
    assert isinstance(ffn, FeedForward | ExpertLayer)
    if key == "num_key_value_heads":
        assert attention.num_kv_heads == (theirs.num_key_value_heads or theirs.num_attention_heads)
    elif key == "head_dim":
        size = getattr(theirs, key) or theirs.hidden_size // theirs.num_attention_heads
        assert attention.head_dim == size
    elif key == "intermediate_size":
        assert ffn.width == (getattr(theirs, own) or 4 * theirs.hidden_size)
    else:
        assert attention.window is None


LAYER_OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *(
        (name, {})
        for name in MODEL_TYPES
        if "layer_types" in ARCHITECTURES[name].defaults and name not in ("llama4_text", *LATENT)
    ),
    ("qwen2_moe", {"use_sliding_window": True, "sliding_window": 64, "max_window_layers": 7}),
    ("qwen3_moe", {"use_sliding_window": True, "sliding_window": 64}),
    ("dots1", {"sliding_window": 64, "max_window_layers": 5}),
    ("gpt_oss", {"sliding_window": 64}),
    ("exaone_moe", {"sliding_window": 64, "sliding_window_pattern": 3}),
    ("qwen2", {"use_sliding_window": True, "max_window_layers": 5, "sliding_window": 64}),
    ("qwen3", {"use_sliding_window": True, "max_window_layers": 0, "sliding_window": 64}),
    ("qwen2", {"use_sliding_window": True, "sliding_window": None}),
    ("gemma3_text", {"sliding_window_pattern": 3, "sliding_window": 64}),
    ("cohere2", {"sliding_window_pattern": 2}),
    ("exaone4", {"sliding_window_pattern": 3}),
    ("exaone4", {"sliding_window": None, "layer_types": ["full_attention"] * 13}),
    ("ministral", {"sliding_window": None}),
    ("smollm3", {"use_sliding_window": True, "sliding_window": 64, "no_rope_layer_interval": 3}),
]


@pytest.mark.parametrize(("model_type", "options"), LAYER_OPTIONS)
def test_windows_of_layers(model_type: str, options: dict[str, Any]) -> None:
    layers = 13
    config = spelt(model_type, **(small(model_type) | {"num_hidden_layers": layers} | options))
    theirs = library_config(config)
    kinds = getattr(theirs, "layer_types", None) or ["sliding_attention"] * layers
    expected = [theirs.sliding_window if kind == "sliding_attention" else None for kind in kinds]
    model = transformer_from_config(config)
    assert [attention_of(model, layer).window for layer in range(layers)] == expected


def test_mimo_s_files_and_the_library_s_keys_say_the_same() -> None:
    """The published file's keys, cut to seven layers, beside those that the library writes."""
    sizes = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 7, "num_attention_heads": 8,
             "num_key_value_heads": 2, "head_dim": 48, "v_head_dim": 32, "vocab_size": 512,
             "n_routed_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 64,
             "max_position_embeddings": 4096}  # fmt: skip
    published = sizes | {
        "model_type": "mimo_v2_flash", "swa_num_attention_heads": 8, "swa_num_key_value_heads": 4,
        "swa_head_dim": 48, "swa_v_head_dim": 32, "sliding_window": 128, "sliding_window_size": 128,
        "attention_chunk_size": 128, "hybrid_layer_pattern": [0, 1, 1, 1, 1, 0, 1],
        "moe_layer_freq": [0, 1, 1, 1, 1, 1, 1], "add_swa_attention_sink_bias": True,
        "add_full_attention_sink_bias": False, "attention_value_scale": 0.707, "n_shared_experts": None,
        "partial_rotary_factor": 0.334, "swa_rope_theta": 10000, "layernorm_epsilon": 1e-5,
        "routed_scaling_factor": None, "scoring_func": "sigmoid", "topk_method": "noaux_tc",
    }  # fmt: skip
    model = transformer_from_config(published)
    theirs = library_config(sizes | {"model_type": "mimo_v2_flash"}).to_dict()
    assert transformer_from_config(theirs).blocks == model.blocks
    assert [attention_of(model, layer).window for layer in range(7)] == [None, *[129] * 4, None, 129]
    assert [attention_of(model, layer).num_kv_heads for layer in range(7)] == [2, 4, 4, 4, 4, 2, 4]
    assert [attention_of(model, layer).sinks for layer in range(7)] == [False, *[True] * 4, False, True]
    assert isinstance(model.blocks[0].ffn, FeedForward)
    for key, value in (("swa_head_dim", 64), ("n_shared_experts", 1), ("attention_chunk_size", 64)):
        with pytest.raises(FileContentError, match=f"{key} = {value}"):
            transformer_from_config(published | {key: value})
    kinds = {kind: {"partial_rotary_factor": share} for kind, share in (("a", 0.5), ("b", 1.0))}
    with pytest.raises(FileContentError, match="rope_parameters"):
        transformer_from_config(theirs | {"rope_parameters": kinds})


def test_layers_whose_positions_have_no_theta() -> None:
    thetas = [10000.0, 0.0, 10000.0, 500.0]
    for model_type in ("granite_swa", "granitemoe_swa"):
        sizes = small(model_type) | {"num_hidden_layers": 4, "layer_rope_theta": thetas}
        model = transformer_from_config(spelt(model_type, **sizes))
        assert [attention_of(model, layer).rotary for layer in range(4)] == [1.0, 0.0, 1.0, 1.0]
        assert all(attention_of(model, layer).sinks for layer in range(4))


def test_layers_without_rotary_positions() -> None:
    config = spelt("smollm3", **(small("smollm3") | {"num_hidden_layers": 9, "no_rope_layer_interval": 4}))
    theirs = library_config(config)
    model = transformer_from_config(config)
    assert [attention_of(model, layer).rotary for layer in range(9)] == theirs.no_rope_layers


@pytest.mark.parametrize(
    "model_type",
    [
        name
        for name in OF_HEADS
        if name not in ("gptj", "codegen", "smollm3", "cohere2", "exaone4", "exaone_moe", "mimo_v2_flash")
    ],
)
def test_the_share_of_each_head_that_is_turned(model_type: str) -> None:
    config = spelt(model_type, **small(model_type))
    parameters = getattr(library_config(config), "rope_parameters", None) or {}
    rotary = attention_of(transformer_from_config(config)).rotary
    learned = ARCHITECTURES[model_type].learned_positions is not None or model_type in ("bloom", "mpt")
    assert rotary == (0.0 if learned else parameters.get("partial_rotary_factor", 1.0))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"index_topk_freq": 4, "index_skip_topk_offset": 3},
        {"index_topk_freq": 3},
        {"index_topk_freq": 2, "index_skip_topk_offset": 0},
        {"index_topk_pattern": "FFSSSFSSS"},
        {"index_topk_pattern": ["full", "shared", *["full"] * 7]},
        {"index_topk_freq": 4, "indexer_types": ["full", *["shared"] * 8]},
    ],
)
def test_layers_that_choose_tokens_themselves(options: dict[str, Any]) -> None:
    config = spelt("glm_moe_dsa", **(small("glm_moe_dsa") | {"num_hidden_layers": 9} | options))
    attentions = [block.attention for block in transformer_from_config(config).blocks]
    chooses = [isinstance(each, LatentAttention) and each.indexer is not None for each in attentions]
    assert chooses == [kind == "full" for kind in library_config(config).indexer_types]
    assert all(isinstance(each, LatentAttention) and each.top_k == 64 for each in attentions)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"indexer_types": ["shared", "full"]}, "indexer_types = .*the first full"),
        ({"indexer_types": ["full", "half"]}, "indexer_types = "),
        ({"indexer_types": ["full"]}, "one entry for each of 2 layers"),
        ({"index_topk_pattern": "FSS"}, "index_topk_pattern = "),
        ({"index_topk_pattern": 3}, "a letter, F or S"),
        ({"q_lora_rank": None}, "q_lora_rank = None"),
    ],
)
def test_choices_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FileContentError, match=message):
        transformer_from_config(spelt("glm_moe_dsa", **small("glm_moe_dsa")) | options)


def test_llama_4_attends_in_chunks_where_positions_turn() -> None:
    options = {"num_hidden_layers": 9, "attention_chunk_size": 64, "no_rope_layer_interval": 3}
    config = spelt("llama4_text", **(small("llama4_text") | options))
    theirs, model = library_config(config), transformer_from_config(config)
    attentions = [attention_of(model, layer) for layer in range(9)]
    chunked = [attention.chunk == 64 for attention in attentions]
    assert chunked == [kind == "chunked_attention" for kind in theirs.layer_types]
    assert [attention.rotary for attention in attentions] == theirs.no_rope_layers
    assert [attention.qk_norm is not None for attention in attentions] == chunked


@pytest.mark.parametrize(
    ("model_type", "options"),
    [
        ("qwen2_moe", {"decoder_sparse_step": 3, "mlp_only_layers": [5]}),
        ("qwen3_moe", {"decoder_sparse_step": 1, "mlp_only_layers": [0, 7]}),
        ("ernie4_5_moe", {"moe_layer_start_index": 3, "moe_layer_interval": 2, "moe_layer_end_index": 7}),
        ("ernie4_5_moe", {"moe_layer_end_index": -1}),
        ("llama4_text", {"interleave_moe_layer_step": 2}),
        ("deepseek_v2", {"first_k_dense_replace": 3}),
        ("glm4_moe_lite", {}),
        ("deepseek_v32", {"first_k_dense_replace": 3}),
        ("glm_moe_dsa", {"mlp_layer_types": ["sparse", *["dense"] * 7, "sparse"]}),
    ],
)
def test_layers_with_experts(model_type: str, options: dict[str, Any]) -> None:
    config = spelt(model_type, **(small(model_type) | {"num_hidden_layers": 9} | options))
    named = {
        name.split(".experts.")[0]
        for name, _ in library_model(config).named_parameters()
        if ".experts." in name
    }
    sparse = {int(name.split("layers.")[1].split(".")[0]) for name in named}
    model = transformer_from_config(config)
    assert {i for i, block in enumerate(model.blocks) if isinstance(block.ffn, ExpertLayer)} == sparse
