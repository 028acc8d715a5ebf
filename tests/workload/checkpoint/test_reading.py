"""What headers and config say together, and what is wrong with them, by tensor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infersim.domain.errors import FileContentError, InfersimError, UnsupportedError
from infersim.workload.checkpoint.reading import transformer_from_path
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.transformer import Attention, Transformer
from tests.workload.checkpoint.llama import CONFIG, shapes_of
from tests.workload.checkpoint.writing import write_checkpoint

BF16 = "BF16"
DENSE = transformer_from_config(CONFIG, name="it")
LAYER = "model.layers.2."

Changes = dict[str, tuple[int, ...] | None]


def read(
    folder: Path, changes: Changes, config: dict[str, Any] | None = None, dtype: str = BF16
) -> Transformer:
    """The dense checkpoint with some other tensors, or without some."""
    shapes = dict(shapes_of(DENSE))
    for name, shape in changes.items():
        if shape is None:
            del shapes[name]
        else:
            shapes[name] = (dtype, shape)
    return transformer_from_path(write_checkpoint(folder / "it", CONFIG | (config or {}), shapes))


def attention_of(model: Transformer, number: int) -> Attention:
    attention = model.blocks[number].attention
    assert isinstance(attention, Attention)
    return attention


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {f"{LAYER}self_attn.k_proj.weight": None},
            FileContentError,
            "layer 2 = 'k missing'; expected q, k, v, o",
        ),
        ({f"{LAYER}mlp.down_proj.weight": None}, FileContentError, "layer 2 = 'down missing'"),
        (
            {f"{LAYER}mlp.gate_proj.weight": None},
            FileContentError,
            "layer 2 = 'gate missing'; expected gate, up",
        ),
        (
            {f"{LAYER}input_layernorm.weight": None},
            FileContentError,
            "layer 2 = 'attention_norm'; expected there",
        ),
        (
            {f"{LAYER}mlp.router.weight": (2, 256)},
            FileContentError,
            r"layers\.2\.mlp\.router\.weight = .*no experts",
        ),
        ({f"{LAYER}mlp.experts.0.w1.weight": (2, 256)}, FileContentError, r"experts\.0\.w1\.weight"),
        ({"model.depth_gate": (6,)}, FileContentError, r"model\.depth_gate = 'BF16 \[6\]'"),
        ({f"{LAYER}self_attn.q_norm.weight": (32,)}, FileContentError, "q_norm.weight = .*no norm of q or k"),
        (
            {f"{LAYER}self_attn.qkv_proj.weight": (512, 256)},
            FileContentError,
            "expected no such tensor beside qkv",
        ),
        ({f"{LAYER}mlp.linear_mlp.weight": (256, 256)}, FileContentError, "no such tensor beside ffn_linear"),
        ({f"{LAYER}self_attn.q_proj.weight": (256, 255)}, FileContentError, r"q_proj\.weight = .*K = 256"),
        ({f"{LAYER}self_attn.o_proj.weight": (256, 224)}, FileContentError, r"o_proj\.weight = .*K = 256"),
        ({f"{LAYER}self_attn.o_proj.weight": (255, 256)}, FileContentError, r"o_proj\.weight = .*N = 256"),
        ({f"{LAYER}self_attn.v_proj.weight": (96, 256)}, FileContentError, r"v_proj\.weight = .*N = 128"),
        ({f"{LAYER}mlp.gate_proj.weight": (639, 256)}, FileContentError, r"gate_proj\.weight = .*N = 640"),
        ({f"{LAYER}mlp.down_proj.weight": (256, 639)}, FileContentError, r"down_proj\.weight = .*K = 640"),
        ({f"{LAYER}input_layernorm.weight": (255,)}, FileContentError, r"input_layernorm.weight = .*\[256\]"),
        ({f"{LAYER}self_attn.q_proj.bias": (255,)}, FileContentError, r"q_proj.bias = .*\[256\], one value"),
        ({"model.embed_tokens.weight": None}, FileContentError, "embedding = None"),
        ({"lm_head.weight": None}, FileContentError, "lm_head.weight = None; expected a head of its own"),
        (
            {"lm_head.weight": (500, 256)},
            UnsupportedError,
            "lm_head.weight has 500 rows and the embedding 512",
        ),
        ({"model.norm.weight": (128,)}, FileContentError, r"model.norm.weight = .*\[256\]"),
        ({"layers.2.mlp.up_proj.weight": (640, 256)}, FileContentError, "there twice"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, changes: Changes, error: type[InfersimError], message: str
) -> None:
    with pytest.raises(error, match=message):
        read(tmp_path, changes)


def test_no_layer_at_all(tmp_path: Path) -> None:
    layers: Changes = {name: None for name in shapes_of(DENSE) if ".layers." in name}
    with pytest.raises(FileContentError, match="layers = None; expected the tensors of a layer"):
        read(tmp_path, layers)


def test_a_norm_of_q_tells_the_head_size(tmp_path: Path) -> None:
    # The config's own head size would be 32: the norms of q and k have 64 values.
    norms: Changes = {
        f"model.layers.{number}.self_attn.{which}_norm.weight": (64,) for number in range(6) for which in "qk"
    }
    config = {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "head_dim": 32}
    model = read(tmp_path, norms, config)
    attention = attention_of(model, 0)
    assert (attention.num_heads, attention.num_kv_heads, attention.head_dim) == (4, 2, 64)
    assert (
        "head size 64 in the weight files, which count; the config says 32 (other than that in 6 of 6 layers)"
        in (model.notes)
    )


def test_heads_that_became_narrower(tmp_path: Path) -> None:
    narrower: Changes = {
        f"{LAYER}self_attn.q_proj.weight": (8 * 24, 256),
        f"{LAYER}self_attn.k_proj.weight": (4 * 24, 256),
        f"{LAYER}self_attn.v_proj.weight": (4 * 24, 256),
        f"{LAYER}self_attn.o_proj.weight": (256, 8 * 24),
    }
    # 192 and 96 are heads of 32 too: the config's size holds where it divides.
    attention = attention_of(read(tmp_path / "a", narrower), 2)
    assert (attention.num_heads, attention.num_kv_heads, attention.head_dim) == (6, 3, 32)
    narrowest = {
        name: tuple(size * 20 // 24 if size != 256 else size for size in shape or ())
        for name, shape in narrower.items()
    }
    attention = attention_of(read(tmp_path / "b", dict(narrowest)), 2)
    assert (attention.num_heads, attention.num_kv_heads, attention.head_dim) == (8, 4, 20)


@pytest.mark.parametrize(
    ("query", "key", "message"),
    [
        (250, 128, "q_proj.weight = .*N in heads of 32, or 8 heads, 4 KV heads"),
        (224, 96, "7 heads of 32 on 3 KV"),
    ],
)
def test_widths_that_are_no_heads(tmp_path: Path, query: int, key: int, message: str) -> None:
    changes: Changes = {
        f"{LAYER}self_attn.q_proj.weight": (query, 256),
        f"{LAYER}self_attn.k_proj.weight": (key, 256),
        f"{LAYER}self_attn.v_proj.weight": (key, 256),
        f"{LAYER}self_attn.o_proj.weight": (256, query),
    }
    with pytest.raises(FileContentError, match=message):
        read(tmp_path, changes)


def test_buffers_are_no_parameters(tmp_path: Path) -> None:
    buffers: Changes = {
        f"{LAYER}self_attn.rotary_emb.inv_freq": (16,),
        f"{LAYER}self_attn.k_scale": (1,),
        "model.rotary_emb.inv_freq": (16,),
    }
    assert read(tmp_path, buffers) == DENSE


def test_tied_tables(tmp_path: Path) -> None:
    tied = {"tie_word_embeddings": True}
    for name, changes in (("without", {"lm_head.weight": None}), ("with", {})):
        model = read(tmp_path / name, dict(changes), tied)
        assert model == transformer_from_config(CONFIG | tied, name="it")


def test_a_vocabulary_that_was_resized(tmp_path: Path) -> None:
    model = read(tmp_path, {"lm_head.weight": (520, 256), "model.embed_tokens.weight": (520, 256)})
    assert model.vocab == 520
    assert "vocabulary 520 in the weight files, which count; the config says 512" in model.notes


def test_a_classifier(tmp_path: Path) -> None:
    config = {"architectures": ["LlamaForSequenceClassification"], "num_labels": 2}
    model = read(tmp_path, {"lm_head.weight": None, "score.weight": (3, 256)}, config)
    assert model.head is not None
    assert (model.head.labels, model.tied_embeddings) == (3, False)
    assert "3 labels in the weight files, which count; the config says 2" in model.notes


def test_towers_of_a_wrapper_are_left_out(tmp_path: Path) -> None:
    shapes = {f"language_model.{name}": each for name, each in shapes_of(DENSE).items()}
    shapes |= {"vision_tower.layers.0.mlp.fc1.weight": (BF16, (8, 8))}
    shapes |= {"multi_modal_projector.linear_1.weight": (BF16, (8, 8))}
    config = {"model_type": "llava", "text_config": CONFIG, "vision_config": {"hidden_size": 8}}
    model = transformer_from_path(write_checkpoint(tmp_path / "it", config, shapes))
    assert model == DENSE
    with pytest.raises(FileContentError, match=r"projector\.linear_1|vision_tower\.layers"):
        transformer_from_path(write_checkpoint(tmp_path / "plain", CONFIG, shapes))


def test_more_layers_than_the_config_says(tmp_path: Path) -> None:
    model = read(tmp_path, {}, {"num_hidden_layers": 4})
    assert model.blocks == DENSE.blocks
    assert "6 layers in the weight files, which count; the config says 4" in model.notes
    differing = {
        "model_type": "qwen2",
        "architectures": ["Qwen2ForCausalLM"],
        "num_hidden_layers": 4,
        "use_sliding_window": True,
        "max_window_layers": 2,
        "sliding_window": 16,
    }
    with pytest.raises(FileContentError, match="num_hidden_layers = 4; expected at least 6"):
        read(tmp_path / "b", {}, differing)


def test_weights_in_f32_are_the_same_model(tmp_path: Path) -> None:
    shapes = {name: ("F32", shape) for name, (_, shape) in shapes_of(DENSE).items()}
    model = transformer_from_path(write_checkpoint(tmp_path / "it", CONFIG, shapes))
    assert model == DENSE
    assert model.stated.startswith("the weight files hold values of 32 bit or more: bf16 is meant")
