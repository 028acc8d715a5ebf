"""The formulas of docs/cost-model.md as they are written there: one shape, plain numbers.

The GPU has no fit.

Microseconds with launch, before the floor. Names of locals are the page's letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, exp, hypot, log, log2, sqrt

from infersim.cost.collectives.parameters import COLLECTIVE_PARAMETERS, LINK_CLASSES
from infersim.cost.gemm import group_skip
from infersim.cost.gemm.unstructured import PARAMETERS
from infersim.cost.parameters import DEFAULTS, TILES, kind_parameters, tile_name
from infersim.domain.dtypes import DType
from infersim.domain.profile import HardwareProfile
from infersim.domain.small_kernels import SmallKernel

MICRO = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """P SMs at f MHz, R FLOP per us and SM, B bytes per us, L bytes of L2."""

    P: int
    f: float
    R: float
    B: float
    L: float


def chip_of(gpu: HardwareProfile, dtype: DType) -> Chip:
    """A GPU in the page's letters."""
    return Chip(
        P=gpu.chip.sm_count,
        f=gpu.chip.tensor_clock_mhz,
        R=gpu.datasheet_flop_per_s(dtype) * MICRO / gpu.chip.sm_count,
        B=gpu.memory.bandwidth_bytes_per_s * MICRO,
        L=gpu.chip.l2_bytes,
    )


def norm(*times: float) -> float:
    """The 4-norm."""
    return float(sum(time**4 for time in times) ** 0.25)


def waves(p: Mapping[str, float], load: float) -> float:
    """w of a load l."""
    return max(1.0, ceil(load) - p["wave_fill"] * (ceil(load) - load))


def mean_choice(times: list[float]) -> float:
    """The mean over candidates, each with its speed to the eighth power as weight."""
    return float(sum(t**-7 for t in times) / sum(t**-8 for t in times))


def gemm_floor_us(gpu: HardwareProfile, m: int, n: int, k: int, *, copies: int | None) -> float:
    """The floor of a bf16 GEMM on its own, its weights cold (`copies` None) or in a loop."""
    chip, values = chip_of(gpu, DType.BF16), 2
    A, W, O = m * k * values, n * k * values, m * n * values
    moved = W + max(0.0, A + O - chip.L) if copies is None else max(0.0, A + W + O - chip.L)
    return max(2 * m * n * k / (gpu.bound_flop_per_s(DType.BF16) * MICRO), moved / chip.B)


def resident(p: Mapping[str, float], chip: Chip, touched: float) -> float:
    """rho(x)."""
    return float(1 / (1 + (touched / (p["l2_residency"] * chip.L)) ** p["residency_sharpness"]))


