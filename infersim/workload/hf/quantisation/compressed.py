"""compressed-tensors: schemes by group of modules, 2:4 sparsity beside them, and the KV cache's format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from infersim.domain.dtypes import DType
from infersim.workload.hf.quantisation.method import Formats, Method, Rule
from infersim.workload.hf.quantisation.statement import (
    Matches,
    Module,
    Statement,
    by_name_or_regex,
    nothing,
)
from infersim.workload.weight_format import (
    WeightFormat,
    block_scaled_fp8,
    eight_bit,
    four_bit_float,
    weight_only,
)

_SCHEME_KEYS = (
    "num_bits type strategy group_size symmetric dynamic actorder block_structure scale_dtype zp_dtype"
)
_SCHEME_HARMLESS = "observer observer_kwargs"
_GROUP_KEYS = frozenset({"weights", "input_activations", "output_activations", "targets", "format"})
_SPARSITY_KEYS = frozenset(
    {"format", "sparsity_structure", "targets", "ignore", "global_sparsity", "registry_requires_subclass"}
)
MAX_BLOCK = 2**12
ORDER_BYTES = 4.0
"""`actorder` by group stores the group of each column."""


def _compressed(said: Statement) -> Formats:
    transform = said.inner("transform_config")
    if transform is not None and transform.stated:
        said.refuse("transform_config", transform.stated, "supported: none; transforms add kernels")
    ignored = by_name_or_regex(said, "ignore", said.names("ignore"))
    groups = _groups(said)
    rules = [Rule(matches=ignored, format=None), *groups]
    sparse, notes = _sparsity(said)
    inner = said.inner("sparsity_config")
    packed = inner is not None and inner.value("format") == _PACKED_2_4
    if said.value("format") == _MARLIN_2_4:
        sparse, packed = _all_of(groups, ignored), True
    return Formats(
        rules=tuple(rules), sparse=sparse, packed=packed, head=True, kv_dtype=_cache(said), notes=notes
    )


_LAYOUTS = (
    "int-quantized", "float-quantized", "naive-quantized", "pack-quantized", "marlin-24", "mixed-precision",
    "nvfp4-pack-quantized", "mxfp4-pack-quantized", "sparse-bitmask", "sparse-24-bitmask",
)  # fmt: skip
_MARLIN_2_4 = "marlin-24"


def _check_layout(group: Statement, around: Statement) -> None:
    """Raise where weights are not stored as the group's scheme says, or not known how."""
    for place in (around, group):
        layout = place.value("format")
        if layout in ("dense", "fakequant"):
            place.refuse(
                "format", layout, "supported: quantised weights; these are in 16 bit, rounded as they run"
            )
        place.choice("format", _LAYOUTS, "pack-quantized")
    if group.value("format") == _MARLIN_2_4 and around.value("format") != _MARLIN_2_4:
        group.refuse("format", _MARLIN_2_4, "supported: for all groups, as the format beside config_groups")


def _all_of(groups: list[Rule], ignored: Matches) -> Matches:
    """What any group quantises: Marlin's 2:4 layout holds nothing else."""

    def sparse(module: Module) -> bool:
        return not module.outside and not ignored(module) and any(rule.matches(module) for rule in groups)

    return sparse


def _groups(said: Statement) -> list[Rule]:
    """One rule for each of `config_groups`; a group that names modules precedes one of all `Linear`."""
    groups = said.inner("config_groups")
    rules: list[tuple[bool, Rule]] = []
    for name in () if groups is None else groups.stated:
        assert groups is not None
        group = groups.inner(name)
        if group is None:
            continue
        group.check_keys(_GROUP_KEYS)
        targets, scheme = group.names("targets"), _scheme(group)
        if scheme is not None:
            _check_layout(group, said)
        matches = by_name_or_regex(group, "targets", targets)
        rules.append(("Linear" in targets, Rule(matches=matches, format=scheme)))
    return [rule for _, rule in sorted(rules, key=lambda each: each[0])]


def _scheme(group: Statement) -> WeightFormat | None:
    weights, inputs = group.inner("weights"), group.inner("input_activations")
    if group.value("output_activations") is not None:
        group.refuse("output_activations", group.value("output_activations"), "supported: null")
    if weights is None:
        if inputs is not None:
            group.refuse("input_activations", inputs.stated, "supported beside weights in 16 bit: null")
        return None
    for part in (weights, inputs):
        if part is not None:
            part.check_keys({*_SCHEME_KEYS.split(), *_SCHEME_HARMLESS.split()})
    is_float = weights.choice("type", ("int", "float"), "int") == "float"
    bits = weights.bits("num_bits", (4, 8) if is_float else (2, 4, 8))
    if is_float and bits == 4:
        return _four_bit_float(group, weights, inputs)
    return _weights_alone(weights, bits) if inputs is None else _both(weights, inputs, bits)


def _four_bit_float(group: Statement, weights: Statement, inputs: Statement | None) -> WeightFormat:
    size = weights.group("group_size", 16)
    if size not in (16, 32):
        weights.refuse("group_size", size, "supported of 4-bit floats: 16 (nvfp4) and 32 (mxfp4)")
    if inputs is not None and inputs.bits("num_bits", (4,)) != 4:
        group.refuse("input_activations", inputs.stated, "supported beside 4-bit floats: 4-bit floats")
    kind = "nvfp4" if size == 16 else "mxfp4"
    return four_bit_float(f"compressed-tensors, groups of {size}", kind, activations=inputs is not None)


