"""Tables of services: one row for each length and concurrency, or for each plan under load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.scenarios import gpu_text
from infersim.report.core.table import Column, Table, number_column, text_column, without_constant

if TYPE_CHECKING:
    import pandas as pd


def serve_table(frame: pd.DataFrame) -> Table:
    """The rows of `serve`; what is the same in all of them stands in the title."""
    varying = [
        ("model", text_column("model", "model")),
        ("plan", text_column("plan", "plan")),
        ("gpu", text_column("GPU", "gpu")),
        ("gpus", number_column("GPUs", "gpus", rounding.count)),
        ("prompt", number_column("read", "prompt", rounding.count)),
        ("output", number_column("written", "output", rounding.count)),
    ]
    if "ttft_p99_ms" in frame:
        return _simulated_table(frame, without_constant(varying, frame))
    columns = [
        *without_constant(varying, frame),
        number_column("concurrency", "concurrency", rounding.count),
        Column(heading="running", keys=("running",), text=_running, detail=2),
        _between("TTFT ms", "ttft"),
        _between("TPOT ms", "tpot"),
        number_column("tokens/s", "tokens_per_s", rounding.quantity),
        number_column("GiB", "memory_gib", rounding.quantity, detail=3),
        number_column("most\nthat fit", "max_concurrency", rounding.count, detail=1),
    ]
    if frame["energy_j_per_token"].notna().any():
        columns.append(number_column("J a\ntoken", "energy_j_per_token", rounding.quantity, detail=3))
    columns += _price(frame)
    return Table(
        title=served_title(frame),
        frame=frame,
        columns=tuple(columns),
        caption="TTFT includes the queue; tokens/s are written ones. Intervals hold 80 % of services.",
    )


def _simulated_table(frame: pd.DataFrame, varying: tuple[Column, ...]) -> Table:
    """Means and percentiles of what was simulated."""
    by_rate = frame["rate"].notna().all()
    load = (
        number_column("requests/s", "rate", rounding.quantity)
        if by_rate
        else number_column("concurrency", "concurrency", rounding.count)
    )
    return Table(
        title=f"{served_title(frame.drop(columns='concurrency') if by_rate else frame)}, simulated",
        frame=frame,
        columns=(
            *varying,
            load,
            Column(heading="running", keys=("running",), text=rounding.quantity),
            *(
                number_column(f"{name.upper()} ms\n{share}", f"{name}_{key}ms", rounding.quantity)
                for name in ("ttft", "tpot")
                for share, key in (("mean", ""), ("half", "p50_"), ("90 %", "p90_"), ("99 %", "p99_"))
            ),
            number_column("tokens/s", "tokens_per_s", rounding.quantity),
        ),
        caption="Half, 90 % and 99 % of the requests take at most that long.",
    )


def load_table(frame: pd.DataFrame) -> Table:
    """The rows of `compare_served`: three speedups and their causes."""
    columns = [
        text_column("plan", "plan"),
        Column(heading="same\nload", keys=("speedup",), text=rounding.speedup),
        Column(
            heading="each at its most\nfaster x batch",
            keys=("most_speedup", "most_faster", "most_batch", "most_concurrency"),
            text=_product,
        ),
    ]
    if frame["target_speedup"].notna().any():
        columns.append(
            Column(
                heading="within targets\nfaster x batch",
                keys=("target_speedup", "target_faster", "target_batch", "target_concurrency"),
                text=_product,
            )
        )
    columns += [
        number_column("TTFT\nms", "ttft_ms", rounding.quantity, detail=2),
        number_column("TPOT\nms", "tpot_ms", rounding.quantity, detail=1),
        number_column("tokens/s", "tokens_per_s", rounding.quantity),
        *_price(frame),
        number_column("GiB\nfreed", "memory_freed_gib", rounding.quantity, detail=3),
        text_column("runs", "runs"),
    ]
    return Table(
        title=served_title(frame),
        frame=frame,
        columns=tuple(columns),
        caption="Speedups are of tokens per second over dense; in brackets the concurrency. Times and "
        "tokens/s are at the same load.",
    )


def served_title(frame: pd.DataFrame) -> str:
    """`qwen3-8b on h100-sxm under vllm: 1000 tokens read, 200 written, 64 at once`, what all rows share."""
    row = frame.iloc[0]
    shared = {key for key in frame.columns if frame[key].nunique(dropna=False) == 1}
    names = {"model": str(row["model"]), "gpu": gpu_text(row, () if "gpus" in shared else ("gpus",))}
    subject = " on ".join(names[key] for key in names if key in shared)
    under = f"{subject} under {row['engine']}".strip()
    said = [
        f"{rounding.count(row['prompt'])} tokens read{_cached(row)}" if "prompt" in shared else "",
        f"{rounding.count(row['output'])} written" if "output" in shared else "",
        f"{row['concurrency']} at once" if "concurrency" in shared else "",
        str(row["dtype"]) if "dtype" in shared else "",
    ]
    return f"{under}: {', '.join(filter(None, said))}"


def _cached(row: pd.Series) -> str:
    """Behind tokens read: the share of them that is not computed."""
    return f" ({rounding.fraction(row['cached'])} cached)" if row["cached"] > 0 else ""


def _price(frame: pd.DataFrame) -> list[Column]:
    """What a million written tokens cost, where a price is given."""
    if not frame["price_per_million"].notna().any():
        return []
    return [number_column("per million\ntokens", "price_per_million", rounding.quantity)]


def _between(heading: str, name: str) -> Column:
    keys = (f"{name}_ms", f"{name}_lower_ms", f"{name}_upper_ms")
    return Column(heading=heading, keys=keys, text=rounding.quantity_between)


def _running(value: float) -> str:
    return rounding.quantity(value) if value != round(value) else rounding.count(value)


def _product(speedup: float, faster: float, batch: float, concurrency: float) -> str:
    if speedup != speedup:
        return rounding.UNKNOWN
    return f"{rounding.speedup(speedup)} = {faster:.2f} x {batch:.2f} ({concurrency:.0f})"
