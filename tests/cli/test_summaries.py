"""`sim.summary` says in Python what the commands print."""

from __future__ import annotations

import pytest

import infersim as sim
from tests.cli.conftest import Infersim


def test_a_comparison_reads_as_on_the_command_line(answered: Infersim) -> None:
    model = sim.load_model("llama-3.1-8b")
    plans = [sim.prune(model, family, sparsity=0.5) for family in ("static-m", "static-nk")]
    said = str(sim.summary(sim.compare(model, plans, "h100-sxm", phase="decode", batch=8, context=1024)))
    printed = answered(
        *("compare", "--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--families", "static-m,static-nk"),
        *("--phase", "decode", "--batch", "8", "--context", "1024", "--full"),
    )
    assert said == printed.out


@pytest.mark.parametrize("gpu", ["rtx-4090", "h100-sxm"])
def test_a_profile_tells_what_it_leans_on(answered: Infersim, gpu: str) -> None:
    assert str(sim.summary(sim.load_profile(gpu))) == answered("gpus", gpu, "--explain", "--full").out
