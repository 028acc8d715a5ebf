"""The mixed-integer program of a search: one option for each unit, least loss, bounds on summed measures.

A unit is a sublayer of a layer, a whole layer (where losses are of whole layers), or a group of them that is
to be equal. `scipy.optimize.milp` (HiGHS) solves it: minimise sum of loss x, where each unit takes one of its
options, each bounded measure sums to at most its bound, at least one sublayer stays, and at most so many
distinct shapes of each kind are used.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array
from infersim.domain.errors import InfersimError
from infersim.simulation.search.programs.quiet import silenced

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DIGITS = 9
"""Decimals of numbers that are near 1: with more, versions of HiGHS fail now and then (status 4)."""

SLACK = 1e-6
"""Bounds are tightened by it, relatively: the solver keeps them to about as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What a unit may become: the entries that it takes, its loss, the shapes it uses, and what is left."""

    entries: tuple[int, ...]
    loss: float
    shapes: tuple[tuple[str, Hashable], ...] = ()
    stays: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Program:
    """Units with their options; `shapes`: at most so many distinct shapes of each kind (None: any).

    `used` are shapes of layers that are no units, `others_stay` whether there are such layers.
    """

    units: tuple[tuple[Option, ...], ...]
    shapes: int | None = None
    used: frozenset[tuple[str, Hashable]] = frozenset()
    others_stay: bool = False

    @property
    def options(self) -> tuple[Option, ...]:
        """Those of all units in a row."""
        return tuple(option for unit in self.units for option in unit)

    @property
    def starts(self) -> npt.NDArray[np.intp]:
        """The first option of each unit."""
        return np.cumsum([0, *map(len, self.units)])[:-1].astype(np.intp)

    def summed(self, values: Array) -> Array:
        """A measure of each option from that of entries."""
        return np.array([values[list(option.entries)].sum() for option in self.options])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solved:
    """`taken` is the option of each unit, by its place in the unit; None where nothing was found.

    `gap` is how much less, relatively, another plan could lose at most; `feasible` None: not decided in time.
    """

    taken: npt.NDArray[np.intp] | None
    loss: float
    gap: float
    feasible: bool | None
    timed_out: bool


def solve(
    program: Program,
    objective: Array,
    rows: Sequence[tuple[Array, float, float]],
    *,
    seconds: float,
    gap: float,
) -> Solved:
    """Minimise `objective` over options, where each of `rows` (values, remainder, bound of both) is kept.

    Raises InfersimError where the solver fails.
    """
    scale = float(np.abs(objective).max()) or 1.0
    matrix = [
        (values / _scale(bound), (bound - rest) / _scale(bound) - SLACK) for values, rest, bound in rows
    ]
    found = _run(program, objective / scale, matrix, seconds=seconds, gap=gap)
    return _read(found, program, objective)


def closest(
    program: Program, rows: Sequence[tuple[Array, float, float]], *, seconds: float, gap: float
) -> Solved:
    """The plan whose worst row exceeds its bound by the least factor; `loss` is that factor."""
    count = len(program.options)
    # One more variable s: values x + remainder - s bound <= 0.
    matrix = [
        (np.append(values, -bound) / _scale(bound), -rest / _scale(bound)) for values, rest, bound in rows
    ]
    found = _run(program, np.append(np.zeros(count), 1.0), matrix, seconds=seconds, gap=gap)
    solved = _read(found, program, np.zeros(count))
    if solved.taken is None:
        return solved
    chosen = program.starts + solved.taken
    worst = max((values[chosen].sum() + rest) / bound for values, rest, bound in rows)
    return replace(solved, loss=float(worst))


def _scale(bound: float) -> float:
    return abs(bound) or 1.0


def _run(
    program: Program, cost: Array, rows: Sequence[tuple[Array, float]], *, seconds: float, gap: float
) -> Any:
    """Columns: options, what `cost` has beyond them (continuous), and shapes where these are limited."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    cost, rows = np.round(cost, DIGITS), [(np.round(values, DIGITS), upper) for values, upper in rows]
    count, free = len(program.options), len(cost) - len(program.options)
    shapes = _shape_columns(program)
    columns = len(cost) + len(shapes)
    constraints: list[Any] = [LinearConstraint(_one_each(program, columns), 1.0, 1.0)]
    if rows:
        matrix = np.zeros((len(rows), columns))
        for place, (values, _) in enumerate(rows):
            matrix[place, : len(values)] = values
        constraints.append(LinearConstraint(matrix, -np.inf, np.array([upper for _, upper in rows])))
    if not program.others_stay:
        stays = np.zeros((1, columns))
        stays[0, :count] = [option.stays for option in program.options]
        constraints.append(LinearConstraint(stays, 1.0, np.inf))
    lower, upper = np.zeros(columns), np.ones(columns)
    upper[:count][_dominated(program, cost, rows)] = 0.0
    upper[count : count + free] = np.inf
    if shapes:
        matrix_of_shapes, most = _shape_rows(program, shapes, len(cost), columns)
        constraints.append(LinearConstraint(matrix_of_shapes, -np.inf, most))
        lower[len(cost) :] = [shape in program.used for shape in shapes]
    integral = np.ones(columns, dtype=np.int64)
    integral[count : count + free] = 0

    def solved(digits: int) -> Any:
        return milp(
            np.round(np.concatenate([cost, np.zeros(len(shapes))]), digits),
            integrality=integral,
            bounds=Bounds(lower, upper),
            constraints=constraints,
            options={"time_limit": max(seconds, 0.05), "mip_rel_gap": gap},
        )

    with silenced():
        for digits in (DIGITS, DIGITS - 1, DIGITS - 2):
            found = solved(digits)
            if found.status in _KNOWN:
                break
    return found


