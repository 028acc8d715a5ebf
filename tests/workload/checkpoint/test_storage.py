"""Packed matrices: their logical shapes and formats by the header alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.domain.errors import FileContentError
from infersim.domain.shapes import WeightForm
from infersim.workload.checkpoint.header import Tensor
from infersim.workload.checkpoint.reading import read_checkpoint
from infersim.workload.checkpoint.storage import stored_format
from infersim.workload.checkpoint.stored import Hint, Storage
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.transformer import Attention, FeedForward, Linear, Transformer
from tests.workload.checkpoint import packing
from tests.workload.checkpoint.llama import CONFIG, Packed, shapes_of
from tests.workload.checkpoint.writing import write_checkpoint

S24 = WeightForm.SPARSE_2_4

PACKED: list[tuple[Packed, Storage, float, int]] = [
    (packing.gptq, Storage.GPTQ, 4, 32),
    (packing.awq, Storage.AWQ, 4, 32),
    (packing.fp8, Storage.FP8, 8, 0),
    (packing.fp8_block, Storage.FP8_BLOCK, 8, 32),
    (packing.int8, Storage.INT8, 8, 0),
    (packing.bnb_int8, Storage.BNB_8BIT, 8, 0),
    (packing.bnb_nf4, Storage.BNB_4BIT, 4, 64),
    (packing.packed_integers, Storage.PACKED, 4, 32),
    (packing.nvfp4, Storage.NVFP4, 4, 16),
    (packing.modelopt_nvfp4, Storage.NVFP4, 4, 16),
]
SPARSE: list[tuple[Packed, Storage, float, int]] = [
    (packing.bitmask_2_4, Storage.FLOAT, 16, 0),
    (packing.bitmask_2_4_fp8, Storage.FP8, 8, 0),
    (packing.meta_2_4, Storage.FLOAT, 16, 0),
    (packing.marlin_2_4, Storage.PACKED, 4, 32),
]


def sparse(model: Transformer) -> Transformer:
    """All block matrices in 2:4 form."""
    blocks = []
    for block in model.blocks:
        assert isinstance(block.attention, Attention)
        assert isinstance(block.ffn, FeedForward)
        q, k, v, o = (replace(linear, form=S24) for linear in block.attention.linears)
        gate, up, down = (replace(linear, form=S24) for linear in block.ffn.linears)
        blocks.append(
            replace(
                block,
                attention=replace(block.attention, q=q, k=k, v=v, o=o),
                ffn=replace(block.ffn, gate=gate, up=up, down=down),
            )
        )
    return model.with_blocks(tuple(blocks))


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize(
    ("packed", "storage", "bits", "group"),
    [*PACKED, *SPARSE],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_shapes_of_a_packed_model(
    tmp_path: Path, packed: Packed, storage: Storage, bits: float, group: int, shards: int
) -> None:
    dense = transformer_from_config(CONFIG, name="it")
    folder = write_checkpoint(tmp_path / "it", CONFIG, shapes_of(dense, packed), shards=shards)
    names = ("model.safetensors",) if shards == 1 else ("model.safetensors.index.json",)
    read = read_checkpoint(folder, names)
    expected = sparse(dense) if (packed, storage, bits, group) in SPARSE else dense
    assert read.model == expected
    assert len(read.stored) == 6 * 7 + 1
    for (layer, _), (stored,) in read.stored.items():
        if layer >= 0:
            assert (stored.storage, stored.bits, stored.group) == (storage, bits, group)


@given(
    n=st.sampled_from([64, 96, 160]),
    k=st.sampled_from([64, 128, 320]),
    bits=st.sampled_from([2, 4, 8]),
    group=st.sampled_from([32, 64]),
)
def test_gptq_of_any_bits(n: int, k: int, bits: int, group: int) -> None:
    linear = Linear(out_features=n, in_features=k)
    stored = stored_format(tensors(packing.gptq(linear, bits, group)), Hint())
    assert (stored.n, stored.k, stored.bits, stored.group) == (n, k, bits, group)
    # Values, 16-bit scales, zeros of `bits`, and the group of each column in 32 bit.
    assert (
        stored.stored_bytes == n * k * bits // 8 + (k // group) * n * 2 + (k // group) * n * bits // 8 + 4 * k
    )


def tensors(packed: packing.Tensors) -> dict[str, Tensor]:
    """As `stored_format` takes them."""
    return {
        leaf: Tensor(name=f"q.{leaf}", dtype=dtype, shape=shape, file="f")
        for leaf, (dtype, shape) in packed.items()
    }


MATRIX = Linear(out_features=128, in_features=256)


def changed(packed: packing.Tensors, **changes: tuple[str, tuple[int, ...]] | None) -> packing.Tensors:
    """The tensors with some other or without some."""
    found = {**packed, **changes}
    return {leaf: each for leaf, each in found.items() if each is not None}


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (changed(packing.gptq(MATRIX), scales=None), "scales beside it"),
        (changed(packing.gptq(MATRIX), qzeros=None), "qzeros beside it"),
        (
            changed(packing.gptq(MATRIX), g_idx=("I32", (7,))),
            r"q.g_idx = 'I32 \[7\]'; expected one value for each",
        ),
        (
            changed(packing.awq(MATRIX), qweight=("I32", (256, 17))),
            "q.qweight = .*expected 16 or 128 columns",
        ),
        (changed(packing.fp8(MATRIX), weight_scale=None), "q.weight = .*8 bit with weight_scale"),
        (changed(packing.int8(MATRIX), weight_scale=None), "q.weight = "),
        ({"weight": ("I32", (128, 256))}, "q.weight = .*expected a float type"),
        (
            {"weight": ("BF16", (128, 256)), "weight_scale": ("F32", ())},
            "q.weight_scale = .*no such tensor beside",
        ),
        ({"weight": ("BF16", (128,))}, "expected a matrix: two dimensions"),
        ({"weight": ("BF16", (128, 0))}, "expected a matrix: two dimensions"),
        ({"weight": ("BF16", (128, 4, 4))}, "expected a matrix: two dimensions"),
        ({"weight_scale": ("F32", ())}, "expected a weight beside it"),
        (packing.packed_integers(MATRIX), "K is not in the header"),
        (packing.bnb_nf4(MATRIX), "a known N or K"),
        (changed(packing.nvfp4(MATRIX), weight_scale=None), "weight_scale beside it"),
        (changed(packing.bitmask_2_4(MATRIX), bitmask=None), "bitmask beside it"),
        (
            changed(packing.bitmask_2_4(MATRIX), bitmask=("U8", (128, 16))),
            "q.bitmask = .*a bit for each place",
        ),
        (changed(packing.meta_2_4(MATRIX), meta=("I16", (128, 8))), "q.meta = .*two bits for each"),
        (changed(packing.marlin_2_4(MATRIX), meta=("I16", (4, 256))), "q.meta"),
    ],
)
def test_what_does_not_fit_is_named(packed: packing.Tensors, message: str) -> None:
    with pytest.raises(FileContentError, match=message):
        stored_format(tensors(packed), Hint())


def test_a_hint_closes_what_packing_leaves_open() -> None:
    for bits in (2, 4, 8):
        stored = stored_format(tensors(packing.packed_integers(MATRIX, bits)), Hint(k=256))
        assert (stored.n, stored.k, stored.bits) == (128, 256, bits)
    for hint in (Hint(n=128), Hint(k=256), Hint(n=128, k=256)):
        stored = stored_format(tensors(packing.bnb_nf4(MATRIX)), hint)
        assert (stored.n, stored.k) == (128, 256)
    with pytest.raises(FileContentError, match="16384 bytes for 128 x 256"):
        stored_format(tensors(packing.bnb_nf4(replace(MATRIX, in_features=512))), Hint(n=128, k=256))
