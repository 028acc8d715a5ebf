"""Exchanges between the GPUs of a node."""
