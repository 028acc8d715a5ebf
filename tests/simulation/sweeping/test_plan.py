"""A sweep's plan: what it may say, what is refused before anything is computed, and what is left out."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from infersim.domain.errors import InfersimError
from infersim.files.locations import data_folder
from infersim.files.reading import checked_tables
from infersim.profile_files import ImplausibleValueWarning
from infersim.simulation.sweeping.grid import Grid
from infersim.simulation.sweeping.plan_lists import shipped_sweeps
from infersim.simulation.sweeping.plan_tables import NESTED, SweepTables
from infersim.simulation.sweeping.resolved import resolve_sweep
from tests.simulation.sweeping.examples import PLAN, ROWS

REPOSITORY = Path(__file__).resolve().parents[3]
SMALL: dict[str, object] = {
    "model": "llama-3.2-1b",
    "gpu": "l4",
    "family": "static-nk",
    "sparsity": 0.5,
    "context": 512,
}
MINE = "[[step]]\nfamily = 'static-m'\nsparsity = 0.5\n"


def without(key: str) -> dict[str, object]:
    return {name: value for name, value in SMALL.items() if name != key}


def written(folder: Path, text: str, name: str = "sweep.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_one_value_is_a_list_of_one() -> None:
    listed = {key: [value] for key, value in SMALL.items()}
    assert resolve_sweep(listed).grids == resolve_sweep(SMALL).grids


def test_every_combination_is_computed_or_left_out() -> None:
    resolved = resolve_sweep(PLAN)
    assert resolved.rows == ROWS
    told = {each.what: (each.scenarios, each.reason) for each in resolved.left_out}
    # 2:4 at one of the sparsities, in both ways to run on both GPUs; fp8 on one of them.
    assert told["static-k-2:4 at 0.25"] == (2 * 10 * 2, "its sparsity is 0.5")
    assert told["fp8 on a100-sxm-80gb"][0] == 10 * 5
    assert "fp8" in told["fp8 on a100-sxm-80gb"][1]
    assert len(told) == 2


def test_bf16_on_a_gpu_without_it_is_left_out() -> None:
    resolved = resolve_sweep({**SMALL, "gpu": ["v100-sxm", "l4"], "dtype": ["bf16", "fp16"]})
    assert [each.what for each in resolved.left_out] == ["bf16 on v100-sxm"]
    ran = Counter(
        (grid.scenarios.execution.precision.name, profile.name)
        for grid in resolved.grids
        if isinstance(grid, Grid)
        for profile in grid.gpus
    )
    assert ran.keys() == {("bf16", "l4"), ("fp16", "l4"), ("fp16", "v100-sxm")}


def test_all_families_and_options_in_every_combination() -> None:
    grid = resolve_sweep(without("family")).grids[0]
    assert len({plan.family for plan in grid.plans}) == 10
    options = {"name": "static-nk", "target": ["ffn", "heads"], "align": [1, 64]}
    titles = {plan.title for plan in resolve_sweep({**SMALL, "family": options}).grids[0].plans}
    assert len(titles) == 4
    assert "static-nk 50 % (align=64, target=ffn)" in titles


def test_a_family_may_have_sparsities_of_its_own() -> None:
    plan = {**SMALL, "family": ["static-m", {"name": "static-nk", "sparsity": [0.1, 0.2]}]}
    assert [plan.sparsity for plan in resolve_sweep(plan).grids[0].plans] == [0.5, 0.1, 0.2]


def test_what_is_named_twice_counts_once() -> None:
    twice = {
        **SMALL,
        "model": ["llama-3.2-1b", "meta-llama/Llama-3.2-1B"],
        "gpu": ["l4", "NVIDIA L4"],
        "sparsity": [0.5, 0.5],
        "batch": [1, 1],
        "phase": ["prefill", "both"],
        "kv_dtype": ["auto", "bf16"],
    }
    assert resolve_sweep(twice).rows == 2


def test_numbers_of_a_gpu_can_be_set() -> None:
    faster = {"name": "l4", "set": {"memory": {"bandwidth_gb_s": 600}}}
    names = [profile.name for profile in resolve_sweep({**SMALL, "gpu": ["l4", faster]}).grids[0].gpus]
    assert names == ["l4", "l4[memory.bandwidth_gb_s=600]"]


def test_files_are_looked_for_beside_the_plan(tmp_path: Path) -> None:
    profile = (data_folder("hw_profiles") / "l4.toml").read_text(encoding="utf-8")
    written(tmp_path, profile.replace('"l4"', '"mine"', 1), "gpu.toml")
    written(tmp_path, MINE, "own.toml")
    written(tmp_path, 'model = "qwen3-8b"\n' + MINE, "other.toml")
    file = written(
        tmp_path,
        'model = ["llama-3.2-1b", "qwen3-8b"]\ngpu = "gpu.toml"\nplan = ["own.toml", "other.toml"]\n'
        "context = 512\nphase = 'decode'\n",
    )
    resolved = resolve_sweep(file)
    assert [[plan.title for plan in grid.plans] for grid in resolved.grids] == [["own"], ["own", "other"]]
    assert resolved.grids[0].gpus[0].name == "mine"
    assert [each.what for each in resolved.left_out] == ["other.toml"]


def test_a_sweep_of_requests_alone_has_no_contexts() -> None:
    (grid,) = resolve_sweep({**without("context"), "request": "generation"}).grids
    assert isinstance(grid, Grid)
    assert (grid.rows, grid.scenarios.context) == (1, ())
    assert [case.phase for case in grid.scenarios.cases()] == ["request"]


@pytest.mark.slow
def test_the_documented_plan_is_one() -> None:
    text = (REPOSITORY / "docs" / "sweep.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    tables = checked_tables(tomllib.loads(example), "docs", SweepTables, NESTED)
    assert tables.gpu[2].set == {"memory.bandwidth_gb_s": 6700}
    documented = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert documented == set(SweepTables.model_fields)
    named = {"model": "llama-3.2-1b", "gpu": "l4", "plan": None}
    resolve_sweep({key: value for key, value in {**tomllib.loads(example), **named}.items() if value})


@pytest.mark.parametrize("name", sorted(shipped_sweeps()))
def test_shipped_plans_resolve(name: str) -> None:
    assert resolve_sweep(name).rows > 10_000


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"card": "l4"}, r"plan: card = 'l4'; expected one of the keys model, gpu, family"),
        ({"gpu": {"name": "l4", "put": 1}}, r"gpu\[0\]\.put = 1; expected one of the keys name, set"),
        ({"gpus": 0}, r"gpus\[0\] = 0; expected a number of at least 1"),
        ({"gpu": []}, r"gpu = \[\]; expected at least one value"),
        ({"sparsity": []}, r"sparsity = \[\]; expected at least one value"),
        ({"sparsity": [0.5, 1.0]}, r"sparsity\[1\] = 1\.0; expected a number below 1"),
        ({"sparsity": "half"}, r"sparsity\[0\] = 'half'; expected a number"),
        ({"batch": 0}, r"batch\[0\] = 0; expected a number of at least 1"),
        ({"batch": True}, r"batch\[0\] = True; expected an integer"),
        ({"context": [512, 1.5]}, r"context\[1\] = 1\.5; expected an integer"),
        ({"context": 2**30}, r"context\[0\] = 1073741824"),
        ({"phase": "train"}, r"phase\[0\] = 'train'.*'prefill', 'decode'"),
        ({"cuda_graph": "yes"}, r"cuda_graph\[0\] = 'yes'"),
        ({"gpu": "h1000"}, r"gpu\[0\] = 'h1000'"),
        ({"gpu": "gone.toml"}, r"gpu\[0\]\.profile = 'gone\.toml'"),
        (
            {"gpu": {"name": "l4", "set": {"memory.speed": 1}}},
            r"gpu\[0\] = 'memory\.speed'",
        ),
        ({"model": ["llama-3.2-1b", "gpt-9"]}, r"model\[1\] = 'gpt-9'"),
        ({"family": "static-kn"}, r"family\[0\] = 'static-kn'.*static-nk"),
        (
            {"family": {"name": "static-nk", "alig": 3}},
            r"family\[0\] = 'alig'.*align",
        ),
        ({"family": {"name": "static-nk", "align": -3}}, r"family\[0\]\.align = -3"),
        ({"family": {"name": "static-nk", "target": []}}, r"family\[0\]\.target = \[\]"),
        ({"dtype": ["bf16", "bf17"]}, r"dtype\[1\] = 'bf17'.*bf16"),
        ({"kv_dtype": "int3"}, r"kv_dtype\[0\] = 'int3'"),
        ({"execution": "eager"}, r"execution\[0\] = 'eager'.*fused, separate"),
        ({"request": "haiku"}, r"request\[0\] = 'haiku'"),
        ({"request": {"prompt": 3}}, r"request\[0\]\.output = None"),
        ({"request": {"name": "generation", "prompt": 3}}, r"request\[0\]"),
        ({"plan": "gone.toml"}, r"plan = 'gone\.toml'"),
        ({"dtype": "fp8", "gpu": "a100-sxm-80gb"}, r"fp8 on a100-sxm-80gb"),
        ({"family": "static-k-2:4", "sparsity": 0.25}, r"static-k-2:4 at 0\.25"),
        (
            {"batch": 2**20, "context": 2**27},
            r"llama-3\.2-1b on l4, batch 1048576, context 134217728",
        ),
    ],
)
def test_mistakes_are_told_before_anything_is_computed(change: dict[str, object], told: str) -> None:
    with pytest.raises(InfersimError, match=told):
        resolve_sweep({**SMALL, **change})


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        ("model", r"model = None"),
        ("sparsity", r"sparsity = None"),
        ("context", r"context = None"),
    ],
)
def test_what_is_missing_is_told(gone: str, told: str) -> None:
    with pytest.raises(InfersimError, match=told):
        resolve_sweep(without(gone))


def test_a_phase_without_contexts_is_told() -> None:
    plan = {**without("context"), "request": "generation", "phase": "decode"}
    with pytest.raises(InfersimError, match=r"phase = \['decode'\]"):
        resolve_sweep(plan)


def test_files_that_are_no_plan_are_told(tmp_path: Path) -> None:
    with pytest.raises(InfersimError, match=r"sweep\.toml: the file = .damaged."):
        resolve_sweep(written(tmp_path, "model = ["))
    with pytest.raises(InfersimError, match=r"gone\.toml'"):
        resolve_sweep(tmp_path / "gone.toml")
    with pytest.raises(InfersimError, match=r"'familes'.*families"):
        resolve_sweep("familes")


def test_two_things_of_one_name_are_told(tmp_path: Path) -> None:
    sheet = (data_folder("hw_profiles") / "l4.toml").read_text(encoding="utf-8")
    other = written(tmp_path, sheet.replace("bandwidth_gb_s = 300", "bandwidth_gb_s = 310"), "other.toml")
    assert other.read_text(encoding="utf-8") != sheet
    with (
        pytest.warns(ImplausibleValueWarning, match="bandwidth_gb_s = 310"),
        pytest.raises(InfersimError, match=r"gpu\[1\]\.name = 'l4'"),
    ):
        resolve_sweep({**SMALL, "gpu": ["l4", str(other)]})
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    files = [str(written(tmp_path / folder, MINE, "own.toml")) for folder in ("a", "b")]
    with pytest.raises(InfersimError, match="both are called 'own'"):
        resolve_sweep({**SMALL, "plan": files})


@pytest.mark.slow
def test_all_means_the_families_that_suit_each_model() -> None:
    resolved = resolve_sweep({**without("family"), "model": ["llama-3.2-1b", "qwen3-30b-a3b"]})
    found = {
        grid.plans[0].base.name: {plan.family for plan in grid.plans}
        for grid in resolved.grids
        if isinstance(grid, Grid)
    }
    assert found["qwen3-30b-a3b"] >= {"static-e", "dynamic-e"}
    assert not found["llama-3.2-1b"] & {"static-e", "dynamic-e"}
    assert not any("static-e" in each.what for each in resolved.left_out)
    with pytest.raises(InfersimError, match=r"llama-3\.2-1b has no layers of experts"):
        resolve_sweep({**SMALL, "family": "static-e"})
