"""Whether a config's classes are the model type's own, or code that the config does not describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.hf.heads import HEADS, LM

WAY_OUT = (
    "only the checkpoint's weight files tell its shapes: give the folder with its .safetensors files beside "
    "this config"
)


def head_kind(config: Mapping[str, object], prefixes: Sequence[str], file: object) -> str:
    """The kind of head of the config's class, LM where it names none.

    Raises UnsupportedError where `architectures` or `auto_map` name a class that does not begin with one of
    `prefixes`: its code may have other shapes. An `auto_map` that names the model type's own classes is fine.
    """
    kinds = [_kind(name, prefixes) for name in _architectures(config, file)]
    for name, kind in zip(_architectures(config, file), kinds, strict=True):
        if kind is None:
            raise UnsupportedError(
                f"{file}: architectures has {name}, which is none of model_type "
                f"{config.get('model_type')!r}'s own classes ({_known(prefixes)}): its code may have other "
                f"shapes than the config says; {WAY_OUT}"
            )
    _check_auto_map(config, prefixes, file)
    return kinds[0] or LM if kinds else LM


def own_code(
    config: Mapping[str, object], prefixes: Sequence[str], file: object
) -> tuple[str, tuple[str, ...]]:
    """The kind of head where weight files tell the shapes, with a note on classes of the checkpoint's own.

    Their head is known by how their names end.
    """
    try:
        return head_kind(config, prefixes, file), ()
    except UnsupportedError:
        pass
    names = _architectures(config, file)
    kinds = [kind for name in names[:1] for ending, kind in HEADS.items() if name.endswith(ending)]
    if names and not kinds:
        raise UnsupportedError(f"{file}: architectures has {names[0]}, whose head is not known by its name")
    shown = ", ".join(names) or "auto_map"
    note = (
        f"code of the checkpoint's own ({shown}): weight files tell its shapes, nothing what it does beside"
    )
    return kinds[0] if kinds else LM, (note,)


def _architectures(config: Mapping[str, object], file: object) -> list[str]:
    names = config.get("architectures")
    if names is None:
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FileContentError(file, "architectures", names, "a list of names")
    return names


def _check_auto_map(config: Mapping[str, object], prefixes: Sequence[str], file: object) -> None:
    mapping = config.get("auto_map")
    if mapping is None:
        return
    if not isinstance(mapping, Mapping):
        raise FileContentError(file, "auto_map", mapping, "an object of keys and values")
    for key, value in mapping.items():
        if not str(key).startswith(("AutoModel", "AutoConfig")) or not isinstance(value, str):
            continue
        name = value.rpartition(".")[2]
        own = any(name.lower() == f"{prefix}Config".lower() for prefix in prefixes)
        if not own and _kind(name, prefixes) is None:
            raise UnsupportedError(
                f"{file}: auto_map.{key} = {value!r} is code of the checkpoint's own, none of model_type "
                f"{config.get('model_type')!r}'s classes ({_known(prefixes)}): it may have other shapes than "
                f"the config says; {WAY_OUT}"
            )


def _kind(name: str, prefixes: Sequence[str]) -> str | None:
    return next(
        (
            kind
            for prefix in prefixes
            for ending, kind in HEADS.items()
            if name.lower() == f"{prefix}{ending}".lower()
        ),
        None,
    )


def _known(prefixes: Sequence[str]) -> str:
    return ", ".join(f"{prefix}ForCausalLM" for prefix in prefixes)
