"""Which rows a run measures, and in which order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from infersim.domain.errors import InfersimError, InvalidValueError, UnknownNameError
from infersim.measuring.kernel_runs.plan_rows import digest, rows_to_measure

TINY = """
version = 1
name = "tiny"
reason = "A test."
dtypes = ["bf16"]
[limits]
operand_gib = 1
tflop = 0.01
[[gemm_space]]
name = "space"
reason = "A test."
rows = 6
m = [1, 64]
n = [64, 256]
k = [64, 256]
alignments = [[64, 64], [32, 64]]
[[memory]]
name = "bytes"
reason = "A test."
rows = 2
array_bytes = [8192, 65536]
[memory.ops]
copy = [1, 1]
[[launch]]
name = "launches"
reason = "A test."
rows = 2
kernels = [1, 8]
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.toml"
    file.write_text(TINY)
    return file


def test_rows_are_complete_plain_and_shuffled(tiny: Path) -> None:
    rows = rows_to_measure(tiny)

    assert Counter(row["kind"] for row in rows) == {"gemm": 6, "memory": 2, "launch": 2}
    assert [row["kind"] for row in rows] != sorted(row["kind"] for row in rows)
    assert all(isinstance(value, int | str) for row in rows for value in row.values())
    assert {row["dtype"] for row in rows if row["kind"] == "memory"} == {"bf16"}
    assert rows == rows_to_measure(tiny)
    assert digest(rows) == digest(rows_to_measure(tiny)) != digest(rows[1:])


def test_each_pass_goes_through_the_whole_plan(tiny: Path) -> None:
    rows = rows_to_measure(tiny, passes=3)

    assert [row["pass"] for row in rows] == [1] * 10 + [2] * 10 + [3] * 10
    passes = [[{**row, "pass": 0} for row in rows[start : start + 10]] for start in (0, 10, 20)]
    assert passes[0] != passes[1]  # in another order
    assert len({digest(sorted(rows, key=str)) for rows in passes}) == 1
    with pytest.raises(InvalidValueError, match="passes"):
        rows_to_measure(tiny, passes=0)


def test_2_4_doubles_the_gemms_that_have_such_a_form(tiny: Path) -> None:
    rows = rows_to_measure(tiny, with_2_4=True)
    sparse = [row for row in rows if row["kind"] == "sparse_gemm"]

    aligned = [row for row in rows if row["kind"] == "gemm" and row["n"] % 64 == 0]
    assert 0 < len(aligned) < 6
    assert sorted((row["m"], row["n"], row["k"]) for row in sparse) == sorted(
        (row["m"], row["n"], row["k"]) for row in aligned
    )
    assert {row["sparsity"] for row in sparse} == {"2:4"}
    with pytest.raises(InfersimError, match=r"bf16.*fp16.*2:4"):
        rows_to_measure(tiny, dtypes=["fp32"], with_2_4=True)


def test_misaligned_widths_have_a_2_4_form_from_multiples_of_16() -> None:
    rows = rows_to_measure("misalignment", with_2_4=True)
    sparse, dense = ([row for row in rows if row["kind"] == kind] for kind in ("sparse_gemm", "gemm"))

    assert all(row["n"] % 16 == 0 and row["k"] % 16 == 0 for row in sparse)
    assert any(row["n"] % 64 or row["k"] % 64 for row in sparse)
    for side in ("n", "k"):
        powers = {row[side] & -row[side] for row in dense}
        assert {1, 2, 4, 8, 16, 32} < powers
    eight_bit = rows_to_measure("misalignment", dtypes=["fp8"])
    assert len(eight_bit) == len(dense)
    assert all(row["n"] % 16 == 0 and row["k"] % 16 == 0 for row in eight_bit)


def test_the_cpu_plan_is_enough_for_a_calibration() -> None:
    kinds = Counter(row["kind"] for row in rows_to_measure("cpu"))

    assert kinds["gemm"] >= 120
    assert kinds["attention"] >= 40
    assert {"memory", "launch"} <= kinds.keys()


def test_an_unknown_plan_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="attention-200, check, cpu, gemm-400, misalignment, standard"):
        rows_to_measure("everything")
