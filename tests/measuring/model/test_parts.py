"""The parts of executors: 2:4 masks, budgets of blocks, decisions of routers, kernels of the GPU's path."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch

from infersim.domain.dtypes import precision_named
from infersim.domain.errors import UnsupportedError
from infersim.domain.shapes import Phase
from infersim.measuring.devices.torch_tools import compiled, compressed
from infersim.measuring.model.execution.block_attention import attend_by_rows, flex_attend, flex_options
from infersim.measuring.model.execution.block_choice import choose_causal, pooled, row_budgets
from infersim.measuring.model.execution.decisions import decide
from infersim.measuring.model.execution.executor import build, torch_dtype
from infersim.measuring.model.execution.weights import two_of_four
from infersim.measuring.model.measurable import check_measurable
from infersim.pruning.composition import prune
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.scenario import Execution
from infersim.workload.sublayers.norms import QkNorm
from infersim.workload.transformer import Transformer
from tests.measuring.model.examples import MODELS, changed, dense

CPU = torch.device("cpu")


def test_two_of_four_keeps_the_larger_two() -> None:
    weight = torch.tensor([[1.0, -4.0, 3.0, 2.0, -0.5, 0.1, 0.2, 0.4]])
    expected = torch.tensor([[0.0, -4.0, 3.0, 0.0, -0.5, 0.0, 0.0, 0.4]])
    assert torch.equal(two_of_four(weight), expected)


@settings(deadline=None)
@given(blocks=st.integers(1, 60), kept=st.floats(0.01, 1.0))
def test_row_budgets_keep_the_share_of_causal_blocks(blocks: int, kept: float) -> None:
    budgets = row_budgets(blocks, kept)
    assert all(1 <= budget <= row + 1 for row, budget in enumerate(budgets))
    causal = blocks * (blocks + 1) / 2
    # One for each row is the least; all else is within a rounding of the share.
    assert sum(budgets) == pytest.approx(max(kept * causal, blocks), abs=max(1, blocks - kept * causal))
    if kept * causal >= 2 * blocks:
        assert abs(sum(budgets) - kept * causal) <= 1 + blocks / 4


@settings(deadline=None)
@given(rate=st.floats(0, 0.99), batch=st.integers(1, 5), tokens=st.integers(1, 40), seed=st.integers(0, 9))
def test_prefill_keeps_the_share_of_every_sequence(rate: float, batch: int, tokens: int, seed: int) -> None:
    model = prune(dense(), "dynamic-m", rate, execution="gather").transformer
    decisions = decide(
        model, Phase.PREFILL, batch=batch, tokens=tokens, device=CPU, dtype=torch.float32, seed=seed
    )
    for each in decisions:
        assert each.ffn is not None
        rows = list(each.ffn.rows)
        assert rows == sorted(set(rows))
        by_sequence = [sum(row // tokens == sequence for row in rows) for sequence in range(batch)]
        assert by_sequence == [max(1, round(tokens * (1 - rate)))] * batch


@pytest.mark.slow
@settings(deadline=None)
@given(rate=st.floats(0, 0.99), batch=st.integers(1, 6))
def test_decode_keeps_the_share_over_many_layers(rate: float, batch: int) -> None:
    model = _deep(prune(dense(), "dynamic-m", rate, execution="gather").transformer, 64)
    decisions = decide(model, Phase.DECODE, batch=batch, tokens=1, device=CPU, dtype=torch.float32)
    kept = [len(each.attention.rows) for each in decisions if each.attention is not None]
    assert sum(kept) / 64 == pytest.approx(batch * (1 - rate), abs=0.05 * batch)


def _deep(model: Transformer, layers: int) -> Transformer:
    return model.with_blocks(model.blocks[:1] * layers)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("tokens", [16, 24, 29])
def test_flex_attention_agrees_with_blocks_row_by_row(tokens: int) -> None:
    """On a CPU flex attention runs uncompiled: the same mask, another kernel."""
    block, heads, kv_heads = 8, 4, 2
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, n, tokens, 16, generator=generator) for n in (heads, kv_heads, kv_heads))
    rows = -(-tokens // block)
    budgets = row_budgets(rows, 0.5)
    chosen = torch.zeros(2, heads, rows, rows, dtype=torch.bool)
    for row, budget in enumerate(budgets):
        chosen[:, :, row, row] = True
        chosen[:, :, row, : budget - 1] = True
    expected = attend_by_rows(q, k, v, chosen, budgets, block)
    torch.testing.assert_close(flex_attend(q, k, v, chosen, budgets, block), expected, rtol=0, atol=1e-5)


def test_cpu_has_no_kernel_for_two_of_four() -> None:
    with pytest.raises(UnsupportedError, match=r"2:4.*GPU"):
        build(MODELS["2:4"](), Execution(precision=precision_named("fp32")), CPU)


@pytest.mark.parametrize("dtype", ["fp8", "int8", "w4a16"])
def test_quantised_models_are_predicted_only(dtype: str) -> None:
    with pytest.raises(UnsupportedError, match="predicted only"):
        torch_dtype(Execution(precision=precision_named(dtype)))


@pytest.mark.parametrize("block", [16, 32, 48, 64, 128, 192])
def test_tiles_of_flex_attention_divide_its_blocks(block: int) -> None:
    """PyTorch refuses others, and takes 128 rows unless it is told: more than the 64 of the default mask."""
    options = flex_options(block, shared_memory_bytes=228e3)

    assert block % int(str(options["BLOCK_M"])) == block % int(str(options["BLOCK_N"])) == 0
    assert options["num_stages"] == 3
    assert flex_options(block, shared_memory_bytes=100e3)["num_stages"] == 2


def test_blocks_without_a_tile_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"blocks of 24.*multiples of 16"):
        flex_options(24, shared_memory_bytes=228e3)


def test_functions_are_compiled_for_more_shapes_than_pytorch_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo import config

    monkeypatch.setattr(torch, "compile", lambda work, dynamic: work)  # noqa: ARG005

    def twice(x: torch.Tensor) -> torch.Tensor:
        return x + x

    assert compiled(twice) is compiled(twice)
    assert config.recompile_limit >= 1000


@pytest.mark.slow
@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
def test_flex_attention_compiles_for_the_default_mask() -> None:
    generator = torch.Generator("cuda").manual_seed(0)
    block, tokens = 64, 300
    q, k, v = (
        torch.randn(2, heads, tokens, 128, generator=generator, device="cuda", dtype=torch.bfloat16)
        for heads in (8, 2, 2)
    )
    budgets = row_budgets(-(-tokens // block), 0.5)
    gate = torch.randn(16, 128, generator=generator, device="cuda", dtype=torch.bfloat16)
    rows = torch.tensor(budgets, device="cuda")
    chosen = choose_causal(pooled(q, gate, block), pooled(k, gate, block), rows, together=True)

    found = flex_attend(q, k, v, chosen, budgets, block)

    torch.testing.assert_close(found, attend_by_rows(q, k, v, chosen, budgets, block), rtol=2e-2, atol=2e-2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
def test_sparse_kernel_agrees_with_zeros() -> None:
    generator = torch.Generator("cuda").manual_seed(0)
    weight = two_of_four(torch.randn(512, 512, generator=generator, device="cuda", dtype=torch.float16))
    x = torch.randn(64, 512, generator=generator, device="cuda", dtype=torch.float16)
    found = torch.nn.functional.linear(x, compressed(weight))
    torch.testing.assert_close(found, x @ weight.T, rtol=1e-2, atol=0.2)


@pytest.mark.parametrize(
    ("family", "sparsity", "options", "phase", "reason"),
    [
        ("dynamic-m", 0.5, {}, Phase.PREFILL, "execution=gather"),
        ("dynamic-nk", 0.5, {"estimate": "scores"}, Phase.PREFILL, "inside the attention kernel"),
        ("dynamic-nk", 0.5, {"masks": "head"}, Phase.DECODE, "query head"),
        ("kv-pruning", 0.5, {"score": "accumulated"}, Phase.DECODE, "which cached tokens stay"),
    ],
)
def test_what_needs_other_kernels_is_predicted_only(
    family: str, sparsity: float, options: dict[str, str], phase: Phase, reason: str
) -> None:
    model = prune(dense(), family, sparsity, **options).transformer
    with pytest.raises(UnsupportedError, match=reason):
        check_measurable(model, phase)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "gpt2", "n_layer": 2}, "an embedding with positions"),
        ({"model_type": "gemma2", "num_hidden_layers": 2}, "an embedding with positions, a norm, a scale"),
        ({"model_type": "phi", "num_hidden_layers": 2}, "a head that is no plain LM head"),
        (
            {
                "model_type": "llama",
                "num_hidden_layers": 2,
                "architectures": ["LlamaForSequenceClassification"],
            },
            "no plain LM head",
        ),
        ({"model_type": "olmo", "num_hidden_layers": 2}, "a final norm other than an RMSNorm"),
        (
            {"model_type": "olmo2", "num_hidden_layers": 2},
            "norms other than one RMSNorm before each sublayer",
        ),
        ({"model_type": "granite", "num_hidden_layers": 2, "residual_multiplier": 0.2}, "scaled residuals"),
        ({"model_type": "arcee", "num_hidden_layers": 2}, "the activation relu2"),
        ({"model_type": "glm", "num_hidden_layers": 2}, "positions other than rotary ones of whole heads"),
        ({"model_type": "falcon", "num_hidden_layers": 2}, "a final norm"),
        ({"model_type": "mixtral", "num_hidden_layers": 2}, "measured are dense models on one GPU"),
        ({"model_type": "youtu", "num_hidden_layers": 2, "tie_word_embeddings": False}, "dense models"),
    ],
)
def test_other_architectures_are_predicted_only(config: dict[str, object], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=f"predicted only: .*{reason}"):
        check_measurable(transformer_from_config(config), Phase.DECODE)


def test_parallel_blocks_and_norms_of_all_features_are_predicted_only() -> None:
    blocks = dense().blocks
    parallel = dense().with_blocks(tuple(replace(block, parallel=True) for block in blocks))
    with pytest.raises(UnsupportedError, match="attention and FFN in parallel"):
        check_measurable(parallel, Phase.PREFILL)
    normed = changed(dense(), qk_norm=QkNorm(every_feature=True))
    with pytest.raises(UnsupportedError, match="norms of q and k"):
        check_measurable(normed, Phase.PREFILL)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("name", MODELS)
def test_every_example_is_measurable(name: str, phase: Phase) -> None:
    if name == "dynamic-nk, a mask a head" and phase is Phase.DECODE:
        pytest.skip("has no decode kernel")
    check_measurable(MODELS[name](), phase)
