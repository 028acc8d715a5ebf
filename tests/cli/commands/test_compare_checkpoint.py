"""`infersim compare --pruned FOLDER`: what was found in a checkpoint's weight files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from infersim.pruning.composition import prune
from infersim.pruning.plan_files.checkpoint import plan_from_config
from infersim.workload.hf.reading import transformer_from_config
from tests.cli.conftest import Infersim
from tests.workload.checkpoint.llama import CONFIG, shapes_of
from tests.workload.checkpoint.writing import write_checkpoint


def test_a_folder_is_read_by_its_weight_files(answered: Infersim, tmp_path: Path) -> None:
    """Families that were found, how much of each, and where the config says something else."""
    base = transformer_from_config(CONFIG, name="dense")
    pruned = prune(prune(base, "static-m", 0.5), "static-nk", 0.25).transformer
    dense = write_checkpoint(tmp_path / "dense", CONFIG, shapes_of(base))
    folder = write_checkpoint(tmp_path / "smaller", CONFIG, shapes_of(pruned))
    asked = ("-m", str(dense), "-g", "l4", "-p", "prefill", "-c", "64")
    ran = answered("compare", *asked, "--pruned", str(folder), "--json")
    (row,) = ran.rows
    expected = plan_from_config(base, pruned)
    assert (row["family"], row["plan"]) == ("static-m + static-nk", "smaller")
    assert row["sparsity_realised"] == pytest.approx(expected.sparsity_realised)
    shares = [f"{step.family} {100 * step.sparsity_realised:.4g} %" for step in expected.steps]
    assert f"smaller: found {', '.join(shares)}" in ran.err
    assert "3 layers in the weight files, which count; the config says 6" in ran.err
    assert answered("compare", *asked, "--pruned-config", str(folder), "--json").rows == ran.rows


@pytest.mark.parametrize("name", ["none", "empty"])
def test_a_pruned_model_that_is_not_there_is_named_by_its_option(
    refused: Callable[..., str], tmp_path: Path, name: str
) -> None:
    (tmp_path / "empty").mkdir()
    asked = ("compare", "-m", "llama-3.2-1b", "-g", "l4", "-c", "64", "--pruned", str(tmp_path / name))
    assert refused(*asked).startswith(f"Error: pruned = '{tmp_path / name}'; expected a file, or a folder")
