"""Hugging Face configs: what each model type builds, and how damage and other architectures are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.domain.errors import FileContentError, InfersimError, InvalidValueError, UnsupportedError
from infersim.workload.counts import parameters
from infersim.workload.hf.entries import ARCHITECTURES
from infersim.workload.hf.reading import transformer_from_config, transformer_from_file
from infersim.workload.transformer import Attention, Linear
from tests.workload.examples import sublayers

LLAMA: dict[str, object] = {
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 1000,
    "max_position_embeddings": 2048,
}
MISTRAL = LLAMA | {"model_type": "mistral", "sliding_window": 512}
QWEN2 = LLAMA | {"model_type": "qwen2"}
QWEN3 = LLAMA | {"model_type": "qwen3", "head_dim": 64}


def windows(config: dict[str, object]) -> list[int | None]:
    blocks = transformer_from_config(config).blocks
    return [block.attention.window for block in blocks if isinstance(block.attention, Attention)]


def without(config: dict[str, object], key: str) -> dict[str, object]:
    return {name: value for name, value in config.items() if name != key}


def test_llama() -> None:
    model = transformer_from_config(LLAMA, name="mine")
    assert (model.name, model.hidden, model.vocab, model.max_position) == ("mine", 256, 1000, 2048)
    assert (len(model.blocks), model.tied_embeddings) == (4, False)
    heads, ffn = sublayers(model)
    assert (heads.num_heads, heads.num_kv_heads, heads.head_dim, heads.window) == (8, 2, 32, None)
    assert heads.q == heads.o == Linear(out_features=256, in_features=256)
    assert heads.k == heads.v == Linear(out_features=64, in_features=256)
    assert (ffn.gate, ffn.width) == (Linear(out_features=512, in_features=256), 512)


def test_llama_options() -> None:
    options = {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True, "head_dim": 16}
    model = transformer_from_config(LLAMA | options)
    heads, ffn = sublayers(model)
    assert all(linear.bias for linear in heads.linears + ffn.linears)
    assert heads.q.out_features == 8 * 16
    assert model.tied_embeddings


def test_llama_without_kv_heads_has_one_for_each_head() -> None:
    assert sublayers(transformer_from_config(without(LLAMA, "num_key_value_heads")))[0].num_kv_heads == 8


def test_mistral_slides_in_every_layer() -> None:
    assert windows(MISTRAL) == [512] * 4
    assert windows(MISTRAL | {"sliding_window": None}) == [None] * 4


def test_qwen2_has_biases_on_q_k_and_v() -> None:
    heads, ffn = sublayers(transformer_from_config(QWEN2))
    assert [linear.bias for linear in heads.linears] == [True, True, True, False]
    assert not any(linear.bias for linear in ffn.linears)
    assert not heads.qk_norm


def test_qwen3_norms_q_and_k() -> None:
    heads, _ = sublayers(transformer_from_config(QWEN3))
    assert heads.qk_norm
    assert (heads.head_dim, heads.q.out_features) == (64, 512)
    assert not any(linear.bias for linear in heads.linears)


@pytest.mark.parametrize("config", [QWEN2, QWEN3])
def test_qwen_slides_from_max_window_layers_on(config: dict[str, object]) -> None:
    sliding: dict[str, object] = {"sliding_window": 512, "max_window_layers": 3}
    assert windows(config | sliding) == [None] * 4
    assert windows(config | sliding | {"use_sliding_window": True}) == [None, None, None, 512]
    assert windows(config | sliding | {"use_sliding_window": True, "max_window_layers": 28}) == [None] * 4
    kinds = ["full_attention", "sliding_attention"] * 2
    assert windows(config | sliding | {"layer_types": kinds}) == [None, 512, None, 512]


DAMAGE = [
    (LLAMA, "hidden_size", -256, "hidden_size = -256; expected more than 0"),
    (LLAMA, "hidden_size", 0, "hidden_size = 0; expected more than 0"),
    (LLAMA, "hidden_size", "256", "hidden_size = '256'; expected an integer"),
    (LLAMA, "hidden_size", 256.5, "hidden_size = 256.5; expected an integer"),
    (LLAMA, "hidden_size", float("nan"), "hidden_size = nan; expected an integer"),
    (LLAMA, "hidden_size", None, "hidden_size = None; expected an integer"),
    (LLAMA, "hidden_size", 10**9, "hidden_size = 1000000000; expected at most 131072"),
    (LLAMA, "hidden_size", 260, "hidden_size = 260; expected a multiple of num_attention_heads = 8"),
    (LLAMA, "vocab_size", 10**12, "vocab_size = 1000000000000; expected at most 4194304"),
    (LLAMA, "num_hidden_layers", True, "num_hidden_layers = True; expected an integer"),
    (LLAMA, "num_key_value_heads", 3, "num_key_value_heads = 3; expected a divisor of num_attention"),
    (LLAMA, "num_key_value_heads", 16, "num_key_value_heads = 16; expected a divisor of"),
    (LLAMA, "tie_word_embeddings", "no", "tie_word_embeddings = 'no'; expected true or false"),
    (LLAMA, "model_type", None, "model_type = None; expected one of afmoe, apertus, arcee, "),
    (MISTRAL, "sliding_window", 0, "sliding_window = 0; expected more than 0"),
    (LLAMA, "hidden_size", True, "hidden_size = True; expected an integer"),
    (LLAMA, "head_dim", 2.5, "head_dim = 2.5; expected an integer"),
    (LLAMA, "architectures", "LlamaForCausalLM", "architectures = 'LlamaForCausalLM'; expected a list of"),
    (LLAMA, "auto_map", ["x"], r"auto_map = \['x'\]; expected an object of keys and values"),
    (LLAMA | {"architectures": ["LlamaForTokenClassification"]}, "num_labels", 0, "num_labels = 0; expected"),
    (QWEN2 | {"use_sliding_window": True}, "max_window_layers", -1, "max_window_layers = -1; expected at"),
    (QWEN2, "layer_types", ["full_attention"], r"layer_types = .*; expected one entry for each of 4 layers"),
    (QWEN2 | {"sliding_window": None}, "layer_types", ["sliding_attention"] * 4,
     "sliding_window = None; expected an integer, as layer"),
    (QWEN2, "layer_types", "full", "layer_types = 'full'; expected a list"),
    (QWEN3, "head_dim", None, "head_dim = None; expected an integer"),
]  # fmt: skip


@pytest.mark.parametrize(("config", "key", "value", "message"), DAMAGE)
def test_damage_is_told_as_file_key_value_expectation(
    config: dict[str, object], key: str, value: object, message: str
) -> None:
    with pytest.raises(FileContentError, match=f"^some.json: {message}"):
        transformer_from_config(config | {key: value}, file="some.json")


@pytest.mark.parametrize("key", [key for key in LLAMA if key not in ("model_type", "num_key_value_heads")])
def test_a_missing_key_is_what_the_class_takes(key: str) -> None:
    """LlamaConfig's own: 4096 wide, FFN 11008, 32 layers of 32 heads, 32000 tokens, 2048 positions."""
    taken = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
             "num_attention_heads": 32, "vocab_size": 32000, "max_position_embeddings": 2048}  # fmt: skip
    missing = transformer_from_config(without(LLAMA, key))
    assert missing == transformer_from_config(LLAMA | {key: taken[key]})
    told = (
        ()
        if key == "max_position_embeddings"
        else (f"left to the model's class by the file: {key} {taken[key]}",)
    )
    assert missing.notes == told


