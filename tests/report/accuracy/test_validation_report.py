"""A validation in words, tables and figures, and its page in a real browser."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from infersim.domain.dtypes import DType
from infersim.domain.profile import HardwareProfile
from infersim.fitting.samples.identity import Overlap
from infersim.fitting.validation.validation import Validation, validate
from infersim.profile_files.profiles import load_profile
from infersim.report.accuracy.validation_page import validation_page
from infersim.report.accuracy.validation_points import MAX_POINTS, drawn_dimensions, validation_points
from infersim.report.accuracy.validation_tables import (
    error_report_table,
    speedup_report_table,
    validation_frame,
    validation_verdict,
)
from infersim.report.figures.predicted_measured import predicted_measured
from infersim.report.figures.residual_by_shape import residual_by_shape
from infersim.report.figures.sample_roofline import sample_roofline
from infersim.simulation.kernels.exchange import all_reduce_latency
from tests.report.example_pages import validated
from tests.report.handmade import check_order, check_says


@pytest.fixture(scope="module")
def profile() -> HardwareProfile:
    return validated()[0]


@pytest.fixture(scope="module")
def found() -> Validation:
    return validated()[1]


@pytest.fixture(scope="module")
def gemms(found: Validation) -> pd.DataFrame:
    return found.predictions[found.predictions["kind"] == "gemm"]


def test_the_verdict_on_a_validation_reads_like_this(found: Validation) -> None:
    row = found.errors[(found.errors["kind"] == "gemm") & (found.errors["division"] == "all")].iloc[0]
    mean, median, p90, roofline = (
        f"{100 * row[key]:.1f}".removesuffix(".0")
        for key in ("mape", "median_ape", "p90_ape", "roofline_mape")
    )
    assert validation_verdict(found).sentences[1] == (
        f"Mean error of bf16 GEMMs on h100-sxm: {mean} % (median {median} %, 90 % of the rows within "
        f"{p90} %), where the plain roofline is off by {roofline} %; the 80 % intervals, "
        f"{100 * np.expm1(row['log_half_width']):.0f} % wide to either side, hold "
        f"{100 * row['coverage']:.0f} % of {row['rows']} rows."
    )


def test_the_verdict_has_a_sentence_for_each_kind_and_for_speedups(found: Validation) -> None:
    sentences = validation_verdict(found).sentences
    kinds = (
        "bf16 decode attention",
        "bf16 GEMMs",
        "launches",
        "memory-bound kernels",
        "the speedups of bf16",
    )
    for sentence, kind in zip(sentences, kinds, strict=True):
        check_says(sentence, kind)
    assert "roofline" not in sentences[2]
    cut = found.speedups[found.speedups["cut"] == "n or k"].iloc[0]
    check_order(sentences[-1], f"{100 * cut['median_ape']:.1f} %", f"{100 * cut['flops_median_ape']:.1f} %")


@pytest.mark.parametrize(
    ("overlap", "facts"), [(Overlap.ALL, ("fitted",)), (Overlap.UNKNOWN, ("fitted", "known"))]
)
def test_the_notes_say_what_is_known_of_the_overlap(
    found: Validation, overlap: Overlap, facts: tuple[str, ...]
) -> None:
    apart = validation_verdict(replace(found, overlap=Overlap.NONE)).notes
    (note,) = set(validation_verdict(replace(found, overlap=overlap)).notes) - set(apart)
    check_says(note, *facts)


def test_the_notes_count_what_lies_outside_the_range_and_what_was_left_out(found: Validation) -> None:
    notes = " ".join(validation_verdict(replace(found, left_out={"gpu l40s": 1200})).notes)
    check_order(notes, "calibrated range", f"{found.outside_range} of {len(found.predictions)}")
    check_order(notes, "left out", "1,200", "gpu l40s")


def test_tables_say_what_the_classes_mean(found: Validation) -> None:
    written = error_report_table(found.errors)
    by_class = {row[0]: row for row in written.rows()}
    for text in ("decode (m up to 16)", "prefill (m from 1024)", "large (n x k from 2^22)"):
        assert text in by_class
    labels = [section.label for section in written.sections()]
    assert labels == ["attention.decode bf16", "gemm bf16", "launch", "memory"]
    assert speedup_report_table(found.speedups).rows()[0][0] == "n or k"


def test_machines_get_errors_and_speedups_in_one_frame(found: Validation) -> None:
    frame = validation_frame(found.errors, found.speedups)
    assert len(frame) == len(found.errors) + len(found.speedups)
    assert set(frame["kind"]) == {"gemm", "attention.decode", "launch", "memory", "gemm speedup"}
    assert frame["rows"].notna().all()


def test_points_are_thinned_evenly_and_told_in_words(gemms: pd.DataFrame) -> None:
    points = validation_points(gemms)
    assert len(points) == min(len(gemms), MAX_POINTS)
    m, n, k = points.loc[0, ["m", "n", "k"]].astype(int)
    assert points.loc[0, "shape"] == f"m {m}, n {n}, k {k}"
    assert (points["n x k"] == points["n"] * points["k"]).all()
    # Spread over all, not the first so many.
    assert points["m"].max() == gemms["m"].max()
    assert drawn_dimensions(points) == ("m", "n x k", "k")


def test_every_point_is_drawn_in_each_figure(gemms: pd.DataFrame, profile: HardwareProfile) -> None:
    points = validation_points(gemms)
    scatter = predicted_measured(points)
    classes = [trace for trace in scatter.data if trace.name != "exact"]
    assert {trace.name for trace in classes} == {"decode", "mid", "prefill"}
    assert sum(len(trace.x) for trace in classes) == len(points)
    roofline = sample_roofline(points, profile, DType.BF16)
    by_name = {trace.name: trace for trace in roofline.data}
    assert len(by_name["measured"].x) == len(points)
    assert by_name["predicted"].visible == "legendonly"
    # The roof ends at the peak; nothing measured is above it.
    assert max(by_name["measured"].y) <= max(by_name["roof"].y)


def test_the_median_of_residuals_shows_what_is_systematic(gemms: pd.DataFrame) -> None:
    points = validation_points(gemms)
    slow = points.assign(predicted_us=points["latency_us"] * np.where(points["m"] >= 1024, 1.5, 1.0))
    median = next(trace for trace in residual_by_shape(slow, "m").data if trace.name == "median")
    by_m = dict(zip(median.x, median.y, strict=True))
    assert by_m[16.0] == pytest.approx(1.0)
    assert by_m[4096.0] == pytest.approx(1.5)


def test_there_is_a_view_for_each_kind_that_has_a_shape(found: Validation, profile: HardwareProfile) -> None:
    views = validation_page(found, profile).views
    assert [view.label for view in views] == ["attention.decode bf16", "gemm bf16", "memory"]
    for view in views:
        # Kernels that only move bytes have no place under a tensor peak.
        roofline = {"roofline"} if view.label != "memory" else set()
        assert {chart.name for chart in view.charts} == {"predicted", "residuals"} | roofline


def test_exchanges_between_gpus_are_named_with_what_their_classes_mean() -> None:
    gpu = load_profile("h100-sxm")
    sizes = np.array([2.0**13, 2.0**20, 2.0**26])
    samples = pd.concat(
        [
            pd.DataFrame(
                {
                    "message_bytes": sizes,
                    "latency_us": 1e6 * all_reduce_latency(gpu, message_bytes=sizes, gpus=gpus).latency_s,
                }
            ).assign(gpu="h100-sxm", kind="collective", exchange="all_reduce", gpus=gpus)
            for gpus in (2, 8)
        ],
        ignore_index=True,
    )
    found = validate(gpu, samples)
    verdict = validation_verdict(found)
    assert verdict.sentences[0].startswith("Mean error of exchanges between GPUs on h100-sxm: 0 %")
    table = error_report_table(found.errors)
    classes = table.columns[0]
    shown = {classes.text(*(row[key] for key in classes.keys)) for _, row in table.frame.iterrows()}
    assert {"short (below 128 KiB)", "long (from 16 MiB)", "8 GPUs"} <= shown
    points = validation_points(found.predictions)
    assert {"message_bytes", "gpus"} <= set(drawn_dimensions(points))
    assert residual_by_shape(points, "message_bytes").layout.xaxis.title.text == "message (bytes)"
