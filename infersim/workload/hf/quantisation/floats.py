"""Methods of few files of their own: fp8, FBGEMM, MXFP4, torchao, and NVIDIA's ModelOpt."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infersim.domain.dtypes import DType
from infersim.workload.hf.quantisation.method import Formats, Method, Rule, all_but
from infersim.workload.hf.quantisation.statement import Statement, by_part, by_path, by_wildcard
from infersim.workload.weight_format import (
    WeightFormat,
    block_scaled_fp8,
    eight_bit,
    four_bit_float,
    weight_only,
)

MAX_BLOCK = 2**12


def _fp8(said: Statement) -> Formats:
    static = said.choice("activation_scheme", ("dynamic", "static"), "dynamic") == "static"
    block = said.value("weight_block_size")
    kept = by_part(said.names("modules_to_not_convert", "ignored_layers"))
    cache = said.value("kv_cache_scheme")
    if cache is not None:
        said.choice("kv_cache_scheme", ("static", "dynamic"))
    kv_dtype = None if cache is None else DType.FP8
    if block is None:
        scheme = "static" if static else "dynamic"
        stored = eight_bit(f"{scheme}, a scale a matrix", DType.FP8, static=static, per_row=False)
        return Formats(rules=all_but(kept, stored), kv_dtype=kv_dtype)
    sizes = block if isinstance(block, list) else []
    if len(sizes) != 2 or not all(type(size) is int and 1 <= size <= MAX_BLOCK for size in sizes):
        said.fail("weight_block_size", block, "two integers: rows and columns, such as [128, 128]")
    if static:
        said.refuse("activation_scheme", "static", "supported beside weight_block_size: dynamic")
    stored = block_scaled_fp8(f"blocks of {sizes[0]} x {sizes[1]}", sizes[0], sizes[1])
    return Formats(rules=all_but(kept, stored), kv_dtype=kv_dtype)


def _fbgemm(said: Statement) -> Formats:
    stored = eight_bit("FBGEMM, a scale a row", DType.FP8, static=False)
    return Formats(rules=all_but(by_part(said.names("modules_to_not_convert")), stored))


def _mxfp4(said: Statement) -> Formats:
    stored = four_bit_float("groups of 32", "mxfp4", activations=False)
    return Formats(rules=all_but(by_path(said.names("modules_to_not_convert")), stored))


TORCHAO: Mapping[str, Callable[[int | None], WeightFormat]] = {
    "int4_weight_only": lambda group: weight_only(
        f"torchao int4 in groups of {group or 128}", 4, group=group or 128, zero_bits=16.0
    ),
    "int8_weight_only": lambda group: weight_only("torchao int8, a scale a row", 8, group=group),
    "float8_weight_only": lambda _: weight_only("torchao float8, a scale a row", 8, scale_bits=32.0),
    "int8_dynamic_activation_int8_weight": lambda _: eight_bit("torchao, dynamic", DType.INT8, static=False),
    "float8_dynamic_activation_float8_weight": lambda _: eight_bit(
        "torchao, dynamic", DType.FP8, static=False
    ),
}
"""By torchao's function, which is also its class in snake case without `_config`."""


def _torchao(said: Statement) -> Formats:
    kind, group = said.value("quant_type"), None
    arguments = said.inner("quant_type_kwargs")
    if isinstance(kind, Mapping):
        inner = Statement(file=said.file, key=f"{said.key}.quant_type", stated=kind)
        inner.check_keys({"default"})
        default = inner.inner("default") or inner
        kind, arguments = _snake_case(str(default.value("_type"))), default.inner("_data")
    if kind not in TORCHAO:
        said.refuse("quant_type", said.value("quant_type"), f"supported: {', '.join(TORCHAO)}")
    if arguments is not None:
        group = arguments.group("group_size")
        if "sparse" in str(arguments.value("layout", "")).lower():
            arguments.refuse("layout", arguments.value("layout"), "supported: dense layouts")
    if said.flag("include_input_output_embeddings", False):
        said.refuse("include_input_output_embeddings", True, "supported: false")
    stored = TORCHAO[str(kind)](group)
    return Formats(rules=all_but(by_part(said.names("modules_to_not_convert")), stored))


def _snake_case(name: str) -> str:
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return words.strip("_").removesuffix("_config")


MODELOPT: Mapping[str, Callable[[int | None], WeightFormat]] = {
    "FP8": lambda _: eight_bit("ModelOpt, static", DType.FP8, static=True, per_row=False),
    "FP8_PER_CHANNEL_PER_TOKEN": lambda _: eight_bit("ModelOpt, dynamic", DType.FP8, static=False),
    "INT8_SQ": lambda _: eight_bit("ModelOpt SmoothQuant", DType.INT8, static=False),
    "NVFP4": lambda _: four_bit_float("ModelOpt, groups of 16", "nvfp4", activations=True),
    "NVFP4_AWQ": lambda _: four_bit_float("ModelOpt, groups of 16", "nvfp4", activations=True),
    "W4A16_AWQ": lambda group: weight_only(
        f"ModelOpt AWQ, 4 bit in groups of {group or 128}", 4, group=group or 128
    ),
    "W8A16": lambda _: weight_only("ModelOpt, 8 bit, a scale a row", 8),
}
"""By `quant_algo`."""

