"""Files are opened in two modules only: `opening` for reading, `writing` for writing.

The source is searched for every call that opens, makes, renames or removes a file. What may stay elsewhere is
listed with its reason; a library's reader or writer may be called where it is given such an open file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "infersim"

OWN = {"files/opening.py", "files/writing.py"}

ALLOWED = {
    "app/server.py: read_text": "files of packages: the page's look, and plotly",
    "cli/commands/app.py: open": "a page in the browser",
    "cli/streams.py: os.open": "the null device, in the place of a closed stream",
    "files/memory.py: read_text": "what Linux has free: /proc/meminfo",
    "files/locking.py: unlink": "the lock that it made",
    "simulation/search/programs/quiet.py: os.open": "the null device, for what a library prints past Python",
    "simulation/sweeping/parts.py: unlink": "parts of the sweep, when the table stands",
    "report/frontier/verdict.py: rename": "a column of a frame",
    "measuring/kernel_runs/supervision.py: TemporaryFile": "what a worker complains of; it has no name",
    "measuring/model/memory.py: write_text": "tells Linux to forget a peak: /proc/self/clear_refs",
    "report/html/figure_files.py: TemporaryDirectory": "kaleido writes by name: a private folder",
    "report/html/page.py: read_text": "a file of the package, which may lie in an archive",
    "report/html/plotly_js.py: read_text": "a file of the package plotly",
    "workload/presets.py: read_text": "a file of the package, which may lie in an archive",
}

METHODS = {
    "open", "write_text", "write_bytes", "read_text", "read_bytes", "touch", "mkdir", "makedirs", "unlink",
    "symlink_to", "hardlink_to", "symlink", "link", "truncate", "mkstemp", "mktemp",
    "mkdtemp", "NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory", "SpooledTemporaryFile",
    "copyfile", "copy2", "copytree", "rmtree", "savefig", "write_image", "write_html", "save", "savez",
    "savetxt", "tofile", "fromfile", "loadtxt", "genfromtxt", "mmap", "memory_map", "OSFile", "input_stream",
    "output_stream",
}  # fmt: skip
"""Calls that open, make, rename or remove a file by its name."""

READERS_AND_WRITERS = {
    "read_csv", "read_parquet", "read_json", "read_table", "read_schema", "read_metadata", "ParquetFile",
    "ParquetWriter", "write_table", "to_csv", "to_parquet", "to_json", "to_pickle", "to_excel", "to_feather",
    "parquet_writer", "GzipFile", "TextIOWrapper",
}  # fmt: skip
"""Calls of libraries that take a path or an open file."""

OPENERS = {"opened", "opened_text", "replacing"}
OPEN_TYPES = {"BinaryIO", "TextIO"}
OURS = {"read_text", "read_bytes", "write_bytes", "read_json"}
"""Functions of `opening`, `writing` and `foreign`, called by their bare names."""


def calls(source: str, module: str) -> Iterator[str]:
    """Every call in `source` that opens a file by a way of its own, as `module: name`."""
    for function in _functions(ast.parse(source)):
        handed = _open_files(function)
        for node in _own_nodes(function):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            owner = getattr(getattr(node.func, "value", None), "id", "")
            ours = name in OURS and (isinstance(node.func, ast.Name) or owner == "opening")
            if name in METHODS and not ours:
                yield f"{module}: {'os.open' if (owner, name) == ('os', 'open') else name}"
                continue
            library = name in READERS_AND_WRITERS and not ours and not _is_given_open_file(node, handed)
            if library or (name in ("replace", "rename") and _renames(node)):
                yield f"{module}: {name}"


def _functions(tree: ast.Module) -> list[ast.AST]:
    return [
        tree,
        *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)),
    ]


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Nodes below `function`, without those of functions inside it."""
    below = list(ast.iter_child_nodes(function))
    while below:
        node = below.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            below += ast.iter_child_nodes(node)


def _open_files(function: ast.AST) -> set[str]:
    """Names that hold open files: of `with opened(...) as name`, and parameters that are typed as such."""
    names = set()
    for node in _own_nodes(function):
        if isinstance(node, ast.withitem) and isinstance(node.context_expr, ast.Call):
            opener = getattr(node.context_expr.func, "id", getattr(node.context_expr.func, "attr", ""))
            if opener in OPENERS and isinstance(node.optional_vars, ast.Name):
                names.add(node.optional_vars.id)
    if isinstance(function, ast.FunctionDef):
        for argument in function.args.args:
            if argument.annotation is not None and ast.unparse(argument.annotation) in OPEN_TYPES:
                names.add(argument.arg)
    return names


def _is_given_open_file(node: ast.Call, handed: set[str]) -> bool:
    """Whether the first file that a library is given is open already, or lies in memory."""
    values = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg != "columns")]
    for value in values:
        if isinstance(value, ast.Name) and value.id in {*handed, "content"}:
            return True
        if isinstance(value, ast.Call) and getattr(value.func, "id", "") in ("BytesIO", "StringIO"):
            return True
    name, owner = getattr(node.func, "attr", ""), ast.unparse(getattr(node.func, "value", node))
    as_text = name in ("to_csv", "to_json") and not node.args
    method_of_open_writer = name == "write_table" and owner == "writer"
    return as_text or method_of_open_writer


def _renames(node: ast.Call) -> bool:
    """Whether `x.replace(y)` renames: of texts it takes two arguments, of records and frames keywords."""
    one = len(node.args) == 1 and not isinstance(node.args[0], ast.Starred)
    return isinstance(node.func, ast.Attribute) and one and not node.keywords


@cache
def found() -> frozenset[str]:
    return frozenset(
        call
        for path in sorted(PACKAGE.rglob("*.py"))
        if (module := path.relative_to(PACKAGE).as_posix()) not in OWN
        for call in calls(path.read_text(encoding="utf-8"), module)
    )


def test_no_other_place_opens_files() -> None:
    assert sorted(found() - set(ALLOWED)) == []


def test_what_is_allowed_is_still_there() -> None:
    assert sorted(set(ALLOWED) - found()) == []


@pytest.mark.parametrize(
    "code",
    [
        'open(path, "w")',
        "path.open()",
        "os.open(path, 0)",
        'path.write_text("x")',
        "path.read_bytes()",
        "frame.to_csv(path)",
        "frame.to_parquet(path, index=False)",
        "pq.write_table(table, path)",
        "pq.read_table(path)",
        "pd.read_csv(path)",
        "unfinished.replace(path)",
        "unfinished.rename(path)",
        "tempfile.mkstemp()",
        "gzip.open(path)",
        "path.unlink()",
    ],
)
def test_other_ways_are_noticed(code: str) -> None:
    assert len(list(calls(f"def function(path):\n    {code}\n", "module"))) == 1


@pytest.mark.parametrize(
    "code",
    [
        "with opened(path) as file:\n        pd.read_csv(file, skiprows=1)",
        "with replacing(path) as file:\n        pq.write_table(table, file)",
        "pq.read_table(BytesIO(raw))",
        'text = read_text(path, "plan")',
        "text = frame.to_csv(index=False)",
        'name = name.replace("-", "_")',
        "plan = scenarios.replace(batch=1)",
    ],
)
def test_the_one_way_is_not(code: str) -> None:
    assert list(calls(f"def function(path):\n    {code}\n", "module")) == []
