"""The CUTLASS profiler's reports: through the importer and straight into the reader of samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError, InfersimError
from infersim.fitting.importers.importing import import_source
from infersim.fitting.samples.account import BadSamplesError
from infersim.fitting.samples.reading import read_samples

HEAD = (
    "Problem,Provider,OperationKind,Operation,Disposition,Status,gemm_kind,m,n,k,A,B,C,D,alpha,beta,"
    "split_k_mode,split_k_slices,batch_count,op_class,Bytes,Flops,Flops/Byte,Runtime,GB/s,GFLOPs\n"
)


def row(
    operation: str = "cutlass_tensorop_gemm_a",
    *,
    shape: tuple[int, int, int] = (128, 4096, 2048),
    a: str = "bf16:row",
    b: str = "bf16:column",
    kind: str = "gemm",
    status: str = "success",
    disposition: str = "passed",
    batch: int = 1,
    op_class: str = "tensorop",
    runtime: object = 0.02,
) -> str:
    m, n, k = shape
    return (
        f"1,CUTLASS,{kind},{operation},{disposition},{status},universal,{m},{n},{k},{a},{b},{a},{a},1,0,"
        f"serial,1,{batch},{op_class},1,1,1,{runtime},1,1\n"
    )


def report(folder: Path, *rows: str, name: str = "report.gemm.csv") -> Path:
    path = folder / name
    path.write_text(HEAD + "".join(rows), encoding="utf-8")
    return path


def test_milliseconds_types_and_shape(tmp_path: Path) -> None:
    path = report(tmp_path, row(runtime=0.0125))
    (sample,) = import_source("cutlass", path, gpu="h100-sxm").frame.to_dict("records")
    assert (sample["gpu"], sample["kind"], sample["dtype"]) == ("h100-sxm", "gemm", "bf16")
    assert (sample["m"], sample["n"], sample["k"]) == (128, 4096, 2048)
    assert sample["latency_us"] == pytest.approx(12.5)
    assert (sample["version"], sample["includes_act_quant"]) == ("cutlass_tensorop_gemm_a", False)


@pytest.mark.parametrize(
    ("a", "b", "op_class", "dtype"),
    [
        ("f16:column", "f16:row", "tensorop", "fp16"),
        ("s8:row", "s8:column", "tensorop", "int8"),
        ("e4m3:row", "e5m2:column", "tensorop", "fp8"),
        ("f32:row", "f32:row", "simt", "fp32"),
        ("f32:row", "f32:row", "tensorop", "tf32"),
        ("tf32:row", "tf32:column", "tensorop", "tf32"),
    ],
)
def test_data_types(tmp_path: Path, a: str, b: str, op_class: str, dtype: str) -> None:
    frame = import_source("cutlass", report(tmp_path, row(a=a, b=b, op_class=op_class)), gpu="a30").frame
    assert frame["dtype"].tolist() == [dtype]


def test_the_fastest_kernel_of_a_shape_is_the_sample_and_the_others_are_counted(tmp_path: Path) -> None:
    path = report(
        tmp_path,
        row("slow", runtime=0.03),
        row("fast", runtime=0.01, a="bf16:column"),
        row("slower", runtime=0.04),
        row("other shape", shape=(256, 4096, 2048), runtime=0.05),
        row("other type", a="f16:row", b="f16:row", runtime=0.09),
    )
    read = read_samples(path, defaults={"gpu": "h100-sxm"})
    assert read.frame["version"].tolist() == ["fast", "other shape", "other type"]
    assert (read.rows_read, read.left_out) == (5, {"slower kernel of the same shape": 2})
    assert "2 rows left out (slower kernel of the same shape)" in read.account()


def test_a_2_4_kernel_holds_its_weights_in_a(tmp_path: Path) -> None:
    path = report(tmp_path, row(kind="spgemm", shape=(4096, 128, 2048), a="f16:row", b="f16:column"))
    (sample,) = import_source("cutlass", path, gpu="a30").frame.to_dict("records")
    assert (sample["kind"], sample["sparsity"]) == ("sparse_gemm", "2:4")
    assert (sample["m"], sample["n"], sample["k"]) == (128, 4096, 2048)


def test_what_is_no_gemm_that_ran_is_left_out_by_reason(tmp_path: Path) -> None:
    path = report(
        tmp_path,
        row(),
        row(kind="conv2d"),
        row(status="error_not_supported"),
        row(runtime=0),
        row(disposition="incorrect"),
        row(batch=8),
        row(b="s8:column"),
        row(a="u4:row", b="u4:row"),
    )
    assert read_samples(path, defaults={"gpu": "a30"}).left_out == {
        "no GEMM": 1,
        "did not run": 2,
        "found wrong": 1,
        "batched": 1,
        "data types of A and B": 2,
    }


def test_a_wrong_cell_is_told_with_its_line(tmp_path: Path) -> None:
    path = report(tmp_path, row(), row(runtime="fast", shape=(7, 8, 9)), row(shape=(0, 8, 9)))
    with pytest.raises(BadSamplesError) as caught:
        read_samples(path, defaults={"gpu": "a30"})
    assert f"{path}: line 3: latency_us = 'fast'" in str(caught.value)
    assert f"{path}: line 4: m = '0'" in str(caught.value)


def test_the_gpu_is_not_in_the_file(tmp_path: Path) -> None:
    path = report(tmp_path, row())
    with pytest.raises(InfersimError, match="does not name the GPU"):
        import_source("cutlass", path)
    with pytest.raises(FileContentError) as caught:
        read_samples(path)
    assert "also gpu for kind gemm" in str(caught.value)
    assert f"columns = '{', '.join(HEAD.strip().split(','))}'" in str(caught.value)
