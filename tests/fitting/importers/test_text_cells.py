"""Text where an importer calculates: the row is bad by line and column, and the others are to be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.fitting.importers.importing import import_source
from infersim.fitting.samples.account import BadSamplesError
from tests.fitting.importers import test_aiconfigurator as aiconfigurator
from tests.fitting.importers import test_neusight as neusight
from tests.fitting.importers import test_vidur as vidur

GOOD_ATTENTION = "VLLM,0.24.0,NVIDIA H100 80GB HBM3,generation_attention,made_up"
VIDUR_ATTENTION = "0.01,0.001,,,4096,32,8,16,1,4096,8,0,1024,False,x"


def rows(head: str, good: str, column: str, cell: str) -> str:
    """A table of a good row, one whose `column` is `cell`, and the good one again."""
    cells = good.split(",")
    cells[head.split(",").index(column)] = cell
    return "\n".join((head, good, ",".join(cells), good, ""))


AI_GEMM, AI_ROW = aiconfigurator.GEMMS.splitlines()[:2]
AI_ATTENTION = aiconfigurator.HEAD + aiconfigurator.ATTENTION
AI_ATTENTION_ROW = f"{GOOD_ATTENTION},8,1024,32,8,128,1,bfloat16,bfloat16,1,0.0625"
NEUSIGHT_LINEAR, NEUSIGHT_ROW = neusight.PRODUCTS.splitlines()[:2]
NEUSIGHT_ELEM, NEUSIGHT_GELU = f"{neusight.HEAD},B,H", "gelu,0.04,Tesla T4,p2.1.0,kernel,8,;x,1000,300"
MLP_ROW = f"{vidur.TIMES},32,8,4096,14336,128256,True,512,2"


@pytest.mark.parametrize(
    ("source", "file", "head", "good", "column"),
    [
        ("aiconfigurator", "gemm_perf.txt", AI_GEMM, AI_ROW, "latency"),
        ("aiconfigurator", "gemm_perf.txt", AI_GEMM, AI_ROW, "power"),
        ("aiconfigurator", "generation_attention_perf.txt", AI_ATTENTION, AI_ATTENTION_ROW, "isl"),
        ("aiconfigurator", "generation_attention_perf.txt", AI_ATTENTION, AI_ATTENTION_ROW, "step"),
        ("aiconfigurator", "generation_attention_perf.txt", AI_ATTENTION, AI_ATTENTION_ROW, "beam_width"),
        ("neusight", "linear.csv", NEUSIGHT_LINEAR, NEUSIGHT_ROW, "Latency"),
        ("neusight", "linear.csv", NEUSIGHT_LINEAR, NEUSIGHT_ROW, "B"),
        ("neusight", "elem.csv", NEUSIGHT_ELEM, NEUSIGHT_GELU, "H"),
        ("vidur", "mlp.csv", vidur.MLP_HEAD, MLP_ROW, "time_stats.mlp_act.median"),
        ("vidur", "mlp.csv", vidur.MLP_HEAD, MLP_ROW, "n_head"),
        ("vidur", "mlp.csv", vidur.MLP_HEAD, MLP_ROW, "use_gated_mlp"),
        ("vidur", "attention.csv", vidur.ATTENTION_HEAD, VIDUR_ATTENTION, "is_prefill"),
        ("vidur", "attention.csv", vidur.ATTENTION_HEAD, VIDUR_ATTENTION, "kv_cache_size"),
    ],
)
@pytest.mark.parametrize("cell", ["n.a.!", "1e999", "12 of them"])
def test_text_is_told_or_set_aside(
    tmp_path: Path, source: str, file: str, head: str, good: str, column: str, cell: str
) -> None:
    path = tmp_path / file
    path.write_text(rows(head, good, column, cell), encoding="utf-8")
    gpu = None if source != "vidur" else "a40"
    with pytest.raises(BadSamplesError, match=f"line 3: {column} = .*; expected") as caught:
        import_source(source, path, gpu=gpu)
    assert len(caught.value.bad) == 1
    read = import_source(source, path, gpu=gpu, skip_bad=True)
    path.write_text("\n".join((head, good, good, "")), encoding="utf-8")
    alone = import_source(source, path, gpu=gpu)
    assert read.frame.equals(alone.frame)
    assert [(row.line, row.column) for row in read.set_aside] == [(3, column)]
    assert read.rows_read == alone.rows_read + 1


def test_a_file_of_bad_rows_alone_is_told(tmp_path: Path) -> None:
    path = tmp_path / "linear.csv"
    head, *others = rows(NEUSIGHT_LINEAR, NEUSIGHT_ROW, "Latency", "slow").splitlines()
    path.write_text("\n".join((head, others[1], "")), encoding="utf-8")
    with pytest.raises(BadSamplesError, match="1 of 1 row is invalid"):
        import_source("neusight", path)
