"""nvbench, torch.utils.benchmark and PyTorch profiler: what they name without doubt becomes a sample."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from infersim.domain.errors import FileContentError, InfersimError
from infersim.fitting.importers.importing import import_source
from infersim.fitting.samples.account import SampleRead

H100 = "NVIDIA H100 80GB HBM3"


def read(folder: Path, source: str, content: object, name: str = "x.json", **options: Any) -> SampleRead:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return import_source(source, path, **options)


# ---- nvbench


def state(*axes: tuple[str, object], time: float | None = 2e-5, **more: object) -> dict[str, object]:
    tags = (
        [] if time is None else [("nv/cold/time/gpu/mean", time), ("nv/cold/time/gpu/stdev/absolute", 1e-6)]
    )
    return {
        "device": 0,
        "axis_values": [{"name": name, "type": "int64", "value": str(value)} for name, value in axes],
        "summaries": [
            {"tag": tag, "data": [{"name": "value", "type": "float64", "value": str(value)}]}
            for tag, value in tags
        ],
        "is_skipped": False,
        **more,
    }


def nvbench(*states: dict[str, object]) -> dict[str, object]:
    devices = [{"id": 0, "name": H100}]
    return {"devices": devices, "benchmarks": [{"name": "gemm", "states": list(states)}]}


SHAPE = (("M", 64), ("N", 4096), ("K", 1024))


def test_nvbench_states_in_seconds(tmp_path: Path) -> None:
    found = read(tmp_path, "nvbench", nvbench(state(*SHAPE, ("T{ct}", "F16"))))
    (row,) = found.frame.to_dict("records")
    assert (row["gpu"], row["dtype"], row["m"], row["n"], row["k"]) == ("h100-sxm", "fp16", 64, 4096, 1024)
    assert (row["latency_us"], row["spread_us"]) == (pytest.approx(20.0), pytest.approx(1.0))


def test_nvbench_prefers_the_median(tmp_path: Path) -> None:
    timed = state(*SHAPE, ("dtype", "BF16"))
    summaries: list[object] = timed["summaries"]  # type: ignore[assignment]
    median = {"name": "value", "type": "float64", "value": "1e-5"}
    summaries.append({"tag": "nv/cold/time/gpu/median", "data": [median]})
    assert read(tmp_path, "nvbench", nvbench(timed)).frame["latency_us"].tolist() == [pytest.approx(10.0)]


def test_nvbench_states_of_no_known_meaning(tmp_path: Path) -> None:
    bf16 = ("dtype", "bf16")
    found = read(
        tmp_path,
        "nvbench",
        nvbench(
            state(*SHAPE, bf16),
            state(*SHAPE, bf16, is_skipped=True),
            state(("Elements", 1)),
            state(*SHAPE, bf16, ("Tile", 128)),
            state(*SHAPE, bf16, ("batch", 4)),
            state(*SHAPE),
            state(*SHAPE, bf16, time=None),
        ),
    )
    assert found.left_out == {
        "skipped": 1,
        "axes without m, n and k": 1,
        "axis tile of no known meaning": 1,
        "batched": 1,
        "no data type said": 1,
        "not timed alone (no cold GPU time)": 1,
    }


def test_half_of_a_character_is_refused(tmp_path: Path) -> None:
    states = nvbench(state(*SHAPE, ("\ud800", "F16")))
    with pytest.raises(FileContentError, match=r"text = .*; expected whole characters"):
        read(tmp_path, "nvbench", states)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([1], "the file = '[1]'; expected a table"),
        ({"a": 1}, "keys = 'a'; expected those of nvbench"),
        ({"devices": 1, "benchmarks": []}, "devices = '1'; expected a list"),
        ({"devices": [], "benchmarks": [{"states": [3]}]}, "benchmarks[0].states[0] = '3'; expected a table"),
        (
            {"devices": [{"id": {}}], "benchmarks": []},
            "devices[0].id = {}; expected the number of a device",
        ),
        ("{", "valid JSON"),
    ],
)
def test_nvbench_files_that_are_none(tmp_path: Path, content: object, told: str) -> None:
    with pytest.raises(FileContentError) as caught:
        read(tmp_path, "nvbench", content)
    assert told in str(caught.value)


# ---- torch.utils.benchmark

TABLE = """[---------------- gemm ----------------]
                          |  bf16  |  fp16
