"""A transformer from a Hugging Face `config.json`, or a refusal that says why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from infersim.domain.errors import FileContentError, InvalidValueError, UnsupportedError
from infersim.workload.hf import nemotron_nas
from infersim.workload.hf.architecture import Architecture
from infersim.workload.hf.building import build
from infersim.workload.hf.config_keys import Keys
from infersim.workload.hf.custom_code import head_kind
from infersim.workload.hf.entries import ARCHITECTURES
from infersim.workload.hf.harmless_keys import check_keys
from infersim.workload.hf.heads import LM, head_of, plain_lm_head
from infersim.workload.hf.quantisation.method import Formats
from infersim.workload.hf.quantisation.reading import FORMAT_KEYS, stated_formats, with_formats
from infersim.workload.hf.refusals import checked_type
from infersim.workload.hf.wrappers import WRAPPERS, notes, text_config
from infersim.workload.transformer import Attention, Transformer

CONFIG_NAME = "config.json"
MODELOPT_NAME = "hf_quant_config.json"
MAX_CONFIG_BYTES = 2**24
"""Several hundred times what configs have: a larger file is something else."""

READ: Mapping[str, Architecture] = {
    **ARCHITECTURES,
    nemotron_nas.NEMOTRON_NAS.model_type: nemotron_nas.NEMOTRON_NAS,
}
"""Every model type that is read by itself; WRAPPERS hold one of these."""

_SHAPES = (
    "vocab_size", "hidden_size", "embedding_size", "intermediate_size", "num_hidden_layers",
    "num_attention_heads", "num_key_value_heads", "head_dim",
)  # fmt: skip
"""Names whose defaults people are told of where a file leaves them out."""


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
    return transformer_from_config(_with_neighbour(_read_json_object(file), file), name=stem, file=file)


def transformer_from_config(
    config: Mapping[str, object], *, name: str = "custom", file: object = CONFIG_NAME
) -> Transformer:
    """Build a Transformer from the keys of a config; `file` is what errors call their source.

    Raises FileContentError (file, key, value, expectation) and UnsupportedError.
    """
    wrapper = WRAPPERS.get(str(config.get("model_type")))
    if wrapper is None:
        model_type = checked_type(config, (*READ, *WRAPPERS), file)
        formats = stated_formats(config, file)
        kind = head_kind(config, READ[model_type].classes, file)
        return _read(config, READ[model_type], kind, formats, name=name, file=file, prefix="")
    formats = stated_formats(config, file)
    text = text_config(config, wrapper, file)
    entry = READ[checked_type(text, READ, f"{file}: text_config")]
    inside = stated_formats(text, file, "text_config.")
    kind = head_kind(config, wrapper.classes, file)
    model = _read(text, entry, kind, formats or inside, name=name, file=file, prefix="text_config.")
    return replace(model, notes=(*notes(config, wrapper), *model.notes))


def _read(
    config: Mapping[str, object],
    entry: Architecture,
    kind: str,
    formats: Formats | None,
    *,
    name: str,
    file: object,
    prefix: str,
) -> Transformer:
    """The model that `entry` describes, with a head of `kind`, stored in `formats`."""
    check_keys(config, entry.known_keys() | set(FORMAT_KEYS), file)
    for key, allowed in entry.only.items():
        if config.get(key, allowed) != allowed and (config[key] or allowed):
            raise UnsupportedError(
                f"{file}: {prefix}{key} = {config[key]!r} is not supported; supported: {allowed!r}"
            )
    keys = entry.keys(config, file, prefix)
    kernels = 0 if entry.head_kernels is None else entry.head_kernels(keys)
    head = head_of(kind, plain_lm_head(entry.head_bias, kernels), config, file)
    tied = keys.flag("tie_word_embeddings") and kind == LM
    model, layers = build(entry, keys, name=name, head=head, tied=tied), None
    if entry is nemotron_nas.NEMOTRON_NAS:
        numbered = nemotron_nas.numbered_blocks(config, keys)
        model, layers = model.with_blocks(tuple(numbered.values())), tuple(numbered)
    model = replace(model, notes=_filled(keys, model), stated=_plain_type(config, file, prefix))
    if formats is None:
        return model
    return with_formats(model, formats, entry.model_type, file=file, layers=layers)


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
    names = (*_SHAPES, "sliding_window") if windowed else _SHAPES
    missing = [name for name in names if keys.knows(name) and not keys.stated(name)]
    taken = [f"{keys.spelling(name)} {value}" for name in missing if (value := keys.value(name)) is not None]
    return (f"left to the model's class by the file: {', '.join(taken)}",) if taken else ()


def _with_neighbour(config: dict[str, object], file: Path) -> dict[str, object]:
    """The config with what ModelOpt states in a file beside it, where the config states no formats itself.

    Raises FileContentError where both speak of formats and name different algorithms.
    """
    neighbour = file.parent / MODELOPT_NAME
    if file.name != CONFIG_NAME or not neighbour.is_file():
        return config
    stated = _read_json_object(neighbour)
    inner = stated.get("quantization")
    if not isinstance(inner, Mapping):
        raise FileContentError(neighbour, "quantization", inner, "an object of keys and values")
    own = config.get("quantization_config")
    if not own:
        return {**config, "quantization_config": {"quant_method": "modelopt", **inner}}
    algorithm = own.get("quant_algo") if isinstance(own, Mapping) else None
    if algorithm is not None and algorithm != inner.get("quant_algo"):
        expected = f"{algorithm}, as quantization_config of {CONFIG_NAME} states"
        raise FileContentError(neighbour, "quantization.quant_algo", inner.get("quant_algo"), expected)
    return config


def _read_json_object(file: Path) -> dict[str, object]:
    size = file.stat().st_size
    if size > MAX_CONFIG_BYTES:
        raise FileContentError(file, "size", f"{size} bytes", f"at most {MAX_CONFIG_BYTES}: no config")
    try:
        # A byte-order mark is no part of the text.
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        near = error.doc[error.pos : error.pos + 20]
        place = f"line {error.lineno}, column {error.colno}"
        raise FileContentError(file, place, near, f"valid JSON ({error.msg})") from None
    except (OSError, ValueError, RecursionError) as error:
        raise FileContentError(file, "content", "unreadable", f"JSON text in UTF-8 ({error})") from None
    if not isinstance(content, dict):
        raise FileContentError(file, "content", type(content).__name__, "an object of keys and values")
    return content
