"""Comparison and prediction rows made by hand, whose verdicts and tables can be told on paper.

Also what tests check of a text: the facts in it, in whatever words.
"""

from __future__ import annotations

import re
from math import nan
from typing import Any

import pandas as pd

from infersim.report.html.packing import unpacked

FACTORS = ("unpruned_work", "memory_floor", "extra_work", "kernel_efficiency", "launch")


def check_says(text: str, *facts: str) -> None:
    """Check that each fact (a number with its unit, a name) stands in `text`; capitals do not matter."""
    missing = [fact for fact in facts if _place(fact, text) is None]
    assert not missing, f"{missing} not in {text!r}"


def check_order(text: str, *facts: str) -> None:
    """Check that the facts stand in `text` in this order, each at its first place."""
    check_says(text, *facts)
    places = {fact: _place(fact, text) for fact in facts}
    assert sorted(facts, key=lambda fact: places[fact] or 0) == list(facts), f"{places} in {text!r}"


def _place(fact: str, text: str) -> int | None:
    """Where `fact` begins in `text` as words and numbers of its own: 1.5 is not in 1.52 nor in 11.5."""
    whole = rf"(?<![\w.,]){re.escape(fact)}(?![\w%]|[.,]\d)"
    found = re.search(whole, text.replace("\u00a0", " "), re.IGNORECASE)
    return None if found is None else found.start()


def comparison(*changes: dict[str, Any]) -> pd.DataFrame:
    """One row for each dict of changes."""
    return pd.DataFrame([comparison_row(**change) for change in changes])


def comparison_row(**changes: Any) -> dict[str, Any]:
    """FLOPs promise 2x, 0.8 go to unpruned attention, 0.95 to kernels: 1.52x of a possible 1.6x.

    Speedups follow from `flops` and the factors unless they are changed too.
    """
    row: dict[str, Any] = {
        "model": "llama-3.1-8b",
        "gpu": "h100-sxm",
        "gpus": 1,
        "calibration": "fitted",
        "family": "static-nk",
        "sparsity": 0.5,
        "targets": "ffn qkvo",
        "phase": "prefill",
        "batch": 1,
        "context": 4096,
        "fits_memory": True,
        "dense_fits_memory": True,
        "flops": 2.0,
        "loss_unpruned_work": 0.8,
        "loss_memory_floor": 1.0,
        "loss_extra_work": 1.0,
        "loss_kernel_efficiency": 0.95,
        "loss_launch": 1.0,
        "loss_communication": 1.0,
        "loss_unexplained": nan,
        "ceiling": 2.5,
        "measured": nan,
        "measured_scope": "",
        "measured_source": "",
        "static_m_equivalent": 0.375,
        "memory_gib": 10.0,
        "calibrated_share": 1.0,
        "notes": (),
        "dense_ms": 100.0,
        "latency_ms": 65.0,
        **{f"ms_{part}": 10.0 for part in ("qkvo", "ffn", "lm_head", "elementwise", "launch")},
        "ms_attention": 15.0,
        "ms_extra": 0.0,
        "ms_communication": 0.0,
    } | changes
    bound = row["flops"] * row["loss_unpruned_work"] * row["loss_memory_floor"]
    predicted = bound * row["loss_extra_work"] * row["loss_kernel_efficiency"] * row["loss_launch"]
    predicted *= row["loss_communication"]
    row = {"bound": bound, "predicted": predicted, "sparsity_realised": row["sparsity"]} | row
    row = {"predicted_lower": row["predicted"] - 0.05, "predicted_upper": row["predicted"] + 0.05} | row
    percent = "" if row["sparsity"] != row["sparsity"] else f" {100 * row['sparsity']:g} %"
    realised = row["measured"] if row["measured_scope"] == "point" else row["predicted"]
    return {"plan": f"{row['family']}{percent}", "attainment": realised / row["bound"]} | row


def factors(value: float, **others: float) -> dict[str, float]:
    """All factors at `value` but for some."""
    return {f"loss_{name}": others.get(name, value) for name in FACTORS}


def prediction(*changes: dict[str, Any]) -> pd.DataFrame:
    """Rows of `predict`, 20 ms of which the FFN takes half."""
    row: dict[str, Any] = {
        "model": "llama-3.1-8b",
        "gpu": "h100-sxm",
        "gpus": 1,
        "calibration": "fitted",
        "phase": "prefill",
        "batch": 1,
        "context": 4096,
        "fits_memory": True,
        "latency_ms": 20.0,
        "lower_ms": 18.0,
        "upper_ms": 22.0,
        "floor_ms": 10.0,
        "tokens_per_s": 204800.0,
        "memory_gib": 16.0,
        "ms_qkvo": 4.0,
        "ms_ffn": 10.0,
        "ms_attention": 3.0,
        "ms_lm_head": 1.0,
        "ms_elementwise": 1.5,
        "ms_extra": 0.0,
        "ms_communication": 0.0,
        "ms_launch": 0.5,
        "calibrated_share": 1.0,
        "energy_j_per_token": 0.5,
        "energy_upper_j_per_token": 0.6,
        "energy_calibration": "fitted",
        "notes": (),
    }
    return pd.DataFrame([row | change for change in changes])


def island(page: str, name: str) -> str:
    """What the page holds packed."""
    (found,) = re.findall(rf'<script type="text/plain" id="{name}">([^<]*)</script>', page)
    return unpacked(found)
