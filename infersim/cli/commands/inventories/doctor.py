"""`infersim doctor`: what is installed, and what of it works on this machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from infersim.cli.options import CsvOption, JsonOption

EXTRAS = {
    "measure": ("torch", "nvidia-ml-py"),
    "png": ("kaleido",),
    "dask": ("distributed",),
    "app": ("dash",),
    "notebooks": ("jupyterlab", "nbconvert"),
}
"""Optional extras, and the packages that each needs."""

LIBRARIES = ("numpy", "scipy", "pandas", "pyarrow", "plotly", "pydantic", "typer", "rich")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: what it is, what was found, and what follows from it."""

    what: str
    found: str
    note: str = ""


def doctor_command(as_json: JsonOption = False, as_csv: CsvOption = False) -> None:
    """Say what is installed: versions, optional extras, whether a GPU and a browser are found, and data."""
    import pandas as pd

    from infersim.cli.printing import print_answer, printed_for_machines
    from infersim.report.core.screen import Answer
    from infersim.report.core.table import Table, text_column
    from infersim.report.core.verdict import Verdict

    findings = [_program(), *_libraries(), *_extras(), _gpu(), _browser(), _data()]
    frame = pd.DataFrame([asdict(each) for each in findings])
    if printed_for_machines(frame, as_json=as_json, as_csv=as_csv):
        return
    missing = [each.what for each in findings if each.found == MISSING]
    sentence = "Predicting works; no command but `measure` needs a GPU."
    if missing:
        sentence += f" Not there: {', '.join(missing)}."
    table = Table(
        title="",
        frame=frame,
        columns=(text_column("what", "what"), text_column("found", "found"), text_column("note", "note")),
    )
    print_answer(Answer(verdict=Verdict(sentences=(sentence,)), tables=(table,)), full=False)


MISSING = "not found"


def version_of(package: str) -> str | None:
    """The installed version of a package, without loading it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _program() -> Finding:
    import platform
    from pathlib import Path

    import infersim

    where = str(Path(infersim.__file__).parent)
    found = f"{version_of('infersim') or 'not installed'}, Python {platform.python_version()}"
    return Finding(what="infersim", found=found, note=where)


def _libraries() -> list[Finding]:
    return [Finding(what=name, found=version_of(name) or MISSING) for name in LIBRARIES]


def _extras() -> list[Finding]:
    """Which extras are whole."""
    rows = []
    for extra, packages in EXTRAS.items():
        versions = {package: version_of(package) for package in packages}
        lacking = [package for package, found in versions.items() if found is None]
        found = ", ".join(f"{package} {version}" for package, version in versions.items() if version)
        note = f"pip install 'infersim[{extra}]' adds {', '.join(lacking)}" if lacking else ""
        rows.append(Finding(what=f"extra {extra}", found=MISSING if lacking else found, note=note))
    return rows


def _gpu() -> Finding:
    """The first GPU that the driver names; its tool is asked, so that no library is loaded."""
    import shutil
    import subprocess

    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding(what="GPU", found=MISSING, note="nvidia-smi is not there; needed by `measure` alone")
    query = [tool, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(what="GPU", found=MISSING, note=f"nvidia-smi gives no answer ({type(error).__name__})")
    names = done.stdout.strip().splitlines()
    if done.returncode or not names:
        return Finding(what="GPU", found=MISSING, note="nvidia-smi names none")
    more = f"{len(names)} of them" if len(names) > 1 else ""
    return Finding(what="GPU", found=f"{names[0]} (driver)", note=more)


def _browser() -> Finding:
    """A Chrome or Chromium, which draws figures for --figures."""
    import shutil

    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        return Finding(what="browser", found=MISSING, note="Chrome or Chromium; needed by --figures alone")
    return Finding(what="browser", found=path)


def _data() -> Finding:
    """How many GPUs come with the installation."""
    from infersim.files.locations import data_folder
    from infersim.profile_files.profiles import list_profiles

    return Finding(what="GPU profiles", found=f"{len(list_profiles())}", note=str(data_folder("hw_profiles")))
