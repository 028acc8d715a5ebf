"""Models of experts and latent attention for tests, from published sizes, and look-ups."""

from __future__ import annotations

from dataclasses import replace

from infersim.domain.arrays import as_array
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import Collective, Phase
from infersim.workload.ops.model import model_ops
from infersim.workload.parallel.shares import gpu_share
from infersim.workload.scenario import Execution, Scenario
from infersim.workload.sizes import grouped_query_attention, swiglu
from infersim.workload.transformer import (
    Attention,
    Block,
    ExpertLayer,
    FeedForward,
    LatentAttention,
    Linear,
    Transformer,
)
from infersim.workload.weight_format import WeightFormat


def on(gpus: int, *, expert_parallel: bool = False) -> Execution:
    """bf16 on so many GPUs."""
    return Execution(gpus=gpus, expert_parallel=expert_parallel)


def ops_on(
    model: Transformer,
    gpus: int,
    phase: Phase = Phase.DECODE,
    batch: int = 1,
    context: int = 1024,
    *,
    expert_parallel: bool = False,
) -> tuple[Op, ...]:
    """What one of so many GPUs runs."""
    execution = on(gpus, expert_parallel=expert_parallel)
    scenario = Scenario(phase=phase, batch=batch, context=context, execution=execution)
    return model_ops(gpu_share(model, execution), scenario)


def exchanged(ops: tuple[Op, ...]) -> dict[str, tuple[float, float]]:
    """Bytes of one message and how many there are, of each exchange by its name."""
    return {
        op.name: (float(as_array(op.shape.message_bytes)), float(as_array(op.count)))
        for op in ops
        if op.part is Part.COMMUNICATION and isinstance(op.shape, Collective)
    }


def expert_layer(
    *,
    hidden: int,
    width: int,
    experts: int,
    top_k: int,
    shared: int = 0,
    stored: WeightFormat | None = None,
) -> ExpertLayer:
    """Gated experts without biases; `shared` is the joint width of shared ones."""
    expert = swiglu(hidden=hidden, width=width)
    if stored is not None:
        expert = expert.with_matrices(
            {name: replace(linear, format=stored) for name, linear in expert.matrices.items()}
        )
    return ExpertLayer(
        router=Linear(out_features=experts, in_features=hidden, sixteen_bit=True),
        num_experts=experts,
        top_k=top_k,
        expert=expert,
        shared=swiglu(hidden=hidden, width=shared) if shared else None,
    )


def of_blocks(
    name: str,
    hidden: int,
    vocab: int,
    layers: int,
    attention: Attention | LatentAttention,
    ffn: FeedForward | ExpertLayer,
) -> Transformer:
    """Equal blocks."""
    return Transformer(
        name=name,
        hidden=hidden,
        vocab=vocab,
        tied_embeddings=False,
        max_position=131072,
        blocks=(Block(attention=attention, ffn=ffn),) * layers,
    )


def mixtral() -> Transformer:
    """Mixtral-8x7B: 32 layers of hidden size 4096, 8 experts of 14336, two of them a token."""
    return of_blocks(
        "mixtral",
        4096,
        32000,
        32,
        grouped_query_attention(hidden=4096, num_heads=32, num_kv_heads=8, head_dim=128),
        expert_layer(hidden=4096, width=14336, experts=8, top_k=2),
    )


def qwen3_30b() -> Transformer:
    """Qwen3-30B-A3B without norms of q and k: 48 layers, 4 KV heads, 128 experts of 768, eight a token."""
    return of_blocks(
        "qwen3-30b",
        2048,
        151936,
        48,
        grouped_query_attention(hidden=2048, num_heads=32, num_kv_heads=4, head_dim=128),
        expert_layer(hidden=2048, width=768, experts=128, top_k=8),
    )


def deepseek_layer() -> Transformer:
    """One expert layer of DeepSeek-V3 under latent attention of 128 heads, one shared expert."""
    attention = LatentAttention(
        q_a=Linear(out_features=1536, in_features=7168),
        q_b=Linear(out_features=128 * 192, in_features=1536),
        kv_a=Linear(out_features=576, in_features=7168),
        kv_b=Linear(out_features=128 * 256, in_features=512),
        o=Linear(out_features=7168, in_features=128 * 128),
        num_heads=128,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
        kv_lora_rank=512,
    )
    ffn = expert_layer(hidden=7168, width=2048, experts=256, top_k=8, shared=2048)
    return of_blocks("deepseek", 7168, 129280, 1, attention, ffn)
