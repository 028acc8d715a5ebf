"""Whatever stands for an argument of a public function: a good answer, or an InfersimError that names it."""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import infersim as sim
from infersim.domain.costs import Latency
from infersim.domain.errors import InfersimError
from tests.arguments.examples import Arguments, called, calls
from tests.arguments.hostile import HOSTILE

NO_CALLS = {"InfersimError", "ScenarioOptions"}
"""What nobody calls: an error to catch, and the names of keywords."""

CALLS = sorted({*sim.__all__, "Scenarios.of"} - NO_CALLS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written")


@pytest.mark.parametrize("name", CALLS)
def test_there_is_a_good_call_of_every_function_with_all_its_parameters(name: str, folder: Path) -> None:
    function: Any = sim
    for part in name.split("."):
        function = getattr(function, part)
    named = {
        each.name
        for each in inspect.signature(function).parameters.values()
        if each.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    }
    assert named <= set(calls(folder)[name]())
    if name != "import_source":  # the folder holds no download
        check(called(name, calls(folder)[name]()))


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    good = calls(folder)[name]
    failures = [
        failure
        for parameter in good()
        for hostile in HOSTILE
        if (failure := _failure(name, good, parameter, hostile))
    ]
    assert not failures, "\n".join(failures)


def _failure(name: str, good: Callable[[], Arguments], parameter: str, hostile: str) -> str:
    """What goes wrong; empty where nothing does."""
    arguments = {**good(), parameter: HOSTILE[hostile]()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(called(name, arguments))
    except InfersimError as error:
        if len(str(error)) > 5000:
            return f"{name}({parameter}={hostile}): an error of {len(str(error))} characters"
    except Exception as error:
        return f"{name}({parameter}={hostile}): {type(error).__name__}: {str(error)[:200]}"
    return ""


def check(answer: object) -> None:
    """No number of an answer is unknown, and no latency below its floor."""
    if isinstance(answer, Latency):
        for field in ("latency_s", "lower_s", "upper_s", "floor_s"):
            assert np.isfinite(getattr(answer, field)).all(), field
        assert (answer.lower_s >= answer.floor_s).all()
        assert (answer.latency_s >= answer.lower_s).all()
    if dataclasses.is_dataclass(answer) and hasattr(answer, "points"):
        answer = answer.points
    if isinstance(answer, pd.DataFrame) and {"latency_ms", "lower_ms", "floor_ms"} <= set(answer.columns):
        assert np.isfinite(answer[["latency_ms", "lower_ms", "upper_ms", "floor_ms"]]).all(axis=None)
        assert (answer["lower_ms"] >= answer["floor_ms"] * (1 - 1e-12)).all()
