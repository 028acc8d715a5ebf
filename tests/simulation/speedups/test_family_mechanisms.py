"""What families gain or lose in whole models, and from where: the mechanisms that their pages tell."""

from __future__ import annotations

import math

import numpy as np
import pytest

from infersim.cost.kernels import kernel_cost
from infersim.domain.arrays import Array, Numeric
from infersim.domain.dtypes import precision_named
from infersim.domain.shapes import Gemm
from infersim.profile_files.profiles import load_profile
from infersim.pruning.composition import prune
from infersim.pruning.plan import OptionValue
from infersim.simulation.speedups.comparison import compare
from infersim.simulation.speedups.resolving import Dimension
from infersim.workload.presets import load_model

MODEL, GPU = load_model("llama-3.1-8b"), "rtx-pro-6000"


def speedups(
    family: str,
    sparsity: float,
    phase: str,
    batch: Dimension,
    context: Dimension,
    **options: OptionValue,
) -> Array:
    plan = prune(MODEL, family, sparsity, **options)
    frame = compare(MODEL, plan, GPU, phase=phase, batch=batch, context=context, execution="separate")
    return frame["predicted"].to_numpy(dtype=float)


def test_token_skipping_gains_nothing_from_few_tokens() -> None:
    """The source paper finds no gain below 512 tokens in flight."""
    prompts = speedups("dynamic-m", 0.25, "prefill", 1, [64, 128, 256, 512])  # 512: about as fast
    assert (prompts < 1.01).all()
    halves = speedups("dynamic-m", 0.5, "prefill", 1, [64, 128, 4096])
    assert halves[0] < 1
    assert halves[1] < 1
    assert halves[2] > 1.2


def test_a_full_batch_reads_every_weight() -> None:
    alone, many = speedups("dynamic-m", 0.5, "decode", [1, 16], 1024)
    assert alone > 1 > many


def test_gathering_is_faster_where_library_kernels_can_run() -> None:
    for phase in ("prefill", "decode"):
        in_place = speedups("dynamic-m", 0.5, phase, 4, 4096)
        gathered = speedups("dynamic-m", 0.5, phase, 4, 4096, execution="gather")
        assert gathered > in_place, phase


def test_block_sparse_attention_pays_where_attention_dominates() -> None:
    gains = speedups("dynamic-nk", 0.9, "prefill", 1, [1024, 8192, 65536])
    assert (np.diff(gains) > 0).all()
    assert gains[0] < 1.02 < 1.5 < gains[2]


def test_masks_for_each_head_save_decode_less() -> None:
    shared = speedups("dynamic-nk", 0.5, "decode", 8, 32768)
    apart = speedups("dynamic-nk", 0.5, "decode", 8, 32768, masks="head")
    assert shared > apart


def test_a_fused_pair_saves_a_launch_and_pays_in_its_kernel() -> None:
    plan = prune(MODEL, "static-k-lowrank", 0.5)
    fused = prune(MODEL, "static-k-lowrank", 0.5, fused=True)
    frame = compare(MODEL, [plan, fused], GPU, phase="decode", context=1024, execution="separate")
    apart, together = frame.iloc[0], frame.iloc[1]
    assert together["ms_launch"] < apart["ms_launch"]
    assert together["ms_ffn"] > apart["ms_ffn"]


def test_sums_of_attention_weights_cost_the_prompt() -> None:
    by_position = speedups("kv-pruning", 0.5, "prefill", 1, 32768)
    by_sums = speedups("kv-pruning", 0.5, "prefill", 1, 32768, score="accumulated")
    assert by_position == pytest.approx(1)
    assert by_sums < 0.95


def test_the_mean_mask_stands_for_random_masks() -> None:
    """A GEMM's expected time over binomial masks, against its time at the expected tokens of a run."""
    batch, rate, gpu = 8, 0.5, load_profile(GPU)
    kept = np.arange(1, batch + 1)
    chance = np.array([math.comb(batch, int(m)) for m in kept]) * rate**batch
    runs = 1 - rate**batch

    def seconds(tokens: Numeric) -> Array:
        cost = kernel_cost(Gemm(m=tokens, n=14336, k=4096, precision=precision_named("bf16")), gpu)
        return cost.kernel_s + cost.launch_s

    expected = float((chance * seconds(kept)).sum())
    assert expected == pytest.approx(runs * float(seconds(batch * (1 - rate) / runs)), rel=0.02)
