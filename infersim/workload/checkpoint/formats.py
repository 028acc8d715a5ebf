"""Formats of a checkpoint's matrices: what headers say outranks the config, which says what they leave open.

A header shows how values are stored, not what a kernel multiplies them with: whether activations are
quantised is the config's to say, unless the tensors (a scale of the input, blocks of scales) show it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

from infersim.domain.dtypes import DType
from infersim.domain.errors import UnsupportedError
from infersim.domain.shapes import WeightForm
from infersim.workload.checkpoint.stored import HEAD, Storage, Stored, StoredMatrices
from infersim.workload.ends import Head
from infersim.workload.formats import StoredMatrix, named_matrices, stored_text, with_stored_matrices
from infersim.workload.hf.quantisation.method import Formats
from infersim.workload.hf.quantisation.reading import SIXTEEN_BIT, with_formats
from infersim.workload.transformer import Transformer
from infersim.workload.weight_format import (
    WeightFormat,
    block_scaled_fp8,
    eight_bit,
    four_bit_float,
    weight_only,
)

_JOINED = {
    **dict.fromkeys(("q", "k", "v"), "qkv"),
    **dict.fromkeys(("gate", "up"), "gate_up"),
    **dict.fromkeys(("expert_gate", "expert_up"), "expert_gate_up"),
    **dict.fromkeys(("shared_gate", "shared_up"), "shared_gate_up"),
}
"""Matrices that may be stored as one -> the role of that one."""

_ORDER_BYTES = 4.0
"""Of a column's group."""


def as_stored_in_files(
    model: Transformer, stored: StoredMatrices, formats: Formats | None, model_type: str, place: Path
) -> Transformer:
    """The model with the formats of its matrices, and the KV cache's where the config says it.

    `place` is the config, for errors. Raises UnsupportedError where neither headers nor config say what a
    matrix is multiplied in.
    """
    numbers = model.layer_numbers or tuple(range(len(model.blocks)))
    said = model
    if formats is not None:
        said = with_formats(model, formats, model_type, file=place, layers=numbers)
    expected = {
        (number, name): linear
        for number, block in zip(numbers, said.blocks, strict=True)
        for name, linear in named_matrices(block)
    }
    joining = _Joining(place=place)

    def of_matrix(number: int, name: str) -> StoredMatrix:
        factors = stored.get((number, name)) or stored[number, _JOINED[name]]
        linear = expected[number, name]
        found = {joining.format(f"layer {number}: {name}", factor, linear.format) for factor in factors}
        form = factors[0].form if formats is not None and formats.packed else linear.form
        if form is not linear.form:
            joining.differing["dense", "2:4"] += 1
        if len(found) > 1:
            raise UnsupportedError(f"{place.parent}: layer {number}: {name}: factors in different formats")
        return StoredMatrix(format=found.pop(), sparse_2_4=form is WeightForm.SPARSE_2_4)

    made = with_stored_matrices(model, of_matrix, numbers)
    made = replace(
        made,
        head=_head(said.head, stored, joining),
        kv_dtype=said.kv_dtype,
        layer_numbers=model.layer_numbers,
        notes=(*said.notes, *joining.notes()),
    )
    return replace(made, stated=stored_text(made) or _wide(stored))


def _wide(stored: StoredMatrices) -> str:
    """What people are told of 32-bit values: they are no reason to time in 32 bit, unless asked for."""
    # Routers alone are no sign: many are kept wide beside matrices of 16 bit.
    types = {
        factor.dtype for (_, name), factors in stored.items() if name not in SIXTEEN_BIT for factor in factors
    }
    if not types & {"F32", "F64"}:
        return ""
    return "the weight files hold values of 32 bit or more: bf16 is meant unless --dtype says fp32"


