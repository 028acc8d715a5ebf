"""The verdict on a comparison: one reading must say whether to prune, which family, and why not more."""

from __future__ import annotations

import re
from math import nan
from typing import Any

import pytest

from infersim.report.core.losses import largest_loss
from infersim.report.speedups.verdict import Outcome, compare_verdict, outcome
from tests.report.handmade import check_order, check_says, comparison, factors


def verdict(*changes: dict[str, Any]) -> tuple[str, ...]:
    return compare_verdict(comparison(*changes)).sentences


def notes(*changes: dict[str, Any]) -> str:
    return "\n".join(compare_verdict(comparison(*changes)).notes)


def test_a_verdict_on_one_plan_reads_like_this() -> None:
    assert verdict({}) == (
        "At 50 % static-nk in prefill is predicted 1.52x (1.47–1.57) of a possible 1.60x; FLOPs promise "
        "2.00x, and most of the loss is unpruned attention. As fast as static-m at 38 %.",
    )


def test_where_the_bound_is_what_flops_promise_it_is_told_once() -> None:
    (sentence,) = verdict({"family": "static-m", **factors(1.0, kernel_efficiency=0.9)})
    check_says(sentence, "50 %", "static-m", "prefill", "1.80x", "1.75–1.85", "kernel efficiency")
    assert sentence.count("2.00x") == 1


def test_nothing_is_said_of_losses_where_there_are_none() -> None:
    (sentence,) = verdict({"family": "static-m", **factors(1.0, launch=0.995)})
    check_says(sentence, "static-m", "1.99x", "1.94–2.04", "2.00x")
    assert "loss" not in sentence
    assert "launch" not in sentence


def test_slower_than_dense_is_said_plainly() -> None:
    (sentence,) = verdict({"family": "dynamic-m", "phase": "decode", **factors(1.0, launch=0.45)})
    check_says(sentence, "dynamic-m", "decode", "slower", "0.90x", "0.85–0.95", "2.00x", "launch")


def test_an_interval_on_both_sides_of_one_promises_nothing() -> None:
    (sentence,) = verdict({"predicted_lower": 0.97, "predicted_upper": 2.1})
    check_says(sentence, "1.52x", "0.97–2.10")
    assert "slower" not in sentence.lower()
    assert "static-m" not in sentence


def test_each_outcome_has_words_of_its_own() -> None:
    outcomes: tuple[dict[str, Any], ...] = (
        {},
        {"predicted_lower": 0.97},
        {"predicted": 0.9, "predicted_upper": 0.95},
        {"predicted": 1.0, "bound": 1.0},
    )
    openings = {re.split(r"\d\.\d\dx", sentence)[0] for row in outcomes for sentence in verdict(row)}
    assert len(openings) == len(outcomes)


def test_a_plan_without_effect_changes_nothing() -> None:
    (sentence,) = verdict({"family": "kv-pruning", "flops": 1.0, **factors(1.0)})
    check_says(sentence, "kv-pruning", "1.00x", "0.95–1.05")
    assert "slower" not in sentence.lower()
    assert "loss" not in sentence


def test_a_speedup_above_the_bound_is_no_speedup_of_a_possible() -> None:
    (sentence,) = verdict(factors(1.0, unpruned_work=0.6, kernel_efficiency=1.05))
    check_says(sentence, "1.26x", "1.21–1.31", "1.20x")
    assert "possible" not in sentence


def test_a_wide_interval_that_holds_the_bound_is_not_at_it() -> None:
    wide = {"predicted": 1.2, "predicted_lower": 0.4, "predicted_upper": 2.4}
    check_says(verdict(wide)[0], "1.20x (0.40–2.40) of a possible 1.60x")
    check_says(verdict({"predicted": 1.58, "predicted_upper": 1.7})[0], "at its bound (1.60x)")


def test_what_was_measured_here_comes_first_and_decides() -> None:
    point = {"measured": 0.9, "measured_scope": "point", "loss_unexplained": 0.9 / 1.52}
    (sentence,) = verdict(point)
    check_order(sentence, "slower", "measured 0.90x", "1.52x", "1.47–1.57")
    check_says(sentence, "1.60x", "2.00x", "unexplained")


def test_a_measured_mean_is_marked_and_decides_nothing() -> None:
    mean = {"measured": 0.9, "measured_scope": "mean"}
    assert verdict(mean) == verdict({})
    check_says(notes(mean), "mean", "static-nk 50 %", "0.90x", "1.47–1.57")
    inside = notes(mean | {"measured": 1.5})
    check_says(inside, "mean")
    assert "static-nk" not in inside


def test_a_host_bound_measurement_is_called_so() -> None:
    check_says(notes({"measured": 1.1, "measured_scope": "host_bound"}), "host-bound")


