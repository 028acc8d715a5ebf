"""Hardware profiles by name or file: the datasheet with the fit that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import stat_result
from pathlib import Path

from infersim.domain.arguments import a_name_or_path, checked, refused
from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.domain.fit import KERNEL_SETS, Fit
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.files.locations import data_folder
from infersim.files.reading import read_toml
from infersim.profile_files.datasheets import parse_datasheet, profile_of, warn_of
from infersim.profile_files.fit_files import fit_path, read_fit
from infersim.profile_files.names import shipped_file, shipped_files
from infersim.profile_files.pool_files import shipped_pool, shipped_pool_path
from infersim.profile_files.relatives import differences
from infersim.transfer.borrowing import POOL_KERNELS, transferred_fit
from infersim.transfer.pool import Pool
from infersim.transfer.strangers import among_strangers, differs_between_engines


def list_profiles() -> tuple[str, ...]:
    """Canonical names of the GPUs that infersim ships a profile of, sorted."""
    return tuple(shipped_files())


def kernels_named(key: str, value: object) -> str | None:
    """A rule of arguments: None, or the name of a kernel set; which names there are, the profile says."""
    if value is None or isinstance(value, str):
        return value
    raise refused(key, value, f"None or the name of a kernel set: {', '.join(KERNEL_SETS)}")


def a_profile(key: str, value: object) -> HardwareProfile:
    """A rule of arguments: a profile as it is, or what `load_profile` makes of its name or file."""
    if isinstance(value, HardwareProfile):
        return value
    if isinstance(value, str | Path):
        return load_profile(value)
    raise refused(key, value, "a GPU: what load_profile returns, its name or a path to a .toml file")


@checked(name_or_path=a_name_or_path, kernels=kernels_named)
def load_profile(name_or_path: str | Path, kernels: str | None = None) -> HardwareProfile:
    """The profile of a GPU: `"h100-sxm"`, `"NVIDIA H100 80GB HBM3"` in any case, or a path to a `.toml`.

    The fit beside the file (`<gpu>.fit.json`) is read with it; without one, the fit of the GPU that the file
    names in `fit_from` is borrowed; what no fit says is transferred from the pool of other GPUs.

    Parameters
    ----------
    name_or_path
        A name, an alias, or a path to a `.toml`.
    kernels
        The engine whose kernels are predicted, where several were measured (`profile.kernel_sets`): a kind
        that was not measured with them is the default set's.

    Returns
    -------
    HardwareProfile
        The datasheet with its fit.

    Raises
    ------
    UnknownNameError
        For a name that is not known.
    InvalidValueError
        For a path that is no file.
    FileContentError
        For content that is not what it must be.

    Examples
    --------
    >>> import infersim as sim
    >>> sim.load_profile("NVIDIA H100 80GB HBM3").name
    'h100-sxm'
    """
    path = _file_of(name_or_path)
    if path.parent.resolve() == data_folder("hw_profiles").resolve():
        return _shipped(path).with_kernels(kernels)
    sheet = parse_datasheet(read_toml(path, path.name), path.name)
    warn_of(differences(sheet), sheet, path.name)
    profile = completed(_with_fit_beside(profile_of(sheet, path.name), path, sheet.fit_from))
    return profile.with_kernels(kernels)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A shipped profile, and the state of the files that it was read from."""

    profile: HardwareProfile
    files: tuple[Path, ...]
    state: tuple[tuple[int, int] | None, ...]


_READ: dict[Path, _Read] = {}
"""Shipped profiles by file: asking for one kernel after another by the GPU's name reads nothing twice."""


def _shipped(path: Path) -> HardwareProfile:
    """The profile of a shipped file, read anew where one of the files behind it has changed."""
    known = _READ.get(path)
    if known is not None and known.state == _state(known.files):
        return known.profile
    sheet = parse_datasheet(read_toml(path, path.name), path.name)
    lender = () if sheet.fit_from is None else (_lenders_fit(sheet.fit_from, path),)
    files = (path, fit_path(path), shipped_pool_path(), *lender)
    state = _state(files)
    profile = completed(_with_fit_beside(profile_of(sheet, path.name), path, sheet.fit_from))
    _READ[path] = _Read(profile=profile, files=files, state=state)
    return profile


def _state(files: tuple[Path, ...]) -> tuple[tuple[int, int] | None, ...]:
    """When each was changed and its size; None where there is no such file."""
    return tuple((found.st_mtime_ns, found.st_size) if (found := _stat(file)) else None for file in files)


