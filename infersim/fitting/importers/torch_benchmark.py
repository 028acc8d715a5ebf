"""torch.utils.benchmark's measurements: `Compare` tables as text, measurements as JSON. Pickles stay shut.

    [------------- gemm --------------]           {"task_spec": {"label": "gemm", "sub_label":
                            |  bf16                 "m=16, n=4096, k=4096", "description": "bf16", ...},
    1 threads: ----------------------------        "number_per_run": 100, "raw_times": [0.0014, ...]}
          m=16, n=4096, k=4096  |  14.2
    Times are in microseconds (us).

JSON is a list (or one) of `dataclasses.asdict(measurement)` of PyTorch 2.x: `raw_times` are seconds of
`number_per_run` calls. What was timed is free text there, so only what is named is read: m=, n=, k= and one
data type, in label, sub-label, description or statement. Calls follow each other on the same operands
(`weight_copies` 1), launch included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from infersim.domain.errors import FileContentError
from infersim.files.foreign import MIB, read_json, read_text
from infersim.fitting.importers.json_rows import dimensions_in, dtypes_in, table_of
from infersim.fitting.importers.source import Importer, SourceFile
from infersim.fitting.samples.converted import Converted, leave_out
from infersim.fitting.samples.schema import Kind

COLUMNS = ("text", "latency_us")
US_PER_UNIT = {"ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6}
US_PER_S = 1e6
LONGEST_S = 1e12
"""No call takes so long."""

_UNIT = re.compile(r"Times are in \w+ \((ns|us|ms|s)\)\.")
_TITLE = re.compile(r"\[-+\s(.*?)\s-+\]|\[-*\]")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_OTHER_KERNELS = re.compile(r"sparse|2:4|semi.?structured|batch|bmm|conv|attention", re.IGNORECASE)


def _read(path: Path) -> SourceFile:
    if path.suffix.lower() == ".json":
        content = read_json(path, "path", 64 * MIB)
        measurements = content if isinstance(content, list) else [content]
        rows = [_measured(entry, path, f"[{index}]") for index, entry in enumerate(measurements)]
    else:
        rows = list(_tables(_COLOUR.sub("", read_text(path, "path")).splitlines(), path))
    return SourceFile(path=path, frame=pd.DataFrame(rows, columns=list(COLUMNS)), first_line=1)


def _measured(entry: object, path: Path, key: str) -> dict[str, object]:
    table = table_of(entry, path, key)
    spec = table_of(table.get("task_spec"), path, f"{key}.task_spec")
    texts = [str(spec.get(name) or "") for name in ("label", "sub_label", "description", "stmt", "env")]
    calls, times = table.get("number_per_run"), table.get("raw_times")
    if isinstance(calls, bool) or not isinstance(calls, int) or calls < 1:
        raise FileContentError(path, f"{key}.number_per_run", calls, "a positive integer")
    if not isinstance(times, list) or not times or not all(map(_is_time, times)):
        raise FileContentError(path, f"{key}.raw_times", "no times", "positive numbers, at least one")
    return {"text": "; ".join(texts), "latency_us": median(times) / calls * US_PER_S}


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < LONGEST_S


def _tables(lines: list[str], path: Path) -> Iterator[dict[str, object]]:
    """Every cell of every table; a table's unit stands below it."""
    label = ""
    headings: list[str] = []
    cells: list[tuple[str, float]] = []
    for number, line in enumerate(lines, start=1):
        if title := _TITLE.fullmatch(line.strip()):
            label, headings = title[1] or "", []
        elif found := _UNIT.fullmatch(line.strip()):
            for text, time in cells:
                yield {"text": text, "latency_us": time * US_PER_UNIT[found[1]]}
            cells = []
        elif "|" in line:
            first, *others = (cell.strip() for cell in line.split("|"))
            if not headings:
                headings = others
            elif len(others) != len(headings):
                expected = f"{len(headings)} cells, as the table's head has"
                raise FileContentError(path, f"line {number}", line.strip()[:60], expected)
            else:
                cells += _cells(first, headings, others, label, f"{path}, line {number}")
    if cells:
        raise FileContentError(path, "unit", None, "a line such as `Times are in microseconds (us).`")


def _cells(
    row: str, headings: list[str], cells: list[str], label: str, where: str
) -> Iterator[tuple[str, float]]:
    for heading, cell in zip(headings, cells, strict=True):
        if not cell:
            continue
        try:
            time = float(cell.removeprefix("*").strip())
        except ValueError:
            raise FileContentError(where, heading, cell[:30], "a time") from None
        yield "; ".join((label, row, heading)), time


def _convert(file: SourceFile) -> Converted:
    if file.frame.empty:
        raise FileContentError(
            file.path, "content", "no measurement", "a Compare table or measurements in JSON"
        )
    frame = file.frame
    shapes = [dimensions_in(text) for text in frame["text"]]
    dtypes = [dtypes_in(text) for text in frame["text"]]
    reasons = {
        "of another kernel than a GEMM": frame["text"].str.contains(_OTHER_KERNELS),
        "m=, n= and k= not named": pd.Series([not shape for shape in shapes], index=frame.index),
        "not exactly one data type named": pd.Series([len(each) != 1 for each in dtypes], index=frame.index),
    }
    samples = pd.DataFrame(
        {
            "gpu": "",
            "kind": Kind.GEMM.value,
            "dtype": [next(iter(each), None) for each in dtypes],
            **{name: [shape.get(name) for shape in shapes] for name in ("m", "n", "k")},
            "weight_copies": 1,
            "includes_act_quant": False,
            "latency_us": frame["latency_us"],
        },
        index=frame.index,
    )
    return leave_out(samples, reasons)


TORCH_BENCHMARK = Importer(
    name="torch-benchmark",
    title="torch.utils.benchmark's measurements",
    patterns=(("*.json",), ("*.txt",)),
    convert=_convert,
    read=_read,
)
