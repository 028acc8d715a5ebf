"""Scenarios in words: what a frame's rows share is said once, what varies is said with each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from infersim.report.core import rounding
from infersim.report.core.table import Column, text_column, without_constant
from infersim.report.core.verdict import enumeration
from infersim.workload.formats import as_stored, dtype_name
from infersim.workload.requests import Request
from infersim.workload.scenario import Execution
from infersim.workload.transformer import Transformer

if TYPE_CHECKING:
    import pandas as pd


def setting_text(
    execution: Execution,
    request: Request | None = None,
    *,
    transformer: Transformer | None = None,
    gpus: Sequence[int] = (1,),
) -> str:
    """How the model is run: `bf16, execution fused, CUDA graph on`; of a request also what it generates.

    And how many `gpus` share it, where it is not always one.
    """
    dtype = execution.precision.name
    if transformer is not None:
        dtype = dtype_name(transformer, execution)
        execution = as_stored(execution, transformer)
    cache = f", KV cache {execution.kv_dtype}" if execution.kv_dtype else ""
    graph = "on" if execution.cuda_graph else "off"
    generated = f", {request.output_len} tokens generated" if request else ""
    shared = "" if tuple(gpus) == (1,) else f", GPUs {enumeration([str(count) for count in gpus])}"
    experts = ", whole experts" if execution.expert_parallel else ""
    return f"{dtype}{cache}, execution {execution.layout}, CUDA graph {graph}{generated}{shared}{experts}"


SCENARIO_KEYS = ("model", "gpu", "gpus", "phase", "batch", "context")
"""Columns that say which scenario a row is about."""

MAX_SHOWN = 24
"""How many scenarios a page draws figures of: more would be no page to read."""

_WHEN = {"prefill": "in prefill", "decode": "in decode", "request": "over the whole request"}

_COLUMNS = (
    ("model", text_column("model", "model")),
    ("gpu", text_column("GPU", "gpu")),
    ("gpus", Column(heading="GPUs", keys=("gpus",), text=rounding.count)),
    ("phase", text_column("phase", "phase")),
    ("batch", Column(heading="batch", keys=("batch",), text=rounding.count)),
    ("context", Column(heading="context", keys=("context",), text=rounding.count)),
)


def varying_keys(frame: pd.DataFrame) -> tuple[str, ...]:
    """The scenario columns that differ between rows."""
    return tuple(key for key in SCENARIO_KEYS if frame[key].nunique() > 1)


def varying_columns(frame: pd.DataFrame, keys: Collection[str] = SCENARIO_KEYS) -> tuple[Column, ...]:
    """Table columns of those of `keys` that differ between rows."""
    return without_constant([(key, column) for key, column in _COLUMNS if key in keys], frame)


def section_labels(frame: pd.DataFrame, keys: Collection[str] = SCENARIO_KEYS) -> tuple[str, ...]:
    """For each row, those of `keys` that vary over the frame: `h100-sxm, prefill`."""
    varying = set(varying_keys(frame)) & set(keys)
    return tuple(label(row, varying) for _, row in frame.iterrows())


def shared_title(frame: pd.DataFrame) -> str:
    """What all rows share: `llama-3.1-8b on h100-sxm: prefill, batch 1, context 4096`."""
    varying = varying_keys(frame)
    row = frame.iloc[0]
    names = {"model": str(row["model"]), "gpu": gpu_text(row, varying)}
    subject = " on ".join(names[key] for key in names if key not in varying)
    setting = ", ".join(_setting(row, set(SCENARIO_KEYS) - set(varying) - {"gpus"}))
    return ": ".join(text for text in (subject, setting) if text)


def gpu_text(row: pd.Series, varying: Collection[str] = ()) -> str:
    """The GPU, and how many where the rows have one number of several: `8 x h100-sxm`."""
    alone = "gpus" in varying or row["gpus"] == 1
    return str(row["gpu"]) if alone else f"{row['gpus']} x {row['gpu']}"


def label(row: pd.Series, keys: Collection[str]) -> str:
    """Those of a scenario's `keys` in short: `h100-sxm, prefill, batch 1, context 4096`."""
    names = [str(row[key]) for key in ("model", "gpu") if key in keys]
    return ", ".join((*names, *_setting(row, keys)))


def place(row: pd.Series, keys: Collection[str]) -> str:
    """The same inside a sentence: ` in prefill (batch 1, context 4096) on h100-sxm`; the phase always."""
    sizes = ", ".join(_setting(row, set(keys) - {"phase", "gpus"}))
    where = f" of {row['model']}" if "model" in keys else ""
    where += f" {_WHEN[row['phase']]}" + (f" ({sizes})" if sizes else "")
    count = f" on {_count(row)}" if "gpus" in keys else ""
    return where + (f" on {row['gpu']}" if "gpu" in keys else "") + count


def shown_scenarios(frame: pd.DataFrame) -> pd.DataFrame:
    """The distinct scenarios of a frame; of more than MAX_SHOWN so many, evenly taken."""
    distinct = frame[list(SCENARIO_KEYS)].drop_duplicates(ignore_index=True)
    if len(distinct) <= MAX_SHOWN:
        return distinct
    places = np.linspace(0, len(distinct) - 1, MAX_SHOWN).round().astype(np.intp)
    return distinct.iloc[places].reset_index(drop=True)


def only_scenarios(frame: pd.DataFrame, scenarios: pd.DataFrame) -> pd.DataFrame:
    """The rows of `frame` that are of these scenarios."""
    return frame.merge(scenarios, on=list(SCENARIO_KEYS))


def of_scenario(frame: pd.DataFrame, scenario: pd.Series) -> pd.DataFrame:
    """The rows of one scenario."""
    keys = list(SCENARIO_KEYS)
    return frame[(frame[keys] == scenario[keys]).all(axis=1)]


def scenario_groups(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The rows of each scenario, in order of first appearance."""
    for _, rows in frame.groupby(list(SCENARIO_KEYS), sort=False):
        yield rows


def by_scenario(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of each scenario together, both in order of first appearance."""
    places = frame.groupby(list(SCENARIO_KEYS), sort=False).ngroup()
    return frame if places.is_monotonic_increasing else frame.loc[places.sort_values(kind="stable").index]


def _count(row: pd.Series) -> str:
    return f"{row['gpus']} GPUs" if row["gpus"] > 1 else "1 GPU"


def _setting(row: pd.Series, keys: Collection[str]) -> Iterator[str]:
    if "gpus" in keys:
        yield _count(row)
    if "phase" in keys:
        yield str(row["phase"])
    for key in ("batch", "context"):
        if key in keys:
            yield f"{key} {row[key]}"