def _stat(file: Path) -> stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None


def completed(profile: HardwareProfile) -> HardwareProfile:
    """The profile with what the pool expects of each kind of kernel that its fit, if it has one, lacks.

    The pool's word of this very GPU, if it is in the pool, is left out; of a CPU it says nothing.
    """
    pool = shipped_pool() if profile.kind == "gpu" else None
    if pool is None:
        return profile
    said = transferred_fit(profile, pool, without=(profile.name,), but=_settled(profile.fit))
    if said is None:
        return profile
    said = among_strangers(said)
    if profile.fit is None:
        return replace(profile, fit=said, calibration=Calibration.TRANSFERRED)
    fit = _beside_pooled_kernels(profile.fit, said, pool)
    return replace(profile, fit=replace(fit, kinds={**said.kinds, **fit.kinds}))


def _settled(fit: Fit | None) -> set[str]:
    """Kinds that the pool need not speak of: measured here, under its engine or whichever runs them alike."""
    if fit is None:
        return set()
    pooled = fit.default_kernels in (None, POOL_KERNELS)
    return {name for name in fit.kinds if pooled or not differs_between_engines(name)}


def _beside_pooled_kernels(fit: Fit, said: Fit, pool: Pool) -> Fit:
    """A fit of another engine's kernels with those of the pool's engine beside them, as the pool has them.

    Only kinds that differ between engines, and that nobody measured on this GPU under the pool's engine.
    """
    if fit.default_kernels in (None, POOL_KERNELS):
        return fit
    measured = fit.kernel_sets.get(POOL_KERNELS, {})
    pooled = {
        name: replace(kind, kernels=POOL_KERNELS)
        for name, kind in said.kinds.items()
        if name in pool.kinds and differs_between_engines(name)
    }
    return replace(fit, kernel_sets={**fit.kernel_sets, POOL_KERNELS: {**pooled, **measured}})


def datasheet_alone(profile: HardwareProfile) -> HardwareProfile:
    """The profile without fit, own, borrowed or transferred: all its parameters are defaults."""
    return replace(profile, fit=None, calibration=Calibration.NONE, fit_source=None)


def _with_fit_beside(profile: HardwareProfile, path: Path, fit_from: str | None) -> HardwareProfile:
    """The profile with its own fit, else with the one it borrows; as it is where there is neither."""
    own = fit_path(path)
    if own.exists():
        return replace(profile, fit=_fit_for(own, profile.name), calibration=Calibration.FITTED)
    if fit_from is None:
        return profile
    lender = _lenders_fit(fit_from, path)
    if not lender.exists():
        return profile
    return replace(
        profile,
        fit=_fit_for(lender, fit_from),
        calibration=Calibration.BORROWED,
        fit_source=fit_from,
    )


def with_fit(profile: HardwareProfile, path: str | Path) -> HardwareProfile:
    """`profile` with the fit in the file `path`, wherever that lies, instead of its own.

    Raises what `read_fit` raises, and FileContentError for the fit of another GPU.
    """
    fit = _fit_for(Path(path), profile.name)
    return completed(replace(profile, fit=fit, calibration=Calibration.FITTED, fit_source=None))


def _file_of(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if isinstance(name_or_path, Path):
            raise InvalidValueError("profile", str(path), "a name or a path to a .toml file")
        return shipped_file(name_or_path)
    if not path.is_file():
        raise InvalidValueError(
            "profile", str(path), f"an existing file, or one of {', '.join(list_profiles())}"
        )
    return path


def _lenders_fit(lender: str, borrower: Path) -> Path:
    """Where the fit of the GPU `lender` would lie: beside the borrowing file, or with infersim's own."""
    beside = borrower.with_name(f"{lender}.toml")
    if fit_path(beside).exists():
        return fit_path(beside)
    files = shipped_files()
    if lender not in files:
        raise FileContentError(borrower.name, "fit_from", lender, f"one of {', '.join(files)}")
    return fit_path(files[lender])


def _fit_for(path: Path, gpu: str) -> Fit:
    """The fit in a file; one that ships was measured by others than whoever asks."""
    fit = read_fit(path)
    if fit.gpu != gpu:
        raise FileContentError(
            path.name, "gpu", fit.gpu, f"{gpu!r}: a fit is for the GPU whose name it bears"
        )
    ships = path.parent.resolve() == data_folder("hw_profiles").resolve()
    return among_strangers(fit) if ships else fit