_KNOWN = (0, 1, 2)
"""What the solver may say: solved, out of time, infeasible."""


def _dominated(program: Program, cost: Array, rows: Sequence[tuple[Array, float]]) -> npt.NDArray[np.bool_]:
    """Options that another of their unit is no worse than in anything: they need not be looked at.

    Where the number of shapes is limited, an option may be worth its shape.
    """
    count = len(program.options)
    gone = np.zeros(count, dtype=np.bool_)
    if program.shapes is not None:
        return gone
    stays = np.array([option.stays for option in program.options])
    measures = np.stack([cost[:count], *(values[:count] for values, _ in rows)])
    ends = np.append(program.starts[1:], count)
    for start, end in zip(program.starts, ends, strict=True):
        own, left = measures[:, start:end], stays[start:end]
        no_worse = (own[:, :, np.newaxis] <= own[:, np.newaxis, :]).all(axis=0)
        equal = no_worse & no_worse.T
        earlier = np.arange(end - start)[:, np.newaxis] < np.arange(end - start)
        better = no_worse & (~equal | earlier) & (left[:, np.newaxis] | ~left)
        gone[start:end] = better.any(axis=0)
    return gone


def _read(found: Any, program: Program, objective: Array) -> Solved:
    """What the solver says of each unit."""
    if found.status not in _KNOWN:
        raise InfersimError(f"the solver failed: {found.message}")
    if found.x is None:
        feasible = False if found.status == 2 else None
        return Solved(taken=None, loss=np.nan, gap=np.nan, feasible=feasible, timed_out=found.status == 1)
    starts = program.starts
    ends = np.append(starts[1:], len(program.options))
    taken = np.array(
        [int(np.argmax(found.x[start:end])) for start, end in zip(starts, ends, strict=True)], dtype=np.intp
    )
    gap = found.mip_gap if found.mip_gap is not None and np.isfinite(found.mip_gap) else 0.0
    return Solved(
        taken=taken,
        loss=float(objective[starts + taken].sum()),
        gap=float(gap),
        feasible=True,
        timed_out=found.status == 1,
    )


def _one_each(program: Program, columns: int) -> csr_array:
    units = np.repeat(np.arange(len(program.units)), [len(unit) for unit in program.units])
    places = np.arange(len(units))
    return _sparse(np.ones(len(units)), units, places, (len(program.units), columns))


def _sparse(
    values: Array, rows: npt.NDArray[Any], columns: npt.NDArray[Any], shape: tuple[int, int]
) -> csr_array:
    """With places of 32 bit, as the solver of older versions of scipy has it."""
    from scipy.sparse import csr_array

    return csr_array((values, (rows.astype(np.int32), columns.astype(np.int32))), shape=shape)


def _shape_columns(program: Program) -> list[tuple[str, Hashable]]:
    """A column for each distinct shape of a kind, where their number is limited."""
    if program.shapes is None:
        return []
    own = (shape for option in program.options for shape in option.shapes)
    return list(dict.fromkeys((*own, *program.used)))


def _shape_rows(
    program: Program, shapes: Sequence[tuple[str, Hashable]], first: int, columns: int
) -> tuple[csr_array, Array]:
    """x <= z for each option and shape of it; and the sum of z of each kind at most so many."""
    place_of = {shape: first + place for place, shape in enumerate(shapes)}
    used = [
        (place, place_of[shape]) for place, option in enumerate(program.options) for shape in option.shapes
    ]
    kinds = list(dict.fromkeys(kind for kind, _ in shapes))
    entries = [(row, x, 1.0) for row, (x, _) in enumerate(used)]
    entries += [(row, z, -1.0) for row, (_, z) in enumerate(used)]
    entries += [(len(used) + kinds.index(shape[0]), place_of[shape], 1.0) for shape in shapes]
    row, column, value = (np.array(each) for each in zip(*entries, strict=True))
    most = np.concatenate([np.zeros(len(used)), np.full(len(kinds), float(program.shapes or 0))])
    return _sparse(value, row, column, (len(used) + len(kinds), columns)), most
