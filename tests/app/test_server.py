"""The server of the page, without a browser: answers, refusals, and what pages may load."""

from __future__ import annotations

import re
import shlex
import socket
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from infersim.app.choices import Choices
from infersim.app.command_lines import compare_line, serve_line
from infersim.domain.errors import InfersimError
from tests.cli.conftest import Infersim

pytest.importorskip("dash", reason="infersim[app] is not installed")

CHOICES = Choices(
    gpu="a100-sxm-80gb",
    versus="h100-sxm",
    phase="decode",
    batch=8,
    families=(("static-m", 0.25), ("static-k-2:4", 0.5), ("static-nk", 0.4)),
)


def answered_to(choices: Choices, *panels: str) -> dict[str, Any]:
    from infersim.app.server import answer

    return answer({"serial": 1, "controls": choices.controls(), "panels": list(panels)})


@pytest.mark.slow
def test_the_rows_are_those_that_the_command_line_prints(answered: Infersim) -> None:
    import pandas as pd
    from pandas.testing import assert_frame_equal

    from infersim.app.server import saved_csv

    printed = answered(*shlex.split(compare_line(CHOICES))[1:], "--csv").out
    saved = saved_csv(CHOICES)
    assert_frame_equal(pd.read_csv(StringIO(saved)), pd.read_csv(StringIO(printed)), rtol=1e-9)


@pytest.mark.slow
def test_what_is_served_is_what_the_command_line_prints(answered: Infersim) -> None:
    import pandas as pd

    from infersim.app.answers import served
    from infersim.simulation.serving.under_load import under_load_frame

    printed = pd.read_csv(StringIO(answered(*shlex.split(serve_line(CHOICES))[1:], "--csv").out))
    here = pd.concat([under_load_frame(each) for each in served(CHOICES)], ignore_index=True)
    for name in ("tokens_per_s", "tpot_ms", "ttft_ms", "speedup", "most_speedup", "most_concurrency"):
        assert here[name].tolist() == pytest.approx(printed[name].tolist(), rel=1e-9)


@pytest.mark.slow
def test_kept_answers_are_those_of_the_choices() -> None:
    """What one slider leaves as it is comes from memory: the answer is that of a fresh start all the same."""
    from infersim.app import answers

    other = replace(CHOICES, batch=16, families=(("static-m", 0.5), ("static-nk", 0.4)))
    answered_to(CHOICES, "time", "curves")
    answered_to(other, "time", "curves")
    warm = answered_to(CHOICES, "time", "curves")
    for kept in (answers._compared, answers._ops, answers._between, answers._family_plans, answers._served):
        kept.cache_clear()
    assert answered_to(CHOICES, "time", "curves") == warm
    assert warm["verdict"] != answered_to(other)["verdict"]


@pytest.mark.slow
def test_two_gpus_stand_side_by_side_in_every_panel() -> None:
    from infersim.app.panels import PANELS

    found = answered_to(CHOICES, *PANELS)
    assert len(found["gpus"]) == 2
    assert {name: len(panel["figures"]) for name, panel in found["panels"].items()} == dict.fromkeys(
        PANELS, 2
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (replace(CHOICES, families=()), "at least one family"),
        (replace(CHOICES, families=(("static-e", 0.5),)), "no plan can be made"),
        (replace(CHOICES, dtype="fp8"), "fp8"),
    ],
)
def test_what_cannot_be_answered_is_said_in_words(changed: Choices, said: str) -> None:
    assert said in answered_to(changed, "losses")["problem"]


def test_a_panel_that_cannot_be_drawn_leaves_the_others() -> None:
    large = replace(CHOICES, model="llama-3.1-405b", gpu="a10", versus="", phase="prefill")
    found = answered_to(large, "losses", "served")
    assert len(found["panels"]["losses"]["figures"]) == 1
    assert "fits" in found["panels"]["served"]["problem"]


def test_controls_of_another_make_are_refused_in_words() -> None:
    from infersim.app.server import answer

    assert "problem" in answer({"serial": 1, "controls": {"batch": "x"}, "panels": []})
    assert "problem" in answer(
        {"serial": 1, "controls": CHOICES.controls() | {"gpu": "../h100"}, "panels": []}
    )


@pytest.fixture(scope="module")
def client() -> Any:
    from infersim.app.server import make_app

    return make_app().server.test_client()


def test_the_page_loads_nothing_from_elsewhere(client: Any) -> None:
    page = client.get("/", base_url="http://127.0.0.1:8050")
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) > 5
    assert all(place.startswith(("/", "data:")) for place in loaded)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


def test_another_name_that_leads_here_is_refused(client: Any) -> None:
    for base in ("http://attacker.example", "http://attacker.example:8050", "http://127.0.0.1.example:8050"):
        assert client.get("/", base_url=base).status_code == 403
    assert client.get("/look.css", base_url="http://localhost:8050").status_code == 200


def test_a_taken_port_is_refused() -> None:
    from infersim.app.running import listening

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InfersimError, match=f"port = {port}"), listening(port):
            pass


def test_only_this_machine_is_listened_to() -> None:
    from infersim.app.running import listening

    with listening(0) as served:
        assert served.address.startswith("http://127.0.0.1:")
        assert served.server.socket.getsockname()[0] == "127.0.0.1"


def test_assets_name_no_other_place() -> None:
    import infersim.app

    assets = Path(infersim.app.__file__).parent / "assets"
    for file in assets.iterdir():
        assert "://" not in file.read_text(encoding="utf-8"), file.name


def test_nothing_is_saved_where_the_page_says_why_there_is_no_answer() -> None:
    from dash import no_update

    from infersim.app.server import _download, saved_csv

    asked = {"controls": Choices(families=()).controls()}
    assert _download(asked, saved_csv, "infersim.csv") is no_update
