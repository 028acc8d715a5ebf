"""What users name is text everywhere: no keyword, no markup, no template and no formula."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import infersim as sim
from infersim.cli.main import app
from infersim.domain.errors import FileContentError, InvalidValueError, UnknownNameError
from infersim.domain.profile import HardwareProfile
from infersim.files.csv_cells import harmless
from infersim.pruning.composition import FamilyChoice, family_plans
from infersim.pruning.plan import Plan
from infersim.report.html.elements import Islands
from infersim.report.html.page import render_page
from infersim.report.speedups.comparison_page import compare_page
from infersim.report.speedups.gathering import ComparisonReport

NAME = "=1+1 [red]%{x}{0}{plan!r}%s<b>bold</b>"
"""A formula, rich's markup, templates of plotly and of Python, and HTML."""

MODEL, GPU = "llama-3.2-1b", "h100-sxm"


def own_plan(name: str = NAME) -> Plan:
    return replace(sim.prune(MODEL, "static-nk", 0.5), name=name)


def own_gpu() -> HardwareProfile:
    return replace(sim.load_profile(GPU), name=f"{NAME} gpu")


@pytest.fixture(scope="module")
def report() -> ComparisonReport:
    return sim.gather_comparison(MODEL, own_plan(), own_gpu(), phase="both", context=1024)


def test_verdicts_and_tables_show_names_as_they_are(report: ComparisonReport) -> None:
    said = str(sim.summary(report.comparison))
    assert said.count(NAME) > 1
    predicted = sim.predict(own_plan(), own_gpu(), context=128)
    assert NAME in str(sim.summary(predicted))


@pytest.mark.slow
def test_no_figure_reads_a_name_as_a_template_or_html(report: ComparisonReport) -> None:
    figures = (
        sim.roofline(report.ops[report.ops["phase"] == "decode"], own_gpu()),
        sim.family_curves(report.curves[report.curves["phase"] == "decode"]),
        sim.time_by_op(report.ops[report.ops["phase"] == "decode"]),
        sim.speedup_curve(report.curves[report.curves["phase"] == "decode"]),
        sim.loss_waterfall(report.comparison.iloc[0]),
    )
    for figure in figures:
        for trace in figure.data:
            assert "[red]" not in (trace.hovertemplate or "")
            assert "<b>bold" not in (trace.name or "")
    page = render_page(compare_page(report))
    assert "<b>bold</b>" not in page


def test_a_plan_cannot_take_the_place_of_the_dense_model() -> None:
    with pytest.raises(InvalidValueError, match="plans = 'dense'; expected another name"):
        sim.compare(MODEL, own_plan("dense"), GPU, context=128)
    unpruned = Plan(base=sim.load_model(MODEL), transformer=sim.load_model(MODEL))
    assert sim.compare(MODEL, unpruned, GPU, context=128)["predicted"].tolist() == [1.0]


@pytest.mark.parametrize("option", ["sparsity=0.5", "family=static-m", "model=x", "self=1"])
def test_an_option_is_none_of_the_words_of_prune(option: str) -> None:
    arguments = ["compare", "-m", MODEL, "-g", GPU, "-c", "128", "-f", f"static-m/{option}", "-s", "0.5"]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UnknownNameError)
    name = option.partition("=")[0]
    assert f"unknown option of static-m '{name}'" in str(result.exception)
    with pytest.raises(UnknownNameError, match="unknown option of static-m"):
        family_plans(sim.load_model(MODEL), [FamilyChoice(name="static-m", options={name: 0.5})], [0.5])


LOSSES = "family,sparsity,quality_loss_percent,recovery,task_type,options\n"


@pytest.mark.parametrize("options", ["sparsity=0.5", "family=x"])
def test_options_of_a_table_of_losses_are_no_words_of_prune_either(tmp_path: Path, options: str) -> None:
    path = tmp_path / "quality.csv"
    path.write_text(f"{LOSSES}static-nk,0.5,2,none,zero-shot,{options}\n", encoding="utf-8")
    with pytest.raises(FileContentError, match=r"line 2: options = .*unknown option of static-nk"):
        sim.frontier(MODEL, GPU, quality=path, context=128)


@pytest.mark.parametrize("options", ["target=\u00b2", "align=" + "9" * 5000])
def test_digits_that_are_no_number_are_text(tmp_path: Path, options: str) -> None:
    path = tmp_path / "quality.csv"
    rows = f"static-nk,0.5,2,none,zero-shot,{options}\nstatic-nk,0.25,1,none,zero-shot,\n"
    path.write_text(LOSSES + rows, encoding="utf-8")
    found = sim.frontier(MODEL, GPU, quality=path, context=128)
    assert len(found.left_out) == 1
    assert "static-nk at 0.5" in found.left_out[0]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_formulas_become_texts_and_numbers_stay_numbers(start: str) -> None:
    assert harmless(f"{start}1+1") == f"'{start}1+1"
    for other in (-1.5, -3, None, True, "", "a=b", " =1", "'=1"):
        assert harmless(other) is other


def test_csv_of_a_command_and_of_a_page_runs_nothing(
    capsys: pytest.CaptureFixture[str], report: ComparisonReport
) -> None:
    from infersim.cli.printing import printed_for_machines

    frame = report.comparison.assign(flops=-1.5)
    assert printed_for_machines(frame, as_json=False, as_csv=True)
    (row, *_) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["plan"], row["gpu"], row["flops"]) == (f"'{NAME}", f"'{NAME} gpu", "-1.5")
    assert printed_for_machines(frame, as_json=True, as_csv=False)
    assert json.loads(capsys.readouterr().out)[0]["plan"] == NAME
    islands = Islands()
    key = islands.add_data(frame)
    (row, *_) = csv.DictReader(io.StringIO(json.loads(islands.data_json())[key]))
    assert (row["plan"], row["gpu"], row["flops"]) == (f"'{NAME}", f"'{NAME} gpu", "-1.5")
