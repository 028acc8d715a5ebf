"""What would not fit in memory is refused with its size before it is made."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import infersim as sim
from infersim.cli.main import run
from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.files.memory import LIMIT_VARIABLE, check_room, memory_limit_bytes
from infersim.pruning.plan import Plan
from infersim.workload.transformer import Transformer


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


@pytest.mark.parametrize("function", [sim.serve, sim.simulate_serving])
def test_services_count_their_lengths_before_any_is_made(function: Callable[..., object]) -> None:
    many = range(1, 100_001)
    with pytest.raises(InfersimError, match=r"^10,000,000,000 rows \(10,000,000,000 lengths"):
        function("llama-3.1-8b", "h100-sxm", prompt=many, output=many)


def test_services_count_their_plans_and_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "0.0001")
    model = sim.load_model("llama-3.1-8b")
    several: list[Transformer | Plan] = [model, sim.prune(model, "static-m", sparsity=0.25)]
    with pytest.raises(InfersimError, match=r"^40 rows .*2 plans, 2 GPUs"):
        sim.serve(several, ["h100-sxm", "l40s"], prompt=64, output=8, concurrency=range(1, 11))


def test_gemms_of_the_command_line_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ",".join(map(str, range(1, 2001)))
    with pytest.raises(SystemExit, match="2"):
        run(["gemm", sizes, sizes, sizes, "-g", "l4"])
    assert "8,000,000,000 GEMMs (2,000 x 2,000 x 2,000) would take about" in capsys.readouterr().err


def test_a_gpu_that_is_named_a_million_times_is_one() -> None:
    frame = sim.predict("llama-3.2-1b", ["h100-sxm"] * 10**6, phase="decode", context=64)
    assert len(frame) == 1


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is told as Linux does")
def test_what_is_given_back_is_no_longer_held() -> None:
    if "glibc" not in platform.libc_ver()[0]:
        pytest.skip("only glibc can")
    code = (
        "from pathlib import Path\nfrom infersim.files.memory import give_back\n"
        "held = lambda: 4096 * int(Path('/proc/self/statm').read_text().split()[1])\n"
        "arrays = [bytearray(100_000) for _ in range(1000)]\ndel arrays[:-1]\n"
        "before = held()\ngive_back()\nprint(before - held())\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) > 50_000_000
