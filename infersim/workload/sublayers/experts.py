"""A layer of experts in the place of a feed-forward sublayer: a router sends each token to some of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from infersim.domain.errors import InvalidValueError
from infersim.workload.sublayers.feed_forward import FeedForward
from infersim.workload.sublayers.linear import Linear
from infersim.workload.sublayers.norms import RMS_NORM, Norm
from infersim.workload.sublayers.sparsity import TokenSkip

_OF_EXPERT, _OF_SHARED = "expert_", "shared_"
"""Begin the names of matrices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertLayer:
    """`num_experts` experts of one shape, of which each token runs `top_k`, and what all tokens run.

    `router` scores all experts and stays in 16 bit unless a checkpoint states otherwise. `expert` is one of
    them, without norms or a skip of its own. `shared` is what every token runs beside them, all shared
    experts as one of their joint width; with `shared_gate` its result is multiplied by the sigmoid of one
    score. `correction`: the choice of experts adds a learned value for each of them that counts as a
    parameter. `norm`, `post_norm` and `skip` are those of `FeedForward`. `local` (None: all): how many of the
    experts stand on this GPU, where several have whole experts. `popularity` is the exponent of Zipf's law by
    which tokens of one service choose experts (0: each alike).
    """

    router: Linear
    num_experts: int
    top_k: int
    expert: FeedForward
    shared: FeedForward | None = None
    shared_gate: bool = False
    correction: bool = False
    norm: Norm | None = RMS_NORM
    post_norm: Norm | None = None
    skip: TokenSkip | None = None
    local: int | None = None
    popularity: float = 0.0

    def __post_init__(self) -> None:
        """Raise InvalidValueError for counts that do not go together."""
        if self.num_experts < 1 or self.router.out_features != self.num_experts:
            expected = f"the router's {self.router.out_features} outputs"
            raise InvalidValueError("num_experts", self.num_experts, expected)
        if not 1 <= self.top_k <= self.num_experts:
            expected = f"1 to {self.num_experts}, the experts of the layer"
            raise InvalidValueError("top_k", self.top_k, expected)

    @property
    def local_experts(self) -> int:
        """The experts that stand on this GPU."""
        return self.num_experts if self.local is None else self.local

    @property
    def width(self) -> int:
        """The intermediate size of one expert."""
        return self.expert.width

    @property
    def matrices(self) -> Mapping[str, Linear]:
        """The weight matrices by name: `router`, `expert_up`, `shared_up`...; one expert's stand for all."""
        shared = {} if self.shared is None else self.shared.matrices
        return {
            "router": self.router,
            **{_OF_EXPERT + name: linear for name, linear in self.expert.matrices.items()},
            **{_OF_SHARED + name: linear for name, linear in shared.items()},
        }

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The weight matrices, one expert's for all of them; the gate of the shared one is none of them."""
        return tuple(self.matrices.values())

    def weights(self) -> Iterator[tuple[Linear, int]]:
        """Each of `linears` with how many matrices like it are stored."""
        yield from self._times(self.local_experts)

    def active(self) -> Iterator[tuple[Linear, int]]:
        """Each of `linears` with how many matrices like it a token passes through."""
        yield from self._times(self.top_k)

    def with_matrices(self, new: Mapping[str, Linear]) -> ExpertLayer:
        """The layer with its weight matrices, all of them, replaced by name."""

        def part(ffn: FeedForward, prefix: str) -> FeedForward:
            return ffn.with_matrices({name: new[prefix + name] for name in ffn.matrices})

        return replace(
            self,
            router=new["router"],
            expert=part(self.expert, _OF_EXPERT),
            shared=None if self.shared is None else part(self.shared, _OF_SHARED),
        )

    def _times(self, experts: int) -> Iterator[tuple[Linear, int]]:
        for name, linear in self.matrices.items():
            yield linear, experts if name.startswith(_OF_EXPERT) else 1
