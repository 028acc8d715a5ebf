"""Which profile a name means: canonical, reported by the driver, in any spelling, or none at all."""

from __future__ import annotations

import pytest

from infersim.domain.errors import UnknownNameError
from infersim.profile_files import list_profiles, load_profile


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("h100-sxm", "h100-sxm"),
        ("H100-SXM", "h100-sxm"),
        ("h100_sxm", "h100-sxm"),
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("nvidia h100 80gb hbm3", "h100-sxm"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA H100 NVL", "h100-nvl"),
        ("NVIDIA H200", "h200-sxm"),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm-80gb"),
        ("A100-SXM4-80GB", "a100-sxm-80gb"),  # as older drivers report it
        ("NVIDIA A100 80GB PCIe", "a100-pcie-80gb"),
        ("NVIDIA A100-PCIE-40GB", "a100-pcie-40gb"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("RTX 4090", "rtx-4090"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "rtx-pro-6000-server"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "rtx-pro-6000"),
        ("NVIDIA B300 SXM6 AC", "b300-sxm"),
        ("Tesla V100-SXM2-32GB", "v100-sxm"),
        ("Tesla T4", "t4"),
        ("AMD Instinct MI300X", "mi300x"),
        ("NVIDIA A100-SXM4-40GB", "a100-sxm-40gb"),
        ("NVIDIA H800", "h800-sxm"),
        ("h800", "h800-sxm"),
        ("NVIDIA GH200 480GB", "gh200-96gb"),
        ("NVIDIA GH200 144G HBM3e", "gh200-144gb"),
        ("NVIDIA L40", "l40"),
        ("NVIDIA L20", "l20"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("NVIDIA RTX A6000", "rtx-a6000"),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", "rtx-4070-ti-super"),
        ("NVIDIA GeForce RTX 2080 SUPER", "rtx-2080-super"),
        ("AMD Instinct MI250", "mi250"),
    ],
)
def test_a_gpu_is_found_by_the_name_its_driver_reports(spelling: str, name: str) -> None:
    assert load_profile(spelling).name == name


@pytest.mark.parametrize(
    "other_part",
    [
        "NVIDIA A800-SXM4-80GB",
        "NVIDIA A10G",
        "NVIDIA H800 PCIe",
        "NVIDIA RTX 6000",
        "NVIDIA GeForce RTX 4080 SUPER",
        "AMD Instinct MI250X / MI250",
        "Orin",
        "Tesla V100-SXM2-16GB",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition",
        "H100",
        "",
    ],
)
def test_a_gpu_that_only_resembles_a_known_one_is_unknown(other_part: str) -> None:
    with pytest.raises(UnknownNameError):
        load_profile(other_part)


def test_the_error_lists_all_names_the_closest_first() -> None:
    with pytest.raises(UnknownNameError, match=r"'h100-sxn'.*h100-sxm") as caught:
        load_profile("h100-sxn")
    assert caught.value.known == sorted(list_profiles())


def test_the_closest_name_is_found_through_aliases() -> None:
    with pytest.raises(UnknownNameError, match="did you mean h100-sxm"):
        load_profile("NVIDIA H100 80GB HBM2")
