"""The tensors of experts by name: each expert's own, or one tensor for all experts of a layer.

Either way they become the tensors of one expert and a number of experts: those of a layer are alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.checkpoint.header import Tensor

_EXPERT = re.compile(
    r"(?:(?:mlp|block_sparse_moe|feed_forward|ffn)\.experts\.(?:(?P<number>\d{1,5})\.)?|block_sparse_moe\.(?=\w+put_))"
    r"(?P<part>gate_up_proj|gate_proj|up_proj|down_proj|w1|w2|w3|input_linear|output_linear)"
    r"(?:[._](?P<leaf>.+))?"
)

_ROLES = {
    "gate_proj": "expert_gate", "w1": "expert_gate",
    "up_proj": "expert_up", "w3": "expert_up",
    "down_proj": "expert_down", "w2": "expert_down", "output_linear": "expert_down",
    "gate_up_proj": "expert_gate_up", "input_linear": "expert_gate_up",
}  # fmt: skip

_FUSED_LEAVES = {"blocks": "weight", "scales": "weight_scale"}
"""Leaves of one tensor for all experts in 4-bit blocks -> those of a matrix of two values a byte."""

TRANSPOSED_EXPERTS = {"gpt_oss", "llama4_text", "qwen3_vl_moe_text"}
"""Types whose files hold one tensor for all experts as `[expert, in, out]`."""

ALL = -1
"""In the place of an expert's number: the tensor is that of all experts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertTensors:
    """The tensors of a layer's experts, by role and number, and by leaf."""

    modules: dict[tuple[str, int], dict[str, Tensor]] = field(default_factory=dict)

    def add(self, name: str, tensor: Tensor) -> bool:
        """Take the tensor called `name` inside its layer if it is one of an expert."""
        found = _EXPERT.fullmatch(name)
        if found is None:
            return False
        number = ALL if found["number"] is None else int(found["number"])
        leaf = found["leaf"] or "weight"
        if number == ALL:
            leaf = _FUSED_LEAVES.get(leaf, leaf)
        module = self.modules.setdefault((_ROLES[found["part"]], number), {})
        if leaf in module:
            raise FileContentError(tensor.file, tensor.name, "there twice", f"not {module[leaf].name} too")
        module[leaf] = tensor
        return True

    def of_one(self) -> tuple[dict[str, dict[str, Tensor]], int]:
        """The modules of one expert by role, and how many experts there are.

        Raises FileContentError where their counts differ from matrix to matrix, and UnsupportedError for
        experts of one layer that are not alike.
        """
        roles = dict.fromkeys(role for role, _ in self.modules)
        found = {role: self._alike(role) for role in roles}
        counts = {count for _, count in found.values()}
        if len(counts) > 1:
            some = next(iter(next(iter(self.modules.values())).values()))
            told = ", ".join(f"{role} {count}" for role, (_, count) in found.items())
            raise FileContentError(some.file, some.name, told, "as many experts in each matrix of a layer")
        return {role: module for role, (module, _) in found.items()}, max(counts, default=0)

    def _alike(self, role: str) -> tuple[dict[str, Tensor], int]:
        modules = {number: module for (each, number), module in self.modules.items() if each == role}
        if ALL in modules:
            return _first_of_all(modules[ALL])
        first = modules[min(modules)]
        wanted = _signature(first)
        for module in modules.values():
            if _signature(module) != wanted:
                other = next(iter(module.values()))
                raise UnsupportedError(
                    f"{other.file}: {other.name}: {_told(module)}, and {_told(first)} of another expert: "
                    "experts of one layer with several sizes or formats are not supported"
                )
        return first, len(modules)


def _signature(module: Mapping[str, Tensor]) -> frozenset[tuple[str, str, tuple[int, ...]]]:
    return frozenset((leaf, tensor.dtype, tensor.shape) for leaf, tensor in module.items())


def _told(module: Mapping[str, Tensor]) -> str:
    return " and ".join(f"{leaf} {tensor.dtype} {list(tensor.shape)}" for leaf, tensor in module.items())


def _first_of_all(module: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], int]:
    """One expert's part of tensors whose first dimension is the expert; blocks of a row are joined."""
    counts = {tensor.shape[0] for tensor in module.values() if len(tensor.shape) > 1}
    some = next(iter(module.values()))
    if len(counts) != 1 or not all(counts):
        raise some.fail("a first dimension of the layer's experts, the same in all tensors of a matrix")
    parts = {}
    for leaf, tensor in module.items():
        _, *shape = tensor.shape
        if len(shape) == 3:
            shape = [shape[0], shape[1] * shape[2]]
        parts[leaf] = replace(tensor, shape=tuple(shape))
    return parts, counts.pop()
