"""What stands before and after a transformer's blocks: embedding and head."""

from __future__ import annotations

from dataclasses import dataclass

from infersim.workload.sublayers.norms import Norm
from infersim.workload.weight_format import WeightFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """The embedding beside its table `[vocab, hidden]`.

    - `width` (None: the hidden size): that of the table and of the LM head, with a matrix without bias from
      it to the hidden size before the blocks, and one back after them.
    - `positions`: rows of a learned table of positions (0: there is none).
    - `norm`: that of the embedded tokens, before the first block.
    - `scaled`: whether embedded tokens are multiplied by a number.
    """

    width: int | None = None
    positions: int = 0
    norm: Norm | None = None
    scaled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The matrix after the blocks: an LM head, or a classifier's score of `labels` values without table.

    `bias`: whether it has one. `every_token`: whether it reads all tokens and not each sequence's last.
    `kernels` are elementwise ones on the logits (a scale, a soft cap). `format` is what a checkpoint states
    of its weights (None: they are not quantised). `in_features`: its K where that is neither the table's
    width nor the hidden size (slicing that leaves the last layer's output whole).
    """

    labels: int | None = None
    bias: bool = False
    every_token: bool = False
    kernels: int = 0
    format: WeightFormat | None = None
    in_features: int | None = None


def final_width(head: Head | None, hidden: int) -> int:
    """Width of the residual stream behind the last block, of a model of hidden size `hidden`."""
    return hidden if head is None or head.in_features is None else head.in_features


PLAIN_EMBEDDING = Embedding()
LM_HEAD = Head()
