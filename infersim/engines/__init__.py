"""Engines: the runtimes that serve models, as data with a source for each number."""
