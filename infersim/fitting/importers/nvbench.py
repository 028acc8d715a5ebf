"""nvbench's JSON (`--json FILE`): states whose axes are a GEMM's m, n and k.

Facts of that format, from nvbench/json_printer.cu and its scripts: `devices` with id and name; benchmarks
with `states`, each with `axis_values` and `summaries` by tag. `nv/cold/time/gpu/*` are seconds of a kernel
alone, after the L2 cache was flushed: cold. A state with another axis than m, n, k, a data type and a batch
of 1 is of no known meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from infersim.domain.errors import FileContentError
from infersim.fitting.importers.json_rows import json_file, list_of, table_of
from infersim.fitting.importers.source import Importer, SourceFile
from infersim.fitting.samples.converted import Converted, leave_out
from infersim.fitting.samples.schema import Kind
from infersim.fitting.samples.spellings import dtype_named

US_PER_S = 1e6
TIMES = ("nv/cold/time/gpu/median", "nv/cold/time/gpu/mean")
"""Tags of a state's time, the better first."""

SPREAD = "nv/cold/time/gpu/stdev/absolute"
_DTYPE_AXES = ("dtype", "type", "t", "datatype", "data type", "element")
_DIMENSIONS = ("m", "n", "k")
COLUMNS = ("gpu", "m", "n", "k", "dtype", "batch", "time_s", "spread_s", "skipped", "unknown_axis")


def _rows(content: object, path: Path) -> Iterator[Mapping[str, object]]:
    root = table_of(content, path, "the file")
    if "benchmarks" not in root or "devices" not in root:
        keys = ", ".join(map(str, list(root)[:8]))
        raise FileContentError(path, "keys", keys, "those of nvbench: devices, benchmarks")
    names = {}
    for index, device in enumerate(list_of(root["devices"], path, "devices")):
        table = table_of(device, path, f"devices[{index}]")
        names[_number(table.get("id"), path, f"devices[{index}].id")] = str(table.get("name", ""))
    for number, bench in enumerate(list_of(root["benchmarks"], path, "benchmarks")):
        key = f"benchmarks[{number}]"
        for place, state in enumerate(
            list_of(table_of(bench, path, key).get("states"), path, f"{key}.states")
        ):
            yield _row(table_of(state, path, f"{key}.states[{place}]"), names, path, f"{key}.states[{place}]")


def _row(state: Mapping[str, Any], names: Mapping[Any, str], path: Path, key: str) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(COLUMNS)
    row["gpu"] = names.get(_number(state.get("device"), path, f"{key}.device"), "")
    row["skipped"] = bool(state.get("is_skipped"))
    for index, entry in enumerate(list_of(state.get("axis_values"), path, f"{key}.axis_values")):
        axis = table_of(entry, path, f"{key}.axis_values[{index}]")
        name = str(axis.get("name", "")).strip().lower().removesuffix("{ct}").removesuffix("{io}")
        if name in _DIMENSIONS or name == "batch":
            row[name] = axis.get("value")
        elif name in _DTYPE_AXES:
            row["dtype"] = dtype_named(str(axis.get("value", "")))
        else:
            row["unknown_axis"] = name or "unnamed"
    times = {
        str(summary.get("tag")): _value(summary)
        for summary in list_of(state.get("summaries"), path, f"{key}.summaries")
        if isinstance(summary, Mapping)
    }
    row["time_s"] = next((times[tag] for tag in TIMES if times.get(tag) is not None), None)
    row["spread_s"] = times.get(SPREAD)
    return row


def _number(device: object, path: Path, key: str) -> int | None:
    """That of a device; None where nothing is said."""
    if device is None or type(device) is int:
        return device
    raise FileContentError(path, key, device, "the number of a device")


def _value(summary: Mapping[str, Any]) -> float | None:
    for entry in summary.get("data") or []:
        if isinstance(entry, Mapping) and entry.get("name") == "value":
            try:
                return float(entry.get("value"))  # type: ignore[arg-type]
            except (TypeError, ValueError, OverflowError):
                return None
    return None


def _convert(file: SourceFile) -> Converted:
    frame = file.frame.reindex(columns=list(COLUMNS))
    batch = pd.to_numeric(frame["batch"], errors="coerce").fillna(1)
    unknown = frame["unknown_axis"].fillna("")
    reasons = {
        "skipped": frame["skipped"].fillna(False).astype(bool),
        "axes without m, n and k": frame[list(_DIMENSIONS)].isna().any(axis=1),
        **{f"axis {name} of no known meaning": unknown == name for name in sorted(set(unknown)) if name},
        "batched": batch > 1,
        "no data type said": frame["dtype"].isna(),
        "not timed alone (no cold GPU time)": frame["time_s"].isna(),
    }
    kept = leave_out(frame, reasons)
    rows = kept.samples
    samples = pd.DataFrame(
        {
            "gpu": rows["gpu"],
            "kind": Kind.GEMM.value,
            "dtype": rows["dtype"],
            **{name: pd.to_numeric(rows[name], errors="coerce") for name in _DIMENSIONS},
            "includes_act_quant": False,
            "latency_us": rows["time_s"].astype(float) * US_PER_S,
            "spread_us": rows["spread_s"].astype(float) * US_PER_S,
        },
        index=rows.index,
    )
    return Converted(samples=samples, left_out=kept.left_out)


NVBENCH = Importer(
    name="nvbench",
    title="nvbench's JSON",
    patterns=(("*.json",),),
    convert=_convert,
    read=json_file(_rows),
)
