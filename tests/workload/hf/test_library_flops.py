"""FLOPs of a prefill against torch's counter on the `transformers` library's models, on the meta device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from infersim.domain.shapes import Attention, Experts, Gemm
from infersim.workload.hf.entries import ARCHITECTURES
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.ops.model import model_ops
from tests.workload.examples import prefill
from tests.workload.hf.library import library_model, spelt, torch
from tests.workload.hf.sizes import MODEL_TYPES, small

pytestmark = pytest.mark.filterwarnings("ignore")

BATCH, TOKENS = 2, 48

RUNS_ALL_EXPERTS = {"llama4_text"}
"""The library's code runs every expert on every token, and multiplies what is not chosen by zero."""


CORE = ("kv_b", "attention", "q_absorbed", "v_absorbed", "chosen_attention")
"""Ops between the projections and `o` of latent attention."""


def scores_of_all(config: dict[str, Any]) -> float:
    """By hand: what the library's indexer does where engines leave it out, as every token is chosen.

    Queries and weights of heads, products with all keys, and their weighted sum.
    """
    if "index_topk" not in config or config["index_topk"] < TOKENS:
        return 0.0
    heads, size, rows = config["index_n_heads"], config["index_head_dim"], BATCH * TOKENS
    projected = config["q_lora_rank"] * heads * size + config["hidden_size"] * heads
    return float(2 * rows * config["num_hidden_layers"] * (projected + TOKENS * heads * (size + 1)))


def counted(config: dict[str, Any]) -> float:
    """Multiplications and additions of one pass of the library's model."""
    from torch.utils.flop_counter import FlopCounterMode

    # Every token's experts as one batch of GEMMs: the loop over experts that are hit looks at values.
    how = (
        {"experts_implementation": "batched_mm"}
        if "num_experts_per_tok" in ARCHITECTURES[config["model_type"]].defaults
        else {}
    )
    model = library_model(config, **how).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        ids = torch.ones(BATCH, TOKENS, dtype=torch.long, device="meta")
        model(ids, attention_mask=torch.ones_like(ids), use_cache=False)
    return float(counter.get_total_flops())


def ours(config: dict[str, Any], without: tuple[str, ...] = ()) -> float:
    """Ours, counted as eager code works: masked pairs too, and the head on all tokens."""
    total = 0.0
    for op in model_ops(transformer_from_config(config), prefill(BATCH, TOKENS)):
        if op.name in without:
            continue
        if isinstance(op.shape, Gemm):
            rows = BATCH * TOKENS if op.name == "lm_head" else op.shape.m
            work = 2.0 * np.asarray(rows) * op.shape.n * op.shape.k
        elif isinstance(op.shape, Attention):
            work = 4.0 * BATCH * TOKENS**2 * np.asarray(op.shape.num_heads * op.shape.mean_dim)
        elif isinstance(op.shape, Experts):
            matrices = np.asarray(op.shape.hidden * op.shape.width) * (3 if op.shape.gated else 2)
            experts = op.shape.num_experts if config["model_type"] in RUNS_ALL_EXPERTS else op.shape.top_k
            work = 2.0 * op.shape.tokens * experts * matrices
        else:
            continue
        total += float(work * op.count)
    return total


@pytest.mark.slow
@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_prefill(model_type: str) -> None:
    config = spelt(model_type, **small(model_type))
    assert ours(config) + scores_of_all(config) == pytest.approx(counted(config), rel=0.005)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model_type", "options"),
    [("deepseek_v32", {}), ("glm_moe_dsa", {}), ("glm_moe_dsa", {"indexer_types": ["full", "shared"]})],
)
def test_chosen_tokens(model_type: str, options: dict[str, Any]) -> None:
    """The library's code attends to all tokens and masks: all but that is as ours, and that by hand."""
    config = spelt(model_type, **(small(model_type) | options | {"index_topk": 16}))
    heads, rank, rows = config["num_attention_heads"], config["kv_lora_rank"], BATCH * TOKENS
    nope, rope, of_v = (config[key] for key in ("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"))
    expanding = 2.0 * rows * rank * heads * (nope + of_v)
    dense = 2.0 * rows * TOKENS * heads * (nope + rope + of_v)
    theirs = counted(config) - config["num_hidden_layers"] * (expanding + dense)
    assert ours(config, without=CORE) == pytest.approx(theirs, rel=0.005)
