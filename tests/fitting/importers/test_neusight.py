"""NeuSight's tables: its letters for the axes, hot operands, fp32 and milliseconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.domain.errors import InfersimError
from infersim.fitting.importers.importing import import_source

HEAD = "OPName,Latency,Device,Torch Version,Kernel Name,Grid x,Kernels"
PRODUCTS = f"""{HEAD},B,M,N,K
linear,0.5,Tesla T4,p2.1.0,some_kernel,8,;some_kernel,2,128,512,2048
bmm,0.25,Tesla T4,p2.1.0,some_kernel,8,;some_kernel,1,64,256,1024
bmm,0.75,Tesla T4,p2.1.0,some_kernel,8,;some_kernel,12,64,256,1024
"""
ELEMENTWISE = f"""{HEAD},B,H
add,0.05,Tesla T4,p2.1.0,"a_kernel<4, float>",8,;x,1000,300
gelu,0.04,Tesla T4,p2.1.0,"a_kernel<4, float>",8,;x,1000,300
dropout,0.04,Tesla T4,p2.1.0,"a_kernel<4, float>",8,;x,1000,300
"""


def test_the_axes_of_a_linear_layer_are_renamed_to_ours(tmp_path: Path) -> None:
    path = tmp_path / "linear.csv"
    path.write_text(PRODUCTS)
    read = import_source("neusight", path)
    assert read.frame[["m", "n", "k"]].to_numpy().tolist() == [[256, 2048, 512], [64, 1024, 256]]
    assert read.frame["latency_us"].tolist() == [500.0, 250.0]
    assert read.frame[["gpu", "dtype", "weight_copies", "version"]].drop_duplicates().to_numpy().tolist() == [
        ["t4", "fp32", 1, "torch 2.1.0"]
    ]
    assert read.left_out == {"batched matrix product": 1}


def test_elementwise_ops_move_their_operands_and_result(tmp_path: Path) -> None:
    path = tmp_path / "elem.csv"
    path.write_text(ELEMENTWISE)
    read = import_source("neusight", path)
    assert read.frame[["kind", "op", "read_bytes", "write_bytes", "latency_us"]].to_numpy().tolist() == [
        ["memory", "add", 2_400_000, 1_200_000, 50.0],
        ["memory", "gelu", 1_200_000, 1_200_000, 40.0],
    ]
    assert read.left_out == {"op of no sample kind": 1}


def test_merged_tables_are_read_rather_than_the_files_they_were_merged_from(tmp_path: Path) -> None:
    (tmp_path / "collect" / "linear").mkdir(parents=True)
    (tmp_path / "collect" / "linear" / "Tesla T4.csv").write_text(PRODUCTS)
    assert len(import_source("neusight", tmp_path).frame) == 2
    (tmp_path / "linear.csv").write_text(PRODUCTS)
    assert len(import_source("neusight", tmp_path).frame) == 2


def test_two_unknown_gpus_cannot_both_be_the_one_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "linear.csv"
    path.write_text(
        PRODUCTS.replace("Tesla T4", "Tesla P4", 1).replace("Tesla T4", "Tesla P100-PCIE-16GB", 1)
    )
    with pytest.raises(InfersimError, match=r"GPUs.*known.*one GPU"):
        import_source("neusight", path, gpu="my-pascal")


def test_one_unknown_gpu_takes_the_given_name_and_known_ones_keep_theirs(tmp_path: Path) -> None:
    path = tmp_path / "linear.csv"
    path.write_text(PRODUCTS.replace("Tesla T4", "Tesla P4", 1))
    assert import_source("neusight", path, gpu="my-p4").frame["gpu"].tolist() == ["my-p4", "t4"]


@pytest.mark.parametrize("device", ["0", "1.5", "", "true"])
def test_a_device_that_is_no_name_is_told(tmp_path: Path, device: str) -> None:
    path = tmp_path / "linear.csv"
    path.write_text(PRODUCTS.replace("Tesla T4", device))
    with pytest.raises(InfersimError, match=r"names? the GPU.*expected a known name"):
        import_source("neusight", path)
    assert set(import_source("neusight", path, gpu="t4").frame["gpu"]) == {"t4"}
