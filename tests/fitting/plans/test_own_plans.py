"""Measurement plans of one's own: whatever their ranges, exact counts, evenly spread; errors say where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.domain.errors import FileContentError, InvalidValueError, UnknownNameError
from infersim.fitting.plans.reading import PART, MeasurementPlan, planned_samples, read_measurement_plan
from infersim.fitting.plans.schema import MeasurementPlanTables
from infersim.fitting.plans.shapes import SobolPoints, aligned, whole

HEAD = """
version = 1
name = "own"
reason = "a test"
dtypes = ["bf16"]
limits = { operand_gib = 1.0, tflop = 1.0 }
"""

SPACE = """
[[gemm_space]]
name = "space"
reason = "a test"
rows = 20
m = [1, 100]
n = [64, 4096]
k = [64, 4096]
alignments = [[64, 64]]
"""


def written(folder: Path, text: str, name: str = "own.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def space(**changed: object) -> MeasurementPlan:
    part = {"name": "space", "reason": "a test", "rows": 20, "m": [1, 4096], "n": [64, 8192], "k": [64, 8192]}
    tables = {
        "version": 1,
        "name": "own",
        "reason": "a test",
        "dtypes": ["bf16"],
        "limits": {"operand_gib": 8.0, "tflop": 100.0},
        "gemm_space": [part | {"alignments": [[64, 64]]} | changed],
    }
    return MeasurementPlan(file=Path("own.toml"), tables=MeasurementPlanTables.model_validate(tables))


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(
    rows=st.integers(1, 60),
    low=st.integers(1, 4000),
    more=st.integers(300, 20000),
    n_alignment=st.sampled_from([1, 2, 4, 8, 16, 32, 64]),
    k_alignment=st.sampled_from([1, 2, 4, 8, 16, 32, 64]),
)
def test_rows_are_exact_within_the_ranges_and_as_aligned_as_asked(
    rows: int, low: int, more: int, n_alignment: int, k_alignment: int
) -> None:
    span = [low, low + more]
    frame = planned_samples(space(rows=rows, m=span, n=span, k=span, alignments=[[n_alignment, k_alignment]]))
    assert len(frame) == rows
    assert not frame.duplicated().any()
    for name, alignment in (("m", None), ("n", n_alignment), ("k", k_alignment)):
        values = frame[name].to_numpy()
        assert ((values >= low) & (values <= low + more)).all()
        if alignment is not None:
            assert (values % alignment == 0).all()
            assert alignment == 64 or (values % (2 * alignment) != 0).all()


@given(
    values=st.lists(st.floats(1, 1e5), min_size=1),
    first=st.integers(1, 500),
    width=st.integers(0, 500),
    alignment=st.sampled_from([1, 2, 8, 32, 64]),
)
def test_alignment_finds_a_number_wherever_there_is_one(
    values: list[float], first: int, width: int, alignment: int
) -> None:
    found = aligned(np.array(values), [first, first + width], alignment, 64)
    fitting = [
        number
        for number in range(first, first + width + 1)
        if number % alignment == 0 and (alignment == 64 or number % (2 * alignment))
    ]
    for value, number in zip(values, found, strict=True):
        if fitting:
            assert number in fitting
            assert abs(number - value) == pytest.approx(min(abs(other - value) for other in fitting))
        else:
            assert number == 0


def test_every_octave_gets_its_share() -> None:
    frame = planned_samples(space(rows=120, m=[1, 4096], n=[64, 65536], k=[64, 65536]))
    for name, octaves in (("n", 10), ("k", 10), ("m", 12)):
        position = np.log2(frame[name]) - np.log2(frame[name].min())
        counts = np.histogram(position, bins=3, range=(0, octaves))[0]
        assert counts.min() >= 30  # of 40 in a third of the range, were they spread perfectly


def test_sobol_points_are_more_even_than_random_ones() -> None:
    from scipy.stats import qmc

    points = SobolPoints(axes=3, rows=64, seed=0, name="part")
    cube = np.stack([points.next_axis() for _ in range(3)], axis=1)[:64]
    random = np.random.default_rng(0).random((20, 64, 3))
    assert qmc.discrepancy(cube) < min(qmc.discrepancy(sample) for sample in random)


def test_parts_do_not_move_each_other() -> None:
    alone = planned_samples(space())
    tables = space().tables
    other = tables.gemm_space[0].model_copy(update={"name": "another", "rows": 7})
    both = tables.model_copy(update={"gemm_space": [*tables.gemm_space, other]})
    frame = planned_samples(MeasurementPlan(file=Path("own.toml"), tables=both))
    assert len(frame) == 27
    assert frame[frame[PART] == "space"].equals(alone)


def test_another_seed_plans_others() -> None:
    tables = space().tables
    other = MeasurementPlan(file=Path("own.toml"), tables=tables.model_copy(update={"seed": 1}))
    assert not planned_samples(other).equals(planned_samples(space()))


def test_kernels_over_a_limit_are_replaced() -> None:
    wide = {"m": [1, 65536], "n": [64, 65536], "k": [64, 65536], "rows": 50}
    plan = space(**wide)
    free = planned_samples(plan)
    limits = plan.tables.limits.model_copy(update={"operand_gib": 0.05})
    tight = planned_samples(
        MeasurementPlan(file=plan.file, tables=plan.tables.model_copy(update={"limits": limits}))
    )
    assert len(tight) == len(free) == 50
    operand_bytes = 2 * (tight["m"] * tight["k"] + tight["n"] * tight["k"] + tight["m"] * tight["n"])
    assert operand_bytes.max() <= 0.05 * 2**30
    kept = free.merge(tight, how="inner")
    assert 0 < len(kept) < 50


def test_whole_numbers_stay_within_their_span() -> None:
    assert whole(np.array([0.2, 1.4, 1.6, 99.0]), [1, 16]).tolist() == [1, 1, 2, 16]


def test_memory_kernels_move_what_their_ops_say(tmp_path: Path) -> None:
    part = """