def gemm_us(
    gpu: HardwareProfile,
    M: int,
    N: int,
    K: int,
    *,
    copies: int | None = None,
    act_quant: bool = False,
    w4a16: bool = False,
    related: Mapping[str, float] | None = None,
    sparse: bool = False,
) -> float:
    """A GEMM in bf16, in fp8 (`act_quant`) or in `w4a16`; `related`: one side of a 2:4 relation."""
    dtype = DType.FP8 if act_quant else DType.BF16
    p, chip = dict(kind_parameters(gpu, "gemm", dtype).values), chip_of(gpu, dtype)
    if related is not None:
        p |= {name: value for name, value in related.items() if name in p}
    b_A = b_W = dtype.bytes
    if w4a16:
        b_W = 1 / 2 + 2 / 128
    b_O = 2.0
    start, reread = p["launch_us"], 0.0
    if related is not None and sparse:
        chip = replace(chip, R=chip.R * related["rate"])
        values = related
        b_W, start = b_W * 9 / 16, start + values["sparse_launch_us"]
        W = N * K * b_W
        passes = ceil(M / 128) * min(1, ceil(N / 128) / (values["tiles_per_sm"] * chip.P))
        reread = values["weight_reread"] * max(0, passes - 1) * (1 - resident(p, chip, W)) * W
    A, W, O = M * K * b_A, N * K * b_W, M * N * b_O
    C = p["l2_residency"] * chip.L
    rho = 0.0 if copies is None else resident(p, chip, copies * W + A + O)
    dram = (W * (1 - rho) + reread + max(0, A - C) + max(0, O - C)) / (chip.B * p["dram_efficiency"])
    tau = 2 * M * N * K / (chip.P * chip.R)
    times = []
    for t_M, t_N in TILES:
        for s in (1, 2, 4, 8, 16):
            load, d = ceil(M / t_M) * ceil(N / t_N) * s / chip.P, max(K / (64 * s), 1 / 2)
            u = (
                2
                * t_M
                * t_N
                * 64
                / (chip.R * p["efficiency"])
                * (1 + p["tile_overhead"] * (1 / t_M + 1 / t_N))
            )
            u *= exp(p[tile_name((t_M, t_N))])
            u += w4a16 * 64 * t_N / (p["dequantise_per_clock_per_sm"] * chip.f)
            u *= 1 + p["throttle"] * tau / (tau + 200)
            e = t_M * t_N * b_O / (p["epilogue_bytes_per_clock_per_sm"] * chip.f)
            r = ceil(load / min(4, max(1, 128 * 256 / (t_M * t_N))))
            busy = max(waves(p, load) * (d * u + e), r * d * p["chain_us"]) + r * p["prologue_us"]
            l2 = max(1, load) * d * 64 * (t_M * b_A + t_N * b_W) / (p["l2_bytes_per_clock_per_sm"] * chip.f)
            times.append(norm(busy, l2, dram) + start + p["split_k_us"] * (s > 1))
    T = mean_choice(times)
    if (M == 1 or (M <= 4 and w4a16)) and related is None:
        T = min(T, p["gemv_launch_us"] + max(dram, W / (chip.P * p["gemv_bytes_per_clock_per_sm"] * chip.f)))
    if 1 < M <= 16 and M * N * K < 2**21 and K < 10240:
        T = max(T, K / 64 * p["unsplit_chain_us"] + start)
    if act_quant:
        moved = M * K * (b_O + b_A)
        passes = max(1, M / chip.P) * (p["act_quant_token_us"] + ceil(K / 2048) * p["act_quant_pass_us"])
        missed = moved * (1 - resident(p, chip, moved)) / (chip.B * p["dram_efficiency"])
        T += p["act_quant_us"] + max(passes, missed)
    return T


def sparse_us(gpu: HardwareProfile, M: int, N: int, K: int, *, relation: Mapping[str, float]) -> float:
    """A 2:4 GEMM in bf16: the dense one over the relation's quotient, of which few tokens keep a part."""
    dense, sparse = (gemm_us(gpu, M, N, K, related=relation, sparse=side) for side in (False, True))
    few = min(1.0, max(0.0, log(64 / M) / log(64 / 16)))
    return float(gemm_us(gpu, M, N, K) / (dense / sparse * 0.72**few))


def prefill_us(gpu: HardwareProfile, *, b: int, q: int, c: int, H: int, h: int, d: int) -> float:
    """Causal attention of q new tokens over a context c, bf16."""
    p, chip = kind_parameters(gpu, "attention.prefill").values, chip_of(gpu, DType.BF16)
    g, t = H / h, p["query_tile"]
    k = g if q == 1 else g ** p["group_packing"]
    multiply = 4 * 128 * t * d / (chip.R * p["efficiency"])
    u = hypot(multiply, 128 * t / (p["softmax_per_clock_per_sm"] * chip.f))
    u *= p["wide_head"] if d > 128 else 1
    u *= min(1, q * k / t) ** p["short_exponent"]
    n, mean = max(1, q * k / t), c - q + (q + min(t / k, q)) / 2
    load = b * H * n / (k * chip.P)
    shared = load * (max(1, mean / 128) + p["diagonal_steps"]) * u + waves(p, load) * p["block_us"]
    longest = (max(1, c / 128) + p["diagonal_steps"]) * u + p["block_us"]
    moved = 2 * b * c * h * d * 2 + 2 * b * q * H * d * 2
    missed = max(0, moved - p["l2_residency"] * chip.L) / (chip.B * p["dram_efficiency"])
    from_l2 = moved / (chip.P * p["l2_bytes_per_clock_per_sm"] * chip.f)
    return norm(shared, longest) + p["exposed_traffic"] * norm(missed, from_l2) + p["launch_us"]


