"""PyTorch profiler's traces (`export_chrome_trace`, also gzipped) with input shapes: products as GEMMs.

Facts of that format, of PyTorch 2.x: `traceEvents`, where an operator (`cat` cpu_op) and the kernels that it
launched (`cat` kernel) share an `External id`; `Input Dims` and `Input type` stand there with
`record_shapes=True`; times are in microseconds; `deviceProperties` names the GPU. Only `aten::mm` and
`aten::addmm` are read: other products call these, or are batched. Weights are taken as cold, as they are in
the steps of a model.
"""

from __future__ import annotations

from collections import defaultdict
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

PRODUCTS = {"aten::mm": 0, "aten::addmm": 1}
"""Operators -> where A stands among their inputs; B follows."""

COLUMNS = ("gpu", "m", "n", "k", "dtype", "latency_us", "kernels", "reason")
NO_KERNEL = "without a kernel on the GPU"


def _rows(content: object, path: Path) -> Iterator[Mapping[str, object]]:
    root = table_of(content, path, "the file")
    if "traceEvents" not in root:
        keys = ", ".join(map(str, list(root)[:8]))
        raise FileContentError(path, "keys", keys, "those of a PyTorch trace: traceEvents")
    devices = list_of(root.get("deviceProperties"), path, "deviceProperties")
    names = {
        device.get("id"): str(device.get("name", "")) for device in devices if isinstance(device, Mapping)
    }
    kernels: defaultdict[object, list[Mapping[str, Any]]] = defaultdict(list)
    products = []
    for event in list_of(root["traceEvents"], path, "traceEvents"):
        if not isinstance(event, Mapping) or not isinstance(event.get("args"), Mapping):
            continue
        identity = event["args"].get("External id", event["args"].get("external id"))
        if event.get("cat") == "kernel" and isinstance(identity, int | str):
            kernels[identity].append(event)
        elif event.get("cat") == "cpu_op" and event.get("name") in PRODUCTS:
            products.append((identity if isinstance(identity, int | str) else None, event))
    for identity, event in products:
        yield _row(event, kernels.get(identity, []), names)


def _row(
    event: Mapping[str, Any], kernels: list[Mapping[str, Any]], names: Mapping[Any, str]
) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(COLUMNS)
    first = PRODUCTS[str(event["name"])]
    shapes, types = event["args"].get("Input Dims"), event["args"].get("Input type")
    if not isinstance(shapes, list) or not isinstance(types, list):
        return {**row, "reason": "without input shapes (record_shapes)"}
    shape = _dimensions(shapes[first : first + 2])
    dtypes = {dtype_named(str(word)) for word in types[first : first + 2]}
    if shape is None or len(dtypes) != 1 or None in dtypes:
        return {**row, "reason": "of other shapes or data types"}
    durations = [kernel.get("dur") for kernel in kernels]
    times = [time for time in durations if isinstance(time, int | float) and not isinstance(time, bool)]
    if not times or len(times) < len(kernels):
        return {**row, "reason": NO_KERNEL}
    (dtype,) = dtypes
    if dtype == "fp32" and any("tf32" in str(kernel.get("name", "")) for kernel in kernels):
        dtype = "tf32"
    gpu = names.get(kernels[0]["args"].get("device"), "")
    return {**row, **shape, "gpu": gpu, "dtype": dtype, "latency_us": sum(times), "kernels": len(times)}


def _dimensions(shapes: list[object]) -> dict[str, int] | None:
    """m, n and k of A[m, k] and B[k, n]; None where the inputs are no such matrices."""
    match shapes:
        case [[int(m), int(k)], [int(inner), int(n)]] if k == inner:
            return {"m": m, "n": n, "k": k}
    return None


def _convert(file: SourceFile) -> Converted:
    frame = file.frame.reindex(columns=list(COLUMNS))
    said = frame["reason"].fillna("")
    kept = leave_out(frame, {reason: said == reason for reason in sorted(set(said)) if reason})
    rows = kept.samples
    samples = pd.DataFrame(
        {
            "gpu": rows["gpu"],
            "kind": Kind.GEMM.value,
            "dtype": rows["dtype"],
            **{name: pd.to_numeric(rows[name]) for name in ("m", "n", "k")},
            "includes_act_quant": False,
            "latency_us": pd.to_numeric(rows["latency_us"]),
        },
        index=rows.index,
    )
    return Converted(samples=samples, left_out=kept.left_out)


TORCH_TRACE = Importer(
    name="torch-profiler",
    title="PyTorch profiler's traces",
    patterns=(("*.pt.trace.json", "*.pt.trace.json.gz"), ("*.json", "*.json.gz")),
    convert=_convert,
    read=json_file(_rows),
)
