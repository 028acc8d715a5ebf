"""Published tables of expert layers as samples: those of the design that an engine runs in most cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from infersim.cost.experts.routing_names import BALANCED
from infersim.fitting.samples.schema import Kind
from published import table_of

TABLE = "moe"

FORMATS = {"w4a16_mxfp4": "mxfp4a16"}
"""The tables' names of formats where ours differ."""

DESIGNS = "(triton|cutlass|trtllm|marlin|fused_moe)"
"""Whose kernels they are, within the tables' names of kernels."""


GROUPED = (7168, 256)
"""Hidden size and experts of DeepSeek-V3, whose router chooses among half of the groups of experts: where
scores are dealt evenly, half of the experts get no token, and rows called balanced are not."""


def expert_samples(folder: Path, gpu: str) -> pd.DataFrame:
    """The expert layers of one GPU under vLLM in the samples format; empty where there is no table.

    Timing loops come back to one layer's weights, and times include top-k and quantising activations. A few
    models have layers that the usual kernels lack something for (an activation, a bias): what else runs
    them is left out. Layers whose experts stand on several GPUs may have kernels of their own.
    """
    table = table_of(folder, TABLE, gpu)
    if table.empty:
        return table
    usual = table.groupby(["format", table["moe_ep_size"] > 1])["kernel"].transform(_usual)
    table = table[table["kernel"].str.extract(DESIGNS)[0] == usual]
    grouped = (table["hidden_size"] == GROUPED[0]) & (table["num_experts"] == GROUPED[1])
    table = table[~(grouped & (table["distribution"] == BALANCED))]
    return pd.DataFrame(
        {
            "gpu": gpu,
            "kind": Kind.MOE.value,
            "dtype": table["format"].replace(FORMATS).astype(object),
            "tokens": table["num_tokens"].astype(np.float64),
            "hidden_size": table["hidden_size"].astype(np.float64),
            "ffn_width": table["inter_size"].astype(np.float64),
            "num_experts": table["num_experts"].astype(np.float64),
            "top_k": table["topk"].astype(np.float64),
            "tensor_parallel": table["moe_tp_size"].astype(np.float64),
            "expert_parallel": table["moe_ep_size"].astype(np.float64),
            "gated": table["gated"].astype(object),
            "routing": table["distribution"].astype(object),
            "weight_copies": 1.0,
            "latency_us": table["latency_us"].astype(np.float64),
            "version": table["framework"].astype(object),
        }
    ).reset_index(drop=True)


def _usual(kernels: pd.Series) -> str:
    return str(kernels.str.extract(DESIGNS)[0].mode()[0])
