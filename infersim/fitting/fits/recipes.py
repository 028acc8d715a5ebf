"""The recipe of every kind of kernel that samples can hold, in the order in which kinds are fitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.attention.attention import attention_features
from infersim.cost.gemm.gemm import gemm_features, machine_of, runs_as
from infersim.cost.gemm.sparse import LENGTHENING
from infersim.cost.regimes import (
    ATTENTION_REGIMES,
    GEMM_REGIMES,
    MEMORY_REGIMES,
    attention_regime,
    gemm_regime,
    memory_regime,
)
from infersim.domain.arrays import Array
from infersim.domain.dtypes import DType, Precision, precision_named
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Attention, Phase
from infersim.domain.small_kernels import small_op
from infersim.fitting.fits.collective_recipe import collective_recipes
from infersim.fitting.fits.expert_recipe import experts_recipe, with_shares
from infersim.fitting.fits.kind_fit import Recipe
from infersim.fitting.fits.parameter_space import (
    DECODE_SPACE,
    GEMM_SPACE,
    PREFILL_SPACE,
    SPARSE_SPACE,
    W8A8_SPACE,
    WEIGHT_ONLY_SPACE,
    ParameterSpace,
    memory_space,
)
from infersim.fitting.fits.residual_features import attention_smooths, gemm_smooths
from infersim.fitting.samples.schema import Kind


def recipes(profile: HardwareProfile, samples: pd.DataFrame) -> Iterator[tuple[Recipe, pd.DataFrame]]:
    """Each kind in `samples` with its rows; what a kind builds on (2:4 on dense GEMMs) comes before it."""
    for kind, recipe in ((Kind.GEMM, gemm_recipe), (Kind.SPARSE_GEMM, sparse_gemm_recipe)):
        for dtype, rows in _by(samples, kind, "dtype"):
            yield recipe(profile, dtype, rows), rows
    for phase, of_phase in _by(samples, Kind.ATTENTION, "phase"):
        for cache, rows in of_phase.groupby(narrow_caches(of_phase), sort=True):
            yield attention_recipe(Phase(phase), rows, str(cache)), rows
    for dtype, rows in _by(samples, Kind.MOE, "dtype"):
        yield experts_recipe(profile, dtype, rows), with_shares(rows)
    memory = samples[samples["kind"] == Kind.MEMORY]
    if len(memory):
        yield memory_recipe(memory), memory
    yield from collective_recipes(profile, samples[samples["kind"] == Kind.COLLECTIVE])


def _by(samples: pd.DataFrame, kind: Kind, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of a kind, by the values of a column that every such row has."""
    rows = samples[samples["kind"] == kind]
    if len(rows):
        for value, group in rows.groupby(column, sort=True):
            yield str(value), group


def _usual_copies(rows: pd.DataFrame) -> int | None:
    """The number of weight copies that most rows say; None where most say nothing, or none do."""
    copies = rows["weight_copies"].mode(dropna=False)
    return None if copies.isna().iloc[0] else int(copies.iloc[0])


def gemm_recipe(profile: HardwareProfile, dtype: str, rows: pd.DataFrame) -> Recipe:
    """The recipe of dense GEMMs of one data type."""
    precision = runs_as(precision_named(dtype), profile)
    copies = _usual_copies(rows)
    machine = machine_of(profile, precision.math)

    def features(samples: pd.DataFrame) -> Mapping[str, Array]:
        m, n, k = (samples[name].to_numpy(dtype=np.float32) for name in ("m", "n", "k"))
        return {name: at.astype(np.float64) for name, at in gemm_features(machine, m, n, k).items()}

    def regime(samples: pd.DataFrame) -> npt.NDArray[np.intp]:
        m, n, k = (samples[name].to_numpy(dtype=np.float64) for name in ("m", "n", "k"))
        return gemm_regime(m, n, k)

    return Recipe(
        kind=f"gemm.{precision.fitted_as}",
        space=_gemm_space(precision, rows),
        smooths=gemm_smooths(profile, precision, copies),
        features=features,
        group_columns=("n", "k"),
        range_columns=("m", "n", "k"),
        regime=regime,
        regime_names=GEMM_REGIMES,
        weight_copies=copies,
        pair_features=("log2 m", "log2 n", "log2 k"),
        pair_reach=(0.5, 1.4, 1.4),
        pair_least=(0.0, 9.7, 9.7),
    )


