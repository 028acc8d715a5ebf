"""Defaults that most configuration classes have in common, by our names."""

from __future__ import annotations


def defaults(
    *,
    vocab: int,
    hidden: int,
    width: int | None,
    layers: int,
    heads: int,
    positions: int,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    act: str = "silu",
    tied: bool = False,
    grouped: bool = True,
    **more: object,
) -> dict[str, object]:
    """What a configuration class takes for keys that a file leaves out; `more` by the names of their keys.

    None: `kv_heads` one for each head, `head_dim` hidden / heads, `width` four times hidden. `grouped` False:
    the class has neither of the first two.
    """
    groups: dict[str, object] = {"num_key_value_heads": kv_heads, "head_dim": head_dim} if grouped else {}
    return {
        "vocab_size": vocab,
        "hidden_size": hidden,
        "intermediate_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        **groups,
        "max_position_embeddings": positions,
        "hidden_act": act,
        "tie_word_embeddings": tied,
        **more,
    }


GPT_SPELLINGS = {
    "hidden_size": ("n_embd", "hidden_size"),
    "num_hidden_layers": ("n_layer", "num_hidden_layers"),
    "num_attention_heads": ("n_head", "num_attention_heads"),
    "max_position_embeddings": ("n_positions", "max_position_embeddings"),
    "intermediate_size": ("n_inner", "intermediate_size"),
    "hidden_act": ("activation_function", "hidden_act"),
}
"""Keys as GPT-2's configuration class spells them."""