def test_a_config_without_a_type_is_no_config() -> None:
    with pytest.raises(FileContentError, match="model_type = None; expected one of"):
        transformer_from_config(without(LLAMA, "model_type"))


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"model_type": "llama", "num_experts": 16}, "mixture of experts"),
        ({"model_type": "my_moe", "num_experts": 16}, "which is not modelled for this type"),
        ({"model_type": "llama", "kv_lora_rank": 512}, "multi-head latent attention"),
        ({"model_type": "mixtral", "kv_lora_rank": 512}, "multi-head latent attention"),
        ({"model_type": "jamba", "mamba_d_state": 16}, "Mamba"),
        ({"model_type": "qwen3_moe", "moe_num_experts": 8}, "mixture of experts"),
        ({"model_type": "jetmoe"}, "experts of a kind of their own"),
        ({"model_type": "dbrx"}, "all experts of a layer in one matrix"),
        ({"model_type": "ernie4_5_vl_moe"}, "experts for images beside those for text"),
        (
            {"model_type": "glm4v", "text_config": LLAMA | {"model_type": "glm4v_text", "kv_lora_rank": 64}},
            "latent attention",
        ),
        ({"model_type": "llama", "index_topk": 2048}, "sparse attention chosen by an indexer"),
        ({"model_type": "deepseek_v3", "kv_lora_rank": 64, "index_n_heads": 64}, "by an indexer"),
        (
            {"model_type": "deepseek_v32", "layer_types": ["full_attention"] * 4},
            "layer_types has full_attention; supported is indexed_attention",
        ),
        ({"model_type": "falcon_mamba"}, "Mamba"),
        ({"model_type": "nemotron_h"}, "Mamba"),
        ({"model_type": "qwen3_next"}, "linear attention"),
        ({"model_type": "rwkv"}, "linear attention or recurrence"),
        ({"model_type": "t5"}, "an encoder"),
        ({"model_type": "llama", "add_cross_attention": True}, "cross-attention"),
        ({"model_type": "my_llama"}, "'my_llama' is not supported; supported: afmoe, .*qwen3, "),
        (
            {"model_type": "qwen2", "layer_types": ["linear_attention"] * 4},
            "layer_types has linear_attention",
        ),
    ],
)
def test_other_architectures_are_refused_with_the_reason(extra: dict[str, object], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason) as caught:
        transformer_from_config(LLAMA | extra, file="some.json")
    assert "some.json" in str(caught.value)
    assert "supported" in str(caught.value)


@pytest.mark.parametrize("value", [None, 0, False])
def test_keys_that_are_not_set_do_not_make_an_expert(value: object) -> None:
    assert transformer_from_config(LLAMA | {"num_local_experts": value}).hidden == 256


