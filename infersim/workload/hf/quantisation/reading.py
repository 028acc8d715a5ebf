"""What a config states of formats, read by the entry of its method and set on the model; or a refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from infersim.domain.errors import FileContentError, InvalidValueError, UnsupportedError
from infersim.workload.formats import PLAIN, StoredMatrix, stored_text, with_stored_matrices
from infersim.workload.hf.module_names import module_names
from infersim.workload.hf.quantisation import compressed, floats, integers
from infersim.workload.hf.quantisation.effect import without_effect
from infersim.workload.hf.quantisation.method import Formats, Method
from infersim.workload.hf.quantisation.statement import Module, Statement
from infersim.workload.transformer import Transformer

FORMAT_KEYS = ("quantization_config", "compression_config", "sparsity_config", "quantization")
"""Keys that state a quantised or sparse checkpoint, in the files of different libraries."""

ENTRIES: tuple[Method, ...] = (*compressed.METHODS, *floats.METHODS, *integers.METHODS)

METHODS: Mapping[str, Method] = {name: method for method in ENTRIES for name in method.names}
"""Every method that is read, by `quant_method`."""

REFUSED_METHODS: Mapping[str, str] = {
    "aqlm": "weights are sums of vectors from codebooks, which other kernels look up",
    "vptq": "weights are vectors from codebooks, which other kernels look up",
    "higgs": "weights are rotated vectors from codebooks",
    "spqr": "single weights beside the groups are kept in 16 bit, which adds a sparse kernel",
    "bitnet": "weights of three values are multiplied by kernels that are not modelled",
    "fp_quant": "activations are rotated before each matrix, which adds kernels",
    "quark": "its schemes are not read",
    "gguf": "its formats are named in the weight file only",
    "mlx": "formats of Apple's MLX, which no GPU here runs",
}
"""Methods that are known and not read, with the reason."""

SIXTEEN_BIT = ("router", "index_weights")
"""Of experts, and of an indexer's heads: no library quantises them, whether a config names them or not."""

_EXACT = "give the config of the model before quantisation, and the format by --dtype"


def stated_formats(config: Mapping[str, object], file: object, prefix: str = "") -> Formats | None:
    """What the config states, None where it states nothing.

    Raises UnsupportedError for a method that is not read and for several keys that state formats,
    FileContentError for what is wrong inside.
    """
    found = [key for key in FORMAT_KEYS if config.get(key)]
    if not found:
        return None
    if len(found) > 1 and any(config[key] != config[found[0]] for key in found[1:]):
        raise UnsupportedError(f"{file}: {prefix}{found[0]} and {found[1]} both state formats; {_EXACT}")
    key, stated = found[0], config[found[0]]
    if not isinstance(stated, Mapping):
        raise FileContentError(file, f"{prefix}{key}", stated, "an object of keys and values")
    if key == "sparsity_config":
        stated = compressed.only_sparsity(stated)
    place = f"{prefix}{key}"
    return _method(stated, file, place).formats_of(Statement(file=file, key=place, stated=stated))


def with_formats(
    transformer: Transformer,
    formats: Formats,
    model_type: str,
    *,
    file: object,
    layers: Sequence[int] | None = None,
) -> Transformer:
    """The model as its checkpoint stores it; `layers` are its blocks' numbers there."""
    names = module_names(model_type)
    kept: dict[tuple[int, str], StoredMatrix] = {}
    modules: dict[tuple[int, str], Module] = {}

    def stored(layer: int, matrix: str) -> StoredMatrix:
        if (layer, matrix) not in kept:
            module = modules.setdefault(
                (layer, matrix), Module(names=_spellings(*(each.of(layer, matrix) for each in names)))
            )
            found = StoredMatrix(format=formats.format_of(module), sparse_2_4=formats.sparse(module))
            kept[layer, matrix] = PLAIN if matrix in SIXTEEN_BIT else found
        return kept[layer, matrix]

    try:
        made = with_stored_matrices(transformer, stored, layers)
    except InvalidValueError as error:
        raise FileContentError(file, error.key, error.value, error.expected) from None
    head_module = Module(names=_spellings(*(each.head for each in names)), outside=True)
    idle = without_effect(formats, (*modules.values(), head_module), file)
    head = made.head
    if head is not None and head.labels is None and not made.tied_embeddings:
        of_head = formats.format_of(head_module)
        head = replace(head, format=of_head) if of_head is not None else head
    made = replace(made, head=head, kv_dtype=formats.kv_dtype, notes=(*made.notes, *formats.notes, *idle))
    return replace(made, stated=stored_text(made) or made.stated)


def _method(stated: Mapping[str, object], file: object, place: str) -> Method:
    name = stated.get("quant_method")
    if (name is None and "load_in_8bit" in stated) or (name is None and "load_in_4bit" in stated):
        name = "bitsandbytes"
    if name is None and ("config_groups" in stated or "sparsity_config" in stated):
        name = "compressed-tensors"
    if name is None and set(stated) >= {"group_size", "bits"}:
        name = "mlx"
    if isinstance(name, str) and name.lower() in METHODS:
        return METHODS[name.lower()]
    named = stated.get("quant_method")
    key, value = (f"{place}.quant_method", named) if named is not None else (place, dict(stated))
    reason = REFUSED_METHODS.get(name.lower()) if isinstance(name, str) else None
    because = f"not read: {reason}" if reason else "no method that is known"
    raise UnsupportedError(
        f"{file}: {key} = {_brief(value)} is {because}; read: {', '.join(METHODS)}; {_EXACT}"
    )


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _spellings(*names: str) -> tuple[str, ...]:
    """A module's names, and how it is called inside models of more than text, and without a prefix."""
    found: list[str] = []
    for name in names:
        inner = name.removeprefix("model.").removeprefix("transformer.")
        found += (name, f"language_model.{name}", f"model.language_model.{inner}", f"model.{name}", inner)
    return tuple(dict.fromkeys(found))
