"""The table `[interconnect]`: as the domain has it and back, and whether its numbers agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from infersim.domain.interconnect import Interconnect, LinkKind, Wiring
from infersim.domain.profile import GIGA
from infersim.profile_files.contradiction import Contradiction

if TYPE_CHECKING:
    from infersim.profile_files.schema import InterconnectTable

PCIE_GT_S: Mapping[int, float] = {1: 2.5, 2: 5.0, 3: 8.0, 4: 16.0, 5: 32.0, 6: 64.0}
"""Transfers of a lane in a second, in billions (PCI-SIG), of a bit each."""

PCIE_CODED: Mapping[int, float] = {
    1: 8 / 10,
    2: 8 / 10,
    3: 128 / 130,
    4: 128 / 130,
    5: 128 / 130,
    6: 242 / 256,
}
"""Share of the bits that carry data: 8b/10b, 128b/130b, and since PCIe 6 what error correction leaves."""

NVLINK_GB_S: Mapping[int, tuple[tuple[float, ...], int]] = {
    1: ((20,), 4),
    2: ((25,), 6),
    3: ((25, 14.0625), 12),
    4: ((25,), 18),
    5: ((50,), 18),
}
"""GB/s of one NVLink in one direction and the most links of a GPU, by generation; GA102 has slower links."""

FIRST_NVLS = 4
"""The first NVLink whose switches add up."""

PCIE_TOLERANCE = 0.03
LINK_TOLERANCE = 0.01


def against_links(table: InterconnectTable) -> Iterator[Contradiction]:
    """Everything in the table that cannot be true together."""
    yield from _against_kind(table)
    yield from _against_slot(table)
    if table.kind is LinkKind.NVLINK and table.link_gb_s is not None and table.generation is not None:
        yield from _against_generation(table.link_gb_s, table.generation)
    switched = table.wiring is Wiring.SWITCH and table.kind is LinkKind.NVLINK
    if table.nvls and not (switched and (table.generation or 0) >= FIRST_NVLS):
        expected = f"false: only switches of NVLink {FIRST_NVLS} and later add up"
        yield Contradiction(key="interconnect.nvls", value="true", expected=expected)


def _against_kind(table: InterconnectTable) -> Iterator[Contradiction]:
    """Links without a bandwidth, a bandwidth without links, and neighbours without either."""
    linked = table.kind in (LinkKind.NVLINK, LinkKind.INFINITY_FABRIC)
    if linked and table.link_gb_s is None:
        expected = f"the bandwidth of {table.kind.value} of one GPU in one direction"
        yield Contradiction(key="interconnect.link_gb_s", value="nothing", expected=expected)
    if linked and table.wiring in (None, Wiring.HOST):
        value = "nothing" if table.wiring is None else table.wiring.value
        yield Contradiction(key="interconnect.wiring", value=value, expected="switch, mesh or bridge")
    if not linked and table.link_gb_s is not None:
        expected = f"none, as kind is {table.kind.value}: the bandwidth of the slot is pcie_gb_s"
        yield Contradiction(key="interconnect.link_gb_s", value=table.link_gb_s, expected=expected)
    if not linked and table.wiring not in (None, Wiring.HOST):
        value, expected = table.wiring.value, f"host or none, as kind is {table.kind.value}"
        yield Contradiction(key="interconnect.wiring", value=value, expected=expected)
    if table.kind is LinkKind.PCIE and table.pcie_gb_s is None:
        expected = "the bandwidth of the slot in one direction"
        yield Contradiction(key="interconnect.pcie_gb_s", value="nothing", expected=expected)
    if table.kind is LinkKind.NONE and table.gpus_per_node != 1:
        expected = "1: nothing connects the GPU to others (kind is none)"
        yield Contradiction(key="interconnect.gpus_per_node", value=table.gpus_per_node, expected=expected)
    if table.wiring is Wiring.MESH and table.gpus_per_node < 2:
        expected = "at least 2, as wiring is mesh"
        yield Contradiction(key="interconnect.gpus_per_node", value=table.gpus_per_node, expected=expected)


def _against_slot(table: InterconnectTable) -> Iterator[Contradiction]:
    """A slot's bandwidth that its generation and lanes do not give."""
    given, lanes, generation = table.pcie_gb_s, table.pcie_lanes, table.pcie_generation
    if given is None or lanes is None or generation is None or generation not in PCIE_GT_S:
        return
    computed = lanes * PCIE_GT_S[generation] * PCIE_CODED[generation] / 8
    if abs(given / computed - 1) <= PCIE_TOLERANCE:
        return
    both = "; it looks like both directions: write one" if abs(given / computed / 2 - 1) <= 0.05 else ""
    yield Contradiction(
        key="interconnect.pcie_gb_s",
        value=given,
        expected=f"{computed:.4g} within {PCIE_TOLERANCE:.0%} ({lanes} lanes of PCIe {generation}){both}",
    )


def _against_generation(given: float, generation: int) -> Iterator[Contradiction]:
    """A bandwidth that is no number of links of its generation."""
    if generation not in NVLINK_GB_S:
        return
    rates, most = NVLINK_GB_S[generation]
    if any(_links(given, rate) <= most for rate in rates):
        return
    both = "; it looks like both directions: write half" if given > most * max(rates) else ""
    said = " or ".join(f"{rate:g}" for rate in rates)
    yield Contradiction(
        key="interconnect.link_gb_s",
        value=given,
        expected=f"a multiple of {said}, the GB/s of a link of NVLink {generation} in one direction, of which"
        f" a GPU has at most {most}{both}",
    )


def _links(given: float, rate: float) -> float:
    """How many links of a rate give a bandwidth; infinitely many where it is no whole number."""
    links = given / rate
    return round(links) if abs(links - round(links)) <= LINK_TOLERANCE * max(links, 1) else float("inf")


def interconnect_of(table: InterconnectTable) -> Interconnect:
    """The links of a GPU in SI units."""
    return Interconnect(
        kind=table.kind,
        gpus_per_node=table.gpus_per_node,
        bytes_per_s=None if table.link_gb_s is None else table.link_gb_s * GIGA,
        wiring=table.wiring,
        generation=table.generation,
        nvls=table.nvls,
        pcie_bytes_per_s=None if table.pcie_gb_s is None else table.pcie_gb_s * GIGA,
        pcie_generation=table.pcie_generation,
        pcie_lanes=table.pcie_lanes,
    )


def table_of_interconnect(links: Interconnect | None) -> dict[str, Any]:
    """The table of a file, under its name; nothing where nobody says."""
    if links is None:
        return {}
    rows = {
        "kind": links.kind.value,
        "wiring": None if links.wiring is None else links.wiring.value,
        "generation": links.generation,
        "link_gb_s": None if links.bytes_per_s is None else links.bytes_per_s / GIGA,
        "nvls": links.nvls or None,
        "pcie_generation": links.pcie_generation,
        "pcie_lanes": links.pcie_lanes,
        "pcie_gb_s": None if links.pcie_bytes_per_s is None else links.pcie_bytes_per_s / GIGA,
        "gpus_per_node": links.gpus_per_node,
    }
    return {"interconnect": {key: value for key, value in rows.items() if value is not None}}
