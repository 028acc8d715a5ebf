"""Reading, checking and writing hardware profiles: `hw_profiles/<gpu>.toml` and `<gpu>.fit.json`."""

from infersim.profile_files.fit_files import fit_path, read_fit, write_fit
from infersim.profile_files.overrides import with_overrides
from infersim.profile_files.profiles import list_profiles, load_profile
from infersim.profile_files.ranges import ImplausibleValueWarning

__all__ = [
    "ImplausibleValueWarning",
    "fit_path",
    "list_profiles",
    "load_profile",
    "read_fit",
    "with_overrides",
    "write_fit",
]
