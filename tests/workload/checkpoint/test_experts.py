"""Weight files of experts: a tensor for each expert or one for all, packed ones, and what pruning leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.checkpoint.reading import transformer_from_path
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.transformer import ExpertLayer, LatentAttention, Linear, Transformer
from tests.workload.checkpoint.packing import Tensors as Packed
from tests.workload.checkpoint.packing import awq, fp8_block, gptq, modelopt_nvfp4, packed_integers
from tests.workload.checkpoint.writing import write_checkpoint

Tensors = dict[str, tuple[str, tuple[int, ...]]]

HIDDEN, WIDTH, VOCAB, EXPERTS = 256, 128, 512, 4

QWEN3: dict[str, Any] = {
    "model_type": "qwen3_moe",
    "hidden_size": HIDDEN,
    "intermediate_size": 320,
    "moe_intermediate_size": WIDTH,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": VOCAB,
    "max_position_embeddings": 512,
    "num_experts": EXPERTS,
    "num_experts_per_tok": 2,
}
MIXTRAL: dict[str, Any] = {
    **{key: value for key, value in QWEN3.items() if key != "moe_intermediate_size"},
    "model_type": "mixtral",
    "intermediate_size": WIDTH,
}
GPT_OSS = MIXTRAL | {"model_type": "gpt_oss", "attention_bias": True}
DEEPSEEK: dict[str, Any] = {
    **{key: value for key, value in QWEN3.items() if key not in ("head_dim", "num_experts")},
    "model_type": "deepseek_v3",
    "num_key_value_heads": 4,
    "q_lora_rank": 64,
    "kv_lora_rank": 48,
    "qk_nope_head_dim": 32,
    "qk_rope_head_dim": 16,
    "v_head_dim": 32,
    "n_routed_experts": EXPERTS,
    "n_shared_experts": 2,
    "first_k_dense_replace": 1,
    "num_nextn_predict_layers": 1,
}


def bf16(*shape: int) -> tuple[str, tuple[int, ...]]:
    return "BF16", shape


def around(layers: int = 3) -> Tensors:
    norms = ("input_layernorm", "post_attention_layernorm")
    return {
        "model.embed_tokens.weight": bf16(VOCAB, HIDDEN),
        "lm_head.weight": bf16(VOCAB, HIDDEN),
        "model.norm.weight": bf16(HIDDEN),
        **{f"model.layers.{i}.{norm}.weight": bf16(HIDDEN) for i in range(layers) for norm in norms},
    }


def heads(layer: int, *, q_norm: bool = True, bias: bool = False) -> Tensors:
    place = f"model.layers.{layer}.self_attn"
    sizes = {"q_proj": (128, HIDDEN), "k_proj": (64, HIDDEN), "v_proj": (64, HIDDEN), "o_proj": (HIDDEN, 128)}
    found = {f"{place}.{name}.weight": bf16(*size) for name, size in sizes.items()}
    if bias:
        found |= {f"{place}.{name}.bias": bf16(n) for name, (n, _) in sizes.items()}
        found[f"{place}.sinks"] = bf16(4)
    if q_norm:
        found |= {f"{place}.{name}.weight": bf16(32) for name in ("q_norm", "k_norm")}
    return found


QWEN3_STYLE = "mlp.experts gate_proj up_proj down_proj"


def one_by_one(
    layer: int,
    *,
    experts: int = EXPERTS,
    width: int = WIDTH,
    style: str = "mlp.experts gate_proj up_proj down_proj",
) -> Tensors:
    place, gate, up, down = style.split()
    found = {}
    for number in range(experts):
        each = f"model.layers.{layer}.{place}.{number}"
        found[f"{each}.{gate}.weight"] = found[f"{each}.{up}.weight"] = bf16(width, HIDDEN)
        found[f"{each}.{down}.weight"] = bf16(HIDDEN, width)
    router = f"model.layers.{layer}.{place.removesuffix('.experts')}.gate.weight"
    return {router: bf16(experts, HIDDEN), **found}


def qwen3(*experts: int, width: int = WIDTH) -> Tensors:
    found = around()
    for layer, count in enumerate(experts):
        found |= heads(layer) | one_by_one(layer, experts=count, width=width)
    return found


def layers_of(model: Transformer) -> list[ExpertLayer]:
    return [block.ffn for block in model.blocks if isinstance(block.ffn, ExpertLayer)]


@pytest.mark.parametrize(
    ("config", "style"),
    [
        (QWEN3, QWEN3_STYLE),
        (MIXTRAL, "block_sparse_moe.experts w1 w3 w2"),
    ],
)
@pytest.mark.parametrize("shards", [1, 3])
def test_a_tensor_for_each_expert(tmp_path: Path, config: dict[str, Any], style: str, shards: int) -> None:
    tensors = around()
    for layer in range(3):
        tensors |= heads(layer, q_norm=config is QWEN3) | one_by_one(layer, style=style)
    model = transformer_from_path(write_checkpoint(tmp_path / "it", config, tensors, shards=shards))
    assert model == transformer_from_config(config, name="it")
    assert not model.stated


def test_fewer_experts_and_other_counts_in_other_layers(tmp_path: Path) -> None:
    model = transformer_from_path(write_checkpoint(tmp_path / "it", QWEN3, qwen3(4, 2, 3)))
    assert [layer.num_experts for layer in layers_of(model)] == [4, 2, 3]
    assert {layer.top_k for layer in layers_of(model)} == {2}
    assert any(
        "experts 2 to 4 in the weight files, which count; the config says 4" in note for note in model.notes
    )


def test_narrower_experts(tmp_path: Path) -> None:
    model = transformer_from_path(write_checkpoint(tmp_path / "it", QWEN3, qwen3(4, 4, 4, width=96)))
    assert {layer.width for layer in layers_of(model)} == {96}
    assert any("width of experts 96 in the weight files" in note for note in model.notes)


def test_counts_that_the_config_lists_layer_by_layer(tmp_path: Path) -> None:
    config = QWEN3 | {"num_experts": [4, 2, 3]}
    model = transformer_from_path(write_checkpoint(tmp_path / "it", config, qwen3(4, 2, 3)))
    assert [layer.num_experts for layer in layers_of(model)] == [4, 2, 3]
    assert not any("which count" in note for note in model.notes)


def test_fewer_experts_than_a_token_runs(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "it", QWEN3, qwen3(4, 1, 4))
    with pytest.raises(FileContentError, match="layer 1 = '1 experts'; expected at least 2"):
        transformer_from_path(folder)


LAYER = "model.layers.1.mlp.experts.2"


@pytest.mark.parametrize(
    ("change", "gone", "error", "reason"),
    [
        ({f"{LAYER}.up_proj.weight": bf16(96, HIDDEN)}, (), UnsupportedError, "several sizes or formats"),
        ({f"{LAYER}.up_proj.weight": ("F16", (WIDTH, HIDDEN))}, (), UnsupportedError, "several sizes"),
        ({}, (f"{LAYER}.up_proj.weight",), FileContentError, "expert_gate 4, expert_up 3"),
        ({"model.layers.1.mlp.gate.weight": bf16(5, HIDDEN)}, (), FileContentError, "N = 4"),
        ({}, ("model.layers.1.mlp.gate.weight",), FileContentError, "router"),
        ({"model.layers.1.mlp.up_proj.weight": bf16(320, HIDDEN)}, (), FileContentError, "beside experts"),
        ({f"{LAYER}.mid_proj.weight": bf16(8, 8)}, (), FileContentError, "mid_proj"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, change: Tensors, gone: tuple[str, ...], error: type[Exception], reason: str
) -> None:
    tensors = {name: tensor for name, tensor in (qwen3(4, 4, 4) | change).items() if name not in gone}
    with pytest.raises(error, match=reason):
        transformer_from_path(write_checkpoint(tmp_path / "it", QWEN3, tensors))


def test_experts_in_blocks_of_four_bits(tmp_path: Path) -> None:
    tensors = around()
    for layer in range(3):
        mlp = f"model.layers.{layer}.mlp"
        tensors |= heads(layer, q_norm=False, bias=True)
        tensors |= {
            f"{mlp}.router.weight": bf16(EXPERTS, HIDDEN),
            f"{mlp}.router.bias": bf16(EXPERTS),
            f"{mlp}.experts.gate_up_proj_blocks": ("U8", (EXPERTS, 2 * WIDTH, HIDDEN // 32, 16)),
            f"{mlp}.experts.gate_up_proj_scales": ("U8", (EXPERTS, 2 * WIDTH, HIDDEN // 32)),
            f"{mlp}.experts.gate_up_proj_bias": bf16(EXPERTS, 2 * WIDTH),
            f"{mlp}.experts.down_proj_blocks": ("U8", (EXPERTS, HIDDEN, WIDTH // 32, 16)),
            f"{mlp}.experts.down_proj_scales": ("U8", (EXPERTS, HIDDEN, WIDTH // 32)),
            f"{mlp}.experts.down_proj_bias": bf16(EXPERTS, HIDDEN),
        }
    kept = ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]
    config = GPT_OSS | {"quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": kept}}
    model = transformer_from_path(write_checkpoint(tmp_path / "it", config, tensors))
    assert model == transformer_from_config(config, name="it")
    formats = {linear.format and linear.format.name for block in model.blocks for linear in block.linears}
    assert formats == {None, "mxfp4a16"}
    assert all(linear.format is None for linear in model.blocks[0].attention.linears)  # type: ignore[union-attr]


def test_experts_of_all_in_either_order(tmp_path: Path) -> None:
    tensors = around()
    for layer in range(3):
        mlp = f"model.layers.{layer}.mlp"
        tensors |= heads(layer) | {f"{mlp}.gate.weight": bf16(EXPERTS, HIDDEN)}
        turned = layer == 1
        # N of gate and up together is the hidden size too: only the order of the other layers tells.
        tensors[f"{mlp}.experts.gate_up_proj"] = bf16(EXPERTS, 2 * WIDTH, HIDDEN)
        tensors[f"{mlp}.experts.down_proj"] = bf16(EXPERTS, *((WIDTH, HIDDEN) if turned else (HIDDEN, WIDTH)))
    model = transformer_from_path(write_checkpoint(tmp_path / "it", QWEN3, tensors))
    assert model == transformer_from_config(QWEN3, name="it")


def fp8(*shape: int) -> tuple[str, tuple[int, ...]]:
    return "F8_E4M3", shape


def deepseek(*, block: int = 128) -> Tensors:
    """Blocks of fp8, with the layer that predicts further tokens behind the last one."""
    found = around(4)
    for layer in range(4):
        place = f"model.layers.{layer}"
        matrices = {
            "self_attn.q_a_proj": (64, HIDDEN), "self_attn.q_b_proj": (4 * 48, 64),
            "self_attn.kv_a_proj_with_mqa": (48 + 16, HIDDEN), "self_attn.kv_b_proj": (4 * 64, 48),
            "self_attn.o_proj": (HIDDEN, 4 * 32),
        }  # fmt: skip
        if layer == 0:
            matrices |= {"mlp.gate_proj": (320, HIDDEN), "mlp.up_proj": (320, HIDDEN)}
            matrices |= {"mlp.down_proj": (HIDDEN, 320)}
        else:
            shared = {"mlp.shared_experts": 2 * WIDTH}
            for name, width in {**{f"mlp.experts.{i}": WIDTH for i in range(EXPERTS)}, **shared}.items():
                matrices |= {f"{name}.gate_proj": (width, HIDDEN), f"{name}.up_proj": (width, HIDDEN)}
                matrices |= {f"{name}.down_proj": (HIDDEN, width)}
            found[f"{place}.mlp.gate.weight"] = bf16(EXPERTS, HIDDEN)
            found[f"{place}.mlp.gate.e_score_correction_bias"] = ("F32", (EXPERTS,))
        for name, (n, k) in matrices.items():
            found[f"{place}.{name}.weight"] = fp8(n, k)
            scales = (-(-n // block), -(-k // block))
            found[f"{place}.{name}.weight_scale_inv"] = ("F32", scales)
        for name, width in (("q_a", 64), ("kv_a", 48)):
            found[f"{place}.self_attn.{name}_layernorm.weight"] = bf16(width)
    return found | {
        "model.layers.3.eh_proj.weight": bf16(HIDDEN, 2 * HIDDEN),
        "model.layers.3.enorm.weight": bf16(HIDDEN),
        "model.layers.3.shared_head.head.weight": bf16(VOCAB, HIDDEN),
    }


FP8 = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}


def test_latent_attention_and_experts_in_blocks_of_fp8(tmp_path: Path) -> None:
    config = DEEPSEEK | {"quantization_config": FP8}
    # A scale for 128 x 128 values leaves open whether a matrix of less than two blocks has blocks at all.
    tensors = deepseek(block=16)
    config["quantization_config"] = FP8 | {"weight_block_size": [16, 16]}
    model = transformer_from_path(write_checkpoint(tmp_path / "it", config, tensors))
    assert model == transformer_from_config(config, name="it")
    assert "layers that predict further tokens are left out: num_nextn_predict_layers 1" in model.notes
    attention, ffn = model.blocks[1].attention, model.blocks[1].ffn
    assert isinstance(attention, LatentAttention)
    assert isinstance(ffn, ExpertLayer)
    assert ffn.router.format is None
    assert {linear.format.name for linear in attention.linears if linear.format} == {"fp8_block"}


def test_fewer_heads_of_latent_attention(tmp_path: Path) -> None:
    tensors = {name: tensor for name, tensor in deepseek().items() if not name.endswith("weight_scale_inv")}
    tensors = {name: ("BF16", shape) for name, (_, shape) in tensors.items()}
    for layer in range(4):
        place = f"model.layers.{layer}.self_attn"
        tensors[f"{place}.q_b_proj.weight"] = bf16(3 * 48, 64)
        tensors[f"{place}.kv_b_proj.weight"] = bf16(3 * 64, 48)
        tensors[f"{place}.o_proj.weight"] = bf16(HIDDEN, 3 * 32)
    model = transformer_from_path(write_checkpoint(tmp_path / "it", DEEPSEEK, tensors))
    attention = model.blocks[0].attention
    assert isinstance(attention, LatentAttention)
    assert attention.num_heads == 3
    assert any("heads 3 in the weight files" in note for note in model.notes)


COMPRESSED: dict[str, Any] = {
    "quant_method": "compressed-tensors",
    "format": "pack-quantized",
    "ignore": ["lm_head", "re:.*self_attn.*"],
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {
                "num_bits": 4,
                "type": "int",
                "group_size": 32,
                "symmetric": True,
                "strategy": "group",
            },
        }
    },
}


@pytest.mark.parametrize(
    ("pack", "stated", "name"),
    [
        (gptq, None, "w4a16"),
        (awq, None, "w4a16"),
        (packed_integers, COMPRESSED, "w4a16"),
        (modelopt_nvfp4, None, "nvfp4"),
        (fp8_block, None, "fp8_block"),
    ],
)
def test_experts_that_are_packed(
    tmp_path: Path, pack: Callable[[Linear], Packed], stated: dict[str, Any] | None, name: str
) -> None:
    tensors = around()
    for layer in range(3):
        tensors |= heads(layer)
        for tensor, (_, shape) in one_by_one(layer).items():
            if tensor.endswith("gate.weight"):
                tensors[tensor] = bf16(*shape)
                continue
            n, k = shape
            packed = pack(Linear(out_features=n, in_features=k))
            tensors |= {f"{tensor.removesuffix('.weight')}.{leaf}": each for leaf, each in packed.items()}
    config = QWEN3 | ({} if stated is None else {"quantization_config": stated})
    model = transformer_from_path(write_checkpoint(tmp_path / "it", config, tensors))
    first = layers_of(model)[0]
    assert {linear.format.name for linear in first.expert.linears if linear.format} == {name}
    assert first.router.format is None
    assert first.num_experts == EXPERTS


def test_the_thinker_of_a_model_that_speaks(tmp_path: Path) -> None:
    """Qwen3-Omni: the text model lies in its thinker; what speaks is left out."""
    text = QWEN3 | {"model_type": "qwen3_omni_moe_text"}
    config = {"model_type": "qwen3_omni_moe", "thinker_config": {"text_config": text, "audio_config": {}}}
    others = (
        "thinker.audio_tower.conv1",
        "thinker.visual.patch_embed.proj",
        "talker.model.norm",
        "code2wav.a",
    )
    shapes = {f"thinker.{name}": each for name, each in qwen3(EXPERTS, EXPERTS, EXPERTS).items()}
    shapes |= {f"{name}.weight": bf16(8, 8) for name in others}
    model = transformer_from_path(write_checkpoint(tmp_path / "it", config, shapes))
    assert model.blocks == transformer_from_config(QWEN3).blocks
    assert model.notes[0] == "only the text model counts; left out: audio_config"