def _weights_alone(weights: Statement, bits: int) -> WeightFormat:
    strategy, group = _strategy(weights)
    zero_bits = 0 if weights.flag("symmetric", True) else bits
    spread = f"in groups of {group}" if group else f"a scale a {'matrix' if strategy == 'tensor' else 'row'}"
    stored = weight_only(f"compressed-tensors, {bits} bit, {spread}", bits, group=group, zero_bits=zero_bits)
    if weights.value("actorder") in ("group", "dynamic") and group:
        stored = replace(stored, column_bytes=ORDER_BYTES)
    return replace(stored, rows=None) if strategy == "tensor" else stored


def _both(weights: Statement, inputs: Statement, bits: int) -> WeightFormat:
    """W8A8 in integers or floats, block-scaled fp8, and 4-bit integers beside 8-bit activations."""
    is_float = inputs.choice("type", ("int", "float"), "int") == "float"
    inputs.bits("num_bits", (8,))
    math = DType.FP8 if is_float else DType.INT8
    strategy, group = _strategy(weights)
    static = not inputs.value("dynamic", False)
    scheme = "static" if static else "dynamic"
    if bits < 8:
        stored = replace(
            _weights_alone(weights, bits), name=f"w{bits}a8", math=math, activation_bits=8.0, static=static
        )
        return replace(stored, own_kernels=True, widens=is_float)
    if (weights.choice("type", ("int", "float"), "int") == "float") != is_float:
        weights.refuse("type", weights.value("type"), "supported: weights and activations of one type")
    if strategy == "block":
        rows, columns = _block(weights)
        if not is_float:
            weights.refuse("strategy", "block", "supported of integers: tensor, channel and group")
        return block_scaled_fp8(f"compressed-tensors, blocks of {rows} x {columns}", rows, columns)
    label = f"compressed-tensors, {scheme}"
    stored = eight_bit(label, math, static=static, per_row=strategy != "tensor")
    return stored if group is None else replace(stored, group=group, own_kernels=True)


def _strategy(scheme: Statement) -> tuple[str, int | None]:
    """How scales are spread, and values along K that share one; the file may leave the strategy out."""
    group = scheme.group("group_size")
    unless_said = "tensor" if group is None else "group"
    choices = ("tensor", "channel", "group", "tensor_group", "block", "token")
    strategy = str(scheme.choice("strategy", choices, unless_said))
    if strategy in ("group", "tensor_group") and group is None:
        scheme.fail("group_size", None, "the size of a group, as the strategy is group")
    return strategy, group if strategy in ("group", "tensor_group") else None


def _block(weights: Statement) -> tuple[int, int]:
    stated = weights.value("block_structure")
    sizes = stated.split("x") if isinstance(stated, str) else stated
    texts = [str(size) for size in sizes] if isinstance(sizes, list) else []
    if len(texts) != 2 or not all(map(_is_block, texts)):
        weights.fail("block_structure", stated, "rows and columns, such as [128, 128]")
    return int(texts[0]), int(texts[1])


def _is_block(text: str) -> bool:
    return text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MAX_BLOCK


def _cache(said: Statement) -> DType | None:
    scheme = said.inner("kv_cache_scheme")
    if scheme is None:
        return None
    scheme.bits("num_bits", (8,))
    return DType.FP8 if scheme.choice("type", ("int", "float"), "float") == "float" else DType.INT8


_PACKED_2_4 = "sparse-24-bitmask"


def _sparsity(said: Statement) -> tuple[Matches, tuple[str, ...]]:
    """Which matrices are in 2:4 form; other sparsity brings no speed, which a note says."""
    sparsity = said.inner("sparsity_config")
    if sparsity is None or not sparsity.stated:
        return nothing, ()
    sparsity.check_keys(_SPARSITY_KEYS)
    layout = sparsity.choice("format", ("dense", "sparse-bitmask", _PACKED_2_4), "dense")
    # The library's class of a packed 2:4 file has that structure where the file leaves it out.
    unless_said = "2:4" if layout == _PACKED_2_4 else "unstructured"
    structure = sparsity.choice("sparsity_structure", ("2:4", "unstructured", "0:0"), unless_said)
    if layout == _PACKED_2_4 and structure != "2:4":
        sparsity.fail("sparsity_structure", structure, f"2:4, as format is {_PACKED_2_4}")
    if structure != "2:4":
        share = sparsity.number("global_sparsity", 0.0, 0.0, 1.0)
        zeros = f"{share:.0%} of the weights" if share else "weights, how many is not stated,"
        note = f"{zeros} are zero without a structure: no kernel skips them"
        return nothing, (note,) if share or layout == "sparse-bitmask" else ()
    targeted = by_name_or_regex(sparsity, "targets", sparsity.names("targets") or ["Linear"])
    ignored = by_name_or_regex(sparsity, "ignore", sparsity.names("ignore"))

    def sparse(module: Module) -> bool:
        return not module.outside and targeted(module) and not ignored(module)

    return sparse, ()


def only_sparsity(stated: Mapping[str, object]) -> Mapping[str, object]:
    """A `sparsity_config` of its own as the config that would hold it."""
    return {"quant_method": "compressed-tensors", "sparsity_config": stated}


METHODS = (
    Method(
        names=("compressed-tensors", "compressed_tensors", "sparseml"),
        title="compressed-tensors (LLM Compressor)",
        formats=(
            "`int8`, `fp8` static or dynamic, `fp8_block`, `w4a16`, `w8a16`, `w4a8`, `nvfp4`, `nvfp4a16`, "
            "`mxfp4`; 2:4; KV cache `fp8`, `int8`"
        ),
        read=_compressed,
        keys="config_groups format ignore kv_cache_scheme sparsity_config transform_config",
        harmless="quantization_status global_compression_ratio version",
        remark="groups of modules with schemes of their own; the LM head too where no `ignore` names it",
    ),
)
