"""`infersim compare --sweep-set`: the same question along one number of the datasheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from infersim.cli.plans import Pruning
    from infersim.domain.profile import HardwareProfile
    from infersim.simulation.speedups.scenarios import Scenarios

COUNT = 9
"""Values where none is said."""

EXPECTED = "KEY=LOW:HIGH or KEY=LOW:HIGH:COUNT, such as memory.bandwidth_gb_s=2000:8000:9"


def compare_along_number(
    text: str,
    pruning: Pruning,
    gpus: Sequence[HardwareProfile],
    scenarios: Scenarios,
    *,
    as_json: bool,
    as_csv: bool,
    html: Path | None,
    figures: Path | None,
) -> None:
    """Print the comparison along the number that `text` names, and write its page or figures."""
    from functools import partial

    from infersim.cli.pages import write_asked
    from infersim.cli.printing import print_aside, print_for_people, printed_for_machines
    from infersim.report.hardware_page import hardware_page
    from infersim.report.hardware_tables import hardware_table, hardware_verdict
    from infersim.report.setting import setting_text
    from infersim.simulation.hardware_sweep import compare_along

    if len(gpus) != 1:
        raise InvalidValueError("gpu", ", ".join(gpu.name for gpu in gpus), "one GPU beside --sweep-set")
    key, values = swept_number(text)
    frame = compare_along(pruning.model, pruning.plans, gpus[0], key, values, scenarios=scenarios)
    for reason in pruning.left_out:
        print_aside(f"Left out: {reason}")
    if not printed_for_machines(frame, as_json=as_json, as_csv=as_csv):
        print_for_people(hardware_verdict(frame), hardware_table(frame))
    setting = setting_text(scenarios.execution)
    write_asked(partial(hardware_page, frame, setting), html=html, figures=figures)


def swept_number(text: str) -> tuple[str, list[float]]:
    """`memory.bandwidth_gb_s=2000:8000:9` as the key and nine values in even steps."""
    from infersim.simulation.hardware_sweep import MOST_VALUES, even_steps

    key, _, limits = text.partition("=")
    parts = limits.split(":")
    try:
        low, high = float(parts[0]), float(parts[1])
        count = int(parts[2]) if len(parts) > 2 else COUNT
    except (ValueError, IndexError):
        raise InvalidValueError("sweep-set", text, EXPECTED) from None
    if len(parts) > 3 or not 0 < low < high < float("inf") or not 2 <= count <= MOST_VALUES:
        expected = f"{EXPECTED}: LOW above 0 and below HIGH, COUNT from 2 to {MOST_VALUES}"
        raise InvalidValueError("sweep-set", text, expected)
    return key.strip(), even_steps(low, high, count)
