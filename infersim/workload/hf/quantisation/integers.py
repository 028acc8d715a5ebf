"""Methods that store weights alone in few bits: GPTQ, AWQ, bitsandbytes, exl2, HQQ, EETQ, quanto..."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from infersim.workload.hf.quantisation.method import Formats, Method, Rule, all_but, everything
from infersim.workload.hf.quantisation.statement import Module, Statement, by_part, nothing
from infersim.workload.weight_format import WeightFormat, weight_only

MARLIN_2_4 = "marlin_24"
"""The layout of 2:4 weights that Marlin's sparse kernel takes."""

ORDER_BYTES = 4.0
"""GPTQ with `desc_act` stores the group of each column."""


def _grouped(title: str, bits: int, group: int | None) -> str:
    return f"{title}, {bits} bit in groups of {group}" if group else f"{title}, {bits} bit, a scale a row"


def _gptq_format(said: Statement, around: Statement, title: str = "GPTQ") -> WeightFormat:
    """The format of `said`; keys that it leaves out are those of `around`."""

    def of(name: str) -> Statement:
        return said if said.value(name) is not None else around

    bits, group = of("bits").bits("bits", (2, 3, 4, 8)), of("group_size").group("group_size", 128)
    symmetric, ordered = of("sym").flag("sym", True), of("desc_act").flag("desc_act", False)
    stored = weight_only(
        _grouped(title, bits, group), bits, group=group, zero_bits=0.0 if symmetric else bits
    )
    if not ordered or group is None:
        return stored
    return replace(stored, label=f"{stored.label}, columns in order", column_bytes=ORDER_BYTES)


def _gptq(said: Statement) -> Formats:
    stored, head = _gptq_format(said, said), said.flag("lm_head", False)
    rules = [*_overrides(said)]
    chosen = said.value("modules_in_block_to_quantize")
    layouts = {said.value("checkpoint_format"), said.value("format")}
    if MARLIN_2_4 in layouts:
        if rules or chosen is not None:
            said.refuse("checkpoint_format", MARLIN_2_4, "supported: for all modules alike")
        return Formats(rules=all_but(nothing, stored), sparse=_in_blocks, packed=True, head=head)
    if chosen is None:
        return Formats(rules=(*rules, Rule(matches=everything, format=stored)), head=head)
    groups = chosen if isinstance(chosen, list) else [chosen]
    listed = [name for group in groups for name in (group if isinstance(group, list) else [group])]
    names = [name for name in listed if isinstance(name, str)]
    if len(names) < len(listed):
        said.fail("modules_in_block_to_quantize", chosen, "lists of names")
    return Formats(rules=(*rules, Rule(matches=by_part(names), format=stored)), head=head)


def _in_blocks(module: Module) -> bool:
    return not module.outside


def _overrides(said: Statement) -> list[Rule]:
    """GPTQModel's `dynamic`: patterns of modules that are left alone (`-:`), or have bits of their own."""
    rules = []
    dynamic = said.inner("dynamic")
    for pattern, values in () if dynamic is None else dynamic.stated.items():
        assert dynamic is not None
        regex = dynamic.regex(pattern, pattern.removeprefix("-:").removeprefix("+:"))
        stored = None
        if not pattern.startswith("-:"):
            if not isinstance(values, Mapping):
                dynamic.fail(pattern, values, "an object of keys and values")
            own = Statement(file=said.file, key=f"{said.key}.dynamic.{pattern}", stated=values)
            own.check_keys({"bits", "group_size", "sym", "desc_act", "mse"})
            stored = _gptq_format(own, said)

        def matches(module: Module, regex: object = regex) -> bool:
            return any(regex.match(name) for name in module.names)  # type: ignore[attr-defined]

        rules.append(Rule(matches=matches, format=stored))
    return rules


