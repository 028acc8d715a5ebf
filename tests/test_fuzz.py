"""A slice of `bench/fuzz.py`: hostile inputs of a fixed seed are answered, or refused by name."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import fuzz
import fuzz_calls
import fuzz_commands
import fuzz_options
import infersim as sim

SLICES, CASES = 30, 50
QUOTES = 200
"""Characters of a failed input that a report shows."""


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("part", range(SLICES))
def test_hostile_inputs_are_answered_or_refused_by_name(part: int) -> None:
    found = [fuzz.run_case(fuzz.SEED, case) for case in range(part * CASES, (part + 1) * CASES)]
    failed = [f"case {one.case}: {one.failure}: {ascii(one.shown)[:QUOTES]}" for one in found if one.failure]
    assert not failed


@pytest.mark.parametrize(
    "name", ["Request", "Scenarios.of", "break_even", "compare", "gemm_latency", "roofline"]
)
def test_unspoilt_calls_are_answered(name: str, tmp_path: Path) -> None:
    positional, keywords = fuzz_calls.GOOD[name](random.Random(1), tmp_path)
    fuzz_calls.performed(fuzz_calls.Call(name=name, positional=positional, keywords=keywords))


def test_a_case_is_the_same_each_time() -> None:
    one, other = (fuzz.run_case(5, 3) for _ in range(2))
    assert (one.kind, one.answered, one.failure) == (other.kind, other.answered, other.failure)


def test_what_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_call: object) -> None:
        raise KeyError("raw")

    monkeypatch.setattr(fuzz, "performed", broken)
    monkeypatch.setattr(fuzz, "COMMAND_SHARE", 0.0)
    before = Path.cwd()
    outcome = fuzz.run_case(0, 1)
    assert outcome.failure is not None
    assert outcome.failure.startswith("KeyError: 'raw'")
    assert Path.cwd() == before


def test_every_public_function_is_called() -> None:
    assert set(fuzz_calls.GOOD) == {*sim.__all__, "Scenarios.of"} - {"InfersimError", "ScenarioOptions"}


def test_every_command_is_given_and_every_option_of_it(tmp_path: Path) -> None:
    chance = random.Random(0)
    makers = dict.fromkeys(fuzz_commands.COMMANDS)  # in their order: that of a set is another each time
    given = {tuple(made(chance, tmp_path)[:1]) for made in makers for _ in range(40)}
    ended = fuzz.COMMAND_NAMES - {"app"}  # which serves until it is ended
    assert {(name,) for name in ended} <= given
    added = {fuzz_options.with_an_option(["serve"], chance, "1", "out")[1] for _ in range(1000)}
    assert {"--trace", "--gpus", "--html", "--simulate", "--ttft-target"} <= added


def test_options_of_records_are_keywords_too() -> None:
    assert {"trace", "engine", "price_per_hour"} <= set(fuzz_options.keywords("serve"))
    assert {"cuda_graph", "kernels", "request"} <= set(fuzz_options.keywords("compare"))
    assert not {"workers", "scheduler"} & set(fuzz_options.keywords("sweep"))
