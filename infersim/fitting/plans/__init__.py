"""Measurement plans: which shapes are measured, and how a plan file states them."""
