"""Links, pipes, sockets, devices and names that are no text, at every place that a command reads or writes.

Each is refused in one message, before the work, and nothing is read, written or waited for.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infersim.domain.errors import InfersimError
from infersim.measuring.kernel_runs.sample_log import open_log
from tests.profile_files.example_files import write_example

Refused = Callable[..., str]

MODEL = ("-m", "llama-3.2-1b", "-c", "512")
ON = ("-g", "l4")
ON_CPU = ("--device", "cpu")

READING = {
    "a config": ("predict", "-m", "{}.json", *ON, "-c", "9"),
    "a checkpoint": ("predict", "-m", "{}.safetensors", *ON, "-c", "9"),
    "a datasheet": ("predict", *MODEL, "-g", "./{}.toml"),
    "a plan": ("compare", *MODEL, *ON, "--plan", "{}.toml"),
    "a plan of others in JSON": ("compare", *MODEL, *ON, "--plan", "{}.json"),
    "a plan of others in YAML": ("compare", *MODEL, *ON, "--plan", "{}.yaml"),
    "a list of layers": ("compare", *MODEL, *ON, "--plan", "{}.txt"),
    "a pruned config": ("compare", *MODEL, *ON, "--pruned-config", "{}.json"),
    "measured speedups": ("compare", *MODEL, *ON, "--measured", "{}.csv"),
    "measured speedups in Parquet": ("compare", *MODEL, *ON, "--measured", "{}.parquet"),
    "benchmark results": ("compare", *MODEL, *ON, "--measured", "{}.txt"),
    "losses of quality": ("frontier", *MODEL, *ON, "--quality", "{}.csv"),
    "samples to fit": ("calibrate", "l4", "{}.parquet"),
    "samples in CSV": ("validate", "l4", "{}.csv"),
    "a measurement log": ("validate", "l4", "{}.jsonl"),
    "a fit": ("validate", "l4", "samples.csv", "--fit", "{}.json"),
    "a source's table": ("import", "neusight", "{}.csv", "-o", "out.csv"),
    "a source's Parquet": ("import", "aiconfigurator", "{}.parquet", "-o", "out.csv"),
    "speedups beside losses": ("frontier", "-m", "llama-2-7b", *ON, "-c", "9", "--measured", "{}.csv"),
    "a fit to start from": ("calibrate", "l4", "samples.csv", "--fit", "{}.json"),
    "a GPU's page": ("gpus", "./{}.toml"),
    "a datasheet of a kernel": ("gemm", "1", "2", "3", "-g", "./{}.toml"),
    "a datasheet to fit": ("calibrate", "./{}.toml", "samples.csv"),
    "a datasheet of a pool": ("calibrate", "--pool", "./{}.toml", "-o", "pool.json"),
    "a model to be advised on": ("advise", "-m", "{}.json", *ON, "-c", "9"),
    "a benchmark in JSON": ("import", "nvbench", "{}.json", "-o", "out.csv"),
    "a trace": ("import", "torch-profiler", "{}.json", "-o", "out.csv"),
    "measurements in JSON": ("import", "torch-benchmark", "{}.json", "-o", "out.csv"),
    "a model to be measured": ("measure", "model", "-m", "{}.json", "-c", "9", *ON_CPU, "-o", "out.csv"),
    "a plan to be measured": ("measure", "model", *MODEL, *ON_CPU, "--plan", "{}.toml", "-o", "out.csv"),
    "a measured GPU": ("measure", "kernels", *ON_CPU, "-g", "./{}.toml", "-o", "out.jsonl"),
    "a sweep's plan": ("sweep", "./{}.toml", "-o", "out.parquet"),
    "a measurement plan": ("measure", "kernels", "--device", "cpu", "--plan", "./{}.toml", "-o", "out.jsonl"),
}

WRITING = {
    "a page": ("predict", *MODEL, *ON, "--html", "{}"),
    "a comparison's page": ("compare", *MODEL, *ON, "--html", "{}"),
    "a frontier's page": ("frontier", *MODEL, *ON, "--html", "{}"),
    "an advice's page": ("advise", *MODEL, *ON, "--html", "{}"),
    "a reproduction's page": ("reproduce", "beyond-flops", "--html", "{}"),
    "a fit": ("calibrate", "l4", "samples.csv", "-o", "{}"),
    "a calibration's page": ("calibrate", "l4", "samples.csv", "--html", "{}"),
    "a pool": ("calibrate", "--pool", "-o", "{}"),
    "a validation's page": ("validate", "l4", "samples.csv", "--html", "{}"),
    "predictions": ("validate", "l4", "samples.csv", "--predictions", "{}.csv"),
    "samples": ("import", "neusight", "samples.csv", "-o", "{}.csv"),
    "a sweep": ("sweep", "./small.toml", "-o", "{}.parquet"),
    "a sweep's page": ("sweep", "./small.toml", "-o", "out.parquet", "--html", "{}"),
    "a measurement log": ("measure", "kernels", "--device", "cpu", "-o", "{}.jsonl"),
    "a machine's profile": ("measure", "machine", "-o", "{}.toml"),
    "measured speedups": ("measure", "model", *MODEL, "--device", "cpu", "-o", "{}.csv"),
}

SWEEP = """
model = ["llama-3.2-1b"]
gpu = ["l4"]
phase = ["decode"]
context = [512]
family = ["static-m"]
sparsity = [0.5]
"""

NO_UTF_8 = "\udcff\udcfe"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder; a command that waits for a file is interrupted."""
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(SWEEP)
    Path("samples.csv").write_text("gpu,kind,dtype,m,n,k,latency_us\nl4,gemm,bf16,16,4096,4096,100\n")

    def waited(*_: object) -> None:
        raise TimeoutError("the command waits")

    before = signal.signal(signal.SIGALRM, waited)
    signal.setitimer(signal.ITIMER_REAL, 20)
    yield tmp_path
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def put(kind: str, place: Path) -> None:
    """Something at `place` that is no regular file."""
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as heard:
            heard.bind(place.name)
    elif kind == "link to a device":
        place.symlink_to("/dev/zero")
    elif kind == "link to a file":
        Path("target").write_text("precious")
        place.symlink_to("target")
    elif kind == "link to nothing":
        place.symlink_to("nothing")
    else:
        place.mkdir()


