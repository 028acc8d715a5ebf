"""What an expert layer's kernels work on: FLOPs, and bytes of weights and of the tokens' rows."""

from __future__ import annotations

import numpy as np

from infersim.cost.experts.routing import Loads, Routing, loads_of
from infersim.cost.machine import F32
from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.shapes import Experts


def extent_of(shape: Experts) -> tuple[int, ...]:
    """What the dimensions of a shape broadcast to."""
    return np.broadcast_shapes(*(np.shape(getattr(shape, name)) for name in shape.DIMENSIONS))


def flat(side: Numeric, extent: tuple[int, ...]) -> F32:
    """One dimension of a shape's kernels, one after the other."""
    return np.broadcast_to(as_array(side), extent).ravel().astype(np.float32)


def flat_routing(shape: Experts) -> Routing:
    """The routing of a shape's kernels, one after the other."""
    extent = extent_of(shape)
    return Routing(
        tokens=flat(shape.tokens, extent),
        num_experts=flat(shape.num_experts, extent),
        local=flat(shape.local_experts, extent),
        top_k=flat(shape.top_k, extent),
        skew=shape.skew,
        dealt=shape.dealt,
        popularity=shape.popularity,
    )


def matrices(shape: Experts) -> int:
    """Matrices of an expert: gate, up and down, or up and down."""
    return 3 if shape.gated else 2


def _loads(shape: Experts) -> Loads:
    return loads_of(flat_routing(shape))


def pairs(shape: Experts) -> Array:
    """Expected pairs of a token and an expert of this GPU."""
    return _loads(shape).pairs.astype(np.float64).reshape(extent_of(shape))


def hits(shape: Experts) -> Array:
    """Expected experts of this GPU that some token chooses."""
    return _loads(shape).hits.astype(np.float64).reshape(extent_of(shape))


def flop_of(shape: Experts, of_pairs: Array) -> Array:
    """A multiply and an add for each pair and value of its expert's matrices."""
    return 2.0 * of_pairs * matrices(shape) * shape.hidden * shape.width


def weight_bytes_of(shape: Experts, of_hits: Array) -> Array:
    """The weights of experts that are hit, each read once."""
    values = of_hits * matrices(shape) * shape.hidden * shape.width
    return values * shape.precision.weight_bytes


def row_bytes(shape: Experts) -> Array:
    """Tokens' rows in and out, in 16 bit: what lies between the two matrices can stay on the chip."""
    return 2.0 * as_array(shape.tokens) * shape.hidden * shape.precision.output_bytes


def experts_flop(shape: Experts) -> Array:
    """FLOPs of an expert layer on one GPU."""
    return flop_of(shape, pairs(shape))


def operand_bytes(shape: Experts) -> Array:
    """Weights of experts that are hit, and the tokens' rows in and out."""
    return weight_bytes_of(shape, hits(shape)) + row_bytes(shape)
