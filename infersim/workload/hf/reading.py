"""A transformer from a Hugging Face `config.json`, or a refusal that says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infersim.domain.errors import FileContentError, InvalidValueError, UnsupportedError
from infersim.files.opening import as_text
from infersim.workload.hf import nemotron_nas
from infersim.workload.hf.architecture import Architecture, holds
from infersim.workload.hf.building import build
from infersim.workload.hf.config_keys import Keys
from infersim.workload.hf.entries import ARCHITECTURES
from infersim.workload.hf.heads import LM, head_of, plain_lm_head
from infersim.workload.hf.json_files import CONFIG_NAME, read_json_object, with_neighbours
from infersim.workload.hf.layers.lists import layer_configs
from infersim.workload.hf.quantisation.method import Formats
from infersim.workload.hf.quantisation.reading import FORMAT_KEYS, stated_formats, with_formats
from infersim.workload.hf.refused.custom_code import head_kind, own_code
from infersim.workload.hf.refused.harmless_keys import check_keys, check_keys_around, unknown_keys
from infersim.workload.hf.refused.out_of_scope import checked_type
from infersim.workload.hf.wrappers import WRAPPERS, notes, opened, text_config
from infersim.workload.transformer import Attention, Block, ExpertLayer, Transformer

READ: Mapping[str, Architecture] = {
    **ARCHITECTURES,
    nemotron_nas.NEMOTRON_NAS.model_type: nemotron_nas.NEMOTRON_NAS,
}
"""Every model type that is read by itself; WRAPPERS hold one of these."""

_SHAPES = (
    "vocab_size", "hidden_size", "embedding_size", "intermediate_size", "num_hidden_layers",
    "num_attention_heads", "num_key_value_heads", "head_dim", "num_experts", "num_experts_per_tok",
    "moe_intermediate_size", "kv_lora_rank", "q_lora_rank",
)  # fmt: skip
"""Sizes, of which a file states at least one."""

_TOLD = (
    *_SHAPES, "n_shared_experts", "shared_expert_intermediate_size", "shared_intermediate_size",
    "intermediate_size_mlp", "first_k_dense_replace", "decoder_sparse_step", "interleave_moe_layer_step",
    "moe_layer_start_index", "moe_layer_interval", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim",
    "index_topk", "index_n_heads", "index_head_dim",
)  # fmt: skip
"""Names whose defaults people are told of where a file leaves them out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a config says.

    `layers` are the model's blocks by number, with those that do nothing (`model` has none of them).
    `formats` is what it states of how matrices are stored, which the model does not say. `wrapped`: parts for
    images or sound stand beside the text model.
    """

    model: Transformer
    layers: tuple[Block, ...]
    model_type: str
    formats: Formats | None
    wrapped: bool = False


def transformer_from_file(path: str | Path) -> Transformer:
    """Read a `config.json`, or the folder that holds one.

    The model is named after the file, or after its folder where the file is called `config.json`. Raises
    InvalidValueError where there is no such file, FileContentError for its content, UnsupportedError for an
    architecture out of scope.
    """
    file = Path(path)
    if file.is_dir():
        file = file / CONFIG_NAME
    if not file.is_file():
        raise InvalidValueError("model", str(path), f"a file, or a folder that holds {CONFIG_NAME}")
    stem = file.resolve().parent.name if file.name == CONFIG_NAME else file.stem
    return transformer_from_config(
        with_neighbours(read_json_object(file), file), name=as_text(stem), file=file
    )


def transformer_from_config(
    config: Mapping[str, object], *, name: str = "custom", file: object = CONFIG_NAME
) -> Transformer:
    """Build a Transformer from the keys of a config; `file` is what errors call their source.

    Raises FileContentError (file, key, value, expectation) and UnsupportedError.
    """
    stated = stated_by_config(config, name=name, file=file)
    if stated.formats is None:
        return stated.model
    numbers = [number for number, block in enumerate(stated.layers) if block.attention or block.ffn]
    return with_formats(stated.model, stated.formats, stated.model_type, file=file, layers=numbers)


def stated_by_config(
    config: Mapping[str, object],
    *,
    name: str = "custom",
    file: object = CONFIG_NAME,
    shapes_known: bool = False,
) -> Stated:
    """What a config says; errors as in `transformer_from_config`.

    `shapes_known`: weight files tell the shapes, so classes and keys of the checkpoint's own are no reason to
    refuse it, but noted.
    """
    wrapper = WRAPPERS.get(str(config.get("model_type")))
    text, prefix, place = config, "", str(file)
    around: tuple[str, ...] = ()
    if wrapper is None:
        entry = READ[checked_type(config, (*READ, *WRAPPERS), file, _keys_read(config))]
        classes, formats = entry.classes, stated_formats(config, file)
    else:
        config = opened(config, wrapper, file)
        text, prefix, place = text_config(config, wrapper, file), "text_config.", f"{file}: text_config"
        entry, classes = READ[checked_type(text, READ, place, _keys_read(text))], wrapper.classes
        formats = _formats_of_both(config, text, file)
        known = {*text, *FORMAT_KEYS} if wrapper.flat else FORMAT_KEYS
        around = check_keys_around(config, known, file, shapes_known=shapes_known)
    kind, code = own_code(config, classes, file) if shapes_known else (head_kind(config, classes, file), ())
    listed = layer_configs(text, entry.known_keys(), file, prefix) if shapes_known else []
    read = [
        _read(each, entry, kind, formats, name=name, file=file, prefix=prefix, shapes_known=shapes_known)
        for each in listed or (text,)
    ]
    stated = _joined(read) if listed else read[0]
    told = (*(notes(config, wrapper) if wrapper else ()), *around, *code, *stated.model.notes)
    return replace(stated, model=replace(stated.model, notes=told), wrapped=wrapper is not None)


def _keys_read(config: Mapping[str, object]) -> frozenset[str]:
    """The keys that the entry of the config's model type reads, none where there is no entry."""
    entry = READ.get(str(config.get("model_type")))
    return frozenset() if entry is None else entry.known_keys() - set(entry.only)


