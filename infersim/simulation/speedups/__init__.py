"""Speedups: what a question is about, and how fast plans are in it beside the dense model."""