def test_file_and_folder(tmp_path: Path) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    (tmp_path / "named.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    assert transformer_from_file(folder).name == "my-model"
    assert transformer_from_file(folder / "config.json").name == "my-model"
    assert transformer_from_file(str(tmp_path / "named.json")).name == "named"


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"gone\.json'; expected a file, or a folder that holds"):
        transformer_from_file(tmp_path / "gone.json")
    with pytest.raises(InvalidValueError, match=r"expected a file, or a folder that holds config\.json"):
        transformer_from_file(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"hidden_size": 4096,\n "vocab', r"broken\.json: line 2, column 2 = .*; expected valid JSON"),
        (b"", r"broken\.json: line 1, column 1 = ''; expected valid JSON"),
        (
            b'{"hidden_size": 4096, "hidden_size": 2048}',
            r"broken\.json: hidden_size = 'there twice'; .* each key once",
        ),
        (b"[1, 2]", r"broken\.json: content = 'list'; expected an object of keys and values"),
        (b"\xff\xfe\x00\x01", r"broken\.json: byte 0 = 'no text'; expected UTF-8"),
        (b'{"hidden_size": ' + b"9" * 5000 + b"}", r"broken\.json: content = 'unreadable'"),
        (b"[" * 100_000, r"broken\.json: nesting = 'too deep'"),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "broken.json"
    file.write_bytes(content)
    with pytest.raises(FileContentError, match=message):
        transformer_from_file(file)


def test_a_file_too_large_for_a_config_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    with file.open("wb") as opened:
        opened.truncate(2**24 + 1)
    with pytest.raises(FileContentError, match=r"large\.json: size = 'above 16777216 bytes'"):
        transformer_from_file(file)


def test_lists_of_layers_are_bounded() -> None:
    bomb = {"model_type": "gpt_neo", "attention_types": [[["global"], 10**15]] * 3}
    with pytest.raises(FileContentError, match="global or local for each of 24 layers"):
        transformer_from_config(bomb)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.slow
@given(key=st.sampled_from([*LLAMA, "head_dim", "layer_types", "sliding_window", "auto_map", "id2label",
                            "text_config", "architectures", "rope_parameters", "quantization_config"]),
       value=JSON_VALUES, config=st.sampled_from([LLAMA, MISTRAL, QWEN2, QWEN3]))  # fmt: skip
@settings(deadline=None)
def test_any_value_builds_a_model_or_an_error_of_ours(
    key: str, value: object, config: dict[str, object]
) -> None:
    try:
        model = transformer_from_config(config | {key: value})
    except InfersimError:
        return
    assert len(model.blocks) == model_layers(config, key, value)


def model_layers(config: dict[str, object], key: str, value: object) -> object:
    return (config | {key: value})["num_hidden_layers"]


@pytest.mark.slow
@given(model_type=st.sampled_from(sorted(ARCHITECTURES)), data=st.data())
@settings(deadline=None, max_examples=300)
def test_any_value_of_any_key_of_any_type(model_type: str, data: st.DataObject) -> None:
    entry = ARCHITECTURES[model_type]
    name = data.draw(st.sampled_from(sorted(entry.defaults)))
    key = data.draw(st.sampled_from(entry.spellings.get(name, (name,))))
    small = {"model_type": model_type, entry.spellings.get("num_hidden_layers", ("num_hidden_layers",))[0]: 2}
    try:
        model = transformer_from_config(small | {key: data.draw(JSON_VALUES)})
    except InfersimError:
        return
    assert model.blocks
    assert parameters(model) > 0


HUNYUAN: dict[str, object] = {
    "model_type": "hunyuan_v1_moe",
    "architectures": ["HunYuanMoEV1ForCausalLM"],
    "hidden_size": 256,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 512,
    "max_position_embeddings": 128,
    "num_experts": 8,
    "moe_topk": 2,
}


def test_numbers_that_a_file_repeats_for_each_layer() -> None:
    listed = {"moe_topk": [2, 2], "moe_intermediate_size": [96, 96], "num_shared_expert": [1, 1]}
    model = transformer_from_config(HUNYUAN | listed | {"use_mixed_mlp_moe": True, "cla_share_factor": 2})
    assert model == transformer_from_config(HUNYUAN)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("moe_topk", [2, 3]),
        ("moe_intermediate_size", [96, 64]),
        ("num_shared_expert", [2, 2]),
        ("moe_topk", 9),
    ],
)
def test_experts_that_are_not_as_the_code_has_them(key: str, value: object) -> None:
    with pytest.raises(FileContentError, match=key):
        transformer_from_config(HUNYUAN | {key: value})


def test_the_last_layer_with_experts_may_be_left_open() -> None:
    ernie = {
        "model_type": "ernie4_5_moe", "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "moe_num_experts": 4, "moe_k": 2, "moe_intermediate_size": 32,
    }  # fmt: skip
    open_ended = transformer_from_config(ernie | {"moe_layer_end_index": None})
    assert open_ended == transformer_from_config(ernie | {"moe_layer_end_index": 2})
