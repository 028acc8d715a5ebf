"""Padding advice: what zeros change by the model itself, in words with numbers and an interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infersim.pruning.padding import Dimension, Width, padded
from infersim.report.advice.verdict import advice_verdict
from infersim.report.summary import summary
from infersim.simulation.advice.padded import padded_widths
from infersim.simulation.speedups.prediction import predict
from infersim.workload.presets import load_model

MODEL = load_model("llama-3.2-1b")
ODD = padded(MODEL, Width(dimension=Dimension.FFN, value=8192), 8191)


def test_aligned_widths_have_nothing_to_pad() -> None:
    frame = padded_widths(MODEL, "h100-sxm", phase="decode", context=512)
    assert frame.empty
    assert advice_verdict(None, None, None, frame).sentences == ()
    assert "padding" not in predict(MODEL, "h100-sxm", phase="decode", context=512)["notes"].iloc[0]


def test_each_odd_width_is_padded_to_each_multiple_once() -> None:
    frame = padded_widths(replace(ODD, vocab=32001), "h100-sxm", phase="decode", batch=[1, 8], context=512)
    assert len(frame) == 2 * (3 + 1)
    ways = frame[["dimension", "width", "padded", "multiple"]].drop_duplicates().values.tolist()
    assert ways == [
        ["vocabulary", 32001, 32008, 8],
        ["vocabulary", 32001, 32016, 16],
        ["vocabulary", 32001, 32064, 64],
        ["FFN width", 8191, 8192, 8],
    ]


def test_time_and_memory_are_those_of_the_padded_model() -> None:
    frame = padded_widths(ODD, "h100-sxm", phase="prefill", batch=4, context=512)
    (row,) = frame.to_dict("records")
    before, after = (
        predict(model, "h100-sxm", phase="prefill", batch=4, context=512) for model in (ODD, MODEL)
    )
    assert row["latency_ms"] == before["latency_ms"].iloc[0]
    assert row["padded_ms"] == pytest.approx(after["latency_ms"].iloc[0])
    assert row["saves"] == pytest.approx(1 - row["padded_ms"] / row["latency_ms"])
    assert row["memory_mib"] == pytest.approx((after["memory_gib"] - before["memory_gib"]).iloc[0] * 1024)
    assert row["saves_lower"] < row["saves"] < row["saves_upper"]
    # an odd K keeps Hopper's copy engine out of two large matrices of each block
    assert row["saves"] > 0.05


def test_the_verdict_names_the_change_with_its_interval() -> None:
    frame = padded_widths(ODD, "h100-sxm", phase="prefill", context=512)
    (sentence,) = summary(frame).verdict.sentences
    assert sentence.startswith("FFN width: 8191 -> 8192 is predicted to save ")
    assert " of the time for " in sentence
    assert np.isfinite(frame["saves_upper"]).all()


def test_a_prediction_of_an_odd_width_says_what_padding_would_save() -> None:
    note = predict(ODD, "h100-sxm", phase="decode", batch=[1, 64], context=512)["notes"].iloc[0]
    assert "padding the FFN width from 8191 to 8192 takes " in note
    assert "is predicted to save" in note
