"""The table of a sweep: what `compare` says, resumable, and never another sweep's."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

import infersim as sim
from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.files.locking import locked
from infersim.simulation.speedups.columns import with_joined_notes
from infersim.simulation.sweeping import running
from infersim.simulation.sweeping.grid import Grid
from infersim.simulation.sweeping.parts import METADATA, parts_folder
from infersim.simulation.sweeping.resolved import resolve_sweep
from infersim.simulation.sweeping.table import SETTING_COLUMNS, grid_parquet
from tests.simulation.sweeping.examples import CHUNK_ROWS, PLAN, ROWS

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[3]
SMALL: dict[str, object] = {
    "model": "llama-3.2-1b",
    "gpu": ["l4", "h100-sxm"],
    "family": ["static-nk", "dynamic-m"],
    "sparsity": [0.25, 0.5],
    "batch": [1, 8],
    "context": [512, 4096],
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's table, undisturbed."""
    out = tmp_path_factory.mktemp("sweep") / "whole.parquet"
    sim.sweep(PLAN, out, chunk_rows=CHUNK_ROWS)
    return out


def resumable(whole: Path, out: Path, keep: int) -> None:
    """Leave beside `out` what a sweep killed after `keep` chunks leaves."""
    said = json.loads(pq.read_schema(whole).metadata[METADATA])
    folder = parts_folder(out)
    folder.mkdir()
    (folder / "sweep.json").write_text(json.dumps(said["identity"]))
    for index, chunk in enumerate(resolve_sweep(PLAN).chunks(CHUNK_ROWS)[:keep]):
        content = grid_parquet(chunk)
        named = f"{index:06}-{hashlib.sha256(content).hexdigest()[:16]}.parquet"
        (folder / named).write_bytes(content)


def test_rows_are_those_of_compare() -> None:
    frame = sim.sweep(SMALL).frame()
    model = sim.load_model("llama-3.2-1b")
    plans = [sim.prune(model, family, s) for family in ("static-nk", "dynamic-m") for s in (0.25, 0.5)]
    parts = [
        sim.compare(model, plans, ["l4", "h100-sxm"], phase=phase, batch=[1, 8], context=[512, 4096])
        for phase in ("prefill", "decode")
    ]
    expected = with_joined_notes(pd.concat(parts, ignore_index=True))
    text = frame.select_dtypes("category").columns
    plain = frame.astype(dict.fromkeys(text, object)).drop(columns=[*SETTING_COLUMNS, "pruning"])
    pd.testing.assert_frame_equal(plain, expected, check_exact=True, check_dtype=False)
    said = frame[list(SETTING_COLUMNS)].drop_duplicates().iloc[0].to_dict()
    assert said == {
        "request": "",
        "dtype": "bf16",
        "kv_dtype": "bf16",
        "execution": "fused",
        "cuda_graph": True,
    }
    assert list(frame["pruning"].unique()) == ["static-nk", "dynamic-m"]


def test_requests_and_settings_are_told_in_every_row(whole: Path) -> None:
    frame = pd.read_parquet(whole)
    assert len(frame) == ROWS
    assert (frame.groupby(["gpu", "phase", "dtype", "kv_dtype"], observed=True).size() % 5 == 0).all()
    requests = frame[frame["request"] != ""]
    assert set(requests["request"]) == {"64+2"}
    assert set(requests["phase"]) == {"request"}
    assert set(frame.loc[frame["gpu"] == "a100-sxm-80gb", "dtype"]) == {"bf16"}
    assert not frame.duplicated(
        ["gpu", "plan", "phase", "request", "batch", "context", "dtype", "kv_dtype"]
    ).any()


def test_the_file_has_a_row_group_for_each_chunk_and_says_what_it_is(whole: Path) -> None:
    chunks = resolve_sweep(PLAN).chunks(CHUNK_ROWS)
    metadata = pq.read_metadata(whole)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [
        c.rows for c in chunks
    ]
    said = json.loads(pq.read_schema(whole).metadata[METADATA])
    assert {each["what"] for each in said["left_out"]} == {"static-k-2:4 at 0.25", "fp8 on a100-sxm-80gb"}
    assert list(whole.parent.iterdir()) == [whole]


def test_in_memory_and_chunk_by_chunk_it_is_the_same_table(whole: Path) -> None:
    result = sim.sweep(PLAN, chunk_rows=CHUNK_ROWS)
    assert result.rows == ROWS
    pd.testing.assert_frame_equal(result.frame(), pd.read_parquet(whole), check_exact=True)


