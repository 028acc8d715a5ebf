"""`infersim measure` on the command line: what it writes, how it goes on, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")

from infersim.measuring.kernel_runs import supervision
from tests.cli.conftest import Infersim
from tests.measuring.examples import FAKE_WORKER
from tests.report.handmade import check_order, check_says

PLAN = """
version = 1
name = "few"
reason = "A test."
dtypes = ["fp32"]
[limits]
operand_gib = 1
tflop = 0.01
[[gemm_space]]
name = "space"
reason = "A test."
rows = 4
m = [1, 64]
n = [64, 256]
k = [64, 256]
alignments = [[64, 64]]
"""


@pytest.fixture
def plan(tmp_path: Path) -> str:
    file = tmp_path / "few.toml"
    file.write_text(PLAN)
    return str(file)


@pytest.fixture
def pretending(monkeypatch: pytest.MonkeyPatch) -> None:
    """A measuring process that starts at once and answers without measuring."""
    monkeypatch.setattr(
        supervision.Measurer.__init__, "__kwdefaults__", {"command": FAKE_WORKER, "row_timeout_s": 10.0}
    )


@pytest.mark.slow
@pytest.mark.usefixtures("pretending")
def test_a_plan_becomes_a_log_and_the_same_command_goes_on(
    answered: Infersim, plan: str, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    command = ("measure", "kernels", "--device", "cpu", "--plan", plan, "--passes", "2", "--out", str(log))

    first = answered(*command)
    content = log.read_text()
    log.write_text("".join(content.splitlines(keepends=True)[:-2]) + '{"plan_row": 6, "ki')
    second = answered(*command)

    check_says(first.err, "8 of 8 kernels")
    check_order(second.err, "2 of 8 kernels", "6", "before")
    assert log.read_text() == content
    rows = [json.loads(line) for line in content.splitlines()]
    assert [row["plan_row"] for row in rows[2:]] == list(range(8))
    assert rows[1]["plan"] == plan
    assert (rows[2]["version"], rows[2]["gpu"]) == ("PyTorch 0.0", "fake-gpu")


@pytest.mark.usefixtures("pretending")
def test_samples_bear_the_name_of_a_profile_that_is_given(
    answered: Infersim, plan: str, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"

    answered("measure", "kernels", "--device", "cpu", "--plan", plan, "--gpu", "l40s", "--out", str(log))

    assert {json.loads(line)["gpu"] for line in log.read_text().splitlines()[1:]} == {"l40s"}


@pytest.mark.usefixtures("pretending")
def test_a_log_of_another_plan_or_state_is_not_mixed(
    answered: Infersim, refused: Callable[..., str], plan: str, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    command = ("measure", "kernels", "--device", "cpu", "--plan", plan, "--out", str(log))
    answered(*command)
    before = log.read_text()

    check_order(refused(*command, "--l2", "hot"), "l2 = 'cold'", "'hot'")
    check_order(refused(*command, "--passes", "1"), "passes = 3", "1")
    assert log.read_text() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "log.csv"), "expected a measurement log, whose name ends in .jsonl"),
        (("--out", "missing/log.jsonl"), "expected a file in a folder that exists"),
        (("--out", "log.jsonl", "--plan", "none"), "unknown measurement plan 'none'"),
        (("--out", "log.jsonl", "--l2", "warm"), "l2 = 'warm'; expected one of cold, hot"),
        (("--out", "log.jsonl", "--clock", "sun"), "clock = 'sun'; expected one of wall, cpu"),
        (("--out", "log.jsonl", "--passes", "0"), "passes = 0; expected at least 1"),
        (("--out", "log.jsonl", "--dtype", "fp7"), "fp7"),
        (("--out", "log.jsonl", "--gpu", "rtx-1"), "unknown GPU 'rtx-1'"),
    ],
)
def test_what_a_user_can_get_wrong_is_told_before_anything_is_measured(
    refused: Callable[..., str],
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert message in refused("measure", "kernels", "--device", "cpu", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_keys_that_a_plan_does_not_have_are_named(
    refused: Callable[..., str], plan: str, tmp_path: Path
) -> None:
    Path(plan).write_text(PLAN.replace("rows = 4", "rows = 4\nrepeats = 3"))

    message = refused(
        "measure", "kernels", "--device", "cpu", "--plan", plan, "--out", str(tmp_path / "a.jsonl")
    )

    assert "few.toml: gemm_space[0].repeats = 3; expected no such key here" in message


def test_ceilings_are_not_measured_of_what_has_a_datasheet_or_to_a_wrong_place(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    message = refused("measure", "machine", "--out", str(tmp_path / "a.txt"))
    check_order(message, f"out = '{tmp_path / 'a.txt'}'", ".toml")
    assert "wall, cpu" in refused("measure", "machine", "--out", str(tmp_path / "a.toml"), "--clock", "sun")
