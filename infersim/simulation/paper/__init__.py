"""Published figures: the source paper's tables and other speedups, predicted again."""
