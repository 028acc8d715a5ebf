"""Inputs that once ended in an exception of another library, or worse: each is refused by name now.

Those of Python arguments are tried with every function in `tests/arguments`; here are the ones that were met.
"""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import infersim
from infersim.cli.main import run
from infersim.domain.errors import FileContentError, InfersimError
from infersim.files.opening import DATA_LIMIT, read_bytes
from infersim.fitting.samples.cutlass_report import samples_of_report

sim: Any = infersim
"""Without types, which these calls break."""

GPU, MODEL = "h100-sxm", "llama-3.2-1b"
ATTENTION = {"batch": 1, "context_len": 128, "num_heads": 8, "num_kv_heads": 8, "head_dim": 64}
GEMM = {"gpu": GPU, "kind": "gemm", "dtype": "bf16", "m": 16, "n": 4096, "k": 4096, "latency_us": 30.0}


def _attention(**more: object) -> object:
    return sim.attention_latency(GPU, phase="decode", **ATTENTION, **more)


def _samples(**cells: object) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([cell], dtype=object) for name, cell in (GEMM | cells).items()})


ARGUMENTS: dict[str, tuple[Callable[[], object], str]] = {
    "kv_copies-nan": (lambda: _attention(kv_copies=math.nan), "kv_copies = nan"),
    "query_len-nan": (lambda: _attention(query_len=math.nan), "query_len = nan"),
    "weight_copies-nan": (
        lambda: sim.gemm_latency(GPU, 8, 8, 8, weight_copies=math.nan),
        "weight_copies = nan",
    ),
    "cuda_graph-text": (
        lambda: sim.predict(MODEL, GPU, context=8, cuda_graph="false"),
        "cuda_graph = 'false'",
    ),
    "act_quant-text": (lambda: sim.gemm_latency(GPU, 8, 8, 8, act_quant="no"), "act_quant = 'no'"),
    "request-of-floats": (lambda: sim.Request(prompt_len=1.0, output_len=2.0), "prompt_len = 1.0"),
    "request-of-nothing": (lambda: sim.Request(prompt_len=0, output_len=2), "prompt_len = 0"),
    "dtype-list": (lambda: sim.gemm_latency(GPU, 8, 8, 8, dtype=["bf16"]), "dtype = "),
    "kv_dtype-list": (lambda: sim.predict(MODEL, GPU, context=8, kv_dtype=["fp8"]), "kv_dtype = "),
    "phase-list": (lambda: sim.predict(MODEL, GPU, context=8, phase=["decode"]), "phase = "),
    "masked-array": (
        lambda: sim.gemm_latency(GPU, np.ma.masked_array([1, 2], [False, True]), 8, 8),
        "m = Mas",
    ),
    "masked-context": (
        lambda: sim.predict(MODEL, GPU, context=np.ma.masked_array([1, 2], [False, True])),
        "context = ",
    ),
    "complex": (lambda: sim.gemm_latency(GPU, 1 + 2j, 8, 8), "m = "),
    "dates": (lambda: sim.gemm_latency(GPU, np.datetime64("2026-01-01"), 8, 8), "m = "),
    "integer-beyond-floats": (lambda: sim.gemm_latency(GPU, 10**400, 8, 8), "m = "),
    "ragged": (lambda: sim.gemm_latency(GPU, [[1], [2, 3]], 8, 8), "m = "),
    "shapes-that-do-not-broadcast": (lambda: sim.gemm_latency(GPU, [1, 2], [1, 2, 3], 8), "n"),
    "no-model": (lambda: sim.prune(None, "static-nk", 0.5), "model"),
    "sparsity-text": (lambda: sim.prune(MODEL, "static-nk", "0.5"), "sparsity = '0.5'"),
    "family-number": (lambda: sim.prune(MODEL, 7, 0.5), "family = 7"),
    "plans-of-a-model": (lambda: sim.break_even(MODEL, [MODEL], GPU, context=8), "plans = "),
    "overrides-text": (lambda: sim.with_overrides(GPU, {"memory.bandwidth_gb_s": "6000"}), "gb_s = '6000'"),
    "overrides-nan": (lambda: sim.with_overrides(GPU, {"memory.bandwidth_gb_s": math.nan}), "gb_s = nan"),
    "fraction-nan": (lambda: sim.held_out_rows(_samples(), math.nan, 0), "fraction = nan"),
    "seed-float": (lambda: sim.held_out_rows(_samples(), 0.5, 0.5), "seed = 0.5"),
    "target-nan": (lambda: sim.sparsity_for(MODEL, GPU, math.nan, context=8), "target_speedup = nan"),
    "workers-text": (lambda: sim.sweep({}, workers="two"), "workers = 'two'"),
    "frame-of-others": (lambda: sim.summary(pd.DataFrame({"a": [1]})), "no summary of"),
    "row-of-others": (lambda: sim.loss_waterfall(pd.Series([1])), "row = "),
    "points-of-text": (lambda: sim.predicted_measured(pd.DataFrame({"latency_us": ["a"]})), "frame"),
    "m-beyond-floats": (lambda: sim.validate(GPU, _samples(m=10**400)), "line 1: m = "),
    "m-list": (lambda: sim.validate(GPU, _samples(m=[1])), "line 1: m = "),
    "latency-nan": (lambda: sim.validate(GPU, _samples(latency_us=math.nan)), "line 1: latency_us = "),
    "latency-text": (lambda: sim.calibrate(GPU, _samples(latency_us="fast")), "line 1: latency_us = "),
    "fit-of-a-profile": (lambda: sim.write_fit(sim.load_profile(GPU), "x.fit.json"), "fit = "),
    "fit-nowhere": (lambda: sim.write_fit(sim.load_profile(GPU).fit, ""), "path|fit"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_argument_that_was_an_exception_or_an_answer(name: str) -> None:
    call, told = ARGUMENTS[name]
    with pytest.raises(InfersimError, match=told):
        call()


TAKEN: dict[str, Callable[[], object]] = {
    "prune-by-name": lambda: sim.prune(MODEL, "static-nk", 0.5),
    "one-plan-in-break_even": lambda: sim.break_even(
        MODEL, sim.prune(MODEL, "static-nk", 0.5), GPU, phase="decode", context=128
    ),
    "a-gpu-twice-in-free_widths": lambda: sim.free_widths(
        MODEL, [GPU, GPU], 0.3, phase="decode", context=128
    ),
    "context_len-1e300-of-a-gemm": lambda: sim.read_samples(_samples(context_len=1e300)),
    "text-for-a-number-of-others": lambda: sim.read_samples(_samples(read_bytes="many", num_heads=[])),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_was_an_exception_is_an_answer(name: str) -> None:
    assert TAKEN[name]() is not None


def test_text_that_is_no_utf_8_in_a_parquet_file_of_samples(tmp_path: Path) -> None:
    cells = {name: pa.array([cell]) for name, cell in GEMM.items()}
    cells["m"] = pa.array([b"\xff18"], pa.binary()).view(pa.string())
    pq.write_table(pa.table(cells), tmp_path / "samples.parquet")
    with pytest.raises(FileContentError, match=r"samples\.parquet: content = .*a parquet table of samples"):
        sim.read_samples(tmp_path / "samples.parquet")


@pytest.mark.parametrize("suffix", ["samples", "source"])
def test_metadata_of_a_parquet_file_that_are_no_json(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"{suffix}.parquet"
    table = pa.table({name: [cell] for name, cell in GEMM.items()})
    pq.write_table(table.replace_schema_metadata({"pandas": "{"}), path)
    if suffix == "samples":
        assert len(sim.read_samples(path).frame) == 1
    else:
        with pytest.raises(InfersimError, match=path.name):
            sim.import_source("aiconfigurator", path)


def test_an_empty_cell_for_a_type_in_a_profilers_report() -> None:
    cells = {"OperationKind": "gemm", "Operation": "x", "Status": "success", "m": 16, "n": 64, "k": 64}
    frame = pd.DataFrame([{**cells, "A": "f16:row", "B": math.nan, "Runtime": 0.02}])
    assert samples_of_report(frame.astype({"B": "str"})).left_out == {"data types of A and B": 1}
    assert samples_of_report(frame.assign(B=None)).left_out == {"data types of A and B": 1}


@pytest.mark.parametrize("arguments", [["x" * 70_000], ["gemm", "1", "2", "3", "x" * 70_000], ["\x1b[31m"]])
def test_the_command_lines_own_messages_are_short_and_plain(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(arguments)
    told = capsys.readouterr().err
    assert "Usage: " in told
    assert len(told) < 5000
    assert "\x1b" not in told


def test_reading_takes_room_for_the_file_and_not_for_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "part"
    file.write_bytes(b"x" * 1000)
    tracemalloc.start()
    assert len(read_bytes(file, limit=DATA_LIMIT)) == 1000
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def test_a_program_file_that_tells_no_size_is_read_whole() -> None:
    content = read_bytes(Path("/proc/self/environ"))
    assert content == Path("/proc/self/environ").read_bytes()


HALF = "\ud800"
"""Half of a character: JSON and Python can say it, UTF-8 cannot."""


def test_half_a_character_in_a_measurement_log(tmp_path: Path) -> None:
    log = tmp_path / "samples.jsonl"
    log.write_text('{"gpu": "h100-sxm", "kind": "\\ud800", "latency_us": 1}\n', encoding="ascii")
    with pytest.raises(InfersimError, match=r"samples\.jsonl: .*ud800.*; expected"):
        sim.read_samples(log)


@pytest.mark.parametrize("column", ["gpu", "kind", "dtype", "source"])
def test_half_a_character_in_a_frame_of_samples(column: str) -> None:
    row: dict[str, object] = {
        "gpu": "l4",
        "kind": "gemm",
        "dtype": "bf16",
        "m": 1,
        "n": 64,
        "k": 64,
        "latency_us": 9.0,
    }
    frame = pd.DataFrame(
        {name: pd.Series([value], dtype=object) for name, value in (row | {column: HALF}).items()}
    )
    with pytest.raises(InfersimError):
        sim.read_samples(frame)


@pytest.mark.parametrize("cell", [[1], {"a": 1}, {1, 2}])
def test_a_list_for_a_data_type_in_a_frame_of_samples(cell: object) -> None:
    row = {"gpu": "l4", "kind": "gemm", "m": 1, "n": 64, "k": 64, "latency_us": 9.0}
    frame = pd.DataFrame({**{name: [value] * 2 for name, value in row.items()}, "dtype": ["BF16", cell]})
    with pytest.raises(InfersimError, match="line 2: dtype = "):
        sim.read_samples(frame)
