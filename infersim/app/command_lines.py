"""The command lines that give the answers of the page."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from infersim.app.choices import Choices, family_text
from infersim.app.models import OWN


def compare_line(choices: Choices) -> str:
    """`infersim compare` with the page's choices."""
    return shlex.join(
        [
            *("infersim", "compare", *_common(choices)),
            *("--phase", choices.phase, "--batch", str(choices.batch), "--context", str(choices.context)),
        ]
    )


def serve_line(choices: Choices) -> str:
    """`infersim serve` with the page's choices: a request reads the context."""
    return shlex.join(
        [
            *("infersim", "serve", *_common(choices)),
            *("--prompt", str(choices.context), "--output", str(choices.output)),
            *("--concurrency", str(choices.concurrency)),
        ]
    )


def _common(choices: Choices) -> Iterator[str]:
    own = choices.config_name or "config.json"
    yield from ("--model", own if choices.model == OWN else choices.model)
    yield from ("--gpu", ",".join(choices.profiles))
    yield from ("--families", family_text(choices.families))
    if choices.dtype:
        yield from ("--dtype", choices.dtype)
    if choices.kv_dtype:
        yield from ("--kv-dtype", choices.kv_dtype)
    yield from ("--gpus", str(choices.gpus), "--engine", choices.engine)