[[memory]]
name = "memory"
reason = "a test"
rows = 10
ops = { copy = [1, 1], add = [2, 1] }
array_bytes = [8192, 1048576]
"""
    frame = planned_samples(read_measurement_plan(written(tmp_path, HEAD + part)))
    assert set(frame["op"]) == {"copy", "add"}
    reads = frame["op"].map({"copy": 1, "add": 2})
    assert (frame["read_bytes"] == reads * frame["write_bytes"]).all()
    assert (frame["write_bytes"] % 8192 == 0).all()


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"),
    [
        ("rows = 20", "rows = 0", "gemm_space[0].rows", "at least 1"),
        ("rows = 20", "rows = 100001", "gemm_space[0].rows", "at most 100000"),
        ("rows = 20", 'rows = "many"', "gemm_space[0].rows", "an integer"),
        ("rows = 20", "rows = 100\nrow = 3", "gemm_space[0].row", "no such key"),
        ("m = [1, 100]", "m = [100, 1]", "gemm_space[0].m", "smallest value first"),
        ("m = [1, 100]", "", "gemm_space[0].m", "the key is missing"),
        ("m = [1, 100]", "m = [1, 3]\nk2 = 1", "gemm_space[0].k2", "no such key"),
        ("[[64, 64]]", "[[48, 64]]", "gemm_space[0].alignments[0][0]", "a power of two"),
        ('["bf16"]', '["bf17"]', "dtypes[0]", "one of fp32"),
        ('["bf16"]', '["bf16", "bf16"]', "dtypes", "each name once"),
        ("version = 1", "version = 2", "version", "1"),
        ("tflop = 1.0", "tflop = -1.0", "limits.tflop", "above 0"),
        ("m = [1, 100]", "m = [0, 100]", "gemm_space[0].m[0]", "at least 1"),
        ("operand_gib = 1.0", "operand_gib = 1e-9", "gemm_space[0].rows", "at most 0"),
        ("n = [64, 4096]", "n = [65, 100]", "gemm_space[0].rows", "at most 0"),
    ],
)
def test_mistakes_are_named_with_file_key_value_and_expectation(
    tmp_path: Path, old: str, new: str, key: str, expected: str
) -> None:
    text = HEAD + SPACE
    assert old in text
    path = written(tmp_path, text.replace(old, new))
    with pytest.raises(FileContentError) as caught:
        planned_samples(read_measurement_plan(path))
    assert caught.value.file == str(path)
    assert caught.value.key == key
    assert expected in caught.value.expected


def test_unknown_models_and_ops_are_named(tmp_path: Path) -> None:
    part = (
        '\n[[gemm_models]]\nname = "m"\nreason = "r"\nrows = 2\nm = [1, 8]\nmodels = ["{}"]\nops = ["{}"]\n'
    )
    path = written(tmp_path, HEAD + part.format("llama-9-8b", "qkv"))
    with pytest.raises(FileContentError, match=r"gemm_models\[0\]\.models = 'llama-9-8b'.*llama-3-8b"):
        planned_samples(read_measurement_plan(path))
    path = written(tmp_path, HEAD + part.format("llama-3-8b", "head"))
    with pytest.raises(FileContentError, match=r"gemm_models\[0\]\.ops\[0\] = 'head'; expected one of 'qkv'"):
        read_measurement_plan(path)


def test_8_bit_needs_an_alignment_that_it_can_have(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + SPACE.replace("[[64, 64]]", "[[1, 64], [8, 8]]"))
    assert len(planned_samples(read_measurement_plan(path))) == 20
    with pytest.raises(FileContentError, match=r"gemm_space\[0\]\.alignments .*multiples of 16 .*fp8"):
        planned_samples(read_measurement_plan(path), dtypes=["fp8"])


def test_parts_of_one_name_and_empty_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileContentError, match="a name that no other part has"):
        read_measurement_plan(written(tmp_path, HEAD + SPACE + SPACE))
    with pytest.raises(FileContentError, match="something to measure"):
        read_measurement_plan(written(tmp_path, HEAD))
    with pytest.raises(FileContentError, match="valid TOML"):
        read_measurement_plan(written(tmp_path, "version ="))


def test_includes_are_files_beside_it_that_include_no_other(tmp_path: Path) -> None:
    written(tmp_path, HEAD + SPACE, "space.toml")
    outer = written(tmp_path, HEAD + 'include = ["space.toml"]', "outer.toml")
    assert len(planned_samples(read_measurement_plan(outer))) == 20
    twice = written(tmp_path, HEAD + 'include = ["outer.toml"]', "twice.toml")
    with pytest.raises(FileContentError, match=r"include\[0\] = 'outer.toml'; .*includes no other"):
        read_measurement_plan(twice)
    missing = written(tmp_path, HEAD + 'include = ["none.toml"]', "missing.toml")
    with pytest.raises(FileContentError, match=r"include\[0\] = 'none.toml'"):
        read_measurement_plan(missing)


def test_unknown_plans_and_dtypes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean gemm-400"):
        read_measurement_plan("gemm-40")
    with pytest.raises(InvalidValueError, match="an existing TOML file"):
        read_measurement_plan(tmp_path / "none.toml")
    with pytest.raises(UnknownNameError, match="known: bf16"):
        planned_samples(space(), dtypes=["bf17"])
    with pytest.raises(InvalidValueError, match="data type"):
        planned_samples(space(), dtypes=[])


def test_ranges_with_too_few_kernels_say_how_many_there_are() -> None:
    # Three m, two n (64 and 128) and one k.
    with pytest.raises(FileContentError, match=r"gemm_space\[0\]\.rows = 7; expected at most 6") as caught:
        planned_samples(space(rows=7, m=[4, 6], n=[64, 191], k=[64, 127]))
    assert caught.value.file == "own.toml"
    assert len(planned_samples(space(rows=6, m=[4, 6], n=[64, 191], k=[64, 127]))) == 6


@pytest.mark.parametrize("huge", [2**40, 2**63, 10**30])
@pytest.mark.parametrize("key", ["m", "n", "k"])
def test_a_dimension_beyond_any_kernel_is_refused(tmp_path: Path, key: str, huge: int) -> None:
    lines = [f"{key} = [64, {huge}]" if line.startswith(f"{key} =") else line for line in SPACE.splitlines()]
    file = written(tmp_path, HEAD + "\n".join(lines))
    with pytest.raises(FileContentError, match=rf"{key}\[1\] = {huge}; expected .*at most 134217728"):
        read_measurement_plan(file)


@pytest.mark.parametrize(
    ("part", "key"),
    [
        ("[[launch]]\nname='a'\nreason='b'\nrows=2\nkernels=[1, 10000000000000]", "kernels"),
        ("[[memory]]\nname='a'\nreason='b'\nrows=2\nops={add=[9999999, 1]}\narray_bytes=[8192, 9000]", "add"),
        (
            "[[memory]]\nname='a'\nreason='b'\nrows=2\nops={a=[2, 1]}\narray_bytes=[1, 9999999999999]",
            "array",
        ),
    ],
)
def test_other_huge_numbers_are_refused(tmp_path: Path, part: str, key: str) -> None:
    with pytest.raises(FileContentError, match=rf"{key}.*expected .*at most"):
        read_measurement_plan(written(tmp_path, f"{HEAD}\n{part}\n"))
