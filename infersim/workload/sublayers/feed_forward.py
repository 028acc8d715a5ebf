"""Feed-forward sublayers of two or three matrices, and sublayers that one linear layer replaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from infersim.workload.sublayers.activations import Activation
from infersim.workload.sublayers.linear import Linear
from infersim.workload.sublayers.norms import RMS_NORM, Norm
from infersim.workload.sublayers.sparsity import GroupSkip, TokenSkip


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedForward:
    """Gated feed-forward (SwiGLU and its like: `gate` set), or a plain one of two matrices.

    `norm` and `post_norm` are those of `Attention`; in a parallel block without a `norm` of its own, the
    sublayer reads what attention's norm has written. `groups` are of channels.
    """

    gate: Linear | None
    up: Linear
    down: Linear
    activation: Activation = Activation.SILU
    norm: Norm | None = RMS_NORM
    post_norm: Norm | None = None
    skip: TokenSkip | None = None
    groups: GroupSkip | None = None

    @property
    def width(self) -> int:
        """The intermediate size."""
        return self.up.out_features

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The sublayer's weight matrices."""
        return (self.up, self.down) if self.gate is None else (self.gate, self.up, self.down)

    @property
    def matrices(self) -> Mapping[str, Linear]:
        """The weight matrices by name: `gate` where there is one, `up`, `down`."""
        names = ("up", "down") if self.gate is None else ("gate", "up", "down")
        return dict(zip(names, self.linears, strict=True))

    def with_matrices(self, new: Mapping[str, Linear]) -> FeedForward:
        """The sublayer with its weight matrices, all of them, replaced by name."""
        return replace(self, gate=new.get("gate"), up=new["up"], down=new["down"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacedSublayer:
    """A sublayer replaced by one linear layer hidden -> hidden (as searched architectures do)."""

    linear: Linear
    norm: Norm | None = RMS_NORM
    post_norm: Norm | None = None

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The one weight matrix."""
        return (self.linear,)

    @property
    def matrices(self) -> Mapping[str, Linear]:
        """The one weight matrix, called `linear`."""
        return {"linear": self.linear}

    def with_matrices(self, new: Mapping[str, Linear]) -> ReplacedSublayer:
        """The sublayer with another matrix."""
        return replace(self, linear=new["linear"])
