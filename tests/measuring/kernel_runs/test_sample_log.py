"""The log: what it says, how it goes on after a cut, and what it refuses to go on with."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from infersim.domain.errors import FileContentError, InfersimError, InvalidValueError
from infersim.fitting.samples.reading import read_samples
from infersim.measuring.kernel_runs.sample_log import IDENTITY, check_log_path, open_log

ENVIRONMENT: dict[str, Any] = {"gpu": "fake-gpu", "device": "Fake", "plan": "tiny", "plan_sha256": "ab"}


def sample(m: int) -> dict[str, Any]:
    return {"gpu": "fake-gpu", "kind": "gemm", "dtype": "fp32", "m": m, "n": 64, "k": 64, "latency_us": 5.5}


def written(path: Path, rows: int = 3) -> bytes:
    with open_log(path, ENVIRONMENT) as log:
        for number in range(rows):
            log.append(number, sample(number + 1))
    return path.read_bytes()


def test_a_log_is_the_documented_format(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"

    lines = [json.loads(line) for line in written(log).splitlines()]

    assert lines[0] == {"record": "samples", "version": 1}
    assert lines[1] == {"record": "environment", **ENVIRONMENT}
    assert lines[2] == {"plan_row": 0, **sample(1)}
    read = read_samples(log)
    assert read.frame["m"].tolist() == [1, 2, 3]
    assert read.environment == ENVIRONMENT


def test_a_log_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    before = written(log)

    with open_log(log, ENVIRONMENT) as opened:
        assert opened.finished == {0, 1, 2}
        opened.append(7, sample(8))

    assert log.read_bytes().startswith(before)
    assert read_samples(log).frame["m"].tolist() == [1, 2, 3, 8]


@pytest.mark.slow
def test_wherever_a_log_is_cut_no_finished_line_is_lost(tmp_path: Path) -> None:
    """A kill can leave any prefix of the file; each one goes on, with all the lines that it holds in full."""
    whole = written(tmp_path / "whole.jsonl")
    log = tmp_path / "log.jsonl"
    for length in range(len(whole) + 1):
        log.write_bytes(whole[:length])
        with open_log(log, ENVIRONMENT) as opened:
            in_full = [line for line in whole[:length].splitlines() if line in whole.splitlines()]
            assert opened.finished == set(range(max(len(in_full) - 2, 0))), length
            for number in set(range(3)) - opened.finished:
                opened.append(number, sample(number + 1))
        assert log.read_bytes() == whole, length


@pytest.mark.parametrize("key", IDENTITY)
def test_another_plan_device_or_library_is_refused(tmp_path: Path, key: str) -> None:
    log = tmp_path / "log.jsonl"
    before = written(log)

    with pytest.raises(FileContentError, match=f"{key} = .*'other'"):
        open_log(log, {**ENVIRONMENT, key: "other"})

    assert log.read_bytes() == before


@pytest.mark.parametrize(
    "content", ['{"gpu": "h100-sxm"}\n', "gpu,kind\nh100-sxm,gemm\n", '{"record": "samples", "version": 9}\n']
)
def test_a_file_that_is_no_such_log_is_left_alone(tmp_path: Path, content: str) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(content)

    with pytest.raises(FileContentError):
        open_log(log, ENVIRONMENT)

    assert log.read_text() == content


def test_samples_without_an_environment_are_no_log_of_ours(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"record": "samples", "version": 1}\n{"gpu": "h100-sxm", "kind": "gemm"}\n')

    with pytest.raises(FileContentError, match=r"log\.jsonl.*measure kernels"):
        open_log(log, ENVIRONMENT)


def test_two_measurements_cannot_write_one_log(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with open_log(log, ENVIRONMENT), pytest.raises(InfersimError, match="another measurement"):
        open_log(log, ENVIRONMENT)


def test_a_full_disk_is_told_and_takes_nothing_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log.jsonl"
    before = written(log)
    write = os.write

    def full(descriptor: int, text: bytes) -> int:
        write(descriptor, text[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with open_log(log, ENVIRONMENT) as opened:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(InfersimError, match=r"log\.jsonl.*No space left on device"):
            opened.append(3, sample(4))

    assert log.read_bytes() == before


def test_a_write_that_comes_short_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log.jsonl"
    before = written(log)
    write = os.write

    with open_log(log, ENVIRONMENT) as opened:
        monkeypatch.setattr(os, "write", lambda descriptor, text: write(descriptor, text[:10]))
        with pytest.raises(InfersimError, match="No space left"):
            opened.append(3, sample(4))

    assert log.read_bytes() == before


def test_places_that_cannot_be_written_are_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidValueError, match=r"ends in \.jsonl"):
        check_log_path(tmp_path / "log.csv")
    with pytest.raises(InvalidValueError, match="a folder that exists"):
        check_log_path(tmp_path / "missing" / "log.jsonl")
    (tmp_path / "log.jsonl").touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(InfersimError, match="it is read-only"):
        check_log_path(tmp_path / "log.jsonl")


@pytest.mark.parametrize("content", [b'{"my": "results"}', b"\xff\x00\x80", b'{"record": "other"}\n'])
def test_a_file_that_is_no_log_is_refused_and_stays(tmp_path: Path, content: bytes) -> None:
    log = tmp_path / "notes.jsonl"
    log.write_bytes(content)
    with pytest.raises(FileContentError, match="a measurement log"):
        open_log(log, ENVIRONMENT)
    assert log.read_bytes() == content


@pytest.mark.parametrize("row", ["three", "3", 1.5, -1, True, None, [3], 2**60, 1e400])
def test_a_row_of_the_plan_that_is_no_number_is_told_with_its_line(tmp_path: Path, row: object) -> None:
    log = tmp_path / "log.jsonl"
    before = written(log) + json.dumps({"plan_row": row, **sample(1)}).encode() + b"\n"
    log.write_bytes(before)
    with (
        pytest.raises(FileContentError, match=r"log.jsonl: line 6: plan_row = .*a row of the plan"),
        open_log(log, ENVIRONMENT),
    ):
        pass
    assert log.read_bytes() == before
