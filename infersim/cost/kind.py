"""What a kind of kernel states of itself: how long it takes, its work, and its rate; `kernels` lists them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from infersim.domain.arrays import Array
from infersim.domain.costs import KernelCost
from infersim.domain.dtypes import DType
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Shape

ShapeT = TypeVar("ShapeT", bound=Shape)
_Shape = TypeVar("_Shape", bound=Shape, contravariant=True)


class CostFunction(Protocol[_Shape]):
    """The cost of one execution of a shape; arrays over the scenario axis."""

    def __call__(self, shape: _Shape, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
        """Raise UnsupportedError where the GPU lacks the shape's data type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelKind(Generic[ShapeT]):
    """A kind of kernel: the class of its shapes, and what is known of each of them without any GPU.

    `flop` is its work, `operand_bytes` all that it reads and writes, each byte once; `multiplies_in` is the
    type whose tensor rate bounds it (None: it multiplies next to nothing). `fitted_as` is the name that its
    fit on a GPU bears; None where it is of no interest whose kernels were measured.
    """

    shape: type[ShapeT]
    cost: CostFunction[ShapeT]
    flop: Callable[[ShapeT], Array]
    operand_bytes: Callable[[ShapeT], Array]
    multiplies_in: Callable[[ShapeT, HardwareProfile], DType | None]
    fitted_as: Callable[[ShapeT, HardwareProfile], str | None] = lambda _, __: None
