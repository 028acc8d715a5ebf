"""`infersim app`: what it says where it cannot start, and that it starts."""

from __future__ import annotations

import importlib.util
import urllib.request

import pytest

from tests.app.visiting import program
from tests.cli.conftest import Infersim


def test_without_the_extra_it_says_how_to_install_it(
    infersim: Infersim, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "dash" else real(name))
    done = infersim("app", "--no-browser")
    assert done.code == 2
    assert "pip install 'infersim[app]'" in done.err


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_is_none_is_refused(infersim: Infersim, port: str) -> None:
    pytest.importorskip("dash", reason="infersim[app] is not installed")
    done = infersim("app", f"--port={port}", "--no-browser")
    assert done.code == 2
    assert "0 to 65535" in done.err


@pytest.mark.slow
def test_it_answers_at_the_address_that_it_prints() -> None:
    pytest.importorskip("dash", reason="infersim[app] is not installed")
    with program() as address, urllib.request.urlopen(address, timeout=30) as page:
        assert b"<title>infersim</title>" in page.read()