def decode_us(gpu: HardwareProfile, *, b: int, c: int, H: int, h: int, d: int, copies: int | None) -> float:
    """One token of each sequence over a context c, bf16."""
    p, chip = kind_parameters(gpu, "attention.decode").values, chip_of(gpu, DType.BF16)
    g, moved = H / h, 2 * b * c * h * d * 2 + 2 * b * H * d * 2
    rho = 0.0 if copies is None else resident(p, chip, copies * moved)

    def fastest(g: float, h: float, from_l2: float) -> float:
        times = []
        for s in (1, 2, 4, 8, 16, 32, 64):
            load = b * h * s / chip.P
            step = p["chain_us"] * (d / 128) ** p["head_dim_exponent"] * (1 + p["group_cost"] * g)
            step *= p["grouped_chain"] if g > 1 else 1
            block = p["block_us"] * (1 if g > 1 else p["alone_block"])
            busy = waves(p, load) * (max(1, c / (128 * s)) * step + block)
            dram = moved * (1 - rho) / (chip.B * p["dram_efficiency"] * min(1, load * p["co_resident"]))
            l2 = from_l2 / (chip.P * p["l2_bytes_per_clock_per_sm"] * chip.f * min(1, load))
            reduced = p["split_us"] * s ** p["split_exponent"] if s > 1 else 0
            times.append(norm(busy, dram, l2) + p["launch_us"] + reduced)
        mean = mean_choice(times)
        return float(mean * (times[0] / mean) ** p["unsplit_alone"]) if g == 1 else mean

    total = fastest(g, h, moved * g ** p["group_reread"])
    if g > 32 and p["wide_apart"] > 0.01:
        total *= (fastest(1, H, moved * g) / total) ** p["wide_apart"]
    return total + p["regroup_us"] * (b > 1 and h > 1 and g > 1)


def latent_us(gpu: HardwareProfile, *, B: int, c: int, h: int, r: int, rotary: int) -> float:
    """One token of each sequence over latent vectors of rank r and rotary keys, bf16."""
    p, chip = kind_parameters(gpu, "attention.decode").values, chip_of(gpu, DType.BF16)
    moved = B * c * (r + rotary) * 2 + B * h * (2 * r + rotary) * 2
    flop = 2 * B * c * h * (2 * r + rotary)
    per_us = gpu.datasheet_flop_per_s(DType.BF16) / 1e6
    steps = B * ceil(h / 64) * max(1, c / 64)
    slowest = norm(moved / (0.9 * chip.B), flop / (0.66 * per_us)) / min(1, steps / chip.P)
    return slowest + p["block_us"] + p["split_us"] + p["launch_us"]


def small_kernel_us(
    gpu: HardwareProfile, kernel: SmallKernel, *, Q: float, r: float, cold: float, over: float, looped: bool
) -> float:
    """A kernel that moves Q bytes in r rows: `cold` from memory, `over` written over others."""
    p, chip = kind_parameters(gpu, "memory").values, chip_of(gpu, DType.BF16)
    own = {name: p[f"{kernel.word}_{name}"] for name in ("us", "us_per_kib", "row_us", "speed", "residency")}
    rho = p["loop_residency"] if looped else own["residency"]
    cold = 0 if looped else cold
    e = p["loop_sharpness"] if looped else p["residency_sharpness"]
    X = cold + (Q - cold) / (1 + (rho * chip.L / (Q - over - cold)) ** e)
    time = (Q - X) / (chip.P * chip.f * p["sm_bytes_per_clock"] * own["speed"])
    time += X / (p["dram_efficiency"] * chip.B * min(own["speed"], 1))
    first = own["us"] + (Q / r / 1024 * own["us_per_kib"] if r else 0)
    return p["launch_us"] + first + norm(time, r / chip.P * own["row_us"])


def generated_speed(at_peak_us: float, library_us: float) -> float:
    """Of a generated kernel over the library's, by how near to the peak the library's is."""
    return 0.75 + 0.13 * min(1.0, at_peak_us / (0.6 * library_us))


def misaligned_us(
    gpu: HardwareProfile, aligned_us: float, M: int, N: int, K: int, *, shared: int, bulk: bool
) -> float:
    """A bf16 GEMM whose rows share an alignment of `shared` bytes; `bulk`: on a part with bulk copies."""
    chip = chip_of(gpu, DType.BF16)
    at_peak = 2 * M * N * K / (gpu.bound_flop_per_s(DType.BF16) * MICRO)
    c = at_peak / (at_peak + 2 * N * K / chip.B)
    v = {8: 0.95, 4: 0.85, 2: 0.62}[shared]
    slowed = aligned_us * ((1 - c) / v + c / (0.4 if bulk else 1.0))
    return norm(slowed, M * N * K * 2 * 2 / 128 / (chip.P * chip.f * {8: 128, 4: 48, 2: 16}[shared]))


def longest_over_mean(kept: float, blocks: float, marches: int) -> float:
    """Of random block masks."""
    return min(1 + sqrt(2 * log(marches)) * sqrt((1 - kept) / (blocks * kept)), 1 / kept)


