"""Checkpoints as published pruning methods leave them: their names of tensors and what these say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.domain.ops import Part
from infersim.domain.shapes import Gemm
from infersim.workload.checkpoint.reading import transformer_from_path
from infersim.workload.counts import parameters
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.ops.model import model_ops
from infersim.workload.sublayers.norms import Norm
from infersim.workload.transformer import Attention, FeedForward, Linear, ReplacedSublayer, Transformer
from tests.workload.checkpoint.llama import CONFIG, shapes_of
from tests.workload.checkpoint.writing import Shapes, write_checkpoint
from tests.workload.examples import prefill

BF16 = "BF16"


def dense() -> Transformer:
    return transformer_from_config(CONFIG, name="it")


def read(folder: Path, shapes: Shapes, config: dict[str, Any] | None = None) -> Transformer:
    return transformer_from_path(write_checkpoint(folder / "it", config or CONFIG, shapes))


def sublayers(model: Transformer, number: int) -> tuple[Attention, FeedForward]:
    block = model.blocks[number]
    assert isinstance(block.attention, Attention)
    assert isinstance(block.ffn, FeedForward)
    return block.attention, block.ffn


def with_factors(shapes: Shapes, weight: str, first: str, second: str, rank: int) -> dict[str, Any]:
    """The weight replaced by two factors of these names: [N, rank] and [rank, K]."""
    found = dict(shapes)
    _, (n, k) = found.pop(weight)
    return found | {first: (BF16, (n, rank)), second: (BF16, (rank, k))}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("self_attn.q_u_proj.weight", "self_attn.q_v_proj.weight"),  # SVD-LLM
        ("self_attn.q_proj.ALinear.weight", "self_attn.q_proj.BLinear.weight"),  # ASVD
        ("self_attn.q_proj_A.weight", "self_attn.q_proj_B.weight"),
        ("self_attn.q_proj_A", "self_attn.q_proj_B"),
        ("self_attn.q_proj.lora_B.weight", "self_attn.q_proj.lora_A.weight"),
        ("self_attn.q_proj.U", "self_attn.q_proj.V"),
        ("self_attn.q_proj.0.weight", "self_attn.q_proj.1.weight"),
        ("self_attn.q_proj.1.weight", "self_attn.q_proj.0.weight"),
    ],
)
def test_two_factors_are_known_by_their_shapes(tmp_path: Path, first: str, second: str) -> None:
    layer = "model.layers.2."
    shapes = with_factors(
        shapes_of(dense()), f"{layer}self_attn.q_proj.weight", layer + first, layer + second, 48
    )
    model = read(tmp_path, shapes)
    attention, _ = sublayers(model, 2)
    assert attention.q == Linear(out_features=256, in_features=256, rank=48)
    assert replace(attention, q=replace(attention.q, rank=None)) == dense().blocks[2].attention
    assert model.blocks[0] == dense().blocks[0]


def test_factors_of_a_matrix_that_is_not_square(tmp_path: Path) -> None:
    shapes = with_factors(
        shapes_of(dense()),
        "model.layers.0.mlp.down_proj.weight",
        "model.layers.0.mlp.down_u_proj.weight",
        "model.layers.0.mlp.down_v_proj.weight",
        64,
    )
    _, ffn = sublayers(read(tmp_path, shapes), 0)
    assert ffn.down == Linear(out_features=256, in_features=640, rank=64)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (((256, 48), (40, 256)), "two factors whose product is any x 256; these are 256 x 48 and 40 x 256"),
        (((256, 48), (48, 128)), "two factors whose product is any x 256"),
    ],
)
def test_factors_that_do_not_fit(tmp_path: Path, sizes: tuple[tuple[int, ...], ...], expected: str) -> None:
    shapes = dict(shapes_of(dense()))
    del shapes["model.layers.1.self_attn.q_proj.weight"]
    for name, size in zip("AB", sizes, strict=True):
        shapes[f"model.layers.1.self_attn.q_proj_{name}.weight"] = (BF16, size)
    with pytest.raises(FileContentError, match=f"layers.1.self_attn.q_proj_A.weight.*{expected}"):
        read(tmp_path, shapes)


def test_an_adapter_that_is_not_merged_is_refused(tmp_path: Path) -> None:
    shapes = dict(shapes_of(dense()))
    layer = "model.layers.0.self_attn.q_proj"
    shapes |= {f"{layer}.lora_A.weight": (BF16, (8, 256)), f"{layer}.lora_B.weight": (BF16, (256, 8))}
    with pytest.raises(UnsupportedError, match=r"q_proj.weight has an adapter .*lora_A, lora_B.*merge it"):
        read(tmp_path, shapes)


def test_flap_leaves_biases(tmp_path: Path) -> None:
    shapes = dict(shapes_of(dense()))
    for matrix in ("self_attn.o_proj", "mlp.down_proj"):
        shapes[f"model.layers.3.{matrix}.bias"] = (BF16, (256,))
    config = CONFIG | {"architectures": ["FLAPLlamaForCausalLM"]}
    model = read(tmp_path, shapes, config)
    attention, ffn = sublayers(model, 3)
    assert (attention.o.bias, ffn.down.bias, attention.q.bias, ffn.up.bias) == (True, True, False, False)
    assert parameters(model) == parameters(dense()) + 2 * 256
    assert any("FLAPLlamaForCausalLM" in note for note in model.notes)


@pytest.mark.parametrize(
    "config",
    [
        {"architectures": ["LlamaPrunedForCausalLM"], "auto_map": {"AutoModelForCausalLM": "m.LlamaPruned"}},
        {"architectures": None, "auto_map": {"AutoConfig": "configuration_pruned.PrunedConfig"}},
        {"pruned_channels": [640, 320], "layer_inter_size": [1, 2, 3]},
    ],
)
def test_the_way_out_of_the_refusal_of_custom_code(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match=r"give the folder with its \.safetensors files"):
        transformer_from_config(CONFIG | config)
    model = read(tmp_path, shapes_of(dense()), CONFIG | config)
    assert model == dense()
    told = " ".join(model.notes)
    names = [*(config.get("architectures") or ["auto_map"])] if "auto_map" in config else list(config)
    assert all(name in told for name in names)


def sliced(*, whole_output: bool) -> dict[str, Any]:
    """As SliceGPT leaves a model: hidden 192 of 256, residual maps, norms without parameters."""
    found: dict[str, Any] = {}
    for name, (_, shape) in shapes_of(dense()).items():
        if name.endswith("norm.weight"):
            continue
        module = name.split(".")[-2]
        n, k = shape
        if module in ("o_proj", "down_proj"):
            n = 192
        else:
            k = 192
        found[name] = (BF16, (n, k))
    for number in range(6):
        for name in ("attn_shortcut_Q", "mlp_shortcut_Q"):
            found[f"model.layers.{number}.{name}"] = (BF16, (192, 192))
    if whole_output:
        found["model.layers.5.mlp.down_proj.weight"] = (BF16, (256, 640))
        found["model.layers.5.mlp_shortcut_Q"] = (BF16, (192, 256))
        found["lm_head.weight"] = (BF16, (512, 256))
    return found


@pytest.mark.parametrize("whole_output", [False, True])
def test_slicegpt(tmp_path: Path, whole_output: bool) -> None:
    shapes = sliced(whole_output=whole_output)
    model = read(tmp_path, shapes, CONFIG | {"architectures": ["SlicedLlamaForCausalLM"]})
    assert model.hidden == 192
    assert parameters(model) == sum(size[0] * size[1] for _, size in shapes.values())
    assert [block.residual_maps for block in model.blocks] == [2] * 5 + [2 - whole_output]
    attention, _ = sublayers(model, 0)
    assert (attention.num_heads, attention.head_dim, attention.norm) == (8, 32, Norm(scale=False))
    assert any(
        "hidden size 192 in the weight files, which count; the config says 256" in n for n in model.notes
    )
    ops = {
        op.name: op for op in model_ops(model, prefill(2, 8)) if op.group in (None, 1 if whole_output else 0)
    }
    head = ops["lm_head"].shape
    assert isinstance(head, Gemm)
    assert (head.n, head.k) == (512, 256 if whole_output else 192)
    extra = [op.shape for op in ops.values() if op.part is Part.EXTRA]
    assert [(one.n, one.k) for one in extra if isinstance(one, Gemm)] == [
        (192, 192),
        (256 if whole_output else 192, 192),
    ]


def test_a_head_that_reads_what_no_layer_gives_is_an_error(tmp_path: Path) -> None:
    shapes = sliced(whole_output=False) | {"lm_head.weight": (BF16, (512, 256))}
    with pytest.raises(FileContentError, match="layer 5 = '192 outputs'; expected 256, which the head reads"):
        read(tmp_path, shapes)


def test_sublayers_that_are_linear_or_gone_as_searched_architectures_have_them(tmp_path: Path) -> None:
    blocks = list(dense().blocks)
    linear = ReplacedSublayer(linear=Linear(out_features=256, in_features=256))
    blocks[1] = replace(blocks[1], attention=linear)
    blocks[2] = replace(blocks[2], ffn=linear)
    blocks[3] = replace(blocks[3], attention=None)
    choice = {"attention": {"n_heads_in_group": 2}, "ffn": {"ffn_mult": 3.75}}
    config = CONFIG | {
        "model_type": "nemotron-nas",
        "architectures": ["DeciLMForCausalLM"],
        "block_configs": [choice] * 6,
    }
    model = dense().with_blocks(tuple(blocks))
    read_model = read(tmp_path, shapes_of(model), config)
    assert read_model.blocks == model.blocks
    assert "layers 2 have not an FFN in the weight files, which count" in read_model.notes


def test_padding_of_searched_architectures_is_no_layer(tmp_path: Path) -> None:
    choice = {"attention": {"n_heads_in_group": 2}, "ffn": {"ffn_mult": 3.75}}
    padding = {"attention": {"no_op": True}, "ffn": {"no_op": True}}
    config = CONFIG | {
        "model_type": "nemotron-nas",
        "architectures": ["DeciLMForCausalLM"],
        "num_hidden_layers": 8,
        "block_configs": [choice, padding, choice, choice, padding, choice, choice, choice],
    }
    shapes = shapes_of(dense(), numbers=(0, 2, 3, 5, 6, 7))
    model = read(tmp_path, shapes, config)
    assert model.blocks == dense().blocks
    assert model.layer_numbers == (0, 2, 3, 5, 6, 7)
    assert not any("not there" in note or "have not" in note for note in model.notes)


@pytest.mark.parametrize("names", [("weight", "mask"), ("weight_orig", "weight_mask")])
def test_masks_are_no_factors(tmp_path: Path, names: tuple[str, str]) -> None:
    shapes = dict(shapes_of(dense()))
    of_layer = "model.layers.0.self_attn.q_proj"
    del shapes[f"{of_layer}.weight"]
    shapes |= {f"{of_layer}.{name}": ("BF16", (256, 256)) for name in names}
    with pytest.raises(UnsupportedError, match=r"q_proj\.weight.* has a mask beside it \(.*mask\): multiply"):
        read(tmp_path / "it", shapes)


def test_a_tensor_beside_a_weight_that_no_format_has(tmp_path: Path) -> None:
    shapes = {**shapes_of(dense()), "model.layers.0.mlp.up_proj.weight_scales": ("F16", (640,))}
    with pytest.raises(UnsupportedError, match="has weight_scales beside it, which is no tensor of a format"):
        read(tmp_path / "it", shapes)
