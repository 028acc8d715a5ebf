"""Exchanges between the GPUs of a node: what must be sent, how long it takes, and by which algorithm."""
