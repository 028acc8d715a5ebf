"""Single kernels: the frame for machines, the table and the sentence for people."""

from __future__ import annotations

import numpy as np

from infersim.domain.costs import LIMITERS, Latency, Limiter
from infersim.report.kernels import kernel_rows, kernel_table, kernel_verdict
from tests.report.handmade import check_says

COMPUTE, LAUNCH = LIMITERS.index(Limiter.COMPUTE), LIMITERS.index(Limiter.LAUNCH)


def latency(count: int, *, calibration: str = "fitted") -> Latency:
    seconds = 1e-6 * np.arange(10.0, 10.0 + count)
    return Latency(
        latency_s=seconds,
        lower_s=0.9 * seconds,
        upper_s=1.1 * seconds,
        floor_s=0.5 * seconds,
        limiter_codes=np.array([COMPUTE] * (count - 1) + [LAUNCH], dtype=np.int8),
        in_range=np.array([True] * (count - 1) + [False]),
        calibration=calibration,
    )


def test_dimensions_broadcast_over_kernels() -> None:
    rows = kernel_rows("h100-sxm", {"m": np.array([1, 2, 3]), "n": 4096}, latency(3))
    assert rows["m"].tolist() == [1, 2, 3]
    assert rows["n"].tolist() == [4096] * 3
    assert rows["latency_us"].round(6).tolist() == [10.0, 11.0, 12.0]
    assert kernel_table(rows).rows()[0] == (
        "1",
        "4096",
        "10.0 (9.00–11.0)",
        "5.00",
        "50 %",
        "compute",
    )


def test_a_verdict_on_one_kernel_reads_like_this() -> None:
    rows = kernel_rows("h100-sxm", {"m": 1, "n": 4096, "k": 14336}, latency(1))
    assert kernel_verdict("GEMM", rows).sentences == (
        "The GEMM m=1 n=4096 k=14336 is predicted to take 10.0 (9.00–11.0) us on h100-sxm, "
        "2.00 times its floor; it is limited by launch.",
    )


def test_several_kernels_are_told_with_their_span() -> None:
    rows = kernel_rows("h100-sxm", {"m": np.arange(3)}, latency(3))
    verdict = kernel_verdict("GEMM", rows)
    (sentence,) = verdict.sentences
    check_says(sentence, "3 GEMMs", "10.0", "12.0 us", "2", "compute")
    (note,) = verdict.notes
    check_says(note, "calibrated range", "1 of 3")


def test_kernels_without_calibration_are_only_called_that() -> None:
    rows = kernel_rows("h100-sxm", {"m": np.arange(3)}, latency(3, calibration="none"))
    (note,) = kernel_verdict("GEMM", rows).notes
    assert note.startswith("Uncalibrated")