def _formats_of_both(
    config: Mapping[str, object], text: Mapping[str, object], file: object
) -> Formats | None:
    """What a wrapper or the text model inside states of formats; one of them may."""
    outside = {key: config[key] for key in FORMAT_KEYS if config.get(key)}
    inside = {key: text[key] for key in FORMAT_KEYS if text.get(key)}
    if outside and inside and outside != inside:
        raise UnsupportedError(f"{file}: {next(iter(outside))} and text_config.{next(iter(inside))} differ")
    return stated_formats(outside, file) if outside else stated_formats(inside, file, "text_config.")


def _joined(read: Sequence[Stated]) -> Stated:
    """The model whose every layer is as that one of `read`."""
    blocks = tuple(each.layers[number] for number, each in enumerate(read))
    model = read[0].model.with_blocks(tuple(block for block in blocks if block.attention or block.ffn))
    return replace(read[0], model=model, layers=blocks)


def _read(
    config: Mapping[str, object],
    entry: Architecture,
    kind: str,
    formats: Formats | None,
    *,
    name: str,
    file: object,
    prefix: str,
    shapes_known: bool,
) -> Stated:
    """The model that `entry` describes, with a head of `kind`, and that it is stored in `formats`."""
    known = entry.known_keys() | set(FORMAT_KEYS)
    unknown = tuple(unknown_keys(config, known)) if shapes_known else ()
    if not shapes_known:
        check_keys(config, known, file)
    for key, allowed in entry.only.items():
        if config.get(key, allowed) != allowed and (config[key] or allowed):
            raise UnsupportedError(
                f"{file}: {prefix}{key} = {config[key]!r} is not supported; supported: {allowed!r}"
            )
    keys = entry.keys(config, file, prefix)
    kernels = 0 if entry.head_kernels is None else entry.head_kernels(keys)
    head = head_of(kind, plain_lm_head(holds(entry.head_bias, keys), kernels), config, file)
    tied = keys.flag("tie_word_embeddings") and kind == LM
    model = build(entry, keys, name=name, head=head, tied=tied)
    if not any(keys.knows(name) and keys.stated(name) for name in _SHAPES):
        raise FileContentError(
            file, f"{prefix}hidden_size", None, "sizes of the model: the file states none at all"
        )
    layers = model.blocks
    if entry is nemotron_nas.NEMOTRON_NAS:
        layers = nemotron_nas.layers(config, keys)
        model = model.with_blocks(tuple(block for block in layers if block.attention or block.ffn))
    told = [f"no key of model_type {entry.model_type!r}: {', '.join(unknown)}"] if unknown else []
    told += () if entry.notes is None else entry.notes(keys)
    if entry.experts is not None and not any(isinstance(block.ffn, ExpertLayer) for block in model.blocks):
        told.append("no layer has experts, as the file numbers those that have")
    model = replace(model, notes=(*told, *_filled(keys, model)), stated=_plain_type(config, file, prefix))
    return Stated(model=model, layers=layers, model_type=entry.model_type, formats=formats)


_SIXTEEN_BIT = ("bfloat16", "float16", "half", "auto")
_FULL = ("float32", "float")


def _plain_type(config: Mapping[str, object], file: object, prefix: str) -> str:
    """What `torch_dtype` says where it matters: 32 bit is no reason to time in 32 bit, unless asked for.

    Raises UnsupportedError for a type that is no plain one.
    """
    for key in ("torch_dtype", "dtype"):
        stated = config.get(key)
        name = stated.removeprefix("torch.") if isinstance(stated, str) else stated
        if name in _FULL:
            return f"the file states {key} {name}: bf16 is meant unless --dtype says fp32"
        if name is not None and name not in _SIXTEEN_BIT:
            raise UnsupportedError(
                f"{file}: {prefix}{key} = {stated!r} is not supported; supported: "
                f"{', '.join((*_SIXTEEN_BIT, *_FULL))}; other formats by quantization_config"
            )
    return ""


def _filled(keys: Keys, model: Transformer) -> tuple[str, ...]:
    """What people are told of sizes that the file leaves to the model's class."""
    windowed = any(
        isinstance(block.attention, Attention) and block.attention.window for block in model.blocks
    )
    names = (*_TOLD, "sliding_window") if windowed else _TOLD
    missing = [name for name in names if keys.knows(name) and not keys.stated(name)]
    taken = [f"{keys.spelling(name)} {value}" for name in missing if (value := keys.value(name)) is not None]
    return (f"left to the model's class by the file: {', '.join(taken)}",) if taken else ()
