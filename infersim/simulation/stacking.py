"""Stacking: many kernel shapes as few, so that a model, or all plans of a sweep, are costed in a few calls.

A cost function's time goes into its numpy calls while arrays are small: twenty ops of a hundred scenarios
cost little more in one call than one op does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array, as_array
from infersim.domain.shapes import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Shapes that differ in their dimensions alone, as one: rows along the first axis of every dimension.

    `rows` are the places of its members among all shapes.
    """

    rows: npt.NDArray[np.intp]
    shape: Shape


def stack_shapes(shapes: Sequence[Shape], axes: int) -> tuple[Stack, ...]:
    """Stack shapes whose dimensions broadcast over `axes` scenario axes.

    Shapes of unequal extent are kept apart: decode GEMMs, which do not depend on the context, stay small.
    """
    members: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for row, shape in enumerate(shapes):
        members[_kind(shape), _extent(shape, axes)].append(row)
    return tuple(
        Stack(rows=np.array(rows, dtype=np.intp), shape=_stacked([shapes[row] for row in rows], axes))
        for rows in members.values()
    )


def same_shape(one: Shape, other: Shape) -> npt.NDArray[np.bool_]:
    """Where in the scenarios two shapes are one and the same kernel; broadcasts like their dimensions."""
    if _kind(one) != _kind(other):
        return np.asarray(False)
    same = np.asarray(True)
    for name in one.DIMENSIONS:
        same = same & (as_array(getattr(one, name)) == as_array(getattr(other, name)))
    return same


def _kind(shape: Shape) -> tuple[object, ...]:
    """All that must agree for two shapes to be timed in one call."""
    return type(shape), *(getattr(shape, name) for name in _kind_fields(type(shape)))


_KIND_FIELDS: dict[type[Shape], tuple[str, ...]] = {}


def _kind_fields(kind: type[Shape]) -> tuple[str, ...]:
    """The fields that are no dimensions; kept, as each op of each model is asked."""
    if kind not in _KIND_FIELDS:
        _KIND_FIELDS[kind] = tuple(each.name for each in fields(kind) if each.name not in kind.DIMENSIONS)
    return _KIND_FIELDS[kind]


def _dimensions(shape: Shape) -> list[Array]:
    return [as_array(getattr(shape, name)) for name in shape.DIMENSIONS]


def _extent(shape: Shape, axes: int) -> tuple[int, ...]:
    """What the dimensions broadcast to, with leading ones up to `axes` axes."""
    extent = np.broadcast_shapes(*(dimension.shape for dimension in _dimensions(shape)))
    return (1,) * (axes - len(extent)) + extent


def _stacked(members: Sequence[Shape], axes: int) -> Shape:
    extent = _extent(members[0], axes)
    columns = zip(*map(_dimensions, members), strict=True)
    stacked: dict[str, Any] = {
        name: np.stack([np.broadcast_to(dimension, extent) for dimension in column])
        for name, column in zip(members[0].DIMENSIONS, columns, strict=True)
    }
    return replace(members[0], **stacked)
