"""Models by name: presets that travel with the package, or a user's own config file or folder."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from infersim.domain.arguments import a_name_or_path, checked, refused
from infersim.domain.errors import UnknownNameError
from infersim.workload.transformer import Transformer

_PRESETS = "presets.toml"
_PUBLISHED = "published"
_OURS = ("aliases", _PUBLISHED)
"""Keys of presets that are none of a config's."""


def list_models() -> list[str]:
    """Names of all presets, in alphabetical order; aliases are not among them."""
    return sorted(_presets())


def model_aliases(name: str) -> tuple[str, ...]:
    """Other names of the preset called `name`, such as those of its checkpoints; UnknownNameError."""
    return tuple(_presets()[_preset_name(name)]["aliases"])


def a_model(key: str, value: object) -> Transformer:
    """A rule of arguments: a model as it is, or what `load_model` makes of its name or file."""
    if isinstance(value, Transformer):
        return value
    if isinstance(value, str | Path):
        return load_model(value)
    raise refused(key, value, "a model: what load_model returns, a preset's name or a path to a config")


@checked(name_or_path=a_name_or_path)
def load_model(name_or_path: str | Path) -> Transformer:
    """Return a model by preset name or alias (in any case), config file, folder or weight file.

    A folder with a `config.json` is read by its weight files' headers where it has any. A preset's name wins
    over a folder of the same name; write `./NAME` for the folder.

    Parameters
    ----------
    name_or_path
        A preset's name or alias, or a path.

    Returns
    -------
    Transformer
        The model, layer by layer.

    Raises
    ------
    UnknownNameError
        For a name that is no preset: it lists them.
    FileContentError
        For a config that cannot be.

    Examples
    --------
    >>> import infersim as sim
    >>> sim.load_model("llama-3.1-8b").hidden
    4096
    """
    # Names are listed without the reader of files.
    from infersim.workload.checkpoint.reading import transformer_from_path
    from infersim.workload.hf.reading import transformer_from_config

    name = str(name_or_path)
    if isinstance(name_or_path, str) and name.lower() in _names():
        preset = _preset_name(name)
        stated = _presets()[preset]
        keys = {key: None if value == "null" else value for key, value in stated.items() if key not in _OURS}
        model = transformer_from_config(keys, name=preset, file=f"{_PRESETS} [{preset}]")
        published = stated.get(_PUBLISHED)
        if published is None:
            return model
        note = f"published in {published}; the preset is taken in 16 bit unless --dtype says otherwise"
        return replace(model, notes=(*model.notes, note))
    if isinstance(name_or_path, Path) or name.endswith(".json") or _exists(name):
        return transformer_from_path(name_or_path)
    raise UnknownNameError("model", name, _presets(), spellings=_names())


@cache
def _presets() -> Mapping[str, Mapping[str, Any]]:
    text = files("infersim.workload").joinpath(_PRESETS).read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _names() -> Mapping[str, str]:
    """Every name and alias in lower case -> the preset's name."""
    return {
        name.lower(): preset for preset, keys in _presets().items() for name in (preset, *keys["aliases"])
    }


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # no possible path: longer than a file name may be
        return False


def _preset_name(name: str) -> str:
    try:
        return _names()[name.lower()]
    except KeyError:
        raise UnknownNameError("model", name, _presets(), spellings=_names()) from None
