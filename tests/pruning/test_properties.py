"""What holds for every model, family and sparsity (hypothesis)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.pruning.composition import prune
from infersim.pruning.families.registry import families
from infersim.workload.counts import block_linear_parameters, parameters
from infersim.workload.transformer import Transformer
from tests.toy_models import transformer_from_sizes

ALL = [family.name for family in families() if family.fixed_sparsity is None and not family.of_experts]
STATIC = [name for name in ALL if name.startswith("static")]

# Up to three quarters: beyond, "at least one" of layers, heads and multiples takes over.
sparsities = st.floats(0.0, 0.75)


@st.composite
def models(draw: st.DrawFn) -> Transformer:
    """Grouped-query models whose sizes leave room to prune: KV groups, layers, multiples of 64."""
    kv_heads = draw(st.integers(1, 8))
    return transformer_from_sizes(
        hidden=64 * draw(st.integers(8, 64)),
        layers=draw(st.integers(5, 24)),
        num_heads=kv_heads * draw(st.integers(1, 6)),
        num_kv_heads=kv_heads,
        head_dim=draw(st.sampled_from((64, 128))),
        width=draw(st.integers(1024, 16384)),
        vocab=1000,
        tied_embeddings=draw(st.booleans()),
    )


@pytest.mark.parametrize("family", STATIC)
@given(model=models(), sparsity=sparsities)
def test_static_families_never_add_block_linears(family: str, model: Transformer, sparsity: float) -> None:
    plan = prune(model, family, sparsity)
    assert block_linear_parameters(plan.transformer) <= block_linear_parameters(model)
    assert 0 <= plan.steps[0].sparsity_realised < 1


@pytest.mark.parametrize("family", STATIC)
@given(model=models(), sparsity=sparsities)
def test_static_families_never_add_parameters_but_residual_maps(
    family: str, model: Transformer, sparsity: float
) -> None:
    plan = prune(model, family, sparsity)
    hidden = plan.transformer.hidden
    maps = sum(block.residual_maps for block in plan.transformer.blocks) * hidden**2
    assert parameters(plan.transformer) - maps <= parameters(model)


@pytest.mark.slow
@pytest.mark.parametrize("family", ALL)
@given(model=models(), sparsity=sparsities)
def test_pruning_is_pure_and_leaves_its_input_as_the_base(
    family: str, model: Transformer, sparsity: float
) -> None:
    plan = prune(model, family, sparsity)
    assert plan.base == model
    assert prune(model, family, sparsity) == plan
    assert plan.steps[0].sparsity == sparsity


@given(model=models(), sparsity=sparsities)
def test_static_m_comes_within_half_a_layer(model: Transformer, sparsity: float) -> None:
    plan = prune(model, "static-m", sparsity)
    assert abs(plan.sparsity_realised - sparsity) <= 0.5 / len(model.blocks) + 1e-12
    assert plan.block_linears_removed == pytest.approx(plan.sparsity_realised)


@given(model=models(), sparsity=sparsities)
def test_cross_layer_comes_within_half_a_multiple(model: Transformer, sparsity: float) -> None:
    plan = prune(model, "static-nk-cross", sparsity)
    assert abs(plan.sparsity_realised - sparsity) <= 32 / model.hidden + 1e-12
    assert plan.transformer.hidden % 64 == 0


@given(model=models(), sparsity=sparsities)
def test_low_rank_comes_within_half_a_multiple_for_each_matrix(model: Transformer, sparsity: float) -> None:
    plan = prune(model, "static-k-lowrank", sparsity)
    linears = model.blocks[0].linears
    total = sum(linear.out_features * linear.in_features for linear in linears)
    # Rounding moves a rank by up to 8, the least rank or staying dense by up to 16, of N + K values each.
    slack = sum(16 * (linear.out_features + linear.in_features) for linear in linears) / total
    assert abs(plan.sparsity_realised - sparsity) <= slack + 1e-12


@given(model=models(), sparsity=st.floats(0.0, 0.5))
def test_static_nk_comes_within_half_a_multiple_where_the_ffn_can_absorb(
    model: Transformer, sparsity: float
) -> None:
    plan = prune(model, "static-nk", sparsity)
    block, pruned = model.blocks[0], plan.transformer.blocks[0]
    assert block.attention
    assert block.ffn
    assert pruned.ffn
    columns = pruned.ffn.linears[-1].in_features
    clamped = columns in (64, block.ffn.linears[-1].in_features)
    total = sum(linear.out_features * linear.in_features for linear in block.linears)
    if not clamped:
        assert columns % 64 == 0
        assert abs(plan.sparsity_realised - sparsity) <= 32 * 3 * model.hidden / total + 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("family", [name for name in STATIC if name != "static-nk"])
@given(model=models(), one=sparsities, other=sparsities)
def test_more_sparsity_never_leaves_more(family: str, model: Transformer, one: float, other: float) -> None:
    less, more = (prune(model, family, sparsity) for sparsity in sorted((one, other)))
    assert block_linear_parameters(more.transformer) <= block_linear_parameters(less.transformer)


@pytest.mark.slow
@given(model=models(), one=sparsities, other=sparsities)
def test_more_static_nk_never_leaves_more_than_one_multiple(
    model: Transformer, one: float, other: float
) -> None:
    # Whole heads and the FFN multiple round apart, so the sum may step back by one multiple, no more.
    less, more = (prune(model, "static-nk", sparsity) for sparsity in sorted((one, other)))
    step = len(model.blocks) * 64 * 3 * model.hidden
    assert block_linear_parameters(more.transformer) <= block_linear_parameters(less.transformer) + step


@pytest.mark.slow
@pytest.mark.parametrize("family", ["static-nk", "static-nk-cross"])
@given(model=models(), depth=sparsities, width=sparsities)
def test_depth_and_width_commute(family: str, model: Transformer, depth: float, width: float) -> None:
    depth_first = prune(prune(model, "static-m", depth), family, width)
    width_first = prune(prune(model, family, width), "static-m", depth)
    assert depth_first.transformer == width_first.transformer
    assert depth_first.targets == width_first.targets
    left = (1 - prune(model, "static-m", depth).sparsity_realised) * (
        1 - prune(model, family, width).block_linears_removed
    )
    assert depth_first.block_linears_removed == pytest.approx(1 - left)
