"""`infersim calibrate --pool`: from the fits of several GPUs to what all others are predicted with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from infersim.domain.errors import InfersimError, InvalidValueError


def pool_command(gpus: Sequence[str], out: Path | None, beside_datasheets: bool) -> None:
    """Pool the fits of `gpus` (names or .toml), or of all that come with one, and write the pool."""
    import time

    from infersim.cli.printing import check_outputs, print_aside, print_for_people
    from infersim.cli.progress import working
    from infersim.domain.profile import Calibration
    from infersim.fitting.transfer.pooling import pool_fits
    from infersim.profile_files.pool_files import NAME, shipped_pool_path, write_pool
    from infersim.profile_files.profiles import list_profiles, load_profile
    from infersim.report.pool_tables import pool_table, pool_verdict

    if out is not None and beside_datasheets:
        raise InfersimError("--out and --beside-datasheet at once; expected one of them")
    destination = out or (shipped_pool_path() if beside_datasheets else Path(NAME))
    if not destination.parent.is_dir():
        raise InvalidValueError("out", str(destination), "a file in a folder that exists")
    check_outputs([destination], list(gpus))
    profiles = [load_profile(gpu) for gpu in gpus or list_profiles()]
    if not gpus:
        profiles = [profile for profile in profiles if profile.calibration is Calibration.FITTED]
    started = time.perf_counter()
    with working(f"Pooling the fits of {len(profiles)} GPUs"):
        pool = pool_fits(profiles)
    write_pool(pool, destination)
    print_for_people(pool_verdict(pool, time.perf_counter() - started), pool_table(pool))
    where = "every command finds it" if beside_datasheets else "--beside-datasheet puts it where it is found"
    print_aside(f"The pool is in {destination}: {where}.")
