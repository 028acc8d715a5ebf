"""A kernel that takes its process down costs its own row and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.domain.errors import InfersimError
from infersim.fitting.samples import read_samples
from infersim.measuring import crashes, supervision
from infersim.measuring.plan_run import measure_plan
from infersim.measuring.supervision import Measurer
from tests.measuring.examples import FAKE_WORKER, SETUP, gemm
from tests.report.handmade import check_order


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        ("crash", "crashed: signal 11 (SIGSEGV)"),
        ("lost", "crashed: CUDA error: an illegal memory access was encountered"),
        ("quit", "crashed: exit status 1: RuntimeError: something broke"),
        ("hang", "crashed: no answer in 1 s"),
    ],
)
def test_a_crash_is_recorded_and_the_next_row_is_measured(behaviour: str, status: str) -> None:
    with Measurer(SETUP, command=FAKE_WORKER, row_timeout_s=1.0) as measurer:
        assert measurer.measure(gemm(3))["latency_us"] == 3.0
        assert measurer.measure(gemm(4, behaviour=behaviour)) == {"status": status}
        assert measurer.measure(gemm(5))["latency_us"] == 5.0


def test_a_users_error_comes_back_as_it_is() -> None:
    with pytest.raises(InfersimError, match="measure the CPU with --device cpu"):
        Measurer({**SETUP, "device": "missing"}, command=FAKE_WORKER)


def test_a_process_that_cannot_start_says_why() -> None:
    with pytest.raises(InfersimError, match="exit status 1: ImportError: libcudart"):
        Measurer({**SETUP, "device": "broken"}, command=FAKE_WORKER)


def test_a_device_that_takes_every_process_down_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "MOST_DEATHS", 3)
    with Measurer(SETUP, command=FAKE_WORKER) as measurer:
        for _ in range(2):
            measurer.measure(gemm(1, behaviour="lost"))
        measurer.measure(gemm(1))  # one that answers: it is the kernels then
        for _ in range(2):
            measurer.measure(gemm(1, behaviour="lost"))
        with pytest.raises(InfersimError, match=r"\b3 kernels.*illegal"):
            measurer.measure(gemm(1, behaviour="lost"))


def test_a_kind_that_only_crashes_is_left_out_after_some_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crashes, "MOST_CRASHES", 2)
    sparse = {**gemm(8, behaviour="crash"), "kind": "sparse_gemm"}
    rows = [sparse, gemm(1), sparse, gemm(2), sparse, gemm(3), sparse]

    with Measurer(SETUP, command=FAKE_WORKER) as measurer:
        account = measure_plan(rows, measurer, tmp_path / "log.jsonl", settings={"plan": "tiny"})

    check_order(str(account), "3 of 7 kernels", "2 crashed", "2 skipped")


def test_the_log_holds_every_row_and_the_reason_where_one_has_no_latency(tmp_path: Path) -> None:
    rows = [
        gemm(1),
        gemm(2, behaviour="crash"),
        gemm(3, behaviour="out of memory"),
        gemm(4, behaviour="out of memory"),
        gemm(5),
    ]
    log = tmp_path / "log.jsonl"
    done: list[int] = []

    with Measurer(SETUP, command=FAKE_WORKER) as measurer:
        account = measure_plan(rows, measurer, log, settings={"plan": "tiny"}, on_row=done.append)

    check_order(str(account), "2 of 5 kernels", "1 crashed", "2 out of memory")
    assert done == [0, 1, 2, 3, 4, 5]
    read = read_samples(log)
    assert read.frame["m"].tolist() == [1, 5]
    assert dict(read.left_out) == {
        "status crashed: signal 11 (SIGSEGV)": 1,
        "status out of memory": 2,
    }
    assert read.environment["plan"] == "tiny"
