"""Fit files: what is written is read again, small, stable, and refused with a clear word when damaged."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.domain.fit import Fit, KindFit
from infersim.profile_files import read_fit, write_fit
from infersim.profile_files.fit_format import decode_grid, encode_grid
from tests.profile_files.example_fits import example_fit, example_kind

GRIDS = numpy_strategies.arrays(
    np.float32,
    numpy_strategies.array_shapes(min_dims=1, max_dims=3, min_side=2, max_side=5),
    elements=st.floats(-4, 4, width=32),
)
ALL_BUT_THE_GRID = (
    "kind",
    "parameters",
    "uncertainties",
    "at_bound",
    "interval",
    "ranges",
    "rows",
    "held_out",
)


def test_a_fit_is_read_as_it_was_written(tmp_path: Path) -> None:
    fit, path = example_fit("h100-sxm"), tmp_path / "h100-sxm.fit.json"
    write_fit(fit, path)
    again = read_fit(path)
    assert (again.gpu, again.provenance, again.kinds.keys()) == (fit.gpu, fit.provenance, fit.kinds.keys())
    for kind, found in again.kinds.items():
        for field in ALL_BUT_THE_GRID:
            assert getattr(found, field) == getattr(fit.kinds[kind], field), field
    (written,), (found_grid,) = fit.kinds["gemm.bf16"].residuals, again.kinds["gemm.bf16"].residuals
    assert found_grid.axes == written.axes
    np.testing.assert_allclose(found_grid.values, written.values, rtol=0, atol=2**-9)
    assert again.kinds["attention.decode"].residuals == ()


@given(values=GRIDS)
def test_a_grid_comes_back_within_half_a_unit_and_then_exactly(values: npt.NDArray[np.float32]) -> None:
    exponent, text = encode_grid(values)
    again = decode_grid(exponent, text, values.shape)
    np.testing.assert_allclose(again, values, rtol=0, atol=2.0**exponent / 2)
    # 32767 steps for the largest value, of which the power of two may leave half unused
    assert 2.0**exponent <= max(2 * float(np.abs(values).max()) / 32767, 2.0**-8) or not values.any()
    np.testing.assert_array_equal(decode_grid(*encode_grid(again), values.shape), again)


def test_writing_what_was_read_changes_nothing(tmp_path: Path) -> None:
    first, second = tmp_path / "a.fit.json", tmp_path / "b.fit.json"
    write_fit(example_fit("a"), first)
    write_fit(read_fit(first), second)
    assert first.read_bytes() == second.read_bytes()
    assert set(tmp_path.iterdir()) == {first, second}


def test_names_are_in_order_and_numbers_have_seven_digits(tmp_path: Path) -> None:
    kind = replace(
        example_kind("gemm.bf16"), parameters={"b": math.pi, "a": np.float64(1 / 3), "launch_us": 2}
    )
    path = tmp_path / "x.fit.json"
    write_fit(Fit(gpu="x", kinds={"gemm.bf16": replace(kind, uncertainties={})}, provenance={}), path)
    parameters = json.loads(path.read_text(encoding="utf-8"))["kinds"]["gemm.bf16"]["parameters"]
    assert list(parameters.items()) == [("a", 0.3333333), ("b", 3.141593), ("launch_us", 2)]


def test_four_kinds_with_grids_of_4000_values_fit_in_64_kib(tmp_path: Path) -> None:
    names = ("gemm.bf16", "gemm.fp8", "attention.prefill", "attention.decode")
    kinds = {name: example_kind(name, knots=(10, 20, 20), seed=seed) for seed, name in enumerate(names)}
    path = tmp_path / "large.fit.json"
    write_fit(Fit(gpu="large", kinds=kinds, provenance={}), path)
    assert path.stat().st_size <= 64 * 1024


def test_nothing_is_left_of_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "x.fit.json"
    write_fit(example_fit("x"), path)
    before = path.read_bytes()
    with pytest.raises(InvalidValueError, match=r"provenance\.when = "):
        write_fit(Fit(gpu="x", kinds={}, provenance={"when": object()}), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def _with_nan(kind: KindFit) -> KindFit:
    return replace(kind, parameters={**kind.parameters, "chain_us": math.nan})


def _with_infinite_grid(kind: KindFit) -> KindFit:
    (grid,) = kind.residuals
    return replace(kind, residuals=(replace(grid, values=np.full((3, 4, 2), np.inf, np.float32)),))


def _with_transposed_grid(kind: KindFit) -> KindFit:
    (grid,) = kind.residuals
    return replace(kind, residuals=(replace(grid, values=grid.values.T),))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_with_nan, "kinds.gemm.bf16.parameters.chain_us = nan; expected a finite number"),
        (_with_infinite_grid, "kinds.gemm.bf16.residuals\\[0\\].values = 'not all finite'"),
        (_with_transposed_grid, r"kinds.gemm.bf16.residuals\[0\].values = \(2, 4, 3\); expected the shape"),
    ],
)
def test_what_cannot_be_read_again_is_not_written(
    tmp_path: Path, spoil: Callable[[KindFit], KindFit], message: str
) -> None:
    fit = example_fit("x")
    kinds = {**fit.kinds, "gemm.bf16": spoil(fit.kinds["gemm.bf16"])}
    with pytest.raises(InvalidValueError, match=message):
        write_fit(replace(fit, kinds=kinds), tmp_path / "x.fit.json")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"gone/x\.fit\.json"):
        write_fit(example_fit("x"), tmp_path / "gone" / "x.fit.json")
    with pytest.raises(InvalidValueError, match=r"gone\.fit\.json"):
        read_fit(tmp_path / "gone.fit.json")


GEMM = ("kinds", "gemm.bf16")


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("version",), 2, "version = 2"),
        (("format",), "samples", "format = 'samples'"),
        (("gpu",), None, "gpu = None"),
        (("extra",), 1, "extra = 1"),
        ((*GEMM, "rows"), -1, "kinds.gemm.bf16.rows = -1"),
        (
            (*GEMM, "parameters", "chain_us"),
            "fast",
            "kinds.gemm.bf16.parameters.chain_us = 'fast'",
        ),
        (
            (*GEMM, "parameters", "chain_us"),
            0,
            "kinds.gemm.bf16.parameters.chain_us = 0.0",
        ),
        ((*GEMM, "parameters", "chain_us"), 1e300, "kinds.gemm.bf16.parameters.chain_us = 1e+300"),
        ((*GEMM, "uncertainties", "tau"), 0.1, "kinds.gemm.bf16.uncertainties = 'tau'"),
        ((*GEMM, "uncertainties", "chain_us"), -0.1, "kinds.gemm.bf16.uncertainties.chain_us = -0.1"),
        ((*GEMM, "at_bound"), ["tau"], "kinds.gemm.bf16.at_bound = 'tau'"),
        (
            (*GEMM, "ranges", "m"),
            [8, 1],
            "kinds.gemm.bf16.ranges.m = [8.0, 1.0]",
        ),
        (
            (*GEMM, "interval", "pair"),
            -1,
            "kinds.gemm.bf16.interval.pair = -1",
        ),
        (
            (*GEMM, "residuals", 0, "values"),
            "!!",
            "kinds.gemm.bf16.residuals[0].values = '!!...'; expected one for each",
        ),
        (
            (*GEMM, "residuals", 0, "values"),
            "AAAA",
            "kinds.gemm.bf16.residuals[0].values = 'AAAA...'; expected one for",
        ),
        (
            (*GEMM, "residuals", 0, "unit_exponent"),
            900,
            "kinds.gemm.bf16.residuals[0].unit_exponent = 900; expected",
        ),
        ((*GEMM, "residuals", 0, "axes"), [], "kinds.gemm.bf16.residuals[0].axes = []; expected"),
    ],
)
def test_a_damaged_file_is_refused(
    tmp_path: Path, where: tuple[str, ...], value: object, message: str
) -> None:
    path = tmp_path / "x.fit.json"
    write_fit(example_fit("x"), path)
    table = whole = json.loads(path.read_text(encoding="utf-8"))
    for key in where[:-1]:
        table = table[key]
    table[where[-1]] = value
    path.write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(FileContentError) as caught:
        read_fit(path)
    assert str(caught.value).startswith(f"x.fit.json: {message}")
    assert caught.value.expected


def test_an_axis_that_runs_backwards_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.fit.json"
    write_fit(example_fit("x"), path)
    whole: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    whole["kinds"]["gemm.bf16"]["residuals"][0]["axes"][0]["low"] = 16.0
    path.write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(
        FileContentError, match=r"residuals\[0\].axes.log2 m.low = 16.0; expected .*below high \(16\)"
    ):
        read_fit(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]"])
def test_what_is_no_json_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.fit.json"
    path.write_bytes(content)
    with pytest.raises(FileContentError, match=r"^x.fit.json: the file = "):
        read_fit(path)
