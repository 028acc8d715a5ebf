"""Each method beside a sibling, and what of it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from infersim.domain.dtypes import DType
from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.hf.quantisation.reading import ENTRIES, METHODS, REFUSED_METHODS
from infersim.workload.hf.reading import transformer_from_config
from tests.workload.hf.quantisation.stated import ALL, SMALL, every, formats, kept, only_format, stating

INT4 = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 64, "symmetric": True}
FP8 = {"num_bits": 8, "type": "float", "strategy": "channel", "dynamic": False}
TOKENS_FP8 = {"num_bits": 8, "type": "float", "strategy": "token", "dynamic": True}


def group(weights: dict[str, Any], inputs: dict[str, Any] | None = None, *targets: str) -> dict[str, Any]:
    return {"weights": weights, "input_activations": inputs, "targets": list(targets) or ["Linear"]}


# Method, its config, name of the format, bits of a value, group, math, static activations.
READ: list[tuple[str, dict[str, Any], tuple[str, float, int | None, DType, bool]]] = [
    ("gptq", {"bits": 4, "group_size": 64}, ("w4a16", 4, 64, DType.BF16, False)),
    ("gptq", {"bits": 3, "group_size": -1, "sym": False}, ("w3a16", 3, None, DType.BF16, False)),
    ("awq", {"bits": 4, "group_size": 32}, ("w4a16", 4, 32, DType.BF16, False)),
    ("awq", {"w_bit": 4, "q_group_size": 128, "version": "gemv"}, ("w4a16", 4, 128, DType.BF16, False)),
    ("bitsandbytes", {"load_in_8bit": True}, ("w8a16", 8, None, DType.BF16, False)),
    (
        "bitsandbytes",
        {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
        ("w4a16", 4, 64, DType.BF16, False),
    ),
    ("exl2", {"bits": 4.25, "head_bits": 8}, ("exl2", 4.25, None, DType.BF16, False)),
    (
        "hqq",
        {"quant_config": {"weight_quant_params": {"nbits": 4, "group_size": 64}}},
        ("w4a16", 4, 64, DType.BF16, False),
    ),
    ("eetq", {"weights": "int8"}, ("w8a16", 8, None, DType.BF16, False)),
    ("quanto", {"weights": "int2", "activations": None}, ("w2a16", 2, 128, DType.BF16, False)),
    ("quanto", {"weights": "float8"}, ("w8a16", 8, None, DType.BF16, False)),
    ("auto-round", {"bits": 2, "group_size": 32, "sym": True}, ("w2a16", 2, 32, DType.BF16, False)),
    ("fp8", {"activation_scheme": "static"}, ("fp8", 8, None, DType.FP8, True)),
    ("fp8", {}, ("fp8", 8, None, DType.FP8, False)),
    ("fp8", {"weight_block_size": [64, 128]}, ("fp8_block", 8, 128, DType.FP8, False)),
    ("fbgemm_fp8", {"activation_scale_ub": 1200.0}, ("fp8", 8, None, DType.FP8, False)),
    ("mxfp4", {}, ("mxfp4a16", 4, 32, DType.BF16, False)),
    ("torchao", {"quant_type": "int8_weight_only"}, ("w8a16", 8, None, DType.BF16, False)),
    (
        "torchao",
        {"quant_type": {"default": {"_type": "Int4WeightOnlyConfig", "_data": {"group_size": 64}}}},
        ("w4a16", 4, 64, DType.BF16, False),
    ),
    (
        "torchao",
        {"quant_type": {"default": {"_type": "Float8DynamicActivationFloat8WeightConfig", "_data": {}}}},
        ("fp8", 8, None, DType.FP8, False),
    ),
    ("modelopt", {"quant_algo": "FP8"}, ("fp8", 8, None, DType.FP8, True)),
    ("modelopt", {"quantization": {"quant_algo": "NVFP4"}}, ("nvfp4", 4, 16, DType.FP4, False)),
    ("modelopt", {"quant_algo": "W4A16_AWQ", "group_size": 64}, ("w4a16", 4, 64, DType.BF16, False)),
    (
        "compressed-tensors",
        {"config_groups": {"group_0": group(INT4)}},
        ("w4a16", 4, 64, DType.BF16, False),
    ),
    (
        "compressed-tensors",
        {"config_groups": {"group_0": group(FP8, TOKENS_FP8)}},
        ("fp8", 8, None, DType.FP8, False),
    ),
    (
        "compressed-tensors",
        {"config_groups": {"group_0": group(FP8, FP8 | {"strategy": "tensor"})}},
        ("fp8", 8, None, DType.FP8, True),
    ),
    (
        "compressed-tensors",
        {"config_groups": {"group_0": group(FP8 | {"type": "int"}, TOKENS_FP8 | {"type": "int"})}},
        ("int8", 8, None, DType.INT8, False),
    ),
    (
        "compressed-tensors",
        {
            "config_groups": {
                "group_0": group(FP8 | {"strategy": "block", "block_structure": [128, 128]}, TOKENS_FP8)
            }
        },
        ("fp8_block", 8, 128, DType.FP8, False),
    ),
    (
        "compressed-tensors",
        {"config_groups": {"group_0": group(INT4 | {"type": "float", "group_size": 16})}},
        ("nvfp4a16", 4, 16, DType.BF16, False),
    ),
    (
        "compressed-tensors",
        {"config_groups": {"group_0": group(INT4, TOKENS_FP8)}},
        ("w4a8", 4, 64, DType.FP8, False),
    ),
]


@pytest.mark.parametrize(("method", "stated", "expected"), READ)
def test_what_is_read(
    method: str, stated: dict[str, Any], expected: tuple[str, float, int | None, DType, bool]
) -> None:
    model = stating(quant_method=method, **stated)
    found = only_format(model)
    assert (found.name, found.bits, found.group, found.math, found.static) == expected
    assert f"stored as {found.name} ({found.label}) in all block matrices" in model.stated


def test_every_method_is_tested() -> None:
    assert {method for method, *_ in READ} == {entry.names[0] for entry in ENTRIES}
    assert not set(METHODS) & set(REFUSED_METHODS)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("gptq", {"bits": 5}, "bits = 5 is not supported; supported: 2, 3, 4, 8"),
    ("gptq", {"bits": 4, "rotated": 1}, "rotated = 1 is not supported; known keys: "),
    ("awq", {"group_size": 128}, "bits = None; expected one of 4"),
    ("awq", {"bits": 4, "zero_point": 3}, "zero_point = 3; expected true or false"),
    ("bitsandbytes", {}, "load_in_4bit = False; expected one of load_in_4bit and load_in_8bit"),
    ("exl2", {"bits": 40}, r"bits = 40; expected a number from 1\.5 to 8\.5"),
    ("hqq", {"quant_config": {"self_attn.q_proj": {}}}, "quant_config = .* weight_quant_params of all"),
    ("quanto", {"weights": "int8", "activations": "int8"}, "activations = 'int8' is not supported"),
    ("eetq", {"weights": "int4"}, "weights = 'int4' is not supported"),
    ("auto-round", {"bits": 4, "data_type": "mx_fp"}, "data_type = 'mx_fp' is not supported"),
    ("fp8", {"weight_block_size": [128]}, "weight_block_size = .128.; expected two integers"),
    ("fp8", {"activation_scheme": "mine"}, "activation_scheme = 'mine' is not supported"),
    ("fbgemm_fp8", {"granularity": "tensor"}, "granularity = 'tensor' is not supported"),
    ("mxfp4", {"block": 16}, "block = 16 is not supported"),
    ("torchao", {"quant_type": "uintx_weight_only"}, "quant_type = 'uintx_weight_only' is not supported"),
    (
        "modelopt",
        {"quant_algo": "FP8", "quantized_layers": {"a": {}}},
        "quantized_layers = .* MIXED",
    ),
    ("modelopt", {"quant_algo": "W2"}, "quant_algo = 'W2' is not supported; supported: FP8"),
    ("modelopt", {"quant_algo": "FP8", "kv_cache_quant_algo": "NVFP4"}, "kv_cache_quant_algo = 'NVFP4'"),
    ("compressed-tensors", {"config_groups": {"a": group(INT4 | {"num_bits": 3})}}, "a.weights.num_bits = 3"),
    ("compressed-tensors", {"config_groups": {"a": group(INT4 | {"codebook": 9})}}, "codebook = 9 is not"),
    ("compressed-tensors", {"transform_config": {"a": 1}}, "transform_config = .* transforms add kernels"),
    ("compressed-tensors", {"ignore": ["re:("]}, r"ignore = '\('; expected a regular expression"),
    ("compressed-tensors", {"ignore": ["re:(a*)*b"]}, "without repetitions inside repeated groups"),
    ("compressed-tensors", {"ignore": {"a": 1}}, "ignore = .*; expected a list of names"),
    *((name, {}, f"quant_method = '{name}' is not read: ") for name in REFUSED_METHODS),
]


@pytest.mark.parametrize(("method", "stated", "told"), REFUSED)
def test_what_is_refused(method: str, stated: dict[str, Any], told: str) -> None:
    with pytest.raises((UnsupportedError, FileContentError), match=f"some.json: quantization_config.*{told}"):
        stating(quant_method=method, **stated)


@pytest.mark.parametrize("value", ["int8", ["a"], 8])
def test_a_statement_is_an_object(value: object) -> None:
    with pytest.raises(FileContentError, match=r"quantization_config = .*; expected an object"):
        transformer_from_config(SMALL | {"quantization_config": value})


def test_what_one_method_keeps_in_16_bit() -> None:
    skipped = stating(quant_method="fp8", modules_to_not_convert=["lm_head", "model.layers.1", "o_proj"])
    assert kept(skipped) == {name for name in ALL if name.startswith("1.")} | every("o")
    awq = stating(quant_method="awq", bits=4, modules_to_not_convert=["self_attn"])
    assert kept(awq) == every("q", "k", "v", "o")
    chosen = stating(quant_method="gptq", bits=4, modules_in_block_to_quantize=[["mlp.up_proj"]])
    assert kept(chosen) == ALL - every("up")
    excluded = stating(quant_method="modelopt", quant_algo="FP8", exclude_modules=["lm_head", "*layers.2*"])
    assert kept(excluded) == {name for name in ALL if name.startswith("2.")}
    ignored = stating(
        quant_method="compressed-tensors",
        config_groups={"group_0": group(FP8, TOKENS_FP8)},
        ignore=["lm_head", "model.layers.3.mlp.down_proj", "re:.*layers.0.*q_proj$"],
    )
    assert kept(ignored) == {"3.down", "0.q"}
    assert "in 26 of 28 block matrices, kept in 16 bit: q (1), down (1), embedding, head" in ignored.stated


def test_formats_by_group_of_modules() -> None:
    groups = {"all": group(FP8, TOKENS_FP8), "few": group(INT4, None, "re:.*mlp.*")}
    model = stating(quant_method="compressed-tensors", config_groups=groups, ignore=["lm_head"])
    names = {name: stored.name for name, stored in formats(model).items() if stored}
    assert {name for name, each in names.items() if each == "w4a16"} == every("gate", "up", "down")
    assert {name for name, each in names.items() if each == "fp8"} == every("q", "k", "v", "o")
    dynamic = {"-:.*o_proj": {}, r"+:.*\.1\.mlp.*": {"bits": 8}}
    gptq = stating(quant_method="gptq", bits=4, group_size=64, dynamic=dynamic)
    assert kept(gptq) == every("o")
    assert {name for name, stored in formats(gptq).items() if stored and stored.bits == 8} == {
        "1.gate", "1.up", "1.down",
    }  # fmt: skip
    mixed = {"model.layers.0.mlp": {"quant_algo": "NVFP4"}, "*self_attn*": {"quant_algo": "FP8"}}
    by_layer = stating(quant_method="modelopt", quant_algo="MIXED_PRECISION", quantized_layers=mixed)
    assert kept(by_layer) == every("gate", "up", "down") - {"0.gate", "0.up", "0.down"}


def test_the_head_is_quantised_where_the_file_says_so() -> None:
    def head(**stated: Any) -> object:
        found = stating(**stated).head
        assert found is not None
        return None if found.format is None else found.format.name

    groups = {"group_0": group(INT4)}
    assert head(quant_method="compressed-tensors", config_groups=groups) == "w4a16"
    assert head(quant_method="compressed-tensors", config_groups=groups, ignore=["re:.*lm_head"]) is None
    assert head(quant_method="gptq", bits=4) is None
    assert head(quant_method="gptq", bits=4, lm_head=True) == "w4a16"
    assert head(quant_method="fp8") is None
    assert head(quant_method="exl2", bits=4.0) == "exl2"


def test_the_cache_is_stored_as_the_file_says() -> None:
    scheme = {"num_bits": 8, "type": "float", "strategy": "tensor", "dynamic": False}
    assert stating(quant_method="compressed-tensors", kv_cache_scheme=scheme).kv_dtype is DType.FP8
    assert stating(quant_method="modelopt", kv_cache_quant_algo="INT8").kv_dtype is DType.INT8
    assert stating(quant_method="modelopt", quant_algo="FP8").kv_dtype is None
    assert stating(quant_method="fp8", kv_cache_scheme="static").kv_dtype is DType.FP8
    assert stating(quant_method="fp8").kv_dtype is None


def test_names_of_nothing_are_told() -> None:
    """A pruned model may list layers that are gone; towers, heads and routers are listed everywhere."""
    usual = [
        "lm_head",
        "vision_tower.layers.0.attn",
        "re:.*mlp.gate$",
        "multi_modal_projector",
        "model.embed_tokens",
    ]
    assert not stating(quant_method="fp8", modules_to_not_convert=[*usual, "model.layers.3"]).notes
    gone = stating(quant_method="fp8", modules_to_not_convert=[*usual, "model.layers.4", "mlp.w1"])
    assert gone.notes == (
        "no matrix of the model has the names that quantization_config lists: mlp.w1, model.layers.4",
    )
    many = stating(
        quant_method="modelopt", quant_algo="FP8", ignore=[f"model.layers.{n}*" for n in range(2, 9)]
    )
    assert many.notes[0].endswith("model.layers.4*, model.layers.5*, model.layers.6* and 2 more")
    groups = {"group_0": group(FP8, TOKENS_FP8)}
    named = stating(
        quant_method="compressed-tensors", config_groups=groups, ignore=["layers.0.mlp.down_proj", "re:.*w2"]
    )
    assert named.notes[0].endswith("lists: re:.*w2")


def test_groups_that_name_no_matrix_are_no_plain_model() -> None:
    groups = {"group_0": group(INT4, None, r"re:.*layers\.\d+$")}
    with pytest.raises(FileContentError, match="quantization_config = 'names'; expected names of the"):
        stating(quant_method="compressed-tensors", config_groups=groups)


def test_layouts_in_16_bit_are_not_quantised() -> None:
    groups = {"group_0": group(FP8, TOKENS_FP8)}
    for layout in ("dense", "mine"):
        with pytest.raises(
            UnsupportedError, match=f"quantization_config.format = '{layout}' is not supported"
        ):
            stating(quant_method="compressed-tensors", config_groups=groups, format=layout)
