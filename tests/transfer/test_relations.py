"""Formats by what sets them apart from 16 bit: offsets move the base, come from alike GPUs, and are kept."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError
from infersim.domain.fit import IntervalFit
from infersim.profile_files.pool_files import read_pool, write_pool
from infersim.profile_files.profiles import datasheet_alone, load_profile
from infersim.transfer.borrowing import reliance, transferred_fit
from infersim.transfer.gpu_facts import facts_of
from infersim.transfer.pool import FormatRelation, Pool, RelatedParameter
from infersim.transfer.relations import MOST_OFFSET, near_their_median, transferred_offsets
from tests.transfer.test_transfer import H100, KNOWN, L40S, example_pool


def related(*, twice: float = math.log(2)) -> FormatRelation:
    """Launches take twice as long on both GPUs; the rate of widening has no base."""
    parameters = {
        "launch_us": RelatedParameter(
            log=True, low=0.1, high=50.0, typical=2.0, offsets={"h100-sxm": twice, "l40s": twice}
        ),
        "dequantise_per_clock_per_sm": RelatedParameter(
            log=True, low=4.0, high=100.0, typical=48.0, offsets={"h100-sxm": 0.0, "l40s": 0.0}
        ),
    }
    return FormatRelation(
        kind="gemm.w4a16",
        base="gemm.bf16",
        parameters=parameters,
        interval=IntervalFit(by_regime={"decode large": 0.3}, pair=0.1, outside=0.6),
        ranges={"m": (1.0, 8192.0)},
        weight_copies=5,
    )


def with_relation(relation: FormatRelation) -> Pool:
    return replace(example_pool(), relations={relation.kind: relation})


def test_an_offset_that_all_gpus_share_moves_the_base_of_a_new_one() -> None:
    profile = datasheet_alone(load_profile("h200-sxm"))
    said = transferred_fit(profile, with_relation(related()))
    assert said is not None
    base, found = said.kinds["gemm.bf16"].parameters, said.kinds["gemm.w4a16"]
    assert found.parameters["launch_us"] / base["launch_us"] == pytest.approx(2, rel=0.03)
    assert found.parameters["dequantise_per_clock_per_sm"] == pytest.approx(48.0)
    assert (found.transferred, found.rows, found.weight_copies) == (True, 0, 5)
    assert reliance(profile, with_relation(related()), "gemm.w4a16").keys() == KNOWN.keys()


def test_a_moved_parameter_stays_within_its_limits() -> None:
    profile = datasheet_alone(load_profile("h200-sxm"))
    said = transferred_fit(profile, with_relation(related(twice=MOST_OFFSET)))
    assert said is not None
    assert said.kinds["gemm.w4a16"].parameters["launch_us"] == 50.0


def test_a_gpu_of_the_pool_keeps_its_own_base() -> None:
    profile = datasheet_alone(load_profile("h100-sxm"))
    pool = with_relation(related())
    said = transferred_fit(profile, pool)
    assert said is not None
    found = pool.kinds["gemm.bf16"].parameters["launch_us"].found["h100-sxm"]
    assert said.kinds["gemm.w4a16"].parameters["launch_us"] == pytest.approx(2 * found, rel=0.03)


def test_offsets_of_gpus_that_differ_are_those_of_the_one_that_is_alike() -> None:
    parameters = {
        name: replace(each, offsets={"h100-sxm": 1.0, "l40s": -1.0})
        for name, each in related().parameters.items()
    }
    relation = replace(related(), parameters=parameters)
    hopper = facts_of(load_profile("h200-sxm"))
    ada = replace(L40S, clock_max_mhz=2000.0)
    assert transferred_offsets(relation, hopper, KNOWN)["launch_us"].value > 0.5
    assert transferred_offsets(relation, ada, KNOWN)["launch_us"].value < -0.5
    alone = transferred_offsets(relation, H100, {"l40s": L40S})["launch_us"]
    assert alone.deviation > transferred_offsets(relation, H100, KNOWN)["launch_us"].deviation


def test_one_gpu_with_kernels_of_its_own_moves_no_others() -> None:
    """Distances from the median of 0.1 are 0.5, 0.1, 0 and 3: the third counts as 1.5 x 0.3 away."""
    found = near_their_median({"a": -0.4, "b": 0.0, "c": 3.1, "d": 0.2})
    assert found == pytest.approx({"a": -0.35, "b": 0.0, "c": 0.55, "d": 0.2})
    two = {"a": 0.0, "b": 3.0}
    assert near_their_median(two) == two


def test_no_offset_is_drawn_beyond_those_found() -> None:
    parameters = {
        name: replace(each, offsets={"h100-sxm": 0.5, "l40s": -1.0})
        for name, each in related().parameters.items()
    }
    wide = replace(H100, generation="new", flop_per_clock_per_sm=2**18)
    found = transferred_offsets(replace(related(), parameters=parameters), wide, KNOWN)
    assert found["launch_us"].value == 0.5


def test_a_gpu_without_units_for_a_format_gets_no_word_of_it() -> None:
    relation = replace(related(), kind="gemm.fp8_block")
    for name, has in (("a100-sxm-80gb", False), ("h100-sxm", True)):
        said = transferred_fit(datasheet_alone(load_profile(name)), with_relation(relation))
        assert said is not None
        assert ("gemm.fp8_block" in said.kinds) is has


def test_a_pool_file_keeps_relations_and_knows_their_gpus_and_bases(tmp_path: Path) -> None:
    pool, path = with_relation(related()), tmp_path / "pool.json"
    write_pool(pool, path)
    again = read_pool(path)
    assert again.relations["gemm.w4a16"].ranges == {"m": (1.0, 8192.0)}
    assert again.relations["gemm.w4a16"].parameters["launch_us"].offsets["l40s"] == pytest.approx(
        math.log(2), rel=1e-6
    )
    table = json.loads(path.read_text(encoding="utf-8"))
    table["relations"]["gemm.w4a16"]["base"] = "gemm.fp32"
    path.write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(FileContentError, match=r"relations\.gemm\.w4a16\.base"):
        read_pool(path)
    table["relations"]["gemm.w4a16"]["base"] = "gemm.bf16"
    table["relations"]["gemm.w4a16"]["parameters"]["launch_us"]["offsets"]["l4"] = 0.0
    path.write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(FileContentError, match=r"launch_us\.offsets"):
        read_pool(path)
