"""A result folder of PruningInferSim: its throughputs as speedups, beside what is predicted of the runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.pruning.composition import prune
from infersim.simulation.measured import benchmark_results
from infersim.simulation.measured.benchmark_results import FAMILIES
from infersim.simulation.measured.files import load_measured
from infersim.simulation.measured.table import Timed
from infersim.simulation.speedups.comparison import compare
from infersim.workload.presets import load_model
from tests.simulation.measured.benchmark_files import block, results

DENSE = "wrapper/static/dense.yaml"
GPU = "a100-sxm-80gb"


def test_a_speedup_is_the_median_over_the_dense_median(tmp_path: Path) -> None:
    dense = block([(1, 1024, s, rate) for s, rate in ((0.5, 90.0), (0.5, 100.0), (0.5, 400.0))], config=DENSE)
    pruned = block([(1, 1024, 0.5, rate) for rate in (180.0, 150.0, 10.0)])
    (row,) = load_measured(results(tmp_path, dense, pruned), gpu="A100-SXM4-80GB").rows
    assert row.measured_speedup == pytest.approx(1.5)
    assert (row.dense, row.pruned, str(row.unit)) == (100.0, 150.0, "tokens/s")
    assert (row.gpu, row.model, row.family, row.sparsity) == (GPU, "llama-3.1-8b", "static-m", 0.5)
    assert (row.phase, row.batch, row.context) == (Timed.PREFILL, 1, 1024)
    assert (row.execution, row.cuda_graph) == ("separate", True)
    assert row.locator == "ttft_1_1024_static_x_y_0.5_True.txt, line 8"


@pytest.mark.parametrize("config", FAMILIES)
def test_each_family_joins_the_comparison(tmp_path: Path, config: str) -> None:
    family, options = FAMILIES[config]
    kind = "dynamic" if config.startswith("dynamic") else "static"
    folder = results(
        tmp_path,
        block([(8, 2048, 0.5, 1000.0)], config=DENSE, metric="tpot"),
        block([(8, 2048, 0.5, 1400.0)], config=f"wrapper/{kind}/{config}.yaml", metric="tpot"),
    )
    model = load_model("llama-3.1-8b")
    frame = compare(
        model,
        prune(model, family, 0.5, **options),
        GPU,
        phase="decode",
        batch=8,
        context=2048,
        execution="separate",
        measured=load_measured(folder, gpu=GPU),
    )
    assert frame["measured"].tolist() == [pytest.approx(1.4)]
    assert frame["loss_unexplained"].iloc[0] == pytest.approx(1.4 / frame["predicted"].iloc[0])


def test_layers_are_rounded_down_as_that_code_does(tmp_path: Path) -> None:
    folder = results(tmp_path, block([(1, 64, 0.3, 10.0)], config=DENSE), block([(1, 64, 0.3, 13.0)]))
    (row,) = load_measured(folder, gpu=GPU).rows
    assert row.sparsity == 9 / 32


def test_files_of_graphs_and_of_none_have_bases_of_their_own(tmp_path: Path) -> None:
    dense, pruned = block([(1, 64, 0.5, 10.0)], config=DENSE), block([(1, 64, 0.5, 15.0)])
    results(tmp_path, dense, name="ttft_dense_0.5_False.txt")
    folder = results(tmp_path, pruned, name="ttft_static_m_0.5_True.txt")
    table = load_measured(folder, gpu=GPU)
    assert table.rows == ()
    assert table.failures == (
        "ttft_static_m_0.5_True.txt, line 3: static_m has no dense run in the same scenario",
    )


def test_what_makes_no_speedup_is_told(tmp_path: Path) -> None:
    folder = results(
        tmp_path,
        block([(1, 64, 0.5, 10.0)], config=DENSE),
        block([(1, 64, 0.5, 0.0)]),
        block([(1, 64, 0.5, 12.0)], config="wrapper/static/mine.yaml"),
        block([], config=DENSE),
        name="r.txt",
    )
    assert load_measured(folder, gpu=GPU).failures == (
        "r.txt, line 6: static_m failed there (its throughput is 0)",
        f"r.txt, line 9: configuration mine is none of {', '.join(FAMILIES)}",
    )


def test_a_model_of_no_known_name_stays_what_it_is(tmp_path: Path) -> None:
    blocks = [block([(1, 64, 0.5, 9.0)], config=c, model="my model") for c in (DENSE, "w/static_nk.yaml")]
    (row,) = load_measured(results(tmp_path, *blocks), gpu=GPU).rows
    assert (row.model, row.sparsity) == ("my model", 0.5)


def test_the_gpu_must_be_said(tmp_path: Path) -> None:
    folder = results(tmp_path, block([(1, 64, 0.5, 10.0)], config=DENSE))
    with pytest.raises(InvalidValueError, match="gpu = None; expected the one GPU that"):
        load_measured(folder)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hello\n", "r.txt, line 1: line = 'hello'; expected a result file of PruningInferSim"),
        (
            block([(1, 64, 0.5, 1.0)]).replace("ttft", "flops"),
            "line 1: metric = 'flops'; expected one of ttft",
        ),
        (block([(1, 64, 0.5, 1.0)]) + "1 2 3\n", "line 4: cells = '1 2 3'; expected 7: index, batch"),
        (block([(0, 64, 0.5, 1.0)]), "line 3: Batch Size = '0'; expected a positive integer"),
        (block([(1, 64, 1.5, 1.0)]), "line 3: Sparsity = '1.50'; expected a fraction below 1"),
        (block([(1, 64, 0.5, -1.0)]), "Throughput (token/s) = '-1.0'; expected a finite number"),
        (block([(1, 64, 0.5, float("inf"))]), "Throughput (token/s) = 'inf'; expected a finite number"),
        (block([(1, 64, 0.5, 1.0)], config=DENSE), "rows = 0; expected at least one speedup"),
        ("", "rows = 0; expected at least one speedup"),
    ],
)
def test_damaged_files_name_the_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(FileContentError) as caught:
        load_measured(results(tmp_path, text, name="r.txt"), gpu=GPU)
    assert told in str(caught.value)


def test_an_empty_folder_and_an_endless_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidValueError, match="expected a folder of result files"):
        load_measured(tmp_path, gpu=GPU)
    text = block([(1, 64, 0.5, 1.0)])
    assert benchmark_results.MAX_ROWS == 100_000
    monkeypatch.setattr(benchmark_results, "MAX_ROWS", 100)
    endless = text + "0 1 64 0.50 1.0 1.0 1.0\n" * 100
    with pytest.raises(FileContentError, match="rows = 'above 100'"):
        load_measured(results(tmp_path, endless), gpu=GPU)
