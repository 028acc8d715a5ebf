"""`subblock_stats.json` of ModelOpt's Puzzletron: what its mixed-integer search reads costs from.

A list with one entry for each scenario: `args` (by which the search picks it), `non_block`, and `subblocks`,
each with its `subblock_config` as the fields of `AttentionConfig` or `FFNConfig`, `runtime_ms` (a whole
request of the batch), `prefill_runtime_ms decode_runtime_ms num_params active_params memory_mib
kv_cache_memory_mib` and `parent_layer_index`. As modelopt/torch/puzzletron of
github.com/NVIDIA/Model-Optimizer@042e019 has them (subblock_stats/calc_subblock_stats.py, where runtimes are
`None`, mip/run_puzzle.py, which reads them, and block_config.py). Its blocks know KV heads, FFN widths, one
linear layer and nothing: other choices are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from infersim.domain.arrays import Array
from infersim.domain.errors import UnsupportedError
from infersim.simulation.search.settings.costs import Quantity, block_bytes
from infersim.simulation.search.settings.scenarios import InScenarios
from infersim.simulation.search.spaces.choices import Choice, Sublayer
from infersim.simulation.search.spaces.space import Slot
from infersim.simulation.search.table import LatencyTable
from infersim.simulation.speedups.padding import MIB
from infersim.workload.formats import as_stored, dtype_name
from infersim.workload.transformer import Attention, FeedForward

_DTYPES = {
    "bf16": "torch.bfloat16",
    "fp16": "torch.float16",
    "fp32": "torch.float32",
    "int8": "torch.int8",
    "fp8": "torch.float8_e4m3fn",
}
"""How torch calls data types; others keep their own names, as nvfp4 does in Puzzletron."""


def puzzletron_stats(found: LatencyTable) -> bytes:
    """The file. Raises UnsupportedError where the table is not of whole requests."""
    setting = found.setting
    if not isinstance(setting, InScenarios) or setting.scenarios.request is None:
        raise UnsupportedError("Puzzletron's runtimes are of whole requests: expected a request in the table")
    caches = _cache_mib(found, setting)
    stats = [_stats(found, setting, flat, caches[:, flat]) for flat in range(len(found.scenarios))]
    return (json.dumps(stats, indent=2) + "\n").encode()


def _stats(found: LatencyTable, setting: InScenarios, flat: int, caches: Array) -> dict[str, Any]:
    told, quantities = found.scenarios[flat]
    request = setting.scenarios.request
    assert request is not None
    model, execution = found.model, as_stored(setting.scenarios.execution, found.model)
    heads = [block.attention.num_heads for block in model.blocks if isinstance(block.attention, Attention)]
    name = dtype_name(model, execution)
    weights = _DTYPES.get(name, name)
    entries = list(_entries(found))
    return {
        "args": {
            "is_calc_runtime": True,
            "gpu": found.profile.name,
            "batch_size": told["batch"],
            "prefill_seq_len": request.prompt_len,
            "generation_seq_len": request.output_len,
            "prefill_queue_size": 0,
            "n_embd": model.hidden,
            "n_head": max(heads, default=0),
            "vocab_size": model.vocab,
            "benchmark_iterations": None,
            "use_cuda_graph": execution.cuda_graph,
            "weights_dtype": weights,
            "activations_dtype": _DTYPES.get(execution.attention_dtype.value, weights),
            "kv_cache_dtype": _DTYPES.get(execution.cache_dtype.value, execution.cache_dtype.value),
        },
        "non_block": _numbers(quantities, None, caches),
        "subblocks": [
            {
                "subblock_config": config,
                "subblock_config_class": "AttentionConfig"
                if slot.sublayer is Sublayer.ATTENTION
                else "FFNConfig",
                **_numbers(quantities, entry, caches),
                "parent_layer_index": slot.layer,
            }
            for entry, slot, config in entries
        ],
    }


def _cache_mib(found: LatencyTable, setting: InScenarios) -> Array:
    """MiB of KV cache of entries in scenarios: what they take in memory with a cache less that without."""
    case = setting.cases[0]
    scenario, shape = case.passes[-1].last_scenario, case.batch.shape
    both, weights = (block_bytes(found.entries, scenario, shape, times) for times in (1.0, 0.0))
    values: Array = found.entries.quantity(both - weights, np.zeros(both.shape[1])).values / MIB
    return values


def _numbers(quantities: Any, entry: int | None, caches: Array) -> dict[str, float | int]:
    """The numbers of an entry, or those of the remainder."""

    def of(name: str) -> float:
        quantity: Quantity = quantities[name]
        return float(quantity.remainder if entry is None else quantity.values[entry])

    parameters = round(of("parameters"))
    numbers: dict[str, float | int] = {
        "runtime_ms": of("latency_ms"),
        "prefill_runtime_ms": of("prefill_ms"),
        "decode_runtime_ms": of("decode_ms"),
        "num_params": parameters,
        "memory_mib": of("memory_gib") * 1024,
    }
    if entry is not None:
        numbers |= {"active_params": parameters, "kv_cache_memory_mib": float(caches[entry])}
    return numbers


def _entries(found: LatencyTable) -> Iterator[tuple[int, Slot, dict[str, Any]]]:
    """Entries that Puzzletron's blocks can be, with their config."""
    starts = found.entries.starts
    for index, slot in enumerate(found.space.slots):
        for place, choice in enumerate(slot.choices):
            config = _config(slot, choice, place)
            if config is not None:
                yield int(starts[index]) + place, slot, config


def _config(slot: Slot, choice: Choice, place: int) -> dict[str, Any] | None:
    """The fields of a subblock's config; None where it has none for the choice."""
    became, dense = slot.made[place], slot.made[0]
    plain = Choice(
        removed=choice.removed,
        linear=choice.linear,
        num_kv_heads=choice.num_kv_heads,
        ffn_width=choice.ffn_width,
    )
    if plain != choice or choice.linear:
        return None
    shared = {
        "no_op": choice.removed,
        "replace_with_linear": choice.linear is not None,
        "sparsify": None,
        "weights_precision": "bf16",
    }
    if slot.sublayer is Sublayer.ATTENTION:
        if not isinstance(dense, Attention):
            return None
        heads = became.num_kv_heads if isinstance(became, Attention) else dense.num_kv_heads
        return shared | {
            "num_key_value_heads": None if choice.removed else heads,
            "llama4": None,
            "mamba": None,
        }
    if not isinstance(dense, FeedForward):
        return None
    width = became.width if isinstance(became, FeedForward) else dense.width
    return shared | {"moe": None, "intermediate_size": None if choice.removed else width}
