"""Formats by header and config together: the header's bits count, the config says what it leaves open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infersim.domain.dtypes import DType
from infersim.domain.errors import UnsupportedError
from infersim.domain.shapes import WeightForm
from infersim.workload.checkpoint.reading import transformer_from_path
from infersim.workload.counts import weight_bytes
from infersim.workload.formats import block_formats
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.scenario import Execution
from infersim.workload.transformer import Linear, Transformer
from infersim.workload.weight_format import WeightFormat
from tests.workload.checkpoint import packing
from tests.workload.checkpoint.llama import CONFIG, Packed, plain, shapes_of
from tests.workload.checkpoint.writing import Shapes, write_checkpoint

DENSE = transformer_from_config(CONFIG, name="it")


def read(folder: Path, packed: Packed, stated: dict[str, Any] | None = None, **more: Any) -> Transformer:
    config = CONFIG | ({} if stated is None else {"quantization_config": stated})
    shapes: Shapes = {**shapes_of(DENSE, packed), **more}
    return transformer_from_path(write_checkpoint(folder / "it", config, shapes))


def only_format(model: Transformer) -> WeightFormat:
    (found,) = block_formats(model)
    assert all(linear.format == found for block in model.blocks for linear in block.linears)
    return found


def wna16(bits: int, **options: Any) -> dict[str, Any]:
    """compressed-tensors, weights alone."""
    weights = {"num_bits": bits, "type": "int", "strategy": "group", "group_size": 32, **options}
    return {
        "quant_method": "compressed-tensors",
        "config_groups": {"group_0": {"weights": weights, "targets": ["Linear"]}},
        "ignore": ["lm_head"],
    }


W8A8_INT = {
    "quant_method": "compressed-tensors",
    "config_groups": {
        "group_0": {
            "weights": {"num_bits": 8, "type": "int", "strategy": "channel"},
            "input_activations": {"num_bits": 8, "type": "int", "strategy": "token", "dynamic": True},
            "targets": ["Linear"],
        }
    },
    "ignore": ["lm_head"],
}


@pytest.mark.parametrize(
    ("packed", "stated", "name", "group"),
    [
        (packing.gptq, {"quant_method": "gptq", "bits": 4, "group_size": 32}, "w4a16", 32),
        (packing.awq, {"quant_method": "awq", "bits": 4, "group_size": 32}, "w4a16", 32),
        (packing.packed_integers, wna16(4), "w4a16", 32),
        (packing.fp8, {"quant_method": "fp8", "activation_scheme": "static"}, "fp8", None),
        (packing.fp8_block, {"quant_method": "fp8", "weight_block_size": [32, 32]}, "fp8_block", 32),
        (packing.int8, W8A8_INT, "int8", None),
        (packing.bnb_int8, {"quant_method": "bitsandbytes", "load_in_8bit": True}, "w8a16", None),
        (
            packing.bnb_nf4,
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
            "w4a16",
            64,
        ),
    ],
)
def test_header_and_config_of_one_mind(
    tmp_path: Path, packed: Packed, stated: dict[str, Any], name: str, group: int | None
) -> None:
    model = read(tmp_path, packed, stated)
    by_config = transformer_from_config(CONFIG | {"quantization_config": stated}, name="it")
    assert model == by_config
    assert model.notes == by_config.notes
    assert model.stated == by_config.stated
    found = only_format(model)
    assert (found.name, found.group) == (name, group)


@pytest.mark.parametrize(
    ("packed", "name"),
    [
        (packing.gptq, "w4a16"),
        (packing.awq, "w4a16"),
        (packing.fp8, "fp8"),
        (packing.fp8_block, "fp8_block"),
        (packing.bnb_int8, "w8a16"),
        (packing.bnb_nf4, "w4a16"),
        (packing.nvfp4, "nvfp4"),
        (packing.modelopt_nvfp4, "nvfp4"),
    ],
)
def test_headers_alone(tmp_path: Path, packed: Packed, name: str) -> None:
    model = read(tmp_path, packed)
    found = only_format(model)
    assert found.name == name
    assert "by the weight files" in model.stated
    assert (
        f"{name} in 42 matrices of the weight files, which count; the config says nothing of it"
        in model.notes
    )
    # Bytes are the header's own, scales and zeros included; bitsandbytes' small tables are left out.
    shapes = {leaf: each for leaf, each in shapes_of(DENSE, packed).items() if ".quant" not in leaf}
    shapes = {leaf: each for leaf, each in shapes.items() if "nested_quant_map" not in leaf}
    sizes = {"I64": 8, "I32": 4, "F32": 4, "BF16": 2, "F16": 2}
    stored = sum(sizes.get(dtype, 1) * _values(shape) for dtype, shape in shapes.values())
    assert weight_bytes(model, Execution()) == pytest.approx(stored, rel=2e-3)


def _values(shape: tuple[int, ...]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


@pytest.mark.parametrize("packed", [packing.int8, packing.packed_integers, packing.marlin_2_4])
def test_what_neither_says_is_not_assumed(tmp_path: Path, packed: Packed) -> None:
    with pytest.raises(UnsupportedError, match="no quantization_config that fits says whether activations"):
        read(tmp_path, packed)


def test_fp8_without_a_scale_of_inputs_needs_its_config(tmp_path: Path) -> None:
    def bare(linear: Linear) -> packing.Tensors:
        return {leaf: each for leaf, each in packing.fp8(linear).items() if leaf != "input_scale"}

    with pytest.raises(UnsupportedError, match="layer 0: q is stored as fp8"):
        read(tmp_path / "a", bare)
    model = read(tmp_path / "b", bare, {"quant_method": "fp8", "activation_scheme": "dynamic"})
    assert not only_format(model).static


def test_bits_of_the_header_count(tmp_path: Path) -> None:
    model = read(tmp_path, packing.gptq, {"quant_method": "gptq", "bits": 8, "group_size": 32})
    assert only_format(model).bits == 4
    assert "w4a16 in 42 matrices of the weight files, which count; the config says w8a16" in model.notes


def test_groups_of_the_header_count(tmp_path: Path) -> None:
    model = read(tmp_path, packing.awq, {"quant_method": "awq", "bits": 4, "group_size": 128})
    assert only_format(model).group == 32
    note = "groups of 32 in 42 matrices of the weight files, which count; the config says groups of 128"
    assert note in model.notes


def test_values_that_are_stored_in_16_bit_are_16_bit(tmp_path: Path) -> None:
    model = read(tmp_path, plain, {"quant_method": "awq", "bits": 4, "group_size": 32})
    assert block_formats(model) == ()
    assert model == DENSE
    assert "BF16 in 42 matrices of the weight files, which count; the config says w4a16" in model.notes


def test_matrices_that_are_kept_in_16_bit(tmp_path: Path) -> None:
    kept = {"model.layers.1.mlp.down_proj.weight": ("BF16", (256, 640))}
    shapes = {
        name: each
        for name, each in shapes_of(DENSE, packing.gptq).items()
        if not name.startswith("model.layers.1.mlp.down_proj.")
    }
    stated = {"quant_method": "gptq", "bits": 4, "group_size": 32, "dynamic": {"-:.*layers\\.1\\.mlp.*": {}}}
    config = CONFIG | {"quantization_config": stated}
    folder = write_checkpoint(tmp_path / "it", config, shapes | kept)
    model = transformer_from_path(folder)
    formats = [[linear.format is None for linear in block.linears] for block in model.blocks]
    assert formats[1] == [False] * 6 + [True]
    assert all(not any(row) for number, row in enumerate(formats) if number != 1)


def test_a_quantised_head(tmp_path: Path) -> None:
    head = Linear(out_features=512, in_features=256)
    shapes = {name: each for name, each in shapes_of(DENSE, packing.gptq).items() if name != "lm_head.weight"}
    shapes |= {f"lm_head.{leaf}": each for leaf, each in packing.gptq(head).items()}
    stated = {"quant_method": "gptq", "bits": 4, "group_size": 32, "lm_head": True}
    config = CONFIG | {"quantization_config": stated}
    model = transformer_from_path(write_checkpoint(tmp_path / "it", config, shapes))
    assert model.head is not None
    assert model.head.format is not None
    assert model == transformer_from_config(config, name="it")


def test_sparse_fp8(tmp_path: Path) -> None:
    scheme = {"num_bits": 8, "type": "float"}
    stated = {
        "quant_method": "compressed-tensors",
        "config_groups": {
            "group_0": {
                "weights": {**scheme, "strategy": "channel"},
                "input_activations": {**scheme, "strategy": "token", "dynamic": True},
                "targets": ["Linear"],
            }
        },
        "sparsity_config": {
            "format": "sparse-24-bitmask",
            "sparsity_structure": "2:4",
            "targets": ["Linear"],
            "ignore": ["lm_head"],
        },
        "ignore": ["lm_head"],
        "kv_cache_scheme": {"num_bits": 8, "type": "float"},
    }
    model = read(tmp_path, packing.bitmask_2_4_fp8, stated)
    assert model == transformer_from_config(CONFIG | {"quantization_config": stated}, name="it")
    assert only_format(model).name == "fp8"
    assert model.kv_dtype is DType.FP8
    assert all(linear.form is WeightForm.SPARSE_2_4 for block in model.blocks for linear in block.linears)


def test_zeros_that_only_the_config_speaks_of(tmp_path: Path) -> None:
    stated = {
        "quant_method": "compressed-tensors",
        "sparsity_config": {"format": "dense", "sparsity_structure": "2:4", "targets": ["Linear"]},
    }
    model = read(tmp_path, plain, stated)
    assert all(linear.form is WeightForm.SPARSE_2_4 for block in model.blocks for linear in block.linears)


def test_a_packed_2_4_layout_shows_in_the_header(tmp_path: Path) -> None:
    """Where the config says so and the files are dense, the files count."""
    stated = wna16(4) | {"format": "marlin-24"}
    packed = read(tmp_path / "packed", packing.marlin_2_4, stated)
    assert {linear.form for block in packed.blocks for linear in block.linears} == {WeightForm.SPARSE_2_4}
    dense = read(tmp_path / "dense", packing.packed_integers, stated)
    assert {linear.form for block in dense.blocks for linear in block.linears} == {WeightForm.DENSE}
    assert "dense in 42 matrices of the weight files, which count; the config says 2:4" in dense.notes


def test_scales_of_the_cache_that_the_config_does_not_speak_of(tmp_path: Path) -> None:
    scales: dict[str, Any] = {f"model.layers.{n}.self_attn.k_proj.k_scale": ("F32", (1,)) for n in range(6)}
    static = {"quant_method": "fp8", "activation_scheme": "static"}
    silent = read(tmp_path / "silent", packing.fp8, static, **scales)
    assert any("scales of an 8-bit KV cache" in note for note in silent.notes)
    told = read(tmp_path / "told", packing.fp8, static | {"kv_cache_scheme": "static"}, **scales)
    assert (told.kv_dtype, told.notes) == (DType.FP8, ())


def test_bounds_of_activations_are_part_of_fp8(tmp_path: Path) -> None:
    def bounded(linear: Linear) -> packing.Tensors:
        scales = {"weight_scale": ("F32", (linear.out_features, 1)), "input_scale_ub": ("F32", (1,))}
        return {"weight": ("F8_E4M3", (linear.out_features, linear.in_features)), **scales}

    assert only_format(read(tmp_path, bounded, {"quant_method": "fbgemm_fp8"})).name == "fp8"
