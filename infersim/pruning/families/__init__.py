"""The families of pruning: one file for each, and their registry."""
