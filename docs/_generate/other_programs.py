"""Tables of what is read of other programs' files, from the code that reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from _generate.markdown import markdown_table
from infersim.fitting.samples.spellings import DTYPE_SPELLINGS
from infersim.pruning.plan_files import block_configs, expert_lists, layer_widths
from infersim.pruning.plan_files.others import REMOVED
from infersim.simulation.measured.benchmark_results import FAMILIES


def benchmark_families(_: dict[str, Any]) -> str:
    """PruningInferSim's configurations with the family of each."""
    rows = []
    for config, (family, options) in FAMILIES.items():
        chosen = ", ".join(f"`{name}={value}`" for name, value in options.items())
        rows.append([f"`{config}.yaml`", f"`{family}`", chosen or "–"])
    return markdown_table(["configuration", "family", "options"], rows, numeric=[False] * 3)


def plan_keys(_: dict[str, Any]) -> str:
    """Keys by which a plan in JSON is known."""
    kinds = {
        "query heads of each layer": layer_widths.HEADS,
        "KV heads of each layer": layer_widths.KV_HEADS,
        "FFN width of each layer": layer_widths.WIDTHS,
        "experts of each layer": expert_lists.COUNTS,
        "experts that a token runs in each layer": expert_lists.TOP_K,
        "experts that are gone, by layer": expert_lists.REMOVED,
        "experts that stay, by layer": expert_lists.KEPT,
        "each layer's attention and FFN": (block_configs.KEY,),
        "layers that are gone": REMOVED,
    }
    rows = [[what, ", ".join(f"`{key}`" for key in keys)] for what, keys in kinds.items()]
    return markdown_table(["what is listed", "under one of the keys"], rows, numeric=[False] * 2)


def dtype_spellings(_: dict[str, Any]) -> str:
    """Data types with the spellings that are understood."""
    ours: dict[str, list[str]] = {}
    for spelling, name in DTYPE_SPELLINGS.items():
        ours.setdefault(name, []).append(spelling)
    rows = [[f"`{name}`", " ".join(f"`{word}`" for word in words)] for name, words in ours.items()]
    return markdown_table(["data type", "also written"], rows, numeric=[False] * 2)


KINDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "benchmark_families": benchmark_families,
    "plan_keys": plan_keys,
    "dtype_spellings": dtype_spellings,
}
