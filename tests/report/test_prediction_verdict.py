"""The verdict on a prediction: how long, how near to the floor, what takes most of it."""

from __future__ import annotations

from infersim.report.prediction_verdict import predict_verdict
from tests.report.handmade import check_order, check_says, prediction


def test_a_verdict_on_one_scenario_reads_like_this() -> None:
    assert predict_verdict(prediction({})).sentences == (
        "Prefill of llama-3.1-8b is predicted to take 20.0 ms (18.0–22.0) on h100-sxm, 2.00 times its floor; "
        "FFN takes 50 % of it.",
    )


def test_several_scenarios_name_what_tells_them_apart() -> None:
    first, second = predict_verdict(
        prediction({"phase": "decode", "batch": 1}, {"phase": "decode", "batch": 8})
    ).sentences
    check_says(first, "decode", "llama-3.1-8b", "batch 1")
    check_says(second, "decode", "llama-3.1-8b", "batch 8")


def test_what_does_not_fit_is_not_timed() -> None:
    (sentence,) = predict_verdict(prediction({"fits_memory": False})).sentences
    check_says(sentence, "prefill", "llama-3.1-8b", "memory", "h100-sxm", "16.0 GiB")
    assert " ms" not in sentence


def test_a_request_in_seconds() -> None:
    (sentence,) = predict_verdict(
        prediction({"phase": "request", "latency_ms": 2e4, "lower_ms": 1.5e4, "upper_ms": 3e4})
    ).sentences
    check_says(sentence, "request", "llama-3.1-8b", "20.0 s", "15.0–30.0")


def test_many_scenarios_are_summed_up_by_gpu_and_phase() -> None:
    rows = [{"batch": batch, "latency_ms": 10.0 * batch, "fits_memory": batch < 7} for batch in range(1, 9)]
    misfits = [row | {"gpu": "t4", "fits_memory": False} for row in rows]
    timed, too_large = predict_verdict(prediction(*rows, *misfits)).sentences
    check_order(timed, "prefill", "llama-3.1-8b", "10.0", "60.0 ms", "6 of 8")
    check_says(timed, "h100-sxm")
    check_says(too_large, "prefill", "llama-3.1-8b", "t4", "memory", "8")
    assert " ms" not in too_large


def test_trust_is_noted() -> None:
    verdict = predict_verdict(prediction({"calibration": "none", "notes": ("context beyond 10 positions",)}))
    trust, limit = verdict.notes
    check_says(trust, "uncalibrated", "h100-sxm")
    check_says(limit, "context beyond 10 positions")
