"""The words of tables and figures, each with its meaning: one place for terminal, pages and docs."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "flops": "The ratio of FLOPs in the ops that a plan targets: what papers quote.",
    "bound": (
        "Cold roofline of the dense model over that of the plan: each op takes its FLOPs at the peak or its "
        "weights and KV cache, all read from memory. Being a ratio of rooflines, it may be exceeded."
    ),
    "floor": (
        "The time that no kernel can beat: FLOPs at the peak of the highest clock, or cold weights and KV "
        "cache read whole, and of other bytes those that L2 cannot hold."
    ),
    "ceiling": "Dense latency over the plan's floor: what no implementation of the plan can exceed.",
    "predicted": "The speedup to expect, with the interval that holds it in 80 % of cases.",
    "attainment": ("Realised over bound; realised is what was measured in this scenario, or else predicted."),
    "static-m equivalent": "The part of the layers whose removal would be predicted as fast.",
    "unpruned work": "FLOPs of the ops that the plan leaves alone.",
    "memory floor": ("Weights and KV cache have to be read, whatever the FLOPs; a gain if they shrink more."),
    "extra work": "Ops that the family adds: routers, gather, scatter, masks, residual maps.",
    "kernel efficiency": "Pruned kernels are farther from their floors than dense ones, or nearer.",
    "launch": "Time to launch kernels: it shrinks with the number of kernels alone.",
    "communication": "What GPUs that share a model exchange: it shrinks with tokens and layers alone.",
    "unexplained": "Measured over predicted.",
    "80 % interval": "Where four of five measurements are expected to lie.",
    "at its bound": "The bound is within a tenth of the prediction and its interval: no more is to be had.",
    "measured on": "The GPU itself was measured, and the cost model fitted to it.",
    "from a sibling card": "The fit of a card with the same chip stands in; intervals are wider.",
    "from other cards": "Its datasheet and the fits of other GPUs; intervals are wider.",
    "typically": "Half of the intervals are this wide to either side, or narrower.",
    "extrapolated": (
        "Most of the time goes to kernels unlike the measured ones, and the interval is wider than 10 % to "
        "either side; or no measurement stands behind the GPU at all."
    ),
    "covered": "The share of rows that lie in their interval; near 80 % the intervals are right.",
    "bias": "The mean of log(predicted / measured): above 0 where predictions are too slow.",
    "plain roofline": ("max(FLOPs / peak, bytes / bandwidth) with the datasheet's numbers: no calibration."),
    "FLOPs ratio": "The speedup that a count of operations promises.",
    "held out": "Kept out of the fit: matrices and head layouts that it has not seen.",
    "at end of range": "A parameter that the fit drove to a limit: it makes up for something else.",
    "quality lost": "Relative to the dense model: what an accuracy loses, what a perplexity adds.",
    "recovery": "What was trained after pruning. Points of different recovery never share a frontier.",
    "frontier": "No other stated point loses less and gains more; the dense model is a point too.",
    "as good, within intervals": "Another point is better, but not beyond the intervals of the two speedups.",
    "dominated": "Another point loses no more and is surely faster; drawn hollow.",
    "between stated points": "Straight lines between points of one method; no source states them.",
    "gain per point": "Percent of speed gained for each percent of quality lost.",
    "memory-bound": (
        "Reading weights and KV cache takes longer than computing with them, at the GPU's peaks. A "
        "decode step reads all weights for one token of each sequence: it is memory-bound in small "
        "batches, and a plan gains by the bytes it saves. Prefill uses each weight for many tokens: "
        "there it gains by the FLOPs."
    ),
    "sparsity needed": "The least that reaches the speedup, as it can be realised.",
    "to pay": "The whole 80 % interval of the predicted speedup is above 1.",
    "aligned": "A multiple of 64: what tiles of kernels divide.",
    "case": "A model on a GPU, in prefill, decode or a request, in one data type and execution.",
    "mean": ("The geometric mean of predicted speedups over all batches and contexts that fit into memory."),
    "sparsity": "The fraction removed of what the family prunes, as it came out after rounding.",
    "paper": "What the paper measured: a mean over scenarios that it does not state.",
    "TTFT": "Time to the first token: waiting until others end, prompts read before, and the request's own.",
    "TPOT": "Time for each further token: a decode step, and the prompts of others that are read beside it.",
    "concurrency": "Requests in the system at once; each that is answered is followed by another.",
    "KV block": "The unit in which an engine gives out memory for cached keys and values.",
    "faster x batch": (
        "Tokens per second of the plan over dense at the dense model's concurrency, times what more requests "
        "at once add."
    ),
    "difference": "Predicted over published, less one.",
}


def meanings(part: str = "") -> dict[str, str]:
    """All words with `part` in them, whatever its case; those that begin with it first."""
    sought = part.lower()
    found = [word for word in WORDS if sought in word.lower()]
    return {
        word: WORDS[word]
        for word in sorted(found, key=lambda w: (not w.lower().startswith(sought), w.lower()))
    }


def glossary(*words: str) -> dict[str, str]:
    """The meanings of `words`, in their order."""
    return {word: WORDS[word] for word in words}
