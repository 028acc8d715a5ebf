"""The command line as a fixture: the real entry point, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from infersim.cli.main import run


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Standard output as JSON."""
        rows: list[dict[str, Any]] = json.loads(self.out)
        return rows


Infersim: TypeAlias = Callable[..., Ran]


@pytest.fixture
def infersim(capsys: pytest.CaptureFixture[str]) -> Infersim:
    """Run `infersim ARGUMENTS` through the function that the installed program calls."""

    def call(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            run(arguments)
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(code=ended.value.code, out=captured.out, err=captured.err)

    return call


@pytest.fixture
def answered(infersim: Infersim) -> Infersim:
    """The same, for commands that must succeed."""

    def call(*arguments: str) -> Ran:
        ran = infersim(*arguments)
        assert ran.code == 0, ran.err
        return ran

    return call


@pytest.fixture
def refused(infersim: Infersim) -> Callable[..., str]:
    """The same, for what a user can get wrong: one message on standard error, nothing else, exit code 2."""

    def call(*arguments: str) -> str:
        ran = infersim(*arguments)
        assert ran.code == 2
        assert ran.out == ""
        assert ran.err.startswith("Error: ")
        assert "Traceback" not in ran.err
        return ran.err

    return call
