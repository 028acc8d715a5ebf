"""The frontier between quality and speed: published quality joined with predicted speedups."""
