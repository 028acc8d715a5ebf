"""Activation functions by the names that configs use."""

from __future__ import annotations

from infersim.domain.errors import UnsupportedError
from infersim.workload.hf.config_keys import Keys
from infersim.workload.sublayers.activations import Activation

NAMES = {
    "silu": Activation.SILU,
    "swish": Activation.SILU,
    "gelu": Activation.GELU,
    "gelu_10": Activation.GELU,
    "gelu_fast": Activation.GELU_BY_PARTS,
    "gelu_new": Activation.GELU_BY_PARTS,
    "gelu_python": Activation.GELU,
    "gelu_pytorch_tanh": Activation.GELU_TANH,
    "quick_gelu": Activation.GELU_TANH,
    "relu": Activation.RELU,
    "relu2": Activation.RELU_SQUARED,
    "xielu": Activation.XIELU,
}


def activation(keys: Keys) -> Activation:
    """The activation that `hidden_act` names; UnsupportedError for one that is not known here.

    Gemma's files name one that counts, `hidden_activation`, beside a stray `hidden_act`.
    """
    key, name = "hidden_activation", keys.config.get("hidden_activation")
    if name is None:
        key, name = keys.spelling("hidden_act"), keys.text("hidden_act")
    if not isinstance(name, str):
        keys.fail(key, name, "a text")
    if name not in NAMES:
        raise UnsupportedError(
            f"{keys.file}: {key} = {name!r} is not supported; supported: {', '.join(sorted(NAMES))}"
        )
    return NAMES[name]
