"""A small valid profile file that tests write, with single lines replaced by wrong ones."""

from __future__ import annotations

from pathlib import Path

# bf16: 2048 FLOP/clock/SM x 100 SMs x 1000 MHz = 204.8 TFLOP/s.
# Bandwidth: 4096 bits x 4 Gbit/s / 8 = 2048 GB/s.
EXAMPLE = """
name = "example"
title = "An example"
vendor = "nvidia"
generation = "example"
compute_capability = "9.9"
unverified = ["memory.capacity_gb"]

[chip]
sm_count = 100
clock_max_mhz = 1200
tensor_clock_mhz = 1000
l2_mib = 40
tdp_w = 400

[memory]
capacity_gb = 80
bandwidth_gb_s = 2048
bus_bits = 4096
pin_gbit_s = 4

[matrix]
tf32 = { datasheet_tflops = 102.4, flop_per_clock_per_sm = 1024, sparse_factor = 2 }
bf16 = { datasheet_tflops = 204.8, flop_per_clock_per_sm = 2048, sparse_factor = 2 }
fp16 = { datasheet_tflops = 204.8, flop_per_clock_per_sm = 2048, sparse_factor = 2 }
fp8 = { datasheet_tflops = 409.6, flop_per_clock_per_sm = 4096, sparse_factor = 2 }
int8 = { datasheet_tflops = 409.6, flop_per_clock_per_sm = 4096, sparse_factor = 2 }

[sources]
"chip.*" = "made up"
"memory.*" = "made up"
"matrix.*" = "made up"
"""


def write_example(folder: Path, *replacements: tuple[str, str], name: str = "example") -> Path:
    """Write the example under `name`.toml with each `old` text, which must occur, replaced by `new`."""
    text = EXAMPLE
    for old, new in replacements:
        assert old in text, f"the example has no {old!r}"
        text = text.replace(old, new)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path