def test_processes_of_this_machine_compute_the_same_file(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    sim.sweep(PLAN, out, workers=2, chunk_rows=CHUNK_ROWS)
    assert out.read_bytes() == whole.read_bytes()


def test_a_sweep_goes_on_with_the_chunks_that_are_missing(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.parquet"
    resumable(whole, out, keep=7)
    _part(out, 3).unlink()
    (parts_folder(out) / "000008.unfinished").write_bytes(b"cut off")
    computed: list[Grid] = []

    def counting(grid: Grid) -> bytes:
        computed.append(grid)
        return grid_parquet(grid)

    monkeypatch.setattr(running, "grid_parquet", counting)
    sim.sweep(PLAN, out, chunk_rows=CHUNK_ROWS)
    chunks = resolve_sweep(PLAN).chunks(CHUNK_ROWS)
    assert len(computed) == len(chunks) - 6
    assert computed[0].rows == chunks[3].rows
    assert out.read_bytes() == whole.read_bytes()
    assert not parts_folder(out).exists()


def test_a_finished_sweep_is_not_computed_again(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "grid_parquet", None)
    parts_folder(whole).mkdir()  # as a kill right after the last renaming leaves it
    assert sim.sweep(PLAN, whole, chunk_rows=CHUNK_ROWS).rows == ROWS
    assert not parts_folder(whole).exists()


def test_a_damaged_part_is_told(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    resumable(whole, out, keep=5)
    part = _part(out, 2)
    content = part.read_bytes()
    for damaged in (content[:-100], content[:200] + b"????" + content[204:], _part(out, 1).read_bytes()):
        part.write_bytes(damaged)
        told = r"000002-\w+\.parquet: content = 'damaged'.*delete"
        with pytest.raises(InfersimError, match=told):
            sim.sweep(PLAN, out, chunk_rows=CHUNK_ROWS)
    part.unlink()
    sim.sweep(PLAN, out, chunk_rows=CHUNK_ROWS)
    assert out.read_bytes() == whole.read_bytes()


def _part(out: Path, index: int) -> Path:
    (part,) = parts_folder(out).glob(f"{index:06}-*.parquet")
    return part


def test_what_is_not_the_sweeps_stays_in_the_folder_of_parts(whole: Path) -> None:
    parts_folder(whole).mkdir()
    mine = parts_folder(whole) / "thesis.txt"
    mine.write_text("all of it", encoding="utf-8")
    sim.sweep(PLAN, whole, chunk_rows=CHUNK_ROWS)
    assert mine.read_text(encoding="utf-8") == "all of it"
    mine.unlink()
    parts_folder(whole).rmdir()


def test_what_is_named_twice_counts_once() -> None:
    families = ["static-m", {"name": "static-m"}, {"name": "dynamic-m", "target": ["ffn", "ffn"]}]
    asked = {"model": "llama-3.2-1b", "gpu": "l4", "sparsity": 0.5, "context": 512, "phase": "decode"}
    assert list(sim.sweep({**asked, "family": families}).frame()["family"]) == ["static-m", "dynamic-m"]


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (("plan", "sparsity"), r"plan\.sparsity = 'other'.*\[0\.25, 0\.5\]"),
        (("version of infersim",), r"version of infersim = 'other'.*\d"),
        (("gpus", "l4"), r"gpus\.l4 = 'other'"),
        (("models", "llama-3.2-1b"), r"models\.llama-3\.2-1b = 'other'"),
        (("chunk_rows",), r"chunk_rows = 'other'.*8"),
    ],
)
def test_another_sweeps_table_is_refused_and_kept(
    whole: Path, tmp_path: Path, keys: tuple[str, ...], told: str, finished: bool
) -> None:
    out = tmp_path / "out.parquet"
    said = json.loads(pq.read_schema(whole).metadata[METADATA])
    *path, last = keys
    inner = said["identity"]
    for key in path:
        inner = inner[key]
    inner[last] = "other"
    if finished:
        schema = pq.read_schema(whole).with_metadata({METADATA: json.dumps(said).encode()})
        pq.write_table(pq.read_table(whole).cast(schema), out)
        place = out
    else:
        parts_folder(out).mkdir()
        place = parts_folder(out) / "sweep.json"
        place.write_text(json.dumps(said["identity"]))
        (parts_folder(out) / "000000.parquet").write_bytes(b"rows")
    before = place.read_bytes()
    with pytest.raises(InfersimError, match=told) as caught:
        sim.sweep(PLAN, out, chunk_rows=CHUNK_ROWS)
    assert f"delete {out if finished else parts_folder(out)}" in str(caught.value)
    assert place.read_bytes() == before


def test_a_changed_profile_is_another_sweep() -> None:
    first = resolve_sweep(SMALL).identity
    slower = {**SMALL, "gpu": [{"name": "l4", "set": {"memory.bandwidth_gb_s": 299}}, "h100-sxm"]}
    assert first == resolve_sweep(SMALL).identity
    assert first["gpus"] != resolve_sweep(slower).identity["gpus"]


def test_a_folder_that_no_sweep_made_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    parts_folder(out).mkdir()
    mine = parts_folder(out) / "mine.txt"
    mine.write_text("precious")
    with pytest.raises(InfersimError, match=r"content = 'mine\.txt'.*sweep\.json"):
        sim.sweep(SMALL, out)
    assert mine.read_text() == "precious"


def test_a_file_that_no_sweep_made_is_left_alone(tmp_path: Path) -> None:
    for name, content in (("text.parquet", b"hello"), ("table.parquet", None)):
        out = tmp_path / name
        if content is None:
            pd.DataFrame({"a": [1]}).to_parquet(out)
        else:
            out.write_bytes(content)
        before = out.read_bytes()
        with pytest.raises(InfersimError, match="another file"):
            sim.sweep(SMALL, out)
        assert out.read_bytes() == before


def test_two_processes_do_not_write_one_table(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    resumable(whole, out, keep=2)
    with (
        locked(parts_folder(out) / ".lock", "busy"),
        pytest.raises(InfersimError, match="another sweep is writing it"),
    ):
        sim.sweep(PLAN, out, chunk_rows=CHUNK_ROWS)
    sim.sweep(PLAN, out, chunk_rows=CHUNK_ROWS)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("table.csv", "table.csv"),
        ("gone/table.parquet", "gone/table.parquet"),
        ("folder", "folder"),
    ],
)
def test_places_that_are_none_are_told(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidValueError, match=told):
        sim.sweep(SMALL, tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]


