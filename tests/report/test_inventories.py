"""Tables of GPUs and models: every shipped one can be shown, and the numbers are the files'."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infersim.domain.profile import Calibration
from infersim.profile_files.profiles import list_profiles, load_profile
from infersim.report.core.table import Table
from infersim.report.inventories import gpus_table, models_table
from infersim.workload.presets import list_models, load_model


def cells(table: Table, key: str) -> dict[str, str]:
    """The row that begins with `key`, by heading."""
    headings = [column.heading.replace("-\n", "").replace("\n", " ") for column in table.columns]
    (row,) = [row for row in table.rows() if row[0] == key]
    return dict(zip(headings, row, strict=True))


def test_every_shipped_gpu_has_a_row() -> None:
    names = list_profiles()
    table = gpus_table([load_profile(name) for name in names])
    assert [row[0] for row in table.rows()] == list(names)


def test_older_gpus_show_their_fp16_rate() -> None:
    table = gpus_table([load_profile("t4"), load_profile("l40s")])
    assert cells(table, "t4")["16 bit"] == "65.1"
    assert cells(table, "t4")["fp8"] == "–"
    assert cells(table, "l40s")["16 bit"] == "362"


@pytest.mark.parametrize(
    ("calibration", "source", "text"),
    [
        (Calibration.FITTED, None, "fitted"),
        (Calibration.BORROWED, "rtx-pro-6000-server", "borrowed from rtx-pro-6000-server"),
    ],
)
def test_the_source_of_a_calibration_is_told(calibration: Calibration, source: str | None, text: str) -> None:
    profile = replace(load_profile("rtx-pro-6000"), calibration=calibration, fit_source=source)
    assert cells(gpus_table([profile]), "rtx-pro-6000")["calibration"] == text


def test_every_preset_has_a_row() -> None:
    table = models_table([load_model(name) for name in list_models()])
    assert [row[0] for row in table.rows()] == list_models()
    assert cells(table, "llama-3.1-8b") == {
        "model": "llama-3.1-8b",
        "parameters": "8.03 B",
        "active": "8.03 B",
        "layers": "32",
        "hidden": "4096",
        "heads": "32",
        "KV heads": "8",
        "FFN width": "14336",
        "experts": "",
        "vocabulary": "128256",
        "positions": "131072",
    }


def test_models_of_experts_say_how_many_run() -> None:
    row = cells(models_table([load_model("deepseek-v3")]), "deepseek-v3")
    assert (row["parameters"], row["active"]) == ("671 B", "37.6 B")
    # Three dense layers, then 256 experts; one latent vector a token for all heads.
    assert (row["FFN width"], row["experts"], row["KV heads"]) == ("18432", "8 of 256 x 2048", "1")
    assert cells(models_table([load_model("mixtral-8x7b")]), "mixtral-8x7b")["FFN width"] == ""
