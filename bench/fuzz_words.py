"""Hostile words and values, and ways to spoil a text or a tree: what the fuzzer makes its inputs of."""

from __future__ import annotations

import copy
import datetime
import decimal
import math
import random
from typing import Any

import numpy as np

NUMBERS = (
    *(
        "0",
        "-1",
        "1",
        "2",
        "7",
        "0.5",
        "1.5",
        "-0.0",
        "1e3",
        "1e9",
        "1e16",
        "1e300",
        "1e999",
        "-1e999",
        "nan",
    ),
    *(
        "inf",
        "-inf",
        "9" * 40,
        "9" * 5000,
        "0x10",
        "1_000",
        "１２",
        "٣",
        "1,",
        ",1",
        "1,,2",
        "1;2",
        "4:4",
        "2:4",
    ),
    *(
        "1:100:5",
        "1:1e9:1e9",
        "0:0:0",
        "a:b:c",
        "0.25,0.5",
        "0.999999999",
        "1e-320",
        "4096",
        "131072",
        "8" * 17,
    ),
)
TEXTS = (
    *(
        "",
        " ",
        "\t",
        "\n",
        "\0",
        "a\0b",
        "none",
        "None",
        "null",
        "true",
        "auto",
        "all",
        "=1+1",
        "@x",
        "+",
        "-",
        "--",
    ),
    *(
        "é",
        "😀",
        "\ud800",
        "\u2028",
        "\u202etxt",
        "[red]x[/red]",
        "{0}",
        "%s",
        "%n",
        "$(x)",
        "`x`",
        "'",
        '"',
        "\\",
    ),
    *(
        "a" * 300,
        "x" * 70_000,
        "../..",
        ".",
        "/",
        "~",
        "*",
        "[",
        "]",
        "{}",
        "[]",
        "<b>",
        "a,b",
        "a=b",
        "a/b=c",
        "/=",
    ),
    *(
        "bf16",
        "fp8",
        "int8",
        "w4a16",
        "fp4",
        "decode",
        "prefill",
        "both",
        "gemm",
        "attention",
        "static-m",
        "2:4",
    ),
    *(
        "static-m/target=ffn",
        "dynamic-m/execution=gather",
        "static-m/sparsity=0.5",
        "a.toml",
        "x.json",
        "generation",
    ),
)
GPUS = ("h100-sxm", "l4", "a100-sxm-80gb", "mi300x", "v100-sxm", "t4", "h100-sxm,l4", "NVIDIA H100 80GB HBM3")
MODELS = ("llama-3.2-1b", "llama-3.1-8b", "qwen3-0.6b", "mixtral-8x7b")
FAMILIES = (
    *(
        "static-m",
        "static-nk",
        "static-k-2:4",
        "static-k-lowrank",
        "static-nk-cross",
        "dynamic-m",
        "dynamic-nk",
    ),
    *("kv-pruning", "all", "dynamic-m/execution=gather", "static-m/target=ffn", "kv-pruning/score=window"),
)
"""Names that are known, so that inputs get past the first check."""


def word(chance: random.Random) -> str:
    """A hostile word of a command line."""
    return chance.choice(chance.choice((NUMBERS, TEXTS)))


def value(chance: random.Random, depth: int = 0) -> Any:
    """A hostile value of a JSON or TOML tree."""
    plain: tuple[Any, ...] = (
        *(0, 1, -1, 2, 10**6, 10**18, 10**400, 0.5, -0.5, 1e-320, 1e300, math.nan, math.inf, -math.inf),
        *(True, False, None, "", "x", "bf16", "h100-sxm", "1", "a" * 3000, "\0", "\ud800", [], {}),
    )
    if depth < 3 and chance.random() < 0.15:
        return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
    if depth < 3 and chance.random() < 0.1:
        return {chance.choice(("name", "a", "", "rows", "m")): value(chance, depth + 1)}
    return chance.choice(plain)


def argument(chance: random.Random) -> Any:
    """A hostile value of a Python argument."""
    rich: tuple[Any, ...] = (
        *(
            np.nan,
            np.float32(3),
            np.int8(5),
            np.array([]),
            np.array([1, 2]),
            np.array([[1], [2]]),
            np.array("x"),
        ),
        *(
            np.array([1.5, np.nan]),
            np.array([True]),
            np.array([1, "a"], dtype=object),
            np.ma.masked_array([1, 2], [False, True]),
        ),
        *(
            np.array([1 + 2j]),
            np.datetime64("2026-01-01"),
            np.arange(3, dtype=np.uint64),
            b"bytes",
            bytearray(b"x"),
        ),
        *(
            1 + 2j,
            decimal.Decimal("NaN"),
            datetime.date(2026, 1, 1),
            object(),
            object,
            len,
            range(3),
            range(0),
            {1, 2},
        ),
        *(
            (),
            (1, 2),
            [[1], [2, 3]],
            [[]],
            ["a"],
            [None],
            iter([1, 2]),
            {"a": 1},
            {"m": float("nan")},
            Ellipsis,
            2**70,
        ),
    )
    return chance.choice(rich) if chance.random() < 0.5 else value(chance)


def spoilt_text(chance: random.Random, text: str) -> bytes:
    """The text with some of it cut, doubled, replaced or no text at all."""
    data = text.encode("utf-8", "surrogatepass")
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(data) + 1)
        end = min(at + chance.choice((1, 3, 30, 1000)), len(data))
        way = chance.randrange(6)
        if way == 0:
            data = data[:at]
        elif way == 1:
            data = data[:at] + data[end:]
        elif way == 2:
            data = data[:end] + data[at:]
        elif way == 3:
            data = (
                data[:at] + bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9))) + data[end:]
            )
        elif way == 4:
            data = data[:at] + word(chance).encode("utf-8", "surrogatepass") + data[end:]
        else:
            deep = chance.choice((10, 200, 3000))
            data = data[:at] + chance.choice((b"[", b'{"a":', b"a.", b"(")) * deep + data[end:]
    return data


def spoilt_tree(chance: random.Random, tree: Any) -> Any:
    """A copy of a tree of dicts and lists in which a few nodes are others, gone, or there twice."""
    tree = copy.deepcopy(tree)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        places = list(_places(tree))
        if not places:
            return value(chance)
        holder, key = chance.choice(places)
        way = chance.randrange(5)
        if way == 0:
            del holder[key]
        elif way == 1 and isinstance(holder, dict):
            holder[chance.choice((str(key).upper(), f"{key} ", "", "x" * 2000, "extra"))] = value(chance)
        elif way == 2 and isinstance(holder, list):
            holder.insert(int(key), copy.deepcopy(holder[key]))
        elif way == 3 and isinstance(holder[key], int | float):
            holder[key] = chance.choice((-1, 0, 1e-9, 1e9, 1e30, -0.5, holder[key] * 2, str(holder[key])))
        else:
            holder[key] = value(chance)
    return tree


def _places(tree: Any) -> Any:
    """Every node of a tree as (what holds it, its key)."""
    if isinstance(tree, dict | list):
        for key in tree if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])
