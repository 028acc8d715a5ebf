"""Fixtures of the simulation tests."""

from __future__ import annotations

import pytest

from infersim.simulation.timing import op_costs
from tests.simulation.handmade import paper_cost


@pytest.fixture
def _paper_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timelines from the costs of `handmade.paper_cost`."""
    monkeypatch.setattr(op_costs, "checked_cost", paper_cost)
