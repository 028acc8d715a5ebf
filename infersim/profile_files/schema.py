"""The layout of `hw_profiles/<gpu>.toml`: tables, keys, types. `ranges` and `consistency` check the numbers.

Imported when the first file is read, not with the package: pydantic takes longer to import than to use.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from infersim.domain.dtypes import DType
from infersim.domain.interconnect import LinkKind, Wiring

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]


class Table(BaseModel):
    """A TOML table whose keys are all known and whose values are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ChipTable(Table):
    """`[chip]`: SMs or cores, clocks in MHz, cache in MiB (what vendors call MB), watts where known.

    `clock_base_mhz` is the clock that the vendor warrants at the power limit.
    """

    sm_count: Annotated[int, Field(gt=0)]
    clock_max_mhz: Positive
    tensor_clock_mhz: Positive
    clock_base_mhz: Positive | None = None
    l2_mib: Positive
    tdp_w: Positive | None = None


class MemoryTable(Table):
    """`[memory]`: decimal GB and GB/s; bus width and rate of a pin, where known, check the bandwidth.

    `reported_mib` is what the device says it has, where known: vendors sell 80 GiB as 80 GB, and error
    correction takes a sixteenth of graphics memory.
    """

    capacity_gb: Positive
    reported_mib: Positive | None = None
    bandwidth_gb_s: Positive
    bus_bits: Annotated[int, Field(gt=0)] | None = None
    pin_gbit_s: Positive | None = None


class MatrixRow(Table):
    """One data type of `[matrix]`: dense rate with FP32 accumulation, and what 2:4 makes of it."""

    datasheet_tflops: Positive
    flop_per_clock_per_sm: Positive
    sparse_factor: Positive
    rate_cap: Positive = 1.0
    quoted_clock_mhz: Positive | None = None


class InterconnectTable(Table):
    """`[interconnect]`: how the GPUs of a node are connected; GB/s of one GPU in one direction.

    `link_gb_s` is that of all its links to other GPUs together, `pcie_gb_s` that of its slot.
    `gpus_per_node` counts those that the links, or the slots of a usual server, connect.
    """

    kind: Annotated[LinkKind, Field(strict=False)]
    wiring: Annotated[Wiring, Field(strict=False)] | None = None
    generation: Annotated[int, Field(ge=1, le=20)] | None = None
    link_gb_s: Positive | None = None
    nvls: bool = False
    pcie_generation: Annotated[int, Field(ge=1, le=10)] | None = None
    pcie_lanes: Annotated[int, Field(ge=1, le=32)] | None = None
    pcie_gb_s: Positive | None = None
    gpus_per_node: Annotated[int, Field(gt=0)]


class Datasheet(Table):
    """A whole profile file.

    `kind` decides which numbers are believed: a CPU's are smaller, and its cores take the place of SMs.
    Keys of `sources` and entries of `unverified` are patterns over the dotted keys of the numbers
    (`matrix.*.datasheet_tflops`); keys of `exceptions` are dotted keys.
    """

    name: Text
    title: Text
    kind: Literal["gpu", "cpu"] = "gpu"
    vendor: Text
    generation: Text
    compute_capability: Text
    aliases: list[Text] = []
    fit_from: Text | None = None
    unverified: list[Text] = []
    chip: ChipTable
    memory: MemoryTable
    matrix: dict[Annotated[DType, Field(strict=False)], MatrixRow]
    interconnect: InterconnectTable | None = None
    sources: dict[str, Text] = {}
    exceptions: dict[str, Text] = {}

    def numbers(self) -> dict[str, float]:
        """Every number of the file by its dotted key, absent ones left out."""
        tables: dict[str, Table] = {"chip": self.chip, "memory": self.memory}
        tables |= {f"matrix.{dtype}": row for dtype, row in self.matrix.items()}
        if self.interconnect is not None:
            tables["interconnect"] = self.interconnect
        return {
            f"{prefix}.{key}": value
            for prefix, table in tables.items()
            for key, value in table.model_dump(exclude_unset=True, exclude_none=True).items()
            if not isinstance(value, bool | str)
        }
