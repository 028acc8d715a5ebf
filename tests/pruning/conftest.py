"""The model that the tests of this folder prune."""

from __future__ import annotations

import pytest

from infersim.workload.presets import load_model
from infersim.workload.transformer import Transformer


@pytest.fixture(scope="session")
def llama() -> Transformer:
    """Llama-3.1-8B: hidden 4096, 32 layers, 32 heads and 8 KV heads of 128, FFN 14336."""
    return load_model("llama-3.1-8b")
