"""What a function returned, in the words and tables of the command line."""

from __future__ import annotations

from dataclasses import replace

import pytest

import infersim as sim
from infersim.domain.errors import UnsupportedError
from infersim.report.core.rounding import speedup
from infersim.report.speedups.gathering import ComparisonReport
from tests.report.handmade import check_says


def test_each_frame_has_its_own_tables(report: ComparisonReport) -> None:
    model = sim.load_model("llama-3.1-8b")
    plans = [sim.prune(model, "static-m", sparsity=0.5)]
    frames = {
        "Speedups of": report.comparison,
        "Latency of": sim.predict(model, "l4", context=1024),
        "What 1.50x needs": sim.sparsity_for(model, "l4", 1.5, chosen=["static-m"], context=1024),
        "Where it pays": sim.break_even(model, plans, "l4", phase="decode", batch=1, context=1024),
        "Widths that cost nothing": sim.free_widths(model, "l4", 0.3, context=1024),
    }
    for title, frame in frames.items():
        said = sim.summary(frame)
        assert said.tables[0].title.startswith(title)
        assert said.verdict.sentences


def test_some_rows_of_a_frame_are_summed_up_alone(report: ComparisonReport) -> None:
    decode = report.comparison[report.comparison["phase"] == "decode"]
    text = str(sim.summary(decode))
    assert "prefill" not in text
    assert speedup(decode["predicted"].max()) in text


def test_the_best_choice_within_a_loss_comes_first() -> None:
    found = sim.frontier("llama-3.1-8b", "b200-sxm", context=1024, recovery="lora", task_type="zero-shot")
    first = sim.summary(found, max_loss_percent=12).verdict.sentences[0]
    check_says(first, "12 %")


def test_a_notebook_shows_tables_and_escapes_what_users_name(report: ComparisonReport) -> None:
    frame = report.comparison.assign(plan="<b>mine</b>")
    html = sim.summary(frame)._repr_html_()
    assert html.count("<table>") == 2
    assert "<b>mine" not in html
    assert "&lt;b&gt;mine" in html
    assert "http" not in html  # nothing is fetched


def test_a_long_table_ends_with_how_much_is_left(report: ComparisonReport) -> None:
    said = sim.summary(report.comparison)
    frame = said.tables[0].frame
    many = frame.loc[frame.index.repeat(100)].reset_index(drop=True)
    long = replace(said, tables=(replace(said.tables[0], frame=many, labels=()),))
    assert f"{len(many) - 500} more rows" in long._repr_html_()


def test_what_has_no_summary_is_an_error_that_says_what_has(report: ComparisonReport) -> None:
    with pytest.raises(UnsupportedError, match=r"a str.* frontier, validate, search, sweep or load_profile"):
        sim.summary("h100-sxm")  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="without the column 'model'"):
        sim.summary(report.comparison[["gpu", "gpus", "plan"]])
    with pytest.raises(UnsupportedError, match="without the column 'model'"):
        sim.summary(report.comparison.drop(columns="model"))
    with pytest.raises(UnsupportedError, match="0 rows"):
        sim.summary(report.comparison.iloc[:0])


def test_a_frame_is_told_by_its_mark_alone(report: ComparisonReport) -> None:
    """Columns of other functions' frames change nothing; the error says how to mark an unmarked frame."""
    with_others = report.comparison.assign(own=True, target=2.0, batches="never")
    assert sim.summary(with_others).tables[0].title.startswith("Speedups of")

    unmarked = report.comparison.copy()
    unmarked.attrs = {}
    with pytest.raises(UnsupportedError, match=r"columns model, .*frame.attrs\['infersim'\] = 'predict' or "):
        sim.summary(unmarked)
    unmarked.attrs["infersim"] = "compare"
    assert str(sim.summary(unmarked)) == str(sim.summary(report.comparison))
