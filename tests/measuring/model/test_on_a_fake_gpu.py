"""Every executor on fake GPU tensors: no device is mixed, no value waited for; a graph can hold the pass."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from infersim.domain.shapes import Phase  # noqa: E402
from infersim.measuring.model.execution import attention_kernels  # noqa: E402
from infersim.measuring.model.execution.block_attention import flex_attend  # noqa: E402
from infersim.measuring.model.execution.executor import Kernels, build  # noqa: E402
from infersim.pruning.composition import prune  # noqa: E402
from infersim.workload.scenario import Execution, Layout  # noqa: E402
from infersim.workload.transformer import Transformer  # noqa: E402
from tests.measuring.fake_cuda import CUDA, fake_gpu  # noqa: E402
from tests.measuring.model.examples import MODELS, VOCAB, dense  # noqa: E402

KERNELS = Kernels(compress=lambda weight: weight, block_attention=flex_attend)
BATCH, CONTEXT = 3, 40


def in_blocks_of_16(**options: str) -> Transformer:
    """Of two and a half blocks; smaller ones no tile of the GPU's kernel divides."""
    return prune(dense(), "dynamic-nk", 0.5, block=16, gate_dim=6, **options).transformer


ON_A_GPU: dict[str, Callable[[], Transformer]] = {
    **MODELS,
    "dynamic-nk": in_blocks_of_16,
    "dynamic-nk, a mask a head": lambda: in_blocks_of_16(masks="head"),
}
CASES = [
    *product(ON_A_GPU, [Layout.FUSED]),
    ("dense", Layout.SEPARATE),
    ("qk norm and biases", Layout.SEPARATE),
]


@pytest.mark.parametrize(("last", "window", "keys"), [(900, None, 1000), (700, None, 768), (900, 100, 488)])
def test_scattered_queries_read_keys_in_even_numbers(
    last: int, window: int | None, keys: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers that keep other tokens have the same kernels: of 1000 keys, up to the next 256."""
    lengths: list[int] = []

    def attend(q: Any, k: Any, v: Any, *, attn_mask: Any, **_: object) -> Any:
        assert attn_mask.shape[-1] == k.shape[2] == v.shape[2]
        lengths.append(k.shape[2])
        return q

    monkeypatch.setattr(attention_kernels, "scaled_dot_product_attention", attend)
    with fake_gpu(monkeypatch):
        q, k = torch.zeros(1, 8, 50, 64, device=CUDA), torch.zeros(1, 2, 1000, 64, device=CUDA)
        positions = torch.zeros(1, 50, device=CUDA, dtype=torch.int64)
        known = [(last - 50 + place, last - 49 + place) for place in range(50)]
        attention_kernels.scattered_attention(q, k, k, positions, known, window)

    assert lengths == [keys]


@pytest.mark.slow
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize(("name", "layout"), CASES)
def test_a_pass_can_be_captured(
    name: str, layout: Layout, phase: Phase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_gpu(monkeypatch) as device:
        executor = build(ON_A_GPU[name](), Execution(layout=layout), CUDA, kernels=KERNELS)
        scene = executor.scene(phase, batch=BATCH, context=CONTEXT)
        results: list[Any] = []
        device.capture(lambda: results.append(executor.run(scene)))

    (logits,) = results
    assert logits.shape == (BATCH, VOCAB)
    assert logits.device == CUDA
    assert logits.dtype is torch.bfloat16
