"""Plans in files: TOML plans, their tables, and pruned checkpoints."""
