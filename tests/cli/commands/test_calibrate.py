"""`infersim calibrate`: from samples to a fit file, and what it tells on the way."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from infersim.domain.profile import Calibration
from infersim.files.locations import data_folder
from infersim.fitting.samples.writing import write_samples
from infersim.profile_files.fit_files import read_fit
from infersim.profile_files.profiles import load_profile
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

TRUTH = known_profile(known_kind("gemm.bf16"), known_kind("attention.decode", launch_us=11.0))
ATTENTION = measured(attention_shapes(120, 1, "decode"), TRUTH, noise=0.05)
GEMM = measured(gemm_shapes(40, 1), TRUTH, noise=0.05)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with samples of both kinds."""
    monkeypatch.chdir(tmp_path)
    write_samples(ATTENTION, "attention.parquet")
    write_samples(GEMM, "gemm.csv")
    return tmp_path


@pytest.mark.slow
def test_a_verdict_on_a_fit_reads_like_this_and_it_is_written_here(answered: Infersim, folder: Path) -> None:
    ran = answered("calibrate", GPU, "attention.parquet", "--full")
    assert re.fullmatch(
        rf"{GPU} is calibrated in [\d.]+ s; mean error on rows left out of the fit: "
        rf"attention\.decode \d+(\.\d)?\s% from {len(ATTENTION)} rows\.",
        ran.out.splitlines()[0],
    )
    for expected in ("attention.decode", "launch_us", "Fitted kinds", "Parameters", "±"):
        assert expected in ran.out
    check_says(ran.err, "h100-sxm.fit.json", f"{len(ATTENTION)} rows read")
    fit = read_fit(folder / "h100-sxm.fit.json")
    assert fit.kinds["attention.decode"].rows == len(ATTENTION)
    assert fit.provenance["samples"]["rows"] == len(ATTENTION)
    assert fit.provenance["drawn"] == {"rows": None, "seed": 0, "hold_out": None}


@pytest.mark.slow
def test_several_files_make_one_fit(answered: Infersim, folder: Path) -> None:
    answered("calibrate", GPU, "attention.parquet", "gemm.csv", "--out", "both.json")
    fit = read_fit(folder / "both.json")
    assert set(fit.provenance["fitted"]) == {"gemm.bf16", "attention.decode"}


def test_held_out_rows_judge_the_fit_and_are_not_in_it(answered: Infersim, folder: Path) -> None:
    ran = answered("calibrate", GPU, "attention.parquet", "--hold-out", "0.3", "--seed", "1")
    check_says(ran.out, "bf16 decode attention")
    rows = read_fit(folder / "h100-sxm.fit.json").kinds["attention.decode"].rows
    assert 0 < rows < len(ATTENTION)
    assert f"{len(ATTENTION) - rows} held out" in ran.err


@pytest.mark.slow
def test_rows_thin_every_kind(answered: Infersim, folder: Path) -> None:
    ran = answered("calibrate", GPU, "attention.parquet", "gemm.csv", "--rows", "25")
    kinds = read_fit(folder / "h100-sxm.fit.json").kinds
    assert kinds["attention.decode"].rows == kinds["gemm.bf16"].rows == 25
    assert f"{len(ATTENTION) + len(GEMM) - 50} left out (not drawn)" in ran.err


@pytest.mark.slow
def test_kinds_fitted_earlier_are_kept(answered: Infersim, folder: Path) -> None:
    answered("calibrate", GPU, "attention.parquet", "--out", "first.json")
    ran = answered("calibrate", GPU, "gemm.csv", "--fit", "first.json", "--out", "second.json", "--full")
    check_order("\n".join(ran.out.splitlines()[:2]), "gemm.bf16", "earlier fit", "attention.decode")
    first, second = read_fit(folder / "first.json"), read_fit(folder / "second.json")
    assert second.kinds["attention.decode"].parameters == first.kinds["attention.decode"].parameters


def test_beside_its_datasheet_every_command_finds_the_fit(answered: Infersim, folder: Path) -> None:
    profiles = folder / "profiles"
    profiles.mkdir()
    sheet = profiles / "h100-sxm.toml"
    shutil.copy(data_folder("hw_profiles") / "h100-sxm.toml", sheet)
    ran = answered("calibrate", str(sheet), "attention.parquet", "--beside-datasheet")
    assert load_profile(sheet).calibration is Calibration.FITTED
    assert str(profiles / "h100-sxm.fit.json") in ran.err
    text = answered("validate", str(sheet), "attention.parquet", "--full").out
    check_says(text, "samples that were fitted")


def test_only_the_kinds_that_are_asked_for_are_fitted(answered: Infersim, folder: Path) -> None:
    ran = answered("calibrate", GPU, "attention.parquet", "gemm.csv", "--kind", "attention")
    assert read_fit(folder / "h100-sxm.fit.json").provenance["fitted"] == ["attention.decode"]
    assert f"{len(GEMM)} left out (kind gemm)" in ran.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--kind", "atention"), "did you mean attention"),
        (("--hold-out", "1.5"), "fraction = 1.5"),
        (("--rows", "0"), "rows = 0"),
        (("--out", "no/such/fit.json"), "output file = 'no/such/fit.json'"),
        (("--out", "taken"), "output file = 'taken'"),
        (("--out", "fit.json", "--beside-datasheet"), "--beside-datasheet"),
        (("--kind", "gemm"), "samples = 'attention'"),
    ],
)
def test_what_cannot_be_done_is_said(
    refused: Callable[..., str], folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    (folder / "taken").mkdir()
    assert says in refused("calibrate", GPU, "attention.parquet", *arguments)


def test_another_unit_is_refused_and_nothing_is_written(refused: Callable[..., str], folder: Path) -> None:
    write_samples(GEMM.assign(latency_us=GEMM["latency_us"] / 1000), "ms.csv")
    message = refused("calibrate", GPU, "ms.csv")
    check_order(message, "microseconds", "milliseconds")
    assert not list(folder.glob("*.fit.json"))


def test_samples_of_no_data_type_are_counted(answered: Infersim, tmp_path: Path) -> None:
    folder = tmp_path / "perf/RTX4090/meta-llama/Llama-3.1-8B/bf16/tp1"
    folder.mkdir(parents=True)
    (folder / "dense.csv").write_text("layer,tokens,time_us\nlayernorm,64,2.4\n")
    out = tmp_path / "out.csv"
    assert "memory" in answered("import", "llm-serving-sim", str(tmp_path), "-o", str(out)).out
    assert out.exists()
