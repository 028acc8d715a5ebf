"""One GPU's share of a model that several GPUs of a node run together."""