def _awq(said: Statement) -> Formats:
    bits = said.bits("w_bit" if "w_bit" in said.stated else "bits", (4,))
    group = said.group("q_group_size" if "q_group_size" in said.stated else "group_size", 128)
    zero_bits = bits if said.flag("zero_point", True) else 0
    stored = weight_only(_grouped("AWQ", bits, group), bits, group=group, zero_bits=zero_bits)
    return Formats(rules=all_but(by_part(said.names("modules_to_not_convert")), stored))


BLOCK, SECOND_BLOCK = 64, 256
"""bitsandbytes: values that share a 32-bit scale; with double quantisation 8 bit, of which 256 share one."""


def _bitsandbytes(said: Statement) -> Formats:
    four = said.flag("load_in_4bit", False) or said.flag("_load_in_4bit", False)
    eight = said.flag("load_in_8bit", False) or said.flag("_load_in_8bit", False)
    if four == eight:
        said.fail("load_in_4bit", four, "one of load_in_4bit and load_in_8bit")
    kept = by_part(said.names("llm_int8_skip_modules"))
    if eight:
        stored = weight_only("bitsandbytes, 8 bit, a scale a row", 8, scale_bits=32.0)
        return Formats(rules=all_but(kept, stored))
    kind = said.choice("bnb_4bit_quant_type", ("nf4", "fp4"), "fp4")
    double = said.flag("bnb_4bit_use_double_quant", False)
    scale_bits = 8.0 + 32.0 / SECOND_BLOCK if double else 32.0
    label = f"bitsandbytes {kind} in groups of {BLOCK}{', double quantised' if double else ''}"
    return Formats(rules=all_but(kept, weight_only(label, 4, group=BLOCK, scale_bits=scale_bits)))


def _exl2(said: Statement) -> Formats:
    """Bits are means over matrices, and hold scales and orders of columns."""
    bits, head_bits = said.number("bits", None, 1.5, 8.5), said.number("head_bits", 6.0, 2.0, 8.0)

    def outside(module: Module) -> bool:
        return module.outside

    def of(mean: float, what: str) -> WeightFormat:
        stored = weight_only(f"exl2, {mean:g} bit{what}", mean, scale_bits=0.0)
        return replace(stored, name="exl2")

    rules = (
        Rule(matches=outside, format=of(head_bits, "")),
        Rule(matches=everything, format=of(bits, " on average")),
    )
    return Formats(rules=rules, head=True)


def _hqq(said: Statement) -> Formats:
    config = said.inner("quant_config")
    params = None if config is None else config.inner("weight_quant_params")
    if config is None or params is None:
        said.refuse(
            "quant_config", said.value("quant_config"), "supported: weight_quant_params of all modules"
        )
    for name in ("scale_quant_params", "zero_quant_params"):
        if config.value(name) is not None:
            config.refuse(name, config.value(name), "supported: null, scales and zeros in 16 bit")
    bits, group = params.bits("nbits", (1, 2, 3, 4, 8)), params.group("group_size", 64)
    # Three bits are packed by tens into 32.
    stored = weight_only(
        _grouped("HQQ", bits, group), 3.2 if bits == 3 else bits, group=group, zero_bits=16.0
    )
    stored = replace(stored, name=f"w{bits}a16")
    return Formats(rules=all_but(by_part(said.names("skip_modules")), stored))


def _eetq(said: Statement) -> Formats:
    said.choice("weights", ("int8",), "int8")
    stored = weight_only("EETQ, 8 bit, a scale a row", 8)
    return Formats(rules=all_but(by_part(said.names("modules_to_not_convert")), stored))


QUANTO_GROUP = 128


def _quanto(said: Statement) -> Formats:
    kind = said.choice("weights", ("int8", "int4", "int2", "float8"), "int8")
    if said.value("activations") is not None:
        said.refuse("activations", said.value("activations"), "supported: null, weights alone")
    if kind in ("int8", "float8"):
        stored = weight_only(f"quanto {kind}, a scale a row", 8)
    else:
        bits = 4 if kind == "int4" else 2
        stored = weight_only(_grouped("quanto", bits, QUANTO_GROUP), bits, group=QUANTO_GROUP, zero_bits=16.0)
    return Formats(rules=all_but(by_part(said.names("modules_to_not_convert")), stored))


