"""Published tables of exchanges between GPUs as samples: NCCL, and the all-reduce of two engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from infersim.cost.collectives.parameters import NCCL
from infersim.fitting.samples.schema import Kind
from published import table_of

TABLE = "collectives"

EXCHANGES = {
    "all_reduce": "all_reduce",
    "all_gather": "all_gather",
    "reduce_scatter": "reduce_scatter",
    "alltoall": "all_to_all",
}
"""The tables' names of exchanges, and ours."""

ENGINES = {"vllm": "vllm", "tensorrt-llm": "trtllm"}
"""Kernel sets whose all-reduce was measured, and the tables' names of them."""

EAGER = "vllm_eager"
"""Rows that the host's time hides, with a copy of the buffer that engines do not make."""


def collective_samples(
    folder: Path, gpu: str, kernels: str, *, newest: bool = True, eager: bool = False
) -> pd.DataFrame:
    """The exchanges of one GPU with the kernels of an engine, in the samples format.

    NCCL, which all engines call, stands with vLLM's. `newest`: of each library its latest version alone.
    """
    table = table_of(folder, TABLE, gpu)
    if table.empty or kernels not in ENGINES:
        return pd.DataFrame()
    library = table["library"].astype(str)
    chosen = library == ENGINES[kernels]
    if kernels == "vllm":
        chosen |= library == NCCL
    table = table[chosen & ((table["backend"].fillna("") == EAGER) == eager)]
    if newest:
        table = table[table["version"] == table["library"].map(latest_versions(table))]
    own = table["library"].astype(str) != NCCL
    return pd.DataFrame(
        {
            "gpu": gpu,
            "kind": Kind.COLLECTIVE.value,
            "exchange": table["op"].map(EXCHANGES).astype(object),
            "gpus": table["num_gpus"].astype(np.float64),
            "message_bytes": table["message_bytes"].astype(np.float64),
            "library": [None if engines else NCCL for engines in own],
            "timed": "host" if eager else None,
            "latency_us": table["latency_us"].astype(np.float64),
            "version": table["library"].astype(str) + " " + table["version"].astype(str),
        }
    ).reset_index(drop=True)


def latest_versions(table: pd.DataFrame) -> dict[str, str]:
    """The latest version of each library."""
    return {
        str(name): max(versions.astype(str).unique(), key=_order)
        for name, versions in table.groupby("library")["version"]
    }


def _order(version: str) -> tuple[tuple[int, ...], bool, int]:
    """What versions compare by: a release comes after all of its candidates (1.3.0rc20)."""
    release, _, candidate = version.partition("rc")
    return tuple(int(part) for part in release.split(".")), not candidate, int(candidate or 0)