CACHES: Mapping[object, DType] = {"FP8": DType.FP8, "INT8": DType.INT8}


def _modelopt(said: Statement) -> Formats:
    inner = said.inner("quantization") or said
    inner.check_keys({*_MODELOPT_KEYS.split(), *_MODELOPT_HARMLESS.split(), "quant_method"})
    kept = by_wildcard([*inner.names("exclude_modules"), *inner.names("ignore")])
    algo, cache = inner.value("quant_algo"), inner.value("kv_cache_quant_algo")
    if cache is None:
        cache = _scheme_of_cache(inner)
    if cache is not None and cache not in CACHES:
        inner.refuse("kv_cache_quant_algo", cache, f"supported: {', '.join(map(str, CACHES))}")
    kv_dtype = CACHES.get(cache)
    if algo == "MIXED_PRECISION":
        return Formats(rules=_by_layer(inner), kv_dtype=kv_dtype, head=True)
    if inner.value("quantized_layers"):
        inner.refuse("quantized_layers", inner.value("quantized_layers"), "supported: beside MIXED_PRECISION")
    if algo is None and kv_dtype is not None:
        return Formats(kv_dtype=kv_dtype)
    return Formats(rules=all_but(kept, _algorithm(inner)), kv_dtype=kv_dtype, head=True)


def _scheme_of_cache(said: Statement) -> object:
    scheme = said.inner("kv_cache_scheme")
    if scheme is None:
        return None
    scheme.bits("num_bits", (8,))
    return "FP8" if scheme.choice("type", ("float", "int"), "float") == "float" else "INT8"


def _algorithm(said: Statement) -> WeightFormat:
    algo = said.choice("quant_algo", tuple(MODELOPT))
    return MODELOPT[str(algo)](said.group("group_size"))


def _by_layer(said: Statement) -> tuple[Rule, ...]:
    """`quantized_layers`: a name of a module -> its algorithm."""
    layers = said.inner("quantized_layers")
    if layers is None:
        said.fail("quantized_layers", None, "an object of modules and their algorithms")
    rules: dict[tuple[WeightFormat, ...], list[str]] = {}
    for name in layers.stated:
        own = layers.inner(name)
        if own is None:
            layers.fail(name, None, "an object with quant_algo")
        own.check_keys({"quant_algo", "group_size"})
        rules.setdefault((_algorithm(own),), []).append(name)
    return tuple(Rule(matches=by_wildcard(names), format=stored) for (stored,), names in rules.items())


_MODELOPT_KEYS = (
    "quantization quant_algo kv_cache_quant_algo kv_cache_scheme group_size exclude_modules ignore "
    "quantized_layers"
)
_MODELOPT_HARMLESS = "producer config_groups has_zero_point pre_quant_scale smoothquant_val"

METHODS = (
    Method(
        names=("fp8",),
        title="fp8 of Hugging Face, vLLM and DeepSeek",
        formats="`fp8` static or dynamic, `fp8_block`; KV cache `fp8`",
        read=_fp8,
        keys="activation_scheme weight_block_size modules_to_not_convert ignored_layers kv_cache_scheme",
        harmless="fmt scale_fmt dequantize is_checkpoint_fp8_serialized",
    ),
    Method(
        names=("fbgemm_fp8",),
        title="FBGEMM",
        formats="`fp8` dynamic",
        read=_fbgemm,
        keys="modules_to_not_convert",
        harmless="activation_scale_ub",
    ),
    Method(
        names=("mxfp4",),
        title="MXFP4",
        formats="`mxfp4a16`",
        read=_mxfp4,
        keys="modules_to_not_convert",
        harmless="dequantize",
        remark="weights alone",
    ),
    Method(
        names=("torchao",),
        title="torchao",
        formats="`w4a16`, `w8a16`, `int8` dynamic, `fp8` dynamic",
        read=_torchao,
        keys=("quant_type quant_type_kwargs modules_to_not_convert include_input_output_embeddings"),
        harmless="untie_embedding_weights",
        remark="one choice for all modules, dense layouts",
    ),
    Method(
        names=("modelopt", "modelopt_fp4", "modelopt_mixed"),
        title="NVIDIA ModelOpt",
        formats="`fp8` static or dynamic, `int8`, `nvfp4`, `w4a16`, `w8a16`; KV cache `fp8`, `int8`",
        read=_modelopt,
        keys=_MODELOPT_KEYS,
        harmless=_MODELOPT_HARMLESS,
        remark="`hf_quant_config.json` beside the config too; formats by module (`MIXED_PRECISION`)",
    ),
)
