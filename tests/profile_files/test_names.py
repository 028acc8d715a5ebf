"""Which profile a name means: canonical, reported by the driver, in any spelling, or none at all."""

from __future__ import annotations

import pytest

from infersim.domain.errors import UnknownNameError
from infersim.profile_files import list_profiles, load_profile
from infersim.profile_files.names import LONGEST, shipped_file


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


@pytest.mark.parametrize("letter", ["a", "\N{MATHEMATICAL BOLD SMALL A}"])
def test_a_name_that_no_file_can_have_is_unknown(letter: str) -> None:
    for length in (LONGEST, LONGEST + 1, 10_000):
        with pytest.raises(UnknownNameError):
            shipped_file(letter * length)


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


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("4090", "rtx-4090"),
        ("RTX4090", "rtx-4090"),
        ("A6000", "rtx-a6000"),
        ("6000 Ada", "rtx-6000-ada"),
        ("2080 SUPER", "rtx-2080-super"),
        ("H100SXM", "h100-sxm"),
        ("b200", "b200-sxm"),
        ("L40", "l40"),
    ],
)
def test_a_short_name_of_one_board_is_enough(typed: str, name: str) -> None:
    assert load_profile(typed).name == name


@pytest.mark.parametrize(
    ("typed", "boards"),
    [
        ("A100", ["a100-pcie-40gb", "a100-pcie-80gb", "a100-sxm-40gb", "a100-sxm-80gb"]),
        ("h100", ["h100-nvl", "h100-pcie", "h100-sxm"]),
        ("PRO-6000", ["rtx-pro-6000", "rtx-pro-6000-server"]),
        ("4070", ["rtx-4070-ti-super"]),  # another chip, not a shorter name
        ("2080", ["rtx-2080-super"]),
        ("v100", ["v100-sxm"]),  # others had 16 GB, or PCIe
    ],
)
def test_a_short_name_is_no_guess_between_boards(typed: str, boards: list[str]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        load_profile(typed)
    assert sorted(caught.value.closest) == boards


@pytest.mark.parametrize("typed", ["NVL", "super", "ada", "server", "6000", "sxm", "rtx", "rtx-"])
def test_words_of_a_name_are_no_name(typed: str) -> None:
    with pytest.raises(UnknownNameError):
        load_profile(typed)


def test_the_error_lists_all_names_the_closest_first() -> None:
    with pytest.raises(UnknownNameError, match=r"'h100-sxn'.*h100-sxm") as caught:
        load_profile("h100-sxn")
    assert caught.value.known == sorted(list_profiles())


def test_the_closest_name_is_found_through_aliases() -> None:
    with pytest.raises(UnknownNameError, match="did you mean h100-sxm"):
        load_profile("NVIDIA H100 80GB HBM2")
