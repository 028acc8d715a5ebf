"""On a real Dask cluster of two processes the table is the one that this process computes."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import pytest

from infersim.domain.errors import InfersimError
from infersim.simulation.sweeping.running import sweep
from tests.simulation.sweeping.examples import CHUNK_ROWS, PLAN

distributed = pytest.importorskip("distributed")


@pytest.mark.slow
def test_a_cluster_computes_the_same_table(tmp_path: Path) -> None:
    here, there = tmp_path / "here.parquet", tmp_path / "there.parquet"
    sweep(PLAN, here, chunk_rows=CHUNK_ROWS)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        sweep(PLAN, there, scheduler=cluster.scheduler_address, chunk_rows=CHUNK_ROWS)
    assert there.read_bytes() == here.read_bytes()


def test_a_scheduler_that_does_not_answer_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infersim.simulation.sweeping.engines.CONNECT_S", 1)
    out = tmp_path / "table.parquet"
    with pytest.raises(InfersimError, match=r"Dask.*tcp://127\.0\.0\.1:9"):
        sweep(PLAN, out, scheduler="tcp://127.0.0.1:9", chunk_rows=CHUNK_ROWS)
    assert list(tmp_path.iterdir()) == []


def test_where_dask_is_not_installed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InfersimError, match=r"pip install 'infersim\[dask\]'"):
        sweep(PLAN, scheduler="tcp://127.0.0.1:9")


def test_an_address_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(InfersimError, match=r"Dask.*nonsense://x"):
        sweep(PLAN, tmp_path / "table.parquet", scheduler="nonsense://x")


def test_no_garbage_is_collected_while_a_client_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that never connected, collected then, would wait for the lock that the new one holds."""
    collecting = []

    def client(address: str, **_: object) -> None:
        collecting.append(gc.isenabled())
        raise OSError(address)

    monkeypatch.setattr(distributed, "Client", client)
    with pytest.raises(InfersimError, match="no Dask scheduler"):
        sweep(PLAN, tmp_path / "table.parquet", scheduler="tcp://127.0.0.1:9")
    assert collecting == [False]
    assert gc.isenabled()