def entries() -> list[str]:
    return sorted(map(str, Path().iterdir()))


@pytest.mark.parametrize("kind", ["pipe", "socket", "link to a device", "link to nothing"])
@pytest.mark.parametrize("place", READING)
def test_what_is_no_file_is_not_read(refused: Refused, folder: Path, place: str, kind: str) -> None:
    if READING[place][0] == "measure":
        pytest.importorskip("torch")
    arguments = [word.format("it") for word in READING[place]]
    (name,) = (Path(word).name for word in arguments if "it." in word)
    put(kind, folder / name)
    before = entries()
    message = refused(*arguments)
    assert name in message
    assert message.count("\n") == 1
    assert entries() == before


@pytest.mark.parametrize("place", READING)
def test_a_name_that_is_no_text_is_told(refused: Refused, folder: Path, place: str) -> None:
    arguments = [word.format(NO_UTF_8) for word in READING[place]]
    (name,) = (Path(word).name for word in arguments if NO_UTF_8 in word)
    (folder / name).write_bytes(b"")
    message = refused(*arguments)
    assert message.count("\n") == 1
    message.encode()


@pytest.mark.parametrize(
    "kind", ["pipe", "socket", "link to a device", "link to a file", "link to nothing", "folder"]
)
@pytest.mark.parametrize("place", WRITING)
def test_what_is_no_file_is_not_written(refused: Refused, folder: Path, place: str, kind: str) -> None:
    arguments = [word.format("it") for word in WRITING[place]]
    (name,) = (word for word in arguments if word.startswith("it"))
    put(kind, folder / name)
    before = entries()
    message = refused(*arguments)
    assert name in message
    assert message.count("\n") == 1
    assert entries() == before
    assert not Path("target").exists() or Path("target").read_text() == "precious"


@pytest.mark.parametrize("place", WRITING)
@pytest.mark.parametrize("name", [NO_UTF_8, "none/it", "a" * 300])
def test_a_place_that_cannot_be_is_told_before_the_work(
    refused: Refused, folder: Path, place: str, name: str
) -> None:
    assert Path.cwd() == folder
    before = entries()
    message = refused(*(word.format(name) for word in WRITING[place]))
    assert message.count("\n") == 1
    assert entries() == before
    message.encode()


@pytest.mark.parametrize("place", ["", ".", "/"])
def test_a_fit_that_has_no_name_is_told_before_the_work(refused: Refused, folder: Path, place: str) -> None:
    assert Path.cwd() == folder
    assert "this is a folder" in refused("calibrate", "l4", "samples.csv", "-o", place)


@pytest.mark.parametrize("kind", ["pipe", "socket", "link to nothing"])
def test_figures_need_a_folder(refused: Refused, folder: Path, kind: str) -> None:
    put(kind, folder / "it")
    assert "a folder" in refused("predict", *MODEL, *ON, "--figures", "it")


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "link to a device"])
def test_a_fit_beside_a_datasheet_is_no_less_looked_at(refused: Refused, folder: Path, kind: str) -> None:
    sheet = write_example(folder)
    put(kind, folder / f"{sheet.stem}.fit.json")
    assert f"{sheet.stem}.fit.json" in refused("predict", *MODEL, "-g", str(sheet), "--dtype", "bf16")


@pytest.mark.parametrize("kind", ["pipe", "link to a device", "link to nothing"])
def test_a_folder_with_such_a_config_is_refused(refused: Refused, folder: Path, kind: str) -> None:
    Path("model").mkdir()
    put(kind, folder / "model" / "config.json")
    assert "config.json" in refused("predict", "-m", "./model", *ON, "-c", "9")


@pytest.mark.parametrize("kind", ["pipe", "link to a file", "link to nothing"])
def test_a_lock_of_a_log_that_is_none_is_left_alone(folder: Path, kind: str) -> None:
    put(kind, folder / ".it.jsonl.lock")
    before = entries()
    with pytest.raises(InfersimError, match=r"\.it\.jsonl\.lock: cannot be written"):
        open_log(Path("it.jsonl"), {})
    assert entries() == before


@pytest.mark.parametrize("name", [".lock", "sweep.json"])
@pytest.mark.parametrize("kind", ["pipe", "link to a device", "link to a file"])
def test_what_was_put_into_a_sweeps_folder_is_left_alone(
    refused: Refused, folder: Path, kind: str, name: str
) -> None:
    parts = folder / "out.parquet.parts"
    parts.mkdir()
    put(kind, parts / name)
    assert name in refused("sweep", "./small.toml", "-o", "out.parquet")
    assert os.path.lexists(parts / name)
    assert not Path("target").exists() or Path("target").read_text() == "precious"


def test_a_link_in_the_place_of_a_sweeps_folder_is_refused(refused: Refused, folder: Path) -> None:
    mine = folder / "mine"
    mine.mkdir()
    Path("out.parquet.parts").symlink_to("mine")
    assert "this is a link" in refused("sweep", "./small.toml", "-o", "out.parquet")
    assert list(mine.iterdir()) == []
