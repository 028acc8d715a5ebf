"""Which layers of a model type have experts, and the sublayers that its config describes."""

from __future__ import annotations

from collections.abc import Callable

from infersim.domain.errors import InvalidValueError
from infersim.workload.hf.architecture import ExpertsOf, LayersWithExperts
from infersim.workload.hf.config_keys import MAX_EXPERTS, Keys
from infersim.workload.sizes import expert_layer
from infersim.workload.sublayers.activations import Activation
from infersim.workload.sublayers.norms import Norm
from infersim.workload.transformer import ExpertLayer


def after_dense_ones(keys: Keys) -> list[bool]:
    """DeepSeek: the first `first_k_dense_replace` layers are dense."""
    dense = keys.count("first_k_dense_replace")
    return [layer >= dense for layer in range(keys.whole("num_hidden_layers"))]


def every_nth(keys: Keys) -> list[bool]:
    """Qwen: every `decoder_sparse_step`-th layer that is not among `mlp_only_layers`."""
    layers, step = keys.whole("num_hidden_layers"), keys.whole("decoder_sparse_step")
    dense = _numbers(keys, "mlp_only_layers") or []
    return [layer not in dense and (layer + 1) % step == 0 for layer in range(layers)]


def between(keys: Keys) -> list[bool]:
    """ERNIE: every `moe_layer_interval`-th layer from `moe_layer_start_index` to `moe_layer_end_index`."""
    layers, step = keys.whole("num_hidden_layers"), keys.whole("moe_layer_interval")
    first, last = keys.count("moe_layer_start_index"), keys.value("moe_layer_end_index")
    end = layers - 1 if last in (-1, None) else keys.count("moe_layer_end_index")
    return [first <= layer <= end and (layer + 1) % step == 0 for layer in range(layers)]


def listed_or_interleaved(keys: Keys) -> list[bool]:
    """Llama 4: the layers of `moe_layers`, else every `interleave_moe_layer_step`-th."""
    layers, listed = keys.whole("num_hidden_layers"), _numbers(keys, "moe_layers")
    if listed is not None:
        return [layer in listed for layer in range(layers)]
    step = keys.whole("interleave_moe_layer_step")
    return [(layer + 1) % step == 0 for layer in range(layers)]


def named_by_kind(unless_listed: LayersWithExperts) -> LayersWithExperts:
    """`mlp_layer_types` says dense or sparse, layer by layer."""

    def layers(keys: Keys) -> list[bool]:
        kinds = keys.layer_list("mlp_layer_types")
        if kinds is None:
            return unless_listed(keys)
        if not {"dense", "sparse"}.issuperset(map(str, kinds)):
            keys.fail("mlp_layer_types", kinds, "dense or sparse for each layer")
        return [kind == "sparse" for kind in kinds]

    return layers


def all_but_the_first(keys: Keys) -> list[bool]:
    """The first layer is dense."""
    return [layer > 0 for layer in range(keys.whole("num_hidden_layers"))]


def _numbers(keys: Keys, name: str) -> list[int] | None:
    """A list of layers by number, each of which the model has."""
    value = keys.value(name)
    if value is None:
        return None
    layers = keys.whole("num_hidden_layers")
    fine = isinstance(value, list) and all(type(each) is int and 0 <= each < layers for each in value)
    if not fine or not isinstance(value, list):
        keys.fail(keys.spelling(name), value, f"a list of layers' numbers, from 0 to {layers - 1}")
    return value


def alike(keys: Keys, name: str) -> int:
    """A positive integer, which some files repeat for each layer."""
    value = keys.value(name)
    if isinstance(value, list) and value and all(each == value[0] for each in value):
        keys.layer_list(name)
        return keys.checked_whole(keys.spelling(name), value[0], high=MAX_EXPERTS)
    return keys.whole(name)


def shared_by_count(name: str) -> Callable[[Keys], int]:
    """Shared experts, so many as the key says, each as wide as a routed one."""
    return lambda keys: keys.count(name) * keys.whole("moe_intermediate_size")


def shared_by_width(name: str) -> Callable[[Keys], int]:
    """Shared experts of a joint width of their own; 0: there are none."""
    return lambda keys: keys.count(name)


def expert_sublayer(
    experts: ExpertsOf,
    keys: Keys,
    *,
    bias: bool,
    shared_bias: bool,
    gate: bool,
    activation: Activation,
    norm: Norm | None,
    post_norm: Norm | None,
) -> ExpertLayer:
    """The layer of experts that a config describes; FileContentError for counts that cannot be."""
    try:
        return expert_layer(
            hidden=keys.whole("hidden_size"),
            width=keys.whole(experts.width),
            num_experts=alike(keys, "num_experts"),
            top_k=alike(keys, "num_experts_per_tok"),
            gate=gate,
            bias=bias,
            router_bias=experts.router_bias,
            correction=experts.correction,
            activation=activation,
            shared_width=0 if experts.shared is None else experts.shared(keys),
            shared_gate=experts.shared_gate,
            popularity=experts.popularity,
            shared_bias=shared_bias,
            norm=norm,
            post_norm=post_norm,
        )
    except InvalidValueError as error:
        key = keys.spelling("num_experts_per_tok")
        keys.fail(key, keys.value("num_experts_per_tok"), error.expected)