def launch_us(kernel_us: float, in_graph_us: float) -> float:
    """What a launch from the host adds to a kernel."""
    return max(in_graph_us, DEFAULTS["launch"]["host_us"] - kernel_us)


def macko_us(gpu: HardwareProfile, n: int, k: int, d: float) -> float:
    """One token by MACKO, without launch."""
    p, chip = PARAMETERS.defaults, chip_of(gpu, DType.FP16)
    b = 2.5 * n * k * d / (1 - (1 - d) ** 16) + 4 * (n + 1)
    return hypot(
        b / (p["macko_dram_efficiency"] * chip.B),
        n * k / (p["macko_places_per_clock_per_sm"] * chip.P * chip.f),
    )


def cusparse_us(gpu: HardwareProfile, n: int, k: int, d: float) -> float:
    """One token by cuSPARSE, without launch."""
    p, chip = PARAMETERS.defaults, chip_of(gpu, DType.FP16)
    b = 6 * n * k * d + 4 * (n + 1)
    S = chip.P * chip.f / 1e5
    r = float(d * k / S ** p["cusparse_row_exponent"])
    longer = 1 + p["cusparse_long_row_excess"] / (1 + (p["cusparse_long_row"] / r) ** 8)
    return max(
        b / (p["cusparse_dram_efficiency"] * chip.B)
        + d * n * k / (p["cusparse_entries_per_clock_per_sm"] * chip.P * chip.f),
        1e-9 * d * n * k * p["cusparse_row_fs"] * r * longer,
    )


def group_stream_us(gpu: HardwareProfile, m: int, n: int, k: int, kappa: float, *, hot: bool) -> float:
    """Up to four tokens that take a share of the groups, without launch."""
    p, chip = kind_parameters(gpu, group_skip.PARAMETERS).values, chip_of(gpu, DType.BF16)
    b = 2 * n * k * (1 - (1 - kappa) ** m)
    near = 1 + (p["near_l2"] - 1) / (1 + (2 * b / chip.L) ** 16)
    held = 1 / (1 + (b / (p["l2_residency"] * chip.L)) ** p["residency_sharpness"]) if hot else 0.0
    rate = p["l2_bytes_per_clock_per_sm"] * near * chip.P * chip.f
    return norm(b / rate, b * (1 - held) / (DEFAULTS["gemm"]["dram_efficiency"] * chip.B))


def tiles_of_a_group(m: int, t: int, kappa: float) -> float:
    """E."""
    return min(ceil(m / t), max(1 - (1 - kappa) ** m, kappa * m / t + (1 - 1 / t) / 2))


def all_reduce_us(gpu: HardwareProfile, S: float, n: int) -> float:
    """An engine's all-reduce of S bytes on each of n GPUs."""
    link = gpu.link_between(n)
    p = kind_parameters(gpu, COLLECTIVE_PARAMETERS[f"all_reduce.{LINK_CLASSES[link.kind]}"]).values
    B, o, b, d = link.bytes_per_s * MICRO, p["own_us"], p["barrier_us"], p["second_us"]
    times = [ring_us(p, 2 * (n - 1) / n * S, 2 * (n - 1), n, B)]
    if link.direct:
        times.append(o + b * log2(n) + (n - 1) * S / (p["one_shot"] * B))
        times.append(o + d + 2 * b * log2(n) + 2 * (n - 1) / n * S / (p["two_shot"] * B))
    if link.reduces:
        times.append(o + d + 2 * b * log2(n) + (1 + 1 / n) * S / (p["switch_efficiency"] * B))
    return min(times)


def all_gather_us(gpu: HardwareProfile, S: float, n: int) -> float:
    """NCCL's all-gather that ends with S bytes on each of n GPUs."""
    link = gpu.link_between(n)
    p = kind_parameters(gpu, COLLECTIVE_PARAMETERS[f"all_gather.{LINK_CLASSES[link.kind]}"]).values
    return ring_us(p, (n - 1) / n * S, n - 1, n, link.bytes_per_s * MICRO)


def ring_us(p: Mapping[str, float], V: float, h: int, n: int, B: float) -> float:
    """A ring that sends V bytes in h steps."""
    eps = min(1.0, p["efficiency"] * float(p["doubling"] ** (log2(n) - 1)))
    u, a, f, phi = p["launch_us"], p["hop_us"], p["filled_steps"], p["flagged_share"]
    return u + min(h * a + V / (phi * eps * B), h * a * f + V / (eps * B))
