"""plotly.js of the plotly that is installed: what draws a figure is then as old as what made it.

It comes with all its kinds of traces, and starting them takes most of the time to the first figure: a page
starts those that infersim draws.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from infersim.report.html.packing import packed

TRACES = frozenset({"scatter", "bar"})
"""Kinds of traces in infersim's figures; scatter is a part of the core."""

# How the bundle lists the kinds that it starts, holds a module, and names the kind in its module.
_STARTED = re.compile(r"\.register\(\[((?:[\w$]+\(\),?){20,})\]\)")
_MODULE = r"var {name}=[\w$]+\(\([\w$]*,?[\w$]*\)=>\{{(.*?)\}}\);var "
_ANOTHER = re.compile(r"\.exports=([\w$]+)\(\)$")
_KIND = re.compile(r'moduleType:"trace",name:"(\w+)"')

# A browser that meets the factory in brackets compiles it at once, not a second time when it is called.
_FACTORY = (": this, () => {", ": this, (() => {")
_FACTORY_END = ("return Plotly;\n}));", "return Plotly;\n})));")


def plotly_file() -> Path:
    """plotly.js, minified, in the package plotly."""
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


@cache
def packed_plotly() -> str:
    """plotly.js as a page carries it."""
    return packed(quick_to_start(plotly_file().read_text(encoding="utf-8")))


def quick_to_start(code: str) -> str:
    """`code` that starts no traces but TRACES; of another make than is known here it is left as it is."""
    started = _STARTED.search(code)
    if started is None:
        return code
    wanted = [call for call in started[1].split(",") if _kind(call.removesuffix("()"), code) in TRACES]
    if len(wanted) != len(TRACES - {"scatter"}):
        return code
    code = code.replace(started[0], f".register([{','.join(wanted)}])")
    if all(code.count(before) == 1 for before in (_FACTORY[0], _FACTORY_END[0])):
        code = code.replace(*_FACTORY).replace(*_FACTORY_END)
    return code


def _kind(name: str, code: str) -> str | None:
    """The kind of traces in the module `name`, which may be the name of another."""
    module = re.search(_MODULE.format(name=re.escape(name)), code, re.DOTALL)
    if module is None:
        return None
    if another := _ANOTHER.search(module[1]):
        return _kind(another[1], code)
    kind = _KIND.search(module[1])
    return kind[1] if kind else None
