"""`--html`: the page beside the answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from infersim.fitting.samples.writing import write_samples
from infersim.report.html.figure_files import FORMATS, figure_names
from infersim.report.speedups.prediction_page import gather_prediction, predict_page
from tests.browsing import draw_by
from tests.cli.conftest import Infersim
from tests.fitting.synthetic_samples import GPU, attention_shapes, known_kind, known_profile, measured
from tests.report.handmade import check_says

pytestmark = pytest.mark.slow

PNG = b"\x89PNG\r\n\x1a\n"

COMPARE = ("compare", "-m", "llama-3.2-1b", "-g", "l4", "-c", "512", "-s", "0.25,0.5")
PREDICT = ("predict", "-m", "llama-3.2-1b", "-g", "l4", "-c", "512")
REPRODUCE = ("reproduce", "beyond-flops")
FRONTIER = ("frontier", "-m", "llama-3.1-8b", "-g", "l4", "-p", "prefill", "-c", "512")
ADVISE = ("advise", "-m", "llama-3.2-1b", "-g", "l4", "-c", "512", "-p", "decode", "--target-speedup", "1.2")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (COMPARE, ("static-nk", "kernel efficiency", "Left out: static-k-2:4")),
        (PREDICT, ("Roofline", "lm_head")),
        (REPRODUCE, ("Figure 2", "2,190")),
        (FRONTIER, ("Speed against quality", "zero-shot")),
        (ADVISE, ("What 1.20x needs", "Where it pays", "Widths that cost nothing")),
    ],
)
def test_a_page_is_written_beside_the_answer(
    answered: Infersim, tmp_path: Path, command: tuple[str, ...], said: tuple[str, ...]
) -> None:
    page = tmp_path / "report.html"
    ran = answered(*command, "--html", str(page), "--json")
    assert ran.rows == answered(*command, "--json").rows
    assert f"Wrote {page}" in ran.err
    html = page.read_text(encoding="utf-8")
    assert html.lower().startswith("<!doctype html>")
    for text in said:
        assert text in html


@pytest.mark.parametrize("command", [COMPARE[:-2], PREDICT, REPRODUCE, ADVISE])
def test_a_page_that_cannot_be_written_is_an_error(
    refused: Callable[..., str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    message = refused(*command, "--html", str(tmp_path / "gone" / "report.html"))
    assert f"{tmp_path / 'gone' / 'report.html'}" in message


def test_a_page_of_a_prediction_shows_one_plan(refused: Callable[..., str], tmp_path: Path) -> None:
    two = (*PREDICT, "-f", "static-m", "-s", "0.25,0.5")
    message = refused(*two, "--html", str(tmp_path / "report.html"))
    check_says(message, "page", "2", "compare")


def test_a_calibration_and_a_validation_have_pages(
    answered: Infersim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    truth = known_profile(known_kind("attention.decode", launch_us=11.0))
    write_samples(measured(attention_shapes(60, 1, "decode"), truth, noise=0.05), "samples.parquet")
    answered("calibrate", GPU, "samples.parquet", "--html", "all.html")
    fitted = Path("all.html").read_text(encoding="utf-8")
    ran = answered("calibrate", GPU, "samples.parquet", "--hold-out", "0.3", "--html", "some.html")
    page = Path("some.html").read_text(encoding="utf-8")
    assert "Wrote some.html" in ran.err
    for text in ("held out", "launch_us", "bf16 decode attention", "Residual"):
        assert text in page
    assert "held out" not in fitted
    ran = answered("validate", GPU, "samples.parquet", "--fit", f"{GPU}.fit.json", "--html", "beside.html")
    assert "Wrote beside.html" in ran.err
    assert "Predicted against measured" in Path("beside.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["--html", "--figures"])
@pytest.mark.parametrize("command", [("reproduce", "published"), ("calibrate", "--pool", "all")])
def test_what_has_no_page_says_so(
    refused: Callable[..., str], tmp_path: Path, command: tuple[str, ...], option: str
) -> None:
    assert f"{option} = '{tmp_path / 'new'}'" in refused(*command, option, str(tmp_path / "new"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.browser
def test_every_figure_is_written_as_png_and_svg_beside_the_answer(answered: Infersim, tmp_path: Path) -> None:
    pytest.importorskip("kaleido")
    program = [sys.executable, "-m", "infersim", *PREDICT, "--figures", "{}/new/figures", "--json"]
    ran = draw_by(program, tmp_path)
    assert ran.returncode == 0, ran.stderr
    (folder,) = tmp_path.glob("*/new/figures")
    assert json.loads(ran.stdout) == answered(*PREDICT, "--json").rows
    assert f"Wrote 8 files to {folder}" in ran.stderr
    names = {f"{phase}_{figure}" for phase in ("prefill", "decode") for figure in ("time", "roofline")}
    assert {path.name for path in folder.iterdir()} == {
        f"{name}.{kind}" for name in names for kind in FORMATS
    }
    page = predict_page(gather_prediction("llama-3.2-1b", "l4", context=512, phase="both"))
    charts = {name: title for name, _, title in figure_names(page)}
    assert set(charts) == names
    for name, title in charts.items():
        png = (folder / f"{name}.png").read_bytes()
        assert png.startswith(PNG)
        assert int.from_bytes(png[16:20]) == 2 * 900
        assert title in unescape((folder / f"{name}.svg").read_text(encoding="utf-8"))
    assert "80 % interval" in (folder / "decode_time.svg").read_text(encoding="utf-8")


def test_figures_without_kaleido_name_the_extra(
    refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kaleido", None)
    assert "pip install 'infersim[png]'" in refused(*PREDICT, "--figures", str(tmp_path / "figures"))
