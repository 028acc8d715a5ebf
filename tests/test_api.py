"""The public interface: what it offers, what importing it costs, and that it needs no GPU library."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import infersim as sim
from infersim.domain.profile import HardwareProfile
from infersim.files.locations import data_folder

NAMES = {
    "InfersimError",
    "Request",
    "ScenarioOptions",
    "Scenarios",
    "all_reduce_latency",
    "attention_latency",
    "break_even",
    "calibrate",
    "compare",
    "compare_along",
    "compare_served",
    "exchange_latency",
    "family_curves",
    "free_widths",
    "frontier",
    "frontier_figure",
    "gather_comparison",
    "gemm_latency",
    "held_out_rows",
    "import_source",
    "latency_table",
    "layer_bars",
    "load_model",
    "load_profile",
    "loss_waterfall",
    "moe_latency",
    "padded_widths",
    "predict",
    "predicted_measured",
    "prune",
    "read_samples",
    "residual_by_shape",
    "roofline",
    "search",
    "serve",
    "simulate_serving",
    "sparsity_for",
    "speedup_curve",
    "summary",
    "sweep",
    "time_by_op",
    "trade_off",
    "validate",
    "validation_points",
    "with_overrides",
    "write_fit",
    "write_latency_table",
}


def loaded_by(code: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after running `code`."""
    program = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_interface_is_these_names() -> None:
    assert set(sim.__all__) == NAMES
    assert set(dir(sim)) >= NAMES


def test_no_package_or_module_bears_the_name_of_a_public_function() -> None:
    inside = Path(sim.__file__).parent
    assert not NAMES & {path.stem for path in inside.iterdir()}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_is_documented(name: str) -> None:
    """All are functions, but for the error to catch and the records that a user fills in."""
    found = getattr(sim, name)
    assert found.__name__ == name
    assert found.__doc__
    assert inspect.isfunction(found) or name in {"InfersimError", "Request", "ScenarioOptions", "Scenarios"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'simulate'"):
        _ = sim.simulate


def test_importing_loads_no_library() -> None:
    heavy = {"numpy", "pandas", "scipy", "plotly", "pyarrow", "pydantic", "torch", "typer", "rich"}
    assert not loaded_by("import infersim") & heavy


def test_timing_a_gemm_loads_no_table_or_figure_library() -> None:
    code = "import infersim as sim; sim.gemm_latency('h100-sxm', 1, 4096, 4096)"
    assert not loaded_by(code) & {"pandas", "scipy", "plotly", "pyarrow", "torch"}


def test_predicting_needs_no_torch() -> None:
    """With torch made impossible to import, not merely unused."""
    code = (
        "sys.modules['torch'] = None\n"
        "import infersim as sim\n"
        "model = sim.load_model('llama-3.1-8b')\n"
        "sim.predict(model, 'h100-sxm', context=128)\n"
        "sim.compare(model, sim.prune(model, 'static-nk', 0.5), 'h100-sxm', context=128)\n"
        "del sys.modules['torch']"
    )
    assert not loaded_by(code) & {"torch", "scipy", "plotly"}


def test_the_example_of_the_design_works() -> None:
    gpu = sim.load_profile("h100-sxm")
    model = sim.load_model("llama-3.1-8b")
    plan = sim.prune(sim.prune(model, "static-m", sparsity=0.25), "static-nk", sparsity=0.25)
    assert sim.gemm_latency(gpu, 16, 4096, 4096, dtype="bf16", sparsity="2:4").latency_s > 0
    attention = sim.attention_latency(
        gpu,
        phase="decode",
        batch=8,
        query_len=1,
        context_len=4096,
        num_heads=32,
        num_kv_heads=8,
        head_dim=128,
        dtype="bf16",
    )
    assert attention.latency_s > attention.floor_s
    assert len(sim.predict(plan, gpu, phase="prefill", batch=[1, 8], context=[1024, 32768])) == 4
    frame = sim.compare(model, [plan], gpu, phase="prefill", batch=1, context=4096, measured=None)
    assert 1 < frame["predicted"].iloc[0] < frame["ceiling"].iloc[0]


def test_a_gpu_is_a_record_a_name_an_alias_or_a_file() -> None:
    file = data_folder("hw_profiles") / "h100-sxm.toml"
    gpus: list[HardwareProfile | str | Path] = [
        sim.load_profile("h100-sxm"),
        "h100-sxm",
        "NVIDIA H100 80GB HBM3",
        str(file),
        file,
    ]
    latencies = [sim.gemm_latency(gpu, 128, 4096, 4096).latency_s for gpu in gpus]
    np.testing.assert_array_equal(latencies, latencies[0])
