"""Tables of the model types that are read and refused, from the entries themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from _generate.markdown import markdown_table
from infersim.workload.hf import nemotron_nas
from infersim.workload.hf.activation_names import NAMES
from infersim.workload.hf.architecture import Architecture, Flag
from infersim.workload.hf.heads import HEADS
from infersim.workload.hf.quantisation.reading import ENTRIES, FORMAT_KEYS, REFUSED_METHODS
from infersim.workload.hf.reading import READ
from infersim.workload.hf.refused.out_of_scope import REFUSED_TYPES
from infersim.workload.hf.wrappers import WRAPPERS
from infersim.workload.sublayers.norms import Norm


def architectures(_: dict[str, Any]) -> str:
    """Every model type with what sets it apart."""
    rows = [_row(entry) for _, entry in sorted(READ.items())]
    headings = ["`model_type`", "FFN", "norms", "biases", "positions", "beside"]
    return markdown_table(headings, rows, numeric=[False] * len(headings))


def wrappers(_: dict[str, Any]) -> str:
    """Models of more than text."""
    rows = [
        [f"`{name}`", f"`{wrapper.text_type}`", "tied" if wrapper.tied else "its own"]
        for name, wrapper in sorted(WRAPPERS.items())
    ]
    headings = [
        "`model_type`",
        "text model, unless `text_config` says another",
        "LM head, unless the file says so",
    ]
    return markdown_table(headings, rows, numeric=[False] * 3)


def refused_types(_: dict[str, Any]) -> str:
    """What is out of scope, and the model types that have it."""
    rows = [
        [feature, ", ".join(f"`{name}`" for name in types.split())]
        for feature, types in REFUSED_TYPES.items()
    ]
    return markdown_table(["has", "model types"], rows, numeric=[False, False])


def quantisation_methods(_: dict[str, Any]) -> str:
    """Every method that is read, with what it can state."""
    rows = [
        [", ".join(f"`{name}`" for name in entry.names), entry.title, entry.formats, entry.remark]
        for entry in sorted(ENTRIES, key=lambda entry: entry.names[0])
    ]
    headings = ["`quant_method`", "by", "formats", "beside"]
    return markdown_table(headings, rows, numeric=[False] * len(headings))


def refused_methods(_: dict[str, Any]) -> str:
    """Methods that are known and not read, with the reason."""
    rows = [[f"`{name}`", reason] for name, reason in REFUSED_METHODS.items()]
    return markdown_table(["`quant_method`", "because"], rows, numeric=[False, False])


def config_words(question: dict[str, Any]) -> str:
    """The words of one kind that configs may use."""
    words = {"heads": list(HEADS), "activations": list(NAMES), "formats": list(FORMAT_KEYS)}
    return ", ".join(f"`{word}`" for word in words[question["of"]]) + "\n"


KINDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "architectures": architectures,
    "wrappers": wrappers,
    "refused_types": refused_types,
    "config_words": config_words,
    "quantisation_methods": quantisation_methods,
    "refused_methods": refused_methods,
}


def _row(entry: Architecture) -> list[str]:
    ffn = [f"{'gated' if entry.gate else 'plain'} {entry.defaults['hidden_act']}", *_experts(entry)]
    said = (_norms(entry), _biases(entry), _positions(entry), _beside(entry))
    return [f"`{entry.model_type}`", ", ".join(ffn), *said]


def _experts(entry: Architecture) -> Iterator[str]:
    """Its experts, shared ones, and whether dense layers stand between."""
    experts = entry.experts
    if experts is not None:
        yield "experts"
        if experts.shared is not None:
            yield f"shared ones{' with a gate' if experts.shared_gate else ''}"
        if experts.layers is not None:
            yield "dense layers"


def _norms(entry: Architecture) -> str:
    kind = entry.norm.kind.value if isinstance(entry.norm, Norm) else "LayerNorm"
    places = [word for word, there in (("before", entry.pre_norms), ("after", entry.post_norms)) if there]
    said = [f"{kind} {' and '.join(places)} sublayers"]
    if entry.parallel is True and entry.shared_norm is True:
        said = [f"one {kind} a block"]
    if entry.qk_norm is not None:
        said.append(f"q and k{_condition(entry.has_qk_norm)}")
    return ", ".join(said)


def _biases(entry: Architecture) -> str:
    attention = "q_a kv_a o" if entry.latent else "q k v"
    flags = {attention: entry.qkv_bias, "o": entry.o_bias, "FFN": entry.ffn_bias, "head": entry.head_bias}
    found: dict[str, list[str]] = {}
    for place, flag in flags.items():
        if flag is not False:
            found.setdefault(_condition(flag), []).append(place)
    return "; ".join(f"{', '.join(places)}{condition}" for condition, places in found.items()) or "none"


def _positions(entry: Architecture) -> str:
    if entry.learned_positions is not None:
        return "learned"
    if entry.rotary is None:
        return "rotary" if entry.rotary_layers is None else "rotary in some layers"
    return "rotary or ALiBi" if entry.model_type in ("baichuan", "falcon") else _turned(entry)


def _turned(entry: Architecture) -> str:
    assert entry.rotary is not None
    share = entry.rotary(entry.keys({}, "defaults"))
    return {0.0: "ALiBi", 1.0: "rotary"}.get(share, f"rotary, {share:g} of a head")


def _beside(entry: Architecture) -> str:
    said = []
    if entry.latent:
        said.append("latent attention")
    if entry.indexers is not None:
        said.append("tokens chosen by an indexer")
    if entry.sinks:
        said.append("attention sinks")
    if entry.parallel is not False:
        said.append(f"attention and FFN in parallel{_condition(entry.parallel)}")
    if entry.windows is not None:
        said.append("sliding windows")
    if entry.scaled_embedding is True:
        said.append("scaled embedding")
    if entry is nemotron_nas.NEMOTRON_NAS:
        said.append("`block_configs`")
    return "; ".join([*said, entry.remark] if entry.remark else said)


def _condition(flag: Flag) -> str:
    if isinstance(flag, bool):
        return ""
    return f" (`{flag}`)" if isinstance(flag, str) else " (by its keys)"
