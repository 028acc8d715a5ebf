"""Timelines: what a transformer's ops take on a GPU, and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from infersim.cost.energy import PowerLaw, energy_j, power_law
from infersim.cost.floor import step_floor_s
from infersim.domain.arrays import Array
from infersim.domain.ops import Part
from infersim.domain.profile import HardwareProfile
from infersim.simulation.timing.op_costs import OpCosts, cost_ops, over_ops
from infersim.simulation.timing.passes import Pass
from infersim.simulation.timing.program import Program, Programs, lay_out
from infersim.simulation.timing.uncertainty import half_width_of_sum
from infersim.simulation.timing.whole_work import WholeWork, WholeWorks
from infersim.workload.memory import fits
from infersim.workload.scenario import Scenario
from infersim.workload.transformer import Transformer

LAUNCH = "launch"
"""Name of the time that all parts spend on launches, beside the parts themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Joules with their 80 % interval, over the scenario axes; `law` is the board's."""

    joules: Array
    lower_j: Array
    upper_j: Array
    law: PowerLaw


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A program on a GPU; arrays over the scenario axes, `costs` with one row for each op before them.

    `floor_s` is the time that no implementation can beat, whatever L2 holds at first. `lower_s` and `upper_s`
    bound the 80 % interval of `latency_s`; none of the three is below `floor_s`. `fits_memory` says whether
    the scenario can run on the GPU at all.
    """

    profile: HardwareProfile
    program: Program
    costs: OpCosts
    floor_s: Array
    latency_s: Array
    lower_s: Array
    upper_s: Array
    fits_memory: npt.NDArray[np.bool_]
    _works: WholeWorks = field(repr=False, compare=False)
    _place: int = field(repr=False, compare=False)

    @property
    def kernel_s(self) -> Array:
        """Seconds of all kernels without launch."""
        return over_ops(self.costs.kernel_s)

    @property
    def gpus(self) -> int:
        """How many share the model; every number but energy is that of one of them."""
        return self.program.gpus

    def part_s(self) -> dict[str, Array]:
        """Kernel seconds of each part by its name, and the launches of all parts; they sum to the latency.

        Exchanges between GPUs hold their own launches.
        """
        parts, exchanged = self._parts(), self.exchanged()
        by_part = {part.value: over_ops(self.costs.kernel_s, parts == part) for part in Part}
        launch_s = self.costs.launch_s
        if exchanged.any():
            by_part[Part.COMMUNICATION.value] = over_ops(self.costs.latency_s, exchanged)
            launch_s = launch_s[~exchanged]
        return by_part | {LAUNCH: over_ops(launch_s)}

    def work(self) -> WholeWork:
        """FLOPs of the whole model, and what they take at the peaks, shared evenly."""
        if self.gpus == 1:
            return WholeWork(parts=self._parts(), flop=self.costs.flop, peak_s=self.costs.peak_s)
        return self._works.of(self._place)

    def exchanged(self) -> npt.NDArray[np.bool_]:
        """Which ops are exchanges between GPUs."""
        found: npt.NDArray[np.bool_] = self._parts() == Part.COMMUNICATION
        return found

    def _parts(self) -> npt.NDArray[np.str_]:
        return np.array([op.part for op in self.program.ops])

    def block_s(self) -> Array:
        """Seconds inside the blocks, launch included: what removing layers saves."""
        in_blocks = np.array([op.group is not None for op in self.program.ops])
        return over_ops(self.costs.latency_s, in_blocks)

    def op_energy_j(self, law: PowerLaw) -> Array:
        """Joules of each op on all boards over all its executions, launches and waits for the host
        included."""
        costs = self.costs
        return self.gpus * energy_j(
            law,
            flop=costs.flop,
            peak_s=costs.peak_s,
            moved_bytes=costs.kernel_bytes,
            busy=costs.busy,
            kernel_s=costs.kernel_s,
            launch_s=costs.launch_s,
        )

    def energy_j(self) -> Energy | None:
        """Joules of the whole program on its boards; None where nobody states a board's power limit."""
        law = power_law(self.profile)
        if law is None:
            return None
        joules = over_ops(self.op_energy_j(law))
        width = np.hypot(np.log(self.upper_s / self.latency_s), law.log_half_width)
        return Energy(
            joules=joules,
            lower_j=joules * np.exp(-width),
            upper_j=np.minimum(joules * np.exp(width), self.gpus * law.limit_w * self.upper_s),
            law=law,
        )

    def calibrated_share(self) -> Array:
        """Share of the latency that comes from kernels inside the calibrated range, 0 to 1."""
        return over_ops(self.costs.latency_s * self.costs.in_range) / self.latency_s


def timeline(transformer: Transformer, profile: HardwareProfile, scenario: Scenario) -> Timeline:
    """Time one forward pass; raises UnsupportedError where the GPU lacks a data type."""
    return timelines(lay_out((transformer,), (Pass(scenario=scenario),)), profile)[0]


def timelines(programs: Programs, profile: HardwareProfile) -> tuple[Timeline, ...]:
    """Time several programs at once, each op shape in one call with its like; errors as in `timeline`."""
    costs, works = cost_ops(programs, profile), WholeWorks(programs.members, profile)
    return tuple(
        _timeline(program, costs.select(rows), profile, works, place)
        for place, (program, rows) in enumerate(zip(programs.members, programs.rows, strict=True))
    )


def _timeline(
    program: Program, costs: OpCosts, profile: HardwareProfile, works: WholeWorks, place: int
) -> Timeline:
    floor_s = _floor_s(program, costs, profile)
    latency_s = over_ops(costs.latency_s)
    width = half_width_of_sum(costs, program.labels)
    return Timeline(
        profile=profile,
        program=program,
        costs=costs,
        floor_s=floor_s,
        latency_s=latency_s,
        lower_s=np.maximum(latency_s * np.exp(-width), floor_s),
        upper_s=latency_s * np.exp(width),
        fits_memory=fits(program.memory_bytes, profile.memory.total_bytes),
        _works=works,
        _place=place,
    )


def _floor_s(program: Program, costs: OpCosts, profile: HardwareProfile) -> Array:
    """The floors of all passes.

    Each repetition of a pass is a step of its own: what L2 may hold from before is credited to each.
    """
    floors = [
        case.times
        * step_floor_s(costs.matrix_s[rows] / case.times, costs.stream_s[rows] / case.times, profile)
        for case, rows in zip(program.passes, program.pass_rows, strict=True)
    ]
    total: Array = np.add.reduce(floors)
    return total
