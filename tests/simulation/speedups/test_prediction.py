"""`predict`: its rows, its columns and its errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from infersim.domain.errors import InvalidValueError, UnknownNameError, UnsupportedError
from infersim.profile_files.profiles import load_profile
from infersim.pruning.composition import prune
from infersim.simulation.speedups.prediction import predict
from infersim.workload.presets import load_model
from infersim.workload.requests import Request

COLUMNS = [
    "model",
    "gpu",
    "gpus",
    "calibration",
    "phase",
    "batch",
    "context",
    "fits_memory",
    "latency_ms",
    "lower_ms",
    "upper_ms",
    "floor_ms",
    "tokens_per_s",
    "memory_gib",
]
PARTS = ("qkvo", "ffn", "attention", "lm_head", "elementwise", "launch", "extra", "communication")


def only(frame: pd.DataFrame) -> dict[str, Any]:
    (row,) = frame.to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_batches_and_contexts_are_multiplied_out() -> None:
    frame = predict("llama-3.1-8b", "h100-sxm", phase="prefill", batch=[1, 8], context=[1024, 32768])
    assert list(zip(frame["batch"], frame["context"], strict=True)) == [
        (1, 1024),
        (1, 32768),
        (8, 1024),
        (8, 32768),
    ]
    assert list(frame.columns[: len(COLUMNS)]) == COLUMNS
    assert {f"ms_{part}" for part in PARTS} <= set(frame.columns)
    np.testing.assert_allclose(sum(frame[f"ms_{part}"] for part in PARTS), frame["latency_ms"])
    assert (frame["floor_ms"] <= frame["lower_ms"]).all()
    assert (frame["lower_ms"] < frame["latency_ms"]).all()
    assert (frame["latency_ms"] < frame["upper_ms"]).all()
    assert set(frame["gpu"]) == {"h100-sxm"}
    assert set(frame["phase"]) == {"prefill"}


def test_both_phases_and_several_gpus_are_one_frame() -> None:
    frame = predict("llama-3.1-8b", ["l4", "a10"], phase="both", context=[128, 256])
    assert list(frame["gpu"].unique()) == ["l4", "a10"]
    assert frame.groupby(["gpu", "phase"]).size().tolist() == [2, 2, 2, 2]


def test_a_gpu_is_a_profile_or_a_name_and_a_model_a_transformer_or_a_name() -> None:
    by_name = predict("llama-3.1-8b", "h100-sxm", context=512)
    by_record = predict(load_model("llama-3.1-8b"), load_profile("NVIDIA H100 80GB HBM3"), context=512)
    pd.testing.assert_frame_equal(by_name, by_record)


@pytest.mark.parametrize(("phase", "tokens"), [("prefill", 4 * 2048), ("decode", 4)])
def test_tokens_per_second_are_those_read_or_made(phase: str, tokens: int) -> None:
    row = only(predict("llama-3.1-8b", "h100-sxm", phase=phase, batch=4, context=2048))
    assert row["tokens_per_s"] == pytest.approx(tokens / row["latency_ms"] * 1e3)


def test_what_does_not_fit_is_timed_and_marked() -> None:
    # 8.03e9 parameters of 2 bytes are 16.06 GB: more than the usable 90 % of an RTX 5080's 16 GB.
    frame = predict("llama-3.1-8b", ["rtx-5080", "rtx-3090"], phase="decode", batch=1, context=128)
    assert frame["fits_memory"].tolist() == [False, True]
    assert (frame["latency_ms"] > 0).all()
    assert frame["memory_gib"].iloc[0] == pytest.approx(16.06e9 / 2**30, rel=0.01)


def test_a_context_beyond_the_models_positions_is_told() -> None:
    frame = predict("llama-3.1-8b", "h100-sxm", phase="decode", context=[131072, 131073])
    assert frame["notes"].tolist() == ["", "context beyond the model's 131072 positions"]


def test_a_request_is_prefill_and_every_decode_step() -> None:
    batch = [1, 8]
    request = Request(prompt_len=1000, output_len=5)
    whole = predict("llama-3.1-8b", "h100-sxm", request=request, batch=batch)
    prefill = predict("llama-3.1-8b", "h100-sxm", phase="prefill", batch=batch, context=1000)
    steps = predict("llama-3.1-8b", "h100-sxm", phase="decode", batch=batch, context=[1001, 1002, 1003, 1004])
    total = prefill["latency_ms"].to_numpy() + steps.groupby("batch")["latency_ms"].sum().to_numpy()
    np.testing.assert_allclose(whole["latency_ms"], total, rtol=1e-6)
    assert whole["phase"].unique().tolist() == ["request"]
    assert whole["context"].unique().tolist() == [1005]
    np.testing.assert_allclose(whole["tokens_per_s"], np.array(batch) * 5e3 / whole["latency_ms"])


def test_a_request_by_name_needs_no_context() -> None:
    classification = only(predict("llama-3.1-8b", "l40s", request="classification"))
    prefill = only(predict("llama-3.1-8b", "l40s", phase="prefill", context=1024))
    assert classification["latency_ms"] == pytest.approx(prefill["latency_ms"])


def test_a_plan_is_named_with_what_was_done() -> None:
    plan = prune(load_model("llama-3.1-8b"), "static-m", 0.25)
    row = only(predict(plan, "h100-sxm", phase="decode", context=512))
    assert row["model"] == "llama-3.1-8b (static-m, 25.0%)"


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"context": 0}, InvalidValueError, "context = 0"),
        ({"context": -8}, InvalidValueError, "context = -8"),
        ({"context": 1.5}, InvalidValueError, "context = 1.5"),
        ({"context": float("nan")}, InvalidValueError, "context = nan"),
        ({"context": 10**12}, InvalidValueError, "context = 1000000000000"),
        ({"context": "1024"}, InvalidValueError, "context = '1024'"),
        ({"context": True}, InvalidValueError, "context = True"),
        ({"context": [[1, 2]]}, InvalidValueError, "context = [[1, 2]]"),
        ({"context": [[1], [2, 3]]}, InvalidValueError, "an array of them"),
        ({"context": []}, InvalidValueError, "at least one value"),
        ({"context": 8, "batch": 0}, InvalidValueError, "batch = 0"),
        ({}, InvalidValueError, "--context"),
        ({"context": 8, "request": "generation"}, InvalidValueError, "request"),
        ({"context": 8, "phase": "decoding"}, UnknownNameError, "did you mean decode"),
        ({"context": 8, "execution": "fuse"}, UnknownNameError, "did you mean fused"),
        ({"context": 8, "dtype": "bf15"}, UnknownNameError, "did you mean bf16"),
        ({"context": 8, "kv_dtype": "fp9"}, UnknownNameError, "known: bf16"),
        ({"request": "chat"}, UnknownNameError, "known: classification, generation, reasoning"),
    ],
)
def test_impossible_arguments_are_told(options: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error) as caught:
        predict("llama-3.1-8b", "h100-sxm", **options)
    assert told in str(caught.value)


def test_a_type_that_the_gpu_lacks_is_told() -> None:
    with pytest.raises(UnsupportedError, match=r"v100-sxm.*bf16"):
        predict("llama-3.1-8b", "v100-sxm", context=128)


def test_no_gpu_is_told() -> None:
    with pytest.raises(InvalidValueError, match="at least one GPU"):
        predict("llama-3.1-8b", [], context=128)


def test_a_request_needs_the_memory_of_its_last_step() -> None:
    lengths = Request(prompt_len=100, output_len=5001)
    request = predict("llama-3.1-8b", "h100-sxm", batch=4, request=lengths)
    last = predict("llama-3.1-8b", "h100-sxm", phase="decode", batch=4, context=5100)
    assert request["memory_gib"].item() == pytest.approx(last["memory_gib"].item())


def test_what_is_known_of_one_16_bit_format_is_known_of_the_other() -> None:
    columns = ["latency_ms", "lower_ms", "upper_ms", "calibrated_share"]
    bf16, fp16 = (
        predict("llama-3.1-8b", "a100-sxm-80gb", phase="decode", context=1024, dtype=dtype)[columns]
        for dtype in ("bf16", "fp16")
    )
    assert bf16.equals(fp16)


def test_weight_only_kernels_gain_with_few_tokens_and_lose_with_many() -> None:
    def latency_ms(dtype: str, phase: str) -> float:
        found = predict("llama-3.1-8b", "h100-sxm", phase=phase, context=4096, dtype=dtype)
        return float(found["latency_ms"].item())

    assert latency_ms("w4a16", "decode") < latency_ms("bf16", "decode")
    assert latency_ms("w4a16", "prefill") > latency_ms("bf16", "prefill")


def test_what_a_host_takes_is_less_sure_than_what_a_graph_does() -> None:
    widths = []
    for graph in (True, False):
        found = predict("llama-3.2-1b", "h100-sxm", phase="decode", context=512, cuda_graph=graph)
        widths.append(float(np.log(found["upper_ms"] / found["lower_ms"]).item()))
    assert widths[1] > widths[0]
