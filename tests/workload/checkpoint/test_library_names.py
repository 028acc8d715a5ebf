"""Headers with the names and shapes that the `transformers` library's own models have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infersim.workload.checkpoint.reading import transformer_from_path
from infersim.workload.hf.reading import transformer_from_config
from tests.workload.checkpoint.writing import Shapes, write_checkpoint
from tests.workload.hf.library import library_model, spelt
from tests.workload.hf.sizes import MODEL_TYPES, small
from tests.workload.hf.test_library_parameters import OPTIONS

pytestmark = pytest.mark.filterwarnings("ignore")


def shapes_of(model: Any) -> Shapes:
    """What a saved file would hold: tied matrices once."""
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    seen = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            found[name] = ("F32", tuple(tensor.shape))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("model_type", "options"), [*((each, {}) for each in MODEL_TYPES), *OPTIONS])
def test_the_header_says_what_the_config_says(
    tmp_path: Path, model_type: str, options: dict[str, Any]
) -> None:
    config = spelt(model_type, **(small(model_type) | options))
    folder = write_checkpoint(tmp_path / "it", config, shapes_of(library_model(config)))
    read, stated = transformer_from_path(folder), transformer_from_config(config, name="it")
    assert read == stated
    assert read.notes == stated.notes