@pytest.mark.parametrize(
    ("calibration", "word"),
    [("none", "uncalibrated"), ("borrowed", "borrowed"), ("transferred", "transferred")],
)
def test_profiles_without_measurements_of_their_own_are_named(calibration: str, word: str) -> None:
    check_says(notes({"calibration": calibration}), word, "h100-sxm")
    assert "alibrat" not in notes({"calibration": "fitted"})


def test_a_note_on_shapes_outside_the_calibrated_range_reads_like_this() -> None:
    outside = notes({"calibrated_share": 0.6})
    assert "Kernels unlike those measured on h100-sxm: up to 40 % of the time." in outside
    assert "100 %" not in notes({"calibration": "none", "calibrated_share": 0.0})
    assert notes({"calibrated_share": 0.95}) == ""


def test_shapes_outside_the_calibrated_range_are_told_plan_by_plan() -> None:
    several = notes({"plan": "one", "calibrated_share": 0.95}, {"plan": "two", "calibrated_share": 0.3})
    check_says(several, "h100-sxm", "two (70 %)")
    assert "one" not in several.split()


def test_what_was_measured_apart_is_told_apart_and_what_does_not_pay_is_no_rival() -> None:
    (sentence,) = verdict(
        {"plan": "fast", "family": "static-nk", "measured": 1.57, "measured_scope": "point"},
        {"plan": "slow", "family": "static-m", "measured": 0.99, "measured_scope": "point"},
    )
    check_order(sentence, "fast", "1.57x", "0.99x")
    assert "slow (" not in sentence


def test_a_rival_that_may_gain_nothing_is_not_called_as_good() -> None:
    unsure = {"family": "static-m", **factors(1.0), "flops": 1.5, "predicted_lower": 0.9}
    (sentence,) = verdict({}, unsure | {"predicted_upper": 1.6})
    check_order(sentence, "static-nk", "1.52x", "1.50x")
    assert "static-m 50 %" not in sentence


def test_a_plan_that_does_not_fit_is_not_praised() -> None:
    (sentence,) = verdict({"fits_memory": False, "memory_gib": 91.4})
    check_says(sentence, "50 %", "static-nk", "prefill", "memory", "91.4 GiB")
    assert "1.52x" not in sentence


def test_a_dense_model_that_does_not_fit_is_noted() -> None:
    rows: tuple[dict[str, Any], ...] = ({"dense_fits_memory": False}, {"dense_fits_memory": True, "batch": 8})
    check_says(notes(*rows), "dense", "memory", "batch 1")
    assert "batch 8" not in notes(*rows)
    assert "memory" not in notes(rows[1])


def test_a_plan_of_several_steps_goes_by_its_title() -> None:
    (sentence,) = verdict(
        {"plan": "static-m 25 % + static-nk 25 %", "sparsity": nan, "sparsity_realised": 0.438}
    )
    check_order(sentence, "static-m 25 % + static-nk 25 %", "43.8 %", "1.52x")


def test_a_sparsity_that_came_out_otherwise_is_told() -> None:
    (sentence,) = verdict({"sparsity_realised": 0.47})
    check_order(sentence, "50 %", "static-nk", "47 %", "1.52x")


def test_options_are_part_of_the_name() -> None:
    (sentence,) = verdict({"plan": "static-nk 50 % (target=ffn)"})
    check_says(sentence, "static-nk 50 % (target=ffn)")


FAMILIES: tuple[dict[str, Any], ...] = (
    {"family": "static-m", **factors(1.0)},
    {"family": "static-nk", **factors(1.0, kernel_efficiency=0.96)},
    {"family": "dynamic-m", **factors(1.0, launch=0.45)},
    {"family": "kv-pruning", "flops": 1.0, **factors(1.0)},
)


def test_a_verdict_on_several_families_reads_like_this() -> None:
    assert verdict(*FAMILIES) == (
        "At 50 % static-m is the fastest of 4 plans of 4 families in prefill: predicted 2.00x (1.95–2.05), "
        "at its bound (2.00x). As good, within the intervals: static-nk 50 % (1.92x). Not worth it: "
        "kv-pruning changes nothing (1.00x) and dynamic-m is slower than dense (0.90x).",
    )


def test_that_speed_says_nothing_of_quality_is_noted_where_families_are_compared() -> None:
    check_says(notes(*FAMILIES), "quality")
    assert "quality" not in notes(FAMILIES[0])


def test_the_choice_is_among_plans_that_fit() -> None:
    (sentence,) = verdict(FAMILIES[0] | {"fits_memory": False}, *FAMILIES[1:])
    check_order(sentence, "static-nk", "fastest", "4 plans", "1.92x", "kv-pruning")
    assert "static-m" not in sentence.replace("as static-m at", "")
    assert "static-m 50 %" in notes(FAMILIES[0] | {"fits_memory": False}, *FAMILIES[1:])


