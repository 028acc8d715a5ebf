"""SlideSparse's latencies: dense and 2:4 of the same shapes, hot, in microseconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError, InfersimError
from infersim.fitting.importers.importing import import_source

DENSE = """# GPU: NVIDIA A100 80GB PCIe
# Backend: cuBLASLt
# dtype: BF16 -> BF16
# torch: 2.9.0+cu129
# NK_list: [(3072, 2048)]
M,N,K,alg_count,tops_1,lat_us_1,alg_id_1,workspace_1,tops_2,lat_us_2,alg_id_2,workspace_2
64,3072,2048,8,64.0,12.5,31,0,63.0,13.5,31,0
"""
SPARSE = DENSE.replace("cuBLASLt", "cuSPARSELt").replace("# NK", "# Sparsity: 2_4 (K_factor=1.000)\n# NK")


def test_the_fastest_dense_algorithm_is_the_sample(tmp_path: Path) -> None:
    path = tmp_path / "alg_search_model.csv"
    path.write_text(DENSE)
    (row,) = import_source("slidesparse", path).frame.to_dict("records")
    assert (row["gpu"], row["kind"], row["dtype"]) == ("a100-pcie-80gb", "gemm", "bf16")
    assert (row["m"], row["n"], row["k"], row["latency_us"]) == (64, 3072, 2048, 12.5)
    assert (row["weight_copies"], row["includes_act_quant"], row["version"]) == (
        1,
        False,
        "torch 2.9.0+cu129",
    )


def test_dense_and_two_of_four_stand_side_by_side_and_sliding_windows_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "alg_search_model.csv").write_text(DENSE)
    (tmp_path / "alg_search_model_2_4.csv").write_text(SPARSE)
    (tmp_path / "alg_search_model_2_8.csv").write_text(
        SPARSE.replace("2_4 (K_factor=1.000)", "2_8 (K_factor=1.5)")
    )
    read = import_source("slidesparse", tmp_path)
    assert read.frame["kind"].tolist() == ["gemm", "sparse_gemm"]
    assert read.frame["sparsity"].tolist()[1] == "2:4"
    assert read.left_out == {"sparsity 2_8": 1}


def test_six_of_eight_is_a_sparsity_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "alg_search_model_6_8.csv").write_text(
        SPARSE.replace("2_4 (K_factor=1.000)", "6_8 (K_factor=1.5)")
    )
    (row,) = import_source("slidesparse", tmp_path).frame.to_dict("records")
    assert (row["kind"], row["sparsity"], row["k"]) == ("sparse_gemm", "6:8", 2048)


def test_fp4_has_no_counterpart(tmp_path: Path) -> None:
    path = tmp_path / "alg_search_model.csv"
    path.write_text(DENSE.replace("BF16 -> BF16", "FP4E2M1 -> BF16"))
    with pytest.raises(InfersimError, match=r"1 rows: dtype fp4e2m1"):
        import_source("slidesparse", path)


def write_side_by_side(folder: Path) -> Path:
    """A `latency_*.csv` at its place, one row timed throughout and one without 2:4."""
    path = folder / "RTX4090_cc89_py312_cu129_x86_64" / "latency" / "FP8" / "latency_model.csv"
    path.parent.mkdir(parents=True)
    path.write_text(
        "M,N,K,cuBLAS,cuSPARSE_2_4,cuSPARSE_2_8\n64,3072,2048,12.5,9.5,11.5\n128,3072,2048,13.5,,12.5\n"
    )
    return path


def test_side_by_side_latencies_take_gpu_and_data_type_from_their_folders(tmp_path: Path) -> None:
    read = import_source("slidesparse", write_side_by_side(tmp_path))
    assert read.frame[["gpu", "kind", "dtype", "m", "latency_us"]].to_numpy().tolist() == [
        ["rtx-4090", "gemm", "fp8", 64, 12.5],
        ["rtx-4090", "gemm", "fp8", 128, 13.5],
        ["rtx-4090", "sparse_gemm", "fp8", 64, 9.5],
    ]
    assert read.left_out == {"not timed": 1, "sparsity 2_8": 2}


def test_side_by_side_latencies_are_not_read_beside_the_searches_they_came_from(tmp_path: Path) -> None:
    write_side_by_side(tmp_path)
    (tmp_path / "alg_search_model.csv").write_text(DENSE)
    assert len(import_source("slidesparse", tmp_path).frame) == 1


def test_a_latency_file_out_of_its_folders_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latency_model.csv"
    path.write_text("M,N,K,cuBLAS\n64,3072,2048,12.5\n")
    with pytest.raises(FileContentError, match="folders <gpu>_cc<nn>_"):
        import_source("slidesparse", path)
