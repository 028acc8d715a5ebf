"""A transformer as it is executed: built from its records, with random weights, run pass by pass."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from infersim.domain.dtypes import DType
from infersim.domain.errors import UnsupportedError
from infersim.domain.ops import Part
from infersim.domain.shapes import Phase
from infersim.measuring.devices.torch_tools import compressed
from infersim.measuring.model.execution.attention import AttentionSublayer, Result, attention_sublayer
from infersim.measuring.model.execution.block_attention import BlockAttention, attend_by_rows, flex_attend
from infersim.measuring.model.execution.elementwise import Elementwise, elementwise_of
from infersim.measuring.model.execution.feed_forward import (
    FeedForwardSublayer,
    ReplacedSublayer,
    feed_forward_sublayer,
)
from infersim.measuring.model.execution.matrices import (
    Compress,
    Gemm,
    Pairs,
    cannot_compress,
    single,
)
from infersim.measuring.model.execution.scene import Scene, set_scene
from infersim.measuring.model.execution.stream import Probe, Stream, silent
from infersim.measuring.model.execution.weights import (
    AttentionWeights,
    BlockWeights,
    FeedForwardWeights,
    MatrixWeights,
    OuterWeights,
    ReplacedWeights,
    WeightSource,
)
from infersim.workload.scenario import Execution, Layout
from infersim.workload.transformer import Attention, Block, Transformer

_DTYPES = {
    DType.FP32: torch.float32,
    DType.TF32: torch.float32,
    DType.BF16: torch.bfloat16,
    DType.FP16: torch.float16,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernels:
    """The kernels of a device that PyTorch does not choose by itself."""

    compress: Compress
    block_attention: BlockAttention


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockExecutor:
    """One block: its sublayers, and the maps on the residual stream after each."""

    attention: AttentionSublayer | ReplacedSublayer | None
    ffn: FeedForwardSublayer | ReplacedSublayer | None
    attention_map: Gemm | Pairs | None
    ffn_map: Gemm | Pairs | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelExecutor:
    """A whole model on a device.

    `weights` are the tensors that it was laid out from, for a reference to read, if they were to be kept:
    stacked matrices are copies.
    """

    transformer: Transformer
    layout: Layout
    device: torch.device
    dtype: torch.dtype
    functions: Elementwise
    outer: OuterWeights
    head: Gemm | Pairs
    blocks: tuple[BlockExecutor, ...]
    weights: tuple[BlockWeights, ...]

    def scene(self, phase: Phase, *, batch: int, context: int, seed: int = 0) -> Scene:
        """Inputs for a pass: `context` is the prompt, or in decode all tokens with the current one."""
        return set_scene(
            self.transformer,
            tuple(
                block.attention.gate if isinstance(block.attention, AttentionSublayer) else None
                for block in self.blocks
            ),
            self.functions,
            phase,
            batch=batch,
            context=context,
            device=self.device,
            dtype=self.dtype,
            seed=seed,
        )

    @torch.inference_mode()
    def run(self, scene: Scene, probe: Probe = silent) -> torch.Tensor:
        """One forward pass: the logits `[batch, vocab]` of each sequence's last token."""
        stream = Stream(value=functional.embedding(scene.ids, self.outer.embedding))
        probe("embedding", Part.ELEMENTWISE)
        for index, block in enumerate(self.blocks):
            self._run_attention(block, index, stream, scene, probe)
            self._run_ffn(block, index, stream, scene, probe)
        normed = stream.normed("final_norm", self.outer.final_norm, self.functions, probe)
        last = normed.view(scene.batch, scene.tokens, -1)[:, -1]
        return self.head(last, probe)[0]

    def _run_attention(
        self, block: BlockExecutor, index: int, stream: Stream, scene: Scene, probe: Probe
    ) -> None:
        result = None
        if isinstance(block.attention, ReplacedSublayer):
            result = block.attention(stream, probe)
        elif block.attention is not None:
            state = scene.attention[index]
            if state is None:
                raise AssertionError("a scene has a state for every attention")
            result = block.attention(stream, state, scene, probe)
        self._leave("attn", result, block.attention_map, stream, probe)

    def _run_ffn(self, block: BlockExecutor, index: int, stream: Stream, scene: Scene, probe: Probe) -> None:
        result = None
        if isinstance(block.ffn, ReplacedSublayer):
            result = block.ffn(stream, probe)
        elif block.ffn is not None:
            result = block.ffn(stream, scene.decisions[index].ffn, probe)
        self._leave("ffn", result, block.ffn_map, stream, probe)

    def _leave(
        self,
        prefix: str,
        result: Result | None,
        residual_map: Gemm | Pairs | None,
        stream: Stream,
        probe: Probe,
    ) -> None:
        """Map the stream where there is a map, and add the sublayer's result to it."""
        if residual_map is not None:
            stream.settle(f"{prefix}_residual", probe)
            stream.value = residual_map(stream.value, probe)[0]
        if result is None or result.delta is None:
            return
        if result.rows is not None:
            stream.scatter(f"{prefix}_scatter", result.rows, result.delta, probe)
        elif self.layout is Layout.SEPARATE:
            stream.add(f"{prefix}_residual", result.delta, probe)
        else:
            stream.pending = result.delta