def test_where_every_plan_is_slower_none_is_recommended() -> None:
    (sentence,) = verdict(FAMILIES[2], FAMILIES[2] | {"family": "dynamic-nk", "loss_launch": 0.4})
    check_order(sentence, "slower", "2 plans", "2 families", "dynamic-m", "0.90x")
    assert "fastest" not in sentence.lower()
    assert "dynamic-nk" not in sentence


def test_where_no_plan_surely_gains_none_is_recommended() -> None:
    unsure = {"predicted_lower": 0.9}
    (sentence,) = verdict(unsure, unsure | {"sparsity": 0.25, "flops": 1.5})
    check_order(sentence, "2 plans", "50 %", "static-nk", "1.52x", "0.90–1.57")
    assert "fastest" not in sentence.lower()
    assert "slower" not in sentence.lower()


def test_where_no_plan_fits_the_smallest_need_is_told() -> None:
    misfits = [{"fits_memory": False, "memory_gib": need, "family": str(need)} for need in (90.0, 85.0)]
    (sentence,) = verdict(*misfits)
    check_says(sentence, "2 plans", "memory", "prefill", "85.0 GiB")
    assert "90.0" not in sentence


def test_each_scenario_has_its_verdict_with_what_tells_it_apart() -> None:
    sentences = verdict({}, {"batch": 8}, {"gpu": "l40s"}, {"phase": "decode"})
    places = [
        ("prefill", "batch 1", "h100-sxm"),
        ("prefill", "batch 8", "h100-sxm"),
        ("prefill", "batch 1", "l40s"),
        ("decode", "batch 1", "h100-sxm"),
    ]
    for sentence, place in zip(sentences, places, strict=True):
        check_says(sentence, "static-nk", *place)


def test_a_verdict_on_many_scenarios_reads_like_this() -> None:
    rows: list[dict[str, Any]] = []
    for batch in range(1, 9):
        rows.append({"batch": batch, "flops": 1.95 + batch / 10, "fits_memory": batch < 8})
        rows.append({"batch": batch, "family": "static-m", "flops": 2.5, "fits_memory": batch < 8})
    rows[12] |= {"loss_launch": 0.1}
    rows[13] |= {"loss_launch": 0.1}
    assert verdict(*rows) == (
        "static-m 50 % is the fastest in 5 of 8 scenarios (1.90x).",
        "static-nk 50 % is the fastest in 1 of 8 scenarios (1.94x).",
        "In 1 of 8 scenarios the best plan is slower than dense.",
        "In 1 of 8 scenarios no plan fits into memory.",
    )


def test_what_rows_note_is_told_once() -> None:
    noted = {"notes": ("flops undefined: no FLOPs", "context beyond the model's 2048 positions")}
    found = notes(noted, noted | {"family": "static-m"}, {"family": "dynamic-m"})
    check_says(found, "context beyond the model's 2048 positions (2 of 3 rows)")
    assert found.lower().count("flops undefined: no flops") == 1


def test_undefined_flops_promise_nothing() -> None:
    (sentence,) = verdict(
        {"flops": nan, "loss_unpruned_work": nan, "bound": 1.6, "predicted": 1.52, "loss_launch": 0.9}
    )
    check_says(sentence, "1.52x", "1.60x", "launch")
    assert "flops" not in sentence.lower()


def test_the_largest_loss_is_weighed_in_logarithms() -> None:
    row = comparison(factors(0.9, unpruned_work=0.85) | {"targets": "attention ffn qkvo"}).iloc[0]
    loss = largest_loss(row)
    assert loss is not None
    assert loss.title == "unpruned LM head"
    check_says(loss.phrase, "largest", "unpruned LM head")
    assert loss.part == pytest.approx(0.1625 / (0.1625 + 4 * 0.10536), abs=1e-3)


def test_gains_are_no_losses() -> None:
    row = comparison(factors(1.3, extra_work=0.97)).iloc[0]
    loss = largest_loss(row)
    assert loss is not None
    assert loss.title == "extra work"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Outcome.FASTER),
        ({"predicted_lower": 1.0}, Outcome.UNCERTAIN),
        ({"predicted_upper": 0.99, "predicted": 0.9}, Outcome.SLOWER),
        ({"predicted": 1.002, "bound": 1.1, "predicted_lower": 0.9}, Outcome.UNCERTAIN),
        ({"predicted": 1.002, "bound": 1.002}, Outcome.UNCHANGED),
        ({"measured": 1.01, "measured_scope": "point"}, Outcome.FASTER),
        ({"measured": 0.5, "measured_scope": "mean"}, Outcome.FASTER),
    ],
)
def test_outcomes(changes: dict[str, Any], expected: Outcome) -> None:
    assert outcome(comparison(changes).iloc[0]) is expected