1 threads: ---------------------------------
      m=16, n=4096, k=1024 |  14.5  | \x1b[92m\x1b[1m 13.0 \x1b[0m\x1b[0m
      M=8, K=64, N=32      |  4.0   |

Times are in microseconds (us).

[----- sparse 2:4 bf16 -----]
                          |  mm
1 threads: ------------------
      m=16, n=4096, k=1024 |  9.5
      16x4096x1024         |  9.5

Times are in milliseconds (ms).
"""


def measurement(label: str, *, calls: object = 10, times: object = (3e-4, 1e-4, 2e-4)) -> dict[str, object]:
    spec = {
        "stmt": "a @ b",
        "label": label,
        "sub_label": "m=16, n=32, k=64",
        "description": None,
        "env": None,
    }
    raw = list(times) if isinstance(times, tuple) else times
    return {"number_per_run": calls, "raw_times": raw, "task_spec": spec, "metadata": None}


def test_cells_of_compare_tables(tmp_path: Path) -> None:
    found = read(tmp_path, "torch-benchmark", TABLE, "t.txt", gpu="l4")
    rows = found.frame[["gpu", "dtype", "m", "n", "k", "latency_us", "weight_copies"]].values.tolist()
    assert rows == [
        ["l4", "bf16", 16, 4096, 1024, 14.5, 1],
        ["l4", "fp16", 16, 4096, 1024, 13.0, 1],
        ["l4", "bf16", 8, 32, 64, 4.0, 1],
    ]
    assert found.left_out == {"of another kernel than a GEMM": 2}


def test_measurements_in_json_are_medians_of_one_call(tmp_path: Path) -> None:
    found = read(tmp_path, "torch-benchmark", [measurement("torch.bfloat16")], gpu="l4")
    assert found.frame["latency_us"].tolist() == [pytest.approx(20.0)]
    assert found.frame["dtype"].tolist() == ["bf16"]


def test_what_the_texts_do_not_name_is_left_out(tmp_path: Path) -> None:
    doubtful = [measurement(label) for label in ("gemm", "bf16 or fp16", "batched bf16", "bf16 m=3")]
    found = read(tmp_path, "torch-benchmark", [measurement("half"), *doubtful], gpu="l4")
    assert found.left_out == {
        "of another kernel than a GEMM": 1,
        "m=, n= and k= not named": 1,
        "not exactly one data type named": 2,
    }


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        ([measurement("bf16", calls=0)], "x.json", "[0].number_per_run = 0; expected a positive integer"),
        ([measurement("bf16", times=[])], "x.json", "[0].raw_times = 'no times'"),
        ([measurement("bf16", times=["1"])], "x.json", "[0].raw_times = 'no times'"),
        ([{"task_spec": 1}], "x.json", "[0].task_spec = '1'; expected a table"),
        ("[]", "x.json", "content = 'no measurement'"),
        (TABLE.replace("Times are", "Time is"), "x.txt", "unit = None; expected a line such as"),
        (TABLE.replace("|  14.5", "|  fast"), "x.txt", "line 4: bf16 = 'fast'; expected a time"),
        (TABLE.replace("|  14.5", ""), "x.txt", "line 4 = "),
        ("hello", "x.txt", "content = 'no measurement'"),
    ],
)
def test_benchmark_files_that_are_none(tmp_path: Path, content: object, name: str, told: str) -> None:
    with pytest.raises(FileContentError) as caught:
        read(tmp_path, "torch-benchmark", content, name, gpu="l4")
    assert told in str(caught.value)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x04\x95cos\nsystem\n")
    with pytest.raises(FileContentError, match="UTF-8"):
        import_source("torch-benchmark", path, gpu="l4")


# ---- PyTorch profiler


def op(name: str, identity: int, dims: object, types: object) -> dict[str, object]:
    args = {"External id": identity, "Input Dims": dims, "Input type": types}
    return {"ph": "X", "cat": "cpu_op", "name": name, "ts": 1.0, "dur": 100.0, "args": args}


def kernel(identity: int, duration: object, name: str = "sm90_gemm") -> dict[str, object]:
    args = {"External id": identity, "device": 0, "stream": 7}
    return {"ph": "X", "cat": "kernel", "name": name, "ts": 2.0, "dur": duration, "args": args}


def trace(*events: object) -> dict[str, object]:
    return {"schemaVersion": 1, "deviceProperties": [{"id": 0, "name": H100}], "traceEvents": list(events)}


BF16 = ["c10::BFloat16", "c10::BFloat16"]


def test_products_with_the_times_of_their_kernels(tmp_path: Path) -> None:
    content = trace(
        op("aten::linear", 1, [[16, 64], [32, 64], []], [*BF16, ""]),
        op(
            "aten::addmm", 2, [[32], [16, 64], [64, 32], [], []], ["c10::BFloat16", *BF16, "Scalar", "Scalar"]
        ),
        kernel(2, 5.0),
        kernel(2, 1.5, "splitKreduce"),
        op("aten::mm", 3, [[8, 64], [64, 128]], ["float", "float"]),
        kernel(3, 7.0, "sm80_xmma_gemm_f32f32_tf32f32"),
        {"ph": "M", "name": "process_name"},
    )
    for name, text in (("t.json", json.dumps(content)), ("u.pt.trace.json", json.dumps(content))):
        frame = read(tmp_path, "torch-profiler", text, name).frame
        assert frame[["gpu", "dtype", "m", "n", "k", "latency_us"]].values.tolist() == [
            ["h100-sxm", "bf16", 16, 32, 64, 6.5],
            ["h100-sxm", "tf32", 8, 128, 64, 7.0],
        ]


def test_a_gzipped_trace(tmp_path: Path) -> None:
    path = tmp_path / "a.pt.trace.json.gz"
    content = trace(op("aten::mm", 1, [[8, 64], [64, 128]], BF16), kernel(1, 7.0))
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    assert import_source("torch-profiler", tmp_path).frame["latency_us"].tolist() == [7.0]


def test_products_that_are_in_doubt(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "torch-profiler",
        trace(
            op("aten::mm", 1, [[8, 64], [64, 128]], BF16),
            kernel(1, 7.0),
            op("aten::mm", 2, [[8, 64], [64, 128]], BF16),
            op("aten::mm", 3, None, None),
            kernel(3, 7.0),
            op("aten::mm", 4, [[8, 64], [32, 128]], BF16),
            kernel(4, 7.0),
            op("aten::mm", 5, [[8, 64], [64, 128]], ["c10::BFloat16", "float"]),
            kernel(5, 7.0),
            op("aten::mm", 6, [[8, 64], [64, 128]], BF16),
            kernel(6, "7"),
        ),
    )
    assert found.left_out == {
        "of other shapes or data types": 2,
        "without a kernel on the GPU": 2,
        "without input shapes (record_shapes)": 1,
    }


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"a": 1}, "keys = 'a'; expected those of a PyTorch trace"),
        ({"traceEvents": 3}, "traceEvents = '3'; expected a list"),
        (trace(), "holds no sample that can be used"),
    ],
)
def test_traces_that_are_none(tmp_path: Path, content: object, told: str) -> None:
    with pytest.raises(InfersimError) as caught:
        read(tmp_path, "torch-profiler", content)
    assert told in str(caught.value)
