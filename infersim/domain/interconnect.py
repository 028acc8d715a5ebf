"""How the GPUs of a node are connected: by what links, how they are wired, and how much a GPU sends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from infersim.domain.errors import InvalidValueError, UnsupportedError


class LinkKind(StrEnum):
    """What GPUs send each other data over."""

    NVLINK = "nvlink"
    INFINITY_FABRIC = "infinity-fabric"
    PCIE = "pcie"
    NONE = "none"


class Wiring(StrEnum):
    """Which of a node's GPUs reach each other directly.

    - `SWITCH`: each reaches each at its full bandwidth.
    - `MESH`: each has links of its own to each, so that few GPUs use few links.
    - `BRIDGE`: a bridge joins two cards; more than two speak over PCIe.
    - `HOST`: through PCIe switches and the host.
    """

    SWITCH = "switch"
    MESH = "mesh"
    BRIDGE = "bridge"
    HOST = "host"


BRIDGED = 2
"""Cards that a bridge joins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What connects some GPUs of a node: bytes per second that each sends in one direction.

    `direct`: each reads the memory of each. `reduces`: the switch adds up what GPUs send (NVLink SHARP).
    """

    kind: LinkKind
    bytes_per_s: float
    direct: bool
    reduces: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Interconnect:
    """The links of a GPU inside its node; bandwidths are of one GPU in one direction.

    `bytes_per_s` is that of all its links together, `pcie_bytes_per_s` that of its slot; None where there is
    none, or nobody says. `generation` is the link's (NVLink 4). `nvls`: NVLink SHARP, which adds up in the
    switch.
    """

    kind: LinkKind
    gpus_per_node: int
    bytes_per_s: float | None = None
    wiring: Wiring | None = None
    generation: int | None = None
    nvls: bool = False
    pcie_bytes_per_s: float | None = None
    pcie_generation: int | None = None
    pcie_lanes: int | None = None

    def between(self, gpus: int, name: str) -> Link:
        """What connects `gpus` GPUs of a node of the GPU `name`.

        Raises InvalidValueError for fewer than two and for more than a node has.
        """
        if gpus < 2:
            raise InvalidValueError("gpus", gpus, "at least 2: one GPU has nobody to exchange with")
        if gpus > self.gpus_per_node:
            most = f"at most {self.gpus_per_node}, the GPUs of a node of {name}"
            if self.gpus_per_node == 1:
                most = f"1: nothing connects {name} to another GPU of its node"
            raise InvalidValueError("gpus", gpus, most)
        apart = self.kind is LinkKind.PCIE or (self.wiring is Wiring.BRIDGE and gpus > BRIDGED)
        if apart or self.bytes_per_s is None:
            return self._pcie(gpus, name)
        share = 1.0
        if self.wiring is Wiring.MESH:
            share = (gpus - 1) / (self.gpus_per_node - 1)
        return Link(
            kind=self.kind,
            bytes_per_s=self.bytes_per_s * share,
            direct=True,
            reduces=self.nvls,
        )

    def _pcie(self, gpus: int, name: str) -> Link:
        if self.pcie_bytes_per_s is None:
            raise UnsupportedError(
                f"{name}: nobody states the bandwidth of its slot (interconnect.pcie_gb_s)"
            )
        return Link(kind=LinkKind.PCIE, bytes_per_s=self.pcie_bytes_per_s, direct=gpus <= BRIDGED)
