"""Names of modules, as the `transformers` library's own models have them."""

from __future__ import annotations

import pytest

from infersim.workload.formats import named_matrices
from infersim.workload.hf.module_names import MODULE_NAMES, module_names
from infersim.workload.hf.reading import READ, transformer_from_config
from tests.workload.hf.library import known, library_model, spelt
from tests.workload.hf.sizes import MODEL_TYPES, small

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_modules_of_the_library(model_type: str) -> None:
    config = spelt(model_type, **small(model_type))
    there = dict(library_model(config).named_modules())
    names, model = module_names(model_type), transformer_from_config(config)
    for matrix, linear in named_matrices(model.blocks[0]):
        if matrix.startswith(("expert_", "router")):
            continue  # in files they have names of their own: see test_experts_in_files
        (module,) = (there[name] for name in {each.of(0, matrix) for each in names} & set(there))
        assert linear.in_features in module.weight.shape, matrix
    assert {each.head for each in names} & set(there)


def test_no_name_without_a_model_type() -> None:
    assert set(MODULE_NAMES) <= set(READ)
    assert not known("mine")
