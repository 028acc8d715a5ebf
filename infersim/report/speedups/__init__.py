"""Reports of predictions and speedups."""
