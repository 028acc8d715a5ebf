"""The verdict on a prediction: how long, how near to the floor, what takes most of it."""

from __future__ import annotations

from infersim.report.prediction_verdict import predict_verdict
from tests.report.handmade import prediction


def test_one_scenario_is_told_with_interval_floor_and_largest_part() -> None:
    assert predict_verdict(prediction({})).sentences == (
        "Prefill of llama-3.1-8b is predicted to take 20.0 ms (18.0–22.0) on h100-sxm, 2.00 times its floor; "
        "FFN takes 50 % of it.",
    )


def test_several_scenarios_name_what_tells_them_apart() -> None:
    sentences = predict_verdict(prediction({"phase": "decode", "batch": 1}, {"phase": "decode", "batch": 8}))
    assert [sentence.split(" is predicted")[0] for sentence in sentences.sentences] == [
        "A decode step of llama-3.1-8b (batch 1)",
        "A decode step of llama-3.1-8b (batch 8)",
    ]


def test_what_does_not_fit_is_not_timed() -> None:
    (sentence,) = predict_verdict(prediction({"fits_memory": False})).sentences
    assert sentence == (
        "Prefill of llama-3.1-8b does not fit into the memory of h100-sxm: it needs 16.0 GiB."
    )


def test_a_request_in_seconds() -> None:
    (sentence,) = predict_verdict(
        prediction({"phase": "request", "latency_ms": 2e4, "lower_ms": 1.5e4, "upper_ms": 3e4})
    ).sentences
    assert sentence.startswith("A request to llama-3.1-8b is predicted to take 20.0 s (15.0–30.0)")


def test_many_scenarios_are_summed_up_by_gpu_and_phase() -> None:
    rows = [{"batch": batch, "latency_ms": 10.0 * batch, "fits_memory": batch < 7} for batch in range(1, 9)]
    misfits = [row | {"gpu": "t4", "fits_memory": False} for row in rows]
    assert predict_verdict(prediction(*rows, *misfits)).sentences == (
        "Prefill of llama-3.1-8b on h100-sxm is predicted to take 10.0 to 60.0 ms in 6 of 8 scenarios.",
        "Prefill of llama-3.1-8b on t4 does not fit into memory in any of 8 scenarios.",
    )


def test_trust_is_noted() -> None:
    verdict = predict_verdict(prediction({"calibration": "none", "notes": ("context beyond 10 positions",)}))
    assert verdict.notes == (
        "Uncalibrated: no measurement stands behind h100-sxm; intervals are wide, from defaults.",
        "Context beyond 10 positions.",
    )
