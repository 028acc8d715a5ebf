"""The other commands: predict, gemm, gpus, models, import, reproduce."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infersim.fitting.samples.reading import read_samples
from infersim.profile_files.profiles import list_profiles, load_profile
from infersim.simulation.kernels.gemm import gemm_latency
from infersim.workload.presets import list_models
from tests.cli.conftest import Infersim
from tests.report.handmade import check_order

PREDICT = ("predict", "-m", "llama-3.2-1b", "-g", "l4")


def test_predict_prints_a_row_for_each_scenario(answered: Infersim) -> None:
    ran = answered(*PREDICT, "-g", "l4,a10", "-c", "128,1024", "-b", "1,8", "-p", "decode", "--json")
    found = [(row["gpu"], row["batch"], row["context"]) for row in ran.rows]
    assert found == [
        (gpu, batch, context) for gpu in ("l4", "a10") for batch in (1, 8) for context in (128, 1024)
    ]
    assert all(row["lower_ms"] < row["latency_ms"] < row["upper_ms"] for row in ran.rows)


def test_predict_tells_latency_and_floor_first(answered: Infersim) -> None:
    first = answered(*PREDICT, "-c", "512", "-p", "prefill").out.splitlines()[0]
    check_order(first, "prefill", "llama-3.2-1b", "ms", "l4", "floor")


def test_what_a_file_leaves_out_is_told_aside(answered: Infersim, tmp_path: Path) -> None:
    file = tmp_path / "seeing.json"
    text = {"hidden_size": 512, "num_hidden_layers": 2, "intermediate_size": 1024, "num_attention_heads": 4}
    file.write_text(json.dumps({"model_type": "llava", "vision_config": {}, "text_config": text}))
    ran = answered("predict", "-m", str(file), "-g", "l4", "-c", "128", "-p", "decode", "--json")
    assert "seeing: only the text model counts; left out: vision_config" in ran.err
    assert "seeing: left to the model's class by the file: vocab_size 32000" in ran.err
    assert [row["model"] for row in ran.rows] == ["seeing"]


def test_predict_sets_plans_below_each_other(answered: Infersim) -> None:
    rows = answered(*PREDICT, "-c", "512", "-p", "decode", "-f", "static-m", "-s", "0.25,0.5", "--json").rows
    quarter, half = (row["latency_ms"] for row in rows)
    assert half < quarter


def test_a_request_by_name_is_that_by_its_lengths(answered: Infersim) -> None:
    by_name = answered(*PREDICT, "--request", "generation", "--json").rows
    by_lengths = answered(*PREDICT, "--prompt", "1024", "--output", "256", "--json").rows
    assert by_name == by_lengths
    assert by_name[0]["phase"] == "request"


def test_options_of_execution_reach_the_prediction(answered: Infersim) -> None:
    def latency_ms(*options: str) -> float:
        rows = answered(*PREDICT, "-c", "512", "-p", "decode", *options, "--json").rows
        return float(rows[0]["latency_ms"])

    plain = latency_ms()
    assert latency_ms("--no-cuda-graph") > plain
    assert latency_ms("--execution", "separate") > plain
    assert latency_ms("--dtype", "w4a16") < plain
    assert latency_ms("--kv-dtype", "fp8") < plain
    assert latency_ms("--set", "memory.bandwidth_gb_s=600") < plain


def test_gemm_is_the_api_in_every_combination(answered: Infersim) -> None:
    rows = answered("gemm", "1,256", "4096", "2048,4096", "--gpu", "h100-sxm", "--json").rows
    assert [(row["m"], row["n"], row["k"]) for row in rows] == [
        (m, 4096, k) for m in (1, 256) for k in (2048, 4096)
    ]
    for row in rows:
        expected = gemm_latency("h100-sxm", row["m"], row["n"], row["k"])
        assert row["latency_us"] == pytest.approx(float(expected.latency_s) * 1e6, rel=1e-6)
        assert row["limiter"] == str(expected.limiter)


def test_gemm_tells_dtype_and_sparsity(answered: Infersim) -> None:
    shape = ("gemm", "4096", "4096", "4096", "-g", "h100-sxm", "--dtype", "fp8")
    sparse = answered(*shape, "--sparsity", "2:4", "--json").rows[0]
    dense = answered(*shape, "--json").rows[0]
    assert (sparse["dtype"], sparse["sparsity"], dense["sparsity"]) == ("fp8", "2:4", "none")
    assert sparse["latency_us"] < dense["latency_us"]
    assert answered(*shape, "--no-act-quant", "--json").rows[0]["latency_us"] < dense["latency_us"]


def test_gemm_sentence_names_interval_floor_and_limiter(answered: Infersim) -> None:
    text = answered("gemm", "16", "4096", "4096", "-g", "h100-sxm").out
    check_order(text, "m=16", "us", "h100-sxm", "floor", "memory bandwidth")


def test_weights_that_stay_in_l2_are_faster(answered: Infersim) -> None:
    shape = ("gemm", "1", "2048", "2048", "-g", "rtx-pro-6000", "--json")
    assert (
        answered(*shape, "--weight-copies", "1").rows[0]["latency_us"]
        < answered(*shape).rows[0]["latency_us"]
    )


def test_gpus_lists_all_with_their_calibration(answered: Infersim) -> None:
    rows = answered("gpus", "--json").rows
    assert [row["gpu"] for row in rows] == list(list_profiles())
    assert {row["gpu"]: row["calibration"] for row in rows} == {
        name: load_profile(name).calibration.value for name in list_profiles()
    }
    assert "calibration" in answered("gpus", "--full").out


def test_one_gpu_has_a_source_or_a_doubt_for_every_number(answered: Infersim) -> None:
    rows = {row["key"]: row for row in answered("gpus", "rtx-pro-6000", "--json").rows}
    assert rows["memory.bandwidth_gb_s"]["value"] == 1792
    assert not rows["chip.clock_max_mhz"]["verified"]
    assert all(row["source"] or not row["verified"] for row in rows.values())
    text = answered("gpus", "rtx-pro-6000").out
    assert "unverified" in text
    assert "NVIDIA RTX PRO 6000 Blackwell Workstation Edition" in text


def test_models_lists_all_presets(answered: Infersim) -> None:
    assert [row["model"] for row in answered("models", "--json").rows] == list_models()
    assert "llama-3.1-8b" in answered("models").out


def test_import_writes_samples_and_counts_them(answered: Infersim, tmp_path: Path) -> None:
    data = tmp_path / "linear.csv"
    data.write_text(
        "OPName,Latency,Device,B,M,N,K\n"
        "linear,0.5,Tesla T4,1,64,512,2048\nlinear,0.9,Tesla T4,2,64,512,2048\n"
    )
    out = tmp_path / "samples.csv"
    ran = answered("import", "neusight", str(data), "--out", str(out))
    assert "2 rows read, 2 rows kept" in ran.out
    frame = read_samples(out).frame
    assert frame["latency_us"].tolist() == [500, 900]
    assert frame["gpu"].unique().tolist() == ["t4"]


def test_reproduce_sets_the_paper_beside_the_prediction(answered: Infersim) -> None:
    text = answered("reproduce", "beyond-flops", "--full").out
    for expected in ("2,190", "14.97", "1.77x", "static-m equivalent", "Figure 2", "difference", "growth"):
        assert expected in text
    rows = answered("reproduce", "beyond-flops", "--json").rows
    assert len(rows) == 23
    assert all(row["difference"] == pytest.approx(row["predicted"] / row["paper"] - 1) for row in rows)
