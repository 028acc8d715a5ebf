"""Prompts whose first tokens are in the KV cache: what is computed, and what is attended to, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infersim.cost.floor import attention_flop
from infersim.domain.ops import Op
from infersim.domain.shapes import Attention, Gemm
from infersim.workload.memory import kv_cache_bytes
from infersim.workload.ops.model import model_ops
from infersim.workload.presets import load_model
from infersim.workload.transformer import Transformer
from tests.workload.examples import prefill

BATCH, PROMPT, CACHED = 2, 1000, 900
SCENARIO = replace(prefill(BATCH, PROMPT), cached=CACHED)
NEW = PROMPT - CACHED
LLAMA, DEEPSEEK = load_model("llama-3.2-1b"), load_model("deepseek-v3")


def ops_of(model: Transformer) -> dict[str, Op]:
    return {op.name: op for op in model_ops(model, SCENARIO) if op.group == 0}


def tokens_of(op: Op) -> float:
    assert isinstance(op.shape, Gemm)
    return float(np.asarray(op.shape.m))


def test_new_tokens_alone_are_multiplied() -> None:
    ops = ops_of(LLAMA)
    assert {tokens_of(ops[name]) for name in ("qkv", "o", "gate_up", "down")} == {BATCH * NEW}


def test_new_tokens_attend_to_all_before_them() -> None:
    """The i-th of q new tokens over c sees c - q + i."""
    shape = ops_of(LLAMA)["attention"].shape
    assert isinstance(shape, Attention)
    pairs = sum(CACHED + new for new in range(1, NEW + 1))
    assert attention_flop(shape) == pytest.approx(BATCH * 32 * pairs * 4 * 64)


def test_latent_vectors_of_the_cache_are_expanded_too() -> None:
    ops = ops_of(DEEPSEEK)
    assert tokens_of(ops["kv_b"]) == BATCH * PROMPT
    assert tokens_of(ops["q_b"]) == BATCH * NEW


def test_the_cache_is_as_large_as_ever() -> None:
    assert kv_cache_bytes(LLAMA, SCENARIO) == kv_cache_bytes(LLAMA, prefill(BATCH, PROMPT))