def kernels_of(device: torch.device) -> Kernels:
    """What there is on a GPU, or on a CPU."""
    if device.type == "cuda":
        return Kernels(compress=compressed, block_attention=flex_attend)
    return Kernels(compress=cannot_compress, block_attention=attend_by_rows)


def torch_dtype(execution: Execution) -> torch.dtype:
    """The type of weights and activations; UnsupportedError for those that no plain PyTorch model runs in."""
    precision = execution.precision
    if precision.dequantises or precision.math not in _DTYPES:
        known = ", ".join(dtype.value for dtype in _DTYPES)
        raise UnsupportedError(f"models are measured in {known}; {precision.name} is predicted only")
    if execution.kv_dtype not in (None, precision.math):
        raise UnsupportedError("a KV cache in another type than the attention's is predicted only")
    return _DTYPES[precision.math]


def build(
    transformer: Transformer,
    execution: Execution,
    device: torch.device,
    *,
    seed: int = 0,
    dtype: torch.dtype | None = None,
    kernels: Kernels | None = None,
    keep_weights: bool = False,
) -> ModelExecutor:
    """Build a model with random weights, block by block, so that no more than one is there twice.

    `dtype` and `kernels` are those of the execution and the device unless given. Raises UnsupportedError for
    what cannot be run on the device.
    """
    dtype = torch_dtype(execution) if dtype is None else dtype
    kernels = kernels_of(device) if kernels is None else kernels
    source = WeightSource(device, dtype, seed)
    functions = elementwise_of(execution.layout, device, dtype)
    outer = source.outer(transformer)
    blocks, kept = [], []
    for block in transformer.blocks:
        weights = source.block(block, transformer.hidden)
        blocks.append(_block(block, weights, execution.layout, functions, kernels))
        if keep_weights:
            kept.append(weights)
    return ModelExecutor(
        transformer=transformer,
        layout=execution.layout,
        device=device,
        dtype=dtype,
        functions=functions,
        outer=outer,
        head=single("lm_head", Part.LM_HEAD, outer.head, kernels.compress),
        blocks=tuple(blocks),
        weights=tuple(kept),
    )


def _block(
    block: Block, weights: BlockWeights, layout: Layout, functions: Elementwise, kernels: Kernels
) -> BlockExecutor:
    compress = kernels.compress
    attention: AttentionSublayer | ReplacedSublayer | None = None
    ffn: FeedForwardSublayer | ReplacedSublayer | None = None
    if isinstance(weights.attention, AttentionWeights) and isinstance(block.attention, Attention):
        attention = attention_sublayer(
            block.attention,
            weights.attention,
            layout=layout,
            functions=functions,
            compress=compress,
            block_attention=kernels.block_attention,
        )
    elif isinstance(weights.attention, ReplacedWeights):
        attention = _replaced(
            "attn_norm", "attention_linear", Part.QKVO, weights.attention, functions, compress
        )
    if isinstance(weights.ffn, FeedForwardWeights):
        ffn = feed_forward_sublayer(weights.ffn, layout=layout, functions=functions, compress=compress)
    elif isinstance(weights.ffn, ReplacedWeights):
        ffn = _replaced("ffn_norm", "ffn_linear", Part.FFN, weights.ffn, functions, compress)
    return BlockExecutor(
        attention=attention,
        ffn=ffn,
        attention_map=_map("attn", weights.attention_map, compress),
        ffn_map=_map("ffn", weights.ffn_map, compress),
    )


def _replaced(
    norm_name: str,
    name: str,
    part: Part,
    weights: ReplacedWeights,
    functions: Elementwise,
    compress: Compress,
) -> ReplacedSublayer:
    return ReplacedSublayer(
        norm_name=norm_name,
        norm=weights.norm,
        functions=functions,
        linear=single(name, part, weights.linear, compress),
    )


def _map(prefix: str, weights: MatrixWeights | None, compress: Compress) -> Gemm | Pairs | None:
    return None if weights is None else single(f"{prefix}_residual_map", Part.EXTRA, weights, compress)
