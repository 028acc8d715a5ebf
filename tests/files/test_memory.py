"""What would not fit in memory is refused with its size before it is made."""

from __future__ import annotations

import pytest

import infersim as sim
from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.files.memory import LIMIT_VARIABLE, check_room, memory_limit_bytes


def test_the_limit_is_part_of_what_the_machine_has_free() -> None:
    assert 2**20 < memory_limit_bytes() < 2**50


def test_the_variable_sets_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "0.5")
    assert memory_limit_bytes() == 2**29
    check_room("half of it", 2**28)
    with pytest.raises(
        InfersimError, match=r"^ten rows would take about 1\.0 GiB; expected at most 0\.5 GiB"
    ):
        check_room("ten rows", 2**30)


@pytest.mark.parametrize("word", ["fast", "0", "-1", "nan", "inf"])
def test_a_limit_that_is_no_size_is_refused(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, word)
    with pytest.raises(InvalidValueError, match=LIMIT_VARIABLE):
        memory_limit_bytes()


def test_a_prediction_of_ten_billion_rows_is_refused_at_once() -> None:
    many = range(1, 100_001)
    with pytest.raises(InfersimError, match=r"^10,000,000,000 rows .* 38,147\.0 GiB"):
        sim.predict("llama-3.1-8b", "h100-sxm", batch=many, context=many)


def test_a_comparison_counts_its_plans_and_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "0.001")
    model = sim.load_model("llama-3.1-8b")
    plan = sim.prune(model, "static-m", sparsity=0.25)
    with pytest.raises(InfersimError, match=r"^400 rows .*2 plans with the dense model, 2 GPUs"):
        sim.compare(model, plan, ["h100-sxm", "l40s"], phase="decode", context=range(1, 101))