def test_a_folder_that_cannot_be_written_is_told() -> None:
    with pytest.raises(InfersimError, match=r"/proc/table\.parquet.*can be written"):
        sim.sweep(SMALL, "/proc/table.parquet")


def test_a_full_disk_is_told_and_loses_nothing(whole: Path, tmp_path: Path) -> None:
    """Files larger than a part's cannot be written: all parts are kept, the whole table is not begun."""
    out = tmp_path / "out.parquet"
    code = (
        "import resource, sys, infersim as sim\n"
        "from infersim.domain.errors import InfersimError\n"
        "from tests.simulation.sweeping.examples import CHUNK_ROWS, PLAN\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n    sim.sweep(PLAN, sys.argv[1], chunk_rows=CHUNK_ROWS)\n"
        "except InfersimError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert "cannot be written" in done.stdout
    assert str(out) in done.stdout
    chunks = resolve_sweep(PLAN).chunks(CHUNK_ROWS)
    assert len(list(parts_folder(out).glob("*.parquet"))) == len(chunks)
    assert not out.exists()
    sim.sweep(PLAN, out, chunk_rows=CHUNK_ROWS)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("workers", [0, -1, 10_000])
def test_impossible_numbers_of_workers_are_told(workers: int) -> None:
    with pytest.raises(InvalidValueError, match="workers"):
        sim.sweep(SMALL, workers=workers)


def test_an_impossible_chunk_is_told() -> None:
    with pytest.raises(InvalidValueError, match="chunk_rows = 0"):
        sim.sweep(SMALL, chunk_rows=0)


def test_a_chunk_that_fails_is_told_and_the_others_are_kept(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.parquet"
    computed: list[Grid] = []

    def failing(grid: Grid) -> bytes:
        computed.append(grid)
        if len(computed) == 4:
            raise MemoryError("no more")
        return grid_parquet(grid)

    with monkeypatch.context() as patch:
        patch.setattr(running, "grid_parquet", failing)
        with pytest.raises(InfersimError, match=r"MemoryError\('no more'\)"):
            sim.sweep(PLAN, out, chunk_rows=CHUNK_ROWS)
    assert len(list(parts_folder(out).glob("*.parquet"))) == 3
    sim.sweep(PLAN, out, chunk_rows=CHUNK_ROWS)
    assert out.read_bytes() == whole.read_bytes()
