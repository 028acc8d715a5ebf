"""How numbers are written for people: the one place where they are rounded.

| quantity | rule |
|---|---|
| speedup | two decimals and an x: `1.71x` |
| factor of the chain | three decimals, since factors lie near 1 and multiply: `0.724` |
| fraction | percent with at most one decimal: `50 %`, `49.8 %` |
| share of a time, attainment | whole percent: `97 %` |
| difference | whole percent with a sign: `+4 %` |
| difference or half-width in natural log | what it adds, as a fraction |
| time, rate | three significant digits, or all digits before the point: `0.052`, `12.7`, `1,997` |
| FLOPs, bytes | three significant digits and a decimal prefix: `4.29 GB` |

An unknown number (NaN) is a dash. Data for machines (`--json`, `--csv`, the page's CSV) is never rounded.
"""

from __future__ import annotations

import math

UNKNOWN = "–"

AS_REQUESTED = 0.005
"""A sparsity that came out nearer than this to the one asked for is not told apart from it."""

_PREFIXES = ("", "k", "M", "G", "T", "P", "E")


def speedup(value: float) -> str:
    """`1.71x`."""
    return UNKNOWN if math.isnan(value) else f"{value:.2f}x"


def speedup_between(value: float, low: float, high: float) -> str:
    """`1.71x (1.63–1.80)`: a speedup and its interval."""
    return f"{speedup(value)} ({interval(low, high)})"


def interval(low: float, high: float) -> str:
    """`1.63–1.80`, the bounds of a speedup."""
    return UNKNOWN if math.isnan(low) or math.isnan(high) else f"{low:.2f}–{high:.2f}"


def factor(value: float) -> str:
    """`0.724`; with an arrow where it is a gain: `↑1.230`."""
    if math.isnan(value):
        return UNKNOWN
    text = f"{value:.3f}"
    return f"↑{text}" if float(text) > 1 else text


def fraction(value: float) -> str:
    """`50 %` or `49.8 %`."""
    if math.isnan(value):
        return UNKNOWN
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return f"{round(100 * value, 1) + 0.0:g} %"


def share(value: float) -> str:
    """`97 %`; `< 1 %` for what is little but not nothing."""
    if math.isnan(value):
        return UNKNOWN
    whole = round(100 * value)
    return "< 1 %" if value > 0 and whole == 0 else f"{whole} %"


def from_log(value: float) -> str:
    """`16.2 %`: a half-width or difference in natural log, 0.15, as the percent that it adds."""
    return fraction(math.expm1(value))


def difference(value: float) -> str:
    """`+4 %`, `-11 %`: how far one number is from another."""
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return UNKNOWN if math.isnan(value) else f"{round(100 * value) + 0.0:+.0f} %"


def quantity(value: float) -> str:
    """Three significant digits, or all before the point: `0.052`, `12.7`, `1,997`."""
    if math.isnan(value):
        return UNKNOWN
    if value == 0:
        return "0"
    digits_before = math.floor(math.log10(abs(value))) + 1
    return f"{value:,.{max(0, 3 - digits_before)}f}"


def quantity_between(value: float, low: float, high: float) -> str:
    """`38.0 (26.8–54.0)`: a value and its interval."""
    return f"{quantity(value)} ({quantity(low)}–{quantity(high)})"


def duration(ms: float, low_ms: float, high_ms: float) -> str:
    """`38.0 ms (26.8–54.0)`, from ten seconds on in seconds: `211 s (150–296)`."""
    scale, unit = (1e3, "s") if ms >= 1e4 else (1.0, "ms")
    return f"{quantity(ms / scale)} {unit} ({quantity(low_ms / scale)}–{quantity(high_ms / scale)})"


def prefixed(value: float, unit: str) -> str:
    """`4.29 GB`: three significant digits with a decimal prefix."""
    if math.isnan(value):
        return UNKNOWN
    power = 0 if value < 1 else min(int(math.log10(value) // 3), len(_PREFIXES) - 1)
    return f"{quantity(value / 1000**power)} {_PREFIXES[power]}{unit}"


def count(value: float) -> str:
    """`32`, or `16.5` for an expected number."""
    return UNKNOWN if math.isnan(value) else f"{value:.10g}" if value == round(value) else f"{value:.1f}"