def _gemm_space(precision: Precision, rows: pd.DataFrame) -> ParameterSpace:
    """The parameters that the rows can say something of."""
    if precision.dequantises:
        return WEIGHT_ONLY_SPACE
    quantises = precision.quantises_activations and not (rows["includes_act_quant"] == False).all()  # noqa: E712
    return W8A8_SPACE if quantises else GEMM_SPACE


def sparse_gemm_recipe(profile: HardwareProfile, dtype: str, rows: pd.DataFrame) -> Recipe:
    """The recipe of 2:4 GEMMs of one data type: what they differ in from the dense ones."""
    dense = gemm_recipe(profile, dtype, rows)

    def features(samples: pd.DataFrame) -> Mapping[str, Array]:
        lengthened = samples["sparsity"].map(LENGTHENING).to_numpy(dtype=np.float64)
        return dense.features(samples.assign(k=samples["k"] * lengthened))

    return replace(
        dense,
        kind=f"sparse_gemm.{precision_named(dtype).math}",
        space=SPARSE_SPACE,
        smooths=dense.smooths[:1],
        features=features,
    )


def memory_recipe(rows: pd.DataFrame) -> Recipe:
    """The recipe of small kernels: those of `rows` and what all share, no residual."""

    def features(samples: pd.DataFrame) -> Mapping[str, Array]:
        return {"log2 bytes": np.log2(np.maximum(_moved_bytes(samples), 1.0))}

    return Recipe(
        kind="memory",
        space=memory_space({small_op(name).kernel for name in rows["op"].unique()}),
        smooths=(),
        features=features,
        group_columns=("read_bytes", "write_bytes"),
        range_columns=("read_bytes", "write_bytes"),
        regime=lambda samples: memory_regime(_moved_bytes(samples)),
        regime_names=MEMORY_REGIMES,
        weight_copies=None,
        pair_features=("log2 bytes",),
        pair_reach=(1.4,),
        pair_least=(0.0,),
    )


def _moved_bytes(samples: pd.DataFrame) -> Array:
    return (samples["read_bytes"] + samples["write_bytes"]).to_numpy(dtype=np.float64)


def narrow_caches(samples: pd.DataFrame) -> pd.Series[str]:
    """The type of each row's KV cache where it is narrower than what is multiplied, else ""."""
    if "kv_dtype" not in samples.columns:
        return pd.Series("", index=samples.index)
    cache = samples["kv_dtype"].fillna(samples["dtype"])
    narrower = cache.map(lambda name: DType(name).bytes) < samples["dtype"].map(
        lambda name: DType(name).bytes
    )
    return cache.where(narrower, "").astype(str)


def attention_recipe(phase: Phase, rows: pd.DataFrame, cache: str = "") -> Recipe:
    """The recipe of attention in one phase; `cache` is the type of a narrower KV cache."""

    def features(samples: pd.DataFrame) -> Mapping[str, Array]:
        columns = [samples[name].to_numpy(dtype=np.float64) for name in _ATTENTION_DIMENSIONS]
        batch, query_len, context_len, num_heads, num_kv_heads, head_dim = columns
        shape = Attention(
            phase=phase,
            batch=batch,
            query_len=query_len,
            context_len=context_len,
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            head_dim=head_dim,
            dtype=DType.BF16,
        )
        return {name: at.astype(np.float64) for name, at in attention_features(shape).items()}

    def regime(samples: pd.DataFrame) -> npt.NDArray[np.intp]:
        return attention_regime(
            samples["batch"].to_numpy(dtype=np.float64), samples["context_len"].to_numpy(dtype=np.float64)
        )

    return Recipe(
        kind=f"attention.{phase.value}" + (f".{cache}" if cache else ""),
        space=PREFILL_SPACE if phase is Phase.PREFILL else DECODE_SPACE,
        smooths=attention_smooths(phase),
        features=features,
        group_columns=("batch", "num_heads", "num_kv_heads"),
        range_columns=_ATTENTION_DIMENSIONS,
        regime=regime,
        regime_names=ATTENTION_REGIMES,
        weight_copies=_usual_copies(rows) or 1,
        pair_features=("log2 batch", "log2 group", "log2 context", "log2 kv heads"),
        pair_reach=(0.1, 1.1, 1.1, 1.1),
        pair_least=(0.0, 0.0, 0.0, 0.0),
    )


_ATTENTION_DIMENSIONS = ("batch", "query_len", "context_len", "num_heads", "num_kv_heads", "head_dim")