def _head(said: Head | None, stored: StoredMatrices, joining: _Joining) -> Head | None:
    """The head in the format of its matrix, which the embedding's table is not."""
    if said is None or HEAD not in stored:
        return said
    formats = {joining.format("the head", factor, said.format) for factor in stored[HEAD]}
    return replace(said, format=formats.pop())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Joining:
    """Joins headers and config, and counts where they differ; `place` is the config."""

    place: Path
    differing: Counter[tuple[str, str]] = field(default_factory=Counter)

    def format(self, name: str, stored: Stored, said: WeightFormat | None) -> WeightFormat | None:
        """The format of one matrix, stored as `stored`, of which the config says `said`."""
        if stored.storage is Storage.FLOAT:
            if said is not None:
                self.differing[stored.dtype, said.name] += 1
            return None
        if said is None or not _agree(stored, said):
            found = self._by_header(name, stored)
            self.differing[found.name, "nothing of it" if said is None else said.name] += 1
            return found
        if _groups(stored.k, stored.group or None) == _groups(stored.k, said.group):
            return said
        self.differing[f"groups of {stored.group or stored.k}", f"groups of {said.group or stored.k}"] += 1
        return replace(said, group=stored.group or None)

    def notes(self) -> tuple[str, ...]:
        """One line for each kind of difference."""
        return tuple(
            f"{found} in {times} {'matrix' if times == 1 else 'matrices'} of the weight files, which count; "
            f"the config says {said}"
            for (found, said), times in self.differing.items()
        )

    def _by_header(self, name: str, stored: Stored) -> WeightFormat:
        found = _BY_HEADER[stored.storage](stored)
        if found is None:
            raise UnsupportedError(
                f"{self.place}: {name} is stored as {stored.storage}, and no quantization_config that fits "
                "says whether activations are quantised too; it is expected beside the weight files"
            )
        return found


def _groups(k: int, group: int | None) -> int:
    """Scales of one row."""
    return 1 if group is None else ceil(k / group)


def _agree(stored: Stored, said: WeightFormat) -> bool:
    """Whether values of the config's format are stored so."""
    name = said.name
    if stored.storage is Storage.EXL2:
        return name == "exl2"
    if stored.storage in (Storage.NVFP4, Storage.MXFP4):
        return name.startswith(stored.storage.value)
    if stored.storage in (Storage.FP8, Storage.FP8_BLOCK):
        return name in (stored.storage.value, "w8a16")
    floats = ("fp8", "nvfp4", "mxfp4", "exl2")
    return stored.bits == said.bits and not name.startswith(floats)


def _weights_alone(stored: Stored) -> WeightFormat:
    """Widened as they are multiplied."""
    found = weight_only(
        f"{stored.storage} by the weight files",
        stored.bits,
        group=stored.group or None,
        scale_bits=stored.scale_bits,
        zero_bits=stored.zero_bits,
    )
    return replace(found, column_bytes=_ORDER_BYTES) if stored.ordered else found


def _fp8(stored: Stored) -> WeightFormat | None:
    if not stored.scaled_inputs:
        return None
    return eight_bit("static, by the weight files", DType.FP8, static=True, per_row=False)


def _fp8_block(stored: Stored) -> WeightFormat:
    rows, group = stored.rows, stored.group
    return block_scaled_fp8(f"blocks of {rows} x {group} by the weight files", rows, group)


def _nvfp4(stored: Stored) -> WeightFormat:
    return four_bit_float("by the weight files", "nvfp4", activations=stored.scaled_inputs)


def _open(_: Stored) -> None:
    """What is stored so is multiplied by kernels with and without quantised activations."""


_BY_HEADER: Mapping[Storage, Callable[[Stored], WeightFormat | None]] = {
    Storage.FP8: _fp8,
    Storage.FP8_BLOCK: _fp8_block,
    Storage.INT8: _open,
    Storage.GPTQ: _weights_alone,
    Storage.AWQ: _weights_alone,
    Storage.EXL2: _weights_alone,
    Storage.PACKED: _open,
    Storage.NVFP4: _nvfp4,
    Storage.MXFP4: _open,
    Storage.BNB_4BIT: _weights_alone,
    Storage.BNB_8BIT: _weights_alone,
}
"""The format by the header alone; None where it leaves open what activations are."""
