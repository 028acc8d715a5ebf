"""The plans that travel with infersim: counts, ranges, regimes, matrices of models, misaligned widths."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from infersim.domain.dtypes import PRECISIONS, DType
from infersim.domain.shapes import Gemm, Phase
from infersim.fitting.plans.reading import (
    PART,
    MeasurementPlan,
    list_measurement_plans,
    planned_samples,
    read_measurement_plan,
)
from infersim.fitting.plans.schema import GemmModels
from infersim.fitting.plans.shapes import matrices
from infersim.fitting.samples.checks import check_rows
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.shapes import gemm_alignment, gemm_size, gemm_tokens
from infersim.workload.ops.model import model_ops
from infersim.workload.presets import load_model
from infersim.workload.scenario import Execution, Layout, Scenario


@cache
def planned(name: str) -> pd.DataFrame:
    return planned_samples(read_measurement_plan(name))


def asked_for(plan: MeasurementPlan) -> dict[str, int]:
    """Rows of each part by its name, those of included files too."""
    return {part.name: part.rows for source in (*plan.included, plan) for _, part in source.tables.parts()}


def test_the_plans_of_the_documentation_are_there() -> None:
    assert list_measurement_plans() == [
        "attention-200",
        "check",
        "cpu",
        "gemm-400",
        "misalignment",
        "standard",
    ]


@pytest.mark.parametrize("name", list_measurement_plans())
def test_every_part_has_its_rows_and_none_is_there_twice(name: str) -> None:
    rows = planned(name)
    assert rows.groupby(PART).size().to_dict() == asked_for(read_measurement_plan(name))
    assert not rows.drop(columns=PART).duplicated().any()


def test_the_names_keep_their_word() -> None:
    assert len(planned("gemm-400")) == 400
    phases = planned("attention-200").groupby("phase").size()
    assert phases.to_dict() == {"decode": 200, "prefill": 200}


@pytest.mark.parametrize("name", list_measurement_plans())
def test_a_second_reading_plans_the_same(name: str) -> None:
    pd.testing.assert_frame_equal(planned_samples(read_measurement_plan(name)), planned(name))


def test_included_files_plan_what_they_plan_alone() -> None:
    whole = planned("standard")
    for name in ("gemm-400", "attention-200"):
        alone = planned(name)
        within = whole[whole[PART].isin(alone[PART])].reset_index(drop=True)
        pd.testing.assert_frame_equal(within[alone.columns], alone, check_dtype=False)


@pytest.mark.parametrize("name", list_measurement_plans())
def test_with_latencies_the_rows_are_samples(name: str) -> None:
    measured = planned(name).assign(gpu="h100-sxm", latency_us=10.0)
    assert not check_rows(measured).bad.any()
    assert len(read_samples(measured).frame) == len(measured)


def test_other_dtypes_have_the_same_number_of_rows_and_attention_stays_in_16_bit() -> None:
    plan = read_measurement_plan("standard")
    rows = planned_samples(plan, dtypes=["fp16", "fp8", "w4a16"])
    gemms = rows[rows["kind"] == "gemm"].groupby("dtype").size()
    assert gemms.to_dict() == {"fp16": 400, "fp8": 400, "w4a16": 400}
    attention = rows[rows["kind"] == "attention"].groupby("dtype").size()
    # fp8 and w4a16 layers run with bf16 attention.
    assert attention.to_dict() == {"bf16": 400, "fp16": 400}
    counted = rows[~rows["kind"].isin(["gemm", "attention"])].groupby(PART).size().to_dict()
    assert counted == {name: asked_for(plan)[str(name)] for name in counted}


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_no_kernel_takes_more_than_its_file_allows(dtype: str) -> None:
    precision = PRECISIONS[dtype]
    plan = read_measurement_plan("gemm-400")
    rows = planned_samples(plan, dtypes=[dtype])
    m, n, k = (rows[name].to_numpy(dtype=np.float64) for name in ("m", "n", "k"))
    operand_bytes = (
        n * k * precision.weight_bytes + m * k * precision.activation_bytes + m * n * precision.output_bytes
    )
    assert (operand_bytes <= plan.tables.limits.operand_gib * 2**30).all()
    assert (2 * m * n * k <= plan.tables.limits.tflop * 1e12).all()


def test_attention_stays_within_memory_and_time() -> None:
    rows = planned("attention-200")
    batch, query, context, heads, kv_heads, head_dim = (
        rows[name].to_numpy(dtype=np.float64)
        for name in ("batch", "query_len", "context_len", "num_heads", "num_kv_heads", "head_dim")
    )
    limits = read_measurement_plan("attention-200").tables.limits
    # bf16: Q and O for each query, K and V for each token of the context.
    operand_bytes = 2 * 2 * batch * head_dim * (query * heads + context * kv_heads)
    assert (operand_bytes <= limits.operand_gib * 2**30).all()
    # Causal: the i-th of the last `query` tokens sees context - query + i; a multiply-add is 2, twice.
    seen = query * (context - query) + query * (query + 1) / 2
    assert (4 * batch * heads * head_dim * seen <= limits.tflop * 1e12).all()


def test_all_regimes_of_gemms_are_there() -> None:
    rows = planned("gemm-400")
    m, n, k = (rows[name].to_numpy(dtype=np.int64) for name in ("m", "n", "k"))
    counted = pd.crosstab(gemm_tokens(m), gemm_size(n, k))
    assert set(counted.index) == {"decode", "mid", "prefill"}
    assert set(counted.columns) == {"large", "small"}
    assert (counted >= 20).all(axis=None)


def test_all_regimes_of_attention_are_there() -> None:
    rows = planned("attention-200")
    long = np.where(rows["context_len"] >= 4096, "long", "short")
    grouped = np.where(rows["num_heads"] > rows["num_kv_heads"], "grouped", "multi-head")
    many = np.where(rows["batch"] > 8, "many", "few")
    counted = rows.groupby([rows["phase"], long, grouped, many]).size()
    assert len(counted) == 2**4
    assert counted.min() >= 3
    assert (rows.groupby(["phase", "head_dim"]).size() >= 80).all()


def test_decode_attention_has_one_query_and_prefill_the_whole_prompt() -> None:
    rows = planned("attention-200")
    decode = rows["phase"] == "decode"
    assert (rows.loc[decode, "query_len"] == 1).all()
    assert (rows.loc[~decode, "query_len"] == rows.loc[~decode, "context_len"]).all()


def test_misaligned_widths_are_there_each_off_by_a_power_of_two() -> None:
    rows = planned("gemm-400")
    misaligned = rows[rows[PART] == "gemm misaligned"]
    n, k = (misaligned[name].to_numpy(dtype=np.int64) for name in ("n", "k"))
    power = np.minimum(np.stack([n & -n, k & -k]), 64)  # x & -x: the largest power of two that divides x
    assert (power.min(axis=0) < 64).all()
    assert set(power.ravel()) >= {1, 2, 4, 8, 16, 32, 64}
    assert (gemm_alignment(n, k) == "misaligned").sum() >= 10
    others = rows[rows[PART] != "gemm misaligned"]
    n, k = (others[name].to_numpy(dtype=np.int64) for name in ("n", "k"))
    assert (gemm_alignment(n, k) != "misaligned").all()


@pytest.mark.parametrize(
    ("dtype", "least"),
    [(name, 16) for name, p in PRECISIONS.items() if p.math in (DType.FP8, DType.INT8)]
    + [(name, 32) for name, p in PRECISIONS.items() if p.math is DType.FP4],
)
def test_8_bit_and_4_bit_gemms_keep_rows_of_16_bytes(dtype: str, least: int) -> None:
    rows = planned_samples(read_measurement_plan("gemm-400"), dtypes=[dtype])
    assert len(rows) == 400
    assert (rows["n"] % least == 0).all()
    assert (rows["k"] % least == 0).all()
    assert ((rows["n"] % 64 != 0) | (rows["k"] % 64 != 0)).any()


def test_matrices_of_models_are_those_that_models_run() -> None:
    plan = read_measurement_plan("gemm-400")
    rows = planned("gemm-400")
    for part in plan.tables.gemm_models:
        run = set()
        for model in part.models:
            for layout in Layout:
                scenario = Scenario(
                    phase=Phase.PREFILL, batch=2, context=128, execution=Execution(layout=layout)
                )
                for op in model_ops(load_model(model), scenario):
                    if op.name in part.ops:
                        assert isinstance(op.shape, Gemm)
                        run.add((op.shape.n, op.shape.k))
        chosen = rows[rows[PART] == part.name]
        assert set(zip(chosen["n"], chosen["k"], strict=True)) <= run
        # Every second matrix at least: rows are spread over them.
        assert 2 * len(set(zip(chosen["n"], chosen["k"], strict=True))) >= min(len(run), len(chosen))
        assert chosen["m"].between(part.m[0], part.m[1]).all()


def test_the_matrices_of_llama_8b_are_those_of_its_paper() -> None:
    part = GemmModels(
        name="models",
        reason="a test",
        rows=1,
        models=["llama-3.1-8b"],
        ops=["qkv", "q", "k", "v", "o", "gate_up", "gate", "up", "down", "lm_head"],
        m=[1, 1],
    )
    # Hidden 4096; 32 query and 8 KV heads of 128; FFN 14336; vocabulary 128256.
    q, kv, qkv = (4096, 4096), (1024, 4096), (6144, 4096)
    up, gate_up, down = (14336, 4096), (28672, 4096), (4096, 14336)
    assert matrices(part) == sorted({q, kv, qkv, up, gate_up, down, (128256, 4096)})
