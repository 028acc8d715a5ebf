"""Layers of routed experts."""
