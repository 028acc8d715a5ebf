"""The tensors of one layer, and what is asked of them: matrices that fit, norms, roles that must be there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.checkpoint.header import Tensor
from infersim.workload.checkpoint.matrices import Matrix, matrix_of
from infersim.workload.checkpoint.names import Module
from infersim.workload.checkpoint.norms import norm_of
from infersim.workload.checkpoint.stored import Hint, Stored
from infersim.workload.sublayers.norms import Norm


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer's modules by role; those of an expert stand for all of its `experts`.

    The other fields are those of the reader of its checkpoint.
    """

    number: int
    roles: Mapping[str, Module]
    experts: int
    hidden: int
    stored_norms: bool
    transposed_experts: bool
    stored: dict[tuple[int, str], tuple[Stored, ...]]

    @property
    def tensor(self) -> Tensor:
        """One of its tensors, whose file errors name."""
        return next(iter(next(iter(self.roles.values())).values()))

    def first_of(self, roles: tuple[str, ...]) -> Tensor:
        """A tensor of the first role that is there."""
        role = next(role for role in roles if role in self.roles)
        return next(iter(self.roles[role].values()))

    def matrix(self, role: str, hint: Hint) -> Matrix:
        """A matrix whose N or K is the residual stream's where the hint says so."""
        found = matrix_of(self.roles[role], hint)
        linear = found.linear
        for name, size, wanted in (("N", linear.out_features, hint.n), ("K", linear.in_features, hint.k)):
            if wanted not in (None, size):
                raise found.tensor.fail(f"{name} = {wanted}, as what stands beside it; it is {size}")
        self.stored[self.number, role] = found.stored
        return found

    def split(self, fused: Matrix, n: int) -> Matrix:
        """The part of `n` outputs of a matrix that several were joined into."""
        if fused.linear.rank is not None:
            raise UnsupportedError(
                f"{fused.tensor.file}: {fused.tensor.name}: a joined matrix in two factors is not supported; "
                "supported: factors of each matrix"
            )
        return replace(fused, linear=replace(fused.linear, out_features=n))

    def norm(self, role: str, stated: Norm | None) -> Norm | None:
        """The norm of a role, with the parameters that it has."""
        return norm_of(
            self.roles.get(role), stated, self.hidden, stored=self.stored_norms,
            missing=lambda: self.error(role, "there, as in other layers"),
        )  # fmt: skip

    def sinks(self, heads: int, *, expected: bool) -> bool:
        """Whether each head has a score of its own, as the config's model type says."""
        found = self.roles.get("sinks", {}).values()
        if bool(found) is not expected or any(tensor.shape != (heads,) for tensor in found):
            raise self.error("sinks", f"a value for each of {heads} heads" if expected else "none")
        return expected

    def all_of(self, roles: tuple[str, ...]) -> None:
        """Raise where one of the roles is missing."""
        missing = [role for role in roles if role not in self.roles]
        if missing:
            here = ", ".join(role for role in roles if role in self.roles) or "none of them"
            raise self.error(f"{', '.join(missing)} missing", f"{', '.join(roles)}; there is {here}")

    def none_of(self, instead: str, roles: tuple[str, ...]) -> None:
        """Raise where one of the roles is there beside what takes its place."""
        for role in roles:
            if role in self.roles:
                raise next(iter(self.roles[role].values())).fail(f"no such tensor beside {instead}")

    def error(self, what: str, expected: str) -> FileContentError:
        """An error about the layer."""
        return FileContentError(self.tensor.file, f"layer {self.number}", what, expected)
