"""Which head a model has, by the name of its class."""

from __future__ import annotations

from collections.abc import Mapping

from infersim.domain.errors import FileContentError
from infersim.workload.ends import LM_HEAD, Head

LM, NONE, SEQUENCE, TOKENS, SPANS = "LM head", "no head", "score head", "token scores", "span scores"

HEADS = {
    "ForCausalLM": LM,
    "LMHeadModel": LM,
    "ForConditionalGeneration": LM,
    "ForSequenceClassification": SEQUENCE,
    "ForTokenClassification": TOKENS,
    "ForQuestionAnswering": SPANS,
    "Model": NONE,
}
"""What the name of a model class ends with -> its head."""

_LABELS_UNLESS_STATED = 2
_MAX_LABELS = 2**20


def head_of(kind: str, lm_head: Head, config: Mapping[str, object], file: object) -> Head | None:
    """The head of a class of `kind`; `lm_head` is the model type's LM head.

    A sequence classifier scores each sequence's last token, without a bias, as many labels as the config
    names (2 unless it does). Others score every token, with a bias.
    """
    if kind == LM:
        return lm_head
    if kind == NONE:
        return None
    if kind == SPANS:
        return Head(labels=2, bias=True, every_token=True)
    tokens = kind == TOKENS
    return Head(labels=_labels(config, file), bias=tokens, every_token=tokens)


def plain_lm_head(bias: bool, kernels: int) -> Head:
    """An LM head; the one without anything special is one object everywhere."""
    return LM_HEAD if not bias and not kernels else Head(bias=bias, kernels=kernels)


def _labels(config: Mapping[str, object], file: object) -> int:
    names, number = config.get("id2label"), config.get("num_labels")
    if isinstance(names, Mapping) and names:
        return len(names)
    if number is None:
        return _LABELS_UNLESS_STATED
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= _MAX_LABELS:
        raise FileContentError(file, "num_labels", number, f"an integer from 1 to {_MAX_LABELS}")
    return number
