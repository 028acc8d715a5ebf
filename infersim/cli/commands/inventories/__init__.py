"""Commands that list what is known: GPUs, models and engines."""
