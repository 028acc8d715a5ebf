"""Builds transformers, dense and pruned, from the records that are predicted, and times them for real."""
