"""A `config.json` as a file, and the files beside it in which libraries state formats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from infersim.domain.errors import FileContentError
from infersim.files.bounds import check_bounds, too_deep
from infersim.files.foreign import each_once
from infersim.files.opening import read_text

CONFIG_NAME = "config.json"
MODELOPT_NAME = "hf_quant_config.json"
MAX_CONFIG_BYTES = 2**24
"""Several hundred times what configs have: a larger file is something else."""

_OLDER = {"quantize_config.json": "gptq", "quant_config.json": "awq"}
"""Where quantisers stated formats before the config did -> their method."""

NEIGHBOURS = (MODELOPT_NAME, *_OLDER)


def with_neighbours(config: dict[str, object], file: Path) -> dict[str, object]:
    """The config with what a file beside it states of formats.

    ModelOpt's file completes what the config states itself; others count where it states nothing. Raises
    FileContentError where both speak of the same and differ.
    """
    if file.name != CONFIG_NAME:
        return config
    if (file.parent / MODELOPT_NAME).is_file():
        return _with_modelopt(config, file.parent / MODELOPT_NAME)
    for name, method in _OLDER.items():
        beside = file.parent / name
        if beside.is_file():
            return _with_older(config, {"quant_method": method, **read_json_object(beside)}, beside)
    return config


def _with_modelopt(config: dict[str, object], beside: Path) -> dict[str, object]:
    inner = read_json_object(beside).get("quantization")
    if not isinstance(inner, Mapping):
        raise FileContentError(beside, "quantization", inner, "an object of keys and values")
    own = config.get("quantization_config")
    if not own:
        return {**config, "quantization_config": {"quant_method": "modelopt", **inner}}
    if not isinstance(own, Mapping):
        return config
    algorithm = own.get("quant_algo")
    if algorithm is not None and algorithm != inner.get("quant_algo"):
        expected = f"{algorithm}, as quantization_config of {CONFIG_NAME} states"
        raise FileContentError(beside, "quantization.quant_algo", inner.get("quant_algo"), expected)
    if not str(own.get("quant_method")).startswith("modelopt"):
        return config
    return {**config, "quantization_config": {**inner, **own}}


def _with_older(config: dict[str, object], stated: dict[str, object], beside: Path) -> dict[str, object]:
    own = config.get("quantization_config")
    if not own:
        return {**config, "quantization_config": stated}
    for key in ("bits", "group_size"):
        said = own.get(key) if isinstance(own, Mapping) else None
        if said is not None and stated.get(key, said) != said:
            expected = f"{said}, as quantization_config of {CONFIG_NAME} states"
            raise FileContentError(beside, key, stated[key], expected)
    return config


def read_json_object(file: Path) -> dict[str, object]:
    """Keys and values of a JSON file of bounded size; FileContentError where it is none, or has one twice."""
    text = read_text(file, "model", MAX_CONFIG_BYTES)
    try:
        content = json.loads(text, object_pairs_hook=lambda pairs: each_once(pairs, file))
    except json.JSONDecodeError as error:
        near = error.doc[error.pos : error.pos + 20]
        place = f"line {error.lineno}, column {error.colno}"
        raise FileContentError(file, place, near, f"valid JSON ({error.msg})") from None
    except RecursionError:
        raise too_deep(file) from None
    except ValueError as error:
        raise FileContentError(file, "content", "unreadable", f"JSON text ({error})") from None
    check_bounds(content, file)
    if not isinstance(content, dict):
        raise FileContentError(file, "content", type(content).__name__, "an object of keys and values")
    return content
