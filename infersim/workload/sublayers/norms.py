"""Norms of a transformer: kind, parameters, and where q and k are normed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NormKind(StrEnum):
    """RMSNorm divides by the root of the mean square; LayerNorm subtracts the mean first."""

    RMS = "RMSNorm"
    LAYER = "LayerNorm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm:
    """One norm. `scale` and `bias`: whether it multiplies by, and adds, a learned value for each channel."""

    kind: NormKind = NormKind.RMS
    scale: bool = True
    bias: bool = False

    def values(self, width: int) -> int:
        """Parameters of the norm over `width` channels."""
        return width * (self.scale + self.bias)


RMS_NORM = Norm()
LAYER_NORM = Norm(kind=NormKind.LAYER, bias=True)
LAYER_NORM_WITHOUT_BIAS = Norm(kind=NormKind.LAYER)


@dataclass(frozen=True, slots=True, kw_only=True)
class QkNorm:
    """Norms of q and k before attention.

    All heads share parameters of the head size, unless `every_feature`: then each feature of all heads has
    its own (one norm over the whole width, or a norm for each head).
    """

    norm: Norm = RMS_NORM
    every_feature: bool = False

    @property
    def over_all_heads(self) -> bool:
        """Whether one norm sees the whole width; layer norms of each feature are of each head (Cohere)."""
        return self.every_feature and self.norm.kind is NormKind.RMS

    def values(self, *, query: int, key: int, head_dim: int) -> int:
        """Parameters, for `query` and `key` features of all heads together."""
        width = query + key if self.every_feature else 2 * head_dim
        return self.norm.values(width)
