"""Sweeps: a plan file's models, GPUs, prunings and scenarios, chunk by chunk into one table."""
