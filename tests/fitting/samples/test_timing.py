"""How a kernel was timed: its start where it is alone, the host; errors by whose measurements they are."""

from __future__ import annotations

import numpy as np
import pytest

from infersim.domain.errors import InvalidValueError
from infersim.fitting.samples.account import BadSamplesError
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.timing import LONE_START_US, as_in_a_graph
from infersim.fitting.validation.common_delay import common_delay_us
from infersim.fitting.validation.predictions import predict_samples
from infersim.fitting.validation.validation import validate
from tests.fitting.synthetic_samples import gemm_shapes, known_kind, known_profile, measured

TRUTH = known_profile(known_kind("gemm.bf16", launch_us=2.0), known_kind("launch", host_us=25.0))
GRAPH = measured(gemm_shapes(60, seed=3), TRUTH)


def test_a_lone_kernel_takes_its_start_longer() -> None:
    lone = GRAPH.assign(timed="alone", latency_us=GRAPH["latency_us"] + LONE_START_US)
    found = predict_samples(lone, TRUTH)
    np.testing.assert_allclose(found["predicted_us"], lone["latency_us"], rtol=1e-6)
    assert (found["lower_us"] > LONE_START_US).all()


def test_without_its_start_a_lone_kernel_can_be_fitted() -> None:
    mixed = GRAPH.assign(timed=["alone" if row % 2 else "graph" for row in range(len(GRAPH))])
    start = np.where(mixed["timed"] == "alone", LONE_START_US, 0.0)
    back = as_in_a_graph(mixed.assign(latency_us=mixed["latency_us"] + start))
    np.testing.assert_allclose(back["latency_us"], GRAPH["latency_us"])
    assert back["timed"].isna().all()


def test_what_the_host_issues_takes_at_least_its_time() -> None:
    hosted = predict_samples(GRAPH.assign(timed="host"), TRUTH)["predicted_us"]
    np.testing.assert_allclose(hosted, np.maximum(GRAPH["latency_us"], 25.0), rtol=1e-6)


def test_times_of_the_host_are_no_evidence_of_a_kernel() -> None:
    with pytest.raises(InvalidValueError, match="graph or alone"):
        as_in_a_graph(GRAPH.assign(timed="host"))


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(BadSamplesError, match="graph, alone, host"):
        read_samples(GRAPH.assign(timed="cold"))


def test_errors_are_parted_by_whose_they_are() -> None:
    """Two sources, one of them 30 % slower than the model says: coverage falls there alone."""
    slow = np.arange(len(GRAPH)) % 3 == 0
    samples = GRAPH.assign(
        source=np.where(slow, "a stranger", "own"), latency_us=GRAPH["latency_us"] * np.where(slow, 1.3, 1.0)
    )
    errors = validate(TRUTH, samples).errors
    by_source = errors[errors["division"] == "source"].set_index("shape_class")
    assert by_source.loc["own", "coverage"] == 1.0
    assert by_source.loc["a stranger", "coverage"] == 0.0
    assert by_source["rows"].sum() == len(GRAPH)


def test_a_delay_that_short_kernels_share_is_found() -> None:
    predicted = GRAPH.assign(predicted_us=GRAPH["latency_us"], latency_us=GRAPH["latency_us"] + 2.8)
    assert common_delay_us(predicted) == pytest.approx(2.8)
    assert common_delay_us(predicted.assign(timed="alone")) is None


def test_errors_that_go_with_the_time_are_no_delay() -> None:
    slower = GRAPH.assign(predicted_us=GRAPH["latency_us"], latency_us=GRAPH["latency_us"] * 1.3)
    assert common_delay_us(slower) is None
    assert common_delay_us(GRAPH.assign(predicted_us=GRAPH["latency_us"])) is None
