"""Whole models as engines serve them: continuous batching, memory turned into batch, what pruning buys."""
