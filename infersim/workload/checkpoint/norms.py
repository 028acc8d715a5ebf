"""Norms by their tensors: which parameters they have, and whether they fit what they norm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from infersim.domain.errors import FileContentError
from infersim.workload.checkpoint.header import Tensor
from infersim.workload.checkpoint.names import Module
from infersim.workload.sublayers.norms import Norm, NormKind, QkNorm
from infersim.workload.transformer import Linear


def norm_of(
    module: Module | None,
    stated: Norm | None,
    width: int,
    *,
    stored: bool,
    missing: Callable[[], FileContentError],
) -> Norm | None:
    """The norm that the config's model type has here, with the parameters that its tensors say.

    Where no norm of the checkpoint has any (`stored` False), they were folded into the matrices beside them,
    as slicing does, which leaves an RMSNorm of any norm.
    """
    if module is None:
        if stated is None or not (stated.scale or stated.bias):
            return stated
        if stored:
            raise missing()
        return Norm(kind=NormKind.RMS, scale=False)
    some = next(iter(module.values()))
    if stated is None:
        raise some.fail("no norm here, by the config's model type")
    for leaf, tensor in module.items():
        if leaf not in ("weight", "bias") or tensor.shape != (width,):
            raise tensor.fail(f"a weight or a bias of [{width}]")
    return replace(stated, scale="weight" in module, bias="bias" in module)


def qk_norm_of(
    roles: Mapping[str, Module], stated: QkNorm | None, q: Linear, k: Linear, head_dim: int, place: Tensor
) -> QkNorm | None:
    """The norms of q and k, which must be there where the config says so, and fit.

    Norms without parameters leave no tensors.
    """
    if stated is not None and not (stated.norm.scale or stated.norm.bias):
        return stated
    for role, width in (("q_norm", q.out_features), ("k_norm", k.out_features)):
        module = roles.get(role)
        if (module is None) != (stated is None):
            if module is not None:
                raise next(iter(module.values())).fail("no norm of q or k, by the config's model type")
            raise place.fail(f"{role} beside it, by the config's model type")
        if module is None or stated is None:
            continue
        wanted = width if stated.every_feature else head_dim
        weights = [tensor for leaf, tensor in module.items() if leaf.split(".")[-1] == "weight"]
        if sum(tensor.values for tensor in weights) != wanted:
            raise next(iter(module.values())).fail(f"{wanted} values")
    return stated