def _autoround(said: Statement) -> Formats:
    said.choice("data_type", ("int",), "int")
    if said.value("act_bits", 16) != 16:
        said.refuse("act_bits", said.value("act_bits"), "supported: 16, weights alone")
    stored = _gptq_format(said, said, "AutoRound")
    return Formats(rules=all_but(by_part(said.names("modules_to_not_convert")), stored))


METHODS = (
    Method(
        names=("gptq",),
        title="GPTQ",
        formats="`w2a16`, `w3a16`, `w4a16`, `w8a16`; 2:4 in Marlin's layout",
        read=_gptq,
        keys=(
            "bits group_size sym desc_act lm_head dynamic modules_in_block_to_quantize checkpoint_format "
            "format"
        ),
        harmless=(
            "dataset damp_percent damp_auto_increment static_groups true_sequential model_seqlen tokenizer "
            "block_name_to_quantize module_name_preceding_first_block batch_size pad_token_id use_exllama "
            "max_input_length exllama_config cache_block_outputs meta quant_method backend "
            "model_name_or_path model_file_base_name is_marlin_format use_cuda_fp16 disable_exllama "
            "pack_dtype parallel_packing hyb_act mse act_group_aware version quantizer"
        ),
        remark="zeros where `sym` is false, the order of columns with `desc_act`; bits by module (`dynamic`)",
    ),
    Method(
        names=("awq",),
        title="AWQ",
        formats="`w4a16`",
        read=_awq,
        keys="bits w_bit group_size q_group_size zero_point modules_to_not_convert",
        harmless=(
            "version backend do_fuse fuse_max_seq_len modules_to_fuse exllama_config format desc_act sym"
        ),
    ),
    Method(
        names=("bitsandbytes",),
        title="bitsandbytes",
        formats="`w8a16`, `w4a16` (nf4, fp4)",
        read=_bitsandbytes,
        keys=(
            "load_in_4bit load_in_8bit _load_in_4bit _load_in_8bit llm_int8_skip_modules "
            "bnb_4bit_quant_type bnb_4bit_use_double_quant"
        ),
        harmless=(
            "bnb_4bit_compute_dtype bnb_4bit_quant_storage llm_int8_threshold "
            "llm_int8_enable_fp32_cpu_offload llm_int8_has_fp16_weight"
        ),
        remark="8 bit is weights alone: its outliers are multiplied in 16 bit",
    ),
    Method(
        names=("exl2",),
        title="ExLlamaV2",
        formats="mean bits, the LM head's own",
        read=_exl2,
        keys="bits head_bits",
        harmless="version calibration",
    ),
    Method(
        names=("hqq",),
        title="HQQ",
        formats="`w1a16` to `w8a16`",
        read=_hqq,
        keys="quant_config skip_modules",
        remark="one choice for all modules",
    ),
    Method(
        names=("eetq",),
        title="EETQ",
        formats="`w8a16`",
        read=_eetq,
        keys="weights modules_to_not_convert",
    ),
    Method(
        names=("quanto",),
        title="quanto",
        formats="`w8a16`, `w4a16`, `w2a16`",
        read=_quanto,
        keys="weights activations modules_to_not_convert",
    ),
    Method(
        names=("auto-round", "auto_round", "intel/auto-round"),
        title="AutoRound",
        formats="`w2a16` to `w8a16`",
        read=_autoround,
        keys="bits group_size sym desc_act data_type act_bits modules_to_not_convert",
        harmless=(
            "amp autoround_version batch_size block_name_to_quantize to_quant_block_names dataset "
            "enable_minmax_tuning enable_norm_bias_tuning enable_quanted_input gradient_accumulate_steps "
            "iters low_gpu_mem_usage lr minmax_lr nsamples packing_format backend scale_dtype seqlen "
            "act_data_type act_dynamic act_group_size act_sym train_bs version"
        ),
    ),
)
