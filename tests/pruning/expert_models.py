"""Models of experts that the tests of this folder prune, from their sizes."""

from __future__ import annotations

from infersim.domain.ops import Op
from infersim.domain.shapes import Experts, Phase
from infersim.pruning.plan import Plan
from infersim.workload.ops.model import model_ops
from infersim.workload.scenario import Scenario
from infersim.workload.sizes import expert_layer, grouped_query_attention, latent_attention, swiglu
from infersim.workload.transformer import Block, ExpertLayer, Transformer


def mixtral() -> Transformer:
    """Mixtral-8x7B: 32 layers of 8 experts of 14336, two a token; attention as in Mistral-7B."""
    attention = grouped_query_attention(hidden=4096, num_heads=32, num_kv_heads=8, head_dim=128)
    ffn = expert_layer(hidden=4096, width=14336, num_experts=8, top_k=2)
    return _model("mixtral", 4096, (Block(attention=attention, ffn=ffn),) * 32)


def deepseek() -> Transformer:
    """Like DeepSeek-V2-Lite: latent attention, a dense layer, 64 experts, six a token, and a shared one."""
    attention = latent_attention(
        hidden=2048, num_heads=16, q_lora_rank=None, kv_lora_rank=512,
        qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128,
    )  # fmt: skip
    dense = Block(attention=attention, ffn=swiglu(hidden=2048, width=10944))
    layer = expert_layer(hidden=2048, width=1408, num_experts=64, top_k=6, shared_width=2816)
    return _model("deepseek", 2048, (dense, *(Block(attention=attention, ffn=layer),) * 5))


def _model(name: str, hidden: int, blocks: tuple[Block, ...]) -> Transformer:
    return Transformer(
        name=name, hidden=hidden, vocab=32000, tied_embeddings=False, max_position=32768, blocks=blocks
    )


def experts_of(block: Block) -> ExpertLayer:
    """The layer of experts of a block that has one."""
    assert isinstance(block.ffn, ExpertLayer)
    return block.ffn


def routed(plan: Plan | Transformer, *, phase: Phase = Phase.DECODE, batch: int = 16) -> list[Experts]:
    """Shapes of the routed experts of each distinct block."""
    return [op.shape for op in ops(plan, phase=phase, batch=batch) if isinstance(op.shape, Experts)]


def ops(plan: Plan | Transformer, *, phase: Phase = Phase.DECODE, batch: int = 16) -> list[Op]:
    """Kernels of a step over 1,024 tokens."""
    model = plan.transformer if isinstance(plan, Plan) else plan
    return list(model_ops(model, Scenario(phase=phase, batch=batch, context=1024)))
