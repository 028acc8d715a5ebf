"""Reading, checking and writing hardware profiles: `hw_profiles/<gpu>.toml` and `<gpu>.fit.json`."""
