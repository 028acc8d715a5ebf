"""Published times of very long prompts lie in the predicted interval, which widens towards them."""

from __future__ import annotations

import pytest

from infersim.simulation.speedups.prediction import predict

MEASURED_S = {50_000: 8.529, 100_000: 24.88, 200_000: 79.39, 500_000: 456.8, 1_000_000: 1766.0}
"""Prefill of Llama-3-8B, one A100-80GB, FlashAttention 2 under transformers without a KV cache.

microsoft/MInference, experiments/README.md (end-to-end benchmark, column FlashAttention-2).
"""


@pytest.mark.parametrize("tokens", MEASURED_S)
def test_a_long_prompt_takes_what_was_measured(tokens: int) -> None:
    row = predict(
        "llama-3-8b",
        "a100-sxm-80gb",
        phase="prefill",
        context=tokens,
        execution="separate",
        cuda_graph=False,
    ).iloc[0]
    assert row["lower_ms"] / 1e3 < MEASURED_S[tokens] < row["upper_ms"] / 1e3
