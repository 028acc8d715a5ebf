"""Intervals grow with the distance of a context from those that were measured."""

from __future__ import annotations

import numpy as np
import pytest

import infersim as sim
from infersim.cost.attention.attention import SPREAD_PER_OCTAVE
from infersim.cost.regimes import LONG_MIN_TOKENS
from infersim.transfer.strangers import claimed_interval

GPU = "a100-sxm-80gb"


def half_widths(contexts: list[int], phase: str = "prefill") -> list[float]:
    """Log half-widths of one layer's attention at `contexts`."""
    found = sim.attention_latency(
        GPU,
        phase=phase,
        batch=1,
        query_len=contexts if phase == "prefill" else 1,
        context_len=contexts,
        num_heads=32,
        num_kv_heads=8,
        head_dim=128,
    )
    return list(np.log(np.asarray(found.upper_s) / found.latency_s))


@pytest.mark.parametrize(("phase", "longest"), [("prefill", 2**14), ("decode", 2**17)])
def test_each_doubling_beyond_the_samples_adds_in_quadrature(phase: str, longest: int) -> None:
    profile = sim.load_profile(GPU)
    assert profile.fit is not None
    kind = profile.fit.kinds[f"attention.{phase}"]
    assert kind.ranges["context_len"][1] == longest
    inside, one, four, six = half_widths([longest, 2 * longest, 16 * longest, 64 * longest], phase)
    regime = "long" if longest >= LONG_MIN_TOKENS else "short"
    interval = claimed_interval(kind)
    assert inside == pytest.approx(interval.by_regime[regime], rel=1e-6)
    for octaves, width in ((1, one), (4, four), (6, six)):
        expected = np.hypot(interval.outside, SPREAD_PER_OCTAVE * np.sqrt(octaves))
        assert width == pytest.approx(expected, rel=1e-6)


def test_a_long_prompt_is_less_sure_than_a_short_one() -> None:
    """Whole models too: a million tokens are 64 times what was measured."""
    contexts = [2**14, 2**16, 2**18, 2**20]
    frame = sim.predict("llama-3-8b", GPU, phase="prefill", context=contexts)
    widths = np.log(frame["upper_ms"].to_numpy() / frame["latency_ms"].to_numpy())
    assert (np.diff(widths) > 0.05).all()
