"""`infersim validate`: errors for people and machines, the page, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.writing import write_samples
from infersim.fitting.validation.validation import validate
from infersim.profile_files.fit_files import write_fit
from tests.cli.conftest import Infersim
from tests.fitting.synthetic_samples import (
    GPU,
    attention_shapes,
    gemm_shapes,
    known_kind,
    known_profile,
    measured,
)
from tests.report.handmade import check_order, check_says

TRUTH = known_profile(known_kind("gemm.bf16"), known_kind("attention.decode"))
SAMPLES = measured(
    pd.concat([gemm_shapes(150, 1), attention_shapes(60, 1, "decode")], ignore_index=True), TRUTH, noise=0.05
)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    path = tmp_path / "samples.parquet"
    write_samples(SAMPLES, path)
    return path


@pytest.fixture
def fit(tmp_path: Path) -> Path:
    path = tmp_path / "known.fit.json"
    assert TRUTH.fit is not None
    write_fit(TRUTH.fit, path)
    return path


def test_the_verdict_comes_first_with_the_roofline_and_the_flops_ratio_beside_it(
    answered: Infersim, samples: Path, fit: Path
) -> None:
    ran = answered("validate", GPU, str(samples), "--fit", str(fit))
    first = ran.out.splitlines()[0]
    check_order(first, "error", "bf16 decode attention", GPU, "roofline")
    check_says(ran.out, "FLOPs ratio")
    check_order(ran.err, f"{len(SAMPLES)} rows read", f"{len(SAMPLES)} rows kept")


def test_machines_get_the_rows_of_the_api(answered: Infersim, samples: Path, fit: Path) -> None:
    rows = answered("validate", GPU, str(samples), "--fit", str(fit), "--json").rows
    found = validate(TRUTH, SAMPLES)
    assert len(rows) == len(found.errors) + len(found.speedups)
    whole = next(row for row in rows if row["kind"] == "gemm" and row["division"] == "all")
    expected = found.errors[(found.errors["kind"] == "gemm") & (found.errors["division"] == "all")]
    assert whole["mape"] == pytest.approx(expected["mape"].item(), rel=1e-6)
    cuts = [row["shape_class"] for row in rows if row["division"] == "cut"]
    assert cuts == found.speedups["cut"].tolist()


def test_without_measurements_of_the_gpu_it_says_so(answered: Infersim, tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    slower = SAMPLES["latency_us"] * 30
    write_samples(SAMPLES.assign(gpu="t4", dtype="fp16", latency_us=slower), path)
    text = answered("validate", "t4", str(path), "--kind", "gemm", "--full").out
    (note,) = [line for line in text.splitlines() if "ransferred" in line]
    check_says(note, "transferred", "t4")
    check_says(text, f"{(SAMPLES['kind'] == 'attention').sum()} of kind attention")


def test_defaults_say_what_the_file_does_not(answered: Infersim, tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    gemms = SAMPLES[SAMPLES["kind"] == "gemm"]
    write_samples(gemms[["m", "n", "k", "latency_us"]], path)
    for said in (
        ["--default", "kind=gemm,dtype=bf16"],
        ["--default", "kind=gemm", "--default", "dtype=bf16"],
    ):
        rows = answered("validate", GPU, str(path), *said, "--json").rows
        assert rows[0]["rows"] == len(gemms)


def test_bad_rows_are_refused_or_set_aside_and_counted(
    answered: Infersim, refused: Callable[..., str], tmp_path: Path
) -> None:
    path = tmp_path / "samples.csv"
    write_samples(SAMPLES.assign(latency_us=SAMPLES["latency_us"].where(SAMPLES.index != 3, -1.0)), path)
    assert "line 5: latency_us = '-1.0'" in refused("validate", GPU, str(path))
    ran = answered("validate", GPU, str(path), "--skip-bad")
    assert "1 row set aside" in ran.err


def test_several_files_are_one_set(answered: Infersim, tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.parquet"
    write_samples(SAMPLES.iloc[:100], first)
    write_samples(SAMPLES.iloc[100:], second)
    rows = answered("validate", GPU, str(first), str(second), "--json").rows
    assert sum(row["rows"] for row in rows if row["division"] == "all") == len(SAMPLES)


def test_every_sample_can_be_had_with_its_prediction(
    answered: Infersim, samples: Path, fit: Path, tmp_path: Path
) -> None:
    out = tmp_path / "predictions.csv"
    answered("validate", GPU, str(samples), "--fit", str(fit), "--predictions", str(out), "--csv")
    written = pd.read_csv(out)
    assert len(written) == len(SAMPLES)
    assert (written["lower_us"] <= written["predicted_us"]).all()
    assert len(read_samples(out).frame) == len(SAMPLES)


@pytest.mark.slow
def test_the_page_shows_each_kind_with_its_figures(
    answered: Infersim, samples: Path, fit: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    answered("validate", GPU, str(samples), "--fit", str(fit), "--html", str(page))
    text = page.read_text(encoding="utf-8")
    for expected in (
        "gemm bf16",
        "attention.decode bf16",
        "Predicted against measured",
        "Residual by shape",
        "Over n x k",
        "Roofline of NVIDIA H100",
        "n or k",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--kind", "gem"), "did you mean gemm"),
        (("--default", "gpus=t4"), "default = 'gpus=t4'"),
        (("--fit", "absent.json"), "fit file = 'absent.json'"),
        (("--html", "no/such/folder/page.html"), "page.html"),
    ],
)
def test_what_cannot_be_done_is_said(
    refused: Callable[..., str], samples: Path, arguments: tuple[str, ...], says: str
) -> None:
    assert says in refused("validate", GPU, str(samples), *arguments)


def test_a_fit_of_another_gpu_is_refused(refused: Callable[..., str], samples: Path, fit: Path) -> None:
    check_says(refused("validate", "l40s", str(samples), "--fit", str(fit)), GPU, "l40s")


def test_samples_of_another_gpu_or_unit_are_refused(
    refused: Callable[..., str], samples: Path, tmp_path: Path
) -> None:
    check_order(refused("validate", "l40s", str(samples)), f"gpu = {GPU}", "l40s")
    wrong = tmp_path / "wrong.parquet"
    write_samples(SAMPLES.assign(latency_us=SAMPLES["latency_us"] / 1000), wrong)
    check_says(refused("validate", GPU, str(wrong)), "milliseconds")
    check_says(refused("validate", GPU, "absent.csv"), "absent.csv")


def test_a_report_of_the_cutlass_profiler_is_read_as_it_is(answered: Infersim, tmp_path: Path) -> None:
    path = tmp_path / "report.gemm.csv"
    path.write_text(
        "Problem,Provider,OperationKind,Operation,Disposition,Status,m,n,k,A,B,C,Runtime\n"
        "1,CUTLASS,gemm,slow,passed,success,512,4096,4096,bf16:row,bf16:column,bf16:row,0.09\n"
        "1,CUTLASS,gemm,fast,passed,success,512,4096,4096,bf16:row,bf16:column,bf16:row,0.05\n",
        encoding="utf-8",
    )
    ran = answered("validate", "h100-sxm", str(path))
    assert "bf16 GEMMs on h100-sxm" in ran.out
    assert "2 rows read, 1 row kept; 1 row left out (slower kernel of the same shape)" in ran.err


def test_columns_in_upper_case_and_torch_s_data_types(answered: Infersim, tmp_path: Path) -> None:
    path = tmp_path / "upper.csv"
    path.write_text(
        "GPU,KIND,DTYPE,M,N,K,LATENCY_US\nl4,gemm,torch.float16,64,4096,4096,150\n", encoding="utf-8"
    )
    assert "fp16 GEMMs on l4" in answered("validate", "l4", str(path)).out
