"""Models of experts and latent attention for tests, from published sizes, and look-ups."""

from __future__ import annotations

from infersim.domain.arrays import as_array
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import Collective, Phase
from infersim.workload.ops.model import model_ops
from infersim.workload.parallel.shares import gpu_share
from infersim.workload.scenario import Execution, Scenario
from infersim.workload.sizes import expert_layer, grouped_query_attention, latent_attention
from infersim.workload.transformer import (
    Attention,
    Block,
    ExpertLayer,
    FeedForward,
    LatentAttention,
    Transformer,
)


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


def qwen3_30b() -> Transformer:
    """Qwen3-30B-A3B without norms of q and k: 48 layers, 4 KV heads, 128 experts of 768, eight a token."""
    return of_blocks(
        "qwen3-30b",
        2048,
        151936,
        48,
        grouped_query_attention(hidden=2048, num_heads=32, num_kv_heads=4, head_dim=128),
        expert_layer(hidden=2048, width=768, num_experts=128, top_k=8),
    )


def deepseek_layer() -> Transformer:
    """One expert layer of DeepSeek-V3 under latent attention of 128 heads, one shared expert."""
    attention = latent_attention(
        hidden=7168, num_heads=128, q_lora_rank=1536, kv_lora_rank=512,
        qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128,
    )  # fmt: skip
    ffn = expert_layer(hidden=7168, width=2048, num_experts=256, top_k=8, shared_width=2048)
    return of_blocks("deepseek", 7168, 129280, 1, attention, ffn)
