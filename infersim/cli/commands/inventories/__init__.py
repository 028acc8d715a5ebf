"""Commands that list what is known: GPUs, models, engines, words, and what is installed."""
