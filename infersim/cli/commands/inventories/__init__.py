"""Commands that list what is known and what is installed: GPUs, models and engines; `doctor`."""
