"""The table `[interconnect]`: read, written, shown, and refused where its numbers cannot be."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError
from infersim.domain.interconnect import LinkKind, Wiring
from infersim.profile_files import load_profile, with_overrides
from infersim.profile_files.datasheets import table_of
from infersim.profile_files.profiles import list_profiles
from infersim.report.inventories import gpus_table
from tests.profile_files.example_files import write_example

NVLINK = """
[interconnect]
kind = "nvlink"
wiring = "switch"
generation = 4
link_gb_s = 450
nvls = true
pcie_generation = 5
pcie_lanes = 16
pcie_gb_s = 63
gpus_per_node = 8
"""
PCIE = """
[interconnect]
kind = "pcie"
pcie_gb_s = 31.5
gpus_per_node = 4
"""
SOURCES = '[sources]\n"interconnect.*" = "made up"'


def write(folder: Path, links: str) -> Path:
    return write_example(folder, ("[sources]", f"{links}\n{SOURCES}"))


def test_it_is_read_in_si_units(tmp_path: Path) -> None:
    links = load_profile(write(tmp_path, NVLINK)).interconnect
    assert links is not None
    assert (links.kind, links.wiring, links.generation) == (LinkKind.NVLINK, Wiring.SWITCH, 4)
    assert (links.bytes_per_s, links.pcie_bytes_per_s) == (450e9, 63e9)
    assert links.nvls
    assert links.gpus_per_node == 8


def test_a_file_without_it_is_a_gpu_alone(tmp_path: Path) -> None:
    assert load_profile(write_example(tmp_path)).interconnect is None


@pytest.mark.parametrize(
    ("old", "new", "key", "expectation"),
    [
        ("link_gb_s = 450", "link_gb_s = 900", "link_gb_s", "multiple of 25.*at most 18; it looks like both"),
        ("link_gb_s = 450", "link_gb_s = 440", "link_gb_s", "a multiple of 25, .* NVLink 4"),
        ("link_gb_s = 450\n", "", "link_gb_s", "bandwidth of nvlink of one GPU in one direction"),
        ('wiring = "switch"', 'wiring = "host"', "wiring", "switch, mesh or bridge"),
        ("pcie_gb_s = 63", "pcie_gb_s = 128", "pcie_gb_s", "63.02 within 3%.*both directions"),
        ("pcie_gb_s = 63", "pcie_gb_s = 50", "pcie_gb_s", r"63.02 within 3% \(16 lanes of PCIe 5\)$"),
        ("pcie_gb_s = 63", "pcie_gb_s = 63000", "pcie_gb_s", "looks like MB/s: write 63"),
        ("generation = 4", "generation = 3", "link_gb_s", "NVLink 3"),
        ('wiring = "switch"', 'wiring = "mesh"', "nvls", "only switches of NVLink 4"),
        ('kind = "nvlink"', 'kind = "pcie"', "link_gb_s", "kind is pcie: the bandwidth of the slot"),
        ("gpus_per_node = 8", "gpus_per_node = 0", "gpus_per_node", "above 0"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, old: str, new: str, key: str, expectation: str) -> None:
    assert old in NVLINK
    with pytest.raises(FileContentError, match=expectation) as caught:
        load_profile(write(tmp_path, NVLINK.replace(old, new)))
    assert caught.value.key == f"interconnect.{key}"


def test_a_gpu_without_links_has_no_neighbours(tmp_path: Path) -> None:
    with pytest.raises(FileContentError, match="1: nothing connects the GPU to others"):
        load_profile(write(tmp_path, '[interconnect]\nkind = "none"\ngpus_per_node = 2\n'))


def test_pcie_needs_the_bandwidth_of_the_slot(tmp_path: Path) -> None:
    assert load_profile(write(tmp_path, PCIE)).link_between(4).bytes_per_s == 31.5e9
    with pytest.raises(FileContentError, match="the bandwidth of the slot in one direction"):
        load_profile(write(tmp_path, PCIE.replace("pcie_gb_s = 31.5\n", "")))


def test_each_number_needs_a_source(tmp_path: Path) -> None:
    with pytest.raises(FileContentError, match="a source for it"):
        load_profile(write_example(tmp_path, ("[sources]", f"{PCIE}\n[sources]")))


def test_a_user_may_set_it() -> None:
    wider = with_overrides("h100-sxm", {"interconnect.link_gb_s": 400.0, "interconnect.gpus_per_node": 16.0})
    assert wider.link_between(16).bytes_per_s == 400e9
    assert wider.interconnect is not None
    assert wider.interconnect.nvls


@pytest.mark.slow
def test_shipped_tables_come_back_from_what_was_read() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in list_profiles():
            profile = load_profile(name)
            assert profile.interconnect is not None
            table = table_of(profile)["interconnect"]
            assert table["gpus_per_node"] == profile.interconnect.gpus_per_node
            numbers = [
                key for key, value in table.items() if isinstance(value, int | float) and key != "nvls"
            ]
            stated = {*profile.sources, *profile.unverified}
            assert {f"interconnect.{key}" for key in numbers} <= stated, name


def test_the_list_of_gpus_shows_what_connects_a_node() -> None:
    names = ("h100-sxm", "h100-pcie", "mi300x", "jetson-orin-agx")
    table = gpus_table([load_profile(name) for name in names])
    (column,) = (column for column in table.columns if column.heading == "node")
    shown = [column.text(*(row[key] for key in column.keys)) for _, row in table.frame.iterrows()]
    assert shown == ["8 x 450", "8 x 63.0", "8 x 448", "–"]
    assert table.frame["link"].tolist() == ["nvlink", "nvlink", "infinity-fabric", "none"]
