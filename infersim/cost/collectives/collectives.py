"""Latency of exchanges between the GPUs of a node: that of the fastest algorithm."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from infersim.cost.assembling import CHAIN, LINK, assemble, exposed_launch_s
from infersim.cost.collectives.algorithms import RING, fastest, link_us
from infersim.cost.collectives.parameters import COLLECTIVE_PARAMETERS, fit_name
from infersim.cost.collectives.volumes import least_bytes
from infersim.cost.kind import KernelKind
from infersim.cost.machine import F32
from infersim.cost.parameters import KindParameters, kind_parameters
from infersim.cost.regimes import COLLECTIVE_REGIMES, collective_regime, regime_widths
from infersim.cost.residual import residual_correction
from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.fit import KERNEL_SETS
from infersim.domain.interconnect import Link
from infersim.domain.profile import MEGA, HardwareProfile
from infersim.domain.shapes import Collective

COLLECTIVE_AXES = ("log2 bytes", "log2 gpus")
"""Names of `collective_features`, which the axes of residual grids bear."""

LINK_SHARE = 0.3
"""Of its time that an exchange must send for its link, rather than waiting, to be what limits it."""


def collective_features(message_bytes: Numeric, gpus: Numeric) -> Mapping[str, F32]:
    """What the residual may depend on: 1-D arrays of one length."""
    bytes_, gpus = np.broadcast_arrays(np.maximum(as_array(message_bytes), 1.0), as_array(gpus))
    return {
        "log2 bytes": np.log2(bytes_).ravel().astype(np.float32),
        "log2 gpus": np.log2(gpus).ravel().astype(np.float32),
    }


def collective_cost(shape: Collective, profile: HardwareProfile, *, cuda_graph: bool) -> KernelCost:
    """Waits and sends by the fastest algorithm.

    Raises InvalidValueError for more GPUs than a node has, UnsupportedError where nobody says how they are
    connected.
    """
    link = profile.link_between(shape.gpus)
    found, algorithm, total_us = _timed(shape, profile, link)
    if shape.library in KERNEL_SETS and shape.library != profile.kernels:
        _, others_algorithm, others_us = _timed(shape, profile.with_kernels(shape.library), link)
        algorithm = np.where(others_us < total_us, others_algorithm, algorithm)
        total_us = np.minimum(total_us, others_us)
    floor_us = link_us(least_bytes(shape, link), link, 1.0)
    launch_us = np.where(algorithm == RING, found.values["launch_us"], found.values.get("own_us", math.inf))
    launch_us = np.minimum(launch_us, total_us)
    kernel_s = np.maximum(total_us - launch_us, floor_us) / MEGA
    width, in_range = _interval(found, shape)
    return assemble(
        profile,
        found,
        error_group="communication",
        flop=np.zeros_like(floor_us),
        peak_flop_per_s=np.inf,
        matrix_floor_s=floor_us / MEGA,
        model_bytes=np.zeros_like(floor_us),
        kernel_bytes=np.zeros_like(floor_us),
        kernel_s=kernel_s,
        launch_s=_exposed_launch_s(profile, kernel_s, launch_us, cuda_graph=cuda_graph),
        limiter=np.where(floor_us > LINK_SHARE * total_us, LINK, CHAIN).astype(np.int8),
        log_half_width=width,
        in_range=in_range,
    )


def _timed(
    shape: Collective, profile: HardwareProfile, link: Link
) -> tuple[KindParameters, npt.NDArray[np.int8], Array]:
    """The fastest algorithm by the kernels in force, and its microseconds, corrected by the residual."""
    found = kind_parameters(profile, COLLECTIVE_PARAMETERS[fit_name(shape, link)])
    algorithm, total_us = fastest(found.values, shape, link)
    if found.fit is not None and found.fit.residuals:
        features = collective_features(shape.message_bytes, shape.gpus)
        correction = residual_correction(found.fit.residuals, features).astype(np.float64)
        total_us = total_us * np.exp(correction.reshape(total_us.shape))
    return found, algorithm, total_us


def _exposed_launch_s(
    profile: HardwareProfile, kernel_s: Array, launch_us: Array, *, cuda_graph: bool
) -> Array:
    """What an exchange pays before it begins; without a CUDA graph the host's time, where that is longer."""
    in_graph = launch_us / MEGA
    if cuda_graph:
        return in_graph
    return np.maximum(in_graph, exposed_launch_s(profile, kernel_s, 0.0, 1, cuda_graph=False))


def _interval(found: KindParameters, shape: Collective) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Half-widths, and whether as many GPUs exchanged as many bytes when the fit was made."""
    bytes_ = as_array(shape.message_bytes)
    outside = found.interval.outside
    if found.fit is None:
        return np.full_like(bytes_, outside), np.zeros(bytes_.shape, dtype=np.bool_)
    low, high = found.fit.ranges.get("message_bytes", (0.0, math.inf))
    fewest, most = found.fit.ranges.get("gpus", (0.0, math.inf))
    inside = (bytes_ >= low) & (bytes_ <= high) & (fewest <= shape.gpus <= most)
    widths = regime_widths(found.interval.by_regime, COLLECTIVE_REGIMES, outside)
    return np.where(inside, widths[collective_regime(bytes_)], outside), inside


def _fitted_as(shape: Collective, profile: HardwareProfile) -> str | None:
    """The name of the fit; None where nobody says how the GPUs are connected."""
    if profile.interconnect is None:
        return None
    return fit_name(shape, profile.link_between(shape.gpus))


COLLECTIVE = KernelKind(
    shape=Collective,
    cost=collective_cost,
    flop=lambda shape: np.zeros(np.shape(as_array(shape.message_bytes))),
    operand_bytes=lambda shape: 2.0 * as_array(shape.message_bytes),
    multiplies_in=lambda *_: None,
    fitted_as=_fitted_as,
)
