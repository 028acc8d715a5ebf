"""The walk to a new family, followed: one file and one entry, and every part of infersim knows it."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from infersim.cli.main import run
from infersim.pruning.families import registry
from infersim.pruning.families.family import Family
from infersim.pruning.plan_files.checkpoint import plan_from_config
from infersim.pruning.plan_files.reading import plan_from_file
from infersim.report.figures.palette import BY_NAME, css_name
from infersim.report.html.legend import SHAPES
from tests.docs.walks import as_module, block, blocks, commands, entered, executed, write_files

PAGE = "add-a-family.md"
NAME = "local-attention"


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Family:
    """The page's family, in the registry until the test ends."""
    as_module(block(PAGE, "infersim/pruning/local_attention.py"), monkeypatch)
    (family,) = entered(PAGE, "infersim/pruning/families/registry.py", "_FAMILIES")
    monkeypatch.setattr(registry, "_FAMILIES", (*registry.families(), family))
    assert isinstance(family, Family)
    assert family.name == NAME
    return family


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the page's files."""
    write_files(PAGE, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(command: str, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str, str]:
    """Run the page's last command of that name (`measure model`): exit code, standard output and error."""
    words = command.split()
    arguments = [each for each in commands(PAGE) if each[: len(words)] == words][-1]
    with pytest.raises(SystemExit) as ended:
        run([*arguments, *more])
    captured = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, captured.out.replace("\u00a0", " "), captured.err


def test_it_prunes_and_is_compared(toy: Family) -> None:
    (python,) = (each for each in blocks(PAGE) if each.language == "python" and not each.title)
    found = executed(python)
    row = found["speedups"].iloc[0]
    assert row["family"] == NAME
    assert row["sparsity_realised"] == pytest.approx(0.95, abs=1e-4)
    # A window of a twentieth of 131072 tokens is a tenth of the context: attention reads that much less.
    assert 1 < row["predicted"] <= row["ceiling"]
    assert row["loss_extra_work"] < 1
    assert found["composed"].family == f"{NAME} + static-m"
    assert toy.options == {"every": 1}


@pytest.mark.usefixtures("toy")
def test_a_plan_file_and_a_checkpoint_are_told_to_be_its_work(folder: Path) -> None:
    plan = plan_from_file(folder / "local.toml")
    assert [(step.family, step.sparsity) for step in plan.steps] == [(NAME, 0.95)]
    local = [block.added for block in plan.transformer.blocks]
    assert [bool(added) for added in local] == [True, False] * (len(local) // 2)
    found = plan_from_config(plan.base, plan.transformer)
    assert found.family == NAME
    assert found.targets == plan.targets
    assert found.sparsity_realised == pytest.approx(plan.sparsity_realised)


@pytest.mark.usefixtures("toy")
def test_detail_by_layer_still_names_the_families_it_is_of(folder: Path) -> None:
    file = folder / "detail.toml"
    file.write_text('model = "llama-3.2-1b"\n[layer.0-3]\nffn_width = 4096\n', encoding="utf-8")
    assert plan_from_file(file).family == "static-nk"


def _drawn(html: str, family: Family) -> bool:
    """Whether a legend has the family's marker in its colour before its name."""
    swatches = re.findall(rf"<svg[^>]*>((?:(?!</svg>).)*)</svg>{family.name}", html)
    colour = f"var({css_name(BY_NAME[family.colour])})"
    return any(colour in swatch and SHAPES[family.marker] in swatch for swatch in swatches)


@pytest.mark.slow
def test_compare_draws_it(toy: Family, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run("compare", capsys)
    assert code == 0, err
    assert f"{NAME} 95 %" in out
    assert _drawn((folder / "compare.html").read_text(encoding="utf-8"), toy)


@pytest.mark.usefixtures("toy", "folder")
def test_a_plan_file_is_compared(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run("compare --plan", capsys)
    assert code == 0, err
    assert "local" in out


def test_its_losses_stand_on_the_axis_that_it_states(
    toy: Family, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = _run("frontier", capsys, "--full")
    assert code == 0, err
    assert "points of sparse attention depend on the length of their task" in out
    page = (folder / "frontier.html").read_text(encoding="utf-8")
    assert "Sparse attention, task by task" in page
    assert _drawn(page, toy)


@pytest.mark.slow
@pytest.mark.usefixtures("toy")
def test_a_sweep_has_its_rows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = _run("sweep", capsys)
    assert code == 0, err
    rows = pd.read_parquet(folder / "rows.parquet")
    assert set(rows["family"].astype(str)) == {"static-nk", NAME}
    assert NAME in (folder / "sweep.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("toy", "folder")
def test_advice_says_how_much_of_it_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run("advise", capsys)
    assert code == 0, err
    assert NAME in out


def test_measuring_refuses_with_its_reason(
    toy: Family, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = _run("measure model", capsys, "--device", "cpu")
    assert code == 2
    assert out == ""
    assert toy.not_measured in err
    assert not (folder / "measured.csv").exists()


def test_measuring_all_families_leaves_it_out_with_its_reason(toy: Family) -> None:
    from infersim.cli.commands.measure_model import measurable_families

    measured, left_out = measurable_families()
    assert NAME not in measured
    assert "dynamic-m/execution=gather" in measured.split(",")
    assert f"{NAME}: {toy.not_measured}" in left_out


def test_every_command_of_the_page_is_run_above() -> None:
    names = {
        " ".join(arguments[:2]) if arguments[0] == "measure" else arguments[0] for arguments in commands(PAGE)
    }
    assert names == {"compare", "frontier", "sweep", "advise", "measure model"}
